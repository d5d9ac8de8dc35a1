"""The question to tmux before a creation, when the handle or the bench fails meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agenttower.bench.registry import Benches
from agenttower.domain import retry
from agenttower.errors import DockerUnavailable, SessionNameConflict, TmuxUnavailable
from agenttower.services.managed.health_gate import HealthGate
from tests.model.fake_bench import FakeContainer, FakeProvider, World

BENCH = FakeContainer("a" * 64, "bench-a")
IMPATIENT = cast(Any, SimpleNamespace(monotonic=time.monotonic, until=lambda deadline: None))
"""The real time, but nobody waits until a deadline has passed."""
ROW = cast(Any, SimpleNamespace(id=BENCH.id, name=BENCH.name))


@pytest.fixture
def world(tmp_path: Path) -> World:
    container = FakeContainer(BENCH.id, BENCH.name)
    container.tmux.add_foreign("theirs")
    return World(IMPATIENT, tmp_path, [container])


@pytest.fixture
def benches(world: World) -> Iterator[Benches]:
    handles = Benches([FakeProvider(world)], "serve", "test")
    yield handles
    handles.close()


def test_a_handle_that_somebody_drops_in_between_is_opened_again(
    world: World, benches: Benches
) -> None:
    dropped: list[str] = []

    def drop_once(passage: str) -> None:
        if not dropped:
            dropped.append(passage)
            benches.drop(BENCH.id)

    world.passage = drop_once
    HealthGate(benches).refuse_foreign_session(ROW, "ours")
    assert dropped
    with pytest.raises(SessionNameConflict):
        HealthGate(benches).refuse_foreign_session(ROW, "theirs")


@pytest.mark.parametrize("trouble", ["tmux hangs", "handle lost twice"])
def test_a_bench_that_does_not_answer_is_told_plainly_and_worth_another_try(
    world: World, benches: Benches, trouble: str
) -> None:
    """Clients are told ``tmux_unavailable``; the step of a restart goes by what happened."""
    if trouble == "tmux hangs":
        world.stuck = "session_names"
    else:
        world.passage = lambda name: benches.drop(BENCH.id)
    with pytest.raises(TmuxUnavailable, match="bench-a does not answer") as raised:
        HealthGate(benches).refuse_foreign_session(ROW, "ours")
    assert raised.value.code == "tmux_unavailable"
    assert raised.value.error_class in retry.TRANSIENT
    assert TmuxUnavailable("x").error_class not in retry.TRANSIENT


def test_an_engine_that_is_gone_is_told_by_its_one_code(world: World, benches: Benches) -> None:
    world.docker_down = 1
    with pytest.raises(DockerUnavailable) as raised:
        HealthGate(benches).refuse_foreign_session(ROW, "ours")
    assert raised.value.code == "docker_unavailable"
