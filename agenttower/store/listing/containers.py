"""Containers as ``app.container.*`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.app_state import CONTAINER_STATE, RESIDENTS
from agenttower.store.listing.pages import Line, Listing, equal


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container and how much is in it."""

    id: str
    name: str
    state: str
    image: str
    first_seen_at: Micros
    last_scanned_at: Micros
    pane_count: int
    """Stored panes, those that are gone too."""
    registered_agent_count: int
    """Agents whose pane the last scan saw."""


_COLUMNS = f"""container.id, container.name, {CONTAINER_STATE}, container.image,
  container.first_seen_at, container.last_scanned_at,
  (SELECT COUNT(*) FROM pane WHERE pane.container_id = container.id),
  (SELECT COUNT(DISTINCT resident.agent_id) FROM ({RESIDENTS}) AS resident
   WHERE resident.container_id = container.id)"""


def _record(row: Sequence[Any]) -> ContainerRow:
    return ContainerRow(*row)


LISTING = Listing(
    table="container",
    source="container",
    columns=_COLUMNS,
    record=_record,
    lines={
        "name": Line(
            ("container.name", "container.id"),
            (str,),
            find="SELECT name, id FROM container WHERE id = ?",
        ),
        "first_seen_at": Line(("container.first_seen_at", "container.id"), (int, str)),
        "last_scanned_at": Line(("container.last_scanned_at", "container.id"), (int, str)),
    },
    filters={"state": equal(CONTAINER_STATE)},
)


def by_id(container_id: str) -> ContainerRow | None:
    """The container of this full id."""
    return LISTING.first("container.id = ?", container_id)
