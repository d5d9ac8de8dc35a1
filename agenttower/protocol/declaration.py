"""What a method of the socket promises, apart from what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import msgspec

Params = Mapping[str, object]


class Gate(Enum):
    """Who may call a method at all (R12). Rows are guarded by the services, one by one."""

    OPEN = "whoever the socket admits; the caller is not even identified"
    ANYONE = "whoever the socket admits; the answer may depend on who asks"
    KNOWN = "the host and identified bench clients"
    CONTAINER = "the host, and the bench client of the container that `container_id` names"
    HOST = "the host"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One method of the protocol. Its namespace is the part of the name before the first dot."""

    name: str
    summary: str
    """One line for people: what it is for."""
    gate: Gate
    params: type[msgspec.Struct]
    """The shape of ``params``. A struct with ``forbid_unknown_fields`` refuses what it does not
    know; any other ignores it. The session token of ``app.*`` is not among the fields."""
    result: type[msgspec.Struct]
    """The shape of ``result``."""
    errors: tuple[str, ...] = ()
    """Codes that it may answer with, beside those that any method of its namespace may."""
    additive: bool = False
    """It is ours: the published contract has no such method."""
    session: bool = False
    """``params`` must carry the token of an app session (app surface, section 5)."""
    strict: bool = False
    """It refuses parameters that it does not know, though ``params`` is shared with a method that
    ignores them."""

    @property
    def refuses_unknown(self) -> bool:
        """Whether a parameter that is not declared is refused."""
        return self.strict or self.params.__struct_config__.forbid_unknown_fields


class NoParams(msgspec.Struct, frozen=True):
    """A method without parameters."""
