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


_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_ANYWHERE = (
    ("sk-", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}", re.ASCII), "<redacted:openai-key>"),
    ("gh", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}\b", re.ASCII), "<redacted:github-token>"),
    ("github_pat_", re.compile(r"\bgithub_pat_\w{20,}", re.ASCII), "<redacted:github-token>"),
    ("AKIA", re.compile(r"\bAKIA[A-Z0-9]{16}\b", re.ASCII), "<redacted:aws-access-key>"),
    (
        "Bearer ",
        re.compile(r"\bBearer [A-Za-z0-9_\-.=]{16,}", re.ASCII),
        "Bearer <redacted:bearer>",
    ),
    # A JWT's header is JSON, which begins with {" and so, encoded, with eyJ: no host name does.
    (
        "eyJ",
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII),
        "<redacted:jwt>",
    ),
)
"""What occurs in every match, the pattern, and what stands in its place."""
_JWT = re.compile(r"\s*eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\s*", re.ASCII)
_ASSIGNMENT = re.compile(
    r"(?P<name>\s*(?:export\s+)?[A-Z_0-9]*(?:API_?KEY|TOKEN|SECRET|PASSWORD|AUTH))=.+",
    re.ASCII | re.DOTALL,
)


def redact_text(text: str) -> str:
    """What a program printed, without the secrets that can be told by their looks, line by line.

    Terminal escapes are stripped first, so that a colour does not hide a token.
    """
    return "\n".join(_redact_line(line) for line in strip_escapes(text).split("\n"))


def strip_escapes(text: str) -> str:
    """What a program printed, without what only moves the cursor or paints.

    Line by line: an escape that is not finished takes nothing from the next line.
    """
    if "\x1b" not in text:
        return text
    return "\n".join(_ESCAPES.sub("", line) for line in text.split("\n"))


def _redact_line(line: str) -> str:
    if "eyJ" in line and _JWT.fullmatch(line):
        return "<redacted:jwt>"
    for part, pattern, replacement in _ANYWHERE:
        if part in line:
            line = pattern.sub(replacement, line)
    assignment = _ASSIGNMENT.fullmatch(line) if "=" in line else None
    return f"{assignment['name']}=<redacted:env-secret>" if assignment else line
