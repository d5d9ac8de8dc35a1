"""What events and messages must not show (FR-021; legacy surfaces part 1, section 10)."""

from __future__ import annotations

import re
from collections.abc import Mapping

REDACTED = "<redacted>"

SECRET_WORDS = (
    "TOKEN",
    "SECRET",
    "KEY",
    "PASSWORD",
    "PASSWD",
    "PWD",
    "AUTH",
    "BEARER",
    "CREDENTIAL",
    "COOKIE",
    "SESSION",
    "PRIVATE",
    "API",
)
"""A variable whose name contains one of these, in any case, holds a secret."""

_ENVIRONMENT_KEY = "env"


def is_secret_name(name: str) -> bool:
    """Whether the value of an environment variable of this name is kept out of sight."""
    upper = name.upper()
    return any(word in upper for word in SECRET_WORDS)


def redact_env(env: Mapping[str, object]) -> dict[str, object]:
    """A copy of an environment with the values of secrets replaced, whatever they are."""
    return {name: REDACTED if is_secret_name(name) else value for name, value in env.items()}


def redact_payload(payload: Mapping[str, object]) -> dict[str, object]:
    """A copy of an event payload in which every ``env``, at any depth, is redacted.

    An ``env`` may be a mapping or a list of ``NAME=value``, and hold more of either. ``argv`` and
    ``working_dir`` are shown as they are.
    """
    return {
        key: _redact_environment(value) if key == _ENVIRONMENT_KEY else _redact(value)
        for key, value in payload.items()
    }


def _redact(value: object) -> object:
    if isinstance(value, Mapping):
        return redact_payload(value)
    if isinstance(value, list | tuple):
        return [_redact(item) for item in value]
    return value


def _redact_environment(env: object) -> object:
    if isinstance(env, Mapping):
        return {name: _redact_environment(value) for name, value in redact_env(env).items()}
    if isinstance(env, list | tuple):
        return [_redact_environment(item) for item in env]
    if isinstance(env, str):
        name, separator, _ = env.partition("=")
        return f"{name}={REDACTED}" if separator and is_secret_name(name) else env
    return env


_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC and such
    r"|\x1b[ -/]*[0-~]"  # all others, e.g. a character set
)
_COLOURS = re.compile(r"(?:\x1b\[|\x9b)[0-9;:]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_ANYWHERE = (
    ("sk-", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}", re.ASCII), "<redacted:openai-key>"),
    ("gh", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}\b", re.ASCII), "<redacted:github-token>"),
    ("github_pat_", re.compile(r"\bgithub_pat_\w{20,}", re.ASCII), "<redacted:github-token>"),
    ("AKIA", re.compile(r"\bAKIA[A-Z0-9]{16}\b", re.ASCII), "<redacted:aws-access-key>"),
    ("ASIA", re.compile(r"\bASIA[A-Z0-9]{16}\b", re.ASCII), "<redacted:aws-access-key>"),
    (
        "Bearer ",
        re.compile(r"\bBearer [A-Za-z0-9_\-.=]{16,}", re.ASCII),
        "Bearer <redacted:bearer>",
    ),
    # A JWT's header is JSON, which begins with {" and so, encoded, with eyJ: no host name does.
    (
        "eyJ",
        re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]+", re.ASCII),
        "<redacted:jwt>",
    ),
)
"""What occurs in every match, the pattern, and what stands in its place."""
_NAME = r"[A-Z_0-9]*(?:API_?KEY|TOKEN|SECRET|PASSWORD|AUTH)"
_ASSIGNMENT = re.compile(rf"(?P<name>\s*(?:export\s+)?{_NAME})=.+", re.ASCII | re.DOTALL)
"""Alone on its line: the value may hold blanks."""
_ASSIGNMENT_WITHIN = re.compile(
    rf"(?P<name>(?<![A-Za-z0-9_]){_NAME})=(?:\"[^\"]*\"?|'[^']*'?|[^\s\"'])+", re.ASCII
)
_JWT_ALONE = re.compile(r"\s*eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\s*", re.ASCII)


def redact_text(text: str) -> str:
    """What a program printed, without the secrets that can be told by their looks, line by line.

    Terminal escapes are stripped first, so that a colour does not hide a token.
    """
    return "\n".join(_redact_line(line) for line in strip_escapes(text).split("\n"))


def strip_escapes(text: str) -> str:
    """What a program printed, without the sequences that a terminal obeys instead of showing them.

    Line by line: an escape that is not finished takes nothing from the next line. Secrets are
    redacted once the colours are gone and before anything else is, since an odd escape takes the
    character behind it along (``ESC [ s``): a secret without its beginning does not look like one.
    """
    if text.isascii() and "\x1b" not in text:
        return text
    return "\n".join(
        _ESCAPES.sub("", _redact_line(_COLOURS.sub("", line))) for line in text.split("\n")
    )


def shown_line(line: str) -> str:
    """One line of a log as it may leave: redacted, and no terminal that shows it obeys anything.

    What an escape or control character stood between is joined before secrets are looked for. A
    carriage return within the line shows as a blank, for it begins the line anew.
    """
    plain = strip_escapes(line).rstrip("\r").replace("\r", " ")
    return _redact_line(_CONTROL.sub("", plain))


def _redact_line(line: str) -> str:
    if "eyJ" in line and _JWT_ALONE.fullmatch(line):
        return "<redacted:jwt>"
    for part, pattern, replacement in _ANYWHERE:
        if part in line:
            line = pattern.sub(replacement, line)
    if "=" not in line:
        return line
    assignment = _ASSIGNMENT.fullmatch(line)
    if assignment:
        return f"{assignment['name']}=<redacted:env-secret>"
    return _ASSIGNMENT_WITHIN.sub(r"\g<name>=<redacted:env-secret>", line)
