"""What changes things in ``app.*``: an answer of each method, each code, each detail key."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from tests.conformance.row import Row, no, ok
from tests.conformance.rows_managed import (
    at_the_end_of_its_chain,
    creating,
    forty_layouts,
    ready,
    removed,
    temporary,
)
from tests.conformance.rows_older import no_engine, without_tmux
from tests.conformance.scene import NO_ID, NOBODY, Lonely, Scene
from tests.support.layouts import settled, tmux

_tokens: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_removed: WeakKeyDictionary[Scene, str] = WeakKeyDictionary()
ADOPT = "app.agent.register_from_pane"
SAID = {"role": "slave", "capability": "shell", "label": "adopted"}


def asked(given: Callable[[Any], dict[str, Any]] | dict[str, Any] | None = None) -> Any:
    """Parameters in the session of the place."""

    def params(place: Any) -> dict[str, Any]:
        if place not in _tokens:
            _tokens[place] = place.tower.result("app.hello")["app_session_token"]
        more = given(place) if callable(given) else given or {}
        return {"app_session_token": _tokens[place], **more}

    return params


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


def youngest(s: Scene) -> dict[str, Any]:
    """The layout that :func:`creating` began last, once it is there."""
    [found] = [
        item["layout_id"]
        for item in s.result("managed.layout.list", container_id=s.own.id)["items"]
        if item["tmux_session_name"] == "young" and item["state"] != "removed"
    ]
    settled(s.tower, found)
    return {"layout_id": found}


def also_removed(s: Scene) -> dict[str, Any]:
    """Another removed pane than the scene's own."""
    _removed[s] = s.pane_ids(s.old)[-1]
    s.result("managed.pane.remove", pane_id=_removed[s])
    return {"predecessor_pane_id": _removed[s]}


RULE = {
    "event_type": "swarm_member_reported",
    "target": {"rule": "source", "value": None},
    "template": "{event_excerpt}",
}
MANAGED = "app.managed_"

APP_CHANGE_ROWS = (
    ok(ADOPT, asked(fresh)),
    ok(ADOPT, asked(with_log)),
    no(ADOPT, "validation_failed", asked(lambda s: fresh(s) | {"role": "master"}), "field reason"),
    no(ADOPT, "pane_already_registered", asked(pane("taken")), "agent_id"),
    no(ADOPT, "pane_not_found", asked(pane("taken", pane_id="%999")), "pane_id mismatch_field"),
    no(
        ADOPT,
        "agent_not_found",
        asked(lambda s: fresh(s) | {"role": "swarm", "parent_agent_id": NOBODY}),
        "agent_id",
    ),
    no(ADOPT, "container_inactive", asked(pane("lost")), "container_id", during=stopped_container),
    ok("app.agent.update", asked(of("twin1", label="twin"))),
    no("app.agent.update", "agent_not_found", asked(of("gone", label="x")), "agent_id"),
    no("app.agent.update", "validation_failed", asked(of("twin1", role="")), "field reason"),
    no(
        "app.agent.update",
        "container_inactive",
        asked(of("lost", role="shell")),
        "container_id",
        during=stopped_container,
    ),
    ok("app.log.attach", asked(of("twin2"))),
    ok("app.log.detach", asked(of("twin2"))),
    ok("app.log.detach", asked(of("twin2"))),
    no("app.log.attach", "agent_not_found", asked({"agent_id": NOBODY}), "agent_id"),
    no("app.log.detach", "agent_not_found", asked({"agent_id": NOBODY}), "agent_id"),
    no("app.log.attach", "log_attach_blocked", asked(of("gone")), "agent_id reason"),
    no(
        "app.log.attach",
        "container_inactive",
        asked(of("lost")),
        "container_id",
        during=stopped_container,
    ),
    ok("app.send_input", asked(input_for_a_slave)),
    no("app.send_input", "agent_not_found", asked(
        {"target_agent_id": NOBODY, "payload": {}}), "agent_id"),
    no("app.send_input", "permission_denied", asked(input_for("boss")), "reason"),
    no("app.send_input", "routing_disabled", asked(input_for_a_slave), during=switched_off),
    ok("app.queue.cancel", asked(held)),
    ok("app.queue.approve", asked(held)),
    Row("app.queue.delay", asked(queued), during=on_again_afterwards),
    no(
        "app.queue.approve",
        "routing_disabled",
        asked(held_by_the_switch),
        during=on_again_afterwards,
    ),
    no("app.queue.delay", "stale_object", asked(lambda s: held(s) | {"delay_ms": 0})),
    no("app.queue.cancel", "queue_message_not_found", asked({"message_id": NO_ID}), "message_id"),
    ok("app.route.add", asked(RULE)),
    ok("app.route.update", asked(lambda s: routed(s) | {"enabled": False})),
    ok("app.route.remove", asked(routed)),
    no("app.route.remove", "route_not_found", asked({"route_id": NO_ID}), "route_id"),
    no("app.route.update", "route_not_found", asked(
        {"route_id": NO_ID, "enabled": True}), "route_id"),
    no("app.route.add", "validation_failed", asked(RULE | {"template": ""}), "field reason"),
)  # fmt: skip

