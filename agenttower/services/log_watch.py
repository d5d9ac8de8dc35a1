"""Looks after the logs of adopted agents, all the time (legacy surfaces part 1, section 9.4).

A pipe that has ended is made again while its file is there. A file that has vanished is the
reader's business (:mod:`agenttower.services.log_changes`): who took it away may want it so. Managed
panes are looked after by :mod:`agenttower.services.managed.reconcile`.
"""

from __future__ import annotations

import logging
from pathlib import Path

from agenttower.bench.interface import Bench, Deadline, PaneTarget
from agenttower.errors import BenchError
from agenttower.services.agent_log_steps import LogParts
from agenttower.store import agent_logs, agents, log_changes, panes_seen
from agenttower.store.agent_logs import AttachmentRecord

log = logging.getLogger(__name__)


class LogWatch:
    """Looks at one container at a time."""

    def __init__(self, parts: LogParts) -> None:
        self._parts = parts

    def container(self, container_id: str, deadline: Deadline) -> None:
        """Look at the logs of the container's adopted agents; what cannot be asked is left as is.

        :raises BenchError: the container could not be reached.
        """
        for attached in agent_logs.adopted(container_id, "active"):
            if not self._parts.places.is_missing(Path(attached.log_path)):
                self._rearm(container_id, attached, deadline)

    def _rearm(self, container_id: str, attached: AttachmentRecord, deadline: Deadline) -> None:
        with self._parts.turns.at(attached.agent_id):
            target = _target(attached)
            if target is None or attached.bench_path is None:
                return
            bench = self._parts.benches.get(container_id)
            if bench.is_piped(target, deadline) and bench.is_written(attached.bench_path, deadline):
                return
            try:
                self._pipe(bench, container_id, attached, target, deadline)
            except BenchError as error:
                log.warning(
                    "log of %s is not written: %s",
                    attached.agent_id,
                    error.message,
                    extra={"action": "log_not_written"},
                )

    def _pipe(
        self,
        bench: Bench,
        container_id: str,
        attached: AttachmentRecord,
        target: PaneTarget,
        deadline: Deadline,
    ) -> None:
        place = self._parts.places.make_again(bench, container_id, attached, deadline)
        if bench.pipe_into(target, place.bench_path, deadline) is not None:
            log.warning(
                "log pipe of %s re-armed", attached.agent_id, extra={"action": "log_rearmed"}
            )


def _target(attached: AttachmentRecord) -> PaneTarget | None:
    """The pane whose log is to be written now; ``None`` where that is changing, or it is gone."""
    standing = agent_logs.current(attached.agent_id)
    agent = agents.by_id(attached.agent_id)
    if standing is None or standing.status != "active" or agent is None or not agent.active:
        return None
    if log_changes.under_way(attached.agent_id) is not None:
        return None
    pid = panes_seen.living_pid(agent)
    if pid is None:
        return None
    return PaneTarget(agent.tmux_socket_path, agent.tmux_pane_id, pid)
