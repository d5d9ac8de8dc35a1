"""Cursors, instants, names, paths of logs, and the cgroup of a peer."""

from __future__ import annotations

from agenttower.domain import identifiers, logpaths
from agenttower.domain.cleaning import project_path_problem
from agenttower.domain.cursors import decode_cursor, encode_cursor
from agenttower.domain.event_pages import decode_place, encode_place, parse_instant
from agenttower.domain.route_template import FIELDS, parse_template
from agenttower.errors import RouteTemplateInvalid, ValidationFailed
from agenttower.rpc import cgroup
from tests.fuzz.targets.target import pure

_FILTERS = {"state": ["ready"]}
_TYPES = (int, int, str)
_REGISTERED = {"a" * 64: "a" * 64, "b" * 64: "b" * 64, "c" * 12: "c" * 64, "c" * 64: "c" * 64}
_OURS = {"": "/docker/" + "b" * 64, "memory": "/"}


def cursors(data: bytes) -> None:
    """A cursor that is taken is one that we write ourselves."""
    text = data.decode("utf-8", "replace")
    try:
        key = decode_cursor(text, kind="panes", types=_TYPES, filters=_FILTERS)
    except ValidationFailed:
        pass
    else:
        assert encode_cursor("panes", key, _FILTERS) == text
    for reverse in (False, True):
        try:
            event = decode_place(text, reverse=reverse)
        except ValueError:
            continue
        assert decode_place(encode_place(event, reverse=reverse), reverse=reverse) == event


def cgroups(data: bytes) -> None:
    """Whatever a cgroup says, nobody is taken for a container that is not registered."""
    try:
        theirs = cgroup.parse(data.decode("utf-8", "replace"))
    except ValueError:
        return
    for ours in ({}, _OURS):
        verdict = cgroup.judge(cgroup.chains(theirs, ours), _REGISTERED.get)
        found = verdict.container_id
        assert found is None or verdict.unclear is None
        assert found is None or (found in _REGISTERED.values() and found[:12].encode() in data)
    assert not cgroup.chains(theirs, theirs)


def names(data: bytes) -> None:
    """Names, ids, instants and paths: judged, never failed over."""
    text = data.decode("utf-8", "replace")
    if identifiers.identifier_problem(text) is None:
        assert text.isascii()
        assert 1 <= len(text) <= identifiers.MAX_IDENTIFIER
        assert not set(text) & set("#{}$`'\"\\ /;%\n\0")
    for check in (
        identifiers.split_override_key,
        identifiers.normalise_container_ref,
        lambda value: identifiers.check_uuid("f", value),
    ):
        try:
            check(text)
        except ValidationFailed:
            continue
    if (found := identifiers.parse_marker_title(text)) is not None:
        assert identifiers.marker_title(*found) == text
    if logpaths.fault_of(text) is None:
        assert text.startswith("/")
        assert ".." not in text.split("/")
        assert not set(text) & set("#%\n\r\0\x1b")
        assert not any(logpaths.is_under(text, root) for root in logpaths.SPECIAL)
    project_path_problem(text)
    try:
        parse_instant(text)
    except ValueError:
        return


def templates(data: bytes) -> None:
    """What a template renders is what stands between its fields, and nothing is read twice."""
    text = data.decode("utf-8", "replace")
    try:
        template = parse_template(text)
    except RouteTemplateInvalid:
        return
    assert template.fields <= set(FIELDS)
    assert template.render(dict.fromkeys(FIELDS, "{event_id}")) == _by_hand(text)


def _by_hand(template: str) -> str:
    """A sound template with ``{event_id}`` for every field."""
    rendered, place = "", 0
    while place < len(template):
        if template.startswith(("{{", "}}"), place):
            rendered += template[place]
            place += 2
        elif template[place] == "{":
            rendered += "{event_id}"
            place = template.index("}", place) + 1
        else:
            rendered += template[place]
            place += 1
    return rendered


TARGETS = (
    pure("cursors", "cursors of lists and of events", cursors),
    pure("cgroups", "the cgroup file of a peer", cgroups, longest=2048),
    pure("names", "names, ids, instants, paths", names, longest=5000),
    pure("templates", "texts of routes", templates),
)
