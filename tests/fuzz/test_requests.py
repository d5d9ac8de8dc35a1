"""Requests of every method, from everybody, to the real services in this process."""

from __future__ import annotations

import gc
import os
import subprocess
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttower.protocol.catalog import declarations
from tests.fuzz.ground import HOST, Ground
from tests.fuzz.lines import GOOD, HOSTILE, lines
from tests.fuzz.oracle import Watch
from tests.fuzz.requests import Asked, known_to, requests

FUZZ = settings.get_profile("fuzz")
GROWTH = 400_000
"""Bytes that a thousand requests may leave behind: caches of compiled queries and the like."""


def test_requests_of_every_kind(ground: Ground) -> None:
    """Each example is a short conversation with a tower that begins anew."""
    watch = Watch(ground)

    @settings(FUZZ, max_examples=180)
    @given(st.lists(requests(ground, known_to(ground)), min_size=1, max_size=8))
    def converse(conversation: list[Asked]) -> None:
        ground.start_again()
        for asked in conversation:
            watch.ask(asked.line, asked.caller)

    before = side_effects(ground)
    converse()
    assert side_effects(ground) == before


def test_lines_that_were_never_meant(ground: Ground) -> None:
    watch = Watch(ground)

    @settings(FUZZ, max_examples=500)
    @given(lines, st.sampled_from(ground.callers))
    def refuse(line: bytes, caller: object) -> None:
        watch.ask(line, caller)

    ground.start_again()
    refuse()


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_known_hostile_lines(ground: Ground, line: bytes) -> None:
    Watch(ground).ask(line, HOST)


def test_memory_is_flat(ground: Ground) -> None:
    def round_trip(times: int) -> None:
        for number in range(times):
            ground.ask(GOOD[number % len(GOOD)])
            ground.ask(HOSTILE[number % len(HOSTILE)])

    round_trip(400)  # whatever is cached is cached now
    tracemalloc.start()
    try:
        round_trip(50)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        round_trip(500)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < GROWTH


def test_every_method_is_asked_for(ground: Ground) -> None:
    assert set(ground.methods) == set(declarations()) - {"shutdown"}


def side_effects(ground: Ground) -> tuple[int, int, bytes]:
    """Threads, descriptors, and what tmux has."""
    socket = ground.home.paths.local_tmux_socket
    panes = subprocess.run(
        ["tmux", "-S", str(socket), "list-panes", "-a", "-F", "#{session_name} #{pane_id}"],
        check=True,
        capture_output=True,
    )
    return threading.active_count(), len(os.listdir("/proc/self/fd")), panes.stdout
