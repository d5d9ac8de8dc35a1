"""A Docker engine for demo and tests: one that is reachable, or a private one started for us.

The private engine lives in PID and mount namespaces of its own. When the first process of such a
namespace ends, the kernel ends every other one and drops every mount, so neither a shim nor an
overlay mount can stay behind, however the engine or its owner dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import docker
from docker.errors import DockerException

from agenttower.demo.programs import find_program, search_path
from agenttower.errors import DockerUnavailable
from agenttower.private import private_directory

START_SECONDS = 60.0
STOP_SECONDS = 20.0
SYSTEM_SOCKET = "unix:///var/run/docker.sock"

# The first process of the namespaces. Its standard input is a pipe held by the owner: the end of
# that pipe, by close() or by the owner's death, stops the engine. The empty file systems hide the
# machine's own containerd, so that dockerd starts one of its own, and keep its key file to itself.
_KEEPER = """
run_dir=$1; shift
for hidden in /run/containerd /etc/docker; do
    mkdir -p "$hidden" && mount -t tmpfs -o mode=0700 tmpfs "$hidden" || exit 70
done
exec 3<&0
"$@" </dev/null 3<&- &
engine=$!
( cat <&3 >/dev/null; kill -TERM "$engine" ) &
wait "$engine"; status=$?
rm -rf "$run_dir"
exit "$status"
"""


def answers(url: str, timeout_s: float = 5.0) -> bool:
    """Whether a Docker engine answers at ``url``.

    Only Unix sockets count: the directories of this machine cannot be mounted by an engine on
    another one.
    """
    scheme, _, path = url.partition("://")
    if scheme != "unix":
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(path)
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False


def find_engine(environ: Mapping[str, str] = os.environ) -> str | None:
    """The URL of a local engine that answers: of ``DOCKER_HOST`` if set, else the system's."""
    url = environ.get("DOCKER_HOST") or SYSTEM_SOCKET
    return url if answers(url) else None


def private_engine_obstacle() -> str | None:
    """Why a private engine cannot be started here and what to do; ``None`` where it can."""
    if os.geteuid() != 0:
        return "a private Docker engine needs root; run as root, or set DOCKER_HOST to an engine"
    missing = [name for name in ("dockerd", "containerd", "unshare") if find_program(name) is None]
    if missing:
        return (
            f"{', '.join(missing)} not found; run 'make setup' as root "
            "(Debian: apt-get install docker.io), or set DOCKER_HOST to an engine"
        )
    return None


class PrivateEngine:
    """A Docker engine without network, private to this process, stopped on leaving the context.

    Images stay in ``root_dir`` for the next run. Each user holds a slot of it under a lock; who
    finds the first slot taken uses the next one.

    :param root_dir: where slots are kept; made with mode 0700.
    :raises DockerUnavailable: on entering, when the engine cannot be started; says what to do.
    :raises StateRefused: on entering, when ``root_dir`` is open to others.
    """

    def __init__(self, root_dir: Path) -> None:
        self._root_dir = root_dir
        self._slot: Path | None = None
        self._lock: BinaryIO | None = None
        self._run_dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What to give as ``DOCKER_HOST``."""
        if self._run_dir is None:
            raise DockerUnavailable("the private Docker engine is not running; enter it first")
        return f"unix://{self._run_dir}/docker.sock"

    @property
    def log_file(self) -> Path:
        """What the engine says; kept until the slot's next use."""
        if self._slot is None:
            raise DockerUnavailable("the private Docker engine was never started")
        return self._slot / "dockerd.log"

    def __enter__(self) -> Self:
        obstacle = private_engine_obstacle()
        if obstacle is not None:
            raise DockerUnavailable(obstacle)
        try:
            self._take_slot()
            self._start()
            self._await_ready()
            self._remove_containers()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine and everything in it; harmless when repeated."""
        if self._process is not None:
            if self._process.poll() is None:
                # dockerd would give each container ten seconds to end by itself.
                with suppress(DockerException, OSError):
                    self._remove_containers()
            self._stop(self._process)
            self._process = None
        if self._run_dir is not None:
            shutil.rmtree(self._run_dir, ignore_errors=True)
            self._run_dir = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_slot(self) -> None:
        private_directory(self._root_dir)
        number = 0
        while self._lock is None:
            number += 1
            slot = self._root_dir / f"slot-{number}"
            private_directory(slot)
            lock = (slot / "lock").open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            except BaseException:
                lock.close()
                raise
            else:
                self._slot, self._lock = slot, lock

    def _start(self) -> None:
        assert self._slot is not None
        assert self._lock is not None
        # Sockets go to a short path: the kernel's limit is 107 bytes.
        self._run_dir = Path(tempfile.mkdtemp(prefix="at-engine-", dir="/tmp"))
        config = self._run_dir / "daemon.json"
        config.write_text("{}\n")
        argv = [
            *("unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child"),
            *("--mount-proc", "sh", "-c", _KEEPER, "sh", str(self._run_dir)),
            *(find_program("dockerd") or "dockerd", f"--config-file={config}"),
            f"--host=unix://{self._run_dir}/docker.sock",
            f"--data-root={self._slot / 'data'}",
            f"--exec-root={self._run_dir / 'exec'}",
            f"--pidfile={self._run_dir / 'docker.pid'}",
            *("--bridge=none", "--iptables=false", "--ip6tables=false"),
            # A systemd driver would pass PIDs of this namespace to a systemd outside of it.
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--shutdown-timeout=2",
        ]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the owner, which then stops the engine.
                # The lock outlives a killed owner until the last process here has gone.
                pass_fds=(self._lock.fileno(),),
                env={**os.environ, "PATH": search_path(), "TMPDIR": str(self._run_dir)},
            )

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self._process.poll() is not None:
                raise DockerUnavailable(f"the private Docker engine ended at once: {self._why()}")
            if time.monotonic() > deadline:
                raise DockerUnavailable(
                    f"the private Docker engine did not answer in {START_SECONDS:.0f} s: "
                    f"{self._why()}"
                )
            time.sleep(0.05)

    def _why(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{last} (see {self.log_file}, or set DOCKER_HOST to another engine)"

    def _remove_containers(self) -> None:
        with _client(self.url) as client:
            for container in client.containers.list(all=True, ignore_removed=True):
                container.remove(force=True, v=True)

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # --kill-child: the first process of the namespace dies with it, then all others.
            process.send_signal(signal.SIGKILL)
            process.wait()


def _client(url: str) -> closing[docker.DockerClient]:
    return closing(docker.DockerClient(base_url=url, timeout=int(STOP_SECONDS)))
