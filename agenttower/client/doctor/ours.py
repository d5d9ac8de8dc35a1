"""Checks beyond the contract's that need nothing but this client, inside a bench and outside."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from agenttower import __version__
from agenttower.client.doctor.contract import AWAY, away
from agenttower.client.doctor.row import FAIL, INFO, PASS, WARN, Row, guarded
from agenttower.client.doctor.seen import BENCH, HOST, UNKNOWN, Seen
from agenttower.client.identity import SHORT
from agenttower.client.session import CONTRACT_MAJOR, CONTRACT_VERSION
from agenttower.client.socket_path import SocketChoice

TMUX_NEEDED = (3, 2)
_TMUX_SECONDS = 5.0
_TMUX_VERSION = re.compile(r"tmux (?:next-)?(\d+)\.(\d+)")
_LOCAL = "local"
_SHOWN = 5


def our_rows(seen: Seen) -> list[Row]:
    """In this order, always, behind those of the contract, which have looked at the socket."""
    return [
        guarded("identity", lambda: _identity(seen)),
        guarded("uid", lambda: _uid(seen)),
        guarded("versions", lambda: _versions(seen)),
        guarded("app_contract", lambda: _app_contract(seen)),
        guarded("worker", lambda: _worker(seen)),
        guarded("health", lambda: _health(seen)),
        guarded("mounts", lambda: _mounts(seen)),
        guarded("tmux_version", lambda: _tmux_version(seen)),
    ]


def _identity(seen: Seen) -> Row:
    name = "identity"
    if not seen.usable:
        return away(name)
    if seen.place == HOST:
        return Row(name, PASS, "the daemon sees a process of the host", "host")
    if seen.place == BENCH:
        own = str((seen.ask("list_containers").result or {})["caller_container_id"])
        return Row(name, PASS, f"the daemon sees a process of bench {own[:SHORT]}", "bench")
    if seen.place == UNKNOWN:
        return Row(
            name,
            FAIL,
            "the daemon cannot tell, or does not know, which bench this is; it refuses all but "
            "'status' and 'ping'",
            "unknown",
            "on the host: run 'agenttower scan', and see whether 'agenttower container list' has "
            "it; a container needs its own PID namespace and cgroup, as 'docker run' gives them",
        )
    return Row(name, INFO, "the daemon does not tell whom it sees", "untold")


def _uid(seen: Seen) -> Row:
    name = "uid"
    if not isinstance(seen.socket, SocketChoice):
        return away(name)
    try:
        theirs = os.stat(seen.socket.path).st_uid
    except (OSError, ValueError):
        return Row(name, INFO, "there is no socket whose owner could be compared", AWAY)
    ours = os.geteuid()
    if theirs == ours:
        return Row(name, PASS, f"the socket's owner and this process are uid {ours}", "same_uid")
    hint = f"run this as uid {theirs}"
    if seen.in_bench:
        hint += f": 'docker run --user {theirs}', or 'docker exec --user {theirs}'"
    words = f"the socket belongs to uid {theirs}, and this process is uid {ours}"
    return Row(name, FAIL, words, "uid_differs", hint)


def _versions(seen: Seen) -> Row:
    name = "versions"
    theirs = seen.status.get("daemon_version")
    if not isinstance(theirs, str):
        return away(name)
    words = f"daemon {theirs}, client {__version__}, schema {seen.status.get('schema_version')}"
    if theirs == __version__:
        return Row(name, PASS, words, "same")
    hint = "restart the daemon, or update the program that is older"
    if seen.in_bench:
        hint = "run 'agenttower client install' for this container on the host"
    return Row(name, WARN, words, "differs", hint)


def _app_contract(seen: Seen) -> Row:
    name = "app_contract"
    if not seen.usable:
        return away(name)
    theirs = seen.ask("app.preflight").contract
    if theirs is None:
        hint = "update the daemon; without it desktop and web clients find no 'app.*' methods"
        return Row(name, WARN, "the daemon does not offer app.*", "not_offered", hint)
    words = f"app.* {theirs}, this client knows {CONTRACT_VERSION}"
    if theirs.partition(".")[0] != str(CONTRACT_MAJOR):
        return Row(name, FAIL, words, "major_differs", "update the program that is older")
    return Row(name, PASS, words, "same_major")


def _worker(seen: Seen) -> Row:
    name = "worker"
    worker = seen.status.get("worker")
    if not isinstance(worker, Mapping):
        return away(name)
    if worker.get("alive") is True:
        heard = worker.get("heartbeat_at")
        return Row(name, PASS, f"a worker is alive (pid {worker.get('pid')}, heard {heard})")
    hint = "start one with 'agenttower worker' (or both with 'agenttower up')"
    words = "no worker is alive: nothing is created, read, routed or delivered"
    return Row(name, FAIL, words, "worker_unavailable", hint)


def _health(seen: Seen) -> Row:
    name = "health"
    if not seen.status:
        return away(name)
    troubles = seen.status.get("degraded")
    if not isinstance(troubles, list):
        return Row(name, INFO, "only the host is told what is not well", "host_only")
    if not troubles:
        return Row(name, PASS, "the daemon says that all is well", "all_well")
    first = troubles[0]
    words = "; ".join(
        f"{trouble.get('subsystem')}: {trouble.get('reason')}" for trouble in troubles[:_SHOWN]
    )
    hint = f"{first.get('advice')}; see 'agenttower status' for all of it"
    return Row(name, WARN, f"{len(troubles)} not well: {words}", "not_well", hint)


# --- mounts --------------------------------------------------------------------------------------


def _mounts(seen: Seen) -> Row:
    name = "mounts"
    rows = seen.containers
    state = seen.status.get("state_path")
    if rows is None or not isinstance(state, str):
        return away(name)
    logs = f"{state}/logs"
    if seen.place == BENCH:
        return _own_mounts(seen, rows, logs)
    benches = [row for row in rows if row.get("active") and row.get("provider") != _LOCAL]
    without = [row for row in benches if _seen_at(row, logs) is None]
    if not benches:
        return Row(name, INFO, "no bench runs", "no_benches", "start one, then 'agenttower scan'")
    if without:
        named = ", ".join(str(row.get("name")) for row in without[:_SHOWN])
        words = f"{len(without)} of {len(benches)} benches do not see the log directory: {named}"
        return Row(name, WARN, words, "logs_not_mounted", _mount_hint(logs))
    return Row(name, PASS, f"{len(benches)} of {len(benches)} benches see {logs}", "mounted")


def _own_mounts(seen: Seen, rows: Sequence[Mapping[str, Any]], logs: str) -> Row:
    name = "mounts"
    own = next((row for row in rows if row["id"] == seen.container_id), None)
    place = None if own is None else _seen_at(own, logs)
    if place is None:
        words = "the log directory is not mounted here, so output of panes cannot be captured"
        return Row(name, WARN, words, "logs_not_mounted", _mount_hint(logs))
    if not (seen.root / place.lstrip("/")).is_dir():
        words = f"the log directory should be at {place}, and is not to be seen there"
        hint = "is something else mounted over it? Start the container anew"
        return Row(name, WARN, words, "mount_not_visible", hint)
    return Row(name, PASS, f"socket and log directory ({place}) are mounted", "mounted")


def _mount_hint(logs: str) -> str:
    return (
        f"start the container with -v {logs}:{logs}, or set logs.fallback to 'exec' in config.toml"
    )


def _seen_at(container: Mapping[str, Any], host_path: str) -> str | None:
    """Where a container has a directory of the host, writable; ``None`` where it has it not."""
    for mount in container.get("mounts") or ():
        source, target = mount.get("source"), mount.get("target")
        if not source or not target or mount.get("rw") is False:
            continue
        try:
            below = PurePosixPath(host_path).relative_to(source)
        except ValueError:
            continue
        return str(PurePosixPath(target) / below)
    return None


# --- tmux ----------------------------------------------------------------------------------------


def _tmux_version(seen: Seen) -> Row:
    name = "tmux_version"
    status, hint = INFO, "only the local bench needs it"
    if seen.in_bench:
        status, hint = FAIL, "install tmux 3.2 or newer in the image"
    try:
        said = subprocess.run(
            ["tmux", "-V"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TMUX_SECONDS,
            check=False,
            env=dict(seen.environ),
        ).stdout.decode("utf-8", "replace")
    except FileNotFoundError:
        return Row(name, status, "there is no tmux here", "tmux_missing", hint)
    except (OSError, subprocess.TimeoutExpired):
        return Row(name, status, "tmux does not say its version", "tmux_unavailable", hint)
    return tmux_row(name, said, status, hint)


def tmux_row(name: str, said: str, status: str, hint: str) -> Row:
    """The row for what ``tmux -V`` said. :param status: where it is too old."""
    found = _TMUX_VERSION.match(said)
    words = said.strip()[:80] or "tmux does not say its version"
    if found is None:
        return Row(name, WARN, words, "tmux_unavailable", hint)
    if (int(found[1]), int(found[2])) < TMUX_NEEDED:
        return Row(name, status, f"{words} is too old", "tmux_too_old", hint)
    return Row(name, PASS, words)
