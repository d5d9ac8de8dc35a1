"""Pieces of logs: always whole lines, always bounded, never the middle of a line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.bench import logpages
from agenttower.bench.logpages import Page, forward, tail


@contextmanager
def file_of(data: bytes) -> Iterator[int]:
    file = os.memfd_create("log")
    try:
        os.write(file, data)
        yield file
    finally:
        os.close(file)


def test_the_last_lines() -> None:
    with file_of(b"one\ntwo\nthree\nfo") as file:
        assert tail(file, 2) == Page(4, [b"two", b"three"], 14, b"fo")
        assert tail(file, 9) == Page(0, [b"one", b"two", b"three"], 14, b"fo")
    with file_of(b"") as file:
        assert tail(file, 2) == Page(0, [], 0, b"")


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=30),
       st.integers(1, 40))  # fmt: skip
def test_tail_and_forward_agree_with_the_file(lines: list[bytes], count: int) -> None:
    data = b"".join(line + b"\n" for line in lines) + b"rest"
    with file_of(data) as file:
        page = tail(file, count)
        assert page.lines == lines[-count:]
        assert page.rest == b"rest"
        assert forward(file, page.start, count) == page
        place, seen = 0, []
        while (page := forward(file, place, count)).lines:
            seen += page.lines
            place = page.following
        assert seen == lines
        assert data[place:] == b"rest"


def test_a_place_within_a_line_shows_none_of_it() -> None:
    """Who could choose the place could else cut a secret in two, and be shown both halves."""
    with file_of(b"TOKEN=secret\nnext\n") as file:
        for place in range(1, 13):
            assert forward(file, place, 9).lines == [b"next"]
    with file_of(b"TOKEN=secret") as file:
        assert forward(file, 4, 9) == Page(4, [], 12, b"")


def test_lines_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logpages, "PAGE_BYTES", 10)
    with file_of(b"0123456789abcdefgh\nx\n") as file:
        assert forward(file, 0, 9) == Page(0, [b"0123456789"], 10, b"")
        assert forward(file, 10, 9) == Page(19, [], 19, b"")
        assert forward(file, 19, 9).lines == [b"x"]
    monkeypatch.setattr(logpages, "TAIL_BYTES", 8)
    monkeypatch.setattr(logpages, "_BLOCK", 4)
    with file_of(b"secret-that-is-long\n") as file:
        assert tail(file, 5) == Page(20, [], 20, b"")


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as made:
        made.truncate(10 * 1024**3)
        made.seek(0, os.SEEK_END)
        made.write(b"\nlast\n")
    file = os.open(tmp_path / "sparse", os.O_RDONLY)
    try:
        assert tail(file, 1).lines == [b"last"]
    finally:
        os.close(file)
