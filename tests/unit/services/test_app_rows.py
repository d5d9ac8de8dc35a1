"""Single rows of ``app.*``, and what is derived in them (app surface, section 13)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.bench.interface import SocketFailure
from agenttower.errors import DockerUnavailable
from agenttower.protocol.app import entities
from agenttower.services.app_rows import AppRows
from agenttower.services.caller import HOST
from agenttower.store import agents, layouts, panes
from agenttower.store.app_state import PANE_IS_STALE
from agenttower.store.models import Event, LogAttachment
from tests.support.prompt_rows import prompt_rows
from tests.support.registry_rows import (
    C1,
    C2,
    DEFAULT,
    OTHER,
    PANE_ID,
    TOKEN,
    Registry,
    found,
    managed,
    no_answer,
    open_registry,
    seen,
)

ROWS = AppRows()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path) as registry:
        yield registry


def pane(pane_id: str = "%0", **where: str) -> entities.Pane:
    row = ROWS.pane(pane_id, **where)
    assert row is not None
    return row


def agent(agent_id: str) -> entities.Agent:
    row = ROWS.agent(agent_id)
    assert row is not None
    return row


def state(container_id: str = C1) -> str:
    row = ROWS.container(container_id)
    assert row is not None
    return row.state


def attach(agent_id: str, status: str = "active") -> None:
    LogAttachment.insert(
        attachment_id="lat_0123456789ab", agent_id=agent_id, log_path="/l", status=status,
        source="managed", attached_at=1_000_000, last_status_at=2_000_000, created_at=1, via="pipe",
        fetched=0, fetched_size=0,
    ).execute()  # fmt: skip


def stale_panes(registry: Registry) -> list[str]:
    rows = registry.store.execute(
        "SELECT tmux_pane_id FROM pane JOIN container ON container.id = pane.container_id"
        f" WHERE {PANE_IS_STALE} ORDER BY 1"
    )
    return [row[0] for row in rows.fetchall()]


def test_what_is_not_there(registry: Registry) -> None:
    assert ROWS.container("x") is ROWS.pane("%9") is ROWS.agent("agt_000000000000") is None
    assert ROWS.log_attachment("lat_0") is ROWS.event(1) is ROWS.message("m") is None
    assert ROWS.route("r") is None


class TestContainerState:
    def test_a_container_nobody_looked_into_is_active(self, registry: Registry) -> None:
        assert state() == "active"

    def test_stopped(self, registry: Registry) -> None:
        registry.container(C2, "two", active=False)
        assert state(C2) == "inactive"

    def test_a_look_that_failed_in_part_and_the_next_one(self, registry: Registry) -> None:
        registry.scan(found(), sockets=(OTHER,), failures=[no_answer(OTHER)])
        assert state() == "degraded_scan"
        registry.scan(found())
        assert state() == "active"

    def test_the_look_into_another_one_says_nothing(self, registry: Registry) -> None:
        registry.container(C2, "two")
        registry.benches.answers[C2] = seen(failures=[no_answer()])
        registry.scan_as(HOST, C2)
        registry.scan(found())
        assert (state(C1), state(C2)) == ("active", "degraded_scan")

    @pytest.mark.parametrize("code", ["socket_dir_missing", "tmux_no_server"])
    def test_a_bench_without_tmux_is_well_until_panes_are_missed(
        self, registry: Registry, code: str
    ) -> None:
        nothing = SocketFailure(None, code, "no tmux runs")
        registry.scan(sockets=(), failures=[nothing])
        assert state() == "active"
        registry.scan(found())
        registry.scan(sockets=(), failures=[nothing])
        assert state() == "degraded_scan"

    def test_an_engine_that_is_away(self, registry: Registry) -> None:
        registry.benches.answers[C1] = DockerUnavailable("away")
        with pytest.raises(DockerUnavailable):
            registry.scan_as(HOST, None)
        assert state() == "degraded_scan"

    def test_long_titles_are_no_failure(self, registry: Registry) -> None:
        assert registry.scan(found(title="x" * 5000))["status"] == "degraded"
        assert state() == "active"

    def test_counts(self, registry: Registry) -> None:
        registry.scan(found(), found(pane_id="%1", pane_index=1), found(socket_path=OTHER))
        registry.register(found())
        registry.register(found(socket_path=OTHER))
        registry.scan(found(), found(pane_id="%1", pane_index=1))
        row = ROWS.container(C1)
        assert row is not None
        assert (row.pane_count, row.registered_agent_count) == (3, 1)


class TestRegistered:
    def test_by_all_six_parts(self, registry: Registry) -> None:
        """The same ``%0`` of another server is another pane."""
        registry.scan(found(), found(socket_path=OTHER))
        agent_id = registry.register(found())["agent_id"]
        assert (pane(tmux_socket=DEFAULT).registered, pane(tmux_socket=DEFAULT).agent_id) == (
            True,
            agent_id,
        )
        assert (pane(tmux_socket=OTHER).registered, pane(tmux_socket=OTHER).agent_id) == (
            False,
            None,
        )

    def test_a_managed_agent_by_its_token(self, registry: Registry) -> None:
        managed()
        key = {
            "container_id": C1, "tmux_socket_path": DEFAULT, "tmux_session_name": "work",
            "tmux_window_index": 0, "tmux_pane_index": 0, "tmux_pane_id": "%0",
        }  # fmt: skip
        row = {"agent_id": "agt_0123456789ab", **key, "role": "slave", "capability": "x",
               "label": "s1", "project_path": "", "origin": "managed"}  # fmt: skip
        agents.upsert(row, 1)
        registry.scan(found(token=TOKEN, pane_index=1))  # it moved up
        assert pane().agent_id == "agt_0123456789ab"
        assert not agent("agt_0123456789ab").pane_active
        layouts.ManagedPane.update(tmux_pane_id="%0").execute()
        assert agent("agt_0123456789ab").pane_active

    def test_as_the_older_list_says(self, registry: Registry) -> None:
        """One truth: ``list_panes`` names the same agents."""
        self.test_by_all_six_parts(registry)
        managed()
        for one in panes.listing(active_only=False, container=None, only_id=None):
            shown = pane(one.key.tmux_pane_id, tmux_socket=one.key.tmux_socket_path)
            assert shown.agent_id == one.agent_id

    def test_a_pane_that_went(self, registry: Registry) -> None:
        registry.scan(found())
        agent_id = registry.register(found())["agent_id"]
        assert (agent(agent_id).active, agent(agent_id).pane_active) == (True, True)
        registry.scan(sockets=(OTHER,))
        assert (pane().registered, pane().active) == (False, False)
        assert (agent(agent_id).active, agent(agent_id).pane_active) == (False, False)


def test_a_pane_id_of_several_servers(registry: Registry) -> None:
    """Those that are there come first, then the order of the list."""
    registry.container(C2, "another")
    registry.scan(found(session_name="b"), found(session_name="a", socket_path=OTHER))
    registry.benches.answers[C2] = seen(found())
    registry.scan_as(HOST, C2)
    assert pane().container_id == C2
    assert pane(container_id=C1).session_name == "a"
    registry.benches.answers[C2] = seen(sockets=(DEFAULT,))
    registry.scan_as(HOST, C2)
    assert (pane().container_id, pane().session_name) == (C1, "a")
    assert not pane(container_id=C2).active
    assert ROWS.pane("%0", container_id=C1[:12]) is None


def test_last_seen_is_not_last_looked_for(registry: Registry) -> None:
    registry.scan(found(), found(pane_id="%1", pane_index=1))
    first = pane("%1").last_seen_at
    registry.scan(sockets=(DEFAULT,), failures=[no_answer()])
    row = registry.rows("pane")[1]
    assert row["last_scanned_at"] > row["last_seen_at"]
    registry.scan(found())
    assert (pane("%1").last_seen_at, stale_panes(registry)) == (first, ["%1"])


def test_a_look_that_found_no_server_leaves_panes_stale(registry: Registry) -> None:
    registry.scan(found())
    assert stale_panes(registry) == []
    registry.scan()
    assert (pane().active, stale_panes(registry)) == (True, ["%0"])


def test_agents(registry: Registry) -> None:
    registry.scan(found())
    agent_id = registry.register(found(), role="slave")["agent_id"]
    row = agent(agent_id)
    assert (row.role, row.role_priority, row.project_path, row.log_attached) == (
        "slave",
        2,
        None,
        False,
    )
    assert row.registered_at == registry.rows("agent")[0]["created_at"] // 1000
    attach(agent_id)
    assert agent(agent_id).log_attached
    LogAttachment.update(status="detached").execute()
    assert not agent(agent_id).log_attached


def test_log_attachments(registry: Registry) -> None:
    registry.scan(found())
    agent_id = registry.register(found())["agent_id"]
    attach(agent_id)
    assert ROWS.log_attachment("lat_0123456789ab") == entities.LogAttachment(
        attachment_id="lat_0123456789ab",
        agent_id=agent_id,
        container_id=C1,
        log_path="/l",
        status="active",
        source="explicit",
        attached_at="1970-01-01T00:00:01.000000+00:00",
        last_status_at="1970-01-01T00:00:02.000000+00:00",
    )


def insert_event(**more: Any) -> int:
    row = {"kind": "agent", "event_type": "error", "actor": "daemon", "created_at": 1_500_000,
           "agent_id": "agt_0123456789ab", "payload": "{}"} | more  # fmt: skip
    return int(Event.insert(**row).execute())


def test_events(registry: Registry) -> None:
    told = '{"excerpt": "boom [REDACTED]", "classifier_rule_id": "error.v1"}'
    assert ROWS.event(insert_event(payload=told)) == entities.Event(
        event_id=1,
        event_type="error",
        agent_id="agt_0123456789ab",
        observed_at="1970-01-01T00:00:01.500000+00:00",
        excerpt="boom [REDACTED]",
        classifier_rule_id="error.v1",
        summary="agt_0123456789ab: error",
    )
    assert ROWS.event(insert_event(kind="queue", event_type="queue_message_enqueued")) is None


def test_managed_events_name_the_agent_of_their_pane(registry: Registry) -> None:
    managed()
    layouts.append_events(
        registry.store,
        "L",
        C1,
        "daemon",
        [
            (PANE_ID, layouts.ManagedEvent("managed_pane_removed", {"tmux_kill_succeeded": True})),
            (None, layouts.ManagedEvent("managed_layout_created", {
                "template_name": "t", "container_id": C1, "intended_pane_count": 1})),
        ],
        7,
    )  # fmt: skip
    one, whole = ROWS.event(1), ROWS.event(2)
    assert one is not None
    assert whole is not None
    assert (one.agent_id, one.summary) == (
        "agt_0123456789ab",
        "agt_0123456789ab: managed pane removed",
    )
    assert (whole.agent_id, whole.summary, whole.excerpt) == ("", "managed layout created", "")


def test_messages(tmp_path: Path) -> None:
    with prompt_rows(tmp_path) as rows:
        sent = rows.send(rows.agent("master"), rows.agent(), b"the key is sk-" + b"a" * 40)
        row = ROWS.message(sent.message_id)
        assert row is not None
        assert (row.state, row.state_priority, row.block_reason) == ("queued", 1, None)
        assert "aaaa" not in row.payload_preview
        assert row.payload_preview.startswith("the key is ")
        assert row.enqueued_at == sent.enqueued_at // 1000
