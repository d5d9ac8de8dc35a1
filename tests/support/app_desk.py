"""All of ``app.*`` over a real database and real services; no process, no bench, no worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agenttower import bootstrap, clock
from agenttower.engine import presence
from agenttower.paths import Paths
from agenttower.protocol.app.errors import ERRORS
from agenttower.protocol.managed_errors import MANAGED_ERRORS
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.method import Pending
from agenttower.rpc.methods import method_table
from agenttower.services.caller import Caller
from agenttower.settings import Config, Settings
from agenttower.store.models import Event
from tests.support.prompt_rows import Rows
from tests.support.rpc_server import decoded

HOST = Caller("host", uid=1000)


class AppDesk:
    """One client on the host with one session, and the rows that it works on.

    ``waits`` is what :meth:`ask` gives where the request waits for the worker.
    """

    waits = "waits"

    def __init__(self, core: bootstrap.Core) -> None:
        self.store = core.store
        self.paths = core.settings.paths
        self.waiting: list[Job] = []
        """The requests that wait, the latest last."""
        self.rows = Rows(core.store, now=clock.now())
        services = bootstrap.tower(core)
        self.dispatcher = Dispatcher(method_table(services), services.resolve_container)
        self.token, self.session_id = self.hello()

    def hello(self) -> tuple[str, int]:
        """Another session: its token and its id."""
        welcome = self.request("app.hello", {})["result"]
        return welcome["app_session_token"], welcome["app_session_id"]

    def request(self, method: str, params: Any, *, final: bool = False) -> Any:
        """The whole answer."""
        job = self.dispatcher.accept(msgspec.json.encode({"method": method, "params": params}))
        assert isinstance(job, Job)
        return self.again(job, final=final)

    def again(self, job: Job, *, final: bool = False) -> Any:
        """Run a request once (more)."""
        outcome = self.dispatcher.run(job, lambda: HOST, final=final)
        if isinstance(outcome, Pending):
            self.waiting.append(job)
            return self.waits
        assert isinstance(outcome, Answer)
        return decoded(outcome.line)

    def ask(self, method: str, token: str | None = None, **params: Any) -> Any:
        """The ``result`` of a request in a session."""
        answer = self.request(method, {"app_session_token": token or self.token, **params})
        assert answer == self.waits or answer["ok"], answer
        return answer if answer == self.waits else answer["result"]

    def refused(self, method: str, /, **params: Any) -> tuple[str, dict[str, Any]]:
        """Code and details of a request that changes nothing in the database."""
        before = self.dump()
        answer = self.request(method, {"app_session_token": self.token, **params})
        assert answer["ok"] is False, answer
        assert answer["app_contract_version"] == "1.1"
        error = answer["error"]
        assert error["message"]
        wanted = ERRORS.get(error["code"]) or MANAGED_ERRORS[error["code"]]
        msgspec.convert(error["details"], wanted)
        assert self.dump() == before, "a refusal changed something"
        return error["code"], error["details"]

    def dump(self) -> list[str]:
        """Every row of the database but those of the worker's life."""
        connection: Any = self.store.database.connection()  # type: ignore[no-untyped-call]
        return [line for line in connection.iterdump() if '"worker"' not in line]

    def audits(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Type and payload of every audit line, in order."""
        rows = Event.select().order_by(Event.id)
        return [
            {"type": row.event_type, **json.loads(row.payload)}
            for row in rows
            if kind is None or row.kind == kind
        ]

    def by_app(self) -> list[str]:
        """The types of the lines that name this session, and nothing else of the client."""
        lines = [line for line in self.audits() if line.get("origin") == "app"]
        assert all(line["app_session_id"] == self.session_id for line in lines)
        assert self.token not in json.dumps(lines)
        return [str(line["type"]) for line in lines]


@contextmanager
def app_desk(directory: Path) -> Iterator[AppDesk]:
    """With a worker that is alive on paper."""
    paths = Paths(directory / "config", directory / "state", directory / "cache")
    for made in (paths.state_dir, paths.logs_dir):
        made.mkdir(parents=True, mode=0o700)
    with bootstrap.open_core(Settings(paths, Config()), "serve") as core:
        presence.announce(core.store, "w", presence.this_process(), clock.now())
        yield AppDesk(core)
