"""Lists and details of ``app.*`` as a client meets them (app surface, section 8)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.app_ranks import ROLE_PRIORITY
from agenttower.domain.events import EventType
from agenttower.domain.list_orders import ORDERS
from agenttower.protocol.app.lists import ListedEvent
from tests.support import many_rows
from tests.support.many_rows import START
from tests.support.panel import DECLARED, LISTS, Panel, open_panel

ROWS = 130
START_MS = START // 1000


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """A database with rows of every entity; tests of this module change none."""
    with open_panel(tmp_path_factory.mktemp("panel")) as panel:
        fill(panel)
        yield panel


@pytest.fixture
def own_panel(tmp_path: Path) -> Iterator[Panel]:
    """One that a test may change."""
    with open_panel(tmp_path) as panel:
        fill(panel)
        yield panel


def fill(panel: Panel) -> None:
    store = panel.store
    with store.transaction():
        many_rows.fill_containers(store)
        many_rows.fill_agents(store, many_rows.AGENTS + 50)
        many_rows.fill_panes(store, 2 * many_rows.AGENTS)
        many_rows.fill_attachments(store, ROWS)
        many_rows.fill_events(store, ROWS)
        many_rows.fill_prompts(store, ROWS)
        many_rows.fill_routes(store, ROWS)
        store.execute("UPDATE container SET pane_scan_error = 'x' WHERE name = 'bench-11'")


def entity_of(method: str) -> str:
    return method.split(".")[1]


def filters_of(method: str) -> dict[str, Any]:
    """The types of a list's filters."""
    [narrow] = [
        field
        for field in msgspec.structs.fields(DECLARED[method].params)
        if field.name == "filters"
    ]
    return {field.name: field.type for field in msgspec.structs.fields(narrow.type)}


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize(
    ("params", "refused"),
    [
        ({"limit": 0}, ("limit", "must be >= 1")),
        ({"limit": 201}, ("limit", "must be <= 200")),
        ({"limit": True}, ("limit", "must be an integer")),
        ({"limit": "5"}, ("limit", "must be an integer")),
        ({"limit": 5.0}, ("limit", "must be an integer")),
        ({"limit": None}, ("limit", "must be an integer")),
        ({"order_by": 5}, ("order_by", "must be a string")),
        ({"order_by": None}, ("order_by", "must be a string")),
        ({"order_by": ""}, ("order_by", "unknown value")),
        ({"order_by": "name; DROP TABLE event"}, ("order_by", "unknown value")),
        ({"order_by": ":asc"}, ("order_by", "unknown value")),
        ({"cursor_next": 5}, ("cursor_next", "must be a string")),
        ({"cursor_next": None}, ("cursor_next", "must be a string")),
        ({"cursor_next": "x" * 513}, ("cursor_next", "max length 512")),
        ({"filters": 5}, ("filters", "must be an object")),
        ({"filters": None}, ("filters", "must be an object")),
        ({"filters": []}, ("filters", "must be an object")),
        ({"filters": {"nonsense": 1}}, ("nonsense", "unknown filter")),
        ({"filters": {"app_session_token": "x"}}, ("app_session_token", "unknown filter")),
    ],
)
def test_parameters_are_checked_by_every_list(
    panel: Panel, method: str, params: dict[str, Any], refused: tuple[str, str]
) -> None:
    assert panel.invalid(method, **params) == refused


@pytest.mark.parametrize("method", LISTS)
def test_directions_are_asc_and_desc(panel: Panel, method: str) -> None:
    for field, suffix in itertools.product(ORDERS[entity_of(method)].fields, ("", "up", "ASC")):
        assert panel.invalid(method, order_by=f"{field}:{suffix}") == (
            "order_by",
            "the direction must be asc or desc",
        )


@pytest.mark.parametrize("method", LISTS)
def test_filters_refuse_operators_and_other_types(panel: Panel, method: str) -> None:
    for name, wanted in filters_of(method).items():
        for operator in ("<x", "a>b", "~x", "a*", "a%", "LIKE a", "a like b"):
            field, reason = panel.invalid(method, filters={name: operator})
            assert (field, reason) == (name, "operator syntax not supported")
        takes_text = "Meta" in str(wanted) and "int" not in str(wanted)
        for value in (None, [], {}, 1.5, "", *([7, True] if takes_text else ["x", "true", "1"])):
            if value == 7 and name in ("since", "until"):
                continue
            field, reason = panel.invalid(method, filters={name: value})
            assert field == name
            assert reason != "x"


