"""``status``, ``doctor``, ``events`` and ``call``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from agenttower.client.program import exit_codes
from agenttower.client.program.output import Columns, plain, value_of
from agenttower.client.program.run import Run, UsageError, Verbs, flag, verb

EVENTS: Columns = (
    ("OBSERVED_AT", "observed_at"),
    ("EVENT_TYPE", "event_type"),
    ("AGENT", "agent_id"),
    ("LINES", "debounce.collapsed_count"),
    ("EXCERPT", "excerpt"),
)
MANAGED_EVENTS: Columns = (
    ("TIMESTAMP", "timestamp"),
    ("EVENT_TYPE", "event_type"),
    ("ACTOR", "actor"),
    ("CONTAINER", "container_id"),
    ("LAYOUT_ID", "layout_id"),
    ("PANE_ID", "pane_id"),
    ("SEQUENCE", "sequence"),
    ("PAYLOAD", "payload"),
)


def add(verbs: Verbs) -> None:
    """Declare the commands."""
    verb(verbs, "status", _status, "is the daemon there, and how is everything?")
    verb(verbs, "doctor", _doctor, "what may keep AgentTower from working here, and what to do")
    verb(
        verbs,
        "events",
        _events,
        "what happened to layouts and panes, or with --agents what agents' output said",
        ("--agents", flag("what agents' output said")),
        ("--follow", flag("go on with what comes later, until Ctrl-C")),
    )
    verb(
        verbs,
        "call",
        _call,
        "ask the daemon anything",
        ("method", {"help": "such as managed.pane.detail"}),
        ("params", {"nargs": "?", "default": "{}", "help": "a JSON object"}),
        ("--timeout", {"type": float, "default": 30.0, "metavar": "SECONDS"}),
    )


def _status(run: Run) -> int:
    answer = run.client.status()
    if run.output.as_json:
        run.output.result(answer)
    else:
        renamed = {"start_time_utc": "start_time"}
        run.output.fields({renamed.get(name, name): value for name, value in answer.items()})
    return exit_codes.OK


def _doctor(run: Run) -> int:
    from agenttower.client.doctor import contract, ours, row
    from agenttower.client.doctor.seen import Seen
    from agenttower.client.socket_path import SocketOverrideInvalid

    try:
        seen = Seen(run.socket)
    except SocketOverrideInvalid as error:
        seen = Seen(error)
    rows = [*contract.contract_rows(seen, host_pane_counts=False), *ours.our_rows(seen)]
    if run.output.as_json:
        run.output.record(row.document(rows))
    else:
        for line in row.lines(rows):
            run.output.line(line)
    return row.exit_code(rows)


def _events(run: Run) -> int:
    client, follow = run.client, run.typed.follow
    events: Iterable[Any]
    if run.typed.agents:
        columns = EVENTS
        events = client.events.follow() if follow else client.events.list()
    else:
        columns = MANAGED_EVENTS
        events = client.events.managed(follow=follow)
    if not run.output.as_json:
        run.output.line("\t".join(title for title, _ in columns))
    for event in events:
        if run.output.as_json:
            run.output.record(event)
        else:
            run.output.line("\t".join(plain(value_of(event, key)) for _, key in columns))
    return exit_codes.OK


def _call(run: Run) -> int:
    typed = run.typed
    try:
        params = json.loads(typed.params)
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise UsageError("PARAMS must be a JSON object, such as '{\"active_only\": true}'")
    answer = run.client.call(typed.method, cast("Mapping[str, Any]", params), timeout=typed.timeout)
    run.output.result(answer)
    return exit_codes.OK
