"""Many lines of activity become one event (legacy surfaces part 2, section 1.7).

A window opens with the first line of activity and closes a fixed time later, however much comes
meanwhile. Its state is a value: the reader stores it with the offset, so that a crash neither loses
an open window nor counts a line twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from agenttower.domain.agent_events import ACTIVITY, AgentEvent, Window
from agenttower.domain.classifier import Rule
from agenttower.domain.records import Record


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch of records comes to."""

    events: list[AgentEvent]
    """To tell now, in the order of the file."""
    window: AgentEvent | None
    """The window that is open now, as the event that it is so far."""
    line_offset: int
    """The number of the line behind the batch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is collapsed at once: records seen in one moment, behind one another in one log."""

    attachment_id: str
    records: Sequence[Record]
    line_offset: int
    now: int
    """When they are seen, unix microseconds."""


def collapse(
    batch: Batch,
    window: AgentEvent | None,
    span: int,
    classify: Callable[[str], Rule],
    excerpt: Callable[[str], str],
) -> Outcome:
    """Classify a batch and debounce its activity.

    :param window: the window that was open before.
    :param span: how long a window stays open, in microseconds.
    :param excerpt: cuts a line to what an event shows of it.
    """
    told: list[AgentEvent] = []
    if batch.records and window is not None and is_over(window, batch.now, span):
        told.append(window)
        window = None
    line = batch.line_offset
    first = last = None
    count = 0
    for record in batch.records:
        rule = classify(record.text)
        if rule.event_type == ACTIVITY:
            # A batch is one moment, so all of its activity falls into one window.
            first = first or (record, line)
            last = (record, rule, line)
            count += 1
        else:
            told.append(_event(record, rule, line, batch.now, excerpt))
        # A piece of a line that was cut does not count as a line.
        line += record.whole
    if first is not None and last is not None:
        latest = _event(last[0], last[1], last[2], batch.now, excerpt)
        window = _joined(batch, window, replace(latest, byte_start=first[0].start), first[1], count)
    return Outcome(told, window, line)


def is_over(window: AgentEvent, now: int, span: int) -> bool:
    """Whether an open window has lasted; also where the clock was set back before its beginning."""
    assert window.window is not None
    return not window.window.started_at <= now < window.window.started_at + span


def _event(
    record: Record, rule: Rule, line: int, now: int, excerpt: Callable[[str], str]
) -> AgentEvent:
    return AgentEvent(
        event_type=rule.event_type,
        rule_id=rule.rule_id,
        excerpt=excerpt(record.text),
        byte_start=record.start,
        byte_end=record.end,
        line_start=line,
        line_end=line + 1,
        observed_at=now,
    )


def _joined(
    batch: Batch, window: AgentEvent | None, latest: AgentEvent, line_start: int, count: int
) -> AgentEvent:
    """The window with more in it: the latest line is shown, the ranges cover all."""
    if window is None or window.window is None:
        opened = Window(_window_id(batch.attachment_id, latest), batch.now, count)
        return replace(latest, line_start=line_start, window=opened)
    return replace(
        latest,
        byte_start=window.byte_start,
        line_start=window.line_start,
        window=replace(window.window, count=window.window.count + count),
    )


def _window_id(attachment_id: str, event: AgentEvent) -> str:
    """Twelve hex digits that a repeat of the same visit gives again."""
    name = f"{attachment_id}:{event.byte_start}:{event.observed_at}"
    return hashlib.blake2b(name.encode(), digest_size=6).hexdigest()


def pack_window(window: AgentEvent | None) -> str | None:
    """An open window as it is stored."""
    return None if window is None else json.dumps(asdict(window), ensure_ascii=False)


def unpack_window(stored: str | None) -> AgentEvent | None:
    """The inverse of :func:`pack_window`."""
    if stored is None:
        return None
    fields = json.loads(stored)
    return AgentEvent(**(fields | {"window": Window(**fields["window"])}))
