"""Every pane that a scan has seen, ours and others', and what waits for a person in one."""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BooleanField,
    Check,
    IntegerField,
    TextField,
)

from agenttower.store.models.base import Table


class Pane(Table):
    """A tmux pane by its six-part key (legacy surfaces part 1, section 7). Never deleted.

    ``active`` is presence at the last scan, ``pane_active`` tmux's focus. ``tmux_server`` tells
    servers on one socket apart, since ``%N`` begins anew with each. ``token`` is our own mark,
    empty on panes that we did not make. ``last_scanned_at`` moves with every look for the pane,
    ``last_seen_at`` only where it was there. ``id`` is short enough for a cursor, as the key is
    not.
    """

    id = AutoField()
    container_id = TextField()
    tmux_socket_path = TextField()
    tmux_session_name = TextField()
    tmux_window_index = IntegerField()
    tmux_pane_index = IntegerField()
    tmux_pane_id = TextField()
    tmux_server = TextField()
    container_user = TextField()
    token = TextField()
    pane_pid = IntegerField()
    pane_tty = TextField()
    pane_current_command = TextField()
    pane_current_path = TextField()
    pane_title = TextField()
    pane_active = BooleanField()
    active = BooleanField()
    first_seen_at = BigIntegerField()
    last_scanned_at = BigIntegerField()
    last_seen_at = BigIntegerField()


Pane.add_index(
    Pane.index(
        Pane.container_id,
        Pane.tmux_socket_path,
        Pane.tmux_session_name,
        Pane.tmux_window_index,
        Pane.tmux_pane_index,
        Pane.tmux_pane_id,
        name="pane_key",
        unique=True,
    )
)
Pane.add_index(
    Pane.index(
        Pane.container_id,
        Pane.tmux_session_name,
        Pane.tmux_window_index,
        Pane.tmux_pane_index,
        Pane.id,
        name="pane_listed",
    )
)
Pane.add_index(Pane.index(Pane.first_seen_at, Pane.id, name="pane_listed_first_seen"))
Pane.add_index(Pane.index(Pane.last_seen_at, Pane.id, name="pane_listed_last_seen"))
Pane.add_index(Pane.index(Pane.tmux_pane_id, name="pane_of_tmux_id"))
Pane.add_index(Pane.index(Pane.token, name="pane_of_token").where(SQL("token <> '' AND active")))


class PaneScan(Table):
    """One run of pane discovery, failed ones included."""

    scan_id = TextField(primary_key=True)
    started_at = BigIntegerField()
    completed_at = BigIntegerField()
    status = TextField(constraints=[Check("status IN ('ok', 'degraded', 'failed')")])
    containers_scanned = IntegerField()
    sockets_scanned = IntegerField()
    panes_seen = IntegerField()
    panes_newly_active = IntegerField()
    panes_reconciled_inactive = IntegerField()
    containers_skipped_inactive = IntegerField()
    containers_tmux_unavailable = IntegerField()
    error_code = TextField(null=True)
    error_message = TextField(null=True)
    error_details = TextField()


PaneScan.add_index(PaneScan.index(PaneScan.completed_at, name="pane_scan_newest"))


class Attention(Table):
    """A pane that waits for a person, by the id of its agent; also before it is registered.

    ``told``: the event of this appearance is written. ``since`` is when it appeared, ``seen_at``
    when the row was written last.
    """

    agent_id = TextField(primary_key=True)
    kind = TextField()
    rule_id = TextField()
    text = TextField()
    since = BigIntegerField()
    seen_at = BigIntegerField()
    told = BooleanField()
