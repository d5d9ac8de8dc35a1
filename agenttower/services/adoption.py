"""Adopting a discovered pane: it becomes the pane of a registered agent (app surface, section 14).

It is a registration like one from inside the pane, with two differences: the pane must be named as
it was discovered, part by part, and one that has an agent is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any

from agenttower.domain.cleaning import MAX_APP_LABEL
from agenttower.domain.pane_identity import FIELDS, mismatch
from agenttower.errors import (
    AgentTowerError,
    ContainerInactive,
    PaneMadeHere,
    PaneMismatch,
    PaneUnknownToDaemon,
)
from agenttower.services.agent_logs import AgentLogs
from agenttower.services.caller import Caller
from agenttower.services.logged_registration import LoggedRegistration
from agenttower.services.registration import Registration, Wanted
from agenttower.store import containers, panes
from agenttower.store.panes import PaneKey


class Adoption:
    """The service behind ``app.agent.register_from_pane``."""

    def __init__(
        self, registration: Registration, logged: LoggedRegistration, logs: AgentLogs
    ) -> None:
        self._registration = registration
        self._logged = logged
        self._logs = logs

    def adopt(self, caller: Caller, key: PaneKey, given: Mapping[str, Any]) -> str:
        """Register an agent in a pane, without a log; returns its id.

        :param given: role, capability and label, and what else was named, checked for shape.
        :raises PaneMismatch: no discovered pane is exactly the named one.
        :raises ContainerInactive: the pane's container does not run.
        :raises PaneAlreadyRegistered: the pane has an agent.
        :raises AgentTowerError: as :meth:`Registration.register`.
        """
        wanted = self._wanted(caller, key, given)
        try:
            registered: str = self._registration.register_agent(wanted)["agent_id"]
            return registered
        except PaneUnknownToDaemon as error:
            raise _named(error, key) from error

    def begin(self, caller: Caller, change_id: str, key: PaneKey, given: Mapping[str, Any]) -> bool:
        """Order the same with a log: agent and log together, or neither.

        :param change_id: names the request; asking again with the same one orders nothing more.
        :return: ``False`` where something else is being done to this pane's log: ask again.
        """
        if self._logs.is_accepted(change_id):
            return True
        wanted = self._wanted(caller, key, given)
        try:
            agent_id = self._registration.foresee(wanted)
            with _naming(agent_id):
                return self._logged.begin(change_id, wanted, None)
        except PaneUnknownToDaemon as error:
            raise _named(error, key) from error

    def outcome(self, change_id: str) -> str | None:
        """The id of the agent, or ``None`` while it is under way.

        :raises AgentTowerError: it failed, and nothing of it is kept; ``agent_id`` of its details
            is that of the agent there would be.
        """
        with _naming(self._logs.agent_of(change_id)):
            done = self._logged.outcome(change_id)
        return None if done is None else str(done["agent_id"])

    def _wanted(self, caller: Caller, key: PaneKey, given: Mapping[str, Any]) -> Wanted:
        _check_identity(key)
        return self._registration.wanted(
            caller, key, given, adopts=True, longest_label=MAX_APP_LABEL
        )


@contextmanager
def _naming(agent_id: str | None) -> Iterator[None]:
    """Errors of what is done here name the agent that it is done for."""
    try:
        yield
    except AgentTowerError as error:
        error.details.setdefault("agent_id", agent_id)
        raise


def _check_identity(key: PaneKey) -> None:
    container = containers.by_ref(key.container_id)
    known = container is not None and container.id == key.container_id
    if known and container is not None and not container.active:
        raise ContainerInactive(
            f"container {container.name} ({container.id[:12]}) does not run; start it, scan the "
            "containers and then the panes",
            container_id=container.id,
        )
    discovered = panes.listing(active_only=True, container=None, only_id=None)
    wrong = mismatch(astuple(key), [astuple(pane.key) for pane in discovered])
    if wrong is not None:
        raise PaneMismatch(key.tmux_pane_id, wrong)


def _named(error: PaneUnknownToDaemon, key: PaneKey) -> PaneUnknownToDaemon:
    """The error of a registration that found its pane gone after all."""
    if isinstance(error, PaneMadeHere | PaneMismatch):
        return error
    return PaneMismatch(key.tmux_pane_id, FIELDS[-1])
