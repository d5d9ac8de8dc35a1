"""Control-mode framing, from bytes that tmux has really sent or a pane could make it send."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.bench import protocol
from agenttower.bench.protocol import Block, Parser, ProtocolViolation

STREAM = (
    b"%begin 1790000000 1 0\n%end 1790000000 1 0\n"
    b"%session-changed $0 agenttower-ctl\n"
    b"%begin 1790000001 7 1\nfirst\n\nlast\n%end 1790000001 7 1\n"
    b"%window-add @3\n"
    b"%begin 1790000001 8 0\nsaid by a hook\n%end 1790000001 8 0\n"
    b"%begin 1790000001 9 1\ncan't find pane: %99\n%error 1790000001 9 1\n"
    b"%begin 1790000002 10 1\n"
    b"%end 1790000002 9 1\n%error 1 2 1\n%begin 1 2 1\n%exit\n%end 1790000002 10 1 \n"
    b"%end 1790000002 10 1\n"
)
BLOCKS = [
    Block(True, False, ""),
    Block(True, True, "first\n\nlast"),
    Block(True, False, "said by a hook"),
    Block(False, True, "can't find pane: %99"),
    Block(
        True, True,
        "%end 1790000002 9 1\n%error 1 2 1\n%begin 1 2 1\n%exit\n%end 1790000002 10 1 ",
    ),
]  # fmt: skip


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: list[int]) -> None:
    parser = Parser()
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(edges):
        parser.feed(STREAM[start:end])
    assert list(parser.blocks) == BLOCKS
    assert parser.exit_reason is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"%exit\n", ""), (b"%exit server exited unexpectedly\n", "server exited unexpectedly")],
)
def test_the_end_is_told_with_its_reason(line: bytes, reason: str) -> None:
    parser = Parser()
    parser.feed(line)
    assert parser.exit_reason == reason


def test_notifications_that_only_look_alike_are_dropped() -> None:
    parser = Parser()
    parser.feed(b"%exited\n%beginning\n%end 1 1 1\n%output %1 %begin 1 1 1\ntext\n\n")
    assert not parser.blocks
    assert parser.exit_reason is None


def test_bytes_that_are_no_text_do_no_harm() -> None:
    parser = Parser()
    parser.feed(b"%begin 1 1 1\n\xff\xfe\n%end 1 1 1\n")
    assert parser.blocks[0].body == "\ufffd\ufffd"


@pytest.mark.parametrize("endless", [b"x" * 100, b"%begin 1 1 1\n" + b"x\n" * 50, b"x" * 40])
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, endless: bytes) -> None:
    monkeypatch.setattr(protocol, "MAX_REPLY_BYTES", 64)
    parser = Parser()

    def feed_for_ever() -> None:
        while True:
            parser.feed(endless)

    with pytest.raises(ProtocolViolation, match="too long"):
        feed_for_ever()
