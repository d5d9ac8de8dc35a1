"""``register_agent`` with ``attach_log``: the agent and its log, or neither.

The front end judges and orders; the worker starts the pipe, and then writes both rows in one
transaction (legacy surfaces part 1, section 8.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agenttower.bench.interface import PaneTarget
from agenttower.errors import PaneUnknownToDaemon
from agenttower.services.agent_logs import AgentLogs, NewRegistration
from agenttower.services.caller import Caller
from agenttower.services.registration import Registration, Wanted
from agenttower.store import panes
from agenttower.store.database import Transaction
from agenttower.store.panes import PaneKey

_SHOWN = (
    "attachment_id",
    "log_path",
    "source",
    "status",
    "byte_offset",
    "line_offset",
    "is_new",
)
"""What the contract has of an attachment in this place."""


class LoggedRegistration:
    """Orders registrations with a log, in the front end."""

    def __init__(self, registration: Registration, logs: AgentLogs) -> None:
        self._registration = registration
        self._logs = logs

    def begin(self, change_id: str, wanted: Wanted, log_path: str | None) -> bool:
        """Order one, after all that can be judged now has been.

        :param change_id: as for :meth:`agenttower.services.agent_logs.AgentLogs.begin_attach`, as
            is what is returned.
        :raises HostOnly: the pane is in another container than the caller (R12).
        :raises AgentTowerError: of the registration first, then of the log.
        """
        wanted.caller.require_container(wanted.key.container_id)
        if self._logs.is_accepted(change_id):
            return True
        agent_id = self._registration.foresee(wanted)
        return self._logs.begin_registration(
            wanted.caller,
            change_id,
            NewRegistration(
                agent_id,
                wanted.key.container_id,
                _target(wanted.key),
                asdict(wanted) | {"agent_id": agent_id},
            ),
            log_path,
        )

    def outcome(self, change_id: str) -> dict[str, Any] | None:
        """The result of section 8.3; ``None`` while it is under way.

        :raises AgentTowerError: it failed, and nothing of it is kept.
        """
        done = self._logs.outcome(change_id)
        if done is None:
            return None
        registered = done["registration"]
        attached = {name: done["attach_log"][name] for name in _SHOWN}
        view = self._registration.view(registered["agent_id"], registered["outcome"])
        # The contract nests the record beside an attached log; known clients read it flat.
        nested = {k: v for k, v in view.items() if k != "created_or_reactivated"}
        return {**view, "agent": nested, "attach_log": attached}


class RegistrationWriter:
    """Implements :class:`agenttower.services.agent_log_steps.Registrar`, in the worker."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration

    def register(self, transaction: Transaction, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Register what :class:`LoggedRegistration` ordered.

        :raises PaneUnknownToDaemon: somebody else registered the pane meanwhile, or it is gone.
        """
        document = dict(wanted)
        agent_id = document.pop("agent_id")
        document["key"] = PaneKey(**document["key"])
        document["caller"] = Caller(**document["caller"])
        done = self._registration.register(transaction, Wanted(**document))
        if done.agent_id != agent_id:
            raise PaneUnknownToDaemon(
                f"pane {document['key'].short()} was registered by somebody else meanwhile, as "
                f"{done.agent_id}; register it again"
            )
        return {"agent_id": done.agent_id, "outcome": done.outcome}


def _target(key: PaneKey) -> PaneTarget:
    pane = panes.by_key(key)
    assert pane is not None, "it was foreseen"
    token = (pane.managed_pane_id or "").replace("-", "")
    return PaneTarget(key.tmux_socket_path, key.tmux_pane_id, pane.pane_pid, token)
