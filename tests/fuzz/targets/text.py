"""What programs print: cleaned, redacted, classified."""

from __future__ import annotations

import re

from agenttower.domain import cleaning, redaction
from agenttower.domain.classifier import RuleSet
from agenttower.domain.prompts import check_body, excerpt
from agenttower.domain.records import cut_excerpt, readable
from agenttower.errors import BodyRefused
from agenttower.rpc.envelopes import MESSAGE_LIMIT, clean_text
from tests.fuzz.targets.target import pure

_RULES = RuleSet()
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_C0 = re.compile(r"[\x00-\x1f\x7f]")
_MARKER = "…[truncated]"
_SECRET = "sk-0123456789abcdefghijABCDEFGHIJ"


def cleaned(data: bytes) -> None:
    """Cleaned text has no control characters, and cleaning it again changes nothing."""
    text = data.decode("utf-8", "surrogateescape")
    once = cleaning.clean(text)
    assert not _C0.search(once)
    assert cleaning.clean(once) == once
    once.encode()
    message = clean_text(text)
    assert len(message) <= MESSAGE_LIMIT
    assert not _C0.search(message)
    message.encode()


def shown(data: bytes) -> None:
    """A line that is shown moves no terminal; a secret that stands free in it does not show."""
    text = data.decode("utf-8", "replace").replace("\n", "\r")
    for show in (redaction.shown_line, readable):
        line = show(text)
        assert not _CONTROL.search(line)
        assert "\n" not in line
        assert _SECRET not in show(f"{text} {_SECRET} {text}")
        assert _SECRET not in show(f"{text} {_SECRET[:9]}\x1b[31m{_SECRET[9:]} {text}")
    _RULES.classify(line)
    assert _RULES.findings(line)
    short = cut_excerpt(line, 64, _MARKER)
    assert len(short.encode()) <= 64
    redaction.redact_text(text)


def bodies(data: bytes) -> None:
    """What may be pasted has no control characters; an excerpt is one short line."""
    assert "\n" not in excerpt(data)
    assert len(excerpt(data)) <= 241
    try:
        check_body(data)
    except BodyRefused:
        return
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", data.decode())


TARGETS = (
    pure("cleaned", "text that is kept", cleaned),
    pure("shown", "redaction and classification of output", shown, 3),
    pure("bodies", "bodies of prompts", bodies),
)
