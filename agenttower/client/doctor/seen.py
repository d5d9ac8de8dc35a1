"""What the checks look at: where this process is, and what the daemon says, each asked once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttower.client.connection import exchange
from agenttower.client.errors import DaemonUnreachable
from agenttower.client.identity import in_container
from agenttower.client.refusals import PermissionDenied
from agenttower.client.socket_path import SocketChoice, SocketOverrideInvalid
from agenttower.paths import default_paths

CALL_SECONDS = 5.0
"""For one answer: the doctor must be quick, also where the daemon is not."""

HOST, BENCH, UNKNOWN, UNTOLD = "host", "bench", "unknown", "untold"


@dataclass(frozen=True)
class Reply:
    """How one question was answered."""

    result: Mapping[str, Any] | None = None
    code: str | None = None
    """Of the refusal."""
    kind: str | None = None
    """Why there was no answer; see :class:`DaemonUnreachable`."""
    contract: str | None = None
    """``app_contract_version``, where the answer has it."""


class Seen:
    """The surroundings of one run of the doctor.

    :param socket: the socket that is meant, or why there is none.
    :param root: where the file system begins.
    """

    def __init__(
        self,
        socket: SocketChoice | SocketOverrideInvalid,
        environ: Mapping[str, str] = os.environ,
        root: Path = Path("/"),
    ) -> None:
        self.socket = socket
        self.environ = environ
        self.root = root
        self.usable = isinstance(socket, SocketChoice)
        """Whether there is somebody to ask; checks turn it off for those that follow."""
        self.container_id: str | None = None
        """Which container this is, once ``container_identity`` has found out."""
        self.identity_failed = False
        self._replies: dict[str, Reply] = {}

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> Reply:
        """The daemon's answer, from memory where it has been asked before."""
        if not isinstance(self.socket, SocketChoice):
            return Reply(kind="socket_missing")
        key = f"{method} {json.dumps(dict(params or {}), sort_keys=True)}"
        if key not in self._replies:
            self._replies[key] = _asked(self.socket.path, method, params)
        return self._replies[key]

    @property
    def status(self) -> Mapping[str, Any]:
        """The answer of ``status``; empty where there is none."""
        return (self.ask("status").result or {}) if self.usable else {}

    @property
    def containers(self) -> list[Mapping[str, Any]] | None:
        """The rows of ``list_containers``; ``None`` where there is no such answer."""
        rows = (self.ask("list_containers").result or {}).get("containers") if self.usable else None
        if not isinstance(rows, list) or not all(_is_container(row) for row in rows):
            return None
        return rows

    @property
    def looks_contained(self) -> bool:
        """Whether files say that this is a container, which is no proof."""
        return in_container(self.root)

    @property
    def place(self) -> str:
        """Where the daemon, by the kernel's word, sees us; ``untold`` where it says nothing."""
        if not self.usable:
            return UNTOLD
        reply = self.ask("list_containers")
        if reply.code == "host_only":
            return UNKNOWN
        if reply.result is None or "caller_container_id" not in reply.result:
            return UNTOLD
        return HOST if reply.result["caller_container_id"] is None else BENCH

    @property
    def in_bench(self) -> bool:
        """As :attr:`place` says, else as files say: a bench has no state directory of its own."""
        if self.place != UNTOLD:
            return self.place != HOST
        return self.looks_contained and not os.path.isdir(default_paths(self.environ).state_dir)


def _asked(path: Path, method: str, params: Mapping[str, Any] | None) -> Reply:
    try:
        answer = exchange(path, method, params, CALL_SECONDS)
    except DaemonUnreachable as error:
        return Reply(kind=error.kind or "connection_refused")
    except (OSError, ValueError):
        return Reply(kind="protocol_error")
    version = answer.get("app_contract_version")
    contract = version if isinstance(version, str) else None
    if answer["ok"] is True:
        return Reply(result=answer["result"], contract=contract)
    code = answer["error"]["code"]
    if code == PermissionDenied.code:  # how a daemon turns away another user's process
        return Reply(kind="permission_denied")
    return Reply(code=code, contract=contract)


def _is_container(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)
