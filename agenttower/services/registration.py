"""``register_agent``: who lives in a pane (legacy surfaces part 1, section 8.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from agenttower.clock import Clock
from agenttower.crashpoints import crash_point
from agenttower.domain.cleaning import MAX_LABEL
from agenttower.domain.identifiers import is_agent_id, is_container_id, new_agent_id
from agenttower.domain.permissions import Role
from agenttower.errors import (
    AgentTowerError,
    MasterViaRegister,
    PaneAlreadyRegistered,
    PaneMadeHere,
    PaneUnknownToDaemon,
    ParentImmutable,
    ParentInactive,
    ParentNotFound,
    ParentRoleInvalid,
    ParentRoleMismatch,
    SwarmParentRequired,
    ValueOutOfSet,
)
from agenttower.services.agent_fields import (
    check_capability,
    check_project_path,
    check_role,
    fit_label,
)
from agenttower.services.agents import agent_view, audit_role_change
from agenttower.services.caller import Caller
from agenttower.store import agents, containers, layouts, panes, registry
from agenttower.store.agents import AgentRecord
from agenttower.store.database import Store, Transaction
from agenttower.store.panes import PaneKey, PaneRecord

Outcome = Literal["created", "reactivated", "updated"]

ID_TRIES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A registration as it was asked for. ``None`` means: keep what stands, or the default.

    ``new_agent_id`` is the id that the agent gets if there is none in the pane; it is chosen
    beforehand, since the default path of its log has it.
    """

    key: PaneKey
    caller: Caller
    new_agent_id: str
    role: str | None = None
    capability: str | None = None
    label: str | None = None
    project_path: str | None = None
    parent_agent_id: str | None = None
    parent_given: bool = False
    """``parent_agent_id`` was named, even if as none."""
    adopts: bool = False
    """A pane with an active agent is refused: nothing of that one is changed."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration did."""

    agent_id: str
    outcome: Outcome


