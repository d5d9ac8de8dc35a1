"""``events.*`` on the wire (legacy surfaces part 2, section 2)."""

from __future__ import annotations

import base64
import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenttower.clock import to_rfc3339
from agenttower.domain.event_pages import decode_place, encode_place, parse_instant
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.method import Pending
from agenttower.rpc.methods import method_table
from agenttower.services.agent_events import AgentEventService
from agenttower.services.caller import Caller
from agenttower.services.follow_sessions import MOST
from agenttower.services.rule_files import RuleBook
from agenttower.settings import EventRules
from agenttower.store.models import Event, ManagedLayout
from tests.support.reading import CONTAINER, SECOND, START, Desk, agent_id, desk
from tests.support.rpc_server import FakeServices, RunningServer, decoded, running_server
from tests.support.waiting import wait_until

HOST = Caller("host")
BENCH = Caller("bench", CONTAINER)
FOREIGN = Caller("bench", "d" * 64)
SETTINGS = EventRules(follow_session_idle_timeout_seconds=300)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path, SETTINGS) as one:
        yield one


@pytest.fixture
def services(here: Desk) -> FakeServices:
    services = FakeServices()
    services.agent_events = AgentEventService(
        SETTINGS, RuleBook(here.root / "rules"), lambda: here.now, here._ring
    )
    return services


class Client:
    """Asks as somebody, without a socket."""

    def __init__(self, services: FakeServices) -> None:
        self._dispatcher = Dispatcher(method_table(services), services.resolve_container)

    def run(self, method: str, params: dict[str, Any], caller: Caller) -> Answer | Pending:
        request = {"method": f"events.{method}", "params": params}
        job = self._dispatcher.accept(msgspec.json.encode(request))
        assert isinstance(job, Job)
        return self._dispatcher.run(job, lambda: caller)

    def ask(self, method: str, caller: Caller = HOST, /, **params: Any) -> dict[str, Any]:
        answer = self.run(method, params, caller)
        assert isinstance(answer, Answer), "waits"
        shown = decoded(answer.line)
        assert shown["ok"] is True, shown
        return dict(shown["result"])

    def code(self, method: str, caller: Caller = HOST, /, **params: Any) -> str:
        answer = self.run(method, params, caller)
        assert isinstance(answer, Answer)
        shown = decoded(answer.line)
        assert shown["ok"] is False, shown
        return str(shown["error"]["code"])

    def waits(self, method: str, caller: Caller = HOST, /, **params: Any) -> bool:
        return isinstance(self.run(method, params, caller), Pending)


@pytest.fixture
def client(services: FakeServices) -> Client:
    return Client(services)


def say(here: Desk, *lines: str, number: int = 1) -> None:
    here.write("".join(f"{line}\n" for line in lines), number)
    here.read_all()


def excerpts(page: dict[str, Any]) -> list[str]:
    return [event["excerpt"] for event in page["events"]]


def stamp(micros: int, offset: str = "Z") -> str:
    return to_rfc3339(micros).replace("+00:00", offset)


# --- events.list ----------------------------------------------------------------------------------


def test_pages_follow_each_other_in_both_directions(here: Desk, client: Client) -> None:
    here.attach(1)
    here.attach(2)
    for turn in range(6):
        say(here, f"Error: {turn}a", f"Error: {turn}b", number=1 + turn % 2)
        here.later(turn % 2)
    everything = excerpts(client.ask("list"))
    assert len(everything) == 12
    for reverse in (False, True):
        seen, cursor = [], None
        while True:
            page = client.ask("list", limit=5, reverse=reverse, cursor=cursor)
            seen += excerpts(page)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == (everything[::-1] if reverse else everything)


def test_the_order_is_by_time_then_place_then_id(here: Desk, client: Client) -> None:
    here.attach(1)
    here.attach(2)
    say(here, "working", number=1)
    here.later(6)
    here.write("Error: late\n", 2)
    here.read_all()  # the window closes after the error is told, and was observed before it
    assert excerpts(client.ask("list")) == ["working", "Error: late"]


