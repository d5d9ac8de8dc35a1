"""``queue.*`` and ``routing.*`` over the method table and a real database."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.method import Pending
from agenttower.rpc.methods import method_table
from agenttower.services.caller import Caller
from agenttower.services.prompting import Prompting
from agenttower.store.models import Agent, Prompt
from tests.support.prompt_rows import BENCH, Rows, prompt_rows
from tests.support.rpc_server import FakeServices, decoded

OTHER = "c" * 64
HOST = Caller("host")
INSIDE = Caller("bench", BENCH)
STRANGER = Caller("unknown")


@dataclass
class Desk:
    """The methods over real rows; ``ask`` is one whole request."""

    rows: Rows
    dispatcher: Dispatcher

    def job(self, method: str, params: dict[str, Any]) -> Job:
        job = self.dispatcher.accept(msgspec.json.encode({"method": method, "params": params}))
        assert isinstance(job, Job)
        return job

    def ask(
        self, method: str, params: dict[str, Any] | None = None, caller: Caller = HOST
    ) -> dict[str, Any]:
        outcome = self.dispatcher.run(self.job(method, params or {}), lambda: caller)
        assert isinstance(outcome, Answer), "it waits"
        return decoded(outcome.line)

    def result(
        self, method: str, params: dict[str, Any] | None = None, caller: Caller = HOST
    ) -> dict[str, Any]:
        answer = self.ask(method, params, caller)
        assert answer["ok"] is True, answer
        return dict(answer["result"])

    def code(self, method: str, params: dict[str, Any] | None = None, caller: Caller = HOST) -> str:
        answer = self.ask(method, params, caller)
        assert answer["ok"] is False, answer
        assert answer["error"]["message"]
        return str(answer["error"]["code"])

    def pane(self, agent_id: str, **changes: Any) -> dict[str, Any]:
        """The ``caller_pane`` of an agent."""
        row = Agent.get(Agent.agent_id == agent_id)
        key = {
            "container_id": row.container_id,
            "tmux_socket_path": row.tmux_socket_path,
            "tmux_session_name": row.tmux_session_name,
            "tmux_window_index": row.tmux_window_index,
            "tmux_pane_index": row.tmux_pane_index,
            "tmux_pane_id": row.tmux_pane_id,
        }
        return {"pane_composite_key": key | changes}

    def sent(self, agent_id: str, target: str, body: bytes = b"hello", **more: Any) -> Any:
        return {
            "caller_pane": self.pane(agent_id),
            "target": target,
            "body_bytes": base64.b64encode(body).decode(),
            "wait": False,
            **more,
        }


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with prompt_rows(tmp_path) as rows:
        services = FakeServices()
        services.prompts = Prompting(rows.store, rows.queue)  # type: ignore[assignment]
        services.routing = rows.switch  # type: ignore[assignment]
        yield Desk(rows, Dispatcher(method_table(services), services.resolve_container))


# --- sending -------------------------------------------------------------------------------------


def test_a_master_sends_to_a_label(desk: Desk) -> None:
    master, slave = desk.rows.agent("master", "boss"), desk.rows.agent("slave", "worker")
    for caller in (HOST, INSIDE):
        row = desk.result("queue.send_input", desk.sent(master, "worker"), caller)
        assert (row["state"], row["origin"], row["form"]) == ("queued", "direct", "envelope")
        assert (row["sender"]["agent_id"], row["target"]["agent_id"]) == (master, slave)


@pytest.mark.parametrize("role", ["slave", "swarm", "test-runner", "shell", "unknown"])
def test_others_get_a_blocked_row(desk: Desk, role: str) -> None:
    sender, slave = desk.rows.agent(role), desk.rows.agent()
    row = desk.result("queue.send_input", desk.sent(sender, slave))
    assert (row["state"], row["block_reason"]) == ("blocked", "sender_role_not_permitted")


def test_who_may_not_send_at_all(desk: Desk) -> None:
    rows = desk.rows
    master, slave = rows.agent("master"), rows.agent()
    gone = rows.agent("master", active=False)
    params = desk.sent(master, slave)
    without = {**params, "caller_pane": None}
    assert desk.code("queue.send_input", without) == "sender_not_in_pane"
    del without["caller_pane"]
    assert desk.code("queue.send_input", without) == "sender_not_in_pane"
    nobody = {**params, "caller_pane": desk.pane(master, tmux_pane_id="%77")}
    assert desk.code("queue.send_input", nobody) == "sender_role_not_permitted"
    assert desk.code("queue.send_input", desk.sent(gone, slave)) == "sender_role_not_permitted"
    another = {**params, "caller_pane": {**desk.pane(master), "agent_id": slave}}
    assert desk.code("queue.send_input", another) == "bad_request"
    assert desk.code("queue.send_input", params, STRANGER) == "host_only"
    assert not Prompt.select().exists()


def test_no_claim_reaches_beyond_the_callers_container(desk: Desk) -> None:
    rows = desk.rows
    rows.container(OTHER)
    foreign = rows.agent("master", container_id=OTHER)
    own, far = rows.agent("master"), rows.agent("slave", "far", container_id=OTHER)
    claimed = desk.sent(foreign, far)
    assert desk.code("queue.send_input", claimed, INSIDE) == "bad_request"
    for target in (far, "far"):
        assert desk.code("queue.send_input", desk.sent(own, target), INSIDE) == "agent_not_found"
    short = {**desk.sent(own, rows.agent()), "caller_pane": desk.pane(own, container_id=BENCH[:12])}
    assert desk.result("queue.send_input", short, INSIDE)["state"] == "queued"


def test_a_pane_is_known_by_its_server_and_number(desk: Desk) -> None:
    """Indices and session names move while a pane lives; the registry follows later."""
    master, slave = desk.rows.agent("master"), desk.rows.agent()
    moved = desk.pane(master, tmux_session_name="renamed", tmux_window_index=4, tmux_pane_index=9)
    params = {**desk.sent(master, slave), "caller_pane": moved}
    assert desk.result("queue.send_input", params)["state"] == "queued"


@pytest.mark.parametrize(
    "change",
    [
        {"target": None},
        {"target": ""},
        {"target": 3},
        {"body_bytes": None},
        {"body_bytes": "not base64!"},
        {"body_bytes": "eA"},
        {"wait": "yes"},
        {"wait": 1},
        {"wait_timeout_seconds": -1},
        {"wait_timeout_seconds": 300.5},
        {"wait_timeout_seconds": True},
        {"wait_timeout_seconds": "10"},
        {"caller_pane": "%1"},
        {"caller_pane": {}},
        {"caller_pane": {"pane_composite_key": {}}},
    ],
)
def test_a_wrong_shape_is_bad_request(desk: Desk, change: dict[str, Any]) -> None:
    params = {**desk.sent(desk.rows.agent("master"), desk.rows.agent()), **change}
    if params["target"] is None:
        del params["target"]
    assert desk.code("queue.send_input", params) == "bad_request"


@pytest.mark.parametrize("member", ["container_id", "tmux_socket_path", "tmux_pane_id"])
@pytest.mark.parametrize("value", ["", None, 3])
def test_a_pane_key_needs_all_its_parts(desk: Desk, member: str, value: object) -> None:
    master = desk.rows.agent("master")
    params = desk.sent(master, desk.rows.agent())
    params["caller_pane"] = desk.pane(master, **{member: value})
    assert desk.code("queue.send_input", params) == "bad_request"
    del params["caller_pane"]["pane_composite_key"][member]
    assert desk.code("queue.send_input", params) == "bad_request"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (b"\xc3", "body_invalid_encoding"),
        (b"\r", "body_invalid_chars"),
        ("\u0085".encode(), "body_invalid_chars"),
    ],
)
def test_a_body_that_breaks_a_rule(desk: Desk, body: bytes, code: str) -> None:
    params = desk.sent(desk.rows.agent("master"), desk.rows.agent(), body)
    assert desk.code("queue.send_input", params) == code


def test_targets_that_do_not_resolve(desk: Desk) -> None:
    master = desk.rows.agent("master")
    desk.rows.agent(label="twin")
    desk.rows.agent(label="twin")
    assert desk.code("queue.send_input", desk.sent(master, "twin")) == "target_label_ambiguous"
    for name in ("nobody", "agt_ffffffffffff", "twin ", "TWIN"):
        assert desk.code("queue.send_input", desk.sent(master, name)) == "agent_not_found"
    assert desk.rows.told() == []


# --- waiting -------------------------------------------------------------------------------------


def test_who_waits_holds_no_thread_and_is_told_in_the_end(desk: Desk) -> None:
    master, slave = desk.rows.agent("master"), desk.rows.agent()
    job = desk.job("queue.send_input", desk.sent(master, slave, wait=True))
    parked = desk.dispatcher.run(job, lambda: HOST)
    assert isinstance(parked, Pending)
    assert parked.until == pytest.approx(job.asked_at + 10)
    assert isinstance(desk.dispatcher.run(job, lambda: HOST), Pending)
    [made] = Prompt.select()
    desk.rows.queue.delay(made.message_id, "host-operator")
    answer = desk.dispatcher.run(job, lambda: HOST)
    assert isinstance(answer, Answer)
    row = decoded(answer.line)["result"]
    assert (row["message_id"], row["block_reason"]) == (made.message_id, "operator_delayed")
    assert Prompt.select().count() == 1


def test_who_has_waited_long_enough_is_told_that_it_is_queued(desk: Desk) -> None:
    params = desk.sent(desk.rows.agent("master"), desk.rows.agent(), wait=True)
    job = desk.job("queue.send_input", params | {"wait_timeout_seconds": 0.0})
    answer = desk.dispatcher.run(job, lambda: HOST)
    assert isinstance(answer, Answer)
    assert decoded(answer.line)["result"]["state"] == "queued"


def test_a_daemon_that_stops_accepts_nothing_new(desk: Desk) -> None:
    master, slave = desk.rows.agent("master"), desk.rows.agent()
    for method, params in (
        ("queue.send_input", desk.sent(master, slave)),
        ("queue.operator_input", {"target": slave, "body_bytes": "eA=="}),
        ("queue.cancel", {"message_id": "x"}),
        ("routing.disable", {}),
    ):
        answer = desk.dispatcher.run(desk.job(method, params), lambda: HOST, final=True)
        assert isinstance(answer, Answer)
        assert decoded(answer.line)["error"]["code"] == "daemon_shutting_down"
    assert not Prompt.select().exists()
    assert desk.rows.switch.is_enabled()


# --- the operator --------------------------------------------------------------------------------


def test_the_operator_sends_as_a_master(desk: Desk) -> None:
    slave, shell = desk.rows.agent(label="s"), desk.rows.agent("shell")
    params = {"target": "s", "body_bytes": "eA==", "wait": False}
    row = desk.result("queue.operator_input", params)
    assert (row["state"], row["form"], row["target"]["agent_id"]) == ("queued", "plain", slave)
    assert row["sender"] == {
        "agent_id": "host-operator",
        "label": "host-operator",
        "role": "master",
        "capability": None,
    }
    refused = desk.result("queue.operator_input", params | {"target": shell})
    assert refused["block_reason"] == "target_role_not_permitted"
    assert desk.code("queue.operator_input", params, INSIDE) == "host_only"


def test_the_operators_key_makes_one_prompt(desk: Desk) -> None:
    slave = desk.rows.agent()
    params = {"target": slave, "body_bytes": "eA==", "wait": False, "idempotency_key": "k"}
    first = desk.result("queue.operator_input", params)
    again = desk.result("queue.operator_input", params | {"body_bytes": "eXk="})
    assert (first["deduplicated"], again["deduplicated"]) == (False, True)
    assert first["message_id"] == again["message_id"]
    job = desk.job("queue.operator_input", params | {"wait": True})
    for _ in range(3):
        assert isinstance(desk.dispatcher.run(job, lambda: HOST), Pending)
    assert Prompt.select().count() == 1
    assert desk.rows.told() == ["queue_message_enqueued"]


def test_a_long_text_comes_out_of_a_file(desk: Desk, tmp_path: Path) -> None:
    slave, file = desk.rows.agent(), tmp_path / "text"
    params = {"target": slave, "body_file": str(file), "wait": False}
    assert desk.code("queue.operator_input", params) == "bad_request"
    file.write_bytes(b"x" * 65_536)
    assert desk.result("queue.operator_input", params)["envelope_size_bytes"] == 65_536
    file.write_bytes(b"x" * 65_537)
    assert desk.code("queue.operator_input", params) == "body_too_large"
    for odd in (str(tmp_path), "/dev/zero", "", "nul\0"):
        assert desk.code("queue.operator_input", params | {"body_file": odd}) == "bad_request"
    (tmp_path / "link").symlink_to(file)
    link = params | {"body_file": str(tmp_path / "link")}
    assert desk.code("queue.operator_input", link) == "bad_request"
    both = params | {"body_bytes": "eA=="}
    neither = {"target": slave}
    for wrong in (both, neither):
        assert desk.code("queue.operator_input", wrong) == "bad_request"


# --- the queue -----------------------------------------------------------------------------------


def test_the_list_and_its_refusals(desk: Desk) -> None:
    master, slave = desk.rows.agent("master", "boss"), desk.rows.agent("slave", "worker")
    made = desk.result("queue.send_input", desk.sent(master, slave))
    for wanted in (
        {},
        {"target": "worker", "sender": master, "state": "queued", "origin": "direct"},
        {"since": made["enqueued_at"], "cursor": "ignored", "unknown": 1},
        {"since": "2001-01-01T00:00:00Z"},
    ):
        assert desk.result("queue.list", wanted) == {"rows": [made], "next_cursor": None}
    assert desk.result("queue.list", {"sender": "host-operator"})["rows"] == []
    for wanted, code in (
        ({"state": "gone"}, "bad_request"),
        ({"limit": 0}, "bad_request"),
        ({"limit": 1001}, "bad_request"),
        ({"limit": True}, "bad_request"),
        ({"target": ""}, "bad_request"),
        ({"target": "nobody"}, "agent_not_found"),
        ({"since": 3}, "bad_request"),
        ({"since": "yesterday"}, "since_invalid_format"),
        ({"since": "2026-13-01T00:00:00Z"}, "since_invalid_format"),
        ({"since": "2026-01-01T00:00:00+00:00"}, "since_invalid_format"),
        ({"origin": "other"}, "queue_origin_invalid"),
    ):
        assert desk.code("queue.list", wanted) == code, wanted


def test_a_bench_sees_and_moves_what_is_its_own(desk: Desk) -> None:
    rows = desk.rows
    rows.container(OTHER)
    master = rows.agent("master")
    far = desk.result(
        "queue.operator_input",
        {"target": rows.agent(container_id=OTHER), "body_bytes": "eA==", "wait": False},
    )
    near = desk.result("queue.send_input", desk.sent(master, rows.agent()))
    seen = desk.result("queue.list", caller=INSIDE)["rows"]
    assert [row["message_id"] for row in seen] == [near["message_id"]]
    by = {"caller_pane": desk.pane(master)}
    for method in ("queue.approve", "queue.delay", "queue.cancel", "queue.show"):
        params = {"message_id": far["message_id"], **by}
        assert desk.code(method, params, INSIDE) == "message_id_not_found"
    near_by = {"message_id": near["message_id"], **by}
    assert desk.result("queue.delay", near_by, INSIDE)["operator_action_by"] == master


@pytest.mark.parametrize("method", ["queue.approve", "queue.delay", "queue.cancel"])
def test_who_acts(desk: Desk, method: str) -> None:
    gone = desk.rows.agent("master", active=False)
    assert desk.code(method, {"message_id": ""}) == "bad_request"
    assert desk.code(method, {}) == "bad_request"
    assert desk.code(method, {"message_id": "x", "caller_pane": 3}) == "bad_request"
    by_nobody = {"message_id": "x", "caller_pane": desk.pane(gone)}
    assert desk.code(method, by_nobody) == "operator_pane_inactive"
    assert desk.code(method, {"message_id": "x"}, INSIDE) == "bad_request"
    assert desk.code(method, {"message_id": "x"}) == "message_id_not_found"


def test_an_operators_whole_catalogue(desk: Desk) -> None:
    slave = desk.rows.agent()
    made = desk.rows.send("host-operator", slave)
    one = {"message_id": made.message_id}
    assert desk.code("queue.approve", one) == "approval_not_applicable"
    assert desk.result("queue.delay", one)["operator_action_by"] == "host-operator"
    assert desk.code("queue.delay", one) == "delay_not_applicable"
    assert desk.result("queue.approve", one)["state"] == "queued"
    Prompt.update(delivery_attempt_started_at=1).execute()
    for method in ("queue.approve", "queue.delay", "queue.cancel"):
        assert desk.code(method, one) == "delivery_in_progress"
    Prompt.update(delivery_attempt_started_at=None).execute()
    assert desk.result("queue.cancel", one)["state"] == "canceled"
    for method in ("queue.approve", "queue.delay", "queue.cancel"):
        assert desk.code(method, one) == "terminal_state_cannot_change"


# --- the switch ----------------------------------------------------------------------------------


def test_the_switch_is_the_hosts(desk: Desk) -> None:
    pane = desk.pane(desk.rows.agent("master"))
    for method in ("routing.enable", "routing.disable"):
        for caller in (INSIDE, STRANGER):
            assert desk.code(method, caller=caller) == "routing_toggle_host_only"
        assert desk.code(method, {"caller_pane": pane}) == "routing_toggle_host_only"
        assert desk.code(method, {"caller_pane": "%1"}) == "bad_request"
    off = desk.result("routing.disable")
    assert (off["previous_value"], off["current_value"], off["changed"]) == (
        "enabled", "disabled", True,
    )  # fmt: skip
    assert desk.result("routing.disable")["changed"] is False
    for caller in (HOST, INSIDE, STRANGER):
        assert desk.result("routing.status", caller=caller)["value"] == "disabled"
