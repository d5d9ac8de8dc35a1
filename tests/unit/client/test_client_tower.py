"""The library: sessions, pages, waiting and following, over a daemon that says what it is told."""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agenttower.client import (
    Client,
    DaemonUnreachable,
    SocketMissing,
    WaitTimedOut,
    asking,
    paging,
    refusals,
    session,
)
from agenttower.protocol.app import version
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "s")
    try:
        yield fake
    finally:
        fake.close()


@pytest.fixture
def client(daemon: FakeDaemon) -> Iterator[Client]:
    with Client(daemon.path, timeout=5, client_id="tests") as made:
        yield made


def test_anything_can_be_asked(daemon: FakeDaemon, client: Client) -> None:
    daemon.on("some.method", lambda params: {"seen": params})
    assert client.call("some.method", {"a": 1}, b=None) == {"seen": {"a": 1, "b": None}}
    daemon.on("ping", {})
    client.ping()


def test_refusals_are_of_their_class(daemon: FakeDaemon, client: Client) -> None:
    def refuse(_: Any) -> object:
        raise Refusal("managed_layout_not_found", "no such layout", layout_id="x")

    daemon.on("managed.layout.detail", refuse)
    with pytest.raises(refusals.ManagedLayoutNotFound) as refused:
        client.layouts.get("x")
    assert refused.value.layout_id == "x"


# --- the app session -----------------------------------------------------------------------------


