"""How ``params`` of the agent and log methods are checked.

They refuse what they do not know (legacy surfaces part 1, section 4): first the client's schema
version, then unknown keys, then missing ones and wrong types, all ``bad_request``; ``list_agents``
has codes of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from agenttower.domain.identifiers import is_agent_id, is_container_id
from agenttower.domain.permissions import Role
from agenttower.errors import (
    BadRequest,
    SchemaVersionNewer,
    UnknownFilter,
    ValidationFailed,
    ValueOutOfSet,
)
from agenttower.rpc.method import Params
from agenttower.rpc.schemas import strict

S = TypeVar("S", bound=msgspec.Struct)

SCHEMA_VERSION = "schema_version"

_FILTERS = {
    "role": f"one of {', '.join(Role)}, or several of them",
    "container_id": "12 or 64 lower-case hex characters",
    "active_only": "true or false",
    "parent_agent_id": "agt_ and 12 hex characters",
}
_FITS: dict[str, Callable[[str], bool]] = {
    "container_id": is_container_id,
    "parent_agent_id": is_agent_id,
}


def of_agents(struct: type[S], our_schema: Callable[[], object]) -> Callable[[Params], S]:
    """A decoder for a method of agents or logs.

    :param our_schema: this daemon's schema version; asked only where the client states its own.
    :raises SchemaVersionNewer: (the decoder) our schema is newer than the client's.
    :raises BadRequest: (the decoder) an unknown key, a missing one, or a wrong type.
    """
    shape = strict(struct)

    def decode(params: Params) -> S:
        if SCHEMA_VERSION in params:
            check_schema(params[SCHEMA_VERSION], our_schema())
        try:
            return shape(params)
        except ValidationFailed as error:
            raise BadRequest(error.message) from error

    return decode


def agent_filters(struct: type[S], our_schema: Callable[[], object]) -> Callable[[Params], S]:
    """The decoder of ``list_agents``: schema hint, unknown keys, then values (section 8.4).

    A wrong type is ``value_out_of_set`` here, because the method's catalogue has no
    ``bad_request``; only the schema hint has one (section 4).

    :raises SchemaVersionNewer: (the decoder) our schema is newer than the client's.
    :raises UnknownFilter: (the decoder) a key that is no filter.
    :raises ValueOutOfSet: (the decoder) a value outside its set or shape.
    """
    types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}

    def decode(params: Params) -> S:
        if SCHEMA_VERSION in params:
            check_schema(params[SCHEMA_VERSION], our_schema())
        for name in params:
            if name not in types:
                raise UnknownFilter(
                    f"unknown filter {name[:64]!r}; known are {', '.join(_FILTERS)}"
                )
        for name in params.keys() & _FILTERS.keys():
            _check_filter(name, params[name], types[name])
        return msgspec.convert(params, struct)

    return decode


def _check_filter(name: str, value: object, wanted: object) -> None:
    refusal = ValueOutOfSet(f"{name} must be {_FILTERS[name]}, not {str(value)[:80]!r}")
    try:
        msgspec.convert(value, type=wanted)
    except msgspec.ValidationError as error:
        raise refusal from error
    if name in _FITS and not _FITS[name](str(value)):
        raise refusal


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
