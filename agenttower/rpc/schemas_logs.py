"""The shapes of ``params`` of the log methods (legacy surfaces part 1, sections 4 and 9).

Unlike other legacy methods these refuse unknown keys, and take the schema that the client knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec

from agenttower.domain.identifiers import is_agent_id
from agenttower.errors import BadRequest, SchemaVersionNewer, ValidationFailed, ValueOutOfSet
from agenttower.rpc.method import Params
from agenttower.rpc.schemas import RowNumber, WaitSeconds, strict

S = TypeVar("S", bound=msgspec.Struct)

MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Order(Generic[S]):
    """The parameters of one request that orders something, and an id that it keeps, however often
    it is run."""

    params: S
    change_id: str


class AttachLog(msgspec.Struct, frozen=True):
    agent_id: str
    log_path: str | None = None
    schema_version: int | None = None


class DetachLog(msgspec.Struct, frozen=True):
    agent_id: str
    schema_version: int | None = None


class LogStatus(msgspec.Struct, frozen=True):
    agent_id: str
    schema_version: int | None = None


class LogPreview(msgspec.Struct, frozen=True):
    agent_id: str
    lines: int
    schema_version: int | None = None


class ReadLog(msgspec.Struct, frozen=True):
    """Additive."""

    agent_id: str
    lines: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 200
    offset: RowNumber | None = None
    file: str | None = None
    wait_seconds: WaitSeconds = 0.0
    schema_version: int | None = None


def exact(struct: type[S], our_schema: Callable[[], object]) -> Callable[[Params], S]:
    """A decoder for agent and log methods: schema hint, unknown keys, types, then the agent's id.

    :param our_schema: this daemon's schema version; asked only where the client states its own.
    """
    decode_strictly = strict(struct)

    def decode(params: Params) -> S:
        check_schema(params, our_schema)
        try:
            decoded = decode_strictly(params)
        except ValidationFailed as error:
            raise BadRequest(error.message) from error
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


def check_schema(params: Params, our_schema: Callable[[], object]) -> None:
    """:raises SchemaVersionNewer: our schema is newer than the one the client was built for."""
    if "schema_version" not in params:
        return
    theirs, ours = params["schema_version"], our_schema()
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        raise BadRequest("schema_version must be a whole number")
    if isinstance(ours, int) and ours > theirs:
        raise SchemaVersionNewer(
            f"the daemon's schema is {ours} and the client was built for {theirs}; "
            "update the client"
        )