class Sessions:
    """A daemon's side of them: hands out tokens, and forgets them when told to."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self.valid: set[str] = set()
        self.numbers = itertools.count(1)
        daemon.on("app.hello", self.hello)
        daemon.on("app.readiness", self.readiness)

    def hello(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["client_app_contract_major"] == 1
        token = f"token-{next(self.numbers)}"
        self.valid.add(token)
        return {"app_session_token": token}

    def readiness(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["app_session_token"] not in self.valid:
            raise Refusal("app_session_expired", "unknown token")
        return {"state": "ready"}


def test_hello_is_said_once_and_only_for_app_methods(daemon: FakeDaemon, client: Client) -> None:
    Sessions(daemon)
    daemon.on("status", {"alive": True})
    client.status()
    assert daemon.params_of("app.hello") == []
    for _ in range(3):
        assert client.call("app.readiness") == {"state": "ready"}
    assert len(daemon.params_of("app.hello")) == 1
    assert daemon.params_of("app.hello")[0]["client_id"] == "tests"


def test_a_session_that_the_daemon_forgot_is_opened_anew(
    daemon: FakeDaemon, client: Client
) -> None:
    sessions = Sessions(daemon)
    client.call("app.readiness")
    sessions.valid.clear()
    assert client.call("app.readiness") == {"state": "ready"}
    assert len(daemon.params_of("app.hello")) == 2


def test_one_that_expires_at_once_is_not_tried_for_ever(daemon: FakeDaemon, client: Client) -> None:
    sessions = Sessions(daemon)
    daemon.on("app.hello", lambda _: {"app_session_token": f"bad-{next(sessions.numbers)}"})
    with pytest.raises(refusals.AppSessionExpired):
        client.call("app.readiness")
    assert len(daemon.params_of("app.hello")) == 2


def test_many_threads_share_one_session(daemon: FakeDaemon, client: Client) -> None:
    sessions = Sessions(daemon)
    client.call("app.readiness")
    sessions.valid.clear()
    barrier = threading.Barrier(8)

    def ask(_: int) -> dict[str, Any]:
        barrier.wait(10)
        return client.call("app.readiness")

    with ThreadPoolExecutor(8) as pool:
        assert all(answer == {"state": "ready"} for answer in pool.map(ask, range(8)))
    assert len(daemon.params_of("app.hello")) == 2


def test_the_contract_is_the_one_that_the_daemon_has() -> None:
    assert session.CONTRACT_VERSION == version.VERSION
    assert session.CONTRACT_VERSION.startswith(f"{session.CONTRACT_MAJOR}.")


def test_preflight_tells_what_it_is_without_raising(daemon: FakeDaemon, client: Client) -> None:
    daemon.on("app.preflight", {"code": "ok"})
    assert client.preflight() == "ok"

    def refuse(_: Any) -> object:
        raise Refusal("permission_denied", "another user")

    daemon.on("app.preflight", refuse)
    assert client.preflight() == "socket_permission_denied"
    daemon.stop()
    assert client.preflight() == "socket_missing"
    with pytest.raises(SocketMissing):
        client.ping()


# --- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "rows", "cursor", "following"),
    [
        ("managed.layout.list", "items", "after", "next"),
        ("app.managed_pane_list", "items", "after", "next"),
        ("app.agent.list", "rows", "cursor_next", "cursor_next"),
        ("events.list", "events", "cursor", "next_cursor"),
    ],
)
def test_pages_of_every_kind(
    daemon: FakeDaemon, client: Client, method: str, rows: str, cursor: str, following: str
) -> None:
    Sessions(daemon)

    def page(params: dict[str, Any]) -> dict[str, Any]:
        place = int(params.get(cursor, "0"))
        return {rows: [{"n": place}, {"n": place + 1}], following: None if place else "2"}

    daemon.on(method, page)
    found = client.rows(method, limit=2)
    assert daemon.params_of(method) == []
    assert [row["n"] for row in found] == [0, 1, 2, 3]
    assert len(daemon.params_of(method)) == 2
    assert all(params["limit"] == 2 for params in daemon.params_of(method))


def test_lists_that_have_no_such_pages_say_so() -> None:
    with pytest.raises(ValueError, match="no pages"):
        next(paging.rows(lambda *_: {}, "queue.list", {}))


# --- waiting -------------------------------------------------------------------------------------


def watching(daemon: FakeDaemon, *states: str) -> None:
    """A layout that goes through these states, one a request."""
    left = list(states)

    def watch(params: dict[str, Any]) -> dict[str, Any]:
        state = left.pop(0) if len(left) > 1 else left[0]
        if state == "away":
            raise HangUp
        revision = len(states) - len(left)
        return {"layout": {"state": state, "revision": revision, "layout_id": "l"}}

    daemon.on("managed.layout.watch", watch)


def test_a_layout_is_waited_for_over_a_restart(daemon: FakeDaemon, client: Client) -> None:
    watching(daemon, "creating", "away", "creating", "ready", "ready")
    assert client.layouts.wait("l", 30)["state"] == "ready"


def test_a_daemon_that_was_never_there_is_told_at_once(daemon: FakeDaemon, client: Client) -> None:
    watching(daemon, "away")
    with pytest.raises(DaemonUnreachable):
        client.layouts.wait("l", 30)
    assert len(daemon.requests) == 1


def test_a_daemon_that_stays_away_is_not_waited_for_for_ever() -> None:
    answers = iter([{}])

    def ask(*_: object) -> dict[str, Any]:
        for answer in answers:
            return answer
        raise DaemonUnreachable("gone")

    patient = asking.Patient(ask, seconds=0.05)
    assert patient("m", {}, 1) == {}
    with pytest.raises(DaemonUnreachable):
        patient("m", {}, 1)


def test_waiting_ends_with_its_time(daemon: FakeDaemon, client: Client) -> None:
    watching(daemon, "creating")
    with pytest.raises(WaitTimedOut, match="still being created"):
        client.layouts.wait("l", 0.05)


# --- prompts -------------------------------------------------------------------------------------


def prompt(state: str, at: str = "1") -> dict[str, Any]:
    return {"message_id": "m", "state": state, "last_updated_at": at}


def test_the_operator_sends_and_waits(daemon: FakeDaemon, client: Client) -> None:
    daemon.on("list_containers", {"containers": [], "caller_container_id": None})
    daemon.on("queue.operator_input", prompt("queued"))
    daemon.on("queue.show", prompt("delivered", "2"))
    assert client.prompts.send("s1", "é", wait=5)["state"] == "delivered"
    (sent,) = daemon.params_of("queue.operator_input")
    assert base64.b64decode(sent["body_bytes"]).decode() == "é"
    assert sent["wait"] is False
    assert daemon.params_of("queue.show")[0]["after"] == "1"


def test_an_agent_sends_for_its_pane(
    daemon: FakeDaemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/t,1,0")
    monkeypatch.setenv("TMUX_PANE", "%3")
    key = {
        "container_id": "c", "tmux_socket_path": "/tmp/t", "tmux_session_name": "s",
        "tmux_window_index": 0, "tmux_pane_index": 0, "tmux_pane_id": "%3",
    }  # fmt: skip
    daemon.on("list_containers", {"containers": [], "caller_container_id": "c"})
    daemon.on("list_agents", {"agents": [key | {"agent_id": "agt_1"}]})
    daemon.on("queue.send_input", prompt("blocked"))
    assert client.prompts.send("s1", b"x", wait=5)["state"] == "blocked"
    assert daemon.params_of("queue.send_input")[0]["caller_pane"] == {"pane_composite_key": key}
    with pytest.raises(ValueError, match="for the host"):
        client.prompts.send("s1", "x", envelope=True)
    daemon.on("list_agents", {"agents": []})
    with pytest.raises(refusals.SenderRoleNotPermitted):
        client.prompts.send("s1", "x")


def test_a_long_text_goes_by_a_private_file(daemon: FakeDaemon, client: Client) -> None:
    text = b"x" * 60_000
    seen: list[bytes] = []

    def take(params: dict[str, Any]) -> dict[str, Any]:
        file = Path(params["body_file"])
        assert file.parent == daemon.path.parent
        assert file.stat().st_mode & 0o777 == 0o600
        seen.append(file.read_bytes())
        return prompt("queued")

    daemon.on("list_containers", {"containers": [], "caller_container_id": None})
    daemon.on("queue.operator_input", take)
    client.prompts.send("s1", text)
    assert seen == [text]
    assert [path.name for path in daemon.path.parent.iterdir()] == [daemon.path.name]


def test_a_prompt_that_stays_queued(daemon: FakeDaemon, client: Client) -> None:
    daemon.on("queue.show", prompt("queued"))
    with pytest.raises(WaitTimedOut, match="still queued"):
        client.prompts.wait("m", 0.05)


# --- following -----------------------------------------------------------------------------------


def test_logs_are_followed_from_place_to_place(daemon: FakeDaemon, client: Client) -> None:
    def read(params: dict[str, Any]) -> dict[str, Any]:
        place = params.get("offset", 10)
        return {"lines": [f"line {place}"], "next": place + 1, "file": "1:2"}

    daemon.on("logs.read", read)
    lines = client.logs.follow("agt_1", 1)
    assert list(itertools.islice(lines, 3)) == ["line 10", "line 11", "line 12"]
    assert [params.get("file") for params in daemon.params_of("logs.read")] == [None, "1:2", "1:2"]


def test_who_leaves_a_following_loop_closes_its_session(daemon: FakeDaemon, client: Client) -> None:
    event = {"event_id": 4, "observed_at": "2026-05-06T18:01:04+00:00"}
    daemon.on("events.follow_open", {"session_id": "fs", "live_starting_event_id": 3})
    daemon.on("events.follow_next", {"events": [event], "session_open": True})
    daemon.on("events.follow_close", {})
    following = client.events.follow(types=["error"])
    assert next(following)["event_id"] == 4
    following.close()  # type: ignore[attr-defined]
    assert daemon.params_of("events.follow_close") == [{"session_id": "fs"}]
    assert daemon.params_of("events.follow_open") == [{"types": ["error"]}]


def test_what_a_group_sends(daemon: FakeDaemon, client: Client) -> None:
    """What is left out is not sent, so that the daemon's own default holds."""
    daemon.on("managed.layout.create", {"layout_id": "l"})
    client.layouts.create("bench-1", "1m+2s", "work", launch={"slave:s1": "codex"})
    assert daemon.params_of("managed.layout.create") == [
        {
            "container_id": "bench-1",
            "template_name": "1m+2s",
            "tmux_session_name": "work",
            "launch_command_overrides": {"slave:s1": "codex"},
        }
    ]
    daemon.on("list_agents", {"agents": []})
    client.agents.list(role=("slave", "swarm"))
    assert daemon.params_of("list_agents") == [{"role": ["slave", "swarm"], "active_only": False}]