APP_ROWS_WITHOUT_AN_ENGINE = (
    no(f"{MANAGED}layout_create", "docker_unavailable", asked(Lonely.wish), where="lonely",
        during=no_engine),
)  # fmt: skip
"""Before anything in that tower has asked its engine, and holds a connection."""

APP_MANAGED_ROWS = (
    ok(f"{MANAGED}layout_create", asked(lambda s: s.wish("panel", label_prefix="pa-"))),
    ok(f"{MANAGED}layout_list", asked()),
    ok(f"{MANAGED}layout_detail", asked(lambda s: {"layout_id": s.layout})),
    ok(f"{MANAGED}layout_remove", asked(temporary)),
    ok(f"{MANAGED}pane_list", asked()),
    ok(f"{MANAGED}pane_detail", asked(lambda s: {"pane_id": s.panes[0]})),
    ok(f"{MANAGED}pane_remove", asked(lambda s: {"pane_id": s.removed})),
    no(f"{MANAGED}layout_create", "container_not_found", asked(
        lambda s: s.wish("x", container_id="nobody")), "container_id"),
    no(f"{MANAGED}layout_create", "managed_template_not_found", asked(
        lambda s: s.wish("x", template_name="nope")), "template_name known_templates"),
    no(f"{MANAGED}layout_create", "managed_launch_command_not_found", asked(
        lambda s: s.wish("x", launch_command_overrides={"slave:s1": "nope"})),
        "profile_name known_profiles"),
    no(f"{MANAGED}layout_create", "managed_pane_label_conflict", asked(
        lambda s: s.wish("x")), "container_id label"),
    no(f"{MANAGED}layout_create", "managed_session_name_conflict", asked(
        lambda s: s.wish("taken", label_prefix="z-")), "container_id tmux_session_name"),
    no(f"{MANAGED}layout_create", "managed_layout_capacity_exceeded", asked(
        lambda s: s.wish("x", label_prefix="z-")), "current_count limit", during=forty_layouts),
    no(f"{MANAGED}layout_create", "worker_unavailable", asked(Lonely.wish), where="lonely"),
    no(f"{MANAGED}layout_detail", "managed_layout_not_found", asked(
        {"layout_id": NO_ID}), "layout_id"),
    no(f"{MANAGED}pane_detail", "managed_pane_not_found", asked({"pane_id": NO_ID}), "pane_id"),
    no(f"{MANAGED}pane_remove", "managed_pane_protected_adopted", asked(
        lambda s: {"pane_id": s.ids["taken"]}), "agent_id is_adopted"),
    no(f"{MANAGED}pane_remove", "managed_pane_illegal_transition", asked(creating),
        "pane_id current_state requested_action"),
    ok(f"{MANAGED}layout_remove", asked(youngest)),
    no(f"{MANAGED}pane_recreate", "managed_pane_illegal_recreate_source", asked(ready),
        "predecessor_pane_id current_state"),
    no(f"{MANAGED}pane_recreate", "managed_pane_recreate_chain_too_deep", asked(removed),
        "predecessor_pane_id predecessor_chain_depth limit", during=at_the_end_of_its_chain),
    ok(f"{MANAGED}pane_recreate", asked(also_removed)),
    no(f"{MANAGED}pane_recreate", "managed_pane_concurrent_recreate", asked(
        lambda s: {"predecessor_pane_id": _removed[s]}),
        "predecessor_pane_id in_flight_successor_pane_id"),
    no(f"{MANAGED}layout_create", "container_inactive", asked(
        lambda s: s.wish("x", container_id=s.other.id)), "container_id"),
    no(f"{MANAGED}layout_create", "tmux_unavailable", asked(
        lambda s: s.wish("x", container_id=s.bare.id)), during=without_tmux),
    no(f"{MANAGED}pane_promote_from_adopted", "not_implemented", asked(), "reserved_since"),
)  # fmt: skip
