"""Values for parameters: what fits, what nearly fits, and what was never meant to be sent."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as shapes

Known = dict[str, list[object]]
"""Values that exist, by the name of the column or parameter that holds them."""

TEXTS = (
    "", " ", "\0", "a\0b", "\n", "a\nb", "\t", "\r", "\x1b[31mred", "\x7f", "\x9b31m", "\ud800",
    "\u202e", "\ufeff", "\ufffe", "é" * 40, "🗼", "٣", "#{pane_id}", "#(id)", "$(id)", "`id`",
    ";id", "%s%n", "%%", "{0.__class__}", "{source_label}", "{{", "{", "' OR 1=1 --", "-x", "--",
    ".", "..", "/", "/etc/passwd", "/proc/self/environ", "../../etc/passwd",
    "/tmp/" + "x" * 300, "agt_",
    "agt_0123456789ab", "lay_", "%0", "%99999999999", "0", "-1", "true", "null", "any", "all",
    "2026-13-45T00:00:00.000Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z",
    "2026-01-01T00:00:00Z", "00000000-0000-0000-0000-000000000000", "aGVsbG8=", "AA==", "=", "////",
    "x" * 64, "x" * 65, "x" * 129, "x" * 257, "é" * 2049, "x" * 4097, "slave:s1", "slave:", ":",
)  # fmt: skip
"""Each has broken something somewhere."""

INTEGERS = (0, 1, -1, 2, 50, 51, 200, 201, 1000, 1001, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1,
            2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, 10**310)  # fmt: skip

_FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 25.0, 25.5, 1e9, 1e300, 5e-324)

scalars = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(INTEGERS),
    st.sampled_from(_FLOATS),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
)

junk = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)
"""Any JSON value, and some that only look like one (NaN, half a surrogate pair)."""

_ALIASES = {
    "target": ("agent_id", "label"),
    "sender": ("agent_id", "label"),
    "container": ("container_id", "name"),
    "tmux_socket": ("tmux_socket_path",),
    "after": ("next_cursor", "next"),
    "cursor": ("next_cursor",),
    "cursor_next": ("next_cursor",),
    "target_agent_id": ("agent_id",),
    "predecessor_pane_id": ("pane_id",),
    "event_id": ("id",),
    "after_event_id": ("id",),
    "types": ("event_type",),
    "status": ("status", "state"),
    "body_bytes": ("body",),
    "target_value": ("agent_id", "label", "role"),
    "source_scope_value": ("agent_id", "role"),
    "master_value": ("agent_id",),
    "body_file": ("log_path",),
    "launch_command_override": ("profile_name",),
}


def known_values(name: str, known: Known) -> list[object]:
    """What exists under the name of a parameter, ids of other things after it."""
    columns = (name, *_ALIASES.get(name, ()))
    return [value for column in columns for value in known.get(column, ())]


def fitting(kind: shapes.Type, name: str, known: Known) -> st.SearchStrategy[Any]:
    """Values of a declared type, mostly those that exist under the parameter's name."""
    if isinstance(kind, shapes.Metadata):
        kind = kind.type
    whole = [one for one in known_values(name, known) if isinstance(one, dict)]
    if whole and not isinstance(kind, shapes.StrType | shapes.NoneType):
        return st.sampled_from(whole)
    match kind:
        case shapes.UnionType():
            types = [one for one in kind.types if not isinstance(one, shapes.CustomType)]
            return st.one_of([fitting(one, name, known) for one in types])
        case shapes.ListType() | shapes.VarTupleType():
            return st.lists(fitting(kind.item_type, name, known), max_size=3)
        case shapes.DictType():
            key = fitting(kind.key_type, "", known)
            return st.dictionaries(key, fitting(kind.value_type, name, known), max_size=3)
        case shapes.StructType():
            return struct(kind.cls, known)
        case _:
            return _fitting_scalar(kind, known_values(name, known))


def _fitting_scalar(kind: shapes.Type, there: list[object]) -> st.SearchStrategy[Any]:
    match kind:
        case shapes.StrType():
            longest = min(kind.max_length or 20, 20)
            plain = st.text("abz09_-./", min_size=kind.min_length or 0, max_size=longest)
            texts = [one for one in there if isinstance(one, str)]
            return st.one_of(*[st.sampled_from(texts)] * 6, plain) if texts else plain
        case shapes.IntType():
            low = kind.ge if kind.ge is not None else -2
            high = kind.le if kind.le is not None else 300
            inside = [one for one in there if type(one) is int and low <= one <= high]
            return st.sampled_from([*inside, low, high]) | st.integers(low, high)
        case shapes.FloatType():
            return st.floats(kind.ge or 0, min(kind.le or 1, 1), allow_nan=False)
        case shapes.BoolType():
            return st.booleans()
        case shapes.NoneType():
            return st.none()
        case shapes.LiteralType():
            return st.sampled_from(kind.values)
        case shapes.EnumType():
            return st.sampled_from([one.value for one in kind.cls])
        case _:
            return junk


def value(kind: shapes.Type, name: str, known: Known) -> st.SearchStrategy[Any]:
    """Sometimes what fits, sometimes what exists elsewhere, sometimes anything."""
    elsewhere = st.sampled_from(sorted(known)).flatmap(
        lambda column: st.sampled_from(known[column])
    )
    return st.one_of(fitting(kind, name, known), scalars, elsewhere, scalars, junk)


@st.composite
def struct(draw: st.DrawFn, cls: type[msgspec.Struct], known: Known) -> dict[str, Any]:
    """An object for a struct: one that fits, one in which one field does not, or a wild one."""
    described = shapes.type_info(cls)
    assert isinstance(described, shapes.StructType)
    fields = described.fields
    if not fields:
        return draw(st.just({}) | st.dictionaries(st.text(max_size=9), junk, max_size=2))
    manner = draw(st.sampled_from(("fits", "fits", "nearly", "wild")))
    odd = draw(st.sampled_from(fields)) if manner == "nearly" else None
    given: dict[str, Any] = {}
    for field in fields:
        name = field.encode_name
        if manner == "wild" or field is odd:
            if draw(st.integers(0, 3)):
                given[name] = draw(value(field.type, name, known))
        elif field.required or draw(st.integers(0, 3)) == 0:
            given[name] = draw(fitting(field.type, name, known))
    if manner == "wild" and draw(st.booleans()):
        given[draw(st.text(max_size=70))] = draw(junk)
    return given


def bodies() -> list[object]:
    """Bodies of prompts, as they are sent."""
    texts = (b"hello", b"", b"\xff", b"a\0b", b"\x1b[200~", b"x" * 40_000, "é".encode() * 30)
    return [base64.b64encode(text).decode() for text in texts]
