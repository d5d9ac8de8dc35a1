"""The prompt queue, the routes that feed it, and the switch that stops both."""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    IntegerField,
    TextField,
)

from agenttower.store.models.base import Table

BLOCK_REASONS = (
    "('kill_switch_off', 'sender_role_not_permitted', 'target_not_active',"
    " 'target_role_not_permitted', 'target_container_inactive', 'target_pane_missing',"
    " 'operator_delayed')"
)
FAILURE_REASONS = (
    "('attempt_interrupted', 'tmux_paste_failed', 'docker_exec_failed', 'tmux_send_keys_failed',"
    " 'pane_disappeared_mid_attempt', 'sqlite_lock_conflict', 'pane_not_ready')"
)


class Prompt(Table):
    """One prompt for one agent (legacy surfaces part 2, section 3). ``id`` is its place in line.

    Names and roles are frozen at enqueue. ``form``: between agents the envelope is pasted, what an
    operator types himself is pasted ``plain``. In flight is ``delivery_attempt_started_at`` without
    a final stamp; ``lease_owner`` is the worker that has it. ``submission`` says whether the
    program was seen to take a delivered prompt.
    """

    id = AutoField()
    message_id = TextField(unique=True)
    state = TextField(
        constraints=[Check("state IN ('queued', 'blocked', 'delivered', 'failed', 'canceled')")]
    )
    block_reason = TextField(
        null=True, constraints=[Check(f"block_reason IS NULL OR block_reason IN {BLOCK_REASONS}")]
    )
    failure_reason = TextField(
        null=True,
        constraints=[Check(f"failure_reason IS NULL OR failure_reason IN {FAILURE_REASONS}")],
    )
    failure_detail = TextField(null=True)
    form = TextField(constraints=[Check("form IN ('envelope', 'plain')")])
    sender_agent_id = TextField(index=True)
    sender_label = TextField()
    sender_role = TextField()
    sender_capability = TextField(null=True)
    target_agent_id = TextField(index=True)
    target_label = TextField()
    target_role = TextField()
    target_capability = TextField(null=True)
    target_container_id = TextField()
    target_pane = TextField()
    envelope_body = BlobField()
    envelope_size_bytes = IntegerField(constraints=[Check("envelope_size_bytes > 0")])
    envelope_body_sha256 = TextField()
    excerpt = TextField()
    origin = TextField(constraints=[Check("origin IN ('direct', 'route')")])
    route_id = TextField(null=True)
    event_id = IntegerField(null=True)
    idempotency_key = TextField(null=True)
    enqueued_at = BigIntegerField()
    delivery_attempt_started_at = BigIntegerField(null=True)
    delivered_at = BigIntegerField(null=True)
    failed_at = BigIntegerField(null=True)
    canceled_at = BigIntegerField(null=True)
    last_updated_at = BigIntegerField()
    operator_action = TextField(null=True)
    operator_action_at = BigIntegerField(null=True)
    operator_action_by = TextField(null=True)
    lease_owner = TextField(null=True)
    submission = TextField(
        null=True,
        constraints=[Check("submission IS NULL OR submission IN ('submitted', 'unverified')")],
    )
    submission_reason = TextField(null=True)

    class Meta:
        constraints = [
            Check("(state = 'blocked') = (block_reason IS NOT NULL)"),
            Check("(state = 'failed') = (failure_reason IS NOT NULL)"),
            Check("(state = 'delivered') = (delivered_at IS NOT NULL)"),
            Check("(state = 'failed') = (failed_at IS NOT NULL)"),
            Check("(state = 'canceled') = (canceled_at IS NOT NULL)"),
            Check("(origin = 'route') = (route_id IS NOT NULL AND event_id IS NOT NULL)"),
        ]


Prompt.add_index(
    Prompt.index(Prompt.id, name="prompt_open").where(SQL("state IN ('queued', 'blocked')"))
)
Prompt.add_index(
    Prompt.index(Prompt.target_agent_id, Prompt.id, name="prompt_in_line").where(
        SQL("state = 'queued' AND delivery_attempt_started_at IS NULL")
    )
)
Prompt.add_index(
    Prompt.index(Prompt.target_agent_id, name="prompt_in_flight", unique=True).where(
        SQL("state = 'queued' AND delivery_attempt_started_at IS NOT NULL")
    )
)
Prompt.add_index(
    Prompt.index(Prompt.route_id, Prompt.event_id, name="prompt_routed", unique=True).where(
        SQL("origin = 'route'")
    )
)
Prompt.add_index(
    Prompt.index(
        Prompt.sender_agent_id, Prompt.idempotency_key, name="prompt_idempotency", unique=True
    ).where(SQL("idempotency_key IS NOT NULL"))
)
Prompt.add_index(Prompt.index(Prompt.state, Prompt.enqueued_at, Prompt.id, name="prompt_listed"))
Prompt.add_index(Prompt.index(Prompt.enqueued_at, Prompt.id, name="prompt_listed_by_age"))
Prompt.add_index(Prompt.index(Prompt.last_updated_at, Prompt.id, name="prompt_listed_by_change"))


class PromptDelay(Table):
    """When a prompt that an operator delayed goes on by itself; gone with the delay."""

    message_id = TextField(primary_key=True)
    due_at = BigIntegerField(index=True)


class Route(Table):
    """A rule that turns events into prompts. Only ``enabled``, the cursor and the counters move.

    ``container_id`` confines a route that was made from inside a bench to that bench (R12).
    """

    route_id = TextField(primary_key=True)
    event_type = TextField()
    source_scope_kind = TextField(
        constraints=[Check("source_scope_kind IN ('any', 'agent_id', 'role')")]
    )
    source_scope_value = TextField(null=True)
    target_rule = TextField(constraints=[Check("target_rule IN ('explicit', 'source', 'role')")])
    target_value = TextField(null=True)
    master_rule = TextField(constraints=[Check("master_rule IN ('auto', 'explicit')")])
    master_value = TextField(null=True)
    template = TextField()
    enabled = BooleanField()
    last_consumed_event_id = IntegerField()
    events_consumed = IntegerField()
    last_cycle_at = BigIntegerField(null=True)
    last_skip_reason = TextField(null=True)
    last_skip_at = BigIntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    created_by_agent_id = TextField(null=True)
    container_id = TextField(null=True)


class DaemonState(Table):
    """Settings that outlive processes, such as the kill switch."""

    key = TextField(primary_key=True)
    value = TextField()
    last_updated_at = BigIntegerField()
    last_updated_by = TextField()


class Subsystem(Table):
    """What a standing thread of the worker last said of itself (JSON), for ``status``."""

    name = TextField(primary_key=True)
    document = TextField()
    updated_at = BigIntegerField()
