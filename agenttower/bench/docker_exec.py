"""Starting processes in a container through the engine's exec."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agenttower.bench.docker_api import CALL_SECONDS, Engine, engine_errors, inactive
from agenttower.bench.frames import Demultiplexer
from agenttower.bench.interface import Deadline
from agenttower.bench.transport import Finished, ProgramMissing, SocketTransport
from agenttower.bench.wording import one_line
from agenttower.errors import BenchConnectionLost, DockerFailed

if TYPE_CHECKING:
    from docker import APIClient

# What runc and crun say of a missing program. "No such file or directory" alone proves nothing:
# they say it of working directories and control groups too.
_MISSING = re.compile(r"executable file .*not found|exec: \"[^\"]*\": stat .*no such file", re.I)
_STOPPED = re.compile(r"\bin a stopped container|\bcontainer .*not running", re.I)
_FROZEN = re.compile(r"\bpaused\b|\bfrozen\b", re.I)
_RUNTIME = "OCI runtime exec failed"
"""Begins what the engine writes where the output of the process should be."""


class DockerExec:
    """One process in a container, started with its streams attached to a socket of ours.

    It has an engine client of its own, since the socket is taken out of the client's pool and the
    client's time-out is that of this one call.

    :raises ProgramMissing: the container has no such program (engines from 25 say so at once;
        older ones in the stream, which ends then).
    :raises ContainerInactive: it does not run.
    :raises BenchConnectionLost: it is frozen, or the engine failed; nothing was started.
    """

    def __init__(
        self,
        engine: Engine,
        container_id: str,
        argv: Sequence[str],
        deadline: Deadline,
        *,
        user: str,
        environment: Mapping[str, str],
        stdin: bool = True,
    ) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._client: APIClient = engine.client(min(left, CALL_SECONDS))
        try:
            with engine_errors(container_id):
                self.id: str = self._client.exec_create(
                    container_id,
                    list(argv),
                    stdin=stdin,
                    user=user,
                    environment=dict(environment),
                )["Id"]
                stream: Any = self._client.exec_start(self.id, socket=True)
        except DockerFailed as error:
            self._client.close()
            if _RUNTIME in error.message or _MISSING.search(error.message):
                raise _not_started(argv[0], container_id, error.message) from error
            raise
        except BaseException:
            self._client.close()
            raise
        # The stream and the response behind it close the socket when they are collected.
        self._stream = stream
        sock = getattr(stream, "_sock", stream)
        self.transport = SocketTransport(
            sock,
            Demultiplexer(),
            initial=_read_ahead(stream, sock),
            judge=lambda said: (
                _not_started(argv[0], container_id, said) if said.startswith(_RUNTIME) else None
            ),
            on_close=self._close,
        )

    def exit_code(self) -> int | None:
        """How the process ended; ``None`` while it runs."""
        with engine_errors():
            code: int | None = self._client.exec_inspect(self.id)["ExitCode"]
        return code

    def _close(self) -> None:
        # Closing the response closes the stream under it; without one there is only the stream.
        with contextlib.suppress(OSError):
            getattr(self._stream, "_response", self._stream).close()
        self._client.close()


@dataclass(frozen=True, slots=True)
class ExecSettings:
    """As whom, and with which variables beside the container's own, processes are started."""

    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class DockerLauncher:
    """Implements :class:`~agenttower.bench.transport.Launcher` for one container.

    :param inspect: looks at the container now, by a deadline; raises where nothing can be started
        in it.
    """

    tmux: Sequence[str] = ("tmux",)

    def __init__(
        self, engine: Engine, container_id: str, inspect: Callable[[Deadline], ExecSettings]
    ) -> None:
        self._engine = engine
        self._container_id = container_id
        self._inspect = inspect
        self._settings: ExecSettings | None = None

    def check(self, deadline: Deadline) -> None:
        self._settings = self._inspect(deadline)

    def start(self, argv: Sequence[str], deadline: Deadline) -> SocketTransport:
        return self._exec(argv, deadline, stdin=True).transport

    def run(self, argv: Sequence[str], stdin: bytes, deadline: Deadline) -> Finished:
        process = self._exec(argv, deadline, stdin=bool(stdin))
        transport = process.transport
        try:
            if stdin:
                transport.send(stdin, deadline)
                transport.end_input()
            output = bytearray()
            while data := transport.receive(deadline):
                output += data
            failure = transport.start_failure()
            if failure is not None:
                raise failure
            code = process.exit_code()
        finally:
            transport.close()
        said = transport.error_text()
        return Finished(code if code is not None else 0, output.decode("utf-8", "replace"), said)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _exec(self, argv: Sequence[str], deadline: Deadline, *, stdin: bool) -> DockerExec:
        if self._settings is None:
            self.check(deadline)
        assert self._settings is not None
        return DockerExec(
            self._engine,
            self._container_id,
            argv,
            deadline,
            user=self._settings.user,
            environment=self._settings.environment,
            stdin=stdin,
        )


def _not_started(program: str, container_id: str, said: str) -> Exception:
    """What it means that the engine could not start a process, by the runtime's words."""
    name = container_id[:12]
    if _MISSING.search(said):
        return ProgramMissing(program)
    if _STOPPED.search(said):
        return inactive(container_id, "not running")
    if _FROZEN.search(said):
        return BenchConnectionLost(
            f"container {name} is frozen, so {program} could not be started in it; resume it with "
            f"'docker unpause {name}', or thaw its control group"
        )
    return BenchConnectionLost(
        f"the container runtime could not start {program} in container {name}: {one_line(said)}"
    )


def _read_ahead(stream: Any, sock: Any) -> bytes:
    """What the HTTP library read off the socket beyond the header: the process may be that fast."""
    response = getattr(stream, "_response", None)
    if response is None:
        return b""
    sock.settimeout(0)
    ahead: bytes | None = response.raw._fp.fp.read1(-1)
    return ahead or b""
