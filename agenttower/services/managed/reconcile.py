"""What stands in tmux against what the rows say, for one container at a time (FR-020).

Used at start of ``serve`` (recovery) and all the time by the worker (health). Only panes that have
settled are judged; what is being created is the ledger's business, what is being removed the
removal's. A pane is called gone after two independent observations, the second over a fresh
channel; a bench that cannot be asked tells nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agenttower.bench.interface import Bench, Deadline, PaneView
from agenttower.domain import events
from agenttower.domain.identifiers import MARKER_PREFIX
from agenttower.domain.states import Stage, State
from agenttower.errors import (
    BenchError,
    ContainerInactive,
    ContainerNotFound,
    LogNotVisible,
    LogTimeout,
)
from agenttower.services.log_place import Place
from agenttower.services.managed import log_rearm, removal, transitions
from agenttower.services.managed.pane_stage import (
    Parts,
    attach_log,
    last_words,
    read_last_words,
)
from agenttower.store import agents, layouts, ledger, log_attaching
from agenttower.store.database import Transaction
from agenttower.store.layouts import PaneRecord

log = logging.getLogger(__name__)


@dataclass
class Findings:
    """What a look at a container found; panes by their ids."""

    gone: dict[str, str] = field(default_factory=dict)
    """With the reason."""
    present: dict[str, PaneView] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    log_lost: dict[str, str] = field(default_factory=dict)
    log_back: dict[str, Place] = field(default_factory=dict)
    """Logs that are written although their attachments are not active."""


class Reconcile:
    """Compares and mends. Safe for several threads and processes: every change is conditional."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._benches = parts.benches
        self._clock = parts.clock

    def container(self, container_id: str, deadline: Deadline, *, recovering: bool = False) -> bool:
        """Look at one container's settled panes and write what follows, in one transaction.

        :param recovering: after a restart: tell per layout what was found (SC-009).
        :return: whether the container could be judged; ``False`` leaves every row as it is.
        """
        panes = _settled(container_id)
        try:
            findings = self._look(container_id, panes, deadline)
        except BenchError as error:
            log.info("not judged: %s", error.message, extra={"action": "reconcile_skipped"})
            return False
        self._write(panes, findings, recovering=recovering)
        return True

    # --- looking ---------------------------------------------------------------------------------

    def _look(self, container_id: str, panes: Sequence[PaneRecord], deadline: Deadline) -> Findings:
        findings = Findings()
        try:
            bench = self._benches.get(container_id)
            views = before = bench.find_panes(None, deadline)
            if any(pane.tmux_token not in views for pane in panes):
                self._benches.drop(container_id)
                bench = self._benches.get(container_id)
                views = bench.find_panes(None, deadline)
        except (ContainerInactive, ContainerNotFound) as error:
            reason = self._confirm_stopped(container_id, error)
            findings.gone = {pane.pane_id: reason for pane in panes}
            return findings
        self._tidy(bench, views, deadline)
        for pane in panes:
            view = views.get(pane.tmux_token)
            if view is None and pane.tmux_token in before:
                continue  # one look against another; the next one decides
            if view is None:
                findings.gone[pane.pane_id] = _why_gone(pane, views)
            else:
                findings.present[pane.pane_id] = view
                self._look_closer(bench, pane, view, findings, deadline)
        return findings

    def _tidy(self, bench: Bench, views: dict[str, PaneView], deadline: Deadline) -> None:
        """What could not be done when a pane settled, because the bench was out of reach.

        A pane that its row has given up must not run on: it may have come to be too late. One that
        stands, failed or not, must not keep its marker (managed.md section 7).
        """
        settled = layouts.settled_by_token(views)
        given_up = layouts.given_up(settled.values())
        for token, pane in settled.items():
            if pane.pane_id in given_up:
                bench.kill_pane(token, deadline)
                log.warning("leftover pane %s killed", token, extra={"action": "leftover_killed"})
            elif views[token].title.startswith(MARKER_PREFIX):
                bench.set_title(token, pane.label, deadline)

    def _confirm_stopped(self, container_id: str, error: BenchError) -> str:
        """The second observation: the engine's own word. A paused container has its panes still."""
        try:
            status = self._benches.inspect(container_id).status
        except ContainerNotFound:
            return "the container was removed, and its panes with it"
        if status in ("running", "paused"):
            raise error
        return f"the container is {status}; its panes ended with it"

    def _look_closer(
        self,
        bench: Bench,
        pane: PaneRecord,
        view: PaneView,
        findings: Findings,
        deadline: Deadline,
    ) -> None:
        if view.exit is not None and pane.exit_code is None:
            findings.words[pane.pane_id] = read_last_words(bench, pane, deadline)
        if pane.log_attached:
            try:
                place = log_rearm.rearm(self._parts, bench, pane, view, deadline)
            except (LogNotVisible, LogTimeout) as error:
                findings.log_lost[pane.pane_id] = error.message
            else:
                if place is not None:
                    findings.log_back[pane.pane_id] = place

    # --- writing ---------------------------------------------------------------------------------

    def _write(self, panes: Sequence[PaneRecord], findings: Findings, *, recovering: bool) -> None:
        changed = False
        with self._store.transaction() as transaction:
            transaction.afterwards(
                "readers", lambda: self._parts.wake_readers() if changed else None
            )
            for pane in panes:
                # Whoever removes it has begun since we looked, and will say what becomes of it.
                if not ledger.is_under_way(pane.pane_id, removal.STAGES):
                    changed |= self._write_pane(transaction, pane, findings)
            if recovering:
                changed |= self._tell_layouts(panes, findings)
            if changed:
                transaction.afterwards("readers", self._parts.wake_readers)

    def _write_pane(self, transaction: Transaction, pane: PaneRecord, findings: Findings) -> bool:
        now = self._clock()
        if pane.pane_id in findings.gone:
            agents.deactivate(pane.reserved_agent_id)
            log_attaching.end(pane.reserved_agent_id, "stale", now)
            return transitions.change_state(
                self._store,
                pane,
                State.FAILED,
                now=now,
                stage=Stage.RECOVERY_REATTACH,
                reason=findings.gone[pane.pane_id],
                log_attached=False,
            )
        view = findings.present.get(pane.pane_id)
        if view is None:
            return False
        if view.exit is not None and pane.exit_code is None:
            return self._write_exit(transaction, pane, view, findings.words[pane.pane_id])
        if pane.pane_id in findings.log_back and log_rearm.is_still_due(pane):
            attach_log(self._parts, pane, findings.log_back[pane.pane_id], now)
            transaction.afterwards("logs", self._parts.wake_logs)
            return True
        if pane.pane_id in findings.log_lost:
            return self._write_lost_log(pane, findings.log_lost[pane.pane_id])
        if view.pane_index != pane.tmux_pane_index or view.window_index != pane.tmux_window_index:
            layouts.update_pane(
                pane.pane_id,
                pane.state,
                tmux_pane_index=view.pane_index,
                tmux_window_index=view.window_index,
            )
        return False

    def _write_exit(
        self, transaction: Transaction, pane: PaneRecord, view: PaneView, words: str
    ) -> bool:
        assert view.exit is not None
        there = layouts.pane(pane.pane_id)
        if there is None or there.exit_code is not None:
            return False  # recovery and health look side by side; the other one has told it
        now = self._clock()
        told = [events.launch_command_exited(view.exit.code, view.exit.elapsed_ms)]
        facts: dict[str, Any] = {
            "exit_code": view.exit.code,
            "exit_elapsed_ms": view.exit.elapsed_ms,
        }
        if pane.state is not State.READY:
            return transitions.note(self._store, pane, told, now, **facts)
        moved = transitions.change_state(
            self._store,
            pane,
            State.DEGRADED,
            now=now,
            stage=Stage.LAUNCH_COMMAND,
            reason=last_words(view.exit, words),
            before=told,
            **facts,
        )
        if moved:
            self._parts.on_program_end(transaction, pane.pane_id)
        return moved

    def _write_lost_log(self, pane: PaneRecord, reason: str) -> bool:
        now = self._clock()
        log_attaching.end(pane.reserved_agent_id, "stale", now)
        told = [events.log_attach_failed(reason)]
        if pane.state is not State.READY:
            return transitions.note(self._store, pane, told, now, log_attached=False)
        return transitions.change_state(
            self._store,
            pane,
            State.DEGRADED,
            now=now,
            stage=Stage.LOG_ATTACH,
            reason=reason,
            before=told,
            log_attached=False,
        )

    def _tell_layouts(self, panes: Sequence[PaneRecord], findings: Findings) -> bool:
        now = self._clock()
        by_layout: dict[str, list[PaneRecord]] = {}
        for pane in panes:
            by_layout.setdefault(pane.layout_id, []).append(pane)
        for layout_id, own in by_layout.items():
            back = [pane.pane_id for pane in own if pane.pane_id in findings.present]
            lost = [pane.pane_id for pane in own if pane.pane_id in findings.gone]
            told = [events.recovery_reattached(back)] if back else []
            if lost:
                told.append(events.recovery_failed(lost, Stage.RECOVERY_REATTACH))
            layouts.append_events(
                self._store,
                layout_id,
                own[0].container_id,
                "daemon",
                [(None, event) for event in told],
                now,
            )
        return bool(by_layout)


def _settled(container_id: str) -> list[PaneRecord]:
    return [
        pane
        for pane in layouts.living_panes(container_id)
        if not ledger.is_under_way(pane.pane_id, removal.STAGES)
    ]


def _why_gone(pane: PaneRecord, views: dict[str, PaneView]) -> str:
    servers = {view.server_id for view in views.values()}
    if servers and pane.tmux_server_id not in servers:
        return "the tmux server of the container was replaced, and the pane went with the old one"
    return "the pane is gone from tmux; it was killed, or its tmux server or container restarted"
