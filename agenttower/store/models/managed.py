"""Managed sessions and the events that tell of them."""

from __future__ import annotations

from peewee import SQL, AutoField, BigIntegerField, BooleanField, Check, IntegerField, TextField

from agenttower.store.models.base import ALIVE, STAGES, STATES, Table, reference


class ManagedLayout(Table):
    """A set of panes made from a template (FR-001). ``state`` is derived and stored (section 2)."""

    layout_id = TextField(primary_key=True)
    container_id = TextField()
    template_name = TextField()
    template_layout = TextField()
    tmux_session_name = TextField()
    tmux_session_target = TextField()
    label_prefix = TextField()
    state = TextField(constraints=[Check(f"state IN {STATES}")])
    failed_stage = TextField(
        null=True, constraints=[Check(f"failed_stage IS NULL OR failed_stage IN {STAGES}")]
    )
    intended_pane_count = IntegerField(constraints=[Check("intended_pane_count > 0")])
    idempotency_key = TextField(null=True)
    last_sequence = IntegerField()
    revision = IntegerField()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        constraints = [Check("failed_stage IS NULL OR state = 'failed'")]


ManagedLayout.add_index(
    ManagedLayout.index(
        ManagedLayout.container_id,
        ManagedLayout.idempotency_key,
        name="managed_layout_idempotency",
        unique=True,
    ).where(SQL("idempotency_key IS NOT NULL"))
)
ManagedLayout.add_index(
    ManagedLayout.index(
        ManagedLayout.container_id,
        ManagedLayout.tmux_session_target,
        name="managed_layout_session",
        unique=True,
    ).where(SQL(f"state IN {ALIVE}"))
)
ManagedLayout.add_index(
    ManagedLayout.index(ManagedLayout.created_at, name="managed_layout_current").where(
        SQL("state <> 'removed'")
    )
)


class ManagedPane(Table):
    """A pane that AgentTower made. The pending marker stands exactly while it is creating."""

    pane_id = TextField(primary_key=True)
    layout_id = reference(ManagedLayout)
    container_id = TextField()
    slot = IntegerField()
    role = TextField()
    capability = TextField()
    label = TextField()
    state = TextField(constraints=[Check(f"state IN {STATES}")])
    failed_stage = TextField(
        null=True, constraints=[Check(f"failed_stage IS NULL OR failed_stage IN {STAGES}")]
    )
    failure_reason = TextField(null=True)
    profile_name = TextField(null=True)
    launch = TextField()
    tmux_session_name = TextField()
    tmux_socket_path = TextField(null=True)
    tmux_server_id = TextField(null=True)
    tmux_pane_id = TextField(null=True)
    tmux_window_index = IntegerField(null=True)
    tmux_pane_index = IntegerField(null=True)
    pane_pid = IntegerField(null=True)
    chain_depth = IntegerField(constraints=[Check("chain_depth BETWEEN 0 AND 15")])
    predecessor_id = TextField(null=True)
    idempotency_key = TextField(null=True)
    pending_marker_token = TextField(null=True)
    reserved_agent_id = TextField(unique=True)
    agent_id = TextField(null=True)
    log_path = TextField()
    log_attached = BooleanField()
    exit_code = IntegerField(null=True)
    exit_elapsed_ms = BigIntegerField(null=True)
    restart = TextField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        constraints = [
            Check("(state = 'creating') = (pending_marker_token IS NOT NULL)"),
            Check("(chain_depth = 0) = (predecessor_id IS NULL)"),
        ]


ManagedPane.add_index(
    ManagedPane.index(
        ManagedPane.container_id, ManagedPane.label, name="managed_pane_label", unique=True
    ).where(SQL(f"state IN {ALIVE}"))
)
ManagedPane.add_index(
    ManagedPane.index(
        ManagedPane.container_id,
        ManagedPane.tmux_server_id,
        ManagedPane.tmux_pane_id,
        name="managed_pane_target",
        unique=True,
    ).where(SQL(f"tmux_pane_id IS NOT NULL AND state IN {ALIVE}"))
)
ManagedPane.add_index(
    ManagedPane.index(ManagedPane.predecessor_id, name="managed_pane_successor", unique=True).where(
        SQL(f"state IN {ALIVE}")
    )
)
ManagedPane.add_index(
    ManagedPane.index(ManagedPane.created_at, name="managed_pane_creating").where(
        SQL("state = 'creating'")
    )
)


class Event(Table):
    """The outbox: written with the change it tells of, relayed to ``events.jsonl`` in id order.

    ``managed`` events belong to a layout and are numbered in it; those of a pane name the agent
    whose id was kept for it, also before it is registered. ``agent`` events were classified
    from an agent's output; ``byte_start`` is their place in its log, ``created_at`` when they were
    observed. ``queue`` and ``route`` lines tell what became of prompts and routes; ``audit`` lines
    (legacy surfaces part 1, section 11) stand alone.
    """

    id = AutoField()
    kind = TextField(constraints=[Check("kind IN ('managed', 'agent', 'queue', 'route', 'audit')")])
    event_type = TextField()
    actor = TextField(constraints=[Check("actor IN ('operator', 'daemon')")])
    container_id = TextField(null=True)
    layout_id = TextField(null=True)
    pane_id = TextField(null=True, index=True)
    sequence = IntegerField(null=True)
    payload = TextField()
    created_at = BigIntegerField()
    agent_id = TextField(null=True)
    byte_start = BigIntegerField(null=True)

    class Meta:
        constraints = [
            Check("(kind = 'managed') = (layout_id IS NOT NULL AND sequence IS NOT NULL)")
        ]
        indexes = ((("layout_id", "sequence"), True),)


Event.add_index(
    Event.index(Event.agent_id, Event.id, name="event_of_agent").where(SQL("agent_id IS NOT NULL"))
)
Event.add_index(
    Event.index(
        Event.agent_id,
        Event.created_at,
        Event.byte_start,
        Event.id,
        name="event_of_agent_observed",
    ).where(SQL("kind = 'agent'"))
)
Event.add_index(
    Event.index(Event.event_type, Event.id, Event.agent_id, name="event_classified").where(
        SQL("kind = 'agent'")
    )
)
Event.add_index(
    Event.index(Event.created_at, Event.byte_start, Event.id, name="event_observed").where(
        SQL("kind = 'agent'")
    )
)
Event.add_index(
    Event.index(Event.id, name="event_heartbeat").where(
        SQL("event_type = 'routing_worker_heartbeat'")
    )
)
Event.add_index(
    Event.index(Event.id, Event.created_at, name="event_listed").where(
        SQL("kind IN ('agent', 'managed')")
    )
)
Event.add_index(
    Event.index(Event.created_at, Event.id, name="event_listed_observed").where(
        SQL("kind IN ('agent', 'managed')")
    )
)
Event.add_index(
    Event.index(Event.event_type, Event.id, name="event_listed_managed").where(
        SQL("kind = 'managed'")
    )
)
Event.add_index(
    Event.index(Event.created_at, name="event_route_skipped").where(
        SQL("kind = 'route' AND event_type = 'route_skipped'")
    )
)
