"""Who may hold leases: a row for each worker process, and the proof that one is dead.

Dead means: another boot, no process of that pid, or one that started at another time. A silent
worker is not a dead one (design.md section 2, point 7).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agenttower.clock import SECOND, Micros
from agenttower.store.database import Store
from agenttower.store.models import Worker

HEARTBEAT_S = 5.0
SILENT_AFTER: Micros = 15 * SECOND
"""Without a heartbeat for this long nothing would run (``worker_unavailable``)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one of the same pid."""

    pid: int
    start: int
    """Clock ticks since boot, from ``/proc/<pid>/stat``."""
    boot_id: str


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker's row."""

    worker_id: str
    process: Process
    started_at: Micros
    heartbeat_at: Micros
    stopped_at: Micros | None


def this_process() -> Process:
    """The calling process."""
    pid = os.getpid()
    start = process_start(pid)
    if start is None:
        raise RuntimeError("/proc shows nothing of this process; is /proc mounted?")
    return Process(pid, start, boot_id())


def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def process_start(pid: int) -> int | None:
    """When ``pid`` started, in ticks; ``None`` where there is no such process or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def is_dead(
    process: Process,
    *,
    boot: Callable[[], str] = boot_id,
    start_of: Callable[[int], int | None] = process_start,
) -> bool:
    """Whether ``process`` is provably gone."""
    return process.boot_id != boot() or start_of(process.pid) != process.start


def announce(store: Store, worker_id: str, process: Process, now: Micros) -> None:
    """Write the worker's row."""
    with store.transaction():
        Worker.insert(
            worker_id=worker_id,
            pid=process.pid,
            process_start=process.start,
            boot_id=process.boot_id,
            started_at=now,
            heartbeat_at=now,
        ).execute()


def beat(store: Store, worker_id: str, now: Micros) -> None:
    """Say that the worker is alive."""
    with store.transaction():
        Worker.update(heartbeat_at=now).where(Worker.worker_id == worker_id).execute()


def withdraw(store: Store, worker_id: str, now: Micros) -> None:
    """Say that the worker has stopped."""
    with store.transaction():
        Worker.update(stopped_at=now, heartbeat_at=now).where(
            Worker.worker_id == worker_id
        ).execute()


def workers() -> list[WorkerRecord]:
    """Workers that have not said goodbye, the newest first."""
    rows = Worker.select().where(Worker.stopped_at.is_null()).order_by(Worker.started_at.desc())
    return [
        WorkerRecord(
            row.worker_id,
            Process(row.pid, row.process_start, row.boot_id),
            row.started_at,
            row.heartbeat_at,
            row.stopped_at,
        )
        for row in rows
    ]


def living_worker(now: Micros) -> WorkerRecord | None:
    """A worker that would run a step: heard of within 15 s and not provably dead."""
    for worker in workers():
        if now - worker.heartbeat_at < SILENT_AFTER and not is_dead(worker.process):
            return worker
    return None


def heard_of_a_worker(now: Micros) -> bool:
    """Whether any worker was alive within 15 s: what is accepted now will find one soon (M1)."""
    return bool(Worker.select().where(Worker.heartbeat_at > now - SILENT_AFTER).exists())


def bury(store: Store, now: Micros) -> set[str]:
    """Mark the workers that are provably dead as stopped; returns their ids."""
    dead = {worker.worker_id for worker in workers() if is_dead(worker.process)}
    if dead:
        with store.transaction():
            Worker.update(stopped_at=now).where(Worker.worker_id.in_(list(dead))).execute()
    return dead


def is_known_living(worker_id: str) -> bool:
    """Whether a lease's owner has a row that says neither goodbye nor proves it dead."""
    row = Worker.get_or_none(Worker.worker_id == worker_id)
    return (
        row is not None
        and row.stopped_at is None
        and not is_dead(Process(row.pid, row.process_start, row.boot_id))
    )