@pytest.mark.parametrize(
    ("method", "filters", "refused"),
    [
        ("app.container.list", {"state": "running"}, ("state", "unknown value")),
        ("app.agent.list", {"role": "boss"}, ("role", "unknown value")),
        ("app.agent.list", {"log_attached": 1}, ("log_attached", "must be a boolean")),
        ("app.log_attachment.list", {"status": "gone"}, ("status", "unknown value")),
        ("app.event.list", {"event_type": "route_matched"}, ("event_type", "unknown value")),
        ("app.event.list", {"since": True}, ("since", "must be an integer")),
        ("app.event.list", {"until": 2**53}, ("until", f"must be <= {2**53 - 1}")),
        ("app.event.list", {"until": -1}, ("until", "must be >= 0")),
        ("app.event.list", {"since": 2, "until": 1}, ("since", "after until")),
        ("app.queue.list", {"state": "cancelled"}, ("state", "unknown value")),
        ("app.queue.list", {"since": 2, "until": 1}, ("since", "after until")),
        ("app.route.list", {"enabled": "true"}, ("enabled", "must be a boolean")),
    ],
)  # fmt: skip
def test_filters_know_their_closed_sets(
    panel: Panel, method: str, filters: dict[str, Any], refused: tuple[str, str]
) -> None:
    assert panel.invalid(method, filters=filters) == refused


def test_lists_need_a_session(panel: Panel) -> None:
    for method in DECLARED:
        assert panel.refusal(method, app_session_token=None)[0] == "app_session_required"


def test_every_type_of_event_can_be_asked_for() -> None:
    assert set(get_args(ListedEvent)) == {*AGENT_EVENT_TYPES, *(str(name) for name in EventType)}


# --- orders --------------------------------------------------------------------------------------

Sort = Callable[[dict[str, Any]], Any]
SORTS: dict[str, Sort] = {
    "container name": lambda row: row["name"],
    "container first_seen_at": lambda row: row["first_seen_at"],
    "container last_scanned_at": lambda row: row["last_scanned_at"],
    "pane default": lambda row: (
        row["container_name"], row["session_name"], row["window_index"], row["pane_index"],
    ),
    "pane discovered_at": lambda row: row["discovered_at"],
    "pane last_seen_at": lambda row: row["last_seen_at"],
    "agent default": lambda row: (row["role_priority"], row["registered_at"]),
    "agent role": lambda row: (ROLE_PRIORITY[row["role"]], row["registered_at"]),
    "agent registered_at": lambda row: row["registered_at"],
    "log_attachment last_status_at": lambda row: row["last_status_at"],
    "log_attachment attached_at": lambda row: row["attached_at"],
    "log_attachment status": lambda row: row["status"],
    "event event_id": lambda row: row["event_id"],
    "event observed_at": lambda row: (row["observed_at"], row["event_id"]),
    "queue default": lambda row: (row["state_priority"], row["enqueued_at"]),
    "queue enqueued_at": lambda row: row["enqueued_at"],
    "queue last_updated_at": lambda row: row["last_updated_at"],
    "route default": lambda row: (row["created_at"], row["route_id"]),
    "route created_at": lambda row: (row["created_at"], row["route_id"]),
    "route updated_at": lambda row: row["updated_at"],
}  # fmt: skip


@pytest.mark.parametrize("order", SORTS)
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("limit", [7, 200])
def test_pages_are_the_whole_list_in_its_order(
    panel: Panel, order: str, direction: str, limit: int
) -> None:
    entity, field = order.split()
    pages = list(panel.pages(f"app.{entity}.list", order_by=f"{field}:{direction}", limit=limit))
    rows = [row for page in pages for row in page["rows"]]
    keys = [SORTS[order](row) for row in rows]
    assert keys == sorted(keys, reverse=direction == "desc")
    assert len({msgspec.json.encode(row) for row in rows}) == len(rows)
    assert {page["ordering"] for page in pages} == {f"{field}:{direction}"}
    assert {(page["total"], page["total_estimate"]) for page in pages} == {(len(rows), None)}
    assert [len(page["rows"]) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]["rows"]


def test_every_order_is_proved() -> None:
    known = {f"{entity} {field}" for entity, orders in ORDERS.items() for field in orders.fields}
    assert known == set(SORTS)


@pytest.mark.parametrize(
    ("method", "ordering"),
    [
        ("app.container.list", "name:asc"),
        ("app.pane.list", "default:asc"),
        ("app.agent.list", "default:asc"),
        ("app.log_attachment.list", "last_status_at:desc"),
        ("app.event.list", "event_id:desc"),
        ("app.queue.list", "default:asc"),
        ("app.route.list", "default:asc"),
    ],
)
def test_the_order_unasked_and_the_direction_unsaid(
    panel: Panel, method: str, ordering: str
) -> None:
    unasked = panel.result(method)
    field, _, direction = ordering.partition(":")
    assert unasked == panel.result(method, order_by=field, limit=50, filters={})
    assert unasked["ordering"] == ordering
    for other in ORDERS[entity_of(method)].fields:
        assert panel.result(method, order_by=other)["ordering"] == f"{other}:{direction}"


