"""Looks after the logs of adopted agents, all the time (legacy surfaces part 1, section 9.4).

A pipe that has ended is made again while its file is there. A file that has vanished makes its
attachment ``stale``: who took it away may want it so, and only attaching again resumes it. Managed
panes are looked after by :mod:`agenttower.services.managed.reconcile`.
"""

from __future__ import annotations

import logging
from pathlib import Path

from agenttower.bench.interface import Bench, Deadline, PaneTarget
from agenttower.errors import BenchError
from agenttower.services import log_signals
from agenttower.services.agent_log_steps import LogParts
from agenttower.store import agent_logs, agents, log_attaching, log_changes, panes_seen
from agenttower.store.agent_logs import AttachmentRecord

log = logging.getLogger(__name__)


class LogWatch:
    """Looks at one container at a time."""

    def __init__(self, parts: LogParts) -> None:
        self._parts = parts
        self._returned: set[tuple[str, str]] = set()

    def container(self, container_id: str, deadline: Deadline) -> None:
        """Look at the logs of the container's adopted agents; what cannot be asked is left as is.

        :raises BenchError: the container could not be reached.
        """
        for attached in agent_logs.adopted(container_id, "active"):
            path = Path(attached.log_path)
            if self._parts.places.is_missing(path):
                self._vanished(attached)
            else:
                self._rearm(container_id, attached, deadline)
        for attached in agent_logs.adopted(container_id, "stale"):
            self._look_for(attached)

    def _vanished(self, attached: AttachmentRecord) -> None:
        with self._parts.store.transaction() as transaction:
            standing = agent_logs.current(attached.agent_id)
            if standing is None or standing.attachment_id != attached.attachment_id:
                return
            if log_attaching.end(attached.agent_id, "stale", self._parts.clock()) is None:
                return
            self._parts.wake(transaction)
        seen = agent_logs.offset(attached.agent_id, attached.log_path)
        log_signals.missing(attached.agent_id, attached.log_path, seen)

    def _look_for(self, attached: AttachmentRecord) -> None:
        """Tell once of each file that appears at the place of a stale log."""
        file = self._parts.places.file(Path(attached.log_path))
        if file is None or (attached.attachment_id, file.inode) in self._returned:
            return
        self._returned.add((attached.attachment_id, file.inode))
        seen = agent_logs.offset(attached.agent_id, attached.log_path)
        log_signals.returned(attached.agent_id, attached.log_path, seen, file)

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
