"""The engine against a real SQLite database and the real queue, with handlers of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agenttower.clock import SECOND, Micros
from agenttower.engine import presence
from agenttower.engine.doorbell import Doorbell
from agenttower.engine.engine import MAX_CLAIMS, Engine
from agenttower.engine.handler import Failure
from agenttower.errors import BenchTimeout, TmuxCommandFailed
from agenttower.store import ledger
from agenttower.store.database import Store, Transaction, open_sqlite
from agenttower.store.ledger import ClaimedStep, NewStep
from agenttower.store.migrate import migrate
from agenttower.store.models import Operation, QueueMessage, Step
from workers.queue import StepHuey

OWNER = "me"


@dataclass
class Clock:
    """Time that stands still until told."""

    now: Micros = 1_000 * SECOND

    def __call__(self) -> Micros:
        return self.now


@dataclass
class Recorder:
    """A handler that does what the test says and remembers what it was asked."""

    effect: Callable[[ClaimedStep], Any] = lambda step: None
    following: Callable[[ClaimedStep], Sequence[NewStep]] = lambda step: ()
    performed: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)

    def perform(self, step: ClaimedStep, deadline: float) -> Any:
        self.performed.append(step.subject_id)
        return self.effect(step)

    def succeeded(self, tx: Transaction, step: ClaimedStep, result: Any) -> Sequence[NewStep]:
        return self.following(step)

    def failed(self, tx: Transaction, step: ClaimedStep, failure: Failure) -> Sequence[NewStep]:
        self.failures.append(failure)
        return self.following(step)

    def overtaken(self, step: ClaimedStep, result: Any) -> None:
        self.undone.append(step.subject_id)


@dataclass
class Rig:
    store: Store
    engine: Engine
    queue: StepHuey
    clock: Clock
    first: Recorder
    second: Recorder

    def submit(self, subject: str, lane: str = "lane", *, in_line: bool = True) -> int:
        with self.store.transaction() as transaction:
            return self.engine.submit(
                transaction,
                "create",
                lane,
                in_line=in_line,
                subject_id=subject,
                requested_by="operator",
                steps=[NewStep("first", subject)],
            )

    def drain(self) -> int:
        """Run every due message, one at a time, as a worker would."""
        count = 0
        while True:
            data, _ = self.queue.storage._take()
            if data is None:
                return count
            self.queue.execute(self.queue.deserialize_task(data))
            count += 1

    def step(self, subject: str, stage: str = "first") -> Step:
        return Step.get(Step.subject_id == subject, Step.stage == stage)

    def state(self, operation_id: int) -> str:
        return str(Operation.get_by_id(operation_id).state)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    clock = Clock()
    doorbell = Doorbell(tmp_path / "bells")
    queue = StepHuey(store, clock, doorbell)
    engine = Engine(store, queue, clock)
    for stage in ("first", "second"):
        queue.add_stage(stage, lambda step_id: engine.run(step_id, OWNER))
    first, second = Recorder(), Recorder()
    engine.register({"first": first, "second": second})
    yield Rig(store, engine, queue, clock, first, second)
    doorbell.close()
    store.close_thread()


def test_a_chain_runs_to_its_end(rig: Rig) -> None:
    rig.first.following = lambda step: [NewStep("second", step.subject_id)]
    operation = rig.submit("a")
    assert rig.drain() == 2
    assert (rig.first.performed, rig.second.performed) == (["a"], ["a"])
    assert rig.state(operation) == "succeeded"
    assert rig.step("a").attempt == 1


def test_the_message_is_part_of_the_transaction(rig: Rig) -> None:
    def submit_and_fail() -> None:
        with rig.store.transaction() as transaction:
            rig.engine.submit(
                transaction,
                "create",
                "lane",
                in_line=True,
                subject_id="a",
                requested_by="operator",
                steps=[NewStep("first", "a")],
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        submit_and_fail()
    assert [table.select().count() for table in (Operation, Step, QueueMessage)] == [0, 0, 0]


def test_messages_are_json_with_nothing_but_the_id(rig: Rig) -> None:
    rig.submit("a")
    task_id, name, args, kwargs = json.loads(bytes(QueueMessage.get().data))
    assert (name, args, kwargs) == ("first", [rig.step("a").id], {})
    assert isinstance(task_id, str)


def test_a_doubled_message_runs_the_step_once(rig: Rig) -> None:
    rig.submit("a")
    step = rig.step("a")
    rig.queue.post(step.id, "first", 0)
    assert rig.drain() == 2
    assert rig.first.performed == ["a"]


def test_a_lost_message_is_rung_again_once(rig: Rig) -> None:
    rig.submit("a")
    QueueMessage.delete().execute()
    assert rig.engine.rescue() == 1
    assert rig.engine.rescue() == 0
    rig.drain()
    assert rig.first.performed == ["a"]


def test_operations_of_a_lane_run_in_order_and_lanes_side_by_side(rig: Rig) -> None:
    one, two = rig.submit("a"), rig.submit("b")
    other = rig.submit("c", lane="other")
    assert (rig.state(one), rig.state(two), rig.state(other)) == ("running", "waiting", "running")
    assert QueueMessage.select().count() == 2
    rig.engine.run(rig.step("b").id, OWNER)
    assert rig.first.performed == [], "a waiting operation's step must not be claimed"
    rig.drain()
    assert rig.first.performed.index("a") < rig.first.performed.index("b")
    assert rig.state(two) == "succeeded"


def test_an_operation_that_does_not_line_up_does_not_wait(rig: Rig) -> None:
    rig.submit("a")
    removal = rig.submit("b", in_line=False)
    assert rig.state(removal) == "running"


def test_a_failed_operation_lets_the_next_one_run(rig: Rig) -> None:
    def refuse(step: ClaimedStep) -> None:
        if step.subject_id == "a":
            raise TmuxCommandFailed("no space for new pane")

    rig.first.effect = refuse
    one, two = rig.submit("a"), rig.submit("b")
    rig.drain()
    assert (rig.state(one), rig.state(two)) == ("failed", "succeeded")
    assert rig.first.failures == [Failure("tmux_error", "no space for new pane")]


def test_transient_failures_are_retried_after_one_and_two_seconds(rig: Rig) -> None:
    def time_out(step: ClaimedStep) -> None:
        raise BenchTimeout("no answer")

    rig.first.effect = time_out
    operation = rig.submit("a")
    for delay in (1, 2):
        assert rig.drain() == 1
        step = rig.step("a")
        assert (step.status, step.not_before) == ("pending", rig.clock.now + delay * SECOND)
        assert rig.drain() == 0, "not before its time"
        rig.clock.now += delay * SECOND
    assert rig.drain() == 1
    assert (rig.step("a").status, rig.step("a").attempt) == ("failed", 3)
    assert rig.state(operation) == "failed"
    assert len(json.loads(rig.step("a").history)) == 2


def test_an_unexpected_error_fails_the_step_without_telling_its_text(rig: Rig) -> None:
    def explode(step: ClaimedStep) -> None:
        raise ValueError("secret text")

    rig.first.effect = explode
    rig.submit("a")
    rig.drain()
    assert rig.step("a").error_class == "internal"
    assert "secret" not in rig.step("a").error_text


def test_an_error_while_settling_fails_the_step(rig: Rig) -> None:
    def explode(step: ClaimedStep) -> Sequence[NewStep]:
        if not rig.first.failures:
            raise ValueError("cannot write that")
        return ()

    rig.first.following = explode
    operation = rig.submit("a")
    rig.drain()
    assert (rig.step("a").status, rig.state(operation)) == ("failed", "failed")


def test_a_dead_owners_step_is_released_at_once(rig: Rig) -> None:
    gone = presence.Process(pid=2**22 - 1, start=1, boot_id=presence.boot_id())
    presence.announce(rig.store, "gone", gone, rig.clock.now)
    rig.submit("a")
    with rig.store.transaction():
        claimed = ledger.claim(
            rig.store, rig.step("a").id, owner="gone", lease_us=45 * SECOND, now=rig.clock.now
        )
    assert claimed is not None
    QueueMessage.delete().execute()
    assert rig.engine.rescue() == 1
    rig.drain()
    step = rig.step("a")
    assert (step.status, step.attempt, step.failures) == ("done", 2, 0)
    assert "owner_dead" in step.history


def test_a_living_owners_step_is_released_only_when_its_lease_has_run_out(rig: Rig) -> None:
    presence.announce(rig.store, OWNER, presence.this_process(), rig.clock.now)
    rig.submit("a")
    with rig.store.transaction():
        ledger.claim(
            rig.store, rig.step("a").id, owner=OWNER, lease_us=45 * SECOND, now=rig.clock.now
        )
    rig.clock.now += 44 * SECOND
    assert rig.engine.rescue() == 0
    rig.clock.now += SECOND
    assert rig.engine.rescue() == 1
    assert "lease_expired" in rig.step("a").history


def test_an_overtaken_settle_changes_nothing_and_undoes_its_effect(rig: Rig) -> None:
    presence.announce(rig.store, OWNER, presence.this_process(), rig.clock.now)

    def outlive_the_lease(step: ClaimedStep) -> None:
        if len(rig.first.performed) == 1:
            rig.clock.now += 60 * SECOND
            rig.engine.rescue()
            rig.engine.run(step.step_id, OWNER)

    rig.first.effect = outlive_the_lease
    rig.first.following = lambda step: [NewStep("second", step.subject_id)]
    operation = rig.submit("a")
    rig.drain()
    assert rig.first.performed == ["a", "a"]
    assert rig.first.undone == ["a"]
    assert rig.second.performed == ["a"]
    assert rig.state(operation) == "succeeded"


def test_a_step_that_kills_its_workers_is_given_up(rig: Rig) -> None:
    rig.submit("a")
    Step.update(attempt=MAX_CLAIMS).execute()
    rig.drain()
    assert rig.first.performed == []
    assert rig.step("a").error_class == "too_many_claims"


def test_abandoning_a_subject_closes_its_operation(rig: Rig) -> None:
    one, two = rig.submit("a"), rig.submit("b")
    with rig.store.transaction() as transaction:
        rig.engine.abandon(transaction, "a", ("marker_swept", "too old"))
    assert rig.state(one) == "failed"
    rig.drain()
    assert rig.first.performed == ["b"]
    assert rig.state(two) == "succeeded"


def test_a_clock_set_back_holds_up_nothing(rig: Rig) -> None:
    def time_out(step: ClaimedStep) -> None:
        if len(rig.first.performed) == 1:
            raise BenchTimeout("no answer")

    rig.first.effect = time_out
    operation = rig.submit("a")
    rig.drain()
    rig.clock.now -= 3600 * SECOND
    assert rig.drain() == 1, "the retry was written for an hour from now"
    assert rig.state(operation) == "succeeded"


def test_a_lease_from_before_the_clock_was_set_back_ends(rig: Rig) -> None:
    presence.announce(rig.store, OWNER, presence.this_process(), rig.clock.now)
    rig.submit("a")
    with rig.store.transaction():
        ledger.claim(
            rig.store, rig.step("a").id, owner=OWNER, lease_us=45 * SECOND, now=rig.clock.now
        )
    rig.clock.now -= 3600 * SECOND
    assert rig.engine.rescue() == 1
    assert "clock_stepped_back" in rig.step("a").history
