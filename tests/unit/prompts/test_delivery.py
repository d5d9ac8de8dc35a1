"""Delivery on real rows and a bench that does what the test says: nothing is pasted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agenttower.bench.interface import Screen
from agenttower.domain.prompts import HOST_OPERATOR, Form
from agenttower.errors import (
    BenchError,
    BenchTimeout,
    ContainerInactive,
    DockerUnavailable,
    TmuxCommandFailed,
)
from agenttower.services import delivery as module
from agenttower.services import typist
from agenttower.services.caller import HOST
from agenttower.services.delivery import Delivery
from agenttower.store import prompts
from agenttower.store.database import DatabaseBusy
from agenttower.store.models import Agent, Container, Pane, Prompt
from agenttower.store.prompts import PromptRecord
from tests.support.prompt_rows import BENCH, Rows, prompt_rows


@dataclass
class FakePane:
    """A program that shows what it is given until Enter, and what happens instead."""

    typed: str = ""
    pasted: list[bytes] = field(default_factory=list)
    entered: int = 0
    kind: str = "ready"
    dead: bool = False
    gone: bool = False
    echoes: bool = True
    swallows: int = 0
    """So many Enters are lost."""
    looks: Callable[[int], None] = lambda _: None
    on_paste: Callable[[], bool] = lambda: True
    on_enter: Callable[[], bool] = lambda: True
    seen: int = 0

    def screen(self, *_: object) -> Screen | None:
        self.seen += 1
        self.looks(self.seen)
        if self.gone:
            return None
        shown = self.typed if self.echoes else ""
        return Screen(
            lines=[f"> {shown}"], cursor_x=2 + len(shown), cursor_y=0, command="agent",
            dead=self.dead, in_mode=False, input_off=False, alternate=False,
        )  # fmt: skip

    def paste(self, _: object, text: bytes, __: float) -> bool:
        if not self.on_paste():
            return False
        self.pasted.append(text)
        self.typed += text.decode().replace("\n", " ")
        return True

    def submit(self, *_: object) -> bool:
        if not self.on_enter():
            return False
        self.entered += 1
        if self.entered > self.swallows:
            self.typed = ""
        return True

    def draws_an_input(self, capability: str) -> bool:
        return capability == "claude"

    def input_state(self, screen: Screen, _capability: str) -> Any:
        text = screen.lines[0][2:]
        kind = self.kind if self.kind != "ready" or not text else "half_typed"
        return SimpleNamespace(kind=kind, text=text)


@dataclass
class Desk:
    rows: Rows
    pane: FakePane
    delivery: Delivery

    def delivered(self, record: PromptRecord) -> PromptRecord:
        """The prompt after one turn of its agent."""
        self.delivery.deliver_next(record.target_agent_id)
        found = prompts.find(record.message_id)
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLIMPSE_S", "PROVEN_S", "READY_S", "BUSY_S", "SETTLE_S", "QUIET_S", "PROOF_S"):
        monkeypatch.setattr(typist, name, 0.05)
    monkeypatch.setattr(typist, "LONGEST_PAUSE_S", 0.005)
    monkeypatch.setattr(module, "LOCK_PAUSES_S", (0.001, 0.001, 0.001))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with prompt_rows(tmp_path) as rows:
        pane = FakePane()
        benches = cast(Any, SimpleNamespace(get=lambda _: pane))
        yield Desk(
            rows,
            pane,
            Delivery(rows.store, benches, rows.changes, rows.switch, pane, "me"),
        )


def test_it_is_pasted_once_entered_once_and_seen(desk: Desk) -> None:
    master, slave = desk.rows.agent("master", "m"), desk.rows.agent("slave", "s")
    sent = desk.rows.send(master, slave, b"hello\nworld")
    done = desk.delivered(sent)
    assert (done.state, done.submission, done.lease_owner) == ("delivered", "submitted", "me")
    [text] = desk.pane.pasted
    assert text.startswith(f"Message-Id: {sent.message_id}\nFrom: {master} ".encode())
    assert text.endswith(b"\n\nhello\nworld")
    assert len(text) == sent.envelope_size_bytes
    assert desk.pane.entered == 1
    assert desk.rows.told() == ["queue_message_enqueued", "queue_message_delivered"]
    assert desk.delivery.deliver_next(slave) is False


def test_plain_text_is_pasted_as_it_was_written(desk: Desk) -> None:
    slave = desk.rows.agent()
    desk.delivered(desk.rows.send(HOST_OPERATOR, slave, b"just this", form=Form.PLAIN))
    assert desk.pane.pasted == [b"just this"]


def test_first_come_first_served_and_blocked_ones_hold_up_nobody(desk: Desk) -> None:
    slave = desk.rows.agent()
    sent = [desk.rows.send(HOST_OPERATOR, slave, b"%d" % n, form=Form.PLAIN) for n in range(4)]
    desk.rows.queue.delay(sent[1].message_id, HOST_OPERATOR)
    while desk.delivery.deliver_next(slave):
        pass
    assert desk.pane.pasted == [b"0", b"2", b"3"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda: Agent.update(active=False), "target_not_active"),
        (lambda: Agent.update(role="shell"), "target_role_not_permitted"),
        (lambda: Container.update(active=False), "target_container_inactive"),
        (lambda: Pane.update(active=False), "target_pane_missing"),
        (lambda: Pane.update(tmux_server="9 9"), "target_pane_missing"),
        (lambda: Agent.update(tmux_pane_id="%99"), "target_pane_missing"),
    ],
)
def test_what_has_changed_since_blocks_it_before_tmux_is_asked(
    desk: Desk, spoil: Callable[[], Any], reason: str
) -> None:
    sent = desk.rows.send(HOST_OPERATOR, desk.rows.agent())
    spoil().execute()
    blocked = desk.delivered(sent)
    assert (blocked.state, blocked.block_reason) == ("blocked", reason)
    assert blocked.delivery_attempt_started_at is None
    assert desk.pane.seen == 0
    assert desk.rows.told()[-1] == "queue_message_blocked"


def test_a_sender_who_lost_his_role_meanwhile_stops_nothing(desk: Desk) -> None:
    master = desk.rows.agent("master")
    sent = desk.rows.send(master, desk.rows.agent())
    Agent.update(role="unknown", active=False).where(Agent.agent_id == master).execute()
    assert desk.delivered(sent).state == "delivered"


def test_while_the_switch_is_off_nothing_is_picked(desk: Desk) -> None:
    slave = desk.rows.agent()
    sent = desk.rows.send(HOST_OPERATOR, slave)
    assert desk.delivery.waiting() == [(slave, BENCH)]
    desk.rows.switch.toggle(HOST, "disabled")
    assert desk.delivery.waiting() == []
    assert desk.delivered(sent).state == "queued"
    desk.rows.switch.toggle(HOST, "enabled")
    assert desk.delivered(sent).state == "delivered"


def test_one_at_a_time_for_an_agent(desk: Desk) -> None:
    slave = desk.rows.agent()
    first = desk.rows.send(HOST_OPERATOR, slave)
    desk.rows.send(HOST_OPERATOR, slave)
    Prompt.update(delivery_attempt_started_at=1, lease_owner="other").where(
        Prompt.id == first.id
    ).execute()
    assert desk.delivery.deliver_next(slave) is False
    assert desk.pane.seen == 0


def test_what_another_worker_left_in_flight_is_failed_and_never_pasted(desk: Desk) -> None:
    slave = desk.rows.agent()
    orphan, waiting = (desk.rows.send(HOST_OPERATOR, slave, b"%d" % n) for n in range(2))
    Prompt.update(delivery_attempt_started_at=1, lease_owner="dead").where(
        Prompt.id == orphan.id
    ).execute()
    found = desk.delivery.interrupt_orphans()
    assert [prompt.message_id for prompt in found] == [orphan.message_id]
    after = prompts.find(orphan.message_id)
    assert after is not None
    assert (after.state, after.failure_reason) == ("failed", "attempt_interrupted")
    assert desk.delivered(waiting).state == "delivered"
    assert len(desk.pane.pasted) == 1
    assert desk.delivery.interrupt_orphans() == []


# --- the pane ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dialog", "shell"])
def test_a_pane_that_is_not_ready_gets_nothing(desk: Desk, kind: str) -> None:
    desk.pane.kind = kind
    failed = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (failed.state, failed.failure_reason) == ("failed", "pane_not_ready")
    assert kind in (failed.failure_detail or "")
    assert desk.pane.pasted == []


def test_a_half_typed_line_is_shown_and_left_alone(desk: Desk) -> None:
    desk.pane.typed = "rm -rf token=sk-aaaaaaaaaaaaaaaaaaaaaaaa"
    failed = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert failed.failure_reason == "pane_not_ready"
    assert "rm -rf token=<redacted" in (failed.failure_detail or "")
    assert desk.pane.pasted == []


def test_a_dialog_that_goes_away_in_time_holds_up_nothing(desk: Desk) -> None:
    desk.pane.kind = "dialog"

    def answer(look: int) -> None:
        if look == 2:
            desk.pane.kind = "ready"

    desk.pane.looks = answer
    assert desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent())).state == "delivered"


def test_an_agent_that_is_still_starting_is_waited_for(desk: Desk) -> None:
    desk.pane.kind = "unknown"

    def start(look: int) -> None:
        if look == 3:
            desk.pane.kind = "ready"

    desk.pane.looks = start
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (done.submission, desk.pane.kind) == ("submitted", "ready")


def test_a_program_that_nobody_knows_gets_it(desk: Desk) -> None:
    desk.pane.kind = "unknown"
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent(capability="odd")))
    assert (done.state, done.submission) == ("delivered", "submitted")


def test_who_is_busy_gets_it_all_the_same(desk: Desk) -> None:
    desk.pane.kind = "busy"
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (done.state, done.submission) == ("delivered", "submitted")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"dead": True}, "pane_not_ready"), ({"gone": True}, "pane_disappeared_mid_attempt")],
)
def test_a_pane_that_ended(desk: Desk, change: dict[str, bool], reason: str) -> None:
    for name, value in change.items():
        setattr(desk.pane, name, value)
    failed = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert failed.failure_reason == reason
    assert desk.pane.pasted == []


def test_an_enter_is_pressed_again_only_while_the_text_is_seen(desk: Desk) -> None:
    desk.pane.swallows = 2
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (done.submission, desk.pane.entered) == ("submitted", 3)
    assert len(desk.pane.pasted) == 1


def test_a_text_that_stays_is_told(desk: Desk) -> None:
    desk.pane.swallows = 99
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (done.state, done.submission, desk.pane.entered) == ("delivered", "unverified", 3)
    assert "still stands" in (done.submission_reason or "")


def test_a_program_that_shows_nothing_is_entered_once_and_unverified(desk: Desk) -> None:
    desk.pane.echoes = False
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (done.submission, desk.pane.entered) == ("unverified", 1)
    assert "did not show" in (done.submission_reason or "")


# --- errors --------------------------------------------------------------------------------------


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("where", "error", "reason", "said"),
    [
        ("looks", DockerUnavailable("down"), "docker_exec_failed", "nothing was pasted"),
        ("looks", ContainerInactive("stopped"), "docker_exec_failed", "nothing was pasted"),
        ("looks", BenchTimeout("slow"), "tmux_paste_failed", "nothing was pasted"),
        ("on_paste", TmuxCommandFailed("can't find pane: %1"), "pane_disappeared_mid_attempt", ""),
        ("on_paste", TmuxCommandFailed("odd"), "tmux_paste_failed", "nothing was pasted"),
        ("on_paste", BenchTimeout("slow"), "tmux_paste_failed", "may stand in the pane"),
        ("on_paste", DockerUnavailable("down"), "docker_exec_failed", ""),
        ("on_paste", RuntimeError("bug"), "tmux_paste_failed", "may stand in the pane"),
        ("on_enter", BenchTimeout("slow"), "tmux_send_keys_failed", "left in the pane's input"),
        ("on_enter", DockerUnavailable("down"), "docker_exec_failed", "left in the pane's input"),
    ],
)
def test_whatever_happens_there_is_an_outcome(
    desk: Desk, where: str, error: Exception, reason: str, said: str
) -> None:
    setattr(desk.pane, where, raising(error))
    failed = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (failed.state, failed.failure_reason) == ("failed", reason)
    assert said in (failed.failure_detail or "")
    assert len(desk.pane.pasted) == (1 if where == "on_enter" else 0)


@pytest.mark.parametrize("where", ["on_paste", "on_enter"])
def test_a_pane_that_refuses_is_gone(desk: Desk, where: str) -> None:
    setattr(desk.pane, where, lambda: False)
    failed = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert failed.failure_reason == "pane_disappeared_mid_attempt"


def test_a_bench_that_stumbles_is_asked_again_before_the_paste(desk: Desk) -> None:
    def stumble(look: int) -> None:
        if look == 1:
            raise BenchTimeout("slow")

    desk.pane.looks = stumble
    assert desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent())).state == "delivered"


def test_a_bench_that_is_lost_after_the_enter_leaves_it_unverified(desk: Desk) -> None:
    def lost(_look: int) -> None:
        if desk.pane.entered:
            raise BenchTimeout("slow")

    desk.pane.looks = lost
    done = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert (done.state, done.submission) == ("delivered", "unverified")


def test_a_bench_that_cannot_be_opened(desk: Desk) -> None:
    class Closed:
        def get(self, _: str) -> None:
            raise BenchError("no such bench")

    desk.delivery._benches = cast(Any, Closed())
    failed = desk.delivered(desk.rows.send(HOST_OPERATOR, desk.rows.agent()))
    assert failed.failure_reason == "docker_exec_failed"


def test_a_lock_before_the_stamp_leaves_the_prompt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = desk.rows.send(HOST_OPERATOR, desk.rows.agent())
    with monkeypatch.context() as patch:
        patch.setattr(desk.rows.store, "transaction", raising(DatabaseBusy()))
        assert desk.delivery.deliver_next(sent.target_agent_id) is False
    assert desk.delivered(sent).state == "delivered"
    assert len(desk.pane.pasted) == 1


def test_a_lock_after_the_paste_is_told_later_and_nothing_is_pasted_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slave = desk.rows.agent()
    sent, behind = (desk.rows.send(HOST_OPERATOR, slave) for _ in range(2))
    with monkeypatch.context() as patch:

        def lock() -> bool:
            patch.setattr(desk.rows.store, "transaction", raising(DatabaseBusy()))
            return True

        desk.pane.on_paste = lock
        assert desk.delivery.deliver_next(slave) is True
    in_flight = prompts.find(sent.message_id)
    assert in_flight is not None
    assert in_flight.in_flight
    desk.pane.on_paste = lambda: True
    assert desk.delivery.deliver_next(slave) is False, "nothing goes to that agent meanwhile"
    desk.delivery.settle_late()
    settled = prompts.find(sent.message_id)
    assert settled is not None
    assert (settled.state, settled.failure_reason) == ("failed", "sqlite_lock_conflict")
    assert "was delivered" in (settled.failure_detail or "")
    assert desk.delivered(behind).state == "delivered"
    assert len(desk.pane.pasted) == 2


def test_a_worker_that_stops_claims_nothing(desk: Desk) -> None:
    sent = desk.rows.send(HOST_OPERATOR, desk.rows.agent())
    desk.delivery.stop()
    assert desk.delivered(sent).state == "queued"
