"""``agenttower route``: what it asks of the daemon, and how it shows the answers."""

from __future__ import annotations

import json

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli.fake_daemon import FakeDaemon

ONE = "3f2a6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"
TWO = "3f2b6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"


def route(route_id: str = ONE) -> dict[str, object]:
    return {
        "route_id": route_id,
        "event_type": "error",
        "source_scope": {"kind": "role", "value": "role:slave"},
        "target_rule": "source",
        "target_value": None,
        "master_rule": "auto",
        "master_value": None,
        "template": "a\tb",
        "enabled": True,
        "last_consumed_event_id": 7,
        "created_at": "2026-11-20T12:00:00.000Z",
        "updated_at": "2026-11-20T12:00:00.000Z",
        "created_by_agent_id": "host-operator",
    }


@pytest.mark.parametrize(
    ("options", "params"),
    [
        ((), {"target_rule": "source"}),
        (("--to", "bob"), {"target_rule": "explicit", "target_value": "bob"}),
        (("--to", "role:swarm"), {"target_rule": "role", "target_value": "role:swarm"}),
        (
            ("--from", "role:slave", "--master", "agt_0"),
            {
                "source_scope_kind": "role",
                "source_scope_value": "role:slave",
                "target_rule": "source",
                "master_rule": "explicit",
                "master_value": "agt_0",
            },
        ),
        (
            ("--from", "agt_1"),
            {
                "source_scope_kind": "agent_id",
                "source_scope_value": "agt_1",
                "target_rule": "source",
            },
        ),
    ],
)
def test_add_finds_the_rules_in_the_form_of_the_names(
    cli, daemon: FakeDaemon, options: tuple[str, ...], params: dict[str, str]
):
    daemon.on("routes.add", route())
    ended = cli("route", "add", "error", "{event_excerpt}", *options)
    assert f"route_id={ONE}" in ended.lines
    assert daemon.params_of("routes.add") == [
        {"event_type": "error", "template": "{event_excerpt}", **params}
    ]


def test_list_is_a_table_or_a_bare_array(cli, daemon: FakeDaemon):
    daemon.on("routes.list", {"routes": [route()]})
    ended = cli("route", "list")
    assert ended.lines == [
        "ROUTE_ID\tENABLED\tEVENT\tSOURCE\tTARGET\tMASTER\tCURSOR\tCREATED_BY\tTEMPLATE",
        f"{ONE}\ttrue\terror\trole:slave\tsource\tauto\t7\thost-operator\ta\\tb",
    ]
    assert json.loads(cli("route", "list", "--json").out) == [route()]


@pytest.mark.parametrize("verb", ["enable", "disable", "remove"])
def test_a_route_is_named_by_its_first_characters(cli, daemon: FakeDaemon, verb: str):
    daemon.on("routes.list", {"routes": [route(ONE), route(TWO)]})
    daemon.on(f"routes.{verb}", {"route_id": ONE, "operation": "x", "at": "now"})
    assert cli("route", verb, "3f2a", TWO.upper()).code == ExitCode.OK
    assert daemon.params_of(f"routes.{verb}") == [{"route_id": ONE}, {"route_id": TWO}]
    assert cli("route", verb, "3f2").code == ExitCode.REFUSED
    daemon.on("routes.list", {"routes": [route(ONE), route(ONE)]})
    assert cli("route", verb, "3f2a").code == ExitCode.USAGE


def test_dry_run_asks_for_a_preview_and_shows_the_text(cli, daemon: FakeDaemon):
    answer = {"event_id": 5, "decision": "matched", "text": "line 1\nline \x1b2"}
    daemon.on("routes.preview", answer)
    ended = cli.on_terminal("route", "add", "error", "x", "--dry-run", "5")
    assert "line 1" in ended.out
    assert "line \\x1b2" in ended.out
    assert daemon.params_of("routes.preview") == [
        {
            "event_id": 5,
            "route": {"event_type": "error", "template": "x", "target_rule": "source"},
        }
    ]
    daemon.on("routes.list", {"routes": [route()]})
    assert "decision=matched" in cli("route", "test", "3f2a", "5").lines
