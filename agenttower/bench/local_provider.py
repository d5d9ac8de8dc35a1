"""The bench without a container: this machine's tmux, on a private socket."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agenttower.bench.connection import ClientId
from agenttower.bench.interface import BenchEvent, BenchInfo, BenchScan, Deadline
from agenttower.bench.tmux_bench import TmuxBench
from agenttower.bench.transport import Finished, ProgramMissing, SocketTransport
from agenttower.errors import ContainerNotFound, TmuxUnavailable

_LONGEST_SOCKET_PATH = 107
_END_SECONDS = 2.0


class LocalProvider:
    """Implements :class:`~agenttower.bench.interface.BenchProvider` for this machine.

    :param socket_path: tmux's socket; its directory is made, for this user only.
    :param bench_id: 64 lower-case hex, the same at every start.
    :param starts_tmux: whether a missing tmux server is started; if not, somebody else does so.
    """

    def __init__(
        self,
        socket_path: str | Path,
        bench_id: str,
        name: str = "local",
        *,
        starts_tmux: bool = True,
    ) -> None:
        self._socket_path = Path(socket_path)
        self._starts_tmux = starts_tmux
        self._info = BenchInfo(
            bench_id=bench_id,
            name=name,
            provider="local",
            image="",
            status="running",
            started_at="",
        )
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        return "local"

    def scan(self, name_contains: Sequence[str]) -> BenchScan:
        """This machine is in scope by being configured, whatever the name rule says."""
        return BenchScan([self._info])

    def ping(self, timeout_s: float) -> bool:
        """There is no engine to be asked."""
        return True

    def inspect(self, bench_id: str) -> BenchInfo:
        if bench_id != self._info.bench_id:
            raise ContainerNotFound(bench_id)
        return self._info

    def open(
        self,
        bench_id: str,
        role: str = "worker",
        instance: str = "",
        lock_dir: Path | None = None,
    ) -> TmuxBench:
        info = self.inspect(bench_id)
        launcher = LocalLauncher(self._socket_path, starts_tmux=self._starts_tmux)
        return TmuxBench(lambda: info, launcher, ClientId(role, instance), lock_dir)

    def events(self, stop: Callable[[], bool]) -> Iterator[BenchEvent]:
        """``connected`` once; then nothing ever happens, until :meth:`close`."""
        if not stop():
            yield BenchEvent("connected")
            self._closed.wait()

    def close(self) -> None:
        self._closed.set()


class LocalLauncher:
    """Implements :class:`~agenttower.bench.transport.Launcher` by child processes."""

    def __init__(self, socket_path: Path, *, starts_tmux: bool = True) -> None:
        self._socket_path = socket_path
        self._starts_tmux = starts_tmux
        never_start = () if starts_tmux else ("-N",)
        self.tmux: Sequence[str] = ("tmux", *never_start, "-S", str(socket_path))

    def check(self, deadline: Deadline) -> None:
        if len(os.fsencode(self._socket_path)) > _LONGEST_SOCKET_PATH:
            raise TmuxUnavailable(
                f"the path of the tmux socket {self._socket_path} is too long for a socket; "
                "choose a shorter state directory"
            )
        self._socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._starts_tmux and not _listens(self._socket_path):
            raise TmuxUnavailable(
                f"no tmux server listens at {self._socket_path}, and it has a service of its own "
                "(local.start_tmux is false): run 'agenttower service install' again, and see "
                "'agenttower service status'"
            )

    def start(self, argv: Sequence[str], deadline: Deadline) -> SocketTransport:
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        try:
            # In a session of its own: Ctrl-C in the operator's terminal is not meant for it.
            process = subprocess.Popen(
                argv,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=errors,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            errors.close()
            raise ProgramMissing(f"{argv[0]}: {error.strerror}") from error
        finally:
            theirs.close()

        def said() -> str:
            errors.seek(0)
            return errors.read().decode("utf-8", "replace").strip()

        def end() -> None:
            errors.close()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        return SocketTransport(ours, error_reader=said, on_close=end)

    def run(self, argv: Sequence[str], stdin: bytes, deadline: Deadline) -> Finished:
        try:
            done = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                env=_environment(),
                timeout=max(deadline - time.monotonic(), 0.0),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        except OSError as error:
            raise ProgramMissing(f"{argv[0]}: {error.strerror}") from error
        stdout, stderr = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return Finished(done.returncode, stdout, stderr.strip())

    def close(self) -> None:
        """Nothing is held between calls."""


def _listens(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(socket_path)) == 0


def _environment() -> dict[str, str]:
    """Ours, without what would make tmux believe that it runs inside a pane."""
    return {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
