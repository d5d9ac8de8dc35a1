"""Who waits for a scan or for an engine, and for how long (app surface, sections 10 to 12)."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from agenttower.protocol.app.scans import ScanKind
from agenttower.rpc.app.scans import WAIT_S
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.method import Pending
from agenttower.rpc.methods import method_table
from agenttower.services.caller import Caller
from agenttower.services.engine_probe import ANSWER_S
from agenttower.services.scans import ScanRecord
from tests.support.rpc_server import FakeServices, decoded

HOST = Caller("host", uid=1000)


class FakeScans:
    """One scan, which is as the test says."""

    def __init__(self) -> None:
        self.record = ScanRecord("a" * 32, "panes", 5_000_999)
        self.begun: list[ScanKind] = []

    def begin(self, kind: ScanKind) -> ScanRecord:
        self.begun.append(kind)
        return self.record

    def show(self, scan_id: str) -> ScanRecord | None:
        return self.record if scan_id == self.record.scan_id else None

    def end(self) -> None:
        self.record = replace(
            self.record, state="completed", completed_at=7_000_001, result={"found": 3}
        )


class FakeOverview:
    """Readiness and dashboard; ``found`` is ``None`` while the engine thinks."""

    def __init__(self) -> None:
        self.found: dict[str, Any] | None = {"state": "ready"}

    def readiness(self, asked_at: float, *, final: bool) -> dict[str, Any] | None:
        return {"state": "degraded"} if final and self.found is None else self.found

    def dashboard(
        self, recent_limit: int, asked_at: float, *, final: bool
    ) -> dict[str, Any] | None:
        return self.readiness(asked_at, final=final)


class Daemon:
    def __init__(self) -> None:
        services = FakeServices()
        services.scans = self.scans = FakeScans()
        services.readiness = services.dashboard = self.overview = FakeOverview()
        self._dispatcher = Dispatcher(method_table(services), services.resolve_container)
        self.token = ""
        self.token = self.ask("app.hello")["result"]["app_session_token"]

    def job(self, method: str, **params: Any) -> Job:
        request = {"method": method, "params": {"app_session_token": self.token, **params}}
        job = self._dispatcher.accept(msgspec.json.encode(request))
        assert isinstance(job, Job)
        return job

    def run(self, job: Job, *, final: bool = False) -> Answer | Pending:
        return self._dispatcher.run(job, lambda: HOST, final=final)

    def ask(self, method: str, *, late_s: float = 0.0, **params: Any) -> dict[str, Any]:
        """:param late_s: so long ago the request came."""
        job = self.job(method, **params)
        job.asked_at -= late_s
        outcome = self.run(job)
        assert isinstance(outcome, Answer)
        return decoded(outcome.line)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


def test_who_waits_is_parked_and_told_at_the_end(daemon: Daemon) -> None:
    job = daemon.job("app.scan.panes")
    outcome = daemon.run(job)
    assert isinstance(outcome, Pending)
    assert WAIT_S - 5 < outcome.until - time.monotonic() <= WAIT_S
    assert isinstance(daemon.run(job), Pending)
    daemon.scans.end()
    answer = daemon.run(job)
    assert isinstance(answer, Answer)
    assert decoded(answer.line)["result"] == {
        "scan_id": "a" * 32,
        "state": "completed",
        "result": {"found": 3},
    }
    assert daemon.scans.begun == ["panes"]  # run again, not begun again


def test_after_thirty_seconds_it_goes_on_alone(daemon: Daemon) -> None:
    job = daemon.job("app.scan.containers", wait=True)
    assert isinstance(daemon.run(job), Pending)
    answer = daemon.run(job, final=True)
    assert isinstance(answer, Answer)
    error = decoded(answer.line)["error"]
    assert (error["code"], error["details"]) == ("scan_timeout", {"scan_id": "a" * 32})
    assert daemon.ask("app.scan.status", scan_id="a" * 32)["result"] == {
        "state": "running",
        "scan_kind": "panes",
        "started_at": 5000,
        "completed_at": None,
        "result": None,
    }


def test_who_does_not_wait_is_told_that_it_runs(daemon: Daemon) -> None:
    daemon.scans.end()  # between beginning and answering
    answer = daemon.ask("app.scan.containers", wait=False)
    assert answer["result"] == {"scan_id": "a" * 32, "state": "running"}
    status = daemon.ask("app.scan.status", scan_id="a" * 32)["result"]
    assert (status["completed_at"], status["result"]) == (7000, {"found": 3})


@pytest.mark.parametrize("wait", [0, 1, "true", None, [], 1.0])
def test_wait_is_a_boolean(daemon: Daemon, wait: Any) -> None:
    error = daemon.ask("app.scan.panes", wait=wait)["error"]
    assert error["details"] == {"field": "wait", "reason": "wrong type"}
    assert daemon.scans.begun == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [({}, "missing"), ({"scan_id": ""}, "must not be empty"), ({"scan_id": 5}, "must be a string")],
)
def test_status_needs_an_id(daemon: Daemon, given: dict[str, Any], reason: str) -> None:
    error = daemon.ask("app.scan.status", **given)["error"]
    assert (error["code"], error["details"]) == (
        "validation_failed",
        {"field": "scan_id", "reason": reason},
    )


def test_an_unknown_scan(daemon: Daemon) -> None:
    error = daemon.ask("app.scan.status", scan_id="x" * 700)["error"]
    assert (error["code"], error["details"]) == ("scan_not_found", {"scan_id": "x" * 700})


@pytest.mark.parametrize(
    ("given", "reason"),
    [(0, "out of bounds [1,50]"), (51, "out of bounds [1,50]"), (-1, "out of bounds [1,50]"),
     (True, "must be an integer"), ("5", "must be an integer"), (5.0, "must be an integer"),
     (None, "must be an integer"), (2**70, "out of bounds [1,50]")],
)  # fmt: skip
def test_recent_limit(daemon: Daemon, given: Any, reason: str) -> None:
    error = daemon.ask("app.dashboard", recent_limit=given)["error"]
    assert (error["code"], error["details"]) == (
        "validation_failed",
        {"field": "recent_limit", "reason": reason},
    )


@pytest.mark.parametrize("method", ["app.readiness", "app.dashboard"])
def test_an_engine_that_thinks_is_waited_for_without_a_thread(daemon: Daemon, method: str) -> None:
    daemon.overview.found = None
    job = daemon.job(method)
    outcome = daemon.run(job)
    assert isinstance(outcome, Pending)
    assert outcome.until == job.asked_at + ANSWER_S
    answer = daemon.run(job, final=True)
    assert isinstance(answer, Answer)
    assert decoded(answer.line)["result"] == {"state": "degraded"}


def test_a_slow_dashboard_is_answered_and_told(
    daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.ask("app.readiness", late_s=0.9)
    assert caplog.messages == []
    assert daemon.ask("app.dashboard", late_s=0.9)["ok"]
    (told,) = caplog.messages
    assert re.fullmatch(r"app_dashboard_latency_exceeded latency_ms=\d+ budget_ms=500", told)
