"""Codes of ``managed.*`` and ``app.managed_*`` and their ``details`` (managed.md section 4)."""

from __future__ import annotations

from typing import Literal

import msgspec


class Template(msgspec.Struct, frozen=True):
    template_name: str
    known_templates: list[str]


class Profile(msgspec.Struct, frozen=True):
    profile_name: str
    known_profiles: list[str]


class SessionName(msgspec.Struct, frozen=True):
    container_id: str
    tmux_session_name: str


class Layout(msgspec.Struct, frozen=True):
    layout_id: str


class Pane(msgspec.Struct, frozen=True):
    pane_id: str


class Adopted(msgspec.Struct, frozen=True):
    agent_id: str
    is_adopted: Literal[True]


class Transition(msgspec.Struct, frozen=True):
    pane_id: str
    current_state: str
    requested_action: Literal["remove", "recreate", "promote_from_adopted"]


class RecreateSource(msgspec.Struct, frozen=True):
    predecessor_pane_id: str
    current_state: str


class ChainTooDeep(msgspec.Struct, frozen=True):
    predecessor_pane_id: str
    predecessor_chain_depth: int
    limit: int


class Capacity(msgspec.Struct, frozen=True):
    current_count: int
    limit: int


class ConcurrentRecreate(msgspec.Struct, frozen=True):
    predecessor_pane_id: str
    in_flight_successor_pane_id: str


class Label(msgspec.Struct, frozen=True):
    container_id: str
    label: str


class Container(msgspec.Struct, frozen=True):
    container_id: str


class Reserved(msgspec.Struct, frozen=True):
    reserved_since: str


class Nothing(msgspec.Struct, frozen=True):
    """No keys are promised."""


MANAGED_ERRORS: dict[str, type[msgspec.Struct]] = {
    "managed_template_not_found": Template,
    "managed_launch_command_not_found": Profile,
    "managed_session_name_conflict": SessionName,
    "managed_layout_not_found": Layout,
    "managed_pane_not_found": Pane,
    "managed_pane_protected_adopted": Adopted,
    "managed_pane_illegal_transition": Transition,
    "managed_pane_illegal_recreate_source": RecreateSource,
    "managed_pane_recreate_chain_too_deep": ChainTooDeep,
    "managed_layout_capacity_exceeded": Capacity,
    "managed_pane_concurrent_recreate": ConcurrentRecreate,
    "managed_pane_label_conflict": Label,
    "container_not_found": Container,
    "not_implemented": Reserved,
    "worker_unavailable": Nothing,
}
"""Beside those that ``app.*`` has of its own; ``worker_unavailable`` is additive."""