def test_filters(here: Desk, client: Client) -> None:
    here.attach(1)
    here.attach(2)
    say(here, "Error: one", "DONE", number=1)
    here.later(1)
    say(here, "Error: two", number=2)
    assert excerpts(client.ask("list", target=agent_id(1))) == ["Error: one", "DONE"]
    assert excerpts(client.ask("list", types=["completed", "error"], target=agent_id(2))) == [
        "Error: two"
    ]
    assert excerpts(client.ask("list", types=[])) == ["Error: one", "DONE", "Error: two"]
    assert excerpts(client.ask("list", since=stamp(START + SECOND))) == ["Error: two"]
    assert excerpts(client.ask("list", until=stamp(START + SECOND))) == ["Error: one", "DONE"]
    later = "2026-09-21T16:13:21+02:00"  # the second of the second event, told elsewhere
    assert excerpts(client.ask("list", since=later)) == ["Error: two"]
    assert client.ask("list", target=None, since=None, cursor=None, unknown=1)["events"]


def test_managed_events_are_shown_when_their_types_are_asked_for(
    here: Desk, client: Client
) -> None:
    here.attach(1)
    say(here, "Error: one")
    layout = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"
    Event.insert(
        kind="managed",
        event_type="managed_layout_created",
        actor="operator",
        container_id=CONTAINER,
        layout_id=layout,
        sequence=1,
        payload="{}",
        created_at=START - 1,
    ).execute()
    assert ManagedLayout.select().count() == 0
    assert excerpts(client.ask("list")) == ["Error: one"]
    page = client.ask("list", types=["managed_layout_created", "error"], limit=1)
    assert page["events"][0]["origin"] == "managed"
    page = client.ask(
        "list",
        types=["managed_layout_created", "error"],
        cursor=page["next_cursor"],
    )
    assert excerpts(page) == ["Error: one"]
    [only] = client.ask("list", types=["managed_layout_created"])["events"]
    assert only["layout_id"] == layout
    assert client.ask("list", FOREIGN, types=["managed_layout_created"])["events"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"target": 1},
        {"types": "error"},
        {"types": ["queue_message_enqueued"]},
        {"types": [1]},
        {"since": "2026-09-21T14:13:20"},
        {"since": "yesterday"},
        {"since": 5},
        {"since": "9999-99-99T00:00:00Z"},
        {"until": "2026-09-21"},
        {"since": "2026-09-21T14:13:21Z", "until": "2026-09-21T14:13:20Z"},
        {"limit": 0},
        {"limit": 51},
        {"limit": True},
        {"limit": 1.0},
        {"limit": "1"},
        {"reverse": 1},
        {"reverse": None},
    ],
)
def test_wrong_filters_are_refused(here: Desk, client: Client, params: dict[str, Any]) -> None:
    assert client.code("list", **params) == "events_filter_invalid"
    if not {"limit", "reverse", "until"} & params.keys():
        assert client.code("follow_open", **params) == "events_filter_invalid"


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        7,
        True,
        [],
        "!!!",
        "a",
        encoded([1]),
        encoded({"e": 1}),
        encoded({"e": 0, "r": False}),
        encoded({"e": True, "r": False}),
        encoded({"e": 1.0, "r": False}),
        encoded({"e": 2**53, "r": False}),
        encoded({"e": 1, "r": 0}),
        encoded({"e": 1, "r": True}),
        encoded({"e": 999, "r": False}),
        "[" * 400,
        "x" * 1000,
    ],
)
def test_wrong_cursors_are_refused(here: Desk, client: Client, cursor: object) -> None:
    here.attach()
    say(here, "Error: one")
    assert client.code("list", cursor=cursor) == "events_invalid_cursor"


def test_cursors_are_as_the_contract_writes_them() -> None:
    assert json.loads(base64.urlsafe_b64decode(encode_place(7, reverse=True) + "==")) == {
        "e": 7,
        "r": True,
    }
    assert decode_place(encoded({"e": 7, "r": True, "o": "x", "b": -1}), reverse=True) == 7


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001+00:00", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T00:00:00.123456789Z", 123456),
    ],
)
def test_instants(text: str, micros: int) -> None:
    assert parse_instant(text) == micros


# --- who sees what --------------------------------------------------------------------------------


