"""For every method and every parameter: missing, of each wrong type, beyond its bounds, outside its
set, and one that is not known. Each is refused by the declared code, naming the parameter, with
exactly the declared details; and no refused request changes anything.

The requests are made from the published schema, so that what is declared later is covered too.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from agenttower.protocol.catalog import declarations
from agenttower.protocol.errors import APP, LEGACY, namespace_of
from agenttower.protocol.schema import TOKEN
from tests.conformance.contract import check_answer
from tests.conformance.faults import UNKNOWN, Fault, faults, parameters, sample
from tests.support.state_home import make_state_home
from tests.support.tower import Tower

SELF_MOVING = {"worker", "subsystem", "relay_position", "queue_message"}
"""Tables that a process writes without being asked."""

ENDS_THE_DAEMON = {"shutdown"}

_EVENTS = "events_filter_invalid"
_RULES = {
    "event_type": "route_event_type_invalid",
    "target_rule": "route_target_rule_invalid",
    "source_scope_kind": "route_source_scope_invalid",
    "master_rule": "route_master_rule_invalid",
}
BY_FIELD = {
    ("list_agents", "schema_version"): "bad_request",
    ("events.follow_next", "session_id"): "events_session_unknown",
    ("events.follow_close", "session_id"): "events_session_unknown",
    ("events.list", "cursor"): "events_invalid_cursor",
}
BY_METHOD = {
    "list_agents": "value_out_of_set",
    "events.list": _EVENTS,
    "events.follow_open": _EVENTS,
    "events.follow_next": _EVENTS,
}
BY_RULE = {
    ("list_agents", UNKNOWN, "unknown"): "unknown_filter",
    ("set_role", "role", "set"): "value_out_of_set",
    ("register_agent", "role", "set"): "value_out_of_set",
    ("attach_log_preview", "lines", "bound"): "value_out_of_set",
    ("queue.list", "origin", "set"): "queue_origin_invalid",
    **{("routes.add", field, "set"): code for field, code in _RULES.items()},
}
"""Where a value of the right type has a code of its own."""

UNMARKED = {"agent_not_found", "unknown_filter"}
"""Their messages are about more than the parameter."""

FIT = {
    "register_agent": {
        "container_id": "a" * 64,
        "pane_composite_key": {
            "container_id": "a" * 64,
            "tmux_socket_path": "/tmp/tmux-0/default",
            "tmux_session_name": "s",
            "tmux_window_index": 0,
            "tmux_pane_index": 0,
            "tmux_pane_id": "%0",
        },
    },
    "set_role": {"agent_id": "agt_000000000000"},
    "attach_log_preview": {"agent_id": "agt_000000000000"},
    "routes.add": {"template": "text", "target_value": "nobody"},
}
"""What must be well said for the refusal of something else to be heard."""

every_method = pytest.mark.parametrize("method", declarations())


@pytest.fixture(scope="module")
def tower() -> Iterator[Tower]:
    """Both processes, and nothing in their database."""
    with make_state_home() as home:
        running = Tower(home)
        try:
            running.start()
            yield running
        finally:
            running.close()


@pytest.fixture(scope="module")
def token(tower: Tower) -> str:
    return str(tower.result("app.hello")[TOKEN])


def expected(fault: Fault) -> str:
    """The code of a refusal."""
    if (rule := BY_RULE.get((fault.method, fault.field, fault.kind))) is not None:
        return rule
    if namespace_of(fault.method) != LEGACY:
        return "validation_failed"
    special = BY_FIELD.get((fault.method, fault.field)) or BY_METHOD.get(fault.method)
    return special or "bad_request"


def is_refused(tower: Tower, fault: Fault) -> None:
    answer = tower.call(fault.method, fault.params | _fit_beside(fault))
    check_answer(fault.method, answer)
    assert answer["ok"] is False, fault
    error = answer["error"]
    code = expected(fault)
    assert error["code"] == code, (str(fault), error)
    if code not in UNMARKED and not code.startswith(("events_session", "route_")):
        assert fault.field in error["message"], (str(fault), error)
    if code == "validation_failed":
        assert set(error["details"]) == {"field", "reason"}
        # Of an object a member may be named alone: in app.* a filter is, by its key.
        named = error["details"]["field"].startswith(fault.field)
        assert named or (fault.kind == "inside" and namespace_of(fault.method) == APP), error
        assert error["details"]["reason"]
    if namespace_of(fault.method) == APP and isinstance(fault.sent, str) and len(fault.sent) > 3:
        assert fault.sent not in error["details"]["reason"], (str(fault), error)


def _fit_beside(fault: Fault) -> dict[str, Any]:
    fit = FIT.get(fault.method, {})
    return {name: value for name, value in fit.items() if name != fault.field}


def stored(tower: Tower) -> dict[str, list[Any]]:
    """Every row that only a request could have changed."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        names = [
            row[0]
            for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        tables = {
            name: sorted(database.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for name in names
            if name not in SELF_MOVING and not name.startswith("sqlite_")
        }
    # The heartbeat of routing is the only event that comes by itself.
    tables["event"] = [row for row in tables["event"] if "routing_worker_heartbeat" not in row]
    return tables


@every_method
def test_whatever_is_wrong_is_refused_and_changes_nothing(
    tower: Tower, token: str, method: str
) -> None:
    before = stored(tower)
    for fault in faults(method, token):
        is_refused(tower, fault)
    assert stored(tower) == before


@every_method
def test_what_is_not_known_is_ignored_where_it_is_not_refused(
    tower: Tower, token: str, method: str
) -> None:
    if declarations()[method].refuses_unknown or method in ENDS_THE_DAEMON:
        return
    params = sample(method, token)
    without, beside = tower.call(method, params), tower.call(method, params | {UNKNOWN: 1})
    check_answer(method, beside)
    assert _gist(without) == _gist(beside)


def _gist(answer: dict[str, Any]) -> Any:
    return answer["ok"] or answer["error"]["code"]


@every_method
@pytest.mark.parametrize("params", [None, 5, "text", [], True])
def test_parameters_are_an_object(tower: Tower, method: str, params: Any) -> None:
    answer = tower.call_raw(json.dumps({"method": method, "params": params}).encode())
    check_answer(method, answer)
    error = answer["error"]
    if namespace_of(method) == APP:
        assert (error["code"], error["details"]["field"]) == ("validation_failed", "params")
    else:
        assert error["code"] == "bad_request"


@pytest.mark.parametrize("name", [n for n, one in declarations().items() if one.session])
def test_a_session_is_asked_for_before_parameters(tower: Tower, name: str) -> None:
    for given, code in (
        ({}, "app_session_required"),
        ({TOKEN: None}, "app_session_required"),
        ({TOKEN: ""}, "app_session_required"),
        ({TOKEN: 5}, "app_session_required"),
        ({TOKEN: "not-a-token"}, "app_session_expired"),
    ):
        answer = tower.call(name, given)
        check_answer(name, answer)
        assert (answer["error"]["code"], answer["error"]["details"]) == (code, {}), given


@every_method
def test_what_is_asked_here_is_what_is_published(method: str) -> None:
    """So that no parameter is left out because it is of a kind that is not understood here."""
    fields = set(parameters(method)["properties"]) - {TOKEN}
    assert {fault.field for fault in faults(method)} - {UNKNOWN} == fields
