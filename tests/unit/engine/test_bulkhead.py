"""A lane takes no more threads than its share, and loses no job."""

from __future__ import annotations

import threading

from agenttower.engine.bulkhead import Bulkhead


def test_a_full_lane_parks_and_others_go_on() -> None:
    bulkhead = Bulkhead(1)
    release, done = threading.Event(), []
    started = threading.Event()
    thread = threading.Thread(
        target=lambda: bulkhead.run("stuck", 1, lambda: (started.set(), release.wait(30)))
    )
    thread.start()
    assert started.wait(30)
    bulkhead.run("stuck", 2, lambda: done.append("parked"))
    bulkhead.run("stuck", 2, lambda: done.append("doubled"))
    bulkhead.run("free", 3, lambda: done.append("free"))
    assert done == ["free"]
    release.set()
    thread.join(30)
    assert done == ["free", "parked"]


def test_a_job_that_raises_frees_its_place() -> None:
    bulkhead = Bulkhead(1)
    done: list[int] = []
    bulkhead.run("lane", 1, lambda: 1 / 0)
    bulkhead.run("lane", 2, lambda: done.append(2))
    assert done == [2]


def test_stopping_leaves_parked_jobs_alone() -> None:
    bulkhead = Bulkhead(1)
    done: list[int] = []

    def first() -> None:
        bulkhead.run("lane", 2, lambda: done.append(2))
        bulkhead.stop()

    bulkhead.run("lane", 1, first)
    assert done == []


def test_a_stuck_lane_gets_no_second_thread() -> None:
    moment = [0.0]
    bulkhead = Bulkhead(3, monotonic=lambda: moment[0])
    release, done = threading.Event(), []
    started = threading.Event()
    thread = threading.Thread(
        target=lambda: bulkhead.run("frozen", 1, lambda: (started.set(), release.wait(30)))
    )
    thread.start()
    assert started.wait(30)
    moment[0] = 2.0
    bulkhead.run("frozen", 2, lambda: done.append(2))
    bulkhead.run("frozen", 3, lambda: done.append(3))
    assert done == [], "parked behind the job that is overdue"
    release.set()
    thread.join(30)
    assert done == [2, 3], "and done once it has come back"
