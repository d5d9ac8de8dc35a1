"""``app.send_input`` and ``app.queue.*`` (app surface, sections 17, 18 and 20)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower import clock
from agenttower.clock import MILLISECOND, to_millis
from agenttower.protocol.app.prompts import PAYLOAD_LIMIT
from agenttower.services.caller import HOST
from agenttower.services.delivery import Delivery
from agenttower.store import prompt_delays, prompts
from agenttower.store.models import Prompt
from tests.support.app_desk import AppDesk, app_desk

NOBODY = "agt_ffffffffffff"
Refused = tuple[str, dict[str, Any]]
GATE: Refused = ("permission_denied", {"reason": "feat009_permission_gate"})
OFF: Refused = ("routing_disabled", {})
STALE: Refused = ("stale_object", {})
NO_MESSAGE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AppDesk]:
    with app_desk(tmp_path) as desk:
        yield desk


def send(desk: AppDesk, target: str, **more: Any) -> dict[str, Any]:
    params = {"target_agent_id": target, "payload": {"text": "hi"}, **more}
    return dict(desk.ask("app.send_input", **params))


def invalid(field: str, reason: str) -> tuple[str, dict[str, str]]:
    return "validation_failed", {"field": field, "reason": reason}


class TestSending:
    def test_a_prompt_of_the_operator(self, desk: AppDesk) -> None:
        target = desk.rows.agent()
        answer = send(desk, target, payload={"b": [1, {"z": 0, "y": "é\x9b"}], "a": None})
        row = prompts.find(answer["message_id"])
        assert row is not None
        assert answer == {
            "message_id": row.message_id,
            "state": "queued",
            "deduplicated": False,
        }
        assert (row.sender_agent_id, row.target_agent_id) == ("host-operator", target)
        assert prompts.body(row.message_id) == '{"a":null,"b":[1,{"y":"é\\u009b","z":0}]}'.encode()
        [line] = desk.audits()
        assert line["event_type"] == "queue_message_enqueued"
        assert desk.by_app() == ["queue_message_enqueued"]

    @pytest.mark.parametrize(
        ("params", "field", "reason"),
        [
            ({"payload": {}}, "target_agent_id", "missing"),
            ({"target_agent_id": "", "payload": {}}, "target_agent_id", "must not be empty"),
            ({"target_agent_id": 5, "payload": {}}, "target_agent_id", "must be a string"),
            ({"target_agent_id": NOBODY}, "payload", "missing"),
            ({"target_agent_id": NOBODY, "payload": "x"}, "payload", "must be an object"),
            ({"target_agent_id": NOBODY, "payload": []}, "payload", "must be an object"),
            (
                {"target_agent_id": NOBODY, "payload": {"x": "y" * PAYLOAD_LIMIT}},
                "payload",
                "too large",
            ),
            (
                {"target_agent_id": NOBODY, "payload": {}, "idempotency_key": "k" * 257},
                "idempotency_key",
                "max length 256",
            ),
            (
                {"target_agent_id": NOBODY, "payload": {}, "idempotency_key": None},
                "idempotency_key",
                "must be a string",
            ),
        ],
    )
    def test_shapes(self, desk: AppDesk, params: Any, field: str, reason: str) -> None:
        assert desk.refused("app.send_input", **params) == invalid(field, reason)

    def test_16384_bytes_are_not_too_large(self, desk: AppDesk) -> None:
        text = "y" * (PAYLOAD_LIMIT - len('{"x":""}'))
        assert send(desk, desk.rows.agent(), payload={"x": text})["state"] == "queued"
        assert desk.refused(
            "app.send_input", target_agent_id=desk.rows.agent(), payload={"x": text + "y"}
        ) == invalid("payload", "too large")

    @pytest.mark.parametrize("target", [NOBODY, "a-label", "agt_"])
    def test_no_such_agent_and_labels_are_none(self, desk: AppDesk, target: str) -> None:
        desk.rows.agent(label="a-label")
        assert desk.refused("app.send_input", target_agent_id=target, payload={}) == (
            "agent_not_found",
            {"agent_id": target},
        )

    def test_the_gate_leaves_nothing_behind(self, desk: AppDesk) -> None:
        stopped = desk.rows.container("d" * 64, active=False)
        targets = [
            desk.rows.agent(active=False),
            desk.rows.agent("master"),
            desk.rows.agent("shell"),
            desk.rows.agent(container_id=stopped),
            desk.rows.agent(pane=False),
        ]
        for target in targets:
            assert desk.refused("app.send_input", target_agent_id=target, payload={}) == GATE
        desk.rows.switch.toggle(HOST, "disabled")
        for target in (*targets, desk.rows.agent()):
            assert desk.refused("app.send_input", target_agent_id=target, payload={}) == OFF

    def test_a_key_asks_for_one_prompt_in_one_session(self, desk: AppDesk) -> None:
        target, other = desk.rows.agent(), desk.rows.agent()
        first = send(desk, target, idempotency_key="k")
        again = send(desk, other, idempotency_key="k", payload={"text": "another"})
        assert (again["message_id"], again["deduplicated"]) == (first["message_id"], True)
        assert desk.by_app() == ["queue_message_enqueued"]
        token, _ = desk.hello()
        foreign = send(desk, target, idempotency_key="k", token=token)
        assert foreign["deduplicated"] is False
        assert foreign["message_id"] != first["message_id"]
        desk.rows.switch.toggle(HOST, "disabled")
        assert send(desk, target, idempotency_key="k")["message_id"] == first["message_id"]

    def test_a_refused_prompt_takes_no_key(self, desk: AppDesk) -> None:
        target = desk.rows.agent()
        params: Any = {"target_agent_id": target, "payload": {}, "idempotency_key": "k"}
        desk.rows.switch.toggle(HOST, "disabled")
        assert desk.refused("app.send_input", **params) == OFF
        desk.rows.switch.toggle(HOST, "enabled")
        assert desk.ask("app.send_input", **params)["deduplicated"] is False

    def test_concurrent_repeats_are_one(self, desk: AppDesk) -> None:
        target = desk.rows.agent()
        answers: list[dict[str, Any]] = []
        together = threading.Barrier(4)

        def repeat() -> None:
            together.wait(10)
            answers.append(send(desk, target, idempotency_key="k"))
            desk.store.close_thread()

        threads = [threading.Thread(target=repeat) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({answer["message_id"] for answer in answers}) == 1
        assert sorted(answer["deduplicated"] for answer in answers) == [False, True, True, True]
        assert desk.by_app() == ["queue_message_enqueued"]


class TestDeciding:
    @pytest.fixture(autouse=True)
    def _rows(self, desk: AppDesk) -> None:
        self.desk = desk
        self.target = desk.rows.agent()

    def sent(self, state: str = "queued") -> str:
        message_id = str(send(self.desk, self.target)["message_id"])
        if state == "under way":
            Prompt.update(delivery_attempt_started_at=1).where(
                Prompt.message_id == message_id
            ).execute()
        elif state == "canceled":
            self.desk.rows.queue.cancel(message_id, "host-operator")
        elif state == "delayed":
            self.desk.rows.queue.delay(message_id, "host-operator")
        return message_id

    @pytest.mark.parametrize(
        ("method", "params", "field", "reason"),
        [
            ("approve", {}, "message_id", "missing"),
            ("approve", {"message_id": ""}, "message_id", "must not be empty"),
            ("cancel", {"message_id": 1}, "message_id", "must be a string"),
            ("delay", {"message_id": NO_MESSAGE}, "delay_ms", "missing"),
            ("delay", {"message_id": NO_MESSAGE, "delay_ms": -1}, "delay_ms", "must be >= 0"),
            ("delay", {"message_id": "x", "delay_ms": True}, "delay_ms", "must be an integer"),
            ("delay", {"message_id": "x", "delay_ms": 1.5}, "delay_ms", "must be an integer"),
            ("cancel", {"message_id": "x", "reason": None}, "reason", "must be a string"),
            ("cancel", {"message_id": "x", "reason": "r" * 257}, "reason", "max length 256"),
        ],
    )
    def test_shapes(self, method: str, params: Any, field: str, reason: str) -> None:
        assert self.desk.refused(f"app.queue.{method}", **params) == invalid(field, reason)

    @pytest.mark.parametrize("method", ["approve", "delay", "cancel"])
    def test_no_such_message(self, method: str) -> None:
        assert self.desk.refused(f"app.queue.{method}", message_id="nix", delay_ms=0) == (
            "queue_message_not_found",
            {"message_id": "nix"},
        )

    @pytest.mark.parametrize(
        ("method", "state"),
        [
            ("approve", "queued"), ("approve", "canceled"), ("approve", "under way"),
            ("delay", "delayed"), ("delay", "canceled"), ("delay", "under way"),
            ("cancel", "canceled"), ("cancel", "under way"),
        ],
    )  # fmt: skip
    def test_stale(self, method: str, state: str) -> None:
        message_id = self.sent(state)
        answer = self.desk.refused(f"app.queue.{method}", message_id=message_id, delay_ms=1)
        assert answer == STALE

    def test_roles_are_never_overruled(self) -> None:
        slave = self.desk.rows.agent()
        blocked = self.desk.rows.send(slave, self.target)
        assert blocked.block_reason == "sender_role_not_permitted"
        assert self.desk.refused("app.queue.approve", message_id=blocked.message_id) == STALE

    def test_what_the_switch_blocks_is_approved_once_it_is_on(self) -> None:
        self.desk.rows.switch.toggle(HOST, "disabled")
        held = self.desk.rows.send("host-operator", self.target)
        assert self.desk.refused("app.queue.approve", message_id=held.message_id) == OFF
        self.desk.rows.switch.toggle(HOST, "enabled")
        row = self.desk.ask("app.queue.approve", message_id=held.message_id)["row"]
        assert (row["state"], row["block_reason"]) == ("queued", None)
        assert self.desk.by_app() == ["queue_message_approved"]

    def test_a_prompt_is_canceled_for_a_reason(self) -> None:
        told = self.sent()
        row = self.desk.ask("app.queue.cancel", message_id=told, reason="  no longer\tneeded ")
        assert row["row"]["state"] == "canceled"
        self.desk.ask("app.queue.cancel", message_id=self.sent(), reason=" ")
        lines = [x for x in self.desk.audits() if x["type"] == "queue_message_canceled"]
        assert [line["reason"] for line in lines] == ["no longer needed", None]
        assert [line["operator"] for line in lines] == ["host-operator"] * 2
        assert [line["origin"] for line in lines] == ["app"] * 2

    def test_a_delay_is_a_row_that_goes_with_it(self) -> None:
        message_id = self.sent()
        row = self.desk.ask("app.queue.delay", message_id=message_id, delay_ms=60_000)["row"]
        assert (row["state"], row["block_reason"]) == ("blocked", "operator_delayed")
        due_at = prompt_delays.of(message_id)
        assert due_at is not None
        assert due_at // MILLISECOND == row["last_updated_at"] + 60_000
        shown = self.desk.request("queue.show", {"message_id": message_id})["result"]
        assert shown["delayed_until"] == to_millis(due_at)
        self.desk.ask("app.queue.approve", message_id=message_id)
        assert prompt_delays.next_due() is None
        self.desk.ask("app.queue.delay", message_id=message_id, delay_ms=10**30)
        shown = self.desk.request("queue.show", {"message_id": message_id})["result"]
        assert shown["delayed_until"] == "9999-12-31T23:59:59.000Z"
        self.desk.ask("app.queue.cancel", message_id=message_id)
        assert prompt_delays.next_due() is None
        assert self.desk.by_app() == [
            f"queue_message_{what}"
            for what in ("enqueued", "delayed", "approved", "delayed", "canceled")
        ]

    def test_a_delay_ends_by_itself_and_nobody_approved(self) -> None:
        soon, late = self.sent(), self.sent()
        self.desk.ask("app.queue.delay", message_id=soon, delay_ms=0)
        self.desk.ask("app.queue.delay", message_id=late, delay_ms=3_600_000)
        self.desk.rows.now = clock.now()
        until_next = self.worker().release_due()
        assert until_next is not None
        assert 3500 < until_next <= 3600
        states = [getattr(prompts.find(one), "state", None) for one in (soon, late)]
        assert states == ["queued", "blocked"]
        line = self.desk.audits()[-1]
        assert line["type"] == "queue_message_delay_ended"
        assert (line["from_state"], line["to_state"]) == ("blocked", "queued")
        assert (line["reason"], line["operator"]) == ("operator_delayed", None)
        assert "origin" not in line
        self.desk.ask("app.queue.cancel", message_id=late)
        assert self.worker().release_due() is None

    def worker(self) -> Delivery:
        """What delivers; it has nothing to deliver to."""
        rows: Any = self.desk.rows
        return Delivery(rows.store, None, rows.changes, rows.switch, None, "w")  # type: ignore[arg-type]
