"""Gates, preflight, hello and sessions of ``app.*`` (app surface, sections 3, 5 and 9)."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from agenttower.protocol.app.errors import ERRORS
from agenttower.rpc.app.sessions import CAP, IDLE_S, AppSessions
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.methods import method_table
from agenttower.services.caller import Caller
from tests.support.rpc_server import FakeServices, decoded

HOST = Caller("host", uid=1000)
BENCH = Caller("bench", "a" * 64)
UNKNOWN = Caller("unknown")


class Daemon:
    """A dispatcher over fake services."""

    def __init__(self) -> None:
        services = FakeServices()
        self._dispatcher = Dispatcher(method_table(services), services.resolve_container)

    def ask(
        self, method: str, params: Any = None, caller: Caller = HOST, *, final: bool = False
    ) -> dict[str, Any]:
        request = {"method": method} if params is None else {"method": method, "params": params}
        job = self._dispatcher.accept(msgspec.json.encode(request))
        assert isinstance(job, Job)
        outcome = self._dispatcher.run(job, lambda: caller, final=final)
        assert isinstance(outcome, Answer)
        return decoded(outcome.line)

    def hello(self, **params: Any) -> dict[str, Any]:
        return dict(self.ask("app.hello", params)["result"])


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


def refused(answer: dict[str, Any], code: str, **details: Any) -> None:
    """The answer is this refusal, in the envelope of the namespace."""
    assert answer["ok"] is False
    assert answer["app_contract_version"] == "1.1"
    error = answer["error"]
    assert error["message"]
    assert (error["code"], error["details"]) == (code, details)
    msgspec.convert(error["details"], ERRORS[code])


def test_preflight_needs_nothing(daemon: Daemon) -> None:
    assert daemon.ask("app.preflight", {"x": 1}) == {
        "ok": True,
        "app_contract_version": "1.1",
        "result": {"socket_reachable": True, "daemon_reachable": True, "code": "ok"},
    }


def test_a_stopping_daemon_answers_preflight_and_nothing_else(daemon: Daemon) -> None:
    assert daemon.ask("app.preflight", final=True)["result"] == {
        "socket_reachable": True,
        "daemon_reachable": False,
        "code": "daemon_unavailable",
    }
    refused(daemon.ask("app.hello", final=True), "internal_error", reason="shutting_down")


@pytest.mark.parametrize("caller", [BENCH, UNKNOWN])
@pytest.mark.parametrize("method", ["app.preflight", "app.hello", "app.readiness", "app.nonsense"])
@pytest.mark.parametrize("params", [None, {}, 5, {"client_app_contract_major": 7}])
def test_benches_cannot_even_learn_which_names_exist(
    daemon: Daemon, caller: Caller, method: str, params: Any
) -> None:
    refused(daemon.ask(method, params, caller), "host_only")


@pytest.mark.parametrize("params", [None, {}, 5, {"app_session_token": "x"}])
def test_an_unknown_name_needs_no_session(daemon: Daemon, params: Any) -> None:
    refused(daemon.ask("app.nonsense", params), "unknown_method")


@pytest.mark.parametrize("params", [5, "x", [], True])
def test_params_must_be_an_object(daemon: Daemon, params: Any) -> None:
    refused(
        daemon.ask("app.hello", params),
        "validation_failed",
        field="params",
        reason="must be an object",
    )


def test_hello(daemon: Daemon) -> None:
    one = daemon.hello(client_id="panel", client_version="1.2", unknown="ignored")
    other = daemon.hello()
    assert uuid.UUID(one["app_session_token"]).version == 4
    assert one["app_session_token"] == one["app_session_token"].lower()
    assert one["app_session_token"] != other["app_session_token"]
    assert (one["app_session_id"], other["app_session_id"]) == (1, 2)
    assert one["supported_minor_range"] == {"min": "1.0", "max": "1.1"}
    assert (one["host_user_id"], one["capability_flags"], one["state"]) == ("1000", {}, "ok")
    assert isinstance(one["schema_version"], int)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("client_id", "x" * 129, "max length 128"),
        ("client_id", None, "must be a string"),
        ("client_version", "x" * 65, "max length 64"),
        ("client_app_contract_major", True, "must be an integer"),
        ("client_app_contract_major", "1", "must be an integer"),
        ("client_app_contract_major", 1.0, "must be an integer"),
        ("client_app_contract_major", 0, "must be >= 1"),
    ],
)
def test_hello_refuses(daemon: Daemon, field: str, value: Any, reason: str) -> None:
    answer = daemon.ask("app.hello", {field: value})
    refused(answer, "validation_failed", field=field, reason=reason)
    assert daemon.hello()["app_session_id"] == 1


def test_another_major_gets_no_session(daemon: Daemon) -> None:
    refused(
        daemon.ask("app.hello", {"client_app_contract_major": 2}),
        "app_contract_major_unsupported",
        daemon_app_contract_version="1.1",
        client_app_contract_major=2,
    )
    assert daemon.hello()["app_session_id"] == 1


def test_the_ninth_session_is_refused(daemon: Daemon) -> None:
    for _ in range(CAP):
        daemon.hello()
    refused(
        daemon.ask("app.hello"), "validation_failed", field="app.hello", reason="too_many_sessions"
    )


class TestSessions:
    """The registry by a clock of its own."""

    @pytest.fixture(autouse=True)
    def _registry(self) -> None:
        self.now = 0.0
        self.sessions = AppSessions(lambda: self.now)

    def open(self) -> str:
        return self.sessions.open(client_id="", client_version="", major=1, uid=0).token

    def refusal(self, token: object) -> str:
        with pytest.raises(Exception, match="session") as caught:
            self.sessions.require(token)
        return str(getattr(caught.value, "code", ""))

    @pytest.mark.parametrize("token", [None, "", 5, [], {}])
    def test_no_token(self, token: object) -> None:
        assert self.refusal(token) == "app_session_required"

    def test_a_token_of_nobody(self) -> None:
        self.open()
        assert self.refusal(str(uuid.uuid4())) == "app_session_expired"

    def test_use_keeps_a_session_and_idleness_ends_it(self) -> None:
        token = self.open()
        self.now = IDLE_S
        assert self.sessions.require(token).id == 1
        self.now = 2 * IDLE_S
        assert self.sessions.require(token).id == 1
        self.now += IDLE_S + 1
        assert self.refusal(token) == "app_session_expired"

    def test_an_idle_session_makes_room_and_its_id_is_not_used_again(self) -> None:
        for _ in range(CAP):
            self.open()
        self.now = IDLE_S + 1
        assert self.sessions.require(self.open()).id == CAP + 1
