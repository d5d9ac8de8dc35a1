"""The dashboard's numbers are those of its rows, whatever stands in the database (11.2 to 11.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenttower.domain.buckets import (
    AgentFacts,
    ContainerState,
    PaneFacts,
    agent_bucket,
    log_bucket,
    pane_bucket,
)
from agenttower.services.app_lists import AppLists, Asked
from agenttower.store import app_counts
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Container, LogAttachment, Pane

NOON = 1_800_000_000_000_000


@dataclass(frozen=True)
class Bench:
    """A container and the panes in it: active, seen before the last look, its agent."""

    active: bool
    error: str | None
    looked: bool
    panes: list[tuple[bool, bool, tuple[bool, str, str, bool] | None]]

    @property
    def state(self) -> ContainerState:
        if not self.active:
            return ContainerState.INACTIVE
        return ContainerState.DEGRADED_SCAN if self.error else ContainerState.ACTIVE


AGENTS = st.tuples(
    st.booleans(),
    st.sampled_from(["master", "slave", "unknown"]),
    st.sampled_from(["codex", "unknown", "", "one"]),
    st.booleans(),
)
PANES = st.tuples(st.booleans(), st.booleans(), st.none() | AGENTS)
BENCHES = st.builds(
    Bench,
    active=st.booleans(),
    error=st.sampled_from([None, "docker_exec_failed"]),
    looked=st.booleans(),
    panes=st.lists(PANES, max_size=5),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("counts")
    store = open_sqlite(path / "state.sqlite3")
    migrate(store)
    yield store
    store.close_thread()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BENCHES, max_size=4))
def test_buckets_are_those_of_each_row_and_sum_to_the_totals(
    store: Store, benches: list[Bench]
) -> None:
    with store.transaction():
        for table in (LogAttachment, Agent, Pane, Container):
            table.delete().execute()
        for number, bench in enumerate(benches):
            _write(number, bench)
    every = [(bench, pane) for bench in benches for pane in bench.panes]

    assert app_counts.containers() == Counter(bench.state for bench in benches)
    panes = app_counts.panes()
    assert panes.total == len(every) == panes.buckets.total()
    assert panes.buckets == Counter(
        pane_bucket(PaneFacts(bench.state, active, _overlooked(bench, late), _lives(pane)))
        for bench, pane in every
        for active, late, _ in [pane]
    )
    assert panes.registered == sum(_lives(pane) for _, pane in every)
    shown = AppLists(store, lambda: NOON).panes(Asked(200)).rows
    assert panes.registered == sum(row.registered for row in shown)

    agents = app_counts.agents()
    facts = [
        AgentFacts(bench.state, active, role, word, word, attached)
        for bench, (_, _, agent) in every
        if agent is not None
        for active, role, word, attached in [agent]
    ]
    assert agents.total == len(facts)
    assert agents.buckets == Counter(map(agent_bucket, facts))
    assert agents.logs == Counter(map(log_bucket, facts))
    assert agents.roles == Counter(fact.role for fact in facts)

    adoptable = app_counts.first_adoptable_pane()
    unmanaged = panes.buckets["discovered-and-unmanaged"]
    assert (adoptable is not None) == (unmanaged > 0)
    waiting = [row for row in shown if (row.container_id, row.pane_id) in _unmanaged(benches)]
    assert adoptable == (waiting[0].pane_id if waiting else None)


def _lives(pane: tuple[bool, bool, tuple[bool, str, str, bool] | None]) -> bool:
    active, _, agent = pane
    return active and agent is not None and agent[0]


def _unmanaged(benches: list[Bench]) -> set[tuple[str, str]]:
    return {
        (f"{number:064x}", f"%{index}")
        for number, bench in enumerate(benches)
        for index, pane in enumerate(bench.panes)
        if bench.state is ContainerState.ACTIVE
        and pane[0]
        and not (bench.looked and pane[1])
        and not _lives(pane)
    }


def _overlooked(bench: Bench, late: bool) -> bool:
    return bench.looked and late


def _write(number: int, bench: Bench) -> None:
    container_id = f"{number:064x}"
    Container.insert(
        id=container_id, name=f"bench{number}", provider="docker", image="i", status="running",
        started_at="", labels="{}", mounts="[]", env_names="[]", has_init=True,
        active=bench.active, first_seen_at=NOON, last_scanned_at=NOON,
        pane_scan_error=bench.error, panes_scanned_at=NOON if bench.looked else None,
    ).execute()  # fmt: skip
    for index, (active, late, agent) in enumerate(bench.panes):
        place = {
            "container_id": container_id, "tmux_socket_path": "/s", "tmux_session_name": "s",
            "tmux_window_index": 0, "tmux_pane_index": index, "tmux_pane_id": f"%{index}",
        }  # fmt: skip
        Pane.insert(
            **place, tmux_server="1", container_user="root", token="", pane_pid=1, pane_tty="",
            pane_current_command="", pane_current_path="", pane_title="", pane_active=True,
            active=active, first_seen_at=NOON, last_scanned_at=NOON,
            last_seen_at=NOON - 1 if late else NOON,
        ).execute()  # fmt: skip
        if agent is not None:
            alive, role, word, attached = agent
            agent_id = f"agt_{number:06x}{index:06x}"
            Agent.insert(
                **place, agent_id=agent_id, role=role, capability=word, label=word,
                project_path="", origin="adopted", created_at=NOON, last_registered_at=NOON,
                active=alive, tmux_server="1",
            ).execute()  # fmt: skip
            LogAttachment.insert(
                attachment_id=f"lat_{number}_{index}", agent_id=agent_id,
                log_path=f"/log/{number}/{index}", status="active" if attached else "stale",
                source="explicit", attached_at=NOON, last_status_at=NOON, created_at=NOON,
                via="pipe", fetched=0, fetched_size=0,
            ).execute()  # fmt: skip
