"""Boxes: a container, its provider and an open handle, on both tmux versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.bench.docker_provider import DockerProvider
from agenttower.bench.tmux_bench import TmuxBench
from tests.support.bench_box import Box
from tests.support.docker import BenchFactory


class LockingProvider(DockerProvider):
    """Its handles respect each other, as those of one instance's processes do."""

    def __init__(self, url: str, locks: Path) -> None:
        super().__init__(url)
        self._locks = locks

    def open(
        self,
        bench_id: str,
        role: str = "worker",
        instance: str = "",
        lock_dir: Path | None = None,
    ) -> TmuxBench:
        return super().open(bench_id, role, instance, lock_dir or self._locks)


@pytest.fixture
def make_box(
    bench_factory: BenchFactory, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Box]]:
    """Makes boxes; all are closed at the end."""
    boxes: list[Box] = []
    locks = tmp_path_factory.mktemp("locks")

    def make(image: str = "bookworm", **settings: Any) -> Box:
        mounts = {str(tmp_path): str(tmp_path), **settings.pop("mounts", {})}
        container = bench_factory(image=image, mounts=mounts, **settings)
        url = bench_factory.engine.url
        provider = LockingProvider(url, locks)
        box = Box(container, provider, provider.open(str(container.id)), url, tmp_path)
        boxes.append(box)
        return box

    yield make
    for box in boxes:
        box.bench.close()
        box.provider.close()


@pytest.fixture(params=["bookworm", "trixie"])
def box(request: pytest.FixtureRequest, make_box: Callable[..., Box]) -> Box:
    """A box on each tmux version that is supported by test."""
    return make_box(request.param)
