"""What a pane scan does to the rows (legacy surfaces part 1, section 7.3).

All of it happens in the caller's transaction. A pane that could not be looked for is never called
gone; one that is gone takes its adopted agent and the capture of its output with it. Agents of
managed panes follow their pane's own record, which says "gone" only after two looks
(:mod:`agenttower.services.managed.reconcile`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from agenttower.bench.interface import Discovery, FoundPane, SocketFailure
from agenttower.clock import Micros
from agenttower.domain.cleaning import MAX_PATH, MAX_TEXT, clean
from agenttower.domain.identifiers import MARKER_PREFIX
from agenttower.domain.states import State
from agenttower.store import containers, layouts, panes, registry
from agenttower.store.layouts import PaneRecord
from agenttower.store.panes import PaneKey, PaneSight

NO_TMUX = ("socket_dir_missing", "tmux_no_server")
"""Nobody has started tmux in the bench: a failure of the look only where panes are known there."""


@dataclass(frozen=True, slots=True)
class Look:
    """One container as the scan found it. ``discovery`` is ``None`` where it could not look."""

    container_id: str
    discovery: Discovery | None
    failures: Sequence[SocketFailure] = ()

    @property
    def unreachable(self) -> bool:
        """Nothing at all was learnt: no socket could be asked, or each of them failed."""
        failed = {failure.socket_path for failure in self.failures}
        listed = () if self.discovery is None else self.discovery.listed
        return not set(listed) - failed

    @property
    def error(self) -> str | None:
        """The first failure's code; ``None`` where all of the look worked."""
        return self.failures[0].code if self.failures else None


@dataclass(slots=True)
class Counts:
    """The counters of ``scan_panes``, by their names on the wire."""

    containers_scanned: int = 0
    sockets_scanned: int = 0
    panes_seen: int = 0
    panes_newly_active: int = 0
    panes_reconciled_to_inactive: int = 0
    containers_skipped_inactive: int = 0
    containers_tmux_unavailable: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """A field that was longer than a row keeps."""

    socket_path: str
    pane_id: str
    field: str
    original_len: int


