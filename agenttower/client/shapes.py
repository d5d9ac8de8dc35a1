"""What the daemon's answers hold, for readers and type checkers; at run time they are plain dicts.

Only what the contract promises is named here. Daemons may send more; nothing checks that they send
all of it. Times are ISO 8601 texts.
"""

from __future__ import annotations

from typing import Any, TypedDict


class Container(TypedDict):
    """A bench, as ``list_containers`` shows it."""

    id: str
    name: str
    image: str
    status: str
    labels: dict[str, str]
    mounts: list[dict[str, Any]]
    active: bool
    first_seen_at: str
    last_scanned_at: str
    config_user: str | None
    working_dir: str | None
    provider: str


class FoundPane(TypedDict):
    """A tmux pane of whomever, as ``list_panes`` shows it."""

    container_id: str
    container_name: str
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: str
    pane_pid: int
    pane_current_command: str
    pane_title: str
    active: bool
    agent_id: str | None
    origin: str | None


class Agent(TypedDict):
    """A registered agent."""

    agent_id: str
    container_id: str
    container_name: str
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: str
    role: str
    capability: str
    label: str
    project_path: str
    parent_agent_id: str | None
    effective_permissions: dict[str, Any]
    created_at: str
    last_registered_at: str
    last_seen_at: str | None
    active: bool
    origin: str


class _Pane(TypedDict):
    pane_id: str
    layout_id: str
    container_id: str
    role: str
    capability: str
    label: str
    state: str
    tmux_session_name: str
    tmux_pane_index: int | None
    tmux_pane_id: str | None
    chain_depth: int
    agent_id: str | None
    predecessor_id: str | None
    log_attached: bool
    origin: str
    slot: int
    launch_command: str | None
    exit_code: int | None
    failure_reason: str | None
    created_at: str
    stages: dict[str, dict[str, Any]]


class Pane(_Pane, total=False):
    """A managed pane (M5)."""

    failed_stage: str
    predecessor_chain: list[dict[str, Any]]


class NewPane(TypedDict):
    """A pane of a layout that was just accepted."""

    pane_id: str
    role: str
    label: str
    state: str


class NewLayout(TypedDict):
    """A layout that was just accepted (M1)."""

    layout_id: str
    state: str
    intended_pane_count: int
    panes: list[NewPane]
    replay: bool


class LayoutItem(TypedDict):
    """A layout in a list (M2)."""

    layout_id: str
    container_id: str
    template_name: str
    tmux_session_name: str
    state: str
    intended_pane_count: int
    ready_pane_count: int
    created_at: str
    origin: str


class _Layout(TypedDict):
    layout_id: str
    container_id: str
    template_name: str
    tmux_session_name: str
    tmux_session_target: str
    state: str
    intended_pane_count: int
    panes: list[Pane]
    created_at: str
    updated_at: str
    origin: str
    revision: int


class Layout(_Layout, total=False):
    """A layout with its panes (M3)."""

    failed_stage: str


class Recreated(TypedDict):
    """A successor that was just accepted (M7)."""

    pane_id: str
    predecessor_id: str
    chain_depth: int
    state: str
    replay: bool


class Party(TypedDict):
    """The sender or the target of a prompt."""

    agent_id: str
    label: str | None
    role: str | None
    capability: str | None


class _Prompt(TypedDict):
    message_id: str
    state: str
    block_reason: str | None
    failure_reason: str | None
    sender: Party
    target: Party
    envelope_size_bytes: int
    enqueued_at: str
    delivery_attempt_started_at: str | None
    delivered_at: str | None
    failed_at: str | None
    canceled_at: str | None
    last_updated_at: str
    origin: str
    route_id: str | None
    event_id: int | None
    excerpt: str
    detail: str | None
    submission: str | None
    submission_reason: str | None


class Prompt(_Prompt, total=False):
    """A prompt in the queue, or what became of it."""

    deduplicated: bool


class _Route(TypedDict):
    route_id: str
    event_type: str
    source_scope: dict[str, Any]
    target_rule: str
    target_value: str | None
    master_rule: str
    master_value: str | None
    template: str
    enabled: bool
    last_consumed_event_id: int
    created_at: str
    updated_at: str


class Route(_Route, total=False):
    """A rule that turns events into prompts."""

    runtime: dict[str, Any]


class ManagedEvent(TypedDict):
    """What happened to a layout or a pane."""

    event_id: int
    timestamp: str
    event_type: str
    origin: str
    actor: str
    container_id: str
    layout_id: str
    pane_id: str | None
    sequence: int
    payload: dict[str, Any]


class AgentEvent(TypedDict):
    """What was read from an agent's output."""

    event_id: int
    event_type: str
    agent_id: str
    attachment_id: str
    log_path: str
    observed_at: str
    excerpt: str
    classifier_rule_id: str


class LogPage(TypedDict):
    """Lines of a log, from one place on."""

    agent_id: str
    attachment_id: str
    status: str
    log_path: str
    file: str
    size: int
    offset: int
    next: int
    reset: bool
    lines: list[str]
    partial: str | None
