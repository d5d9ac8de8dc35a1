"""Scans that are joined, go on alone, and are remembered (app surface, section 12.2)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import msgspec
import pytest

from agenttower.errors import DockerUnavailable, ValidationFailed
from agenttower.services import background
from agenttower.services.background import Background
from agenttower.services.scans import KEPT, ScanRecord, Scans
from tests.support.waiting import wait_until


class Found(msgspec.Struct):
    scan_id: str


class Gate:
    """A scan of one kind that ends when it may."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.made: list[str] = []
        self.error: Exception | None = None

    def run(self, scan_id: str) -> Found:
        self.made.append(scan_id)
        assert self.open.wait(10)
        if self.error is not None:
            raise self.error
        return Found(scan_id)


class Rig:
    """Scans of both kinds, behind gates."""

    def __init__(self, in_flight: int = 4) -> None:
        self.containers, self.panes = Gate(), Gate()
        self.woken = threading.Semaphore(0)
        self.background = Background(lambda: None)
        self.scans = Scans(
            {"containers": self.containers.run, "panes": self.panes.run},
            self.background,
            itertools.count(1000).__next__,
            self.woken.release,
            in_flight=in_flight,
        )

    def ended(self, begun: ScanRecord) -> ScanRecord:
        assert self.woken.acquire(timeout=10)
        record = self.scans.show(begun.scan_id)
        assert record is not None
        return record

    def close(self) -> None:
        for gate in (self.containers, self.panes):
            gate.open.set()
        self.background.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


def test_a_kind_that_is_under_way_is_joined(rig: Rig) -> None:
    first, again = rig.scans.begin("panes"), rig.scans.begin("panes")
    other = rig.scans.begin("containers")
    assert first == again
    assert len(first.scan_id) == 32
    assert int(first.scan_id, 16) >> 76 & 0xF == 4  # the version of the uuid
    assert other.scan_id != first.scan_id
    assert (first.state, first.result, first.completed_at) == ("running", None, None)
    rig.panes.open.set()
    done = rig.ended(first)
    assert (done.state, done.result) == ("completed", {"scan_id": first.scan_id})
    assert done.completed_at is not None
    assert rig.panes.made == [first.scan_id]
    assert rig.scans.begin("panes").scan_id != first.scan_id


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DockerUnavailable("the engine is away"), "docker_unavailable"),
        (ZeroDivisionError("secret"), "internal_error"),
    ],
)
def test_a_failure_tells_code_and_message(rig: Rig, error: Exception, code: str) -> None:
    rig.containers.error = error
    rig.containers.open.set()
    done = rig.ended(rig.scans.begin("containers"))
    assert done.state == "failed"
    assert done.result is not None
    assert done.result["error"]["code"] == code
    assert done.result["scan_id"] == done.scan_id
    assert "secret" not in done.result["error"]["message"]


def test_too_many_in_flight() -> None:
    rig = Rig(in_flight=1)
    try:
        rig.scans.begin("panes")
        with pytest.raises(ValidationFailed) as caught:
            rig.scans.begin("containers")
        assert caught.value.details == {
            "field": "scan_kind",
            "reason": "too_many_scans_in_flight",
        }
        assert rig.scans.begin("panes").state == "running"
    finally:
        rig.close()


def test_the_last_hundred_stay_and_a_running_one_always(rig: Rig) -> None:
    rig.containers.open.set()
    running = rig.scans.begin("panes")
    done = [rig.ended(rig.scans.begin("containers")) for _ in range(KEPT)]
    assert rig.scans.show(running.scan_id) is not None
    assert rig.scans.show(done[0].scan_id) is None
    assert all(rig.scans.show(record.scan_id) for record in done[1:])
    assert rig.scans.show("nobody") is None


def test_after_the_end_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE_S", 0.01)
    rig = Rig()
    begun = rig.scans.begin("panes")
    rig.background.close()  # does not wait for what hangs
    with pytest.raises(ValidationFailed):
        rig.scans.begin("containers")
    rig.panes.open.set()
    assert rig.ended(begun).state == "completed"
    wait_until(lambda: not rig.background._running, 5, "the thread to end")
