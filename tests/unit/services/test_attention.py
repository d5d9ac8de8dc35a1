"""What is written of panes that wait: once each, and nothing of those that do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agenttower.bench.interface import Screen
from agenttower.domain.attention import Attention, AttentionKind
from agenttower.errors import BenchTimeout
from agenttower.services.attention import AttentionService, Subject, attention_status
from agenttower.store import attention, log_attaching
from agenttower.store.database import Store, open_sqlite
from agenttower.store.log_attaching import NewAttachment
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Event, LogAttachment, LogOffset
from tests.support.screens import screen

CONTAINER = "ab" * 32
AGENT = "agt_0123456789ab"
LOG = "/logs/a.log"
SUBJECT = Subject(AGENT, CONTAINER, None)
TRUST = Attention(AttentionKind.TRUST_DIALOG, "screen.trust.v1", "Do you trust?", True)
ERROR = Attention(AttentionKind.ERROR, "screen.agent_error.v1", "API error · try 1", False)


class World:
    """A service on a database of its own, with one adopted agent whose screen a test sets."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 0
        self.woken = 0
        self.screen: Screen | Exception | None = screen("")
        self.drawn: list[Screen | None] = []
        """What is seen in the middle of a redraw, before ``screen``."""
        benches = SimpleNamespace(get=lambda _: SimpleNamespace(screen=self._screen))
        self.service = AttentionService(
            store, cast(Any, benches), self._clock, self._wake, pause=lambda _: None
        )

    def _clock(self) -> int:
        self.now += 1
        return self.now

    def _wake(self) -> None:
        self.woken += 1

    def _screen(self, target: object, deadline: float) -> Screen | None:
        if isinstance(self.screen, Exception):
            raise self.screen
        return self.drawn.pop(0) if self.drawn else self.screen

    def record(self, found: Attention | None) -> bool:
        with self.store.transaction():
            return self.service.record(SUBJECT, found)

    def attach_log(self) -> None:
        log_attaching.attach(NewAttachment(AGENT, LOG, None, "pipe", "explicit", None), 1)

    def events(self) -> list[dict[str, Any]]:
        query = Event.select().where(Event.kind == "agent").order_by(Event.id)
        return [json.loads(row.payload) for row in query]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    Agent.insert(
        agent_id=AGENT, container_id=CONTAINER, tmux_socket_path="/s", tmux_session_name="w",
        tmux_window_index=0, tmux_pane_index=0, tmux_pane_id="%1", pane_pid=7, role="slave",
        capability="codex", label="a", project_path="", origin="adopted", created_at=1,
        last_registered_at=1, active=True,
    ).execute()  # fmt: skip
    yield World(store)
    store.close_thread()


def test_an_appearance_is_told_once(world: World) -> None:
    world.attach_log()
    assert world.record(TRUST)
    assert not world.record(TRUST)
    row = attention.of(AGENT)
    assert row is not None
    assert (row.kind, row.text, row.since) == ("trust_dialog", "Do you trust?", 1)
    assert [event["classifier_rule_id"] for event in world.events()] == ["screen.trust.v1"]
    assert world.record(None)
    assert not world.record(None)
    assert attention.of(AGENT) is None
    assert world.record(TRUST)
    assert len(world.events()) == 2


def test_it_is_told_where_the_log_has_been_read_to(world: World) -> None:
    world.attach_log()
    LogOffset.update(byte_offset=90, line_offset=3).execute()
    world.record(TRUST)
    event = Event.get(Event.kind == "agent")
    assert (event.kind, event.event_type) == ("agent", "waiting_for_input")
    assert (event.agent_id, event.container_id, event.byte_start) == (AGENT, CONTAINER, 90)
    told = world.events()[0]
    assert told["attachment_id"] == LogAttachment.get().attachment_id
    assert (told["byte_range_end"], told["line_offset_start"]) == (90, 3)
    assert (told["line_offset_end"], told["excerpt"]) == (3, "Do you trust?")


def test_without_a_log_it_is_told_later(world: World) -> None:
    assert world.record(TRUST)
    assert world.events() == []
    assert attention.untold() == set()
    world.attach_log()
    assert attention.untold() == {AGENT}
    assert world.record(TRUST)
    assert len(world.events()) == 1
    assert attention.untold() == set()
    row = attention.of(AGENT)
    assert row is not None
    assert row.since == 1


def test_another_question_is_another_appearance_and_another_second_is_not(world: World) -> None:
    world.attach_log()
    for text in ("Run a?", "Run b?"):
        world.record(Attention(AttentionKind.PERMISSION, "screen.x.v1", text, True))
    assert [event["excerpt"] for event in world.events()] == ["Run a?", "Run b?"]
    assert world.record(ERROR)
    later = Attention(ERROR.kind, ERROR.rule_id, "API error · try 2", False)
    assert not world.record(later)
    assert len(world.events()) == 2


def test_a_dialog_that_is_cut_by_a_smaller_pane_is_the_same(world: World) -> None:
    world.attach_log()
    world.record(TRUST)
    assert not world.record(Attention(TRUST.kind, TRUST.rule_id, "this folder?", True))
    assert len(world.events()) == 1


def test_looking_writes_what_is_seen_and_wakes_readers(world: World) -> None:
    pane = attention.watched()[AGENT]
    assert (pane.pane_id, pane.pane_pid, pane.log_path, pane.layout_id) == ("%1", 7, None, None)
    assert not world.service.look(pane, 0)
    assert world.woken == 0
    world.screen = screen("Overwrite? [y/N] ")
    assert world.service.look(pane, 0)
    assert world.woken == 1
    listed = attention_status()
    assert listed["count"] == 1
    assert listed["panes"][0]["label"] == "a"
    world.screen = BenchTimeout("the bench does not answer")
    with pytest.raises(BenchTimeout):
        world.service.look(pane, 0)
    assert attention.of(AGENT) is not None
    world.screen = None
    assert world.service.look(pane, 0)
    assert attention.of(AGENT) is None


def test_a_screen_in_the_middle_of_a_redraw_is_no_answer(world: World) -> None:
    world.attach_log()
    pane = attention.watched()[AGENT]
    world.screen = screen("Overwrite the file? [y/N] ")
    world.service.look(pane, 0)
    for half in (screen("Overw"), screen("Overwrite the [y/N] ")):
        world.drawn = [half]
        assert not world.service.look(pane, 0)
    assert len(world.events()) == 1


def test_panes_that_are_gone_are_forgotten(world: World) -> None:
    world.record(TRUST)
    assert world.service.forget_others({AGENT}) == 0
    pane = attention.watched()[AGENT]
    Agent.update(active=False).execute()
    assert attention_status()["count"] == 0
    world.screen = screen("Overwrite? [y/N] ")
    assert not world.service.look(pane, 0)
    assert world.service.forget_others(attention.watched()) == 1
    assert attention.of(AGENT) is None
