"""Fixtures: a real Docker engine, benches, a home of its own for each test, and a running tower."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from agenttower.demo.engine import private_engine_obstacle
from tests.support.docker import (
    ENGINE_VARIABLE,
    BenchFactory,
    DockerEngine,
    named_engine,
    open_engine,
)
from tests.support.state_home import StateHome, make_state_home
from tests.support.tower import Tower

MOST_ROWS = 50
"""Longer lists take too long to look at; what is in them is in shorter ones too."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _heed_signals()
    Tower.look_at = look_at_answer
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        _share_engine(config)


def look_at_answer(method: str, answer: dict[str, Any]) -> None:
    """Whatever a test is answered must be as it is published; of lists only short ones are read."""
    from tests.conformance.contract import check_answer

    rows = [part for part in answer.get("result", {}).values() if isinstance(part, list)]
    if all(len(part) <= MOST_ROWS for part in rows):
        check_answer(method, answer)


def _share_engine(config: pytest.Config) -> None:
    """Start one engine for all processes of a parallel run; where none can be started, each test
    that wants one says why."""
    if named_engine() is None and private_engine_obstacle() is None:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        engine = stack.enter_context(open_engine())
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(ENGINE_VARIABLE, engine.url)


def _heed_signals() -> None:
    """What starts this in the background (a shell, nohup) lets it ignore signals, and so its
    children, some of which are sent them by tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs an engine, so that ``-m 'not docker'`` means what it says."""
    for item in items:
        if "docker_engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said beside a failure."""
    report = yield
    tower = getattr(item, "funcargs", {}).get("tower")
    if report.when == "call" and report.failed and isinstance(tower, Tower):
        report.sections.append(("what the tower said", tower.logs()))
    return report


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A real engine: of AGENTTOWER_TEST_DOCKER_HOST, of DOCKER_HOST, or a private one."""
    with open_engine() as engine:
        yield engine


@pytest.fixture
def run_prefix() -> str:
    """Begins the names of this test's containers; no other test's, also on a shared engine."""
    return f"at{secrets.token_hex(4)}"


@pytest.fixture
def state_home() -> Iterator[StateHome]:
    """A fresh home; its environment names an engine that is not there."""
    with make_state_home() as home:
        yield home


@pytest.fixture
def bench_factory(
    docker_engine: DockerEngine,
    run_prefix: str,
    state_home: StateHome,  # outlives the benches that mount it
) -> Iterator[BenchFactory]:
    """Starts benches, see :class:`BenchFactory`; all are removed at the end."""
    factory = BenchFactory(docker_engine, run_prefix)
    try:
        yield factory
    finally:
        factory.remove_all()


@pytest.fixture
def tower(
    request: pytest.FixtureRequest, state_home: StateHome, run_prefix: str
) -> Iterator[Tower]:
    """``serve`` and ``worker``, running. They see an engine only if the test uses one, and of its
    containers only the benches of this test."""
    running = Tower(state_home)
    if "docker_engine" in request.fixturenames:
        factory: BenchFactory = request.getfixturevalue("bench_factory")
        running.environ["DOCKER_HOST"] = factory.engine.url
        running.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = factory.name_rule
    try:
        running.start()
        yield running
    finally:
        running.close()
