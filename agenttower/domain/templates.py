"""Templates, launch profiles, and the plan of a layout (FR-001, FR-002, FR-003, FR-024)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from agenttower.domain.identifiers import (
    ALPHABET,
    MAX_IDENTIFIER,
    check_identifier,
    split_override_key,
)
from agenttower.domain.permissions import Role
from agenttower.domain.restart import RestartPolicy
from agenttower.errors import ValidationFailed

MAX_PANES = 40
TMUX_LAYOUTS = ("tiled", "even-horizontal", "even-vertical", "main-horizontal", "main-vertical")

_PART = re.compile(rf"(?P<name>\{{(?:ordinal|session)\}})|[{ALPHABET}]+")
_CAPABILITY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# No session name holds a NUL, so a label with one equals only labels that are equal for all names.
_ANY_SESSION = "\0"


@dataclass(frozen=True, slots=True)
class TemplatePane:
    """One slot of a template; without a profile the bench user's own shell starts."""

    role: str
    capability: str
    label_pattern: str
    default_launch_command_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A named arrangement of panes; ``layout`` is one of :data:`TMUX_LAYOUTS`."""

    name: str
    panes: tuple[TemplatePane, ...]
    layout: str = "tiled"


@dataclass(frozen=True, slots=True)
class LaunchProfile:
    """What to start in a pane: argv, never a shell line; ``env`` is added to the pane's own."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    restart: RestartPolicy | None = None


@dataclass(frozen=True, slots=True)
class PlannedPane:
    """A pane to be made; ``profile_name`` is not looked up yet."""

    slot: int
    role: str
    capability: str
    label: str
    profile_name: str | None = None


def _pane(role: Role, pattern: str) -> TemplatePane:
    capability = "orchestrator" if role is Role.MASTER else "worker"
    return TemplatePane(role.value, capability, pattern)


_MASTER = _pane(Role.MASTER, "m{ordinal}")
_SLAVE = _pane(Role.SLAVE, "s{ordinal}")

BUILTIN_TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "1m+2s": Template("1m+2s", (_MASTER, _SLAVE, _SLAVE)),
        "2m+2s": Template("2m+2s", (_MASTER, _MASTER, _SLAVE, _SLAVE)),
    }
)


def role_problem(role: str) -> str | None:
    """Why this is no role, or ``None``."""
    if role in set(Role):
        return None
    return f"{ascii(role)[:80]} is no role; one of {', '.join(Role)}"


def capability_problem(capability: str) -> str | None:
    """Why this is no capability, or ``None``. Any token will do (design.md section 6)."""
    if _CAPABILITY.fullmatch(capability):
        return None
    return "must be 1 to 64 of a-z, 0-9 and '-', and not begin with '-'"


def name_problem(name: str) -> str | None:
    """Why this cannot name a template or a profile, or ``None``."""
    if not 1 <= len(name) <= MAX_IDENTIFIER:
        return f"must have 1 to {MAX_IDENTIFIER} characters, not {len(name)}"
    if not name.isprintable() or name != name.strip():
        return "must be printable, without blanks at either end"
    return None


def pattern_problem(pattern: str) -> str | None:
    """Why this is no label pattern, or ``None``.

    A pattern is text in FR-016's alphabet with any number of ``{ordinal}`` and ``{session}``.
    """
    if not pattern:
        return "must not be empty"
    if len(pattern) > 4 * MAX_IDENTIFIER:
        return f"has {len(pattern)} characters; at most {4 * MAX_IDENTIFIER} are allowed"
    end = 0
    for part in _PART.finditer(pattern):
        if part.start() != end:
            break
        end = part.end()
    if end < len(pattern):
        if pattern[end] in "{}":
            return (
                f"unknown placeholder at position {end + 1}; only {{ordinal}} and {{session}} "
                "are replaced, and braces mean nothing else"
            )
        return (
            f"character {pattern[end]!a} at position {end + 1} is not allowed in a label; "
            "use letters A-Z a-z, digits, '_', '.' and '-'"
        )
    if len(_expand(pattern, 1, "s")) > MAX_IDENTIFIER:
        return f"gives labels of more than {MAX_IDENTIFIER} characters"
    return None