def test_an_empty_list(tmp_path: Path) -> None:
    with open_panel(tmp_path) as panel:
        for method in LISTS:
            empty = panel.result(method)
            assert (empty["rows"], empty["total"], empty["cursor_next"]) == ([], 0, None)


def test_a_page_that_is_just_full_is_the_last(panel: Panel) -> None:
    page = panel.result("app.container.list", limit=many_rows.CONTAINERS)
    assert (len(page["rows"]), page["cursor_next"]) == (many_rows.CONTAINERS, None)


# --- filters -------------------------------------------------------------------------------------

CONTAINER = f"{3:064x}"
AGENT = f"agt_{5:012x}"
NARROWED: list[tuple[str, dict[str, Any]]] = [
    *(("container", {"state": state}) for state in ("active", "inactive", "degraded_scan")),
    ("pane", {"container_id": CONTAINER}),
    ("pane", {"registered": True}),
    ("pane", {"registered": False, "container_id": CONTAINER}),
    *(("agent", {"role": role}) for role in ("master", "slave", "shell", "swarm")),
    ("agent", {"capability": "claude", "container_id": CONTAINER}),
    ("agent", {"capability": "codex"}),
    ("agent", {"log_attached": True}),
    ("agent", {"log_attached": False, "role": "slave"}),
    ("log_attachment", {"agent_id": AGENT}),
    *(("log_attachment", {"status": name}) for name in ("active", "stale", "detached")),
    ("event", {"event_type": "error"}),
    ("event", {"event_type": "managed_layout_state_changed"}),
    ("event", {"agent_id": AGENT}),
    ("event", {"agent_id": AGENT, "event_type": "activity"}),
    *(("queue", {"state": name}) for name in ("queued", "blocked", "failed", "delivered")),
    ("queue", {"state": "canceled", "sender_agent_id": "host-operator"}),
    ("queue", {"target_agent_id": AGENT}),
    ("route", {"enabled": True}),
    ("route", {"enabled": False}),
]


@pytest.mark.parametrize(("entity", "filters"), NARROWED)
def test_filters_let_equal_rows_through_and_no_others(
    panel: Panel, entity: str, filters: dict[str, Any]
) -> None:
    """In every order, so that lanes and filters meet."""
    method = f"app.{entity}.list"
    expected = [
        row
        for row in panel.all_rows(method)
        if all(row[name] == value for name, value in filters.items())
    ]
    for field, direction in itertools.product(ORDERS[entity].fields, ("asc", "desc")):
        pages = list(panel.pages(method, filters=filters, order_by=f"{field}:{direction}", limit=9))
        found = [row for page in pages for row in page["rows"]]
        assert sorted(map(msgspec.json.encode, found)) == sorted(map(msgspec.json.encode, expected))
        assert {page["total"] for page in pages} == {len(expected)}


@pytest.mark.parametrize(
    ("method", "filters"),
    [
        ("app.pane.list", {"container_id": CONTAINER[:12]}),
        ("app.pane.list", {"container_id": "bench-03"}),
        ("app.agent.list", {"container_id": CONTAINER[:12]}),
        ("app.agent.list", {"capability": "Claude"}),
        ("app.event.list", {"agent_id": "x" * 4000}),
    ],
)
def test_equal_means_equal(panel: Panel, method: str, filters: dict[str, Any]) -> None:
    assert panel.result(method, filters=filters)["total"] == 0


@pytest.mark.parametrize(
    ("method", "time"), [("app.event.list", "observed_at"), ("app.queue.list", "enqueued_at")]
)
def test_since_and_until_take_in_both_ends(own_panel: Panel, method: str, time: str) -> None:
    """Rows are stored by the microsecond: what is shown as 5 ms may have been at 5.999."""
    table, column = ("event", "created_at") if "event" in method else ("prompt", "enqueued_at")
    for row_id, micros in ((1, 4_999), (2, 5_000), (3, 5_999), (5, 6_000)):
        own_panel.store.execute(
            f"UPDATE {table} SET {column} = ? WHERE id = ?", (START + 10**9 + micros, row_id)
        )
    ms = START_MS + 10**6

    def between(**bounds: int) -> int:
        return int(own_panel.result(method, filters=bounds)["total"])

    assert between(since=ms + 5, until=ms + 5) == 2
    assert between(since=ms + 4, until=ms + 5) == 3
    assert between(since=ms + 5) == 3
    assert between(since=ms + 7) == 0
    everything = own_panel.result(method)["total"]
    assert between(until=ms + 4) == everything - 3
    assert between(since=0, until=2**53 - 1) == everything
    assert time in own_panel.result(method)["rows"][0]


