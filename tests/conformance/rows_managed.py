"""``managed.*``: an answer of each method, each code once or more, each detail key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conformance.row import Row, no, ok
from tests.conformance.rows_older import no_engine, without_tmux
from tests.conformance.scene import NO_ID, Scene
from tests.support.freezer import frozen
from tests.support.layouts import settled


def wish(session: str, **more: Any) -> Any:
    """Parameters of a creation."""
    return lambda s: s.wish(session, **more)


def creating(s: Scene) -> dict[str, Any]:
    """A pane that is being created."""
    made = s.result("managed.layout.create", **s.wish("young", label_prefix="y-"))
    return {"pane_id": made["panes"][0]["pane_id"]}


def temporary(s: Scene) -> dict[str, Any]:
    return {"layout_id": s.created("temporary", label_prefix="t-")}


def removed(s: Scene) -> dict[str, Any]:
    return {"predecessor_pane_id": s.removed}


def ready(s: Scene) -> dict[str, Any]:
    return {"predecessor_pane_id": s.panes[0]}


def young(s: Scene) -> dict[str, Any]:
    """The layout that :func:`creating` began, once it is there."""
    [found] = [
        item["layout_id"]
        for item in s.result("managed.layout.list")["items"]
        if item["tmux_session_name"] == "young"
    ]
    settled(s.tower, found)
    return {"layout_id": found}


@contextmanager
def at_the_end_of_its_chain(s: Scene) -> Iterator[None]:
    deep = "UPDATE managed_pane SET chain_depth = ?, predecessor_id = ? WHERE pane_id = ?"
    s.sql(deep, 15, s.panes[0], s.removed)
    try:
        yield
    finally:
        s.sql(deep, 0, None, s.removed)


@contextmanager
def unreadable_row(s: Scene) -> Iterator[None]:
    s.sql("UPDATE managed_pane SET restart = '{' WHERE pane_id = ?", s.removed)
    try:
        yield
    finally:
        s.sql("UPDATE managed_pane SET restart = NULL WHERE pane_id = ?", s.removed)


@contextmanager
def forty_layouts(s: Scene) -> Iterator[None]:
    s.fill(
        "managed_layout",
        40,
        layout_id="00000000-0000-4000-9000-{n:012d}",
        tmux_session_name="filled{n}",
        tmux_session_target="filled{n}",
    )
    try:
        yield
    finally:
        s.sql("DELETE FROM managed_layout WHERE tmux_session_name LIKE 'filled%'")


@contextmanager
def frozen_bench(s: Scene) -> Iterator[None]:
    with frozen(s.bare):
        yield


def stopped(s: Scene) -> dict[str, Any]:
    """A creation in a bench that does not run any more."""
    s.other.reload()
    if s.other.status == "running":
        s.other.kill()
    s.result("scan_containers")
    return s.wish("nowhere", container_id=s.other.id)


MANAGED_ROWS = (
    ok("managed.layout.create", wish("keyed", idempotency_key="key", label_prefix="k-")),
    ok("managed.layout.create", wish("keyed", idempotency_key="key")),
    ok("managed.layout.list", {"state": ["ready", "creating"], "limit": 1}),
    ok("managed.layout.detail", lambda s: {
        "layout_id": s.old, "include_terminal_panes": True}),
    ok("managed.layout.watch", lambda s: {"layout_id": s.layout}),
    ok("managed.pane.list", lambda s: {"layout_id": s.layout}),
    ok("managed.pane.detail", lambda s: {"pane_id": s.panes[0]}),
    ok("managed.pane.detail", lambda s: {
        "pane_id": s.removed, "include_predecessor_chain": True}),
    ok("managed.event.list", {"limit": 200}),
    ok("managed.layout.remove", temporary),
    ok("managed.pane.remove", lambda s: {"pane_id": s.removed}),
    no("managed.nope", "unknown_method"),
    no("managed.layout.list", "validation_failed", {"limit": 0}, "field reason"),
    no("managed.layout.create", "validation_failed", wish("no spaces"), "field reason"),
    no("managed.layout.detail", "host_only", lambda s: {"layout_id": NO_ID}, asks="bench"),
    no("managed.layout.create", "host_only", wish("x", container_id="nobody"), asks="bench"),
    no("managed.layout.detail", "managed_layout_not_found", {"layout_id": NO_ID}, "layout_id"),
    no("managed.pane.list", "managed_layout_not_found", {"layout_id": NO_ID}, "layout_id"),
    no("managed.layout.remove", "managed_layout_not_found", {"layout_id": NO_ID}, "layout_id"),
    no("managed.layout.watch", "managed_layout_not_found", {"layout_id": NO_ID}, "layout_id"),
    no("managed.pane.detail", "managed_pane_not_found", {"pane_id": NO_ID}, "pane_id"),
    no("managed.pane.remove", "managed_pane_not_found", {"pane_id": NO_ID}, "pane_id"),
    no(
        "managed.pane.recreate",
        "managed_pane_not_found",
        {"predecessor_pane_id": NO_ID},
        "pane_id",
    ),
    no(
        "managed.pane.remove",
        "managed_pane_protected_adopted",
        lambda s: {"pane_id": s.ids["taken"]},
        "agent_id is_adopted",
    ),
    no(
        "managed.pane.remove",
        "managed_pane_illegal_transition",
        creating,
        "pane_id current_state requested_action",
    ),
    ok("managed.layout.remove", young),
    no(
        "managed.pane.recreate",
        "managed_pane_illegal_recreate_source",
        ready,
        "predecessor_pane_id current_state",
    ),
    no(
        "managed.pane.recreate",
        "managed_pane_recreate_chain_too_deep",
        removed,
        "predecessor_pane_id predecessor_chain_depth limit",
        during=at_the_end_of_its_chain,
    ),
    no(
        "managed.pane.detail",
        "internal_error",
        lambda s: {"pane_id": s.removed},
        during=unreadable_row,
    ),
    no(
        "managed.layout.create",
        "managed_template_not_found",
        wish("x", template_name="none"),
        "template_name known_templates",
    ),
    no(
        "managed.layout.create",
        "managed_launch_command_not_found",
        wish("x", launch_command_overrides={"master:m1": "none"}),
        "profile_name known_profiles",
    ),
    no(
        "managed.layout.create",
        "managed_session_name_conflict",
        wish("work", label_prefix="z-"),
        "container_id tmux_session_name",
    ),
    no("managed.layout.create", "managed_pane_label_conflict", wish("x"), "container_id label"),
    no(
        "managed.layout.create",
        "managed_layout_capacity_exceeded",
        wish("x", label_prefix="z-"),
        "current_count limit",
        during=forty_layouts,
    ),
    ok("managed.pane.recreate", removed),
    no(
        "managed.pane.recreate",
        "managed_pane_concurrent_recreate",
        removed,
        "predecessor_pane_id in_flight_successor_pane_id",
    ),
    no("managed.pane.promote_from_adopted", "not_implemented", {}, "reserved_since"),
    no("managed.pane.promote_from_adopted", "not_implemented", {"x": 1}, "reserved_since"),
    no(
        "managed.layout.create",
        "container_not_found",
        wish("x", container_id="nobody"),
        "container_id",
    ),
    no("managed.layout.create", "container_inactive", stopped, "container_id"),
    no(
        "managed.layout.create",
        "tmux_unavailable",
        lambda s: s.wish("x", container_id=s.bare.id),
        during=without_tmux,
    ),
    no(
        "managed.layout.create",
        "tmux_unavailable",
        lambda s: s.wish("x", container_id=s.bare.id),
        "container_id",
        during=frozen_bench,
    ),
    no(
        "managed.layout.create",
        "docker_unavailable",
        lambda p: p.wish(p.spares.pop()),
        where="lonely",
        during=no_engine,
    ),
    no("managed.layout.create", "worker_unavailable", lambda p: p.wish(p.bench), where="lonely"),
    Row("managed.layout.list", asks="bench"),
)  # fmt: skip