def test_a_bench_sees_its_own_container_only(here: Desk, client: Client) -> None:
    here.attach(1)
    here.attach(2, container_id="d" * 64)
    say(here, "Error: ours", number=1)
    say(here, "Error: theirs", number=2)
    assert excerpts(client.ask("list", BENCH)) == ["Error: ours"]
    assert excerpts(client.ask("list", FOREIGN)) == ["Error: theirs"]
    assert client.code("list", BENCH, target=agent_id(2)) == "agent_not_found"
    assert client.code("follow_open", BENCH, target=agent_id(2)) == "agent_not_found"
    session = client.ask("follow_open", BENCH)["session_id"]
    for caller in (FOREIGN, HOST):
        assert client.code("follow_next", caller, session_id=session) == "events_session_unknown"
        assert client.code("follow_close", caller, session_id=session) == "events_session_unknown"
    say(here, "Error: again", number=2)
    assert client.waits("follow_next", BENCH, session_id=session)


def test_an_unknown_agent_is_not_echoed(here: Desk, client: Client) -> None:
    answer = client.run("list", {"target": "agt_ffffffffffff"}, HOST)
    assert isinstance(answer, Answer)
    error = decoded(answer.line)["error"]
    assert error["code"] == "agent_not_found"
    assert "ffffffffffff" not in error["message"]


# --- following ------------------------------------------------------------------------------------


def test_a_follower_gets_what_comes_once_and_in_order(here: Desk, client: Client) -> None:
    here.attach()
    say(here, "Error: before")
    opened = client.ask("follow_open")
    assert "backlog_events" not in opened
    assert opened["live_starting_event_id"] == 1
    session = opened["session_id"]
    assert client.waits("follow_next", session_id=session)
    say(here, "Error: one", "Error: two")
    assert excerpts(client.ask("follow_next", session_id=session)) == ["Error: one", "Error: two"]
    assert client.waits("follow_next", session_id=session)
    say(here, *(f"Error: {n}" for n in range(120)))
    seen: list[str] = []
    for size in (50, 50, 20):
        page = client.ask("follow_next", session_id=session)
        assert page["session_open"] is True
        assert len(page["events"]) == size
        seen += excerpts(page)
    assert seen == [f"Error: {n}" for n in range(120)]


def test_a_late_window_is_neither_repeated_nor_skipped(here: Desk, client: Client) -> None:
    here.attach()
    session = client.ask("follow_open")["session_id"]
    say(here, "working", "Error: one")
    assert excerpts(client.ask("follow_next", session_id=session)) == ["Error: one"]
    here.later(6)
    here.read_all()  # observed before the error, told after it
    assert excerpts(client.ask("follow_next", session_id=session)) == ["working"]
    assert client.waits("follow_next", session_id=session)


def test_a_backlog_ends_where_the_live_part_begins(here: Desk, client: Client) -> None:
    here.attach()
    say(here, *(f"Error: {n}" for n in range(60)))
    opened = client.ask("follow_open", since=stamp(START))
    shown = [event["excerpt"] for event in opened["backlog_events"]]
    assert shown == [f"Error: {n}" for n in range(10, 60)]
    assert opened["backlog_truncated"] is True
    say(here, "Error: live")
    page = client.ask("follow_next", session_id=opened["session_id"])
    assert excerpts(page) == ["Error: live"]
    short = client.ask("follow_open", since=stamp(here.now + SECOND))
    assert (short["backlog_events"], short["backlog_truncated"]) == ([], False)


@pytest.mark.parametrize("wait", [0, -1, "1", True, 1e400, float("nan"), []])
def test_wrong_waits_are_refused(here: Desk, client: Client, wait: object) -> None:
    session = client.ask("follow_open")["session_id"]
    services_request = {"session_id": session, "max_wait_seconds": wait}
    if isinstance(wait, float) and not abs(wait) < 1e300:
        text = json.dumps(services_request)  # JSON of Python's own, which other parsers refuse
        assert "NaN" in text or "Infinity" in text
        return
    assert client.code("follow_next", **services_request) == "events_filter_invalid"


def test_sessions_end_by_idleness_and_say_so(here: Desk, client: Client) -> None:
    session = client.ask("follow_open")["session_id"]
    here.later(299)
    assert client.waits("follow_next", session_id=session)
    here.later(299)
    assert client.waits("follow_next", session_id=session)
    here.later(300)
    assert client.code("follow_next", session_id=session) == "events_session_expired"
    assert client.code("follow_next", session_id=session) == "events_session_expired"
    assert client.code("follow_next", FOREIGN, session_id=session) == "events_session_unknown"
    assert client.code("follow_close", session_id=session) == "events_session_unknown"


