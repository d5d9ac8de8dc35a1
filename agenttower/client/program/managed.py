"""``layout``, ``pane`` and ``ls``: what AgentTower made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from agenttower.client.program import exit_codes
from agenttower.client.program.output import Columns
from agenttower.client.program.run import Run, UsageError, Verbs, flag, group, verb

LAYOUTS: Columns = (
    ("LAYOUT_ID", "layout_id"),
    ("CONTAINER", "container_id"),
    ("TEMPLATE", "template_name"),
    ("SESSION", "tmux_session_name"),
    ("STATE", "state"),
    ("READY", "ready_pane_count"),
    ("PANES", "intended_pane_count"),
    ("CREATED", "created_at"),
)
PANES: Columns = (
    ("PANE", "pane_id"),
    ("LABEL", "label"),
    ("ROLE", "role"),
    ("STATE", "state"),
    ("AGENT_ID", "agent_id"),
    ("TMUX_PANE", "tmux_pane_id"),
    ("EXIT_CODE", "exit_code"),
    ("REASON", "failure_reason"),
)
FOLLOW_SECONDS = 120.0

_CONTAINER = ("--container", {"help": "a bench: id or name; this one by default"})
_STATE = ("--state", {"action": "append", "metavar": "STATE", "help": "only this state"})
_KEY = ("--idempotency-key", {"metavar": "KEY", "help": "asked again, the same is answered"})
_DETACH = ("--detach", flag("return as soon as the request is accepted"))
_TIMEOUT: tuple[str, Mapping[str, Any]] = (
    "--timeout",
    {
        "type": float,
        "default": FOLLOW_SECONDS,
        "metavar": "SECONDS",
        "help": "follow at most that long; creation goes on (default: %(default)g)",
    },
)


def add(verbs: Verbs) -> None:
    """Declare the commands."""
    verb(verbs, "ls", _list_layouts, "list layouts, as 'layout list'", _STATE)
    layout = group(verbs, "layout", "create, look at and remove layouts")
    verb(layout, "list", _list_layouts, "list layouts", _STATE)
    name = ("layout", {"help": "a layout's id, or how it begins"})
    verb(layout, "show", _show_layout, "show a layout and its panes", name)
    verb(
        layout,
        "create",
        _create,
        "create a layout from a template, and wait until it is done",
        ("template", {}),
        ("--session", {"required": True, "metavar": "NAME", "help": "the new tmux session"}),
        _CONTAINER,
        (
            "--launch",
            {
                "action": "append",
                "metavar": "ROLE:LABEL=PROFILE",
                "help": "start this profile in that pane; may be repeated",
            },
        ),
        ("--label-prefix", {"metavar": "TEXT", "help": "put TEXT before every label"}),
        _KEY,
        _DETACH,
        _TIMEOUT,
    )
    verb(layout, "remove", _remove_layout, "end every pane of a layout", name)
    pane = group(verbs, "pane", "look at, remove and recreate panes")
    of_layout = ("--layout", {"help": "only of this layout"})
    verb(pane, "list", _list_panes, "list managed panes", of_layout, _STATE)
    name = ("pane", {"help": "a pane's label, its id, or how that begins"})
    verb(pane, "show", _show_pane, "show a pane", name)
    verb(pane, "remove", _remove_pane, "end a pane", name)
    profile = ("--launch", {"metavar": "PROFILE", "help": "start this profile instead"})
    words = "make a successor of a failed or removed pane"
    verb(pane, "recreate", _recreate, words, name, profile, _KEY, _DETACH, _TIMEOUT)


def _list_layouts(run: Run) -> int:
    items = [*run.client.layouts.list(state=run.typed.state)]
    if run.output.as_json:
        run.output.result({"items": items, "next": None})
    else:
        rows = cast("list[Mapping[str, Any]]", items)
        empty = "No layouts. Create one with 'agenttower layout create'."
        run.output.rows(LAYOUTS, rows, empty)
    return exit_codes.OK


def _show_layout(run: Run) -> int:
    return _shown(run, run.client.layouts.get(run.layout_id(run.typed.layout)))


def _shown(run: Run, layout: Mapping[str, Any]) -> int:
    if run.output.as_json:
        run.output.result(layout)
    else:
        run.output.fields({name: value for name, value in layout.items() if name != "panes"})
        run.output.line()
        run.output.rows(PANES, layout["panes"], "No panes.")
    return exit_codes.OK


def _create(run: Run) -> int:
    typed = run.typed
    created = run.client.layouts.create(
        run.container(),
        typed.template,
        typed.session,
        launch=_launches(typed.launch),
        label_prefix=typed.label_prefix,
        idempotency_key=typed.idempotency_key,
    )
    if typed.detach:
        return _told(run, created)
    layout = run.client.layouts.wait(created["layout_id"], typed.timeout)
    _shown(run, layout)
    return exit_codes.of_state(layout["state"])


def _launches(values: list[str] | None) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for value in values or ():
        pane, _, profile = value.partition("=")
        if ":" not in pane or not profile:
            raise UsageError(f"{value!r} is not of the form ROLE:LABEL=PROFILE")
        found[pane] = profile
    return found or None


def _told(run: Run, accepted: Mapping[str, Any]) -> int:
    if run.output.as_json:
        run.output.result(accepted)
    else:
        run.output.fields({name: value for name, value in accepted.items() if name != "panes"})
    return exit_codes.OK


def _remove_layout(run: Run) -> int:
    return _told(run, run.client.layouts.remove(run.layout_id(run.typed.layout)))


def _list_panes(run: Run) -> int:
    layout = None if run.typed.layout is None else run.layout_id(run.typed.layout)
    items = [*run.client.panes.list(layout=layout, state=run.typed.state)]
    if run.output.as_json:
        run.output.result({"items": items, "next": None})
    else:
        run.output.rows(PANES, cast("list[Mapping[str, Any]]", items), "No panes.")
    return exit_codes.OK


def _show_pane(run: Run) -> int:
    return _told(run, run.client.panes.get(run.pane_id(run.typed.pane)))


def _remove_pane(run: Run) -> int:
    return _told(run, run.client.panes.remove(run.pane_id(run.typed.pane)))


def _recreate(run: Run) -> int:
    typed = run.typed
    made = run.client.panes.recreate(
        run.pane_id(typed.pane), launch=typed.launch, idempotency_key=typed.idempotency_key
    )
    if typed.detach:
        return _told(run, made)
    pane = run.client.panes.wait(made["pane_id"], typed.timeout)
    _told(run, pane)
    return exit_codes.of_state(pane["state"])
