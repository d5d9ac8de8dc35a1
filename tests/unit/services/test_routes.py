"""Routes are refused before any effect, shown as the contract says, and told of in the outbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.errors import AgentTowerError, BadRequest, RouteCreationFailed, RouteNotFound
from agenttower.protocol.routes import AddRoute, PreviewRoute
from agenttower.rpc.schemas_prompts import complete
from agenttower.rpc.schemas_routes import preview, rule_of
from agenttower.services import routes as routes_module
from agenttower.services.caller import HOST, Caller
from agenttower.services.pane_claims import PaneClaim
from agenttower.store.models import Route
from tests.support.wired import BENCH, MASTER, OTHER, SLAVE, Wired, wired

GOOD = {
    "event_type": "error",
    "target_rule": "explicit",
    "target_value": SLAVE,
    "template": "{event_id}",
}


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Wired]:
    with wired(tmp_path) as tower:
        yield tower


def add(tower: Wired, caller: Caller = HOST, **params: Any) -> dict[str, Any]:
    """As ``routes.add`` does: shape, then service."""
    return tower.routes.add(caller, rule_of(complete(AddRoute)({**GOOD, **params})))


def test_a_route_is_shown_as_the_contract_says(tower: Wired) -> None:
    event = tower.event()
    route = add(tower)
    assert route == {
        "route_id": route["route_id"],
        "event_type": "error",
        "source_scope": {"kind": "any", "value": None},
        "target_rule": "explicit",
        "target_value": SLAVE,
        "master_rule": "auto",
        "master_value": None,
        "template": "{event_id}",
        "enabled": True,
        "last_consumed_event_id": event,
        "created_at": route["created_at"],
        "updated_at": route["created_at"],
        "created_by_agent_id": "host-operator",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", route["created_at"])
    (line,) = tower.lines()
    assert line == {
        "event_type": "route_created",
        "route_id": route["route_id"],
        "event_type_subscribed": "error",
        "source_scope_kind": "any",
        "source_scope_value": None,
        "target_rule": "explicit",
        "target_value": SLAVE,
        "master_rule": "auto",
        "master_value": None,
        "template": "{event_id}",
        "created_by_agent_id": "host-operator",
        "cursor_at_creation": event,
        "emitted_at": line["emitted_at"],
    }


SCOPE, TARGET, MASTER_RULE = "route_source_scope", "route_target_rule", "route_master_rule"
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("route_event_type", {"event_type": "queue_message_enqueued"}),
    ("route_event_type", {"event_type": ""}),
    (MASTER_RULE, {"master_rule": "any"}),
    (MASTER_RULE, {"master_rule": "explicit"}),
    (MASTER_RULE, {"master_rule": "explicit", "master_value": "boss"}),
    (MASTER_RULE, {"master_rule": "explicit", "master_value": f"{MASTER}\n"}),
    (MASTER_RULE, {"master_value": MASTER}),
    (TARGET, {"target_rule": "all"}),
    (TARGET, {"target_rule": "source"}),
    (TARGET, {"target_value": None}),
    (TARGET, {"target_value": ""}),
    (TARGET, {"target_rule": "role", "target_value": None}),
    (SCOPE, {"source_scope_kind": "all"}),
    (SCOPE, {"source_scope_value": "x"}),
    (SCOPE, {"source_scope_kind": "agent_id", "source_scope_value": "agt_1"}),
    (SCOPE, {"source_scope_kind": "agent_id"}),
    (SCOPE, {"source_scope_kind": "role", "source_scope_value": "slave"}),
    (SCOPE, {"source_scope_kind": "role", "source_scope_value": "role:king"}),
    (SCOPE, {"source_scope_kind": "role", "source_scope_value": "role:slave, capability:x"}),
    (SCOPE, {"source_scope_kind": "role", "source_scope_value": "role:slave,capability:x,y:z"}),
    (TARGET, {"target_rule": "role", "target_value": "role:master"}),
    (TARGET, {"target_rule": "role", "target_value": "swarm"}),
    ("route_template", {"template": ""}),
    ("route_template", {"template": "{event}"}),
    ("route_template", {"template": "x" * 4097}),
]


@pytest.mark.parametrize(("code", "params"), REFUSED)
def test_what_is_not_well_said_is_refused_without_effect(
    tower: Wired, code: str, params: dict[str, Any]
) -> None:
    with pytest.raises(AgentTowerError) as refused:
        add(tower, **params)
    assert refused.value.code == f"{code}_invalid"
    assert tower.lines() == []
    assert Route.select().count() == 0


def test_the_first_problem_in_the_order_of_the_contract_counts(tower: Wired) -> None:
    wrong = {
        "event_type": "no",
        "master_rule": "no",
        "target_rule": "no",
        "source_scope_kind": "no",
        "template": "",
    }
    mended = iter(
        [
            {"event_type": "error"},
            {"master_rule": "auto"},
            {"target_rule": "role", "target_value": "no"},
            {"source_scope_kind": "any"},
            {"target_value": "role:swarm"},
        ]
    )
    codes = []
    while True:
        with pytest.raises(AgentTowerError) as refused:
            add(tower, **wrong)
        codes.append(refused.value.code)
        try:
            wrong |= next(mended)
        except StopIteration:
            break
    assert codes == [
        "route_event_type_invalid",
        "route_master_rule_invalid",
        "route_target_rule_invalid",
        "route_source_scope_invalid",
        "route_target_rule_invalid",
        "route_template_invalid",
    ]


@pytest.mark.parametrize("name", ["event_type", "target_rule", "template", "master_rule"])
@pytest.mark.parametrize("odd", [True, 1, None, ["error"], {}])
def test_types_are_strict(name: str, odd: object) -> None:
    with pytest.raises(BadRequest, match=name):
        complete(AddRoute)({**GOOD, name: odd})


def test_required_parameters_are_named() -> None:
    for name in ("event_type", "target_rule", "template"):
        with pytest.raises(BadRequest, match=f"{name}: is required"):
            complete(AddRoute)({k: v for k, v in GOOD.items() if k != name})
    for params in ({"event_id": 1}, {"event_id": 1, "route_id": "x", "route": GOOD}):
        with pytest.raises(BadRequest, match="either route_id"):
            preview(PreviewRoute)(params)


def test_list_is_by_age_and_switching_is_idempotent(tower: Wired) -> None:
    one, two = (add(tower)["route_id"] for _ in range(2))
    done = tower.routes.switch(HOST, one, enabled=False)
    assert done == {"route_id": one, "operation": "disabled", "at": done["at"]}
    shown = tower.routes.listing(HOST, enabled_only=False)["routes"]
    assert [(r["route_id"], r["enabled"]) for r in shown] == [(one, False), (two, True)]
    assert shown[0]["updated_at"] > shown[0]["created_at"]
    assert tower.routes.switch(HOST, one, enabled=False)["operation"] == "disabled"
    assert tower.routes.listing(HOST, enabled_only=False)["routes"] == shown
    assert [r["route_id"] for r in tower.routes.listing(HOST, enabled_only=True)["routes"]] == [two]
    (line,) = tower.lines("route_updated")
    assert (line["change"], line["updated_by_agent_id"]) == ({"enabled": False}, "host-operator")


def test_removed_is_gone_and_its_prompts_stay(tower: Wired) -> None:
    route = add(tower)["route_id"]
    tower.event()
    tower.routing.cycle()
    assert tower.routes.remove(HOST, route)["operation"] == "removed"
    for act in (tower.routes.remove, tower.routes.show):
        with pytest.raises(RouteNotFound):
            act(HOST, route)
    with pytest.raises(RouteNotFound):
        tower.routes.switch(HOST, route, enabled=True)
    assert tower.lines("route_deleted")[0]["deleted_by_agent_id"] == "host-operator"
    assert [r for r, *_ in tower.prompts()] == [route]


def test_show_tells_what_the_route_has_done(tower: Wired) -> None:
    route = add(tower)["route_id"]
    runtime = tower.routes.show(HOST, route)["runtime"]
    assert runtime == {
        "last_routing_cycle_at": None,
        "events_consumed": 0,
        "last_skip_reason": None,
        "last_skip_at": None,
        "lag": 0,
        "braked_until": None,
    }
    tower.event()
    assert tower.routes.show(HOST, route)["runtime"]["lag"] == 1
    tower.routing.cycle()
    runtime = tower.routes.show(HOST, route)["runtime"]
    assert (runtime["events_consumed"], runtime["lag"]) == (1, 0)
    assert runtime["last_routing_cycle_at"] is not None
    tower.routes.switch(HOST, route, enabled=False)
    tower.now += 60_000_000
    tower.routing.cycle()
    later = tower.routes.show(HOST, route)["runtime"]
    assert later["last_routing_cycle_at"] == runtime["last_routing_cycle_at"]


def test_a_bench_sees_and_touches_its_own_routes_only(tower: Wired) -> None:
    bench, foreign = Caller("bench", BENCH), Caller("bench", "d" * 64)
    of_host = add(tower)["route_id"]
    own = add(tower, bench)
    assert (own["container_id"], own["created_by_agent_id"]) == (BENCH, None)
    assert [r["route_id"] for r in tower.routes.listing(bench, enabled_only=False)["routes"]] == [
        own["route_id"]
    ]
    assert tower.routes.listing(foreign, enabled_only=False)["routes"] == []
    for caller, route in ((bench, of_host), (foreign, own["route_id"])):
        with pytest.raises(RouteNotFound):
            tower.routes.remove(caller, route)
        with pytest.raises(RouteNotFound):
            tower.routes.switch(caller, route, enabled=False)
    assert len(tower.routes.listing(HOST, enabled_only=False)["routes"]) == 2


def test_a_bench_cannot_fill_the_table(tower: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "MAX_ROUTES_OF_A_BENCH", 2)
    bench = Caller("bench", BENCH)
    add(tower, bench)
    add(tower, bench)
    with pytest.raises(RouteCreationFailed, match="limit is 2"):
        add(tower, bench)
    add(tower)


def test_the_routes_of_a_removed_agent_go_with_it(tower: Wired) -> None:
    named = [
        add(tower, source_scope_kind="agent_id", source_scope_value=SLAVE, target_value=OTHER),
        add(tower, target_value=SLAVE),
    ]
    kept = [
        add(tower, target_value="worker"),
        add(tower, target_rule="role", target_value="role:slave"),
        add(tower, target_value=OTHER),
    ]
    with tower.store.transaction() as transaction:
        assert tower.routes.agent_removed(transaction, SLAVE) == 2
    left = tower.routes.listing(HOST, enabled_only=False)["routes"]
    assert [r["route_id"] for r in left] == [r["route_id"] for r in kept]
    lines = tower.lines("route_deleted")
    assert [line["route_id"] for line in lines] == [r["route_id"] for r in named]
    assert {line["deleted_by_agent_id"] for line in lines} == {"(daemon)"}


def test_preview_says_what_would_be_and_writes_nothing(tower: Wired) -> None:
    event = tower.event()
    route = add(tower, template="{source_label} says {event_excerpt}")["route_id"]
    before = tower.lines()
    shown = tower.routes.preview(HOST, event, route_id=route, rule=None)
    assert (shown["decision"], shown["text"]) == ("matched", "worker says it broke")
    rule = rule_of(complete(AddRoute)({**GOOD, "target_value": "nobody"}))
    shown = tower.routes.preview(HOST, event, route_id=None, rule=rule)
    assert (shown["decision"], shown["reason"]) == ("skipped", "target_not_found")
    rule = rule_of(complete(AddRoute)({**GOOD, "event_type": "completed"}))
    shown = tower.routes.preview(HOST, event, route_id=None, rule=rule)
    assert shown["decision"] == "not_concerned"
    with pytest.raises(AgentTowerError) as refused:
        tower.routes.preview(Caller("bench", "d" * 64), event, route_id=None, rule=rule)
    assert refused.value.code == "event_id_not_found"
    assert tower.lines() == before
    assert tower.prompts() == []


def test_the_author_is_the_agent_of_the_callers_pane(tower: Wired) -> None:
    claim = PaneClaim(BENCH, "/tmp/tmux-0/default", "%10", MASTER)
    rule = rule_of(complete(AddRoute)(GOOD))
    route = tower.routes.add(Caller("bench", BENCH), rule, claim)
    assert route["created_by_agent_id"] == MASTER
    tower.routes.remove(HOST, route["route_id"], claim)
    assert tower.lines("route_deleted")[0]["deleted_by_agent_id"] == MASTER
    with pytest.raises(BadRequest, match="another container"):
        tower.routes.add(Caller("bench", "d" * 64), rule, claim)
