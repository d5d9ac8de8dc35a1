"""``agenttower events``: what happened to layouts and panes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from agenttower.cli import references
from agenttower.cli.invocation import CALL_SECONDS, PAGE, Invocation, given
from agenttower.cli.output import CONTAINER, Output, key, plain

METHOD = "managed.event.list"
WAIT_SECONDS = 25.0
PATIENCE_SECONDS = 15.0
RETRY_SECONDS = 0.25

COLUMNS = (
    key("TIMESTAMP", "timestamp"),
    key("EVENT_TYPE", "event_type"),
    key("ACTOR", "actor"),
    CONTAINER,
    key("LAYOUT_ID", "layout_id"),
    key("PANE_ID", "pane_id"),
    key("SEQUENCE", "sequence"),
    key("PAYLOAD", "payload"),
)


def show(
    run: Invocation, layout: str | None, pane: str | None, container: str | None, follow: bool
) -> None:
    """Show the lifecycle events of layouts and panes, narrowed by references."""
    container_id = None if container is None else run.container_id(container)
    layout_id = None if layout is None else references.layout_id(run, layout)
    pane_id = None if pane is None else references.pane_id(run, pane)
    params = given(container_id=container_id, layout_id=layout_id, pane_id=pane_id)
    pages = _pages(run, params, follow)
    if run.output.json_mode:
        for page in pages:
            for event in page:
                run.output.record(event)
    elif follow or not run.output.for_people:
        _stream(run.output, pages)
    else:
        events = [event for page in pages for event in page]
        run.name_containers(events)
        run.output.rows(COLUMNS, events, empty="No events.")


def _stream(output: Output, pages: Iterator[list[dict[str, Any]]]) -> None:
    """Events as they come, so without the alignment of a table."""
    output.line("\t".join(column.title for column in COLUMNS))
    for page in pages:
        for event in page:
            output.line("\t".join(plain(column.value(event)) for column in COLUMNS))


def _pages(
    run: Invocation, params: Mapping[str, Any], follow: bool
) -> Iterator[list[dict[str, Any]]]:
    """Page after page; when following, also what comes later, over restarts of the daemon."""
    from agenttower.client import DaemonUnreachable

    after = 0
    lost_since: float | None = None
    while True:
        request = {**params, "after": after, "limit": PAGE}
        if follow:
            request["wait_seconds"] = WAIT_SECONDS
        try:
            answer = run.call(METHOD, request, CALL_SECONDS)
        except DaemonUnreachable:
            now = time.monotonic()
            lost_since = lost_since or now
            if not follow or not after or now - lost_since >= PATIENCE_SECONDS:
                raise
            time.sleep(RETRY_SECONDS)
            continue
        lost_since = None
        yield answer["events"]
        after = answer["next"]
        if not follow and len(answer["events"]) < PAGE:
            return
