"""Roles and what they permit (legacy surfaces part 1, section 8.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict


class Role(StrEnum):
    """The closed set of roles. Permissions derive from the role alone."""

    MASTER = "master"
    SLAVE = "slave"
    SWARM = "swarm"
    TEST_RUNNER = "test-runner"
    SHELL = "shell"
    UNKNOWN = "unknown"


class EffectivePermissions(TypedDict):
    """``effective_permissions`` of an agent record, as stored and as shown."""

    can_send: bool
    can_receive: bool
    can_send_to_roles: list[str]


_RECEIVERS = (Role.SLAVE, Role.SWARM)


def effective_permissions(role: str) -> EffectivePermissions:
    """What an agent of this role may do; a fresh object at every call.

    :raises ValueError: ``role`` is not in the closed set.
    """
    known = Role(role)
    sends = known is Role.MASTER
    return EffectivePermissions(
        can_send=sends,
        can_receive=known in _RECEIVERS,
        can_send_to_roles=[str(receiver) for receiver in _RECEIVERS] if sends else [],
    )
