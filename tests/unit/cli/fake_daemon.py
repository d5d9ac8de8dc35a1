"""A daemon for tests of the command line: a real Unix socket, canned answers, no logic."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Answer = Callable[[dict[str, Any]], object]


class Refusal(Exception):
    """Raised by an answer to make the daemon send an error envelope."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.envelope = {
            "ok": False,
            "error": {"code": code, "message": message, "details": details},
        }


class HangUp(Exception):
    """Raised by an answer to make the daemon close the connection without one."""


class FakeDaemon:
    """Answers every request by the function registered for its method, and remembers it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Answer] = {}
        self.asked = threading.Condition()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.start()

    def start(self) -> None:
        """Begin to listen; again after :meth:`stop`."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(os.fspath(self.path))
        self._listener.listen(16)
        self._spawn(self._accept, self._listener)

    def stop(self) -> None:
        """Go away as a stopped daemon does: the socket is gone."""
        if self._listener is not None:
            self.path.unlink()
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        self._closing.set()
        self.stop()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def on(self, method: str, answer: Answer | Mapping[str, Any]) -> None:
        """Answer ``method`` with this result, or with what this function returns."""
        self.answers[method] = answer if callable(answer) else lambda _params: answer

    def params_of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every request for ``method`` so far."""
        return [params for name, params in self.requests if name == method]

    def wait_for(self, method: str, count: int = 1, seconds: float = 20.0) -> None:
        """Return once ``method`` has been asked for ``count`` times."""
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.params_of(method)) >= count, seconds), (
                f"{method} was not asked for; {self.requests}"
            )

    def hold(self, seconds: float = 20.0) -> None:
        """For an answer that must not come while the test runs."""
        self._closing.wait(seconds)
        raise HangUp

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            request = json.loads(lines.readline() or b"null")
            if request is None:
                return
            with self.asked:
                self.requests.append((request["method"], request.get("params", {})))
                self.asked.notify_all()
            try:
                answer = self.answers[request["method"]](request.get("params", {}))
                envelope = {"ok": True, "result": answer}
            except Refusal as refusal:
                envelope = refusal.envelope
            except HangUp:
                return
            try:
                connection.sendall(json.dumps(envelope).encode() + b"\n")
            except BrokenPipeError:
                return
