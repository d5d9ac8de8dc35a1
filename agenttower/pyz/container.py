"""One container of the engine, as far as an installation needs it: run, read a file, put one."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from agenttower.bench.docker_api import engine_errors, inactive
from agenttower.errors import AgentTowerError, ContainerNotFound

if TYPE_CHECKING:
    from docker import APIClient

MODE = 0o755
_FILE_LIMIT = 16 * 1024 * 1024


class InstallRefused(AgentTowerError):
    """The bench client cannot be put into the container as it was asked for."""

    code = "client_install_refused"


class Target:
    """A running container.

    :param reference: its name, its id, or how that begins, as the engine takes it.
    :raises ContainerNotFound: the engine knows no such container.
    :raises ContainerInactive: it does not run.
    """

    def __init__(self, client: APIClient, reference: str) -> None:
        if not reference.strip():
            raise ContainerNotFound(reference)
        self._client = client
        with engine_errors(reference):
            record = client.inspect_container(reference)
        self.id = str(record["Id"])
        self.name = str(record["Name"]).lstrip("/")
        status = str(record["State"].get("Status") or "")
        if status != "running":
            raise inactive(self.id, status)

    def run(self, argv: Sequence[str], user: str = "") -> tuple[int, str]:
        """Exit code and output of a program; by default as the container's own user."""
        with engine_errors(self.id):
            made = self._client.exec_create(self.id, [*argv], user=user)
            said = self._client.exec_start(made["Id"])
            code = self._client.exec_inspect(made["Id"])["ExitCode"]
        return int(code), said.decode("utf-8", "replace")

    def read(self, path: PurePosixPath) -> bytes | None:
        """What a regular file holds; ``None`` where there is nothing.

        :raises InstallRefused: something else is there.
        """
        from docker.errors import NotFound

        with engine_errors(self.id):
            try:
                stream, _ = self._client.get_archive(self.id, str(path))
                packed = _limited(stream, path)
            except NotFound:
                return None
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            entry = archive.next()
            content = None if entry is None or not entry.isreg() else archive.extractfile(entry)
            if content is None:
                raise InstallRefused(f"{path} in {self.name} is no plain file; choose another path")
            return content.read()

    def put(self, path: PurePosixPath, content: bytes) -> None:
        """Put a file of root's that everybody may run, in one step.

        :raises InstallRefused: there is no such directory, or the file did not get its name.
        """
        from docker.errors import NotFound

        passing = path.with_name(f".{path.name}.new")
        with engine_errors(self.id):
            try:
                self._client.put_archive(self.id, str(path.parent), _packed(passing.name, content))
            except NotFound:
                raise InstallRefused(
                    f"{self.name} has no directory {path.parent}; make it, or choose another --path"
                ) from None
        code, said = self.run(["mv", "-f", str(passing), str(path)], user="0")
        if code != 0:
            raise InstallRefused(f"{path} could not be put in place: {said.strip()[:200]}")


def _limited(stream: Any, path: PurePosixPath) -> bytes:
    packed = bytearray()
    for chunk in stream:
        packed += chunk
        if len(packed) > _FILE_LIMIT:
            raise InstallRefused(f"{path} is far too large to be a bench client; choose another")
    return bytes(packed)


def _packed(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(content), MODE, int(time.time())
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
