"""What each method takes, whom it lets in, and what it asks of the services (R12)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.method import Gate, Pending
from agenttower.rpc.methods import method_table
from agenttower.services.caller import Caller
from tests.support.rpc_server import FakeServices, decoded

OWN = "a" * 64
OTHER = "b" * 64
LAYOUT = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"
HOST = Caller("host")
BENCH = Caller("bench", OWN)
UNKNOWN = Caller("unknown")
AGENT = "agt_0123456789ab"
KEY = {
    "container_id": OWN,
    "tmux_socket_path": "/tmp/tmux-0/default",
    "tmux_session_name": "work",
    "tmux_window_index": 0,
    "tmux_pane_index": 1,
    "tmux_pane_id": "%3",
}
REGISTER = {"container_id": OWN, "pane_composite_key": KEY}
CREATE = {"container_id": OWN, "template_name": "1m+2s", "tmux_session_name": "s"}

ROUTE = {"event_type": "error", "target_rule": "source", "template": "x"}


@pytest.fixture
def services() -> FakeServices:
    services = FakeServices()
    services.containers = {OWN: "own", OTHER: "other"}
    services.revisions = {LAYOUT: 1}
    services.owners = {LAYOUT: OTHER}
    return services


def ask(
    services: FakeServices, caller: Caller, method: str, params: dict[str, Any] | None = None
) -> dict[str, Any]:
    dispatcher = Dispatcher(method_table(services), services.resolve_container)
    job = dispatcher.accept(msgspec.json.encode({"method": method, "params": params or {}}))
    assert isinstance(job, Job)
    outcome = dispatcher.run(job, lambda: caller)
    assert isinstance(outcome, Answer)
    return decoded(outcome.line)


def code(answer: dict[str, Any]) -> str:
    assert answer["ok"] is False, answer
    return str(answer["error"]["code"])


GATED = [
    ("shutdown", {}),
    ("scan_containers", {}),
    ("list_containers", {}),
    ("list_agents", {}),
    ("scan_panes", {}),
    ("list_panes", {}),
    ("register_agent", REGISTER),
    ("set_role", {"agent_id": AGENT, "role": "slave"}),
    ("set_label", {"agent_id": AGENT, "label": "x"}),
    ("set_capability", {"agent_id": AGENT, "capability": "codex"}),
    ("managed.layout.create", CREATE),
    ("attach_log", {"agent_id": "agt_0123456789ab"}),
    ("detach_log", {"agent_id": "agt_0123456789ab"}),
    ("attach_log_status", {"agent_id": "agt_0123456789ab"}),
    ("attach_log_preview", {"agent_id": "agt_0123456789ab", "lines": 1}),
    ("logs.read", {"agent_id": "agt_0123456789ab"}),
    ("managed.layout.list", {}),
    ("managed.layout.detail", {"layout_id": LAYOUT}),
    ("managed.layout.watch", {"layout_id": LAYOUT}),
    ("managed.pane.list", {}),
    ("managed.pane.detail", {"pane_id": "p"}),
    ("managed.event.list", {}),
    ("events.list", {}),
    ("events.follow_open", {}),
    ("events.follow_next", {"session_id": "fs_0123456789ab"}),
    ("events.follow_close", {"session_id": "fs_0123456789ab"}),
    ("events.classifier_rules", {}),
    ("managed.pane.remove", {"pane_id": "p"}),
    ("managed.pane.recreate", {"predecessor_pane_id": "p"}),
    ("managed.layout.remove", {"layout_id": LAYOUT}),
    ("routes.add", ROUTE),
    ("routes.list", {}),
    ("routes.show", {"route_id": "r"}),
    ("routes.remove", {"route_id": "r"}),
    ("routes.enable", {"route_id": "r"}),
    ("routes.disable", {"route_id": "r"}),
    ("routes.preview", {"event_id": 1, "route_id": "r"}),
    ("queue.send_input", {"target": "s1", "body_bytes": "eA=="}),
    ("queue.operator_input", {"target": "s1", "body_bytes": "eA=="}),
    ("queue.show", {"message_id": "x"}),
    ("queue.list", {}),
    ("queue.approve", {"message_id": "x"}),
    ("queue.delay", {"message_id": "x"}),
    ("queue.cancel", {"message_id": "x"}),
]
OPEN = {
    "ping",
    "status",
    "managed.pane.promote_from_adopted",
    # The switch has a code of its own for who may not turn it.
    "routing.enable",
    "routing.disable",
    "routing.status",
}


def test_every_other_method_is_gated(services: FakeServices) -> None:
    named = {name for name, _ in GATED} | OPEN
    app = {name for name in method_table(services) if name.startswith("app.")}
    assert set(method_table(services)) - app == named
    assert all(method_table(services)[name].gate is Gate.HOST for name in app)


@pytest.mark.parametrize(("method", "params"), GATED)
def test_unknown_caller_gets_host_only_before_anything_else(
    services: FakeServices, method: str, params: dict[str, Any]
) -> None:
    for given in (params, {}, {"nonsense": 1}):
        answer = ask(services, UNKNOWN, method, given)
        assert code(answer) == "host_only"
        if method.startswith("managed."):
            assert answer["error"]["details"] == {}
    assert services.calls == []


@pytest.mark.parametrize(("method", "params"), GATED)
def test_host_is_let_in(services: FakeServices, method: str, params: dict[str, Any]) -> None:
    assert ask(services, HOST, method, params)["ok"] is True


def test_ping_and_status_are_for_everybody(services: FakeServices) -> None:
    assert ask(services, UNKNOWN, "ping")["result"] == {}
    assert ask(services, UNKNOWN, "status")["result"]["alive"] is True


@pytest.mark.parametrize("method", ["shutdown", "scan_containers"])
def test_bench_may_not_act_on_the_daemon(services: FakeServices, method: str) -> None:
    assert code(ask(services, BENCH, method)) == "host_only"
    assert services.calls == []


@pytest.mark.parametrize("reference", [OWN, OWN[:12], "own"])
def test_bench_creates_in_its_own_container(services: FakeServices, reference: str) -> None:
    params = {**CREATE, "container_id": reference}
    answer = ask(services, BENCH, "managed.layout.create", params)
    assert answer["result"]["caller"] == "bench"


@pytest.mark.parametrize("reference", [OTHER, OTHER[:12], "other", "nowhere", ""])
def test_bench_cannot_create_elsewhere_nor_learn_what_exists(
    services: FakeServices, reference: str
) -> None:
    # The gate comes before the shape: what else is missing makes no difference.
    for params in ({**CREATE, "container_id": reference}, {"container_id": reference}):
        answer = ask(services, BENCH, "managed.layout.create", params)
        assert code(answer) == "host_only"
        assert answer["error"]["details"] == {}
    assert services.calls == []


@pytest.mark.parametrize("odd", [None, 3, [OWN]])
def test_bench_create_without_a_container(services: FakeServices, odd: object) -> None:
    answer = ask(services, BENCH, "managed.layout.create", {**CREATE, "container_id": odd})
    assert code(answer) == "validation_failed"
    assert answer["error"]["details"]["field"] == "container_id"


@pytest.mark.parametrize(
    "method",
    [
        "list_containers",
        "list_agents",
        "list_panes",
        "managed.layout.list",
        "managed.pane.list",
        "queue.list",
        "routes.list",
    ],
)
def test_lists_are_scoped_to_the_bench_silently(services: FakeServices, method: str) -> None:
    assert ask(services, BENCH, method)["result"]["scope"] == OWN
    assert ask(services, HOST, method)["result"]["scope"] is None


@pytest.mark.parametrize("method", ["managed.layout.detail", "managed.layout.watch"])
def test_layout_of_another_container_is_host_only(services: FakeServices, method: str) -> None:
    params = {"layout_id": LAYOUT}
    assert code(ask(services, BENCH, method, params)) == "host_only"
    services.owners[LAYOUT] = OWN
    assert ask(services, BENCH, method, params)["ok"] is True


def test_create_passes_everything_on(services: FakeServices) -> None:
    extra = {
        "launch_command_overrides": {"slave:s1": "codex"},
        "idempotency_key": "k",
        "label_prefix": "x-",
    }
    ask(services, HOST, "managed.layout.create", {**CREATE, **extra})
    assert services.calls == [("create_layout", {"caller": "host", **CREATE, **extra})]


@pytest.mark.parametrize(
    ("given", "states"),
    [
        ({}, ()),
        ({"state": None}, ()),
        ({"state": []}, ()),
        ({"state": "ready"}, ("ready",)),
        ({"state": ["failed", "removed"]}, ("failed", "removed")),
    ],
)
@pytest.mark.parametrize("method", ["managed.layout.list", "managed.pane.list"])
def test_states_of_a_list(
    services: FakeServices, method: str, given: dict[str, Any], states: tuple[str, ...]
) -> None:
    ask(services, HOST, method, given)
    _, params = services.calls[0]
    assert params["states"] == states
    assert (params["limit"], params["after"]) == (50, None)


def test_details_pass_their_switches_on(services: FakeServices) -> None:
    ask(services, HOST, "managed.layout.detail", {"layout_id": LAYOUT})
    ask(
        services,
        HOST,
        "managed.layout.detail",
        {"layout_id": LAYOUT, "include_terminal_panes": True},
    )
    ask(services, HOST, "managed.pane.detail", {"pane_id": "p", "include_predecessor_chain": True})
    assert [params for _, params in services.calls] == [
        {"layout_id": LAYOUT, "terminal": False},
        {"layout_id": LAYOUT, "terminal": True},
        {"pane_id": "p", "chain": True},
    ]


def test_agent_filters_reach_the_service(services: FakeServices) -> None:
    params = {"role": "slave", "container_id": "a" * 12, "active_only": True, "schema_version": 9}
    ask(services, HOST, "list_agents", params)
    assert services.calls == [
        (
            "list_agents",
            {
                "roles": ["slave"],
                "container_id": "a" * 12,
                "active_only": True,
                "parent_agent_id": None,
                "scope": None,
            },
        )
    ]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"schema_version": 8, "nonsense": 1}, "schema_version_newer"),
        ({"schema_version": True}, "bad_request"),
        ({"nonsense": 1, "role": "boss"}, "unknown_filter"),
        ({"role": "boss"}, "value_out_of_set"),
        ({"active_only": "yes"}, "value_out_of_set"),
    ],
)
def test_list_agents_refusals(
    services: FakeServices, params: dict[str, Any], expected: str
) -> None:
    assert code(ask(services, HOST, "list_agents", params)) == expected


def test_list_containers_booleans_are_strict(services: FakeServices) -> None:
    assert code(ask(services, HOST, "list_containers", {"active_only": 1})) == "bad_request"
    assert ask(services, HOST, "list_containers", {"active_only": True, "x": 1})["ok"] is True


def test_registry_that_cannot_be_asked_is_internal_error(services: FakeServices) -> None:
    dispatcher = Dispatcher(method_table(services), services.resolve_container)
    job = dispatcher.accept(b'{"method":"managed.layout.list"}')
    assert isinstance(job, Job)

    def broken() -> Caller:
        raise OSError("disk I/O error: /secret")

    outcome = dispatcher.run(job, broken)
    assert isinstance(outcome, Answer)
    error = decoded(outcome.line)["error"]
    assert error["code"] == "internal_error"
    assert "secret" not in error["message"]
    assert services.calls == []


# --- panes and agents ----------------------------------------------------------------------------


def test_a_client_is_told_in_which_container_it_is(services: FakeServices) -> None:
    assert ask(services, HOST, "list_containers")["result"]["caller_container_id"] is None
    assert ask(services, BENCH, "list_containers")["result"]["caller_container_id"] == OWN


def test_only_what_was_named_reaches_a_registration(services: FakeServices) -> None:
    ask(services, HOST, "register_agent", REGISTER)
    optional = {"label": "", "parent_agent_id": None, "attach_log": {"log_path": "/l"}}
    ask(services, HOST, "register_agent", {**REGISTER, **optional, "schema_version": 99})
    ask(services, HOST, "register_agent", {**REGISTER, "role": "slave", "attach_log": {}})
    ask(services, HOST, "register_agent", {**REGISTER, "attach_log": None})
    with_log = {"label": "", "parent_agent_id": None}
    assert services.calls == [
        ("register_agent", {"key": KEY, "given": {}}),
        ("begin_registration", {"key": KEY, "given": with_log, "log_path": "/l"}),
        ("begin_registration", {"key": KEY, "given": {"role": "slave"}, "log_path": None}),
        ("register_agent", {"key": KEY, "given": {}}),
    ]


@pytest.mark.parametrize(
    ("change", "expected", "named"),
    [
        ({"schema_version": 8, "nonsense": 1}, "schema_version_newer", "schema"),
        ({"schema_version": True}, "bad_request", "schema_version"),
        ({"confirm": True}, "bad_request", "confirm"),
        ({"source": "explicit"}, "bad_request", "source"),
        ({"socket_peer_uid": 0}, "bad_request", "socket_peer_uid"),
        ({"role": None}, "bad_request", "role"),
        ({"label": 3}, "bad_request", "label"),
        ({"container_id": 3}, "bad_request", "container_id"),
        ({"pane_composite_key": None}, "bad_request", "pane_composite_key"),
        ({"pane_composite_key": {}}, "bad_request", "pane_composite_key.container_id"),
        ({"pane_composite_key": {**KEY, "x": 1}}, "bad_request", "pane_composite_key.x"),
        (
            {"pane_composite_key": {**KEY, "tmux_window_index": "0"}},
            "bad_request",
            "pane_composite_key.tmux_window_index",
        ),
        (
            {"pane_composite_key": {**KEY, "tmux_pane_index": True}},
            "bad_request",
            "pane_composite_key.tmux_pane_index",
        ),
        ({"attach_log": {"source": "x"}}, "bad_request", "attach_log.source"),
        ({"attach_log": True}, "bad_request", "attach_log"),
        ({"container_id": OTHER}, "value_out_of_set", "container_id"),
        ({"pane_composite_key": {**KEY, "tmux_pane_id": "3"}}, "value_out_of_set", "tmux_pane_id"),
    ],
)
def test_registrations_that_are_refused(
    services: FakeServices, change: dict[str, Any], expected: str, named: str
) -> None:
    answer = ask(services, HOST, "register_agent", {**REGISTER, **change})
    assert code(answer) == expected
    assert named in answer["error"]["message"]
    assert services.calls == []


@pytest.mark.parametrize("reference", [OTHER, "nowhere"])
def test_bench_registers_in_its_own_container_only(services: FakeServices, reference: str) -> None:
    foreign = {"container_id": reference, "pane_composite_key": {**KEY, "container_id": reference}}
    assert code(ask(services, BENCH, "register_agent", foreign)) == "host_only"
    mixed = {"container_id": OWN, "pane_composite_key": {**KEY, "container_id": reference}}
    assert code(ask(services, BENCH, "register_agent", mixed)) == "value_out_of_set"
    assert services.calls == []
    assert ask(services, BENCH, "register_agent", REGISTER)["ok"] is True


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("set_role", {"agent_id": AGENT}),
        ("set_role", {"agent_id": AGENT, "role": "slave", "confirm": 1}),
        ("set_role", {"agent_id": AGENT, "role": "slave", "source": "x"}),
        ("set_label", {"agent_id": AGENT, "label": None}),
        ("set_label", {"label": "x"}),
        ("set_capability", {"agent_id": AGENT, "capability": "codex", "confirm": True}),
        ("scan_panes", {"container": 3}),
        ("list_panes", {"active_only": "yes"}),
        ("list_panes", {"container": []}),
    ],
)
def test_bad_requests_about_panes_and_agents(
    services: FakeServices, method: str, params: dict[str, Any]
) -> None:
    assert code(ask(services, HOST, method, params)) == "bad_request"
    assert services.calls == []


def test_scans_and_lists_ignore_what_they_do_not_know(services: FakeServices) -> None:
    ask(services, HOST, "scan_panes", {"container": OWN, "nonsense": 1})
    ask(services, HOST, "list_panes", {"container": "one", "nonsense": 1})
    assert services.calls == [
        ("scan_panes", {"container": OWN}),
        ("list_found_panes", {"scope": None, "active_only": False, "container": "one"}),
    ]


def test_a_scan_that_must_wait_is_parked(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "scan_panes", lambda caller, container: None)
    dispatcher = Dispatcher(method_table(services), services.resolve_container)
    job = dispatcher.accept(b'{"method":"scan_panes"}')
    assert isinstance(job, Job)
    assert isinstance(dispatcher.run(job, lambda: HOST), Pending)
    last = dispatcher.run(job, lambda: HOST, final=True)
    assert isinstance(last, Answer)
    assert code(decoded(last.line)) == "internal_error"
