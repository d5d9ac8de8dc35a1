"""Benches, and the agents in them."""

from __future__ import annotations

from peewee import SQL, BigIntegerField, BooleanField, Check, IntegerField, TextField

from agenttower.store.models.base import Table


class Container(Table):
    """A bench that a scan has seen. Rows are never deleted.

    ``panes_scanned_at``: when the look at its panes last worked; ``pane_scan_error``: the code of
    the last look's failure, where a part or all of it failed.
    """

    id = TextField(primary_key=True)
    name = TextField(index=True)
    provider = TextField(constraints=[Check("provider IN ('docker', 'local')")])
    image = TextField()
    status = TextField()
    started_at = TextField()
    labels = TextField()
    mounts = TextField()
    env_names = TextField()
    config_user = TextField(null=True)
    working_dir = TextField(null=True)
    has_init = BooleanField()
    active = BooleanField()
    first_seen_at = BigIntegerField()
    last_scanned_at = BigIntegerField()
    panes_scanned_at = BigIntegerField(null=True)
    pane_scan_error = TextField(null=True)


class ContainerScan(Table):
    """One run of container discovery, failed ones included."""

    scan_id = TextField(primary_key=True)
    started_at = BigIntegerField()
    completed_at = BigIntegerField()
    status = TextField(constraints=[Check("status IN ('ok', 'degraded', 'failed')")])
    matched_count = IntegerField()
    inactive_reconciled_count = IntegerField()
    ignored_count = IntegerField()
    error_code = TextField(null=True)
    error_message = TextField(null=True)
    error_details = TextField()


class Agent(Table):
    """An agent bound to a pane; one active agent a pane. Rows are never deleted."""

    agent_id = TextField(primary_key=True)
    container_id = TextField()
    tmux_socket_path = TextField()
    tmux_session_name = TextField()
    tmux_window_index = IntegerField()
    tmux_pane_index = IntegerField()
    tmux_pane_id = TextField()
    pane_pid = IntegerField(null=True)
    cwd = TextField(null=True)
    role = TextField(
        constraints=[
            Check("role IN ('master', 'slave', 'swarm', 'test-runner', 'shell', 'unknown')")
        ]
    )
    capability = TextField()
    label = TextField()
    project_path = TextField()
    parent_agent_id = TextField(null=True)
    origin = TextField(constraints=[Check("origin IN ('managed', 'adopted')")])
    created_at = BigIntegerField()
    last_registered_at = BigIntegerField()
    last_seen_at = BigIntegerField(null=True)
    active = BooleanField()
    tmux_server = TextField(null=True)


Agent.add_index(
    Agent.index(
        Agent.container_id,
        Agent.tmux_socket_path,
        Agent.tmux_session_name,
        Agent.tmux_window_index,
        Agent.tmux_pane_index,
        Agent.tmux_pane_id,
        name="agent_active_pane",
        unique=True,
    ).where(SQL("active"))
)
Agent.add_index(
    Agent.index(Agent.role, Agent.created_at, Agent.agent_id, name="agent_listed_by_role")
)
Agent.add_index(Agent.index(Agent.created_at, Agent.agent_id, name="agent_listed"))
