"""Events become prompts: decided once, in order, with a line that explains each decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.clock import SECOND
from agenttower.services.caller import HOST, Caller
from agenttower.settings import RoutingRules
from agenttower.store import routes
from agenttower.store.database import DatabaseBusy
from agenttower.store.models import Agent, Event, Prompt, RelayPosition
from tests.support.wired import BENCH, MASTER, OTHER, SLAVE, Wired, nothing, wired
from workers.routing import RoutingHeartbeat


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Wired]:
    with wired(tmp_path) as tower:
        yield tower


def test_an_event_becomes_one_prompt_and_the_lines_are_in_order(tower: Wired) -> None:
    tower.event()
    route = tower.route()
    event = tower.event()
    assert tower.routing.cycle() is None
    assert tower.prompts() == [(route, event, "queued", "worker: it broke")]
    assert [line["event_type"] for line in tower.lines()] == [
        "route_created",
        "route_matched",
        "queue_message_enqueued",
    ]
    assert tower.lines("route_matched") == [
        {
            "event_type": "route_matched",
            "route_id": route,
            "event_id": event,
            "winner_master_agent_id": MASTER,
            "target_agent_id": SLAVE,
            "target_label": "worker",
            "reason": None,
            "event_excerpt": "it broke",
            "emitted_at": tower.lines("route_matched")[0]["emitted_at"],
        }
    ]
    tower.routing.cycle()
    assert len(tower.prompts()) == 1


def test_every_route_that_matches_fires(tower: Wired) -> None:
    one, two = tower.route(), tower.route(target_value=OTHER, template="{event_id}")
    event = tower.event()
    tower.routing.cycle()
    assert [(r, e) for r, e, *_ in tower.prompts()] == [(one, event), (two, event)]


def test_batches_follow_each_other_until_nothing_waits(tmp_path: Path) -> None:
    with wired(tmp_path, RoutingRules(batch_size=3)) as tower:
        route = tower.route()
        events = [tower.event() for _ in range(7)]
        cycles = 0
        while tower.routing.cycle() is not None:
            cycles += 1
        assert cycles == 2
        assert [e for _, e, *_ in tower.prompts()] == events
        assert routes.by_id(route).events_consumed == 7  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "value", "heeded"),
    [
        ("any", None, [SLAVE, OTHER, MASTER]),
        ("agent_id", OTHER, [OTHER]),
        ("role", "role:slave", [SLAVE, OTHER]),
        ("role", "role:slave,capability:codex", [OTHER]),
        ("role", "role:test-runner", []),
    ],
)
def test_source_scope(tower: Wired, kind: str, value: str | None, heeded: list[str]) -> None:
    route = tower.route(source_scope_kind=kind, source_scope_value=value, template="{event_id}")
    events = {tower.event(agent_id=agent): agent for agent in (SLAVE, OTHER, MASTER)}
    tower.routing.cycle()
    assert [events[event] for _, event, *_ in tower.prompts()] == heeded
    # Passed over without a word, and behind the cursor.
    assert len(tower.lines("route_matched", "route_skipped")) == len(heeded)
    stored = routes.by_id(route)
    assert stored is not None
    assert (stored.last_consumed_event_id, stored.events_consumed) == (max(events), 3)


NOBODY = "agt_ffffffffffff"
SKIPS = [
    ({"master_rule": "explicit", "master_value": SLAVE}, "master_inactive", None, None),
    ({"master_rule": "explicit", "master_value": NOBODY}, "master_not_found", None, None),
    ({"target_value": "nobody"}, "target_not_found", MASTER, None),
    ({"target_value": NOBODY}, "target_not_found", MASTER, None),
    ({"target_rule": "role", "target_value": "role:swarm"}, "no_eligible_target", MASTER, None),
    ({"template": "{source_capability}"}, "template_render_error", MASTER, SLAVE),
]


@pytest.mark.parametrize(("said", "reason", "master", "target"), SKIPS)
def test_a_skip_says_why_and_is_not_tried_again(
    tower: Wired, said: dict[str, str], reason: str, master: str | None, target: str | None
) -> None:
    Agent.update(capability="").where(Agent.agent_id == SLAVE).execute()
    route = tower.route(**said)
    event = tower.event()
    tower.routing.cycle()
    (line,) = tower.lines("route_skipped")
    assert (line["event_id"], line["route_id"], line["reason"]) == (event, route, reason)
    assert (line["winner_master_agent_id"], line["target_agent_id"]) == (master, target)
    assert line["target_label"] == ("worker" if target else None)
    assert line["sub_reason"] == ("missing_field" if target else None)
    tower.routing.cycle()
    assert len(tower.lines("route_skipped")) == 1
    assert tower.prompts() == []
    assert tower.routes.show(HOST, route)["runtime"]["last_skip_reason"] == reason
    assert tower.tally.document()["skips_by_reason"] == {reason: 1}


def test_auto_takes_the_lowest_active_master(tower: Wired) -> None:
    tower.agent("agt_000000000005", "master", "first")
    tower.route()
    tower.event()
    tower.routing.cycle()
    Agent.update(active=False).where(Agent.agent_id == "agt_000000000005").execute()
    tower.event()
    tower.routing.cycle()
    Agent.update(active=False).execute()
    tower.event()
    tower.routing.cycle()
    lines = tower.lines("route_matched", "route_skipped")
    assert [line["winner_master_agent_id"] for line in lines] == ["agt_000000000005", MASTER, None]
    assert lines[-1]["reason"] == "no_eligible_master"


def test_a_source_that_is_inactive_is_told_with_its_name(tower: Wired) -> None:
    tower.route(target_rule="source", target_value=None)
    tower.event()
    Agent.update(active=False).where(Agent.agent_id == SLAVE).execute()
    tower.routing.cycle()
    (line,) = tower.lines("route_skipped")
    assert (line["reason"], line["target_agent_id"]) == ("target_not_active", SLAVE)


def test_an_event_of_nobody_that_is_registered_is_decided_and_told(tower: Wired) -> None:
    tower.route(template="{event_id}")
    tower.route(target_rule="source", target_value=None)
    tower.event(agent_id=NOBODY)
    tower.routing.cycle()
    assert [line["event_type"] for line in tower.lines("route_matched", "route_skipped")] == [
        "route_matched",
        "route_skipped",
    ]


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [({"active": False}, "target_not_active"), ({"role": "shell"}, "target_role_not_permitted")],
)
def test_a_target_that_fails_a_check_gives_a_blocked_prompt(
    tower: Wired, spoilt: dict[str, object], reason: str
) -> None:
    tower.route(template="x")
    tower.event()
    Agent.update(**spoilt).where(Agent.agent_id == SLAVE).execute()
    tower.routing.cycle()
    row = Prompt.get()
    assert (row.state, row.block_reason) == ("blocked", reason)
    assert tower.lines("route_matched")[0]["target_agent_id"] == SLAVE


def test_the_kill_switch_blocks_and_routing_goes_on(tower: Wired) -> None:
    tower.switch.toggle(HOST, "disabled")
    tower.route()
    tower.event()
    tower.routing.cycle()
    assert Prompt.get().block_reason == "kill_switch_off"
    assert len(tower.lines("route_matched")) == 1


def test_a_text_that_is_too_long_with_its_envelope_is_a_skip(tower: Wired) -> None:
    tower.route(template="{event_excerpt}" * 273)
    event = tower.event(excerpt="ä" * 240)
    tower.routing.cycle()
    (line,) = tower.lines("route_matched", "route_skipped")
    assert (line["event_id"], line["sub_reason"]) == (event, "body_too_large")
    assert tower.prompts() == []


def test_a_disabled_route_stands_still_and_works_off_its_backlog(tower: Wired) -> None:
    route = tower.route()
    tower.routes.switch(HOST, route, enabled=False)
    events = [tower.event(), tower.event()]
    tower.routing.cycle()
    assert tower.prompts() == []
    tower.routes.switch(HOST, route, enabled=True)
    tower.routing.cycle()
    assert [event for _, event, *_ in tower.prompts()] == events


def test_what_cannot_be_written_is_decided_later_and_never_skipped(
    tower: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tower.route(target_value=OTHER)
    route = tower.route()
    event = tower.event()
    enqueue = tower.enqueue

    def locked(transaction: object, routed: object) -> None:
        if routed.route_id == other:  # type: ignore[attr-defined]
            raise DatabaseBusy
        enqueue(transaction, routed)  # type: ignore[arg-type]

    monkeypatch.setattr(tower.routing, "_enqueue", locked)
    again_at = tower.routing.cycle()
    assert again_at is not None, "tried again without being told"
    assert 0 < again_at - tower.now <= SECOND
    assert [r for r, *_ in tower.prompts()] == [route], "the other route is not held up"
    assert len(tower.lines("route_matched", "route_skipped")) == 1
    assert tower.tally.document()["trouble"] == "routing_sqlite_locked"
    monkeypatch.setattr(tower.routing, "_enqueue", enqueue)
    assert tower.routing.cycle() is None
    assert sorted((r, e) for r, e, *_ in tower.prompts()) == sorted(
        [(route, event), (other, event)]
    )
    assert tower.tally.document()["degraded_since"] is None


def test_a_cursor_that_was_set_back_makes_no_second_prompt(tower: Wired) -> None:
    route = tower.route()
    events = [tower.event(), tower.event()]
    tower.routing.cycle()
    tower.store.execute("UPDATE route SET last_consumed_event_id = 0")
    tower.routing.cycle()
    assert [(r, e) for r, e, *_ in tower.prompts()] == [(route, e) for e in events]
    assert len(tower.lines("route_matched")) == 2


def test_the_brake_holds_a_route_that_runs_in_circles(tmp_path: Path) -> None:
    rules = RoutingRules(brake_prompts=3, brake_window_seconds=10)
    with wired(tmp_path, rules) as tower:
        route = tower.route(template="again")
        events = [tower.event() for _ in range(5)]
        again_at = tower.routing.cycle()
        assert len(tower.prompts()) == 3
        assert again_at is not None
        shown = tower.routes.show(HOST, route)["runtime"]
        assert (shown["lag"], shown["braked_until"] is None) == (2, False)
        tower.now = again_at
        tower.routing.cycle()
        assert [event for _, event, *_ in tower.prompts()] == events, "nothing is lost"


def test_a_route_of_a_bench_stays_in_its_bench(tower: Wired) -> None:
    foreign = "d" * 64
    tower.agent("agt_000000000001", "master", "far", container_id=foreign)
    route = tower.route(Caller("bench", BENCH), template="x")
    tower.event(agent_id="agt_000000000001", container_id=foreign)
    mine = tower.event()
    tower.routing.cycle()
    assert [(r, e) for r, e, *_ in tower.prompts()] == [(route, mine)]
    assert tower.lines("route_matched")[0]["winner_master_agent_id"] == MASTER


def test_heartbeats_count_and_do_not_pile_up(tower: Wired) -> None:
    heartbeat = RoutingHeartbeat(tower.store, tower.tally, 60.0, tower.clock, nothing)
    tower.route()
    tower.event()
    tower.routing.cycle()
    heartbeat.beat()
    heartbeat.beat()
    first, second = tower.lines("routing_worker_heartbeat")
    assert {k: v for k, v in first.items() if k != "emitted_at"} == {
        "event_type": "routing_worker_heartbeat",
        "interval_seconds": 60,
        "cycles_since_last_heartbeat": 1,
        "events_consumed_since_last_heartbeat": 1,
        "skips_since_last_heartbeat": 0,
        "degraded": False,
    }
    assert second["cycles_since_last_heartbeat"] == 0
    newest = Event.select(Event.id).order_by(Event.id.desc()).first().id
    RelayPosition.insert(id=1, last_event_id=newest, file_offset=0).execute()
    heartbeat.beat()
    assert len(tower.lines("routing_worker_heartbeat")) == 1, "what the file has is not kept"


def test_a_heartbeat_that_cannot_be_written_is_counted_into_the_next(
    tower: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = RoutingHeartbeat(tower.store, tower.tally, 60.0, tower.clock, nothing)
    tower.routing.cycle()

    def locked(_: object) -> int:
        raise DatabaseBusy

    with monkeypatch.context() as patch:
        patch.setattr("workers.routing.routing.prune_heartbeats", locked)
        assert heartbeat.beat() is False
    tower.routing.cycle()
    assert heartbeat.beat() is True
    (line,) = tower.lines("routing_worker_heartbeat")
    assert line["cycles_since_last_heartbeat"] == 2


@pytest.mark.parametrize("allowed", [False, True])
def test_a_master_is_prompted_by_routes_where_the_operator_wants_it(
    tmp_path: Path, allowed: bool
) -> None:
    with wired(tmp_path, RoutingRules(prompt_masters=allowed)) as tower:
        tower.route(target_value="boss")
        tower.event()
        tower.routing.cycle()
        row = Prompt.get()
        reason = None if allowed else "target_role_not_permitted"
        assert (row.target_agent_id, row.block_reason) == (MASTER, reason)
