"""Names and ids: what operators may give (FR-016) and what we make ourselves."""

from __future__ import annotations

import re
from collections.abc import Callable

from agenttower.errors import ValidationFailed

ALPHABET = "A-Za-z0-9_.-"
MAX_IDENTIFIER = 64
MAX_CONTAINER_REF = 255
MARKER_PREFIX = "@MANAGED:"

_ODD = re.compile(rf"[^{ALPHABET}]")
_AGENT_ID = re.compile(r"agt_[0-9a-f]{12}")
_CONTAINER_ID = re.compile(r"[0-9a-f]{64}|[0-9a-f]{12}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def identifier_problem(value: object, *, max_length: int = MAX_IDENTIFIER) -> str | None:
    """Why ``value`` is no identifier by FR-016, or ``None`` where it is one."""
    if not isinstance(value, str):
        return "must be a string"
    if not value:
        return "must not be empty"
    if len(value) > max_length:
        return f"has {len(value)} characters; at most {max_length} are allowed"
    odd = _ODD.search(value)
    if odd:
        return (
            f"character {odd[0]!a} at position {odd.start() + 1} is not allowed; "
            "use letters A-Z a-z, digits, '_', '.' and '-'"
        )
    return None


def check_identifier(field: str, value: object, *, max_length: int = MAX_IDENTIFIER) -> str:
    """``value`` itself, if it is 1 to ``max_length`` characters of ``[A-Za-z0-9_.-]``.

    :raises ValidationFailed: naming ``field``.
    """
    problem = identifier_problem(value, max_length=max_length)
    if problem is not None or not isinstance(value, str):
        raise ValidationFailed(field, problem or "must be a string", _rule(max_length))
    return value


def tmux_session_target(name: str) -> str:
    """The name that tmux makes of a session name: it turns ``.`` and ``:`` into ``_`` (M1)."""
    return name.replace(".", "_").replace(":", "_")


def split_override_key(key: object) -> tuple[str, str]:
    """Role and label of a ``launch_command_overrides`` key, each side checked on its own.

    :raises ValidationFailed: naming ``launch_command_overrides``.
    """
    field = "launch_command_overrides"
    if not isinstance(key, str) or ":" not in key:
        raise ValidationFailed(field, "every key must be written <role>:<label>, e.g. 'slave:s1'")
    role, _, label = key.partition(":")
    for side, value in (("role", role), ("label", label)):
        problem = identifier_problem(value)
        if problem:
            raise ValidationFailed(
                field,
                f"the {side} in key {key[:140]!a}: {problem}",
                f"the {side} in every key {_rule(MAX_IDENTIFIER)}",
            )
    return role, label


def _rule(max_length: int) -> str:
    """What every identifier keeps to (FR-016)."""
    return f"must be 1 to {max_length} letters A-Z a-z, digits, '_', '.' and '-'"


def is_container_id(value: str) -> bool:
    """Whether this is a container id as engines write it: 64 or 12 lower-case hex digits."""
    return _CONTAINER_ID.fullmatch(value) is not None


def normalise_container_ref(value: object, *, field: str = "container_id") -> str:
    """A container's id (64 or 12 hex) or name, without the ``/`` that engines put before names.

    Which of the two it is, the caller finds out by looking: an id first, then a name.

    :raises ValidationFailed: it can be neither; names ``field``.
    """
    ref = value.removeprefix("/") if isinstance(value, str) else value
    return check_identifier(field, ref, max_length=MAX_CONTAINER_REF)


def is_uuid(value: object) -> bool:
    """Whether this is a UUID in its hyphenated form, in either case."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def check_uuid(field: str, value: object) -> str:
    """The UUID in lower case, as it is stored.

    :raises ValidationFailed: naming ``field``.
    """
    if not isinstance(value, str) or not is_uuid(value):
        raise ValidationFailed(field, "must be a UUID, e.g. 0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90")
    return value.lower()


def new_agent_id(random: Callable[[int], bytes]) -> str:
    """A fresh agent id: ``agt_`` and 12 hex digits.

    :param random: gives that many random bytes; ``os.urandom`` outside tests.
    """
    return f"agt_{random(6).hex()}"


def is_agent_id(value: object) -> bool:
    """Whether this is an agent id as :func:`new_agent_id` makes them."""
    return isinstance(value, str) and _AGENT_ID.fullmatch(value) is not None


def marker_title(token: str, label: str) -> str:
    """The title of a pane whose creation is under way (managed.md section 7)."""
    return f"{MARKER_PREFIX}{token}:{label}"


def parse_marker_title(title: str) -> tuple[str, str] | None:
    """Token and label of a pending pane's title; ``None`` for every other title."""
    if not title.startswith(MARKER_PREFIX):
        return None
    token, separator, label = title.removeprefix(MARKER_PREFIX).partition(":")
    return (token, label) if token and separator else None
