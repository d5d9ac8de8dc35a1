"""Roles and prompt states in the order in which ``app.*`` lists them (app surface, section 7.1).

The numbers are on the wire: a new member gets the next one, and none is ever renumbered.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agenttower.domain.permissions import Role
from agenttower.domain.prompts import PromptState

ROLE_PRIORITY: Mapping[Role, int] = MappingProxyType(
    {
        Role.MASTER: 1,
        Role.SLAVE: 2,
        Role.SWARM: 3,
        Role.TEST_RUNNER: 4,
        Role.SHELL: 5,
        Role.UNKNOWN: 6,
    }
)

STATE_PRIORITY: Mapping[PromptState, int] = MappingProxyType(
    {
        PromptState.QUEUED: 1,
        PromptState.BLOCKED: 2,
        PromptState.FAILED: 3,
        PromptState.DELIVERED: 4,
        PromptState.CANCELED: 5,
    }
)
