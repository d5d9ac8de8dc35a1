"""The app session of a client: said hello once, kept, and opened anew when the daemon forgot it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from agenttower.client.asking import Ask
from agenttower.client.refusals import AppSessionExpired

CONTRACT_MAJOR = 1
CONTRACT_VERSION = "1.1"
"""The version of ``app.*`` that this client was written for (app surface, section 4)."""

WITHOUT_SESSION = ("app.preflight", "app.hello")


class AppSession:
    """One token for many requests (app surface, section 5). Safe to use from many threads.

    The daemon has room for a few sessions only and none is ever given back before it ends, so a
    program should have one of these and no more.
    """

    def __init__(self, ask: Ask, client_id: str = "", client_version: str = "") -> None:
        self._ask = ask
        self._who = {"client_id": client_id, "client_version": client_version}
        self._lock = threading.Lock()
        self._token: str | None = None

    def call(self, method: str, params: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Ask with the token; where it has expired, once more with a new one.

        An expired token is refused before any effect, so nothing is done twice.

        :raises AppContractMajorUnsupported: the daemon speaks another major version.
        """
        token = self._current(None, timeout)
        try:
            return self._ask(method, {**params, "app_session_token": token}, timeout)
        except AppSessionExpired:
            token = self._current(token, timeout)
        return self._ask(method, {**params, "app_session_token": token}, timeout)

    def _current(self, expired: str | None, timeout: float) -> str:
        """The token; a new one where there is none, or where it is the one that has expired."""
        with self._lock:
            if self._token is None or self._token == expired:
                self._token = None
                hello = {**self._who, "client_app_contract_major": CONTRACT_MAJOR}
                self._token = str(self._ask("app.hello", hello, timeout)["app_session_token"])
            return self._token
