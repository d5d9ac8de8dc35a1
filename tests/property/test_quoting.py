"""Quoting for tmux is exact, and nothing in it can end an argument or a line."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agenttower.bench.quoting import quote

some_bytes = st.binary().map(lambda raw: raw.replace(b"\0", b""))
no_nul = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def unquote(quoted: str) -> bytes:
    """What tmux's parser makes of a double-quoted string of plain bytes and octal escapes."""
    assert quoted[0] == quoted[-1] == '"'
    pieces = re.findall(r"\\([0-7]{3})|([^\\])", quoted[1:-1])
    return bytes(int(octal, 8) if octal else ord(plain) for octal, plain in pieces)


@given(some_bytes)
@example(bytes(range(1, 256)))
def test_every_byte_comes_back(raw: bytes) -> None:
    assert unquote(quote(raw)) == raw


@given(no_nul)
def test_text_travels_as_utf_8(text: str) -> None:
    assert quote(text) == quote(text.encode())


@given(some_bytes)
def test_raw_bytes_in_text_stay_what_they_were(raw: bytes) -> None:
    assert quote(raw.decode("utf-8", "surrogateescape")) == quote(raw)


@given(some_bytes)
def test_only_harmless_characters_are_left(raw: bytes) -> None:
    assert re.fullmatch(r'"(?:[A-Za-z0-9_./:@%+,=^-]|\\[0-7]{3})*"', quote(raw))


@given(no_nul, no_nul)
def test_nul_is_refused(before: str, after: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote(f"{before}\0{after}")
