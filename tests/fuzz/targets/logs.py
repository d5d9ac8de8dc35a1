"""Logs, a piece at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from agenttower.bench import logpages
from agenttower.domain.records import is_cut_inside, split_records
from tests.fuzz.targets.target import Feed, Target, pure

_CAP = 64


def records(data: bytes) -> None:
    """Records lie one behind the other, and do not depend on how much is read at once."""
    whole = list(split_records(data, 0, _CAP, continued=False))
    place = 0
    for record in whole:
        assert record.start == place < record.end
        assert record.end - record.start <= _CAP
        assert "\n" not in record.text
        place = record.end
    assert b"\n" not in data[place:]
    assert len(data) - place < _CAP
    again, place = [], 0
    while True:  # a reader that takes little at once
        inside = is_cut_inside(data[place - 1 : place]) if place else False
        page = list(split_records(data[place : place + _CAP], place, _CAP, continued=inside))
        if not page:
            break
        again += page[:1]
        place = page[0].end
    assert again == whole


@contextmanager
def pages() -> Iterator[Feed]:
    """Pages of a log are whole lines, from its end and from any place."""
    with tempfile.TemporaryFile() as file:

        def feed(data: bytes) -> None:
            wanted, place, log = data[0:1], data[1:2], data[2:]
            file.seek(0)
            file.truncate()
            file.write(log)
            file.flush()
            lines = ord(wanted or b"\0") % 20
            last = logpages.tail(file.fileno(), lines)
            assert last.lines == (log.split(b"\n")[:-1][-lines:] if lines else [])
            assert log[last.following :] == last.rest
            offset = min(ord(place or b"\0"), len(log))
            page = logpages.forward(file.fileno(), offset, lines)
            assert page.start >= offset
            if page.lines:  # else what is left of a line has been passed over
                whole = b"".join(line + b"\n" for line in page.lines)
                assert whole == log[page.start : page.following]
            assert len(page.lines) <= lines

        yield feed


TARGETS = (
    pure("records", "from the bytes of a log to records", records, 2),
    Target("pages", "pages of a log", pages),
)
