"""How each subsystem is, judged from facts that were read at one moment (app surface, 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import SECOND, Micros
from agenttower.domain.readiness import Health, Subsystem, SubsystemHealth, unwell, well
from agenttower.engine.presence import WorkerRecord
from agenttower.services.troubles import relay_is_late
from agenttower.store.discovery_health import LastPaneScan, LookedInto
from agenttower.store.overview import Backlog

SILENT_AFTER: Micros = 60 * SECOND
"""A thread of the worker that tells every 10 s how it is, and has not for so long, hangs."""

_NO_WORKER = "no worker process is alive"
_START_WORKER = "start one with 'agenttower worker', or both processes with 'agenttower up'"
_SEE_WORKER = "see the worker's log; it tries again by itself"


@dataclass(frozen=True, slots=True)
class Said:
    """What a standing thread of the worker last said of itself."""

    document: dict[str, Any]
    at: Micros


@dataclass(frozen=True, slots=True)
class Facts:
    """What the judgment needs, beside the engine's own answer."""

    now: Micros
    worker: WorkerRecord | None
    can_write: bool
    """Whether the database's write lock is to be had."""
    backlog: Backlog
    relay: Said | None
    events_file_problem: str | None
    """What is wrong with ``events.jsonl`` as a file."""
    routing: Said | None
    routing_enabled: bool
    readers: Sequence[Said | None]
    """Those that are configured; ``None`` for one that has not said anything yet."""
    looked_into: Sequence[LookedInto]
    """The containers that run."""
    pane_scan: LastPaneScan | None


def judged(docker: SubsystemHealth, facts: Facts) -> list[SubsystemHealth]:
    """All six rows."""
    return [
        docker,
        tmux_discovery(docker, facts),
        sqlite(facts),
        jsonl(facts),
        routing_worker(facts),
        log_attachment_workers(facts),
    ]


def tmux_discovery(docker: SubsystemHealth, facts: Facts) -> SubsystemHealth:
    """By what the last looks into the containers that run came to, and whether one could look."""
    name, looked = Subsystem.TMUX_DISCOVERY, facts.looked_into
    others = [one for one in looked if one.provider != "docker"]
    if docker.status is Health.UNAVAILABLE and not others:
        reason = "no container can be looked into while the Docker engine is unavailable"
        return unwell(name, Health.UNAVAILABLE, reason, docker.hint)
    failed = [one for one in looked if one.error is not None]
    if failed:
        codes = ", ".join(sorted({str(one.error) for one in failed}))
        reason = f"the last look failed in {len(failed)} of {len(looked)} containers ({codes})"
        scan = facts.pane_scan
        all_gone = len(failed) == len(looked) and scan is not None and scan.saw_nothing
        status = Health.UNAVAILABLE if all_gone else Health.DEGRADED
        return unwell(name, status, reason, "mend the cause, then scan for panes again")
    if docker.status is Health.UNAVAILABLE and len(others) < len(looked):
        reason = "some containers cannot be looked into while the Docker engine is unavailable"
        return unwell(name, Health.DEGRADED, reason, docker.hint)
    return well(name)


def sqlite(facts: Facts) -> SubsystemHealth:
    """It could be read, or there were no facts."""
    if not facts.can_write:
        reason = "another process holds the database's write lock; writes wait"
        hint = "see who has it open: a backup, an sqlite3 shell?"
        return unwell(Subsystem.SQLITE, Health.DEGRADED, reason, hint)
    waiting = [
        said.document["degraded_sqlite"]
        for said in facts.readers
        if said is not None and facts.worker is not None and said.document.get("degraded_sqlite")
    ]
    if waiting:
        logs = sum(len(one["buffered_attachments"]) for one in waiting)
        reason = f"events of {logs} logs could not be written"
        hint = "free space, or see who locks the database; nothing is lost"
        return unwell(Subsystem.SQLITE, Health.DEGRADED, reason, hint)
    return well(Subsystem.SQLITE)


def jsonl(facts: Facts) -> SubsystemHealth:
    """Whether audit lines reach ``events.jsonl``. Until then they stand in the database."""
    name, waiting = Subsystem.JSONL, f"{facts.backlog.pending} lines wait in the database"
    if facts.worker is None:
        return unwell(name, Health.UNAVAILABLE, f"{_NO_WORKER}; {waiting}", _START_WORKER)
    failing = None if facts.relay is None else facts.relay.document.get("degraded_jsonl")
    if failing:
        reason = f"events.jsonl cannot be written ({failing['last_error_class']}); {waiting}"
        hint = "see whether the disk is full, or the file is not ours; lines follow by themselves"
        return unwell(name, Health.UNAVAILABLE, reason, hint)
    if facts.events_file_problem is not None:
        hint = "move it back, or restart the worker; the lines are in the database"
        return unwell(name, Health.DEGRADED, facts.events_file_problem, hint)
    if relay_is_late(facts.now, facts.backlog.oldest_at):
        return unwell(name, Health.DEGRADED, f"{waiting} for events.jsonl", _SEE_WORKER)
    return well(name)


def routing_worker(facts: Facts) -> SubsystemHealth:
    """Whether events are turned into prompts. Where routing is switched off, that is well too."""
    name, said = Subsystem.ROUTING_WORKER, facts.routing
    problem = _standing(name, facts, said)
    if problem is not None:
        return problem
    assert said is not None
    if said.document.get("degraded_since") is not None:
        reason = f"events wait to be decided: {said.document.get('trouble')}"
        return unwell(name, Health.DEGRADED, reason, _SEE_WORKER)
    off = "routing is switched off: prompts wait until 'agenttower routing enable'"
    return well(name, None if facts.routing_enabled else off)


def log_attachment_workers(facts: Facts) -> SubsystemHealth:
    """Whether what agents print is read."""
    name = Subsystem.LOG_ATTACHMENT_WORKERS
    problems = [_standing(name, facts, said) for said in facts.readers]
    problem = next((one for one in problems if one is not None), None)
    if problem is not None:
        return problem
    documents = [said.document for said in facts.readers if said is not None]
    if not all(document["running"] for document in documents):
        return unwell(name, Health.UNAVAILABLE, "the reader of logs has ended", _SEE_WORKER)
    failing = sum(len(document["attachments_in_failure"]) for document in documents)
    if failing:
        reason = f"{failing} logs cannot be read"
        return unwell(name, Health.DEGRADED, reason, "see 'agenttower status' for which, and why")
    return well(name)


def _standing(name: Subsystem, facts: Facts, said: Said | None) -> SubsystemHealth | None:
    """What is wrong with a standing thread of the worker, as such."""
    if facts.worker is None:
        return unwell(name, Health.UNAVAILABLE, _NO_WORKER, _START_WORKER)
    if said is None or said.at < facts.worker.started_at:
        return unwell(name, Health.DEGRADED, "it is starting", "ask again in a moment")
    silent = facts.now - max(said.at, facts.worker.started_at)
    if silent > SILENT_AFTER:
        reason = f"nothing was heard of it for {silent // SECOND} s"
        return unwell(name, Health.DEGRADED, reason, "see the worker's log; restart it if it hangs")
    return None
