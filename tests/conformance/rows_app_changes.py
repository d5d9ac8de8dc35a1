"""What changes things in ``app.*``: an answer of each method, each code, each detail key."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.conformance.row import Row, no, ok
from tests.conformance.scene import NO_ID, NOBODY, Scene
from tests.support.layouts import tmux

ADOPT = "app.agent.register_from_pane"
SAID = {"role": "slave", "capability": "shell", "label": "adopted"}


def pane(name: str, **more: Any) -> Callable[[Scene], dict[str, Any]]:
    """The parameters that adopt the pane of a session."""

    def params(s: Scene) -> dict[str, Any]:
        key = s.keys[name]
        return {
            "container_id": key["container_id"],
            "tmux_socket": key["tmux_socket_path"],
            "session_name": key["tmux_session_name"],
            "window_index": key["tmux_window_index"],
            "pane_index": key["tmux_pane_index"],
            "pane_id": key["tmux_pane_id"],
            **SAID,
            **more,
        }

    return params


def fresh(s: Scene) -> dict[str, Any]:
    """As :func:`pane`, of a session that was started just now."""
    name = f"fresh{uuid.uuid4().hex[:6]}"
    tmux(s.own, "new-session", "-d", "-s", name, "cat")
    s.result("scan_panes", container=s.own.id)
    [row] = [x for x in s.result("list_panes")["panes"] if x["tmux_session_name"] == name]
    parts = ("socket_path", "session_name", "window_index", "pane_index", "pane_id")
    s.keys[name] = {"container_id": s.own.id} | {f"tmux_{x}": row[f"tmux_{x}"] for x in parts}
    return pane(name)(s)


def with_log(s: Scene) -> dict[str, Any]:
    return fresh(s) | {"attach_log": True}


def of(name: str, **more: Any) -> Callable[[Scene], dict[str, Any]]:
    """The agent of a session."""
    return lambda s: {"agent_id": s.ids[name], **more}


def input_for(name: str) -> Callable[[Scene], dict[str, Any]]:
    return lambda s: {"target_agent_id": s.ids[name], "payload": {"n": 1}}


def held(s: Scene) -> dict[str, Any]:
    """A prompt that waits for somebody."""
    return {"message_id": s.prompt_for("gone")}


def input_for_a_slave(s: Scene) -> dict[str, Any]:
    agent_id = s.result("managed.pane.detail", pane_id=s.panes[1])["agent_id"]
    return {"target_agent_id": agent_id, "payload": {"n": 1}}


def queued(s: Scene) -> dict[str, Any]:
    """A prompt that stands in line; the switch keeps it there."""
    s.result("routing.disable")
    message_id = s.prompt_for("gone")
    s.sql(
        "UPDATE prompt SET state = 'queued', block_reason = NULL WHERE message_id = ?", message_id
    )
    return {"message_id": message_id, "delay_ms": 3_600_000}


def held_by_the_switch(s: Scene) -> dict[str, Any]:
    s.result("routing.disable")
    return {"message_id": s.prompt_for("taken")}


def routed(s: Scene) -> dict[str, Any]:
    return {"route_id": str(s.result("routes.add", **s.rule())["route_id"])}


@contextmanager
def switched_off(s: Scene) -> Iterator[None]:
    s.result("routing.disable")
    try:
        yield
    finally:
        s.result("routing.enable")


@contextmanager
def on_again_afterwards(s: Scene) -> Iterator[None]:
    try:
        yield
    finally:
        s.result("routing.enable")


@contextmanager
def stopped_container(s: Scene) -> Iterator[None]:
    s.sql("UPDATE container SET active = 0 WHERE id = ?", s.bare.id)
    try:
        yield
    finally:
        s.sql("UPDATE container SET active = 1 WHERE id = ?", s.bare.id)


RULE = {
    "event_type": "swarm_member_reported",
    "target": {"rule": "source", "value": None},
    "template": "{event_excerpt}",
}
APP_CHANGE_ROWS = (
    ok(ADOPT, fresh),
    ok(ADOPT, with_log),
    no(ADOPT, "validation_failed", lambda s: fresh(s) | {"role": "master"}, "field reason"),
    no(ADOPT, "pane_already_registered", pane("taken"), "agent_id"),
    no(ADOPT, "pane_not_found", pane("taken", pane_id="%999"), "pane_id mismatch_field"),
    no(
        ADOPT,
        "agent_not_found",
        lambda s: fresh(s) | {"role": "swarm", "parent_agent_id": NOBODY},
        "agent_id",
    ),
    no(ADOPT, "container_inactive", pane("lost"), "container_id", during=stopped_container),
    ok("app.agent.update", of("twin1", label="twin")),
    no("app.agent.update", "agent_not_found", of("gone", label="x"), "agent_id"),
    no("app.agent.update", "validation_failed", of("twin1", role=""), "field reason"),
    no(
        "app.agent.update",
        "container_inactive",
        of("lost", role="shell"),
        "container_id",
        during=stopped_container,
    ),
    ok("app.log.attach", of("twin2")),
    ok("app.log.detach", of("twin2")),
    ok("app.log.detach", of("twin2")),
    no("app.log.attach", "agent_not_found", {"agent_id": NOBODY}, "agent_id"),
    no("app.log.detach", "agent_not_found", {"agent_id": NOBODY}, "agent_id"),
    no("app.log.attach", "log_attach_blocked", of("gone"), "agent_id reason"),
    no(
        "app.log.attach",
        "container_inactive",
        of("lost"),
        "container_id",
        during=stopped_container,
    ),
    ok("app.send_input", input_for_a_slave),
    no("app.send_input", "agent_not_found", {"target_agent_id": NOBODY, "payload": {}}, "agent_id"),
    no("app.send_input", "permission_denied", input_for("boss"), "reason"),
    no("app.send_input", "routing_disabled", input_for_a_slave, during=switched_off),
    ok("app.queue.cancel", held),
    ok("app.queue.approve", held),
    Row("app.queue.delay", queued, during=on_again_afterwards),
    no(
        "app.queue.approve",
        "routing_disabled",
        held_by_the_switch,
        during=on_again_afterwards,
    ),
    no("app.queue.delay", "stale_object", lambda s: held(s) | {"delay_ms": 0}),
    no("app.queue.cancel", "queue_message_not_found", {"message_id": NO_ID}, "message_id"),
    ok("app.route.add", RULE),
    ok("app.route.update", lambda s: routed(s) | {"enabled": False}),
    ok("app.route.remove", routed),
    no("app.route.remove", "route_not_found", {"route_id": NO_ID}, "route_id"),
    no("app.route.update", "route_not_found", {"route_id": NO_ID, "enabled": True}, "route_id"),
    no("app.route.add", "validation_failed", RULE | {"template": ""}, "field reason"),
)  # fmt: skip
