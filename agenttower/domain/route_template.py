"""The text of a route: literal text with ``{field}`` (legacy surfaces part 2, section 9).

A template is parsed once, when the route is made, and whatever is no plain reference to one of our
own fields is refused then. Rendering joins the pieces and looks at no substituted text again, so
that what an agent has printed can never name a field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agenttower.domain.prompts import check_body
from agenttower.errors import BodyRefused, RouteTemplateInvalid

MAX_TEMPLATE_BYTES = 4096

FIELDS = (
    "event_id",
    "event_type",
    "source_agent_id",
    "source_label",
    "source_role",
    "source_capability",
    "event_excerpt",
    "observed_at",
)
"""What a template may refer to, and nothing else: no attributes, indices or formats."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}|[{}]")


class MissingField(Exception):
    """A field of the template has no value for this event."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Field:
    """A place where a value goes."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template that is known to be sound."""

    pieces: tuple[str | Field, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it refers to."""
        return frozenset(piece.name for piece in self.pieces if isinstance(piece, Field))

    def render(self, values: Mapping[str, str | None]) -> str:
        """The text for one event.

        :param values: what each field stands for; ``None`` where there is no value.
        :raises MissingField: a field of the template has none; nothing is put in its place.
        """
        return "".join(_text(piece, values) for piece in self.pieces)


def parse_template(text: str) -> Template:
    """The template that ``text`` says.

    :raises RouteTemplateInvalid: it is empty, over 4 KiB, breaks a rule of prompts by itself, or
        has a brace that is neither ``{field}`` of ours nor doubled.
    """
    if not text:
        raise RouteTemplateInvalid("template must not be empty", reason="must not be empty")
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_TEMPLATE_BYTES:
        raise RouteTemplateInvalid(
            f"template has {len(encoded)} bytes; at most {MAX_TEMPLATE_BYTES} are allowed",
            reason=f"at most {MAX_TEMPLATE_BYTES} bytes",
        )
    try:
        check_body(encoded)
    except BodyRefused as error:
        raise RouteTemplateInvalid(
            f"template could never be sent: {error.message}",
            reason="only printable text, tab and newline can be sent",
        ) from error
    return Template(tuple(_pieces(text)))


def _pieces(text: str) -> Iterator[str | Field]:
    """One pass from left to right."""
    end = 0
    for token in _TOKEN.finditer(text):
        if token.start() > end:
            yield text[end : token.start()]
        end = token.end()
        if token[0] in ("{{", "}}"):
            yield token[0][0]
        elif token[1] in FIELDS:
            yield Field(token[1])
        else:
            raise RouteTemplateInvalid(_problem(text, token), reason=_rule(token))
    if end < len(text):
        yield text[end:]


def _problem(text: str, token: re.Match[str]) -> str:
    place = f"position {token.start() + 1}"
    if token[1]:
        return (
            f"template: no field {{{token[1][:40]}}} at {place}; known are {', '.join(FIELDS)}, "
            "and literal braces are doubled"
        )
    shown = ascii(text[token.start() : token.start() + 24])
    return (
        f"template: {shown} at {place} is no {{field}}: write the bare name of a field in braces, "
        "without format, attribute, index or space, and double a literal brace"
    )


def _rule(token: re.Match[str]) -> str:
    """Which rule a token breaks, without showing it."""
    what = "unknown field" if token[1] else "a brace that is neither {field} nor doubled"
    return f"{what} at position {token.start() + 1}; known fields are {', '.join(FIELDS)}"


def _text(piece: str | Field, values: Mapping[str, str | None]) -> str:
    if isinstance(piece, str):
        return piece
    value = values.get(piece.name)
    if value is None:
        raise MissingField(piece.name)
    return value
