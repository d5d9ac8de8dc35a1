"""The shapes of ``params`` of the pane and agent methods, and how the latter are checked.

Agent and log methods refuse what they do not know (legacy surfaces part 1, section 4): first the
client's schema version, then unknown keys, then missing ones and wrong types, all ``bad_request``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.errors import BadRequest, SchemaVersionNewer, ValidationFailed
from agenttower.rpc.method import Params
from agenttower.rpc.schemas import strict

S = TypeVar("S", bound=msgspec.Struct)

SCHEMA_VERSION = "schema_version"


class ScanPanes(msgspec.Struct, frozen=True):
    container: str | None = None


class ListFoundPanes(msgspec.Struct, frozen=True):
    """``list_panes``."""

    active_only: bool = False
    container: str | None = None


class PaneCompositeKey(msgspec.Struct, frozen=True):
    """The six parts that make a pane (section 7.1)."""

    container_id: str
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: str


class AttachLog(msgspec.Struct, frozen=True):
    """What ``attach_log`` of a registration holds."""

    log_path: str | UnsetType = UNSET


class RegisterAgent(msgspec.Struct, frozen=True):
    """An optional key that is not given keeps what stands, so it has no default here."""

    container_id: str
    pane_composite_key: dict[str, Any]
    role: str | UnsetType = UNSET
    capability: str | UnsetType = UNSET
    label: str | UnsetType = UNSET
    project_path: str | UnsetType = UNSET
    parent_agent_id: str | UnsetType | None = UNSET
    attach_log: dict[str, Any] | None = None


class SetRole(msgspec.Struct, frozen=True):
    agent_id: str
    role: str
    confirm: bool = False


class SetLabel(msgspec.Struct, frozen=True):
    agent_id: str
    label: str


class SetCapability(msgspec.Struct, frozen=True):
    agent_id: str
    capability: str


def of_agents(struct: type[S], our_schema: Callable[[], object]) -> Callable[[Params], S]:
    """A decoder for a method of agents or logs.

    :param our_schema: this daemon's schema version; asked only where the client states its own.
    :raises SchemaVersionNewer: (the decoder) our schema is newer than the client's.
    :raises BadRequest: (the decoder) an unknown key, a missing one, or a wrong type.
    """
    shape = strict(struct)

    def decode(params: Params) -> S:
        given = dict(params)
        if SCHEMA_VERSION in given:
            check_schema(given.pop(SCHEMA_VERSION), our_schema())
        return _shaped(shape, given, "")

    return decode


def part(struct: type[S], name: str, value: Mapping[str, Any]) -> S:
    """An object inside ``params``. :raises BadRequest: naming ``name`` and the key in it."""
    return _shaped(strict(struct), value, f"{name}.")


def check_schema(theirs: object, ours: object) -> None:
    """Refuse a client that is behind us; one that is ahead is welcome.

    :raises SchemaVersionNewer: our schema is newer than the client's.
    """
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        raise BadRequest("schema_version must be a whole number")
    if isinstance(ours, int) and ours > theirs:
        raise SchemaVersionNewer(
            f"the daemon's schema is {ours} and the client was built for {theirs}; "
            "update the client"
        )


def _shaped(shape: Callable[[Params], S], given: Mapping[str, Any], where: str) -> S:
    try:
        return shape(given)
    except ValidationFailed as error:
        raise BadRequest(f"{where}{error.message}") from error
