"""The database itself refuses what must never be, whoever writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError

from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Event, ManagedLayout, ManagedPane, Operation, Step


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    yield store
    store.close_thread()


def layout(layout_id: str = "L", **changes: Any) -> None:
    row: dict[str, Any] = {
        "layout_id": layout_id,
        "container_id": "C",
        "template_name": "1m+2s",
        "template_layout": "tiled",
        "tmux_session_name": layout_id,
        "tmux_session_target": layout_id,
        "label_prefix": "",
        "state": "creating",
        "intended_pane_count": 1,
        "last_sequence": 0,
        "revision": 0,
        "created_at": 1,
        "updated_at": 1,
    }
    ManagedLayout.insert(**(row | changes)).execute()


def pane(pane_id: str = "P", **changes: Any) -> None:
    row: dict[str, Any] = {
        "pane_id": pane_id,
        "layout_id": "L",
        "container_id": "C",
        "slot": 0,
        "role": "master",
        "capability": "worker",
        "label": pane_id,
        "state": "creating",
        "pending_marker_token": "t",
        "launch": "{}",
        "tmux_session_name": "s",
        "chain_depth": 0,
        "reserved_agent_id": f"agt_{pane_id}",
        "log_path": pane_id,
        "log_attached": False,
        "created_at": 1,
        "updated_at": 1,
    }
    ManagedPane.insert(**(row | changes)).execute()


SETTLED = {"state": "ready", "pending_marker_token": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "sleeping"},
        {"failed_stage": "lunch", "state": "failed"},
        {"failed_stage": "pane_create"},
        {"intended_pane_count": 0},
    ],
)
def test_layouts(changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        layout(**changes)


def test_an_idempotency_key_names_one_layout_of_a_container() -> None:
    layout("A", idempotency_key="k")
    layout("B", idempotency_key="k", container_id="D")
    with pytest.raises(IntegrityError):
        layout("E", idempotency_key="k", state="removed")


def test_a_session_belongs_to_one_living_layout() -> None:
    layout("A", tmux_session_target="s", state="failed")
    layout("B", tmux_session_target="s")
    with pytest.raises(IntegrityError):
        layout("E", tmux_session_target="s", state="ready")


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "sleeping"},
        {"pending_marker_token": None},
        {"state": "ready"},
        {"chain_depth": 16, "predecessor_id": "X"},
        {"chain_depth": -1},
        {"chain_depth": 1},
        {"predecessor_id": "X"},
        {"layout_id": "nobody"},
        {"failed_stage": "lunch"},
    ],
)
def test_panes(changes: dict[str, Any]) -> None:
    layout()
    with pytest.raises(IntegrityError):
        pane(**changes)


def test_a_label_belongs_to_one_living_pane_of_a_container() -> None:
    layout()
    pane("A", label="m1", state="failed", pending_marker_token=None)
    pane("B", label="m1", **SETTLED)
    pane("D", label="m1", container_id="other")
    with pytest.raises(IntegrityError):
        pane("E", label="m1")


def test_a_tmux_pane_belongs_to_one_living_pane() -> None:
    layout()
    target = {"tmux_server_id": "S", "tmux_pane_id": "%1"}
    pane("A", **target, **SETTLED)
    pane("B", tmux_server_id="T", tmux_pane_id="%1")
    with pytest.raises(IntegrityError):
        pane("E", **target)


def test_a_pane_has_one_living_successor() -> None:
    layout()
    chain = {"predecessor_id": "P", "chain_depth": 1}
    pane("A", **chain, state="failed", pending_marker_token=None)
    pane("B", **chain)
    with pytest.raises(IntegrityError):
        pane("E", **chain)


def test_one_active_agent_a_pane() -> None:
    row: dict[str, Any] = {
        "container_id": "C",
        "tmux_socket_path": "/s",
        "tmux_session_name": "s",
        "tmux_window_index": 0,
        "tmux_pane_index": 0,
        "tmux_pane_id": "%0",
        "role": "master",
        "capability": "c",
        "label": "",
        "project_path": "",
        "origin": "managed",
        "created_at": 1,
        "last_registered_at": 1,
    }
    Agent.insert(**row, agent_id="a", active=False).execute()
    Agent.insert(**row, agent_id="b", active=True).execute()
    with pytest.raises(IntegrityError):
        Agent.insert(**row, agent_id="c", active=True).execute()
    with pytest.raises(IntegrityError):
        Agent.insert(**(row | {"role": "king"}), agent_id="d", active=False).execute()


def test_steps_and_operations() -> None:
    operation = Operation.insert(
        kind="create",
        lane="l",
        in_line=True,
        subject_id="L",
        state="running",
        requested_by="o",
        created_at=1,
    ).execute()
    row: dict[str, Any] = {
        "operation_id": operation,
        "stage": "pane_create",
        "subject_id": "P",
        "lane": "l",
        "status": "pending",
        "attempt": 0,
        "failures": 0,
        "not_before": 0,
        "fence": 0,
        "created_at": 1,
        "history": "[]",
    }
    Step.insert(**row).execute()
    for wrong in (
        {},  # the same stage of the same subject twice
        {"stage": "b", "status": "running"},  # running without an owner
        {"stage": "b", "status": "done"},  # done without an end
        {"stage": "b", "lease_owner": "w"},  # pending with an owner
        {"stage": "b", "operation_id": 999},
    ):
        with pytest.raises(IntegrityError):
            Step.insert(**(row | wrong)).execute()


def test_a_sequence_number_is_given_once_a_layout() -> None:
    row = {
        "kind": "managed",
        "event_type": "e",
        "actor": "daemon",
        "layout_id": "L",
        "sequence": 1,
        "payload": "{}",
        "created_at": 1,
    }
    Event.insert(**row).execute()
    with pytest.raises(IntegrityError):
        Event.insert(**row).execute()
    with pytest.raises(IntegrityError):
        Event.insert(**(row | {"sequence": None})).execute()
