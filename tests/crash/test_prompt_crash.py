"""kill -9 at every point of a prompt's way: at most once, never without a state, in order.

The worker dies while it has a prompt in hand, and the front end while it writes one. What comes
after must be what the rows say: an interrupted attempt is told, and never repeated.
"""

from __future__ import annotations

import base64
import itertools
import json
import sqlite3
from contextlib import closing, suppress
from typing import Any

import pytest

from tests.support import module_tower
from tests.support.app_session import AppSession
from tests.support.docker import BenchFactory
from tests.support.mock_layout import MockLayout, mock_layout
from tests.support.tower import Tower
from tests.support.waiting import wait_until

ARMED = "AGENTTOWER_CRASH_AT"
INTERRUPTED = ("failed", "attempt_interrupted")
SENT = ("delivered", None)
SPOILED = ("failed", "pane_not_ready")
"""Somebody's text stands in the input; whose it is, the row before says."""

WORKER_POINTS = {
    # What becomes of the first prompt, what of the one behind it, and which the agent got.
    "prompt.claimed": (INTERRUPTED, SENT, (1,)),
    "prompt.pasted": (INTERRUPTED, SPOILED, ()),
    "prompt.entered": (INTERRUPTED, SENT, (0, 1)),
    "prompt.settling": (INTERRUPTED, SENT, (0, 1)),
    "prompt.settled": (SENT, SENT, (0, 1)),
}

_numbers = itertools.count()


state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)


@pytest.fixture(scope="module")
def mocks(
    tower: Tower, bench_factory: BenchFactory, tmp_path_factory: pytest.TempPathFactory
) -> MockLayout:
    agents = {"s1": ["--think", "0"]}
    made = mock_layout(tower, bench_factory, tmp_path_factory.mktemp("mocks"), agents)
    made.ready("s1")
    return made


def rows_of(tower: Tower, ids: list[str]) -> list[tuple[Any, ...]]:
    """As they stand in the database, whether or not anybody runs."""
    with closing(sqlite3.connect(tower.home.paths.database)) as database:
        marks = ", ".join("?" * len(ids))
        return database.execute(
            "SELECT state, failure_reason, delivery_attempt_started_at, submission FROM prompt"
            f" WHERE message_id IN ({marks}) ORDER BY id",
            ids,
        ).fetchall()


def told_of(tower: Tower, message_id: str) -> list[str]:
    """The audit lines of one prompt."""
    with closing(sqlite3.connect(tower.home.paths.database)) as database:
        lines = database.execute(
            "SELECT event_type FROM event WHERE kind = 'queue'"
            " AND json_extract(payload, '$.message_id') = ? ORDER BY id",
            (message_id,),
        )
        return [str(line[0]).removeprefix("queue_message_") for line in lines]


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_a_worker_that_dies_delivers_at_most_once(
    tower: Tower, mocks: MockLayout, point: str
) -> None:
    first, second, arrived = WORKER_POINTS[point]
    texts = [f"{point} {next(_numbers)}".encode() for _ in range(2)]
    before = len(mocks.prompts("s1"))
    tower.stop("worker")
    tower.start("worker", environ={ARMED: point})
    ids = [mocks.send("s1", text, wait=False)["message_id"] for text in texts]
    tower.wait_killed("worker")
    state, _, attempt, _ = rows_of(tower, ids)[0]
    assert (state == "delivered") or attempt is not None, "the attempt is stamped before it begins"
    tower.start("worker")

    def over() -> bool:
        return all(row[0] not in ("queued", "blocked") for row in rows_of(tower, ids))

    wait_until(over, 30, "every prompt to have an outcome")
    assert [row[:2] for row in rows_of(tower, ids)] == [first, second]
    wanted = [texts[number] for number in arrived]
    wait_until(lambda: mocks.prompts("s1")[before:] == wanted, 20, f"exactly {wanted}")
    endings = ["delivered" if row[0] == "delivered" else "failed" for row in rows_of(tower, ids)]
    for message_id, ending in zip(ids, endings, strict=True):
        assert told_of(tower, message_id) == ["enqueued", ending]
    if second == SPOILED:
        mocks.bench.exec_run(
            ["tmux", "send-keys", "-t", mocks.pane_key("s1")["tmux_pane_id"], "C-u"]
        )


@pytest.mark.parametrize("point", ["prompt.committing", "prompt.committed"])
def test_a_front_end_that_dies_accepts_a_prompt_once(
    tower: Tower, mocks: MockLayout, point: str
) -> None:
    text = f"{point} {next(_numbers)}".encode()
    before = len(mocks.prompts("s1"))
    params = {
        "target": mocks.id("s1"),
        "body_bytes": base64.b64encode(text).decode(),
        "idempotency_key": point,
    }
    tower.stop("serve")
    tower.start("serve", environ={ARMED: point})
    with suppress(OSError, ValueError):
        tower.call("queue.operator_input", params)
    tower.wait_killed("serve")
    tower.start("serve")
    again = tower.result("queue.operator_input", params)
    assert again["state"] == "delivered", again
    assert again["deduplicated"] is (point == "prompt.committed")
    assert mocks.prompts("s1")[before:] == [text]
    assert told_of(tower, again["message_id"]) == ["enqueued", "delivered"]


