"""``agenttower events``: what happened to layouts and panes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agenttower.cli import references
from agenttower.cli.invocation import Invocation, given
from agenttower.cli.output import CONTAINER, Output, key, plain

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
    from agenttower.client.following import managed_events

    container_id = None if container is None else run.container_id(container)
    layout_id = None if layout is None else references.layout_id(run, layout)
    pane_id = None if pane is None else references.pane_id(run, pane)
    params = given(container_id=container_id, layout_id=layout_id, pane_id=pane_id)
    pages = managed_events(run.call, params, follow=follow)
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