class Registration:
    """Creates, refreshes and reactivates agents."""

    def __init__(self, store: Store, clock: Clock, wake_readers: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._wake_readers = wake_readers

    def wanted(
        self,
        caller: Caller,
        key: PaneKey,
        given: Mapping[str, Any],
        *,
        adopts: bool = False,
        longest_label: int = MAX_LABEL,
    ) -> Wanted:
        """Checks 2 to 4: what can be judged without looking at anything that is stored.

        :param given: the optional parameters that were named, and no others.
        :param adopts: see :class:`Wanted`.
        :param longest_label: in characters.
        :raises ValueOutOfSet: a role, capability or id is none.
        :raises FieldTooLong: a text is too long, or ``project_path`` can be none.
        :raises MasterViaRegister: nobody registers as master.
        """
        role, capability = given.get("role"), given.get("capability")
        parent = given.get("parent_agent_id")
        if not is_container_id(key.container_id) or len(key.container_id) != 64:
            raise ValueOutOfSet("container_id must have exactly 64 lower-case hex digits")
        check_role(role)
        check_capability(capability)
        if parent is not None and not is_agent_id(parent):
            raise ValueOutOfSet("parent_agent_id must look like agt_0123456789ab")
        label = given.get("label")
        label = None if label is None else fit_label(label, longest_label)
        path = given.get("project_path")
        if path is not None:
            check_project_path(path)
        if role == Role.MASTER:
            raise MasterViaRegister
        return Wanted(
            key=key,
            caller=caller,
            new_agent_id=self._free_id(),
            role=role,
            capability=capability,
            label=label,
            project_path=path,
            parent_agent_id=parent,
            parent_given="parent_agent_id" in given,
            adopts=adopts,
        )

    def register_agent(self, wanted: Wanted) -> dict[str, Any]:
        """Register an agent without touching its log.

        :raises HostOnly: the pane is in another container than the caller (R12).
        :raises AgentTowerError: as :meth:`register`.
        """
        wanted.caller.require_container(wanted.key.container_id)
        with self._store.transaction() as transaction:
            done = self.register(transaction, wanted)
        return self.view(done.agent_id, done.outcome)

    def view(self, agent_id: str, outcome: str) -> dict[str, Any]:
        """The agent as a registration answers it."""
        record = agents.by_id(agent_id)
        assert record is not None
        return {**agent_view(record), "created_or_reactivated": outcome}

    def foresee(self, wanted: Wanted) -> str:
        """The id of the agent that :meth:`register` would register; writes nothing.

        :raises AgentTowerError: as :meth:`register`.
        """
        _, standing = self._judge(wanted)
        return wanted.new_agent_id if standing is None else standing.agent_id

    def register(self, transaction: Transaction, wanted: Wanted) -> Registered:
        """Checks 5 to 8 and the rows, all in the caller's transaction.

        :raises PaneUnknownToDaemon: the pane is not there, or is not to be registered.
        :raises PaneAlreadyRegistered: it has an agent, and ``wanted`` adopts.
        :raises ParentImmutable: or another error of the swarm rules.
        """
        transaction.afterwards("crash", lambda: crash_point("register.committed"))
        pane, standing = self._judge(wanted)
        now = self._clock()
        role = wanted.role or (standing.role if standing else Role.UNKNOWN.value)
        facts: dict[str, object] = {
            "role": role,
            "pane_pid": pane.pane_pid,
            "cwd": pane.pane_current_path,
            "tmux_server": pane.tmux_server,
            "last_registered_at": now,
            "active": True,
        }
        if standing is None:
            registry.insert(_new_row(wanted) | facts | {"created_at": now})
            done = Registered(wanted.new_agent_id, "created")
        else:
            registry.update(standing.agent_id, facts | _named(wanted))
            done = Registered(standing.agent_id, "updated" if standing.active else "reactivated")
        prior = None if standing is None else standing.role
        if prior != role:
            audit_role_change(done.agent_id, prior, role, False, wanted.caller, now)
        transaction.afterwards("readers", self._wake_readers)
        crash_point("register.committing")
        return done

    # --- judging ---------------------------------------------------------------------------------

    def _judge(self, wanted: Wanted) -> tuple[PaneRecord, AgentRecord | None]:
        """The pane, and the agent that is in it already."""
        pane = panes.by_key(wanted.key)
        standing, problem = _standing(wanted.key, pane)
        if wanted.adopts and standing is not None and standing.active:
            raise PaneAlreadyRegistered(standing.agent_id)
        check_parent_fits_role(wanted, standing)
        if problem is not None:
            raise problem
        container = containers.by_ref(wanted.key.container_id)
        if pane is None or not pane.active or container is None or not container.active:
            raise _unknown(wanted.key, "no pane that is alive now")
        if (
            standing is not None
            and wanted.parent_given
            and wanted.parent_agent_id != standing.parent_agent_id
        ):
            raise ParentImmutable(standing.agent_id, standing.parent_agent_id)
        becomes_swarm = wanted.role == Role.SWARM and (
            standing is None or standing.role != Role.SWARM
        )
        if becomes_swarm:
            parent_id = wanted.parent_agent_id or (standing and standing.parent_agent_id) or ""
            _check_parent(parent_id, wanted.caller)
        return pane, standing

    def _free_id(self) -> str:
        for _ in range(ID_TRIES):
            agent_id = new_agent_id(os.urandom)
            if not registry.is_taken(agent_id):
                return agent_id
        raise AgentTowerError("no free agent id was found; try again")


_TEXTS = {"capability": "unknown", "label": "", "project_path": ""}
"""What a registration may say of an agent, beside its role, and what it is without a word."""


def _named(wanted: Wanted) -> dict[str, object]:
    texts = {name: getattr(wanted, name) for name in _TEXTS}
    return {name: text for name, text in texts.items() if text is not None}


def _new_row(wanted: Wanted) -> dict[str, object]:
    return {
        "agent_id": wanted.new_agent_id,
        **asdict(wanted.key),
        **_TEXTS,
        **_named(wanted),
        "parent_agent_id": wanted.parent_agent_id,
        "origin": "adopted",
    }


def check_parent_fits_role(wanted: Wanted, standing: AgentRecord | None) -> None:
    """Check 5. What was named is judged, completed by what stands; never what stands alone, so
    that an agent that was moved away from ``swarm`` can still be registered.

    :raises SwarmParentRequired: swarm, and no parent was named or stands.
    :raises ParentRoleMismatch: a parent was named for an agent of another role.
    """
    if wanted.role == Role.SWARM:
        stands = None if standing is None else standing.parent_agent_id
        if (wanted.parent_agent_id if wanted.parent_given else stands) is None:
            raise SwarmParentRequired
    elif wanted.parent_agent_id is not None and (wanted.role is not None or standing is None):
        raise ParentRoleMismatch(wanted.role or Role.UNKNOWN.value)


def _check_parent(parent_id: str, caller: Caller) -> None:
    parent = agents.by_id(parent_id)
    hidden = parent is not None and caller.scope not in (None, parent.container_id)
    if parent is None or hidden:
        raise ParentNotFound(f"no agent {parent_id} to be the parent; see 'agenttower agent list'")
    if not parent.active:
        raise ParentInactive(f"agent {parent_id} has lost its pane, so it cannot be the parent")
    if parent.role != Role.SLAVE:
        raise ParentRoleInvalid(f"agent {parent_id} is a {parent.role}; a parent must be a slave")


def _standing(
    key: PaneKey, pane: PaneRecord | None
) -> tuple[AgentRecord | None, AgentTowerError | None]:
    """The agent that is in the pane already, or why none may be.

    A pane of ours has the agent that its creation registered. Where that has ended, or is not yet
    there, nobody is adopted in its place: the pane is cleared away when it is removed or recreated,
    and adopted agents are never destroyed (FR-012).
    """
    if pane is None or pane.managed_pane_id is None:
        agent_id = registry.adopted_on(key)
        return (None if agent_id is None else agents.by_id(agent_id)), None
    managed = layouts.pane(pane.managed_pane_id)
    agent = agents.by_id(managed.reserved_agent_id) if managed else None
    if managed is None or agent is None or not agent.active:
        state = managed.state.value if managed else "unknown"
        return None, _unknown(
            key,
            f"a pane that AgentTower made ({pane.managed_pane_id}, {state}) and that has no "
            "living agent",
            PaneMadeHere,
        )
    return agent, None


def _unknown(
    key: PaneKey, what: str, kind: type[PaneUnknownToDaemon] = PaneUnknownToDaemon
) -> PaneUnknownToDaemon:
    return kind(
        f"pane {key.short()} ({key.tmux_pane_id}) of container {key.container_id[:12]} is {what}; "
        "run 'agenttower scan --panes', and see 'agenttower pane all'"
    )
