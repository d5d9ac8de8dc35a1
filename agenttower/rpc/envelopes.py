"""How answers look on the wire: one small class per namespace.

A namespace claims methods by prefix; :func:`envelope_of` finds the one that answers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import ClassVar, Protocol

import msgspec

from agenttower.errors import AgentTowerError
from agenttower.protocol.app.errors import ERRORS, Empty
from agenttower.protocol.app.version import VERSION
from agenttower.protocol.managed_errors import MANAGED_ERRORS

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 2048
"""Characters of an error message (legacy surfaces, section 4)."""

RESPONSE_LIMIT = 8 * 1024 * 1024
"""Bytes of an answer, its newline included (app surface, section 1; here for every namespace)."""

INTERNAL_MESSAGE = (
    "the daemon met an unexpected error and has logged it; "
    "look at the daemon's log, and report it if it happens again"
)

_encode = msgspec.json.Encoder().encode
_SPACES = re.compile(r"[\t\n]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class InternalError(AgentTowerError):
    """The one error that an unexpected exception becomes; its cause stays in our log."""

    def __init__(self, message: str = INTERNAL_MESSAGE) -> None:
        super().__init__(message)


class Envelope(Protocol):
    """Wraps a result or an error into one line, newline included."""

    prefix: ClassVar[str]

    def success(self, result: object) -> bytes: ...

    def failure(self, error: AgentTowerError) -> bytes: ...


class LegacyEnvelope:
    """``{"ok":true,"result"}`` and ``{"ok":false,"error":{"code","message"}}`` (section 3.2)."""

    prefix: ClassVar[str] = ""

    def success(self, result: object) -> bytes:
        """:raises Exception: the result has something that JSON cannot carry."""
        return _encode({"ok": True, "result": result}) + b"\n"

    def failure(self, error: AgentTowerError) -> bytes:
        return _encode({"ok": False, "error": self._describe(error)}) + b"\n"

    def _describe(self, error: AgentTowerError) -> dict[str, object]:
        return {"code": error.code, "message": clean_text(error.message)}


class ManagedEnvelope(LegacyEnvelope):
    """As the legacy one, with ``error.details`` always there (managed.md section 4)."""

    prefix: ClassVar[str] = "managed."

    def _describe(self, error: AgentTowerError) -> dict[str, object]:
        return {**super()._describe(error), "details": _clean(error.details)}


class AppEnvelope:
    """With ``app_contract_version``, and codes of a closed set only (app surface, section 2)."""

    prefix: ClassVar[str] = "app."

    def success(self, result: object) -> bytes:
        """:raises Exception: the result has something that JSON cannot carry."""
        answer = {"ok": True, "app_contract_version": VERSION, "result": result}
        return _encode(answer) + b"\n"

    def failure(self, error: AgentTowerError) -> bytes:
        code, details = error.code, error.details
        wanted = ERRORS.get(code) or MANAGED_ERRORS.get(code)
        if wanted is None:
            log.error("an app method was refused with %s, which is no code of app.*", code)
            error, code, details = InternalError(), "internal_error", {}
        elif wanted is Empty:
            details = {}
        described = {
            "code": code,
            "message": clean_text(error.message),
            "details": _clean(details),
        }
        return _encode({"ok": False, "app_contract_version": VERSION, "error": described}) + b"\n"


LEGACY = LegacyEnvelope()
MANAGED = ManagedEnvelope()
APP = AppEnvelope()
ENVELOPES: tuple[Envelope, ...] = (APP, MANAGED, LEGACY)


def envelope_of(method: str) -> Envelope:
    """The envelope that answers a method name, known or not: the first whose prefix fits."""
    return next(envelope for envelope in ENVELOPES if method.startswith(envelope.prefix))


def clean_text(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Text fit to be shown: tab and newline become a space, other C0 bytes and DEL go, then cut.

    Lone surrogates (undecodable bytes of a file name) become ``?``: JSON cannot carry them.
    """
    cleaned = _CONTROLS.sub("", _SPACES.sub(" ", text))
    return cleaned.encode(errors="replace").decode()[:limit]


def _clean(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
