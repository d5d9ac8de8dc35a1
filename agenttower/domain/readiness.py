"""Is the runtime healthy enough to render? (app surface, sections 7.1 and 10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.reason import reason_line


class Subsystem(StrEnum):
    """The closed set of subsystems, in the order in which they are shown."""

    DOCKER = "docker"
    TMUX_DISCOVERY = "tmux_discovery"
    SQLITE = "sqlite"
    JSONL = "jsonl"
    ROUTING_WORKER = "routing_worker"
    LOG_ATTACHMENT_WORKERS = "log_attachment_workers"


class Health(StrEnum):
    """How a subsystem is."""

    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


class Overall(StrEnum):
    """How all of them are together."""

    READY = "ready"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class SubsystemHealth:
    """One row. Made by :func:`well` and :func:`unwell`, which keep the rules of its texts."""

    name: Subsystem
    status: Health
    reason: str
    """One line of at most 512 characters; empty exactly where the status is ``ok``."""
    hint: str | None


def well(name: Subsystem, hint: str | None = None) -> SubsystemHealth:
    """A subsystem that does what it is for."""
    return SubsystemHealth(name, Health.OK, "", hint)


def unwell(
    name: Subsystem, status: Health, reason: str, hint: str | None = None
) -> SubsystemHealth:
    """A subsystem that does not.

    :param reason: what is the matter; cut to one line, absolute paths taken out.
    :param hint: what to do about it.
    """
    return SubsystemHealth(name, status, reason_line(reason) or "the cause is not known", hint)


def in_order(rows: Iterable[SubsystemHealth]) -> tuple[SubsystemHealth, ...]:
    """One row for each subsystem, in their order; one that was not looked at is unavailable."""
    found = {row.name: row for row in rows}
    return tuple(
        found.get(name) or unwell(name, Health.UNAVAILABLE, "it was not looked at")
        for name in Subsystem
    )


def overall(rows: Iterable[SubsystemHealth]) -> Overall:
    """All well is ready, all gone is unavailable, and anything else is degraded."""
    statuses = {row.status for row in rows}
    if statuses == {Health.OK}:
        return Overall.READY
    if statuses == {Health.UNAVAILABLE}:
        return Overall.UNAVAILABLE
    return Overall.DEGRADED
