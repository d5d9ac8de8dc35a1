"""The older surfaces: an answer of each method, and each of their codes once or more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conformance.fake_engine import answering
from tests.conformance.row import Row, no, ok
from tests.conformance.scene import NO_ID, NOBODY, Lonely, Scene, kept, text
from tests.support.layouts import tmux
from tests.support.relay import relay
from tests.support.waiting import wait_until

IDLE_S = 1.0
"""How long a session of followers may be idle in the scene."""


def of(name: str, **more: Any) -> Any:
    """Parameters about an agent of the scene."""
    return lambda s: {"agent_id": s.ids[name], **more}


def registering(name: str, **given: Any) -> Any:
    """Parameters of a registration; what is called is asked with the scene."""
    return lambda s: s.registration(
        name, **{key: value(s) if callable(value) else value for key, value in given.items()}
    )


def agent(name: str) -> Any:
    return lambda s: s.ids[name]


# --- what stands while a request is made ---------------------------------------------------------


@contextmanager
def broken_configuration(s: Scene) -> Iterator[None]:
    with kept(s.tower.home.paths.config_file, "[containers\n"):
        yield


@contextmanager
def without_table(s: Scene) -> Iterator[None]:
    s.sql("ALTER TABLE pane_scan RENAME TO pane_scan_away")
    try:
        yield
    finally:
        s.sql("ALTER TABLE pane_scan_away RENAME TO pane_scan")


@contextmanager
def deaf_tmux(s: Scene) -> Iterator[None]:
    """A tmux that knows no ``pipe-pane``."""
    tmux(s.own, "set", "-s", "command-alias[90]", "pipe-pane=no-such-command")
    try:
        yield
    finally:
        tmux(s.own, "set", "-su", "command-alias[90]")


@contextmanager
def without_tmux(s: Scene) -> Iterator[None]:
    s.bare.exec_run(["mv", "/usr/bin/tmux", "/usr/bin/away"])
    try:
        yield
    finally:
        s.bare.exec_run(["mv", "/usr/bin/away", "/usr/bin/tmux"])


@contextmanager
def worker_without_tmux(s: Scene) -> Iterator[None]:
    """A worker that comes to a bench whose tmux is gone, though the server runs on."""
    s.tower.stop("worker")
    with without_tmux(s):
        s.tower.start("worker")
        yield


@contextmanager
def a_thousand_routes(s: Scene) -> Iterator[None]:
    s.fill("route", 1000, route_id="00000000-0000-4000-9000-{n:012d}", enabled="0")
    try:
        yield
    finally:
        s.sql("DELETE FROM route WHERE route_id LIKE '00000000-0000-4000-9000-%'")


@contextmanager
def no_engine(place: Lonely) -> Iterator[None]:
    place.engine.is_at("/nonexistent")
    try:
        yield
    finally:
        place.engine.is_real()


def engine_that_says(status: int, body: bytes) -> Any:
    @contextmanager
    def during(place: Lonely) -> Iterator[None]:
        path = place.tower.home.root / "fake.sock"
        with answering(path, status, body):
            place.engine.is_at(path)
            yield
        place.engine.is_real()

    return during


@contextmanager
def forbidden_engine(place: Lonely) -> Iterator[None]:
    path = place.tower.home.root / "forbidden.sock"
    with answering(path, 200, b"[]"):
        path.chmod(0)
        place.engine.is_at(path)
        yield
    place.engine.is_real()


@contextmanager
def silent_engine(place: Lonely) -> Iterator[None]:
    path = place.tower.home.root / "silent.sock"
    path.unlink(missing_ok=True)
    with relay(str(path), place.engine.url) as deaf:
        deaf.hang()
        place.engine.is_at(path)
        yield
    place.engine.is_real()


# --- parameters that take a step or two ----------------------------------------------------------


def idle_session(s: Scene) -> dict[str, Any]:
    over = s.followed_at + IDLE_S + 0.1
    wait_until(lambda: time.monotonic() > over, 10, "the session to have been idle")
    return {"session_id": s.follower}


def opened_session(s: Scene) -> dict[str, Any]:
    return {"session_id": s.result("events.follow_open")["session_id"]}


def lost_log(s: Scene) -> dict[str, Any]:
    attached = s.result("attach_log", agent_id=s.ids["boss"])
    Path(attached["log_path"]).unlink()
    return {"agent_id": s.ids["boss"], "lines": 5}


def log_of_another(s: Scene) -> dict[str, Any]:
    log = s.result("attach_log_status", agent_id=s.ids["taken"])["attachment"]
    return {"agent_id": s.ids["boss"], "log_path": log["log_path"]}


def long_file(s: Scene) -> dict[str, Any]:
    path = s.tower.home.root / "long"
    path.write_bytes(b"x" * 70_000)
    return {"target": s.ids["taken"], "body_file": str(path)}


def in_flight(s: Scene) -> dict[str, Any]:
    """A prompt whose worker died over it."""
    s.tower.stop("worker")
    s.tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "prompt.claimed"})
    message_id = s.prompt_for("taken")
    s.tower.wait_killed("worker")
    return {"message_id": message_id}


def prompting(name: str, body: bytes | str = b"hello", **more: Any) -> Any:
    return lambda s: {"target": s.ids[name], "body_bytes": text(body), **more}


def sending(speaker: Any, **more: Any) -> Any:
    return lambda s: {
        "target": s.ids["taken"],
        "body_bytes": text(),
        "caller_pane": speaker(s),
        "wait": False,
        **more,
    }


def held(s: Scene) -> dict[str, Any]:
    return {"message_id": s.held}


def routed(s: Scene) -> dict[str, Any]:
    return {"route_id": s.route}


def ruled(**said: Any) -> Any:
    return lambda s: s.rule(**said)


DAEMON_ROWS = (
    ok("ping"),
    ok("status"),
    Row("status", asks="bench"),
    ok("scan_containers"),
    ok("list_containers", {"active_only": True}),
    ok("scan_panes", lambda s: {"container": s.own.id}),
    ok("list_panes", {"active_only": False}),
    no("nope", "unknown_method"),
    no("shutdown", "host_only", asks="bench"),
    no("scan_panes", "bad_request", {"container": "nobody"}),
    no("scan_panes", "internal_error", during=without_table),
    no("scan_containers", "config_invalid", during=broken_configuration),
    no("scan_containers", "docker_unavailable", where="lonely", during=no_engine),
    no("scan_containers", "docker_permission_denied", where="lonely", during=forbidden_engine),
    no(
        "scan_containers",
        "docker_failed",
        where="lonely",
        during=engine_that_says(500, b'{"message": "out of order"}'),
    ),
    no(
        "scan_containers",
        "docker_malformed",
        where="lonely",
        during=engine_that_says(200, b"[1, 2]"),
    ),
    no("scan_containers", "docker_timeout", where="lonely", during=silent_engine),
)

AGENT_ROWS = (
    ok("list_agents", {"role": ["slave", "master"], "active_only": True}),
    ok("list_agents", lambda s: {"container_id": s.own.id[:12]}),
    ok("register_agent", registering("free")),
    ok(
        "register_agent",
        registering("swarm", role="swarm", parent_agent_id=agent("taken"), attach_log={}),
    ),
    ok("set_role", of("twin1", role="shell")),
    ok("set_label", of("twin1", label="twin")),
    ok("set_capability", of("twin1", capability="codex")),
    no("list_agents", "unknown_filter", {"capability": "codex"}),
    no("list_agents", "schema_version_newer", {"schema_version": 1}),
    no("set_label", "agent_not_found", {"agent_id": NOBODY, "label": "x"}),
    no("set_label", "agent_inactive", of("gone", label="x")),
    no("set_label", "field_too_long", of("taken", label="x" * 65)),
    no("set_capability", "value_out_of_set", of("taken", capability="Not One")),
    no("set_role", "master_confirm_required", of("taken", role="master")),
    no("set_role", "swarm_role_via_set_role_rejected", of("taken", role="swarm")),
    no("register_agent", "pane_unknown_to_daemon", lambda s: {
        "container_id": s.own.id, "pane_composite_key": s.nowhere()["pane_composite_key"]}),
    no("register_agent", "project_path_invalid", registering("free2", project_path="src")),
    no("register_agent", "master_via_register_self_rejected", registering("free2", role="master")),
    no("register_agent", "swarm_parent_required", registering("free2", role="swarm")),
    no(
        "register_agent",
        "parent_role_mismatch",
        registering("free2", role="slave", parent_agent_id=agent("taken")),
    ),
    no(
        "register_agent",
        "parent_not_found",
        registering("free2", role="swarm", parent_agent_id=NOBODY),
    ),
    no(
        "register_agent",
        "parent_inactive",
        registering("free2", role="swarm", parent_agent_id=agent("gone")),
    ),
    no(
        "register_agent",
        "parent_role_invalid",
        registering("free2", role="swarm", parent_agent_id=agent("boss")),
    ),
    no(
        "register_agent",
        "parent_immutable",
        registering("taken", role="swarm", parent_agent_id=agent("twin2")),
    ),
)  # fmt: skip

LOG_ROWS = (
    ok("attach_log", of("taken")),
    ok("attach_log_status", of("taken")),
    ok("attach_log_status", of("twin1")),
    ok("attach_log_preview", of("taken", lines=200)),
    ok("logs.read", of("taken", offset=0)),
    ok("attach_log", of("twin2")),
    ok("detach_log", of("twin2")),
    no("detach_log", "attachment_not_found", of("twin2")),
    no("attach_log", "log_path_invalid", of("taken", log_path="relative.log")),
    no("attach_log", "log_path_not_host_visible", of("taken", log_path="/opt/away/x.log")),
    no("attach_log", "log_path_in_use", log_of_another),
    no("attach_log", "pipe_pane_failed", of("twin1"), during=deaf_tmux),
    no("attach_log", "tmux_unavailable", of("lost"), during=worker_without_tmux),
    no("attach_log_preview", "log_file_missing", lost_log),
    no("attach_log", "worker_unavailable", lambda p: {"agent_id": p.agent}, where="lonely"),
)

EVENT_ROWS = (
    ok("events.list", {"limit": 50}),
    ok("events.list", {"types": ["managed_pane_created", "error"], "reverse": True}),
    ok("events.follow_open", {"since": "2020-01-01T00:00:00Z"}),
    ok("events.follow_next", lambda s: opened_session(s) | {"max_wait_seconds": 0.05}),
    ok("events.follow_close", opened_session),
    ok("events.classifier_rules"),
    no("events.list", "events_filter_invalid", {"limit": 51}),
    no("events.list", "agent_not_found", {"target": NOBODY}),
    no("events.list", "events_invalid_cursor", {"cursor": "bm9uZQ"}),
    no("events.follow_next", "events_session_unknown", {"session_id": "fs_000000000000"}),
    no("events.follow_next", "events_session_expired", idle_session),
)

PROMPT_ROWS = (
    ok("queue.operator_input", prompting("taken", wait_timeout_seconds=20)),
    ok("queue.send_input", sending(lambda s: s.speaking("boss"))),
    ok("queue.show", held),
    ok("queue.list", {"limit": 1000}),
    ok("routing.status"),
    ok("routing.disable"),
    ok("queue.approve", held),
    no("queue.approve", "approval_not_applicable", held),
    ok("queue.delay", held),
    no("queue.delay", "delay_not_applicable", held),
    ok("queue.cancel", held),
    no("queue.cancel", "terminal_state_cannot_change", held),
    ok("routing.enable"),
    no("queue.operator_input", "body_empty", prompting("taken", b"")),
    no("queue.operator_input", "body_invalid_encoding", prompting("taken", b"\xff")),
    no("queue.operator_input", "body_invalid_chars", prompting("taken", b"\r")),
    no("queue.operator_input", "body_too_large", long_file),
    no("queue.operator_input", "agent_not_found", {"target": NOBODY, "body_bytes": text()}),
    no("queue.operator_input", "target_label_ambiguous", {"target": "twin", "body_bytes": text()}),
    no("queue.send_input", "sender_not_in_pane", prompting("taken")),
    no("queue.send_input", "sender_role_not_permitted", sending(lambda s: s.nowhere())),
    no("queue.cancel", "message_id_not_found", {"message_id": NO_ID}),
    no(
        "queue.approve",
        "operator_pane_inactive",
        lambda s: held(s) | {"caller_pane": s.nowhere()},
    ),
    no("queue.list", "since_invalid_format", {"since": "yesterday"}),
    no("queue.list", "queue_origin_invalid", {"origin": "elsewhere"}),
    no("routing.enable", "routing_toggle_host_only", {"caller_pane": {}}),
    no("routing.disable", "routing_toggle_host_only", asks="bench"),
)

ROUTE_ROWS = (
    ok("routes.add", ruled()),
    Row("routes.add", ruled(), asks="bench"),
    ok("routes.list"),
    ok("routes.show", routed),
    ok("routes.disable", routed),
    ok("routes.enable", routed),
    ok("routes.preview", lambda s: {"event_id": s.event, "route_id": s.route}),
    ok("routes.preview", lambda s: {"event_id": s.event, "route": s.rule(event_type="error")}),
    ok("routes.preview", lambda s: {
        "event_id": s.event, "route": s.rule(event_type="error", target_value=s.ids["taken"])}),
    no("routes.preview", "event_id_not_found", lambda s: {"event_id": 10**9, "route_id": s.route}),
    no("routes.add", "route_event_type_invalid", ruled(event_type="nothing")),
    no("routes.add", "route_master_rule_invalid", ruled(master_value=NOBODY)),
    no("routes.add", "route_target_rule_invalid", ruled(target_rule="source")),
    no("routes.add", "route_source_scope_invalid", ruled(source_scope_value=NOBODY)),
    no("routes.add", "route_template_invalid", ruled(template="{nothing}")),
    no("routes.add", "route_creation_failed", ruled(), during=a_thousand_routes),
    ok("routes.remove", routed),
    no("routes.show", "route_id_not_found", routed),
)  # fmt: skip

LAST_ROWS = (no("queue.cancel", "delivery_in_progress", in_flight),)
"""After these there is no worker."""
