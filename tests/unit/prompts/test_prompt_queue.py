"""The prompt queue on a real database: checks, states, audit lines, and what operators may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.clock import MILLISECOND, SECOND
from agenttower.domain.permissions import Role
from agenttower.domain.prompts import HOST_OPERATOR, FailureReason, Form
from agenttower.errors import (
    AgentNotFound,
    ApprovalNotApplicable,
    BodyRefused,
    DelayNotApplicable,
    DeliveryInProgress,
    MessageNotFound,
    RoutingToggleHostOnly,
    TargetLabelAmbiguous,
    TerminalState,
)
from agenttower.services.caller import HOST, Caller
from agenttower.services.prompt_views import prompt_view
from agenttower.services.prompts import NewPrompt
from agenttower.store import prompts, targets
from agenttower.store.models import Agent, Container, Event, Pane, Prompt
from agenttower.store.prompts import Filters
from tests.support.prompt_rows import BENCH, START, Rows, prompt_rows

OTHER = "c" * 64
CONTRACT_KEYS = {
    "message_id", "state", "block_reason", "failure_reason", "sender", "target",
    "envelope_size_bytes", "envelope_body_sha256", "enqueued_at", "delivery_attempt_started_at",
    "delivered_at", "failed_at", "canceled_at", "last_updated_at", "operator_action",
    "operator_action_at", "operator_action_by", "origin", "route_id", "event_id", "excerpt",
}  # fmt: skip


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    with prompt_rows(tmp_path) as rows:
        yield rows


@pytest.mark.parametrize("sender", list(Role))
@pytest.mark.parametrize("target", list(Role))
def test_the_permission_matrix(rows: Rows, sender: Role, target: Role) -> None:
    made = rows.send(rows.agent(sender), rows.agent(target))
    if sender is not Role.MASTER:
        wanted = "sender_role_not_permitted"
    elif target in (Role.SLAVE, Role.SWARM):
        wanted = None
    else:
        wanted = "target_role_not_permitted"
    assert made.block_reason == wanted
    assert made.state == ("queued" if wanted is None else "blocked")


def test_an_inactive_master_may_not_send_and_nobody_to_himself(rows: Rows) -> None:
    gone, master = rows.agent("master", active=False), rows.agent("master")
    assert rows.send(gone, rows.agent()).block_reason == "sender_role_not_permitted"
    assert rows.send(master, master).block_reason == "target_role_not_permitted"


def test_the_first_failing_check_decides(rows: Rows) -> None:
    master, slave = rows.agent("master"), rows.agent()
    everything = rows.agent("shell", active=False, pane=False, container_id=rows.container(OTHER))
    Container.update(active=False).where(Container.id == OTHER).execute()
    rows.switch.toggle(HOST, "disabled")
    assert rows.send(slave, everything).block_reason == "kill_switch_off"
    rows.switch.toggle(HOST, "enabled")
    assert rows.send(slave, everything).block_reason == "sender_role_not_permitted"
    assert rows.send(master, everything).block_reason == "target_not_active"
    Agent.update(active=True).where(Agent.agent_id == everything).execute()
    assert rows.send(master, everything).block_reason == "target_role_not_permitted"
    Agent.update(role="slave").where(Agent.agent_id == everything).execute()
    assert rows.send(master, everything).block_reason == "target_container_inactive"
    Container.update(active=True).where(Container.id == OTHER).execute()
    assert rows.send(master, everything).block_reason == "target_pane_missing"
    Pane.update(active=True).execute()
    assert rows.send(master, everything).block_reason is None


def test_a_pane_of_another_server_on_the_same_socket_is_another_pane(rows: Rows) -> None:
    slave = rows.agent()
    Pane.update(tmux_server="2 2").execute()
    assert rows.send(HOST_OPERATOR, slave).block_reason == "target_pane_missing"


def test_a_row_shows_what_the_contract_says(rows: Rows) -> None:
    master, slave = rows.agent("master", "m"), rows.agent("slave", "s")
    made = rows.send(master, slave, "hé\n\tsk-aaaaaaaaaaaaaaaaaaaaaaaa".encode())
    view = prompt_view(made)
    assert set(view) == CONTRACT_KEYS | {
        "form", "detail", "submission", "submission_reason", "delayed_until",
    }  # fmt: skip
    assert view["excerpt"] == "hé <redacted:openai-key>"
    assert view["sender"] == {
        "agent_id": master, "label": "m", "role": "master", "capability": "claude",
    }  # fmt: skip
    assert view["enqueued_at"].endswith("Z")
    assert json.loads(json.dumps(view))["state"] == "queued"
    assert prompts.body(made.message_id) == "hé\n\tsk-aaaaaaaaaaaaaaaaaaaaaaaa".encode()
    Agent.update(label="renamed", role="unknown").where(Agent.agent_id == slave).execute()
    assert prompt_view(prompts.find(made.message_id) or made)["target"]["label"] == "s"


def test_stamps_rise_strictly_and_by_whole_milliseconds(rows: Rows) -> None:
    slave = rows.agent()
    rows.now = START + 5
    made = [rows.send(HOST_OPERATOR, slave) for _ in range(5)]
    rows.now -= 10 * SECOND
    made.append(rows.send(HOST_OPERATOR, slave))
    stamps = [prompt.enqueued_at for prompt in made]
    assert stamps == [START + n * MILLISECOND for n in range(6)]
    rows.now -= 3600 * SECOND
    back = rows.send(HOST_OPERATOR, slave)
    assert back.enqueued_at == rows.now - rows.now % MILLISECOND, "a clock set back is believed"
    assert [prompt.id for prompt in prompts.listing(Filters())] == [*range(1, 8)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (b"\xff", "body_invalid_encoding"),
        (b"a\rb", "body_invalid_chars"),
        (b"a\x1bb", "body_invalid_chars"),
        (b"\x7f", "body_invalid_chars"),
        ("\u009b31m".encode(), "body_invalid_chars"),
        (b"x" * 65_536, "body_too_large"),
    ],
)
def test_a_body_that_breaks_a_rule_leaves_nothing(rows: Rows, body: bytes, code: str) -> None:
    master, slave = rows.agent("master"), rows.agent()
    with pytest.raises(BodyRefused) as refused:
        rows.send(master, slave, body)
    assert refused.value.code == code
    assert not Prompt.select().exists()
    assert rows.told() == []


def test_a_plain_body_may_be_64_kib_whole(rows: Rows) -> None:
    made = rows.send(HOST_OPERATOR, rows.agent(), b"x" * 65_536, form=Form.PLAIN)
    assert made.envelope_size_bytes == 65_536


def test_agents_that_are_not_there(rows: Rows) -> None:
    slave = rows.agent()
    for sender, target in ((HOST_OPERATOR, "agt_ffffffffffff"), ("agt_ffffffffffff", slave)):
        with pytest.raises(AgentNotFound):
            rows.send(sender, target)


def test_names_are_ids_or_labels_of_active_agents(rows: Rows) -> None:
    one, other = rows.agent(label="same"), rows.agent(label="same", active=False)
    assert targets.named("same").agent_id == one
    assert targets.named(other).agent_id == other, "an id is found active or not"
    foreign = rows.agent(label="same", container_id=rows.container(OTHER))
    with pytest.raises(TargetLabelAmbiguous):
        targets.named("same")
    assert targets.named("same", OTHER).agent_id == foreign
    for name in ("Same", " same", "", "agt_ffffffffffff"):
        with pytest.raises(AgentNotFound):
            targets.named(name)
    with pytest.raises(AgentNotFound):
        targets.named(foreign, BENCH)


def test_operators_delay_approve_and_cancel(rows: Rows) -> None:
    made = rows.send(rows.agent("master"), rows.agent())
    rows.now += SECOND
    delayed = rows.queue.delay(made.message_id, HOST_OPERATOR)
    assert (delayed.state, delayed.block_reason) == ("blocked", "operator_delayed")
    assert delayed.operator_action == "delayed"
    with pytest.raises(DelayNotApplicable):
        rows.queue.delay(made.message_id, HOST_OPERATOR)
    rows.rung.clear()
    approved = rows.queue.approve(made.message_id, "agt_000000000001")
    assert (approved.state, approved.block_reason) == ("queued", None)
    assert approved.operator_action_by == "agt_000000000001"
    assert set(rows.rung) == {"prompts", "events"}
    with pytest.raises(ApprovalNotApplicable):
        rows.queue.approve(made.message_id, HOST_OPERATOR)
    rows.queue.delay(made.message_id, HOST_OPERATOR)
    canceled = rows.queue.cancel(made.message_id, HOST_OPERATOR)
    assert (canceled.state, canceled.block_reason) == ("canceled", None)
    assert canceled.canceled_at == rows.now
    for act in (rows.queue.approve, rows.queue.delay, rows.queue.cancel):
        with pytest.raises(TerminalState):
            act(made.message_id, HOST_OPERATOR)
        with pytest.raises(MessageNotFound):
            act("nonsense", HOST_OPERATOR)
        with pytest.raises(MessageNotFound):
            act(made.message_id, HOST_OPERATOR, OTHER)
    assert rows.told() == [
        f"queue_message_{what}"
        for what in ("enqueued", "delayed", "approved", "delayed", "canceled")
    ]


def test_an_audit_line_is_whole(rows: Rows) -> None:
    master, slave = rows.agent("master"), rows.agent()
    made = rows.send(master, slave, b"do it")
    rows.queue.delay(made.message_id, HOST_OPERATOR)
    enqueued, delayed = Event.select().order_by(Event.id)
    assert json.loads(enqueued.payload) == {
        "schema_version": 1,
        "event_type": "queue_message_enqueued",
        "message_id": made.message_id,
        "from_state": None,
        "to_state": "queued",
        "reason": None,
        "operator": None,
        "observed_at": prompt_view(made)["enqueued_at"],
        "sender": prompt_view(made)["sender"],
        "target": prompt_view(made)["target"],
        "excerpt": "do it",
    }
    line = json.loads(delayed.payload)
    assert (line["from_state"], line["to_state"]) == ("queued", "blocked")
    assert (line["reason"], line["operator"]) == ("operator_delayed", HOST_OPERATOR)
    assert line["excerpt"] == ""
    assert (enqueued.agent_id, enqueued.container_id) == (slave, BENCH)


def test_what_is_in_flight_is_nobodys_to_change(rows: Rows) -> None:
    made = rows.send(rows.agent("master"), rows.agent())
    Prompt.update(delivery_attempt_started_at=rows.now, lease_owner="w").execute()
    for act in (rows.queue.approve, rows.queue.delay, rows.queue.cancel):
        with pytest.raises(DeliveryInProgress):
            act(made.message_id, HOST_OPERATOR)


def test_roles_cannot_be_overruled_and_the_switch_only_while_it_is_on(rows: Rows) -> None:
    slave = rows.agent()
    forbidden = rows.send(slave, rows.agent())
    with pytest.raises(ApprovalNotApplicable):
        rows.queue.approve(forbidden.message_id, HOST_OPERATOR)
    rows.switch.toggle(HOST, "disabled")
    held = rows.send(HOST_OPERATOR, slave)
    assert held.block_reason == "kill_switch_off"
    with pytest.raises(ApprovalNotApplicable):
        rows.queue.approve(held.message_id, HOST_OPERATOR)
    rows.switch.toggle(HOST, "enabled")
    assert rows.queue.approve(held.message_id, HOST_OPERATOR).state == "queued"


def test_the_switch(rows: Rows) -> None:
    assert rows.switch.status()["last_updated_by"] == "(daemon-init)"
    same = rows.switch.toggle(HOST, "enabled")
    assert (same["changed"], same["last_updated_by"]) == (False, "(daemon-init)")
    assert rows.told() == []
    rows.now += SECOND
    off = rows.switch.toggle(HOST, "disabled")
    assert off["changed"] is True
    assert off["previous_value"] == "enabled"
    assert rows.rung == ["switch"]
    assert rows.switch.status() == {
        "value": "disabled",
        "last_updated_at": off["last_updated_at"],
        "last_updated_by": HOST_OPERATOR,
    }
    for caller in (Caller("bench", BENCH), Caller("unknown")):
        with pytest.raises(RoutingToggleHostOnly):
            rows.switch.toggle(caller, "enabled")
    [line] = [json.loads(row.payload) for row in Event.select()]
    assert line == {
        "schema_version": 1,
        "event_type": "routing_toggled",
        "previous_value": "enabled",
        "current_value": "disabled",
        "observed_at": off["last_updated_at"],
        "operator": HOST_OPERATOR,
    }


def test_a_prompt_of_a_rolled_back_transaction_never_was(rows: Rows) -> None:
    slave = rows.agent()

    def regretted() -> None:
        with rows.store.transaction() as transaction:
            rows.queue.enqueue(transaction, NewPrompt(HOST_OPERATOR, slave, b"x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        regretted()
    assert not Prompt.select().exists()
    assert (rows.told(), rows.rung) == ([], [])


def test_the_list_filters(rows: Rows) -> None:
    master, one, two = rows.agent("master"), rows.agent(), rows.agent()
    first = rows.send(master, one)
    rows.now += SECOND
    second = rows.send(HOST_OPERATOR, two, route_id="r", event_id=7)
    rows.queue.delay(second.message_id, HOST_OPERATOR)

    def ids(**wanted: object) -> list[int]:
        return [prompt.id for prompt in prompts.listing(Filters(**wanted))]  # type: ignore[arg-type]

    assert ids() == [first.id, second.id]
    assert ids(state="blocked") == ids(origin="route") == ids(target=two) == [second.id]
    assert ids(sender=HOST_OPERATOR) == ids(since=second.enqueued_at) == [second.id]
    assert ids(sender=master, target=two) == ids(scope=OTHER) == []
    assert ids(limit=1) == [first.id]


def test_removing_a_target_cancels_what_waits_for_it(rows: Rows) -> None:
    slave, other = rows.agent(), rows.agent()
    flying, queued, held = (rows.send(HOST_OPERATOR, slave) for _ in range(3))
    rows.queue.delay(held.message_id, HOST_OPERATOR)
    kept = rows.send(HOST_OPERATOR, other)
    Prompt.update(delivery_attempt_started_at=rows.now).where(Prompt.id == flying.id).execute()
    with rows.store.transaction() as transaction:
        assert rows.changes.target_removed(transaction, slave, "pane s1 was removed") == 2
    states = {prompt.id: prompt for prompt in prompts.listing(Filters())}
    assert [states[p.id].state for p in (flying, queued, held, kept)] == [
        "queued", "canceled", "canceled", "queued",
    ]  # fmt: skip
    assert states[held.id].failure_detail == "pane s1 was removed"
    line = json.loads(Event.select().order_by(Event.id.desc()).first().payload)
    assert (line["event_type"], line["reason"]) == ("queue_message_canceled", "target_removed")
    with rows.store.transaction() as transaction:
        in_flight = prompts.find(flying.message_id)
        assert in_flight is not None
        rows.changes.failed(transaction, in_flight, FailureReason.PANE_DISAPPEARED, "gone")
        assert (
            rows.changes.failed(transaction, in_flight, FailureReason.PANE_NOT_READY, "x") is None
        )
