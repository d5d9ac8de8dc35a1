"""Databases with very many rows, written by the database itself: a hundred thousand a second."""

from __future__ import annotations

from agenttower.clock import SECOND, Micros
from agenttower.store.database import Store

START: Micros = 1_778_000_000 * SECOND
CONTAINERS = 20
"""So many containers share the panes and agents."""
AGENTS = 200

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
_CONTAINER = f"printf('%064x', i % {CONTAINERS})"
_AGENT = f"printf('agt_%012x', i % {AGENTS})"


def fill_containers(store: Store) -> None:
    """With the names ``bench-00``, ``bench-01``, …; one in ten does not run."""
    store.execute(
        f"{_NUMBERS} INSERT INTO container (id, name, provider, image, status, started_at, labels,"
        " mounts, env_names, has_init, active, first_seen_at, last_scanned_at)"
        f" SELECT {_CONTAINER}, printf('bench-%02d', i), 'docker', 'i', 'running', '', '{{}}',"
        f" '[]', '[]', 1, i % 10 > 0, {START} + i, {START} + i FROM n",
        (CONTAINERS,),
    )


def fill_agents(store: Store, count: int = AGENTS) -> None:
    """Adopted agents of all roles, the first :data:`AGENTS` of them active, on the first panes."""
    roles = "CASE i % 3 WHEN 0 THEN 'master' WHEN 1 THEN 'slave' ELSE 'shell' END"
    store.execute(
        f"{_NUMBERS} INSERT INTO agent (agent_id, container_id, tmux_socket_path,"
        " tmux_session_name, tmux_window_index, tmux_pane_index, tmux_pane_id, role, capability,"
        " label, project_path, origin, created_at, last_registered_at, active, tmux_server)"
        f" SELECT printf('agt_%012x', i), {_CONTAINER}, '/tmp/tmux-0/default',"
        f" 'work', i / 100, i % 100, '%' || i, {roles}, 'claude', 'a' || i, '', 'adopted',"
        f" {START} + i / 3, {START}, i < {AGENTS}, '1 1' FROM n",
        (count,),
    )


def fill_panes(store: Store, count: int) -> None:
    """The later half has vanished."""
    store.execute(
        f"{_NUMBERS} INSERT INTO pane (container_id, tmux_socket_path, tmux_session_name,"
        " tmux_window_index, tmux_pane_index, tmux_pane_id, tmux_server, container_user, token,"
        " pane_pid, pane_tty, pane_current_command, pane_current_path, pane_title, pane_active,"
        " active, first_seen_at, last_scanned_at, last_seen_at)"
        f" SELECT {_CONTAINER}, '/tmp/tmux-0/default', 'work', i / 100, i % 100, '%' || i, '1 1',"
        " 'root', '', 1, '/dev/pts/0', 'bash', '/', '', 0, i < ? / 2,"
        f" {START} + i / 5, {START} + i, {START} + i / 7 FROM n",
        (count, count),
    )


def fill_events(store: Store, count: int) -> None:
    """Every fourth is an audit line of the queue, which no list shows; in the rest, one in ten is
    a managed layout's."""
    excerpt = 'printf(\'{"excerpt":"%0200d","classifier_rule_id":"error.v1"}\', i)'
    store.execute(
        "INSERT OR IGNORE INTO managed_layout (layout_id, container_id, template_name,"
        " template_layout, tmux_session_name, tmux_session_target, label_prefix, state,"
        " intended_pane_count, last_sequence, revision, created_at, updated_at)"
        " VALUES ('L', 'c', 't', 'tiled', 's', 's', '', 'ready', 1, 1, 1, 1, 1)"
    )
    store.execute(
        f"{_NUMBERS}, kinds AS (SELECT i, CASE WHEN i % 4 = 3 THEN 'queue' WHEN i % 10 = 0 THEN"
        " 'managed' ELSE 'agent' END AS kind FROM n) INSERT INTO event (kind, event_type, actor,"
        " layout_id, sequence, payload, created_at, agent_id, byte_start) SELECT kind,"
        " CASE kind WHEN 'queue' THEN 'queue_message_enqueued' WHEN 'managed' THEN"
        " 'managed_layout_state_changed' ELSE CASE i % 3 WHEN 0 THEN 'error' ELSE 'activity' END"
        " END, 'daemon', CASE kind WHEN 'managed' THEN 'L' END,"
        " CASE kind WHEN 'managed' THEN (SELECT COUNT(*) FROM event) + i END,"
        f" {excerpt}, {START} + i / 3 * 1000, CASE WHEN kind <> 'managed' THEN {_AGENT} END, i"
        " FROM kinds",
        (count,),
    )


def fill_prompts(store: Store, count: int) -> None:
    """Of all states, most of them delivered."""
    states = (
        "CASE WHEN i % 50 = 0 THEN 'queued' WHEN i % 50 = 1 THEN 'blocked' WHEN i % 50 = 2"
        " THEN 'failed' WHEN i % 50 = 3 THEN 'canceled' ELSE 'delivered' END"
    )
    store.execute(
        f"{_NUMBERS}, states AS (SELECT i, {states} AS state, {START} + i / 3 * 1000 AS at FROM n)"
        " INSERT INTO prompt (message_id, state, block_reason, failure_reason, form,"
        " sender_agent_id, sender_label, sender_role, target_agent_id, target_label, target_role,"
        " target_container_id, target_pane, envelope_body, envelope_size_bytes,"
        " envelope_body_sha256, excerpt, origin, enqueued_at, last_updated_at, delivered_at,"
        " failed_at, canceled_at) SELECT printf('msg-%d-%d', (SELECT COUNT(*) FROM prompt), i),"
        " state, CASE state WHEN 'blocked' THEN 'operator_delayed' END,"
        " CASE state WHEN 'failed' THEN 'attempt_interrupted' END, 'plain', 'host-operator', 'h',"
        f" 'master', {_AGENT}, 't', 'slave', 'c', '%0', zeroblob(300), 300, 's', 'hello', 'direct',"
        " at, at + 5 - i % 7, CASE state WHEN 'delivered' THEN at END,"
        " CASE state WHEN 'failed' THEN at END, CASE state WHEN 'canceled' THEN at END FROM states",
        (count,),
    )


def fill_attachments(store: Store, count: int) -> None:
    """One or more of each agent; the newest of the first hundred agents is active."""
    store.execute(
        f"{_NUMBERS} INSERT INTO log_attachment (attachment_id, agent_id, log_path, status,"
        " source, attached_at, last_status_at, created_at, via, fetched, fetched_size)"
        f" SELECT printf('lat_%012x', i), {_AGENT}, '/logs/' || i, CASE WHEN i < 100 THEN 'active'"
        " ELSE CASE i % 3 WHEN 0 THEN 'superseded' WHEN 1 THEN 'stale' ELSE 'detached' END END,"
        f" CASE i % 2 WHEN 0 THEN 'explicit' ELSE 'managed' END, {START} + i / 3, {START} - i / 2,"
        " 1, 'pipe', 0, 0 FROM n",
        (count,),
    )


def fill_routes(store: Store, count: int) -> None:
    """Two in three are enabled."""
    store.execute(
        f"{_NUMBERS} INSERT INTO route (route_id, event_type, source_scope_kind, target_rule,"
        " master_rule, template, enabled, last_consumed_event_id, events_consumed, created_at,"
        " updated_at) SELECT printf('route-%04d', i), 'error', 'any', 'source', 'auto', 'x',"
        f" i % 3 > 0, 0, 0, {START} + i / 4, {START} - i / 4 FROM n",
        (count,),
    )
