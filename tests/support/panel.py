"""A client of ``app.*`` lists and details over a database, without a socket between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from agenttower import clock
from agenttower.protocol.app import details, lists
from agenttower.protocol.app.errors import ERRORS
from agenttower.protocol.declaration import Declaration
from agenttower.rpc.app.lists import list_methods
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.services.app_lists import AppLists
from agenttower.services.app_rows import AppRows
from agenttower.services.caller import Caller
from agenttower.store import models
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from tests.support.rpc_server import decoded

HOST = Caller("host", uid=1000)
DECLARED = {
    one.name: one
    for module in (lists, details)
    for one in vars(module).values()
    if isinstance(one, Declaration)
}
LISTS = sorted(name for name in DECLARED if name.endswith(".list"))


class Panel:
    """In one session; answers are checked against their declarations."""

    def __init__(self, store: Store) -> None:
        self.store = store
        sessions = AppSessions()
        session = sessions.open(client_id="", client_version="", major=1, uid=0)
        self._token = session.token
        services = SimpleNamespace(app_lists=AppLists(store, clock.now), app_rows=AppRows())
        self._dispatcher = Dispatcher(list_methods(cast(Any, services), sessions), lambda ref: ref)

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        # There is one database a process; another panel may have opened its own since.
        models.database.initialize(self.store.database)
        params = {"app_session_token": self._token, **params}
        job = self._dispatcher.accept(msgspec.json.encode({"method": method, "params": params}))
        assert isinstance(job, Job)
        outcome = self._dispatcher.run(job, lambda: HOST)
        assert isinstance(outcome, Answer)
        return decoded(outcome.line)

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        answer = self.ask(method, params)
        assert answer["ok"], answer
        declared = DECLARED[method].result
        fields = {field.encode_name for field in msgspec.structs.fields(declared)}
        assert answer["result"].keys() == fields
        msgspec.convert(answer["result"], declared)
        return dict(answer["result"])

    def refusal(self, method: str, **params: Any) -> tuple[str, dict[str, Any]]:
        """Code and details."""
        answer = self.ask(method, params)
        assert not answer["ok"], answer
        error = answer["error"]
        msgspec.convert(error["details"], ERRORS[error["code"]])
        return error["code"], error["details"]

    def invalid(self, method: str, **params: Any) -> tuple[str, str]:
        """Field and reason of what must be ``validation_failed``."""
        code, details = self.refusal(method, **params)
        assert code == "validation_failed"
        return details["field"], details["reason"]

    def pages(self, method: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every page from the first to the last."""
        cursor: dict[str, Any] = {}
        while True:
            page = self.result(method, **params, **cursor)
            yield page
            if page["cursor_next"] is None:
                return
            assert len(page["cursor_next"]) <= 512
            cursor = {"cursor_next": page["cursor_next"]}

    def all_rows(self, method: str, **params: Any) -> list[dict[str, Any]]:
        return [row for page in self.pages(method, **params) for row in page["rows"]]


@contextmanager
def open_panel(directory: Path) -> Iterator[Panel]:
    """Over a fresh database in ``directory``."""
    store = open_sqlite(directory / "state.sqlite3")
    try:
        migrate(store)
        yield Panel(store)
    finally:
        store.close_thread()
