"""kill -9 while a log is attached, detached or given up: a pipe has a row, and a row a pipe."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.crash.matrix import MOMENTS
from tests.support import module_tower
from tests.support.adopted import Adopted, adopt, rows
from tests.support.docker import BenchFactory
from tests.support.tower import Tower
from tests.support.waiting import wait_until

state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work").resolve()


@pytest.fixture(scope="module")
def bench(tower: Tower, bench_factory: BenchFactory, work: Path) -> Container:
    logs = tower.home.paths.logs_dir
    container = bench_factory(mounts={logs: str(logs), work: "/work"})
    tower.result("scan_containers")
    return container


@pytest.fixture
def agent(tower: Tower, bench: Container) -> Adopted:
    return adopt(tower, bench)


def killed_at_each_moment(
    tower: Tower, stage: str, agent: Adopted, method: str, **params: Any
) -> dict[str, Any]:
    """The reply to a request whose step was killed at each of its moments, one after the other."""
    tower.stop("worker")
    with ThreadPoolExecutor(1) as client:
        with suppress(AssertionError):
            tower.start("worker", environ={"AGENTTOWER_CRASH_AT": f"{stage}.{MOMENTS[0]}"})
        answer = client.submit(
            lambda: tower.call(method, {"agent_id": agent.agent_id, **params}, timeout_s=60)
        )
        for following in (*MOMENTS[1:], None):
            tower.wait_killed("worker")
            with suppress(AssertionError):
                point = {"AGENTTOWER_CRASH_AT": f"{stage}.{following}"} if following else {}
                tower.start("worker", environ=point)
        return answer.result(60)


def statuses(agent: Adopted) -> list[str]:
    found = rows(
        agent.tower,
        "SELECT status FROM log_attachment WHERE agent_id = ? ORDER BY created_at",
        agent.agent_id,
    )
    return [row[0] for row in found]


def audits(agent: Adopted) -> int:
    [(count,)] = rows(
        agent.tower,
        "SELECT count(*) FROM event WHERE event_type = 'log_attachment_change'"
        " AND json_extract(payload, '$.agent_id') = ?",
        agent.agent_id,
    )
    return int(count)


def test_attach(tower: Tower, agent: Adopted) -> None:
    reply = killed_at_each_moment(tower, "agent_log_attach", agent, "attach_log")
    assert reply["ok"], reply
    assert statuses(agent) == ["active"]
    assert audits(agent) == 1
    agent.type("x")
    path = Path(reply["result"]["log_path"])
    wait_until(lambda: path.read_bytes() == b"x\r\nx\r\n", 10, "its output, once")


def test_detach(tower: Tower, agent: Adopted) -> None:
    agent.result("attach_log")
    reply = killed_at_each_moment(tower, "agent_log_detach", agent, "detach_log")
    assert reply["ok"], reply
    assert statuses(agent) == ["detached"]
    assert audits(agent) == 2
    assert not agent.piped


def test_give_up(tower: Tower, agent: Adopted, work: Path) -> None:
    """The row is refused after the pipe was made: the pipe must end all the same."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        database.executescript(
            "CREATE TRIGGER refused BEFORE INSERT ON log_attachment"
            f" WHEN NEW.agent_id = '{agent.agent_id}'"
            " BEGIN SELECT RAISE(ABORT, 'refused by the test'); END;"
        )
    reply = killed_at_each_moment(
        tower, "agent_log_undo", agent, "attach_log", log_path="/work/x.log"
    )
    assert reply["error"]["code"] == "internal_error"
    assert statuses(agent) == []
    assert audits(agent) == 0
    assert not agent.piped
    # The next request finds its way free.
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        database.execute("DROP TRIGGER refused")
    agent.result("attach_log", log_path="/work/x.log")
