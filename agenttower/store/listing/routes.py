"""Routes as ``app.route.list`` shows them."""

from __future__ import annotations

from dataclasses import fields

from agenttower.store.listing.pages import Line, Listing, whether
from agenttower.store.routes import RouteRecord, of_row

_BY_AGE = Line(("route.created_at", "route.route_id"), (int, str))

LISTING = Listing(
    table="route",
    source="route",
    columns=", ".join(f"route.{field.name}" for field in fields(RouteRecord)),
    record=of_row,
    lines={
        "default": _BY_AGE,
        "created_at": _BY_AGE,
        "updated_at": Line(("route.updated_at", "route.route_id"), (int, str)),
    },
    filters={"enabled": whether("route.enabled", "NOT route.enabled")},
)
