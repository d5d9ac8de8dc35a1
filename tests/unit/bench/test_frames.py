"""The engine's framing of stdout and stderr."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agenttower.bench.frames import KEPT_ERROR_BYTES, Demultiplexer


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_streams_are_told_apart_wherever_they_are_cut(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    wire = b"".join(frame(stream, data) for stream, data in frames)
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    splitter = Demultiplexer()
    output = b"".join(splitter.feed(wire[start:end]) for start, end in pairwise(edges))
    assert output == b"".join(data for stream, data in frames if stream == 1)
    errors = b"".join(data for stream, data in frames if stream == 2)
    assert splitter.error_text() == errors.decode("utf-8", "replace").strip()


def test_plain_text_instead_of_frames_is_an_error_text() -> None:
    splitter = Demultiplexer()
    assert splitter.feed(frame(1, b"ok") + b"OCI runtime exec failed: ") == b"ok"
    assert splitter.feed(b"\x01\x00\x00\x00no such file") == b""
    assert splitter.error_text().startswith("OCI runtime exec failed")
    assert splitter.error_text().endswith("no such file")


def test_only_the_end_of_a_long_error_is_kept() -> None:
    splitter = Demultiplexer()
    splitter.feed(frame(2, b"x" * 100_000 + b"end"))
    assert len(splitter.error_text()) == KEPT_ERROR_BYTES
    assert splitter.error_text().endswith("end")
