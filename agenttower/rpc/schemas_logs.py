"""How ``params`` of the log methods are checked (legacy surfaces part 1, sections 4 and 9).

Unlike other legacy methods these refuse unknown keys, and take the schema that the client knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from agenttower.domain.identifiers import is_agent_id
from agenttower.errors import ValueOutOfSet
from agenttower.protocol.logs import LogPreview
from agenttower.rpc.method import Params
from agenttower.rpc.schemas_agents import of_agents

S = TypeVar("S", bound=msgspec.Struct)

MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Order(Generic[S]):
    """The parameters of one request that orders something, and an id that it keeps, however often
    it is run."""

    params: S
    change_id: str


def exact(struct: type[S], our_schema: Callable[[], object]) -> Callable[[Params], S]:
    """A decoder for log methods: as of agents, then the agent's id and the number of lines.

    :param our_schema: this daemon's schema version; asked only where the client states its own.
    """
    shaped = of_agents(struct, our_schema)

    def decode(params: Params) -> S:
        decoded = shaped(params)
        agent_id = getattr(decoded, "agent_id", None)
        if agent_id is not None and not is_agent_id(agent_id):
            raise ValueOutOfSet("agent_id must look like agt_0123456789ab")
        lines = getattr(decoded, "lines", 1)
        if isinstance(decoded, LogPreview) and not 1 <= lines <= MOST_LINES:
            raise ValueOutOfSet(f"lines must be 1 to {MOST_LINES}, not {lines}")
        return decoded

    return decode


def ordering(decode: Callable[[Params], S]) -> Callable[[Params], Order[S]]:
    """A decoder for methods that order something; a request is decoded once."""
    return lambda params: Order(decode(params), str(uuid.uuid4()))
