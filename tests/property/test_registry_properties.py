"""The registry keeps its rules under any sequence of scans, registrations and changes of role."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttower.domain.permissions import Role, effective_permissions
from agenttower.errors import AgentTowerError
from agenttower.services.caller import HOST
from agenttower.store import agents
from tests.support.registry_rows import Registry, found, open_registry

PANES = [found(pane_id=f"%{number}", pane_index=number) for number in range(3)]

STEPS = st.one_of(
    st.tuples(st.just("register"), st.sampled_from([*Role, None]), st.integers(0, 2)),
    st.tuples(st.just("set"), st.sampled_from(list(Role)), st.integers(0, 2)),
    st.tuples(st.just("scan"), st.sets(st.integers(0, 2)), st.just(0)),
)


def step(registry: Registry, roles: dict[str, str], kind: str, value: Any, place: int) -> None:
    """Do one thing, which may be refused."""
    if kind == "scan":
        registry.scan(*(PANES[index] for index in value), sockets=(PANES[0].socket_path,))
    elif kind == "register":
        slaves = [agent_id for agent_id, role in roles.items() if role == "slave"]
        named: dict[str, Any] = {} if value is None else {"role": str(value)}
        if value == "swarm" and slaves:
            named["parent_agent_id"] = slaves[0]
        registry.register(PANES[place], **named)
    elif roles:
        agent_id = sorted(roles)[place % len(roles)]
        registry.settings.set_role(HOST, agent_id, str(value), confirm=True)


@settings(max_examples=40)
@given(steps=st.lists(STEPS, max_size=12))
def test_the_registry_stays_sound_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any, int]]
) -> None:
    """One agent a pane for ever, with the parent it began with; a swarm agent has one; only the
    operator makes masters; each role given or changed has its line."""
    with open_registry(tmp_path_factory.mktemp("rows")) as registry:
        registry.scan(*PANES)
        roles: dict[str, str] = {}
        parents: dict[str, str | None] = {}
        changes = 0
        for kind, value, place in steps:
            with suppress(AgentTowerError):
                step(registry, roles, kind, value, place)
            records = agents.listing(
                roles=None, container_id=None, active_only=False, parent_agent_id=None
            )
            now = {record.agent_id: record.role for record in records}
            assert set(roles) <= set(now), "agents are never deleted"
            assert len({record.tmux_pane_id for record in records}) == len(records)
            for record in records:
                parent = parents.setdefault(record.agent_id, record.parent_agent_id)
                assert record.parent_agent_id == parent
                assert record.role != "swarm" or parent is not None
                became_master = record.role == "master" != roles.get(record.agent_id)
                assert kind == "set" or not became_master
            changes += sum(roles.get(name) != role for name, role in now.items())
            roles = now
        assert len(registry.audits("agent_role_change")) == changes


@given(role=st.sampled_from(list(Role)))
def test_permissions_follow_from_the_role_alone(role: Role) -> None:
    allowed = effective_permissions(role)
    assert allowed["can_send"] is (role is Role.MASTER)
    assert allowed["can_send_to_roles"] == (["slave", "swarm"] if role is Role.MASTER else [])
    assert allowed["can_receive"] is (role in (Role.SLAVE, Role.SWARM))
