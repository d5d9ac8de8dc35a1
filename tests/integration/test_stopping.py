"""Stopping politely in the middle of work, and going on afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.support.docker import BenchFactory
from tests.support.layouts import bench_with_logs, create, our_panes, settled, write_template
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def test_a_worker_stopped_in_the_middle_goes_on_where_it_was(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_template(tower, "many", [{}] * 10)
    layout_id = create(tower, bench, "many")["layout_id"]
    wait_until(lambda: len(our_panes(bench)) >= 2, 20, "the first panes")
    tower.stop("worker")
    tower.start("worker")
    detail = settled(tower, layout_id)
    assert detail["state"] == "ready", detail
    assert len(our_panes(bench)) == 10
    assert {stage["attempts"] for pane in detail["panes"] for stage in pane["stages"].values()} == {
        1
    }, "a polite stop costs no attempt"


def test_the_front_end_may_be_restarted_while_a_layout_is_built(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout_id = create(tower, bench)["layout_id"]
    tower.stop("serve")
    tower.start("serve")
    assert settled(tower, layout_id)["state"] == "ready"


def test_one_key_asked_for_by_many_at_once_makes_one_layout(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda _: create(tower, bench, idempotency_key="one"), range(12)))
    assert len({result["layout_id"] for result in results}) == 1
    assert [result["replay"] for result in results].count(False) == 1
    settled(tower, results[0]["layout_id"])
    assert len(our_panes(bench)) == 3