def test_a_front_end_that_dies_acts_whole_or_not_at_all(tower: Tower, mocks: MockLayout) -> None:
    tower.result("routing.disable")
    tower.result("routing.enable")
    tower.stop("serve")
    tower.start("serve", environ={ARMED: "routing.committing"})
    with suppress(OSError, ValueError):
        tower.call("routing.disable")
    tower.wait_killed("serve")
    tower.start("serve")
    assert tower.result("routing.status")["value"] == "enabled"
    tower.stop("worker")
    held = mocks.send("s1", b"held", wait=False)["message_id"]
    tower.stop("serve")
    tower.start("serve", environ={ARMED: "prompt.acting"})
    with suppress(OSError, ValueError):
        tower.call("queue.cancel", {"message_id": held})
    tower.wait_killed("serve")
    assert told_of(tower, held) == ["enqueued"]
    tower.start("serve")
    assert tower.result("queue.cancel", {"message_id": held})["state"] == "canceled"
    tower.start("worker")
    assert told_of(tower, held) == ["enqueued", "canceled"]


@pytest.mark.parametrize("point", ["prompt.released", None])
def test_a_delay_outlives_the_worker_and_ends_once(
    tower: Tower, mocks: MockLayout, point: str | None
) -> None:
    """The worker is killed as the delay has ended, or while the prompt waits."""
    app = AppSession(tower)
    text = f'{{"n":{next(_numbers)}}}'.encode()
    before = len(mocks.prompts("s1"))
    tower.stop("worker")
    sent = app.ask("app.send_input", target_agent_id=mocks.id("s1"), payload=json.loads(text))
    message_id = sent["message_id"]
    app.ask("app.queue.delay", message_id=message_id, delay_ms=500 if point else 3_600_000)
    if point is None:
        tower.start("worker")
        tower.kill9("worker")
        assert told_of(tower, message_id) == ["enqueued", "delayed"]
        with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
            database.execute("UPDATE prompt_delay SET due_at = due_at - 3600000000")
    else:
        with suppress(AssertionError):  # it may die before it is ready
            tower.start("worker", environ={ARMED: point})
        tower.wait_killed("worker")
    tower.start("worker")
    wait_until(lambda: rows_of(tower, [message_id])[0][0] == "delivered", 30, "its delivery")
    assert mocks.prompts("s1")[before:] == [text]
    assert told_of(tower, message_id) == ["enqueued", "delayed", "delay_ended", "delivered"]


def test_a_front_end_that_dies_sends_one_prompt_of_a_session(
    tower: Tower, mocks: MockLayout
) -> None:
    """The key dies with the session; what was accepted stays accepted, once."""
    app = AppSession(tower)
    text = f'{{"n":{next(_numbers)}}}'.encode()
    before = len(mocks.prompts("s1"))
    params = {
        "target_agent_id": mocks.id("s1"),
        "payload": json.loads(text),
        "idempotency_key": "k",
    }
    tower.stop("serve")
    tower.start("serve", environ={ARMED: "prompt.committing"})
    app.hello()
    with suppress(OSError, ValueError):
        app.call("app.send_input", **params)
    tower.wait_killed("serve")
    tower.start("serve")
    assert app.refused("app.send_input", **params) == ("app_session_expired", {})
    app.hello()
    assert [app.ask("app.send_input", **params)["deduplicated"] for _ in range(2)] == [False, True]
    wait_until(lambda: mocks.prompts("s1")[before:] == [text], 20, "it to arrive")


def test_an_update_of_an_agent_is_whole_or_not_there(tower: Tower, mocks: MockLayout) -> None:
    app = AppSession(tower)
    agent_id = mocks.id("s1")
    tower.stop("serve")
    tower.start("serve", environ={ARMED: "agent.updating"})
    app.hello()
    with suppress(OSError, ValueError):
        app.call("app.agent.update", agent_id=agent_id, label="new", project_path="/new")
    tower.wait_killed("serve")
    tower.start("serve")
    app.hello()
    row = app.ask("app.agent.update", agent_id=agent_id)["row"]
    assert (row["label"], row["project_path"]) == ("s1", None)
    row = app.ask("app.agent.update", agent_id=agent_id, label="new")["row"]
    assert row["label"] == "new"

    def changes() -> list[list[str]]:
        lines = [line for line in app.lines() if line.get("type") == "agent_role_change"]
        return [line["payload"]["changed"] for line in lines]

    wait_until(changes, 10, "the change to be told")
    assert changes() == [["label"]]
    app.ask("app.agent.update", agent_id=agent_id, label="s1")


def test_what_was_queued_when_everybody_stopped_is_delivered_in_order(
    tower: Tower, mocks: MockLayout
) -> None:
    texts = [f"in line {next(_numbers)}".encode() for _ in range(3)]
    before = len(mocks.prompts("s1"))
    tower.stop("worker")
    for text in texts:
        mocks.send("s1", text, wait=False)
    tower.start("worker")
    wait_until(lambda: mocks.prompts("s1")[before:] == texts, 30, "all, in order")
