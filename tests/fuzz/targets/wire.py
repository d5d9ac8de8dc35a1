"""Requests: raw lines, and lines made after the declarations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import Verbosity, given, settings
from hypothesis import strategies as st

from tests.fuzz.ground import Ground, open_ground
from tests.fuzz.oracle import Watch
from tests.fuzz.requests import Asked, known_to, requests
from tests.fuzz.targets.target import Feed, Target


@contextmanager
def lines() -> Iterator[Feed]:
    """The first byte says who asks, the others what."""
    with open_ground() as ground:
        watch = Watch(ground)

        def feed(data: bytes) -> None:
            anew(ground)
            watch.ask(data[1:].replace(b"\n", b" "), ground.callers[ord(data[:1] or b"\0") % 4])

        yield feed


@contextmanager
def conversations() -> Iterator[Feed]:
    """The bytes are Hypothesis's choices for a short conversation."""
    with open_ground() as ground:
        watch = Watch(ground)

        @settings(database=None, deadline=None, verbosity=Verbosity.quiet)
        @given(st.lists(requests(ground, known_to(ground)), min_size=1, max_size=6))
        def converse(conversation: list[Asked]) -> None:
            ground.start_again()
            for asked in conversation:
                watch.ask(asked.line, asked.caller)

        yield converse.hypothesis.fuzz_one_input  # type: ignore[attr-defined]


def anew(ground: Ground) -> None:
    """Each input meets the same tower; most have changed nothing."""
    if ground.has_changed():
        ground.start_again()


TARGETS = (
    Target("wire", "request lines: framing, gates, decoding, answers", lines, 8),
    Target("requests", "conversations after the declarations", conversations, 10, 8192, False),
)
