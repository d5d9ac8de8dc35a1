"""Where an agent's log goes, and how its bytes get there.

Mostly the bench writes the host's file through a mount. Where no mount shows the log directory, and
``logs.fallback`` is ``exec``, the bench writes a file of its own, which the worker copies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agenttower.bench import logfiles, logplaces, visibility
from agenttower.bench.interface import Bench, BenchInfo, Deadline, Mount
from agenttower.bench.logplaces import Maker
from agenttower.bench.visibility import Proven
from agenttower.errors import LogNotVisible
from agenttower.paths import Paths
from agenttower.store.agent_logs import AttachmentRecord, LogFile
from agenttower.store.containers import ContainerRecord

Via = Literal["pipe", "exec"]


@dataclass(frozen=True, slots=True)
class Place:
    """A log as both sides see it. ``chosen`` is set where somebody named the path."""

    host_path: Path
    bench_path: str
    via: Via
    chosen: Proven | None = None


class LogPlaces:
    """Finds and makes the files of logs.

    :param fallback: whether logs that no mount shows are read through the engine.
    """

    def __init__(self, paths: Paths, *, fallback: bool) -> None:
        self._paths = paths
        self._fallback = fallback

    def usual_path(self, container_id: str, agent_id: str) -> Path:
        """The host's file for an agent's log where nobody named another."""
        return self._paths.logs_dir / container_id / f"{agent_id}.log"

    def usual(self, info: BenchInfo, bench_uid: int | None, path: Path) -> Place:
        """Where the log at the usual path stands in the bench; makes nothing.

        :param bench_uid: ``None`` where it does not matter yet.
        :raises LogNotVisible: no mount shows it, and there is no fallback.
        """
        try:
            return Place(path, logfiles.bench_path(info, path), "pipe")
        except LogNotVisible:
            if not self._fallback:
                raise
            return self._fallen_back(bench_uid or 0, path)

    def make_usual(self, bench: Bench, path: Path, deadline: Deadline) -> Place:
        """As :meth:`usual`, with the files made on both sides.

        :raises LogNotVisible: the bench cannot write there; the message says what to change.
        """
        uid = bench.bench_uid(deadline)
        place = self.usual(bench.info, uid, path)
        if place.via == "pipe":
            try:
                logfiles.prepare_log(bench.info, path, uid)
                return place
            except LogNotVisible:
                if not self._fallback:
                    raise
                place = self._fallen_back(uid, path)
        # Nobody but us writes this one, so it needs no handing over, and proves nothing by itself.
        logfiles.prepare_log(bench.info, path, 0)
        os.utime(path, follow_symlinks=False)
        bench.make_file(place.bench_path, deadline)
        return place

    def make_chosen(
        self,
        bench: Bench,
        container_id: str,
        wanted: str,
        deadline: Deadline,
        *,
        trusted: bool,
    ) -> Place:
        """As :meth:`chosen`, with the file made.

        :param trusted: see :class:`agenttower.bench.logplaces.Maker`.
        """
        place = self.chosen(bench.info, container_id, wanted)
        assert place.chosen is not None
        logplaces.make_file(place.chosen, Maker(bench.bench_uid(deadline), trusted))
        return place

    def make_again(
        self, bench: Bench, container_id: str, log: AttachmentRecord, deadline: Deadline
    ) -> Place:
        """The place of a log that is attached, with whatever is missing of it made."""
        path = Path(log.log_path)
        if path.is_relative_to(self._paths.logs_dir) or log.bench_path is None:
            return self.make_usual(bench, path, deadline)
        return self.make_chosen(bench, container_id, log.bench_path, deadline, trusted=False)

    def chosen(self, info: BenchInfo, container_id: str, wanted: str) -> Place:
        """The place of a path that somebody named, as the bench sees it; makes nothing.

        :raises LogPathInvalid: no log may be there.
        :raises LogNotVisible: the host does not see it, or it cannot be written.
        """
        paths = self._paths
        # Their parents too: what shares the vendor's directory is no place for a bench to write.
        ours = (paths.state_dir, paths.config_dir.parent, paths.cache_dir.parent)
        proven = visibility.prove(info, wanted, ours, paths.logs_dir / container_id)
        return Place(proven.host_path, proven.bench_path, "pipe", proven)

    def as_proven(self, place: Place) -> Proven:
        """The place with the directory from which its file is entered without links."""
        root = logplaces.root_of(place.host_path, self._paths.logs_dir)
        return place.chosen or Proven(place.host_path, place.bench_path, root)

    def is_missing(self, path: Path) -> bool:
        """Whether nothing at all is at a log's place on the host, as far as can be seen."""
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False

    def file(self, path: Path) -> LogFile | None:
        """What is at a log's place on the host; ``None`` where it is missing or no plain file."""
        try:
            with visibility.opened(path, logplaces.root_of(path, self._paths.logs_dir)) as file:
                status = os.fstat(file)
        except OSError:
            return None
        return LogFile(f"{status.st_dev}:{status.st_ino}", status.st_size)

    def _fallen_back(self, uid: int, path: Path) -> Place:
        return Place(path, f"/tmp/agenttower-{uid}/{path.name}", "exec")


def stored_info(container: ContainerRecord) -> BenchInfo:
    """A container as its row keeps it, for the questions that need no engine."""
    return BenchInfo(
        bench_id=container.id,
        name=container.name,
        provider="local" if container.provider == "local" else "docker",
        image=container.image,
        status=container.status,
        started_at=container.started_at,
        mounts=tuple(_mount(mount) for mount in container.mounts),
        user=container.config_user,
    )


def _mount(mount: dict[str, Any]) -> Mount:
    return Mount(
        source=str(mount.get("source", "")),
        target=str(mount.get("target", "")),
        type=str(mount.get("type", "")),
        mode=str(mount.get("mode", "")),
        rw=bool(mount.get("rw", True)),
    )
