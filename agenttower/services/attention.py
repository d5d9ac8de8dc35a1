"""Panes that wait for a person: looking at them, writing it down, telling of it.

Row and event commit together, and the row says whether its event is written. So each appearance is
told once, whenever a process dies; and one that came before its agent was registered is told after.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from agenttower.bench.interface import Bench, Deadline, PaneTarget
from agenttower.bench.registry import Benches
from agenttower.clock import Clock, Micros, to_rfc3339
from agenttower.crashpoints import crash_point
from agenttower.domain.attention import Attention, AttentionKind, attention
from agenttower.errors import BenchError
from agenttower.store import attention as rows
from agenttower.store import layouts
from agenttower.store.attention import AttentionRecord, Watched
from agenttower.store.database import Store

log = logging.getLogger(__name__)

EVENT_SCHEMA = 1
ASKED_REPEATEDLY = frozenset(
    {
        AttentionKind.PERMISSION,
        AttentionKind.QUESTION,
        AttentionKind.CONFIRM,
        AttentionKind.PASSWORD,
    }
)
SECOND_LOOK_S = 0.2
"""Before a pane that waited is taken to wait no more: a screen may be in the middle of a redraw."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose pane it is, for what is written about it."""

    agent_id: str
    container_id: str
    layout_id: str | None


class AttentionService:
    """Looks at panes and keeps the rows of ``attention`` true. Safe for several threads."""

    def __init__(
        self,
        store: Store,
        benches: Benches,
        clock: Clock,
        wake_readers: Callable[[], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._store = store
        self._benches = benches
        self._clock = clock
        self._wake_readers = wake_readers

    def look(self, pane: Watched, deadline: Deadline) -> bool:
        """Look at one pane and write what it waits for; whether anything has changed.

        :raises BenchError: it cannot be seen now, and what is written stands.
        """
        target = PaneTarget(pane.socket_path, pane.pane_id, pane.pane_pid, pane.token)
        bench = self._benches.get(pane.container_id)
        found = see(bench, target, deadline)
        before = rows.of(pane.agent_id)
        if found is None and before is None:
            return False  # the usual case takes no write lock
        if before is not None and (found is None or not _is_the_same(before, found)):
            self._pause(SECOND_LOOK_S)
            found = see(bench, target, deadline)
        with self._store.transaction() as transaction:
            if pane.agent_id not in rows.watched():
                return False  # its program has ended since, or it is being removed
            subject = Subject(pane.agent_id, pane.container_id, pane.layout_id)
            changed = self.record(subject, found)
            if changed:
                transaction.afterwards("readers", self._wake_readers)
                crash_point("attention.settling")
        return changed

    def record(self, subject: Subject, found: Attention | None) -> bool:
        """Write what was seen, in the caller's transaction; whether readers see a change."""
        now = self._clock()
        before = rows.of(subject.agent_id)
        if found is None:
            return before is not None and self._clear(subject, now)
        if before is not None and _is_the_same(before, found):
            after = before
        else:
            after = AttentionRecord(
                subject.agent_id, found.kind.value, found.rule_id, found.text, now, now, False
            )
        if not after.told:
            after = replace(after, told=self._tell(subject, after, found, now))
        if after == before:
            return False
        rows.write(replace(after, seen_at=now))
        self._raise_revision(subject, now)
        if before is None or before.rule_id != after.rule_id:
            log.info(
                "agent %s waits for a person: %s", subject.agent_id, after.rule_id,
                extra={"action": "attention"},
            )  # fmt: skip
        return True

    def forget_others(self, watched: Collection[str]) -> int:
        """Clear the rows of panes that are gone, or whose program has ended; returns how many."""
        gone = rows.all_agents() - set(watched)
        if not gone:
            return 0
        with self._store.transaction() as transaction:
            transaction.afterwards("readers", self._wake_readers)
            return sum(rows.clear(agent_id) for agent_id in gone - rows.watched().keys())

    def _clear(self, subject: Subject, now: Micros) -> bool:
        rows.clear(subject.agent_id)
        self._raise_revision(subject, now)
        return True

    def _tell(
        self, subject: Subject, after: AttentionRecord, found: Attention, now: Micros
    ) -> bool:
        """Write the event, once the agent has a log to place it in; whether that is done."""
        if not found.blocks:
            return True  # what has failed is told by the agent's own output
        place = rows.log_place(subject.agent_id)
        if place is None:
            return False
        payload = {
            "attachment_id": place.attachment_id,
            "log_path": place.log_path,
            "byte_range_end": place.byte_offset,
            "line_offset_start": place.line_offset,
            "line_offset_end": place.line_offset,
            "excerpt": after.text,
            "classifier_rule_id": after.rule_id,
            "debounce": {
                "window_id": None, "collapsed_count": 1, "window_started_at": None,
                "window_ended_at": None,
            },
            "schema_version": EVENT_SCHEMA,
        }  # fmt: skip
        text = json.dumps(payload, ensure_ascii=False)
        rows.append_event(subject.agent_id, subject.container_id, place, text, now)
        return True

    def _raise_revision(self, subject: Subject, now: Micros) -> None:
        """Let the watchers of the layout see it."""
        if subject.layout_id is not None:
            layouts.append_events(
                self._store, subject.layout_id, subject.container_id, "daemon", [], now
            )


def see(bench: Bench, target: PaneTarget, deadline: Deadline) -> Attention | None:
    """What a pane waits for; ``None`` also where it is gone.

    :raises BenchError: the bench cannot be asked.
    """
    screen = bench.screen(target, deadline)
    return None if screen is None else attention(screen)


def see_if_possible(bench: Bench, target: PaneTarget, deadline: Deadline) -> Attention | None:
    """As :func:`see`, and ``None`` where the bench cannot be asked: others will look again."""
    try:
        return see(bench, target, deadline)
    except BenchError as error:
        log.info("screen not seen: %s", error.message, extra={"action": "screen_not_seen"})
        return None


def attention_view(record: AttentionRecord | None) -> dict[str, Any] | None:
    """The ``attention`` of an agent or a pane (additive field of every list and detail)."""
    if record is None:
        return None
    return {
        "kind": record.kind,
        "text": record.text,
        "rule_id": record.rule_id,
        "since": to_rfc3339(record.since),
    }


def layout_attention(waiting: Collection[tuple[str, AttentionRecord]]) -> dict[str, Any] | None:
    """The ``attention`` of a layout: how many panes wait, and the one that has waited longest."""
    if not waiting:
        return None
    label, record = next(iter(waiting))
    view = attention_view(record)
    assert view is not None
    return {"count": len(waiting), "label": label, **view}


def attention_status() -> dict[str, Any]:
    """What ``status`` tells: how many panes wait, and each of them."""
    waiting = rows.waiting()
    return {
        "count": len(waiting),
        "panes": [
            {
                "agent_id": pane.agent_id,
                "container_id": pane.container_id,
                "label": pane.label,
                "origin": pane.origin,
                **(attention_view(pane.record) or {}),
            }
            for pane in waiting
        ],
    }


def _is_the_same(before: AttentionRecord, found: Attention) -> bool:
    """Whether this is what was seen before. Only of what is asked again and again are other words
    another question: an error may count seconds, and a dialog is cut where its pane gets smaller.
    """
    same_rule = before.rule_id == found.rule_id
    return same_rule and (found.kind not in ASKED_REPEATEDLY or before.text == found.text)
