"""A home, benches and a running tower that all tests of one module share.

A module takes them by name, in place of the ones of each test (``tests/conftest.py``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.docker import BenchFactory, DockerEngine
from tests.support.state_home import StateHome, make_state_home
from tests.support.tower import Tower


@pytest.fixture(scope="module")
def state_home() -> Iterator[StateHome]:
    with make_state_home() as home:
        yield home


@pytest.fixture(scope="module")
def bench_factory(docker_engine: DockerEngine, state_home: StateHome) -> Iterator[BenchFactory]:
    factory = BenchFactory(docker_engine, f"at{os.urandom(4).hex()}")
    try:
        yield factory
    finally:
        factory.remove_all()


@pytest.fixture(scope="module")
def tower(state_home: StateHome, bench_factory: BenchFactory) -> Iterator[Tower]:
    running = Tower(state_home)
    running.environ["DOCKER_HOST"] = bench_factory.engine.url
    running.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = bench_factory.name_rule
    try:
        running.start()
        yield running
    finally:
        running.close()
