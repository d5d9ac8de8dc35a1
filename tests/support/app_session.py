"""A client of ``app.*`` on a tower's real socket."""

from __future__ import annotations

import json
from typing import Any

from tests.support.tower import Tower


class AppSession:
    """One session; says hello again where the daemon was restarted."""

    def __init__(self, tower: Tower) -> None:
        self.tower = tower
        self.token, self.id = "", 0
        self.hello()

    def hello(self) -> None:
        """Open another session, and go on in that one."""
        welcome = self.tower.call("app.hello", {"client_id": "panel"})["result"]
        self.token, self.id = welcome["app_session_token"], welcome["app_session_id"]

    def call(self, method: str, /, **params: Any) -> dict[str, Any]:
        """The whole answer."""
        return self.tower.call(method, {"app_session_token": self.token, **params}, 60.0)

    def ask(self, method: str, /, **params: Any) -> Any:
        """The result of what must be answered ``ok``."""
        answer = self.call(method, **params)
        assert answer["ok"], answer
        assert answer["app_contract_version"] == "1.1"
        return answer["result"]

    def refused(self, method: str, /, **params: Any) -> tuple[str, dict[str, Any]]:
        """Code and details of what must be refused."""
        answer = self.call(method, **params)
        assert not answer["ok"], answer
        return answer["error"]["code"], answer["error"]["details"]

    def lines(self) -> list[dict[str, Any]]:
        """What ``events.jsonl`` tells of sessions, in order."""
        text = self.tower.home.paths.events_file.read_text(encoding="utf-8")
        assert self.token not in text
        return [x for x in map(json.loads, text.splitlines()) if x.get("origin") == "app"]
