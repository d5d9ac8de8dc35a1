"""Adopting, updating, and the logs of agents by ``app.*`` (app surface, sections 14 to 16, 20)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.store import agents, log_attaching
from agenttower.store.log_attaching import NewAttachment
from agenttower.store.models import Agent, Container, LogChange, Pane, Worker
from tests.support.app_desk import AppDesk, app_desk
from tests.support.prompt_rows import BENCH

OTHER = "d" * 64
NOBODY = "agt_ffffffffffff"
KEY: dict[str, Any] = {
    "container_id": BENCH,
    "tmux_socket": "/tmp/tmux-0/default",
    "session_name": "theirs",
    "window_index": 0,
    "pane_index": 1,
    "pane_id": "%70",
}
SAID = {"role": "slave", "capability": "codex", "label": "worker"}
ADOPT = "app.agent.register_from_pane"
Refused = tuple[str, dict[str, Any]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AppDesk]:
    with app_desk(tmp_path) as desk:
        pane(desk)
        yield desk


def pane(desk: AppDesk, *, active: bool = True, **more: Any) -> None:
    """A pane that a scan has found."""
    key = KEY | more
    Pane.insert(
        container_id=key["container_id"], tmux_socket_path=key["tmux_socket"],
        tmux_session_name=key["session_name"], tmux_window_index=key["window_index"],
        tmux_pane_index=key["pane_index"], tmux_pane_id=key["pane_id"], tmux_server="1 1",
        container_user="root", pane_pid=70, token="", pane_tty="", pane_current_command="",
        pane_current_path="/", pane_title="", pane_active=True, active=active,
        first_seen_at=desk.rows.now, last_scanned_at=desk.rows.now, last_seen_at=desk.rows.now,
    ).execute()  # fmt: skip


def adopt(desk: AppDesk, **more: Any) -> dict[str, Any]:
    return dict(desk.ask(ADOPT, **KEY | SAID | more)["row"])


def invalid(field: str, reason: str) -> Refused:
    return "validation_failed", {"field": field, "reason": reason}


def no_agent(agent_id: str) -> Refused:
    return "agent_not_found", {"agent_id": agent_id}


class TestAdopting:
    def test_a_pane_becomes_an_agent(self, desk: AppDesk) -> None:
        row = adopt(desk, label="  the worker\t", project_path="/src", unknown="ignored")
        assert {name: row[name] for name in SAID} == SAID | {"label": "the worker"}
        assert (row["container_id"], row["pane_id"]) == (BENCH, "%70")
        assert (row["project_path"], row["parent_agent_id"]) == ("/src", None)
        assert (row["log_attached"], row["pane_active"], row["origin"]) == (False, True, "adopted")
        [line] = desk.audits()
        assert line == {
            "type": "agent_role_change",
            "agent_id": row["agent_id"],
            "prior_role": None,
            "new_role": "slave",
            "confirm_provided": False,
            "socket_peer_uid": 1000,
            "origin": "app",
            "app_session_id": desk.session_id,
        }

    def test_the_row_is_as_if_the_pane_had_registered_itself(self, desk: AppDesk) -> None:
        pane(desk, pane_id="%71", pane_index=2)
        ours = agents.by_id(adopt(desk)["agent_id"])
        key = {
            "container_id": BENCH, "tmux_socket_path": KEY["tmux_socket"],
            "tmux_session_name": "theirs", "tmux_window_index": 0, "tmux_pane_index": 2,
            "tmux_pane_id": "%71",
        }  # fmt: skip
        answer = desk.request(
            "register_agent", {"container_id": BENCH, "pane_composite_key": key, **SAID}
        )
        theirs = agents.by_id(answer["result"]["agent_id"])
        own = {"agent_id", "tmux_pane_id", "tmux_pane_index", "created_at", "last_registered_at"}
        for name in set(agents.AgentRecord.__slots__) - own:
            assert getattr(ours, name) == getattr(theirs, name), name

    def test_a_label_of_256_characters(self, desk: AppDesk) -> None:
        assert adopt(desk, label=f" {'l' * 256} ")["label"] == "l" * 256

    def test_a_pane_that_is_gone(self, desk: AppDesk) -> None:
        Pane.update(active=False).execute()
        answer = desk.refused(ADOPT, **KEY | SAID)
        assert answer == ("pane_not_found", {"pane_id": "%70", "mismatch_field": "pane_id"})

    @pytest.mark.parametrize("attach_log", [False, True])
    def test_a_container_that_does_not_run(self, desk: AppDesk, attach_log: bool) -> None:
        Container.update(active=False).execute()
        answer = desk.refused(ADOPT, **KEY | SAID, attach_log=attach_log)
        assert answer == ("container_inactive", {"container_id": BENCH})

    @pytest.mark.parametrize("attach_log", [False, True])
    def test_a_pane_with_an_agent_is_refused(self, desk: AppDesk, attach_log: bool) -> None:
        agent_id = adopt(desk)["agent_id"]
        again = KEY | SAID | {"label": "x", "role": "swarm", "attach_log": attach_log}
        assert desk.refused(ADOPT, **again) == ("pane_already_registered", {"agent_id": agent_id})

    def test_an_agent_that_was_lost_comes_back(self, desk: AppDesk) -> None:
        agent_id = adopt(desk)["agent_id"]
        Agent.update(active=False).execute()
        back = adopt(desk, label="back", role="shell")
        assert (back["agent_id"], back["label"], back["role"]) == (agent_id, "back", "shell")
        assert desk.by_app() == ["agent_role_change"] * 2

    def test_a_swarm_agent_and_its_parent(self, desk: AppDesk) -> None:
        slave, shell = desk.rows.agent(), desk.rows.agent("shell")
        lost = desk.rows.agent(active=False)

        def refused(**more: Any) -> Refused:
            return desk.refused(ADOPT, **KEY | SAID | more)

        field = "parent_agent_id"
        assert refused(role="swarm") == invalid(field, "missing; a swarm agent needs one")
        assert refused(parent_agent_id=slave) == invalid(field, "only a swarm agent has one")
        for parent in (shell, lost):
            answer = refused(role="swarm", parent_agent_id=parent)
            assert answer == invalid(field, "must be an active slave")
        for parent in (NOBODY, "x"):
            assert refused(role="swarm", parent_agent_id=parent) == no_agent(parent)
        row = adopt(desk, role="swarm", parent_agent_id=slave)
        assert (row["role"], row["parent_agent_id"]) == ("swarm", slave)
        Agent.update(active=False).where(Agent.agent_id == row["agent_id"]).execute()
        assert refused(role="swarm", parent_agent_id=desk.rows.agent()) == invalid(
            field, "the agent of this pane was registered with another, and keeps it"
        )

    def test_with_a_log_it_waits_for_the_worker(self, desk: AppDesk) -> None:
        Container.update(mounts=_mounts(desk)).execute()
        assert desk.ask(ADOPT, **KEY | SAID, attach_log=True) == desk.waits
        assert Agent.select().count() == 0, "agent and log together"
        [change] = LogChange.select()
        LogChange.update(
            state="failed",
            finished_at=1,
            outcome='{"code": "pipe_pane_failed", "message": "no", "details": {}}',
        ).execute()
        job = desk.waiting[-1]
        assert desk.again(job)["error"]["details"] == {
            "agent_id": change.agent_id,
            "reason": "pipe_pane_failed",
        }
        assert desk.again(job)["error"]["code"] == "log_attach_blocked"

    def test_two_at_once_and_the_second_waits_its_turn(self, desk: AppDesk) -> None:
        Container.update(mounts=_mounts(desk)).execute()
        for _ in range(2):
            assert desk.ask(ADOPT, **KEY | SAID, attach_log=True) == desk.waits
        assert LogChange.select().count() == 1
        first, second = desk.waiting
        agent_id = adopt(desk)["agent_id"]
        LogChange.update(
            state="failed",
            finished_at=1,
            outcome='{"code": "pane_already_registered", "message": "no",'
            f' "details": {{"agent_id": "{agent_id}"}}}}',
        ).execute()
        for job in (first, second):
            error = desk.again(job)["error"]
            assert error["code"] == "pane_already_registered"
            assert error["details"] == {"agent_id": agent_id}

    def test_who_waits_too_long_is_told_that_it_goes_on(self, desk: AppDesk) -> None:
        Container.update(mounts=_mounts(desk)).execute()
        assert desk.ask(ADOPT, **KEY | SAID, attach_log=True) == desk.waits
        error = desk.again(desk.waiting[-1], final=True)["error"]
        assert (error["code"], error["details"]) == ("internal_error", {})
        assert "goes on by itself" in error["message"]

    def test_a_log_that_nobody_can_see_makes_no_agent(self, desk: AppDesk) -> None:
        code, details = desk.refused(ADOPT, **KEY | SAID, attach_log=True)
        assert (code, details["reason"]) == ("log_attach_blocked", "log_path_not_host_visible")
        assert details["agent_id"].startswith("agt_")


def _mounts(desk: AppDesk) -> str:
    logs = desk.paths.logs_dir
    return f'[{{"source": "{logs}", "target": "/logs", "type": "bind", "mode": "", "rw": true}}]'


class TestUpdating:
    @pytest.fixture(autouse=True)
    def _agent(self, desk: AppDesk) -> None:
        self.desk = desk
        self.agent_id = desk.rows.agent("slave", "before")

    def update(self, **changes: Any) -> dict[str, Any]:
        return dict(self.desk.ask("app.agent.update", agent_id=self.agent_id, **changes)["row"])

    def refused(self, **changes: Any) -> Refused:
        return self.desk.refused("app.agent.update", agent_id=self.agent_id, **changes)

    def test_everything_at_once_and_one_line(self) -> None:
        row = self.update(
            role="master", capability="codex", label=" boss ", project_path="/p", x="ignored"
        )
        wanted = {"role": "master", "capability": "codex", "label": "boss", "project_path": "/p"}
        assert {name: row[name] for name in wanted} == wanted
        [line] = self.desk.audits()
        assert line == {
            "type": "agent_role_change",
            "agent_id": self.agent_id,
            "prior_role": "slave",
            "new_role": "master",
            "confirm_provided": False,
            "socket_peer_uid": 1000,
            "changed": ["capability", "label", "project_path", "role"],
            "origin": "app",
            "app_session_id": self.desk.session_id,
        }

    def test_what_is_left_out_stays_and_what_is_empty_goes(self) -> None:
        self.update(project_path="/p")
        row = self.update(label="", project_path="")
        assert (row["label"], row["project_path"], row["role"]) == ("", None, "slave")
        line = self.desk.audits()[-1]
        assert (line["prior_role"], line["new_role"]) == ("slave", "slave")
        assert line["changed"] == ["label", "project_path"]

    def test_nothing_new_is_not_told(self) -> None:
        before = self.update()
        assert self.update(role="slave", label="before", project_path="") == before
        assert self.desk.audits() == []

    @pytest.mark.parametrize(
        ("changes", "field", "reason"),
        [
            (
                {"role": ""},
                "role",
                "field is not clearable; provide a valid value from the role closed set",
            ),
            (
                {"capability": ""},
                "capability",
                "field is not clearable; provide a non-empty value",
            ),
            ({"role": "boss"}, "role", "unknown value"),
            ({"role": None}, "role", "must be a string"),
            (
                {"role": "swarm"},
                "role",
                "swarm is given at registration only, with a parent",
            ),
            ({"label": "a\nb", "role": "boss"}, "label", "embedded newline"),
            ({"role": "boss", "label": "a\nb"}, "role", "unknown value"),
            ({"project_path": "..", "capability": ""}, "project_path", "must be an absolute path"),
            ({"label": 5}, "label", "must be a string"),
            ({"label": "l" * 257}, "label", "max length 256"),
        ],
    )
    def test_the_first_field_of_the_request_counts(
        self, changes: Any, field: str, reason: str
    ) -> None:
        assert self.refused(**changes) == invalid(field, reason)

    @pytest.mark.parametrize(
        ("value", "reason"), [("", "must not be empty"), (5, "must be a string")]
    )
    def test_ids(self, value: Any, reason: str) -> None:
        answer = self.desk.refused("app.agent.update", agent_id=value)
        assert answer == invalid("agent_id", reason)
        answer = self.desk.refused("app.agent.update", label="x")
        assert answer == invalid("agent_id", "missing")

    @pytest.mark.parametrize("agent_id", [NOBODY, "x"])
    def test_nobody(self, agent_id: str) -> None:
        answer = self.desk.refused("app.agent.update", agent_id=agent_id, label="x")
        assert answer == no_agent(agent_id)

    def test_an_agent_that_has_lost_its_pane(self) -> None:
        Agent.update(active=False).execute()
        assert self.refused(label="x") == no_agent(self.agent_id)
        assert self.refused() == no_agent(self.agent_id)

    def test_a_role_needs_a_container_that_runs(self) -> None:
        Container.update(active=False).execute()
        answer = self.refused(label="x", role="master")
        assert answer == ("container_inactive", {"container_id": BENCH})
        assert self.update(label="x")["label"] == "x"


class TestLogs:
    @pytest.fixture(autouse=True)
    def _agent(self, desk: AppDesk) -> None:
        self.desk = desk
        self.agent_id = desk.rows.agent()

    @pytest.mark.parametrize("method", ["app.log.attach", "app.log.detach"])
    def test_shapes_and_strangers(self, method: str) -> None:
        refused = self.desk.refused
        assert refused(method) == invalid("agent_id", "missing")
        assert refused(method, agent_id=5) == invalid("agent_id", "must be a string")
        assert refused(method, agent_id="") == invalid("agent_id", "must not be empty")
        for nobody in (NOBODY, "x"):
            assert refused(method, agent_id=nobody) == no_agent(nobody)

    def attach_refused(self) -> Refused:
        return self.desk.refused("app.log.attach", agent_id=self.agent_id)

    def blocked(self, reason: str) -> Refused:
        return "log_attach_blocked", {"agent_id": self.agent_id, "reason": reason}

    def test_why_a_log_cannot_be_attached(self) -> None:
        assert self.attach_refused() == self.blocked("log_path_not_host_visible")
        Container.update(mounts=_mounts(self.desk)).execute()
        Worker.update(heartbeat_at=0, stopped_at=1).execute()
        assert self.attach_refused() == self.blocked("worker_unavailable")
        Agent.update(active=False).execute()
        assert self.attach_refused() == self.blocked("agent_inactive")
        Container.update(active=False).execute()
        assert self.attach_refused() == ("container_inactive", {"container_id": BENCH})

    @pytest.mark.parametrize("code", ["pipe_pane_failed", "tmux_unavailable", "log_path_in_use"])
    def test_why_the_worker_did_not_attach_it(self, code: str) -> None:
        Container.update(mounts=_mounts(self.desk)).execute()
        assert self.desk.ask("app.log.attach", agent_id=self.agent_id) == self.desk.waits
        LogChange.update(
            state="failed", finished_at=1, outcome=f'{{"code": "{code}", "message": "no"}}'
        ).execute()
        answer = self.desk.again(self.desk.waiting[-1])
        assert (answer["error"]["code"], answer["error"]["details"]) == self.blocked(code)

    def test_detaching_nothing_is_a_success_and_not_told(self) -> None:
        for active in (True, False):
            Agent.update(active=active).execute()
            row = self.desk.ask("app.log.detach", agent_id=self.agent_id)["row"]
            assert row["log_attached"] is False
        assert self.desk.audits() == []

    def test_somebody_else_detached_first(self) -> None:
        with self.desk.store.transaction():
            log_attaching.attach(
                NewAttachment(self.agent_id, "/l", "/l", "pipe", "explicit", None), 1
            )
        assert self.desk.ask("app.log.detach", agent_id=self.agent_id) == self.desk.waits
        LogChange.update(
            state="failed",
            finished_at=1,
            outcome='{"code": "attachment_not_found", "message": "no"}',
        ).execute()
        assert self.desk.again(self.desk.waiting[-1])["ok"]

    def test_a_log_in_a_container_that_does_not_run(self) -> None:
        with self.desk.store.transaction():
            log_attaching.attach(
                NewAttachment(self.agent_id, "/l", "/l", "pipe", "explicit", None), 1
            )
        Container.update(active=False).execute()
        answer = self.desk.refused("app.log.detach", agent_id=self.agent_id)
        assert answer == ("container_inactive", {"container_id": BENCH})