def test_too_many_sessions_end_the_oldest_of_their_own(here: Desk, client: Client) -> None:
    first, foreign = (client.ask("follow_open", who)["session_id"] for who in (BENCH, FOREIGN))
    for _ in range(MOST - 1):
        client.ask("follow_open", BENCH)
    assert client.waits("follow_next", BENCH, session_id=first)
    second = client.ask("follow_open", BENCH)["session_id"]
    assert client.waits("follow_next", BENCH, session_id=first)
    for _ in range(MOST - 1):
        client.ask("follow_open", BENCH)
    assert client.code("follow_next", BENCH, session_id=second) == "events_session_expired"
    assert client.waits("follow_next", BENCH, session_id=first)
    assert client.waits("follow_next", FOREIGN, session_id=foreign)


@pytest.mark.parametrize("session", [None, "", 7, "fs_000000000000"])
def test_unknown_sessions(here: Desk, client: Client, session: object) -> None:
    params = {} if session is None else {"session_id": session}
    assert client.code("follow_next", **params) == "events_session_unknown"
    assert client.code("follow_close", **params) == "events_session_unknown"


def test_closing_twice(here: Desk, client: Client) -> None:
    session = client.ask("follow_open")["session_id"]
    assert client.ask("follow_close", session_id=session) == {}
    assert client.code("follow_close", session_id=session) == "events_session_unknown"
    assert client.code("follow_next", session_id=session) == "events_session_unknown"


# --- over a socket --------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, here: Desk, services: FakeServices) -> Iterator[RunningServer]:
    with running_server(tmp_path, services, on_thread_exit=here.store.close_thread) as running:
        yield running


def begin_next(connection: socket.socket, session: str, wait: float) -> None:
    request = {
        "method": "events.follow_next",
        "params": {"session_id": session, "max_wait_seconds": wait},
    }
    connection.sendall(json.dumps(request).encode() + b"\n")


def answer_of(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as lines:
        return decoded(lines.readline())


def test_waiting_holds_no_thread_and_is_told(here: Desk, server: RunningServer) -> None:
    here.attach()
    sessions = [server.ask("events.follow_open")["result"]["session_id"] for _ in range(30)]
    connections = [server.connect() for _ in sessions]
    try:
        for connection, session in zip(connections, sessions, strict=True):
            begin_next(connection, session, 20)
        wait_until(lambda: server.server.waiting == len(sessions), 10, "all to wait")
        assert server.ask("ping")["ok"] is True
        say(here, "Error: news")
        server.server.wake()
        for connection in connections:
            [event] = answer_of(connection)["result"]["events"]
            assert event["excerpt"] == "Error: news"
    finally:
        for connection in connections:
            connection.close()


def test_a_wait_runs_out_and_a_close_ends_it(here: Desk, server: RunningServer) -> None:
    session = server.ask("events.follow_open")["result"]["session_id"]
    answer = server.ask("events.follow_next", {"session_id": session, "max_wait_seconds": 0.05})
    assert answer["result"] == {"events": [], "session_open": True}
    with server.connect() as connection:
        begin_next(connection, session, 20)
        wait_until(lambda: server.server.waiting == 1, 10, "the request to wait")
        assert not select.select([connection], [], [], 0)[0]
        server.ask("events.follow_close", {"session_id": session})
        server.server.wake()
        assert answer_of(connection)["result"] == {"events": [], "session_open": False}


# --- rules ----------------------------------------------------------------------------------------


def test_rules_are_listed_with_those_of_operators(here: Desk, client: Client) -> None:
    listed = client.ask("classifier_rules", BENCH)
    assert len(listed["rules"]) == 11
    assert listed["rules"][0] == {
        "rule_id": "swarm_member.v1",
        "event_type": "swarm_member_reported",
        "priority": 10,
    }
    assert listed["synthetic_rule_ids"] == ["pane_exited.synth.v1", "long_running.synth.v1"]
    (here.root / "rules").mkdir()
    (here.root / "rules" / "own.yaml").write_text(
        "name: own\nrules:\n - {id: own.v1, event_type: error, priority: 5, pattern: oops}\n"
    )
    rules = client.ask("classifier_rules")["rules"]
    assert rules[0] == {"rule_id": "own.v1", "event_type": "error", "priority": 5}
