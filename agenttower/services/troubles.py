"""What is not as it should be: one list, each entry with since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agenttower.clock import SECOND, Micros, to_rfc3339_or_none
from agenttower.domain.prompts import BlockReason
from agenttower.store.overview import Backlog, BenchCount, QueueDepth, Scan

RELAY_LATE: Micros = 10 * SECOND
"""An event that is not in ``events.jsonl`` for so long says that the relay does not get on."""
PROMPT_LATE: Micros = 60 * SECOND
"""A prompt that nothing blocks and that is not delivered for so long is worth a look."""

_START = "start one with 'agenttower worker' (or both with 'agenttower up')"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not as it should be."""

    subsystem: str
    reason: str
    advice: str
    since: Micros | None = None
    subject: str | None = None
    """Which one, where there are several."""

    @property
    def view(self) -> dict[str, Any]:
        """As ``status`` shows it."""
        return {
            "subsystem": self.subsystem,
            "subject": self.subject,
            "since": to_rfc3339_or_none(self.since),
            "reason": self.reason,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class Facts:
    """What the list is made from, read at one moment."""

    now: Micros
    worker_alive: bool
    worker_heard_at: Micros | None
    container_scan: Scan | None
    pane_scan: Scan | None
    benches: list[BenchCount]
    backlog: Backlog
    queue: QueueDepth
    routing_enabled: bool
    switched_at: Micros
    switched_by: str
    routing_trouble: str | None
    routing_degraded_since: Micros | None
    braked: dict[str, Micros] = field(default_factory=dict)
    """Routes that the brake holds, and until when."""
    unread_logs: list[dict[str, Any]] = field(default_factory=list)
    """``attachments_in_failure``."""
    unwritten_logs: int = 0
    """How many logs have events that the database did not take."""
    file_problems: list[str] = field(default_factory=list)


def relay_is_late(facts_now: Micros, oldest_at: Micros | None) -> bool:
    """Whether events wait for ``events.jsonl`` longer than they ever should."""
    return oldest_at is not None and facts_now - oldest_at > RELAY_LATE


def troubles(facts: Facts) -> list[Trouble]:
    """Everything, the causes before what follows from them."""
    return [
        *_processes(facts),
        *_discovery(facts),
        *_logs(facts),
        *_prompts(facts),
        *_files(facts),
    ]


def _processes(facts: Facts) -> Iterator[Trouble]:
    if not facts.worker_alive:
        yield Trouble(
            "worker",
            "no worker process is alive: nothing is created, read, routed or delivered",
            f"{_START}, or restart one that hangs",
            facts.worker_heard_at,
        )


def _discovery(facts: Facts) -> Iterator[Trouble]:
    scans = (
        ("container_discovery", facts.container_scan, "agenttower scan"),
        ("pane_discovery", facts.pane_scan, "agenttower scan --panes"),
    )
    for subsystem, scan, command in scans:
        if scan is not None and scan.status != "ok":
            yield Trouble(
                subsystem,
                f"the last scan ended {scan.status}: {scan.error or 'see its details'}",
                f"mend the cause, then run '{command}' again",
                scan.completed_at,
            )
    for bench in facts.benches:
        if not bench.active:
            yield Trouble(
                "bench",
                f"the container is {bench.status} and has {bench.layouts} layouts of ours",
                "start the container again, or remove the layouts",
                subject=bench.name,
            )


def _logs(facts: Facts) -> Iterator[Trouble]:
    for log in facts.unread_logs:
        yield Trouble(
            "events_reader",
            f"the log of agent {log['agent_id']} cannot be read ({log['error_class']}), "
            f"since {log['since']}",
            "see docs/troubleshooting.md; it goes on by itself when the log can be read again",
            subject=log["attachment_id"],
        )
    if facts.unwritten_logs:
        yield Trouble(
            "events_persistence",
            f"events of {facts.unwritten_logs} logs wait for the database",
            "free space, or see who locks it; nothing is lost, the logs are read again",
        )
    if relay_is_late(facts.now, facts.backlog.oldest_at):
        yield Trouble(
            "events_file",
            f"{facts.backlog.pending} events are not in events.jsonl yet",
            "see the worker's log: is the disk full, or the file not ours? "
            "They are in the database, and follow by themselves",
            facts.backlog.oldest_at,
        )


def _prompts(facts: Facts) -> Iterator[Trouble]:
    if not facts.routing_enabled:
        held = facts.queue.blocked.get(BlockReason.KILL_SWITCH_OFF, 0) + facts.queue.queued
        yield Trouble(
            "routing",
            f"the kill switch was set by {facts.switched_by}; {held} prompts wait",
            "run 'agenttower routing enable', and approve what was blocked",
            facts.switched_at,
        )
    elif (
        facts.queue.oldest_queued_at is not None
        and facts.now - facts.queue.oldest_queued_at > PROMPT_LATE
    ):
        yield Trouble(
            "queue",
            f"{facts.queue.queued} prompts wait for their delivery",
            "see 'agenttower queue list --state queued' for whom, and what that pane shows",
            facts.queue.oldest_queued_at,
        )
    if facts.routing_degraded_since is not None:
        yield Trouble(
            "routing",
            f"events wait to be decided: {facts.routing_trouble}",
            "see the worker's log; routing tries again by itself and skips nothing",
            facts.routing_degraded_since,
        )
    for route_id, until in sorted(facts.braked.items()):
        yield Trouble(
            "route",
            f"it makes prompts faster than it may and rests until {to_rfc3339_or_none(until)}; "
            "do its prompts bring forth the events that it heeds?",
            f"run 'agenttower route disable {route_id}' to stop it; what waits is kept",
            subject=route_id,
        )


def _files(facts: Facts) -> Iterator[Trouble]:
    for problem in facts.file_problems:
        yield Trouble("definitions", problem, "mend the file; it is read again at once")
