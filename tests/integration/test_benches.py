"""Finding benches through the front end, and hearing of what happens to them."""

from __future__ import annotations

from typing import Any

from tests.support.docker import BenchFactory
from tests.support.layouts import refusal
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def known(tower: Tower) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in tower.result("list_containers")["containers"]}


def test_a_scan_finds_benches_by_name_and_leaves_others(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_factory(user="bench")
    bench_factory(name="unrelated")
    scan = tower.result("scan_containers")
    assert scan["status"] == "ok"
    assert scan["matched_count"] == 1
    assert scan["ignored_count"] >= 1
    row = known(tower)[bench.id]
    assert (row["name"], row["active"], row["status"]) == (bench.name, True, "running")
    assert row["config_user"] == "bench"
    assert set(known(tower)) == {bench.id}


def test_the_engine_tells_at_once(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_factory()
    wait_until(lambda: bench.id in known(tower), 10, "a started bench to be known without a scan")
    bench.kill()
    wait_until(lambda: not known(tower)[bench.id]["active"], 10, "the stop to be known")
    params = {"container_id": bench.id, "template_name": "1m+2s", "tmux_session_name": "w"}
    assert refusal(tower, "managed.layout.create", params)["code"] == "container_inactive"
    bench.start()
    wait_until(lambda: known(tower)[bench.id]["active"], 10, "the start to be known")
    bench.remove(force=True)
    wait_until(lambda: not known(tower)[bench.id]["active"], 10, "the removal to be known")


def test_an_engine_that_is_not_there(tower: Tower) -> None:
    error = refusal(tower, "scan_containers", {})
    assert error["code"] == "docker_unavailable"
    assert tower.result("list_containers")["containers"] == []


def test_unknown_containers_are_refused_with_a_way_out(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench_factory()
    params = {"container_id": "nobody", "template_name": "1m+2s", "tmux_session_name": "w"}
    error = refusal(tower, "managed.layout.create", params)
    assert error["code"] == "container_not_found"
    assert error["details"] == {"container_id": "nobody"}
    assert "agenttower scan" in error["message"]