def label_clash(patterns: Sequence[str]) -> tuple[int, int] | None:
    """Two positions that get the same label whatever the session is called, or ``None``."""
    seen: dict[str, int] = {}
    for index, label in enumerate(_labels(patterns, _ANY_SESSION)):
        if label in seen:
            return seen[label], index
        seen[label] = index
    return None


def plan(
    template: Template,
    *,
    session: str,
    label_prefix: str = "",
    overrides: Mapping[str, str] | None = None,
) -> tuple[PlannedPane, ...]:
    """The panes that a layout from this template has, in slot order.

    An override's key names its pane by the label that the pane will have, or by that label
    without ``label_prefix``, so that the same overrides serve with and without a prefix; where a
    key fits two panes, the full label decides.

    :param session: the tmux session's name as the operator gave it.
    :param label_prefix: put before every label; empty for none.
    :param overrides: ``<role>:<label>`` to profile name.
    :raises ValidationFailed: before any effect, naming the parameter or the template's field. Two
        equal labels inside one template are that too, and not a label conflict, because no other
        layout holds the label and no prefix would help.
    """
    check_identifier("tmux_session_name", session)
    if label_prefix:
        check_identifier("label_prefix", label_prefix)
    bare = _checked_labels(template, session, label_prefix)
    profiles = _match_overrides(template, bare, label_prefix, overrides or {})
    return tuple(
        PlannedPane(
            slot=slot,
            role=pane.role,
            capability=pane.capability,
            label=label_prefix + bare[slot],
            profile_name=profiles.get(slot, pane.default_launch_command_ref),
        )
        for slot, pane in enumerate(template.panes)
    )


def _expand(pattern: str, ordinal: int, session: str) -> str:
    return pattern.replace("{ordinal}", str(ordinal)).replace("{session}", session)


def _labels(patterns: Sequence[str], session: str) -> list[str]:
    counted: Counter[str] = Counter()
    labels = []
    for pattern in patterns:
        counted[pattern] += 1
        labels.append(_expand(pattern, counted[pattern], session))
    return labels


def _checked_labels(template: Template, session: str, label_prefix: str) -> list[str]:
    patterns = [pane.label_pattern for pane in template.panes]
    seen: dict[str, int] = {}
    for slot, pattern in enumerate(patterns):
        problem = pattern_problem(pattern)
        if problem:
            raise ValidationFailed(_pattern_field(slot), problem)
    labels = _labels(patterns, session)
    for slot, label in enumerate(labels):
        if label in seen:
            raise ValidationFailed(
                _pattern_field(slot),
                f"template {template.name!r} gives panes {seen[label]} and {slot} the same label "
                f"{label!r}; use {{ordinal}} in the pattern",
                "the template gives two panes the same label",
            )
        seen[label] = slot
        _check_length(slot, patterns[slot], label, session, label_prefix)
    return labels


def _check_length(slot: int, pattern: str, label: str, session: str, label_prefix: str) -> None:
    length = len(label_prefix) + len(label)
    if length <= MAX_IDENTIFIER:
        return
    if len(label) <= MAX_IDENTIFIER:
        blame = "label_prefix"
    elif "{session}" in pattern:
        blame = "tmux_session_name"
    else:
        blame = _pattern_field(slot)
    raise ValidationFailed(
        blame,
        f"the label of pane {slot} would have {length} characters; "
        f"at most {MAX_IDENTIFIER} are allowed",
    )


def _match_overrides(
    template: Template, bare: Sequence[str], label_prefix: str, overrides: Mapping[str, str]
) -> dict[int, str]:
    full: dict[str, int] = {}
    by_key: dict[str, int] = {}
    for slot, pane in enumerate(template.panes):
        full[f"{pane.role}:{label_prefix}{bare[slot]}"] = slot
        by_key[f"{pane.role}:{bare[slot]}"] = slot
    by_key |= full
    chosen: dict[int, str] = {}
    for key, profile_name in overrides.items():
        split_override_key(key)
        if key not in by_key:
            raise ValidationFailed(
                "launch_command_overrides",
                f"{key!r} names no pane of this layout; known: {', '.join(full)}",
            )
        slot = by_key[key]
        if slot in chosen:
            raise ValidationFailed(
                "launch_command_overrides",
                f"{key!r} names pane {bare[slot]!r}, which another key names already",
            )
        chosen[slot] = profile_name
    return chosen


def _pattern_field(slot: int) -> str:
    return f"template.panes[{slot}].label_pattern"
