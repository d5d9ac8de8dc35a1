"""The tables of requests and envelopes, over the real socket of real towers with real benches.

Each answer is held against the published schema with every object closed; of a refusal the code and
the exact keys of its details are compared.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest

from agenttower.protocol.catalog import declarations
from agenttower.protocol.schema import TOKEN
from tests.conformance.contract import check_answer, check_line_refusal
from tests.conformance.row import Row
from tests.conformance.rows_older import IDLE_S, silent_engine
from tests.conformance.scene import UNPRIVILEGED, Engine, Lonely, Scene
from tests.conformance.tables import AT_THE_END, LINES, ROWS, WAITING_AT_THE_END
from tests.support.docker import BenchFactory, DockerEngine
from tests.support.module_tower import bench_factory, state_home
from tests.support.state_home import StateHome, make_state_home
from tests.support.tower import Tower
from tests.support.waiting import wait_until

__all__ = ["bench_factory", "state_home"]


@pytest.fixture(scope="module")
def tower(state_home: StateHome, bench_factory: BenchFactory) -> Iterator[Tower]:
    running = Tower(state_home)
    running.environ["DOCKER_HOST"] = bench_factory.engine.url
    running.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = bench_factory.name_rule
    idle = "AGENTTOWER_EVENTS_FOLLOW_SESSION_IDLE_TIMEOUT_SECONDS"
    running.environ[idle] = str(IDLE_S)
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def scene(tower: Tower, bench_factory: BenchFactory) -> Scene:
    return Scene(tower, bench_factory)


@pytest.fixture(scope="module")
def lonely(docker_engine: DockerEngine) -> Iterator[Lonely]:
    """A front end without a worker, before an engine that can be made to fail."""
    with make_state_home() as home:
        factory = BenchFactory(docker_engine, f"at{home.root.name[3:].lower()}")
        engine = Engine(home.root / "engine.sock", docker_engine.url)
        running = Tower(home)
        running.prefix = UNPRIVILEGED
        running.environ["DOCKER_HOST"] = engine.url
        running.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = factory.name_rule
        try:
            running.start("serve")
            yield Lonely(running, factory, engine)
        finally:
            running.close()
            factory.remove_all()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row(request: pytest.FixtureRequest, row: Row) -> None:
    place = request.getfixturevalue(row.where)
    during = nullcontext() if row.during is None else row.during(place)
    params = row.given(place)
    declared = declarations().get(row.method)
    if declared is not None and declared.session:
        params = {TOKEN: place.token} | params
    with during:
        ask = place.from_bench if row.asks == "bench" else place.tower.call
        answer = ask(row.method, params)
    fits(row, answer)


def fits(row: Row, answer: dict[str, Any]) -> None:
    """The answer is the one that the row expects, and the one that is published."""
    check_answer(row.method, answer)
    if row.code is None:
        assert answer["ok"] is True, answer
        return
    assert answer["ok"] is False, answer
    error = answer["error"]
    assert (error["code"], set(error.get("details", {}))) == (row.code, row.details), answer


@pytest.mark.parametrize(("namespace", "line", "code", "details"), LINES)
def test_line(tower: Tower, namespace: str, line: bytes, code: str, details: str) -> None:
    answer = tower.call_raw(line)
    check_line_refusal(namespace, answer)
    error = answer["error"]
    assert (error["code"], set(error.get("details", {}))) == (code, set(details.split()))


def test_what_is_waited_for_when_it_stops(lonely: Lonely) -> None:
    """It ends the front end that has no worker."""
    row = WAITING_AT_THE_END
    with silent_engine(lonely), Begun(lonely.tower, row, token=lonely.token) as begun:
        begun.send()
        asked = {TOKEN: lonely.token, "wait": False}
        # It joins the one that is asked for.
        scan_id = lonely.tower.result(row.method, asked)["scan_id"]
        assert lonely.tower.result("shutdown") == {"shutting_down": True}
        answer = begun.answer()
    fits(row, answer)
    assert answer["error"]["details"]["scan_id"] == scan_id
    lonely.tower.processes.pop("serve").wait(20)


def test_what_is_asked_while_it_stops(tower: Tower) -> None:
    """Last in this file: it ends the tower."""
    stop, *others = AT_THE_END
    with ExitStack() as stack:
        begun = [stack.enter_context(Begun(tower, row)) for row in others]
        fits(stop, tower.call(stop.method))
        wait_until(lambda: not listens(tower), 10, "nobody to be let in")
        for one in begun:
            one.send()
            fits(one.row, one.answer())
    tower.processes.pop("serve").wait(20)


class Begun:
    """A request of which the daemon has had the first bytes."""

    def __init__(self, tower: Tower, row: Row, token: str = "") -> None:
        self.row = row
        params = row.given(tower) | ({TOKEN: token} if token else {})
        line = json.dumps({"method": row.method, "params": params}).encode() + b"\n"
        self._begin, self._rest = line[:20], line[20:]
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(20)
        self._connection.connect(str(tower.socket_path))
        self._connection.sendall(self._begin)

    def __enter__(self) -> Begun:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self) -> None:
        """Send the rest."""
        self._connection.sendall(self._rest)

    def answer(self) -> dict[str, Any]:
        with self._connection.makefile("rb") as lines:
            answer = json.loads(lines.readline())
        assert isinstance(answer, dict)
        return answer


def listens(tower: Tower) -> bool:
    """Whether somebody is let in."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(tower.socket_path))
        except OSError:
            return False
    return True
