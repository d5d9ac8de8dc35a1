"""kill -9 while events become prompts: each event is decided once by each route, and none is lost.

The worker dies at each moment of a decision, again and again. While it is dead, every event behind
a route's cursor has exactly one decision, and every event before it has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from agenttower.store.database import open_sqlite
from agenttower.store.models import Event, Prompt, Route
from tests.crash.matrix import ROUTING_POINTS
from tests.support.state_home import StateHome
from tests.support.tower import Tower
from tests.support.waiting import wait_until
from tests.support.wired import MASTER, OTHER, SLAVE, Wired

EVENTS = 12
ROUTES = (
    {"template": "{event_id}: {event_excerpt}"},
    {"target_rule": "source", "source_scope_kind": "agent_id", "source_scope_value": OTHER},
    {"target_rule": "role", "target_value": "role:swarm"},
)
"""One that matches all, one that passes over half of them, one that skips all."""


@pytest.fixture
def serve(state_home: StateHome) -> Iterator[Tower]:
    running = Tower(state_home)
    try:
        running.start("serve")
        yield running
    finally:
        running.close()


@pytest.fixture
def rows(serve: Tower) -> Iterator[Wired]:
    """The rows of that tower, as this process sees and writes them."""
    store = open_sqlite(serve.home.paths.database)
    try:
        rows = Wired(store)
        for agent_id, role, label in (
            (MASTER, "master", "boss"),
            (SLAVE, "slave", "worker"),
            (OTHER, "slave", "helper"),
        ):
            rows.agent(agent_id, role, label)
        yield rows
    finally:
        store.close_thread()


def add(serve: Tower, params: dict[str, str]) -> str:
    said = {"event_type": "error", "target_rule": "explicit", "template": "{event_id}", **params}
    if said["target_rule"] == "explicit":
        said["target_value"] = SLAVE
    return str(serve.result("routes.add", said)["route_id"])


def decided(rows: Wired) -> Counter[tuple[str, int]]:
    lines = rows.lines("route_matched", "route_skipped")
    return Counter((line["route_id"], line["event_id"]) for line in lines)


def check(rows: Wired, heeded: dict[str, list[int]]) -> None:
    """Cursor, decisions and prompts agree, whenever the worker died."""
    cursors = {route.route_id: route.last_consumed_event_id for route in Route.select()}
    expected = {
        (route, event): 1
        for route, events in heeded.items()
        for event in events
        if event <= cursors[route]
    }
    assert decided(rows) == expected
    matched = [(x["route_id"], x["event_id"]) for x in rows.lines("route_matched")]
    prompts = [(row.route_id, row.event_id) for row in Prompt.select().order_by(Prompt.id)]
    assert prompts == matched, "one prompt for each match, in the order of the decisions"
    told = [x["event_type"] for x in rows.lines("route_matched", "queue_message_enqueued")]
    assert told == ["route_matched", "queue_message_enqueued"] * len(matched)


def test_each_event_is_decided_once_however_often_the_worker_dies(
    serve: Tower, rows: Wired
) -> None:
    routes = [add(serve, params) for params in ROUTES]
    events = [rows.event(agent_id=(SLAVE, OTHER)[n % 2]) for n in range(EVENTS)]
    heeded = {routes[0]: events, routes[1]: events[1::2], routes[2]: events}
    for passage in (1, 4):
        for point in ROUTING_POINTS:
            start_armed(serve, {"AGENTTOWER_CRASH_AT": f"{point}:{passage}"})
            check(rows, heeded)
    assert decided(rows).total() < 2 * EVENTS + EVENTS // 2, "not all was done by the dying"
    serve.start("worker")
    newest = events[-1]
    wait_until(
        lambda: not Route.select().where(Route.last_consumed_event_id < newest).exists(),
        20,
        "every route to be through",
    )
    check(rows, heeded)
    assert decided(rows).total() == 2 * EVENTS + EVENTS // 2
    assert Prompt.select().count() == EVENTS + EVENTS // 2
    late = rows.event(agent_id=OTHER)
    serve.result("routes.disable", {"route_id": routes[2]})  # rings
    wait_until(lambda: decided(rows)[routes[0], late] == 1, 20, "the next event to be decided")
    assert Event.select().where(Event.event_type == "route_updated").count() == 1


def start_armed(serve: Tower, environ: dict[str, str]) -> None:
    """A worker that dies at its point, perhaps before it says that it is ready."""
    try:
        serve.start("worker", environ=environ)
    except AssertionError:
        assert serve.processes["worker"].poll() is not None, serve.logs()
    serve.wait_killed("worker")
