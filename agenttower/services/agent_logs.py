"""Attaching and detaching the logs of agents (legacy surfaces part 1, section 9).

Everything that can be refused is refused here, before anything is written. What is accepted becomes
a row of ``log_change`` and a durable operation of the worker, who alone changes pipes; the request
waits for its outcome without holding a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agenttower.bench.interface import PaneTarget
from agenttower.bench.visibility import TooManyMounts
from agenttower.clock import Clock
from agenttower.domain.states import State
from agenttower.engine import presence
from agenttower.engine.engine import Engine
from agenttower.errors import (
    AgentInactive,
    AttachmentNotFound,
    ContainerOfAgentInactive,
    LogPathInUse,
    PaneUnknownToDaemon,
    RecordedError,
    WorkerUnavailable,
)
from agenttower.services.agents import known_agent
from agenttower.services.caller import Caller
from agenttower.services.log_place import LogPlaces, stored_info
from agenttower.services.log_signals import mounts_oversized
from agenttower.store import agent_logs, containers, layouts, log_changes, panes_seen
from agenttower.store.agents import AgentRecord
from agenttower.store.containers import ContainerRecord
from agenttower.store.database import Store, Transaction
from agenttower.store.ledger import NewStep

ATTACH, DETACH, UNDO = "agent_log_attach", "agent_log_detach", "agent_log_undo"
STAGES = (ATTACH, DETACH, UNDO)


@dataclass(frozen=True, slots=True)
class NewRegistration:
    """An agent that is to be registered with its log, or not at all.

    ``agent_id`` is that of the pane's agent, or the one that it will get; ``document`` is for the
    :class:`~agenttower.services.agent_log_steps.Registrar` in the worker.
    """

    agent_id: str
    container_id: str
    target: PaneTarget
    document: Mapping[str, Any]


class AgentLogs:
    """The service behind ``attach_log``, ``detach_log`` and ``register_agent``'s ``attach_log``.

    :param rescan: looks for the panes of one container again.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        places: LogPlaces,
        clock: Clock,
        rescan: Callable[[str], object] = lambda container_id: None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._places = places
        self._clock = clock
        self._rescan = rescan

    def is_accepted(self, change_id: str) -> bool:
        """Whether this request has been taken down already."""
        return log_changes.by_id(change_id) is not None

    def agent_of(self, change_id: str) -> str | None:
        """Whose log an accepted request is about."""
        change = log_changes.by_id(change_id)
        return None if change is None else change.agent_id

    def begin_attach(
        self, caller: Caller, change_id: str, agent_id: str, log_path: str | None
    ) -> bool:
        """Order that an agent's output goes into a file of the host.

        :param change_id: names the request; asking again with the same one orders nothing more.
        :param log_path: as the bench sees it; ``None`` for the usual place.
        :return: ``False`` where something else is being done to this log: ask again after it.
        :raises AgentTowerError: as legacy section 9.5 says, before anything was done.
        """
        if self.is_accepted(change_id):
            return True
        agent, container = self._living_agent(caller, agent_id)
        if _is_busy(agent):
            return False
        target = self._target(agent)
        request = self._request(container, agent_id, log_path, "explicit", caller, target)
        return self._accept(change_id, agent_id, container.id, ATTACH, request)

    def begin_registration(
        self, caller: Caller, change_id: str, wanted: NewRegistration, log_path: str | None
    ) -> bool:
        """As :meth:`begin_attach`, for an agent that is registered in the same transaction.

        Who may register what has been checked by then.
        """
        if self.is_accepted(change_id):
            return True
        if log_changes.under_way(wanted.agent_id) is not None:
            return False
        container = containers.by_ref(wanted.container_id)
        if container is None or not container.active:
            raise PaneUnknownToDaemon(f"container {wanted.container_id[:12]} does not run")
        request = self._request(
            container, wanted.agent_id, log_path, "register_self", caller, wanted.target
        )
        request["registration"] = dict(wanted.document)
        return self._accept(change_id, wanted.agent_id, container.id, ATTACH, request)

    def begin_detach(self, caller: Caller, change_id: str, agent_id: str) -> bool:
        """Order that an agent's output is captured no more; the file is kept.

        :return: as :meth:`begin_attach`.
        :raises AttachmentNotFound: no log of it is attached now.
        """
        if self.is_accepted(change_id):
            return True
        agent, container = self._living_agent(caller, agent_id)
        if _is_busy(agent):
            return False
        latest = agent_logs.newest(agent_id)
        if latest is None or latest.status != "active":
            state = "none was ever attached" if latest is None else f"its log is {latest.status}"
            raise AttachmentNotFound(
                f"agent {agent_id} has no active log: {state}; "
                f"see 'agenttower agent log-status {agent_id}'"
            )
        request = {
            "target": asdict(self._target(agent)),
            "peer_uid": caller.uid,
            "attribution": caller.attribution,
        }
        return self._accept(change_id, agent_id, container.id, DETACH, request)

    def outcome(self, change_id: str) -> dict[str, Any] | None:
        """What became of an accepted request; ``None`` while it is under way.

        :raises AgentTowerError: it failed, with the code of legacy section 9.5 or 9.6.
        """
        change = log_changes.by_id(change_id)
        if change is None or change.under_way:
            return None
        outcome = change.outcome or {}
        if change.state == "failed":
            raise RecordedError(outcome["code"], outcome["message"], outcome.get("details") or {})
        return outcome

    # --- checks ----------------------------------------------------------------------------------

    def _living_agent(self, caller: Caller, agent_id: str) -> tuple[AgentRecord, ContainerRecord]:
        agent = known_agent(caller, agent_id)
        container = containers.by_ref(agent.container_id)
        if container is None or not container.active:
            raise ContainerOfAgentInactive(agent_id, agent.container_id)
        if not agent.active:
            raise AgentInactive(
                f"agent {agent_id} is inactive: its pane is gone; register it again in its new one"
            )
        return agent, container

    def _target(self, agent: AgentRecord) -> PaneTarget:
        pane = layouts.pane_of_agent(agent.agent_id) if agent.origin == "managed" else None
        if pane is not None:
            if pane.state in (State.FAILED, State.REMOVED):
                raise PaneUnknownToDaemon(
                    f"pane {pane.label} of agent {agent.agent_id} is {pane.state}"
                )
            return PaneTarget(
                agent.tmux_socket_path, agent.tmux_pane_id, pane.pane_pid or 0, pane.tmux_token
            )
        pid = panes_seen.living_pid(agent)
        if pid is None:
            self._rescan(agent.container_id)
            pid = panes_seen.living_pid(agent)
        if pid is None:
            raise PaneUnknownToDaemon(
                f"the pane {agent.tmux_pane_id} of agent {agent.agent_id} is not there; "
                "see 'agenttower agent list', and register the agent in the pane it has now"
            )
        return PaneTarget(agent.tmux_socket_path, agent.tmux_pane_id, pid)

    def _request(
        self,
        container: ContainerRecord,
        agent_id: str,
        log_path: str | None,
        source: str,
        caller: Caller,
        target: PaneTarget,
    ) -> dict[str, Any]:
        host_path = self._proven(container, agent_id, log_path)
        owner = agent_logs.active_on(str(host_path))
        if owner is not None and owner.agent_id != agent_id:
            raise LogPathInUse(str(host_path), owner.agent_id)
        return {
            "log_path": str(host_path),
            "wanted": log_path,
            "source": source,
            "target": asdict(target),
            "trusted": caller.kind == "host",
            "peer_uid": caller.uid,
            "attribution": caller.attribution,
        }

    def _proven(self, container: ContainerRecord, agent_id: str, log_path: str | None) -> Path:
        info = stored_info(container)
        try:
            if log_path is None:
                usual = self._places.usual_path(container.id, agent_id)
                return self._places.usual(info, None, usual).host_path
            return self._places.chosen(info, container.id, log_path).host_path
        except TooManyMounts as error:
            mounts_oversized(container.name, error.count)
            raise

    # --- writing ---------------------------------------------------------------------------------

    def _accept(
        self, change_id: str, agent_id: str, container_id: str, stage: str, request: dict[str, Any]
    ) -> bool:
        if not presence.heard_of_a_worker(self._clock()):
            raise WorkerUnavailable
        kind = "detach" if stage == DETACH else "attach"
        with self._store.transaction() as transaction:
            if log_changes.under_way(agent_id) is not None:
                return False
            if log_changes.pane_is_busy(container_id, request):
                return False
            log_changes.insert(change_id, agent_id, container_id, kind, request, self._clock())
            self._submit(transaction, stage, change_id, container_id)
        return True

    def _submit(
        self, transaction: Transaction, stage: str, change_id: str, container_id: str
    ) -> None:
        self._engine.submit(
            transaction,
            stage,
            container_id,
            in_line=False,
            subject_id=change_id,
            requested_by="operator",
            steps=[NewStep(stage, change_id)],
        )


def _is_busy(agent: AgentRecord) -> bool:
    """Something is being done to the log already, by a request or by the creation of the pane."""
    if log_changes.under_way(agent.agent_id) is not None:
        return True
    pane = layouts.pane_of_agent(agent.agent_id) if agent.origin == "managed" else None
    return pane is not None and pane.state is State.CREATING
