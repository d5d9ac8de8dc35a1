"""An agent that somebody started by hand, written as a scan and a registration write it."""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

from tests.support.tower import Tower


@dataclass(frozen=True)
class Adopted:
    """The agent, and its pane as a person in the container sees it."""

    tower: Tower
    container: Container
    agent_id: str
    socket: str
    pane_id: str
    user: str

    def tmux(self, *argv: str) -> str:
        done = self.container.exec_run(["tmux", "-S", self.socket, *argv], user=self.user)
        return str(done.output.decode("utf-8", "replace")).strip()

    def type(self, text: str) -> None:
        """What the program in the pane, ``cat``, repeats."""
        self.tmux("send-keys", "-t", self.pane_id, text, "Enter")

    @property
    def piped(self) -> bool:
        return self.tmux("display-message", "-p", "-t", self.pane_id, "#{pane_pipe}") == "1"

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole reply to a request about this agent."""
        return self.tower.call(method, {"agent_id": self.agent_id, **params})

    def result(self, method: str, **params: Any) -> Any:
        reply = self.call(method, **params)
        assert reply["ok"], reply
        return reply["result"]

    def error(self, method: str, **params: Any) -> str:
        """The code that a request is refused with."""
        reply = self.call(method, **params)
        assert not reply["ok"], reply
        return str(reply["error"]["code"])


def adopt(tower: Tower, container: Container, user: str = "", server: str = "default") -> Adopted:
    """Start ``cat`` in a tmux session of its own, and register it."""
    session = f"theirs{secrets.token_hex(3)}"
    made = container.exec_run(
        ["tmux", "-L", server, "new-session", "-d", "-s", session, "-x", "100", "-y", "30",
         "-P", "-F", "#{socket_path} #{window_index} #{pane_index} #{pane_id} #{pane_pid} #{pid}",
         "cat"],
        user=user,
    )  # fmt: skip
    socket, window, index, pane_id, pid, server_pid = made.output.decode().split()
    now = time.time_ns() // 1000
    key = (container.id, socket, session, int(window), int(index), pane_id)
    agent_id = f"agt_{secrets.token_hex(6)}"
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute(
            "INSERT INTO pane (container_id, tmux_socket_path, tmux_session_name,"
            " tmux_window_index, tmux_pane_index, tmux_pane_id, tmux_server, container_user,"
            " pane_pid, pane_tty, pane_current_command, pane_current_path, pane_title, token,"
            " pane_active, active, first_seen_at, last_scanned_at, last_seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 'cat', '/', '', '', 1, 1, ?, ?, ?)",
            (*key, server_pid, user, int(pid), now, now, now),
        )
        database.execute(
            "INSERT INTO agent (agent_id, container_id, tmux_socket_path, tmux_session_name,"
            " tmux_window_index, tmux_pane_index, tmux_pane_id, pane_pid, role, capability, label,"
            " project_path, origin, created_at, last_registered_at, active)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'slave', 'shell', ?, '', 'adopted', ?, ?, 1)",
            (agent_id, *key, int(pid), session, now, now),
        )
    return Adopted(tower, container, agent_id, socket, pane_id, user)


def rows(tower: Tower, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows of the tower's database."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        return database.execute(sql, parameters).fetchall()
