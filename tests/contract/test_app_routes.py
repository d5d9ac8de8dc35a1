"""``app.route.*`` mutations (app surface, sections 19 and 20)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.rpc.app.route_fields import _SOUND
from agenttower.services import routes as route_services
from agenttower.store.models import Event, Route
from tests.support.app_desk import AppDesk, app_desk

ADD = "app.route.add"
AGENT = "agt_00000000000b"
RULE: dict[str, Any] = {
    "event_type": "error",
    "target": {"rule": "explicit", "value": AGENT},
    "template": "{source_label}: {{{event_excerpt}}}",
}
UNKNOWN = ("route_not_found", {"route_id": "nix"})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AppDesk]:
    with app_desk(tmp_path) as desk:
        yield desk


def add(desk: AppDesk, **more: Any) -> dict[str, Any]:
    return dict(desk.ask(ADD, **RULE | more)["row"])


def test_a_route_begins_after_the_newest_event(desk: AppDesk) -> None:
    desk.rows.send("host-operator", desk.rows.agent())
    newest = Event.select().order_by(Event.id.desc()).get().id
    row = add(desk, unknown="ignored")
    assert {name: row[name] for name in RULE} == RULE
    assert (row["source_scope"], row["master"]) == (
        {"kind": "any", "value": None},
        {"rule": "auto", "value": None},
    )
    assert (row["enabled"], row["last_consumed_event_id"]) == (True, newest)
    assert add(desk)["route_id"] != row["route_id"]
    assert desk.by_app() == ["route_created"] * 2
    line = desk.audits()[-1]
    assert (line["created_by_agent_id"], line["event_type_subscribed"]) == (
        "host-operator",
        "error",
    )


@pytest.mark.parametrize(
    "more",
    [
        {"target": {"rule": "source"}},
        {"target": {"rule": "role", "value": "role:swarm,capability:codex"}},
        {"target": {"rule": "explicit", "value": "l" * 256}},
        {"source_scope": {"kind": "agent_id", "value": AGENT}},
        {"source_scope": {"kind": "role", "value": "role:shell"}},
        {"master": {"rule": "explicit", "value": AGENT}},
    ],
)
def test_what_a_route_may_say(desk: AppDesk, more: dict[str, Any]) -> None:
    row = add(desk, **more)
    for name, said in more.items():
        assert row[name] == {"value": None, **said}


def test_a_template_shows_the_place_and_not_the_text(desk: AppDesk) -> None:
    for template, problem in (
        ("a {secret}", "unknown field at position 3"),
        ("}", "a brace that is neither {field} nor doubled at position 1"),
    ):
        code, details = desk.refused(ADD, **RULE | {"template": template})
        assert (code, details["field"]) == ("validation_failed", "template")
        assert details["reason"].startswith(problem)
        assert "secret" not in details["reason"]


WRONG = {
    "event_type": "boom",
    "master": {"value": "x"},
    "target": {"rule": "x"},
    "source_scope": {"kind": "agent_id"},
    "template": 5,
}


def test_the_first_problem_counts(desk: AppDesk) -> None:
    wrong = dict(WRONG)
    for field in WRONG:
        code, details = desk.refused(ADD, **wrong)
        assert (code, details["field"]) == ("validation_failed", field)
        if field in RULE:
            wrong[field] = RULE[field]
        else:
            del wrong[field]
    late = {"target": {"rule": "role", "value": "x"}, "source_scope": 5, "template": ""}
    assert desk.refused(ADD, **RULE | late)[1]["field"] == "source_scope"
    assert desk.refused(ADD, **RULE | late | {"source_scope": {}})[1]["field"] == "target"
    for name in ("event_type", "target", "template"):
        params = {k: v for k, v in RULE.items() if k != name}
        assert desk.refused(ADD, **params)[1] == {"field": name, "reason": "missing"}
    assert set(_SOUND) == set(WRONG)


def test_there_is_room_for_so_many(desk: AppDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_services, "MAX_ROUTES", 1)
    add(desk)
    assert desk.refused(ADD, **RULE) == (
        "validation_failed",
        {"field": ADD, "reason": "too_many_routes"},
    )


def test_a_route_is_switched_and_the_same_again_is_not_told(desk: AppDesk) -> None:
    route_id = add(desk)["route_id"]
    for enabled in (False, False, True):
        row = desk.ask("app.route.update", route_id=route_id, enabled=enabled)["row"]
        assert (row["route_id"], row["enabled"]) == (route_id, enabled)
    assert desk.by_app() == ["route_created", "route_updated", "route_updated"]


def test_a_removed_route_is_shown_as_it_was_last(desk: AppDesk) -> None:
    route_id = add(desk)["route_id"]
    last = desk.ask("app.route.update", route_id=route_id, enabled=False)["row"]
    assert desk.ask("app.route.remove", route_id=route_id)["row"] == last
    assert Route.select().count() == 0
    assert desk.refused("app.route.remove", route_id=route_id)[0] == "route_not_found"
    assert desk.by_app() == ["route_created", "route_updated", "route_deleted"]


def test_no_such_route(desk: AppDesk) -> None:
    assert desk.refused("app.route.remove", route_id="nix", unknown="ignored") == UNKNOWN
    assert desk.refused("app.route.update", route_id="nix", enabled=True) == UNKNOWN