# --- cursors -------------------------------------------------------------------------------------


def test_cursors_are_good_for_what_they_were_issued_under(panel: Panel) -> None:
    first = panel.result("app.event.list", limit=5, filters={"event_type": "error"})
    cursor = first["cursor_next"]
    good = {"cursor_next": cursor, "filters": {"event_type": "error"}}
    behind = panel.result("app.event.list", **good, limit=200, order_by="event_id")
    assert first["rows"][-1]["event_id"] > behind["rows"][0]["event_id"]
    assert panel.invalid("app.event.list", cursor_next=cursor) == (
        "cursor_next",
        "was issued under other filters; keep the filters, or start again without it",
    )
    other_order = (
        "cursor_next",
        "was issued for another list or order; keep the order, or start again without it",
    )
    assert panel.invalid("app.event.list", **good, order_by="event_id:asc") == other_order
    assert panel.invalid("app.event.list", **good, order_by="observed_at") == other_order
    assert panel.invalid("app.queue.list", cursor_next=cursor) == other_order


def test_no_cursor_can_be_made_or_changed(panel: Panel) -> None:
    cursor = panel.result("app.event.list", limit=5)["cursor_next"]
    malformed = ("cursor_next", "is not a cursor of this list; start again without it")
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        edited = cursor[:place] + other + cursor[place + 1 :]
        assert panel.invalid("app.event.list", cursor_next=edited) == malformed
    for text in ("", "x", "=", "é", "[]", cursor + "=", cursor[:-1], cursor + "A"):
        assert panel.invalid("app.event.list", cursor_next=text) == malformed


def test_cursors_outlive_the_daemon(own_panel: Panel) -> None:
    first = own_panel.result("app.pane.list", limit=5)
    again = Panel(own_panel.store)
    behind = again.result("app.pane.list", limit=5, cursor_next=first["cursor_next"])
    assert behind == own_panel.result("app.pane.list", limit=5, cursor_next=first["cursor_next"])
    assert behind["rows"][0] not in first["rows"]


def test_cursors_of_another_database_are_refused(panel: Panel, own_panel: Panel) -> None:
    cursor = own_panel.result("app.pane.list", limit=5)["cursor_next"]
    assert panel.result("app.pane.list", limit=5)["cursor_next"] != cursor
    assert panel.invalid("app.pane.list", cursor_next=cursor)[0] == "cursor_next"


def test_cursors_are_short_however_long_the_names(own_panel: Panel) -> None:
    long = "n" * 2048
    own_panel.store.execute("UPDATE container SET name = ? || name", (long,))
    own_panel.store.execute(
        "UPDATE pane SET tmux_session_name = ?, tmux_socket_path = ?", (long, long)
    )
    for method in ("app.container.list", "app.pane.list"):
        rows = own_panel.all_rows(method, limit=3)  # looks at the length of each
        assert len(rows) == own_panel.result(method)["total"]
    filters = {"agent_id": AGENT, "since": 0, "until": 2**53 - 1, "event_type": "activity"}
    own_panel.store.execute("UPDATE event SET agent_id = ?, event_type = 'activity'", (AGENT,))
    assert own_panel.all_rows("app.event.list", filters=filters, limit=3)


@pytest.mark.parametrize("order_by", ["event_id:desc", "event_id:asc", "observed_at:desc"])
def test_rows_that_come_between_pages_shift_nothing(own_panel: Panel, order_by: str) -> None:
    before = {row["event_id"] for row in own_panel.all_rows("app.event.list")}
    seen: list[int] = []
    for page in own_panel.pages("app.event.list", limit=10, order_by=order_by):
        seen += [row["event_id"] for row in page["rows"]]
        with own_panel.store.transaction():
            if len(seen) < 200:
                many_rows.fill_events(own_panel.store, 3)
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_a_prompt_that_changes_lanes_hides_no_other(own_panel: Panel) -> None:
    """The last row of a page may be elsewhere when the next one is asked for."""
    store = own_panel.store
    first = own_panel.result("app.queue.list", limit=2)
    [_, last] = first["rows"]
    store.execute(
        "UPDATE prompt SET state = 'delivered', delivered_at = 1 WHERE message_id = ?",
        (last["message_id"],),
    )
    behind = own_panel.result("app.queue.list", limit=200, cursor_next=first["cursor_next"])
    ids = [row["message_id"] for row in behind["rows"]]
    assert {first["rows"][0]["message_id"], *ids} == {
        row["message_id"] for row in own_panel.all_rows("app.queue.list")
    }


