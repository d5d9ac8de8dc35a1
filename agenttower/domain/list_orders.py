"""The orders of the lists of ``app.*`` (app surface, sections 8.1 and 8.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agenttower.errors import ValidationFailed

FIELD = "order_by"


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order as a result names it: ``<field>:<direction>``."""

    field: str
    descending: bool

    def __str__(self) -> str:
        return f"{self.field}:{'desc' if self.descending else 'asc'}"


@dataclass(frozen=True, slots=True)
class Orders:
    """What a list can be ordered by. The first field is what it is ordered by unasked."""

    fields: tuple[str, ...]
    descending: bool
    """The direction of a field that is named without one."""

    def parse(self, text: str | None) -> Ordering:
        """The order that ``order_by`` asks for.

        :param text: ``<field>``, ``<field>:asc`` or ``<field>:desc``; ``None`` where nothing is.
        :raises ValidationFailed: it is none of these, or the list has no such field.
        """
        if text is None:
            return Ordering(self.fields[0], self.descending)
        field, colon, direction = text.partition(":")
        if field not in self.fields:
            raise ValidationFailed(FIELD, "unknown value")
        if colon and direction not in ("asc", "desc"):
            raise ValidationFailed(FIELD, "the direction must be asc or desc")
        return Ordering(field, direction == "desc" if colon else self.descending)


ORDERS: Mapping[str, Orders] = MappingProxyType(
    {
        "container": Orders(("name", "first_seen_at", "last_scanned_at"), descending=False),
        "pane": Orders(("default", "discovered_at", "last_seen_at"), descending=False),
        "agent": Orders(("default", "registered_at", "role"), descending=False),
        "log_attachment": Orders(("last_status_at", "attached_at", "status"), descending=True),
        "event": Orders(("event_id", "observed_at"), descending=True),
        "queue": Orders(("default", "enqueued_at", "last_updated_at"), descending=False),
        "route": Orders(("default", "created_at", "updated_at"), descending=False),
    }
)
"""By the middle part of the method's name."""
