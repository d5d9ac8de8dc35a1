"""Rows of every kind, so that requests meet something: two benches, agents, a layout, prompts."""

from __future__ import annotations

from agenttower.domain.agent_events import AgentEvent
from agenttower.domain.states import State
from agenttower.services.agent_events import Asked
from agenttower.services.caller import HOST, Caller
from agenttower.services.tower import Tower
from agenttower.store import agent_events
from agenttower.store.agent_events import Source
from agenttower.store.database import Store
from agenttower.store.models import LogAttachment, ManagedPane
from tests.support.wired import MASTER, NOON, SLAVE, Wired

OTHER_BENCH = "d" * 64
FAR = "agt_00000000000d"


def furnish(store: Store, services: Tower) -> str:
    """Write them all, through the services where those need no worker to do their part.

    :returns: the id of the bench that is this machine.
    """
    services.scan_containers()
    [local] = services.list_containers(True, None)["containers"]
    bench = str(local["id"])
    rows = Wired(store)
    rows.agent(MASTER, "master", "boss", container_id=bench)
    rows.agent(SLAVE, "slave", "worker", container_id=bench)
    rows.agent("agt_00000000000c", "swarm", "helper", capability="codex", parent_agent_id=SLAVE,
               container_id=bench)  # fmt: skip
    rows.agent(FAR, "slave", "far", container_id=OTHER_BENCH)
    _said(store, SLAVE, bench, "error", "test_failed", "error")
    _said(store, FAR, OTHER_BENCH, "activity")
    _layout(store, services, bench)
    for number, target in enumerate((SLAVE, "worker", FAR)):
        services.prompts.send_as_operator(HOST, f"00000000-0000-4000-8000-{number:012d}", target,
                                          b"hello")  # fmt: skip
    rows.route()
    rows.route(Caller("bench", bench), event_type="activity")
    services.routing.toggle(HOST, "enabled")
    services.agent_events.open(HOST, Asked())
    return bench


def _said(store: Store, agent_id: str, bench: str, *event_types: str) -> None:
    """A log of the agent, and what was found in it."""
    path = f"/var/log/{agent_id}.log"
    attachment_id = f"lat_{agent_id[4:]}"
    with store.transaction():
        LogAttachment.insert(
            attachment_id=attachment_id, agent_id=agent_id, log_path=path, status="active",
            source="explicit", attached_at=NOON, last_status_at=NOON, created_at=NOON,
            bench_path=path, via="pipe", fetched=0, fetched_size=0,
        ).execute()  # fmt: skip
        found = [
            AgentEvent(event_type, f"{event_type}.v1", f"it broke {number}", 10 * number,
                       10 * number + 9, number, number + 1, NOON + number)
            for number, event_type in enumerate(event_types)
        ]  # fmt: skip
        agent_events.insert(Source(attachment_id, agent_id, bench, path), found)


def _layout(store: Store, services: Tower, bench: str) -> None:
    """One whose panes stand in different places of their lives."""
    services.create_layout(
        HOST,
        container_id=bench,
        template_name="1m+2s",
        tmux_session_name="made",
        launch_command_overrides={},
        idempotency_key="once",
        label_prefix="",
    )
    with store.transaction():
        for state, slot in ((State.READY, 0), (State.FAILED, 1)):
            ManagedPane.update(state=state, pending_marker_token=None).where(
                ManagedPane.slot == slot
            ).execute()