def test_the_largest_page_fits_an_answer(own_panel: Panel) -> None:
    """Of any entity: names and excerpts are as long as they can be, and dear in JSON."""
    store, long = own_panel.store, "\x01" * 2048
    with store.transaction():
        store.execute("UPDATE container SET name = ?, image = ?", (long, long))
        store.execute("UPDATE pane SET tmux_session_name = ?, tmux_socket_path = ?", (long, long))
        store.execute("UPDATE agent SET project_path = ?", ("/" + "é" * 4095,))
        store.execute("UPDATE log_attachment SET log_path = attachment_id || ?", ("é" * 4000,))
        told = msgspec.json.encode({"excerpt": "\x01" * 100_000, "classifier_rule_id": "x"})
        many_rows.fill_events(store, 300)
        store.execute("UPDATE event SET payload = ?", (told.decode(),))
        store.execute("UPDATE prompt SET excerpt = ?", ("\x01" * 241,))
        store.execute("UPDATE route SET template = ?", ("\x01" * 4096,))
    for method in LISTS:
        page = own_panel.result(method, limit=200)
        assert len(msgspec.json.encode(page)) < 8_388_608


# --- details -------------------------------------------------------------------------------------

IDS = {
    "container": ("container_id", "not_found"),
    "pane": ("pane_id", "pane_not_found"),
    "agent": ("agent_id", "agent_not_found"),
    "log_attachment": ("attachment_id", "not_found"),
    "event": ("event_id", "not_found"),
    "queue": ("message_id", "queue_message_not_found"),
    "route": ("route_id", "route_not_found"),
}


@pytest.mark.parametrize("entity", IDS)
def test_a_detail_is_the_row_of_the_list(panel: Panel, entity: str) -> None:
    name, _ = IDS[entity]
    for row in panel.result(f"app.{entity}.list", limit=20)["rows"]:
        asked = {name: str(row[name])}
        if entity == "pane":
            asked |= {"container_id": row["container_id"], "tmux_socket": row["tmux_socket"]}
        assert panel.result(f"app.{entity}.detail", **asked, more="ignored")["row"] == row


@pytest.mark.parametrize("entity", IDS)
def test_an_id_without_a_row(panel: Panel, entity: str) -> None:
    name, code = IDS[entity]
    nobody = "9" * 30
    details = {} if code == "not_found" else {name: nobody}
    assert panel.refusal(f"app.{entity}.detail", **{name: nobody}) == (code, details)


@pytest.mark.parametrize("entity", IDS)
def test_an_id_that_is_none(panel: Panel, entity: str) -> None:
    name, _ = IDS[entity]
    method = f"app.{entity}.detail"
    assert panel.invalid(method) == (name, "missing")
    for value in ("", None, [], {}, True, 1.5):
        assert panel.invalid(method, **{name: value})[0] == name


def test_events_by_digits_or_by_number(panel: Panel) -> None:
    row = panel.result("app.event.list", limit=1)["rows"][0]
    number = row["event_id"]
    for event_id in (number, str(number), f"000{number}"):
        assert panel.result("app.event.detail", event_id=event_id)["row"] == row
    for wrong in ("-1", "+1", " 1", "1\n", "٣", "1e3", "0x1", -1, "1" * 41):
        assert panel.invalid("app.event.detail", event_id=wrong)[0] == "event_id"
    for nobody in (0, 2**63, 2**64 - 1, "9" * 40):
        assert panel.refusal("app.event.detail", event_id=nobody) == ("not_found", {})
    audit = panel.store.execute("SELECT MIN(id) FROM event WHERE kind = 'queue'").fetchone()[0]
    assert panel.refusal("app.event.detail", event_id=audit) == ("not_found", {})


def test_panes_narrowed(panel: Panel) -> None:
    row = panel.result("app.pane.list", limit=1)["rows"][0]
    asked = {"pane_id": row["pane_id"], "container_id": row["container_id"]}
    assert panel.result("app.pane.detail", **asked)["row"] == row
    nobody = panel.refusal("app.pane.detail", **asked, tmux_socket="/elsewhere")
    assert nobody == ("pane_not_found", {"pane_id": row["pane_id"]})
    assert panel.invalid("app.pane.detail", pane_id="%0", tmux_socket=5)[0] == "tmux_socket"