@dataclass
class Sightings:
    """The reconciliation of one scan.

    :param started_at: when the scan began: what ``last_seen_at`` says.
    :param now: when its rows are written.
    """

    started_at: Micros
    now: Micros
    counts: Counts = field(default_factory=Counts)
    cuts: dict[str, list[Cut]] = field(default_factory=dict)
    """By container."""

    def reconcile(self, looks: Sequence[Look], inactive_ids: Iterable[str]) -> None:
        """Write what was seen.

        :param inactive_ids: containers that do not run: nothing was looked for in them.
        """
        for look in looks:
            self._container(look)
        for container_id in inactive_ids:
            gone = panes.stored_active([container_id])
            self.counts.containers_skipped_inactive += bool(gone)
            self._gone(gone)
            self._follow(container_id, gone, {})

    def _container(self, look: Look) -> None:
        self.counts.containers_scanned += 1
        self.counts.containers_tmux_unavailable += look.unreachable
        before = panes.stored_active([look.container_id])
        seen: dict[PaneKey, str] = {}
        skipped: set[PaneKey] = set()
        if look.discovery is not None:
            self.counts.sockets_scanned += len(look.discovery.listed)
            seen, skipped = self._see_all(look.container_id, look.discovery, before)
        failed = {failure.socket_path for failure in look.failures}
        missing = before.keys() - seen.keys() - skipped
        unknown = {key for key in missing if look.unreachable or key.tmux_socket_path in failed}
        panes.touch(unknown, self.now)
        nothing_to_see = look.error in NO_TMUX and not before
        containers.panes_looked_at(
            look.container_id, None if nothing_to_see else look.error, self.now
        )
        self._gone(missing - unknown)
        self._follow(look.container_id, missing - unknown, seen)

    def _see_all(
        self, container_id: str, discovery: Discovery, before: dict[PaneKey, str]
    ) -> tuple[dict[PaneKey, str], set[PaneKey]]:
        """Store what is there. :return: the servers of these panes, and those left out."""
        tokens = {pane.token for pane in discovery.panes if pane.token}
        ours = layouts.by_token(container_id, tokens)
        seen: dict[PaneKey, str] = {}
        skipped: set[PaneKey] = set()
        for pane in discovery.panes:
            sight = self._sight(container_id, discovery.user, pane)
            if _is_pending(pane, ours.get(pane.token)):
                skipped.add(sight.key)
            else:
                self._see(sight, before)
                seen[sight.key] = sight.tmux_server
        shown = [record.pane_id for record in ours.values() if record.state is not State.CREATING]
        registry.mark_seen(registry.managed_of(container_id, shown), self.started_at)
        return seen, skipped

    def _see(self, sight: PaneSight, before: dict[PaneKey, str]) -> None:
        known = before.get(sight.key)
        replaced = known is not None and known != sight.tmux_server
        panes.see(sight, self.now, anew=replaced)
        self.counts.panes_seen += 1
        self.counts.panes_newly_active += known is None or replaced
        self.counts.panes_reconciled_to_inactive += replaced

    def _gone(self, keys: Collection[PaneKey]) -> None:
        panes.forget(keys, self.now)
        self.counts.panes_reconciled_to_inactive += len(keys)

    def _follow(
        self, container_id: str, gone: Collection[PaneKey], seen: dict[PaneKey, str]
    ) -> None:
        """Adopted agents follow their panes; one on another tmux server is another pane."""
        there: list[str] = []
        for agent in registry.adopted_in([container_id]):
            server = seen.get(agent.key)
            if server is not None and server == agent.tmux_server:
                there.append(agent.agent_id)
            elif server is not None or agent.key in gone:
                registry.deactivate(agent.agent_id)
                self._end_logs(agent.agent_id)
        registry.mark_seen(there, self.started_at)

    def _end_logs(self, agent_id: str) -> None:
        for ended in registry.end_logs(agent_id, self.now):
            payload = {
                "attachment_id": ended.attachment_id,
                "agent_id": agent_id,
                "prior_status": "active",
                "new_status": "stale",
                "prior_path": ended.log_path,
                "new_path": ended.log_path,
                "prior_pipe_target": ended.prior_pipe_target,
                "source": ended.source,
                "socket_peer_uid": os.geteuid(),
            }
            containers.append_audit("log_attachment_change", payload, self.now)

    def _sight(self, container_id: str, user: str, pane: FoundPane) -> PaneSight:
        cuts: list[Cut] = []

        def fit(name: str, text: str, limit: int = MAX_TEXT) -> str:
            text = clean(text)
            if len(text) > limit:
                cuts.append(Cut(pane.socket_path, pane.pane_id, name, len(text)))
            return text[:limit]

        sight = PaneSight(
            key=PaneKey(
                container_id,
                fit("tmux_socket_path", pane.socket_path),
                fit("tmux_session_name", pane.session_name),
                pane.window_index,
                pane.pane_index,
                pane.pane_id,
            ),
            tmux_server=pane.server,
            container_user=fit("container_user", user),
            token=pane.token,
            pane_pid=pane.pane_pid,
            pane_tty=fit("pane_tty", pane.tty),
            pane_current_command=fit("pane_current_command", pane.current_command),
            pane_current_path=fit("pane_current_path", pane.current_path, MAX_PATH),
            pane_title=fit("pane_title", pane.title),
            pane_active=pane.focused,
        )
        self.cuts.setdefault(container_id, []).extend(cuts)
        return sight


def _is_pending(pane: FoundPane, record: PaneRecord | None) -> bool:
    """Whether it is being made just now, by its row or by its title (managed.md section 7)."""
    return pane.title.startswith(MARKER_PREFIX) or (
        record is not None and record.state is State.CREATING
    )
