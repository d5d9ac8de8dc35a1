"""How the published schema names the shapes that it is made of."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Meta

_OURS = "agenttower."
_PROTOCOL = "agenttower.protocol."


def name_of(shape: type[Any]) -> str:
    """The name of a struct or an enumeration under ``$defs``.

    It says where it is declared, so that it stays the same whatever else there comes to be.
    """
    home = shape.__module__
    home = home.removeprefix(_PROTOCOL) if home.startswith(_PROTOCOL) else home.removeprefix(_OURS)
    return f"{home}.{shape.__name__}"


def ref_to(shape: type[Any]) -> dict[str, str]:
    """The schema that says "as over there"."""
    return {"$ref": f"#/$defs/{name_of(shape)}"}


def one_of(*structs: type[msgspec.Struct]) -> Meta:
    """What marks an object as one of several structs, which nothing but their members tells apart.

    msgspec knows no such union. It takes the object for a mapping; the published schema is exact.
    """
    return Meta(
        extra={"one_of": structs},
        extra_json_schema={"oneOf": [ref_to(struct) for struct in structs]},
    )
