"""How the database reads the lists of ``app.*``: along an index, not by sorting all there is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from agenttower.domain.list_orders import ORDERS
from agenttower.store.database import Store, open_sqlite
from agenttower.store.listing import agents, attachments, containers, events, panes, prompts, routes
from agenttower.store.listing.pages import MANY, Listing
from agenttower.store.migrate import migrate
from tests.support import many_rows

LISTINGS: dict[str, Listing[Any]] = {
    "container": containers.LISTING,
    "pane": panes.LISTING,
    "agent": agents.LISTING,
    "log_attachment": attachments.LISTING,
    "event": events.LISTING,
    "queue": prompts.LISTING,
    "route": routes.LISTING,
}
SMALL = ("container", "route")
"""Lists of few rows: benches, and at most a thousand routes. These may be sorted."""
ORDERED = [
    (entity, field, descending)
    for entity, listing in LISTINGS.items()
    for field, descending in itertools.product(listing.lines, (False, True))
    if entity not in SMALL
]
COMMON: dict[str, dict[str, Any]] = {
    "pane": {"container_id": f"{3:064x}"},
    "agent": {"capability": "claude"},
    "log_attachment": {"agent_id": "a"},
    "event": {"agent_id": "a"},
    "queue": {"sender_agent_id": "host-operator"},
}
"""A filter that very many rows may pass."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_sqlite(tmp_path_factory.mktemp("plans") / "state.sqlite3")
    migrate(store)
    with store.transaction():
        many_rows.fill_containers(store)
        many_rows.fill_agents(store, 20)
        many_rows.fill_panes(store, 100)
        many_rows.fill_attachments(store, 20)
        many_rows.fill_events(store, 20)
        many_rows.fill_prompts(store, 20)
    yield store
    store.close_thread()


def plans(store: Store, entity: str, passing: int, filters: dict[str, Any], *order: Any) -> str:
    """The plans of all queries that make a page in the middle of a list."""
    field, descending = order
    listing = LISTINGS[entity]
    first = listing.page({}, field, descending=descending, after=None, limit=2, passing=MANY)
    asked: list[str] = []
    connection = store.database.connection()
    connection.set_trace_callback(asked.append)
    listing.page(filters, field, descending=descending, after=first.last, limit=2, passing=passing)
    connection.set_trace_callback(None)
    return "\n".join(
        row[3]
        for query in asked
        if " ORDER BY " in query and " LIMIT " in query
        for row in connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    )


def by_index(plan: str, entity: str) -> bool:
    listing = LISTINGS[entity]
    whole = (f"SCAN {listing.table}", f"SEARCH {listing.table}")
    reads = [line for line in plan.splitlines() if line.startswith(whole)]
    return bool(reads) and all(" USING " in line for line in reads) and "ORDER BY" not in plan


@pytest.mark.parametrize(("entity", "field", "descending"), ORDERED)
def test_a_page_is_a_range_of_an_index(
    store: Store, entity: str, field: str, descending: bool
) -> None:
    plan = plans(store, entity, MANY, {}, field, descending)
    assert by_index(plan, entity), plan


@pytest.mark.parametrize(("entity", "field", "descending"), ORDERED)
def test_many_rows_that_pass_a_filter_are_not_sorted(
    store: Store, entity: str, field: str, descending: bool
) -> None:
    plan = plans(store, entity, MANY, COMMON[entity], field, descending)
    assert by_index(plan, entity), plan


def test_few_rows_are_found_by_their_filter(store: Store) -> None:
    plan = plans(store, "queue", MANY - 1, {"target_agent_id": "a"}, "enqueued_at", False)
    assert "prompt_target_agent_id" in plan


@pytest.mark.parametrize(
    ("entity", "filters", "index"),
    [
        ("pane", {}, "pane"),
        ("agent", {}, "agent"),
        ("event", {}, "event_listed"),
        ("event", {"event_type": "error"}, "event_classified"),
        ("event", {"event_type": "managed_layout_created"}, "event_listed_managed"),
        ("event", {"since": 5, "until": 7}, "event_listed_observed"),
        ("queue", {}, "prompt"),
        ("queue", {"state": "queued", "since": 5}, "prompt_listed"),
        ("queue", {"until": 5}, "prompt_listed_by_age"),
        ("log_attachment", {"status": "active"}, "log_attachment_listed_by_status"),
    ],
)
def test_totals_read_an_index_alone(
    store: Store, entity: str, filters: dict[str, Any], index: str
) -> None:
    asked: list[str] = []
    connection = store.database.connection()
    connection.set_trace_callback(asked.append)
    LISTINGS[entity].count(filters, 10)
    connection.set_trace_callback(None)
    [query] = asked
    plan = "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
    # SQLite does not say "covering" of a partial index, but reads no more of the rows.
    assert re.search(rf"USING (COVERING )?INDEX {index}", plan), plan
    assert "SCAN " + LISTINGS[entity].table + "\n" not in plan


def test_orders_are_those_of_the_contract() -> None:
    for entity, listing in LISTINGS.items():
        assert set(listing.lines) == set(ORDERS[entity].fields), entity
