"""The create pipeline: what each persisted step does to a pane, and what follows from it.

pane_create → launch_probe → registration → log_attach. Panes of one layout are made one after
another, in slot order; their later stages run side by side. One pane's failure never stops its
siblings (FR-026).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agenttower.bench import logfiles
from agenttower.bench.interface import Bench, Deadline, PaneExit, PaneSpec, PaneTarget, PaneView
from agenttower.clock import SECOND, Micros
from agenttower.domain import events
from agenttower.domain.attention import Attention
from agenttower.domain.identifiers import marker_title, tmux_session_target
from agenttower.domain.states import Stage, State
from agenttower.engine.handler import Failure, StepHandler
from agenttower.errors import LogNotVisible
from agenttower.services.attention import AttentionService, Subject, see_if_possible
from agenttower.services.managed import transitions
from agenttower.services.managed.pane_stage import (
    PaneStage,
    PaneVanished,
    Parts,
    find_twice,
    last_words,
    prepare_log,
    read_last_words,
    without_secrets,
)
from agenttower.store import agents, layouts
from agenttower.store.database import Transaction
from agenttower.store.layouts import PaneRecord
from agenttower.store.ledger import ClaimedStep, NewStep

LAUNCH_WINDOW: Micros = SECOND
"""A program that ends within this time of its pane's creation was not launched well."""
LOG_WAIT_S = 2.0
"""How long the log file may take to appear; three tries of it fit SC-003's 10 s."""


class PaneCreate(PaneStage):
    """Make the pane with identity, marker and log pipe in place before its process starts."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> tuple[PaneView, Micros]:
        pane = self._pane(step)
        layout = layouts.layout(pane.layout_id)
        assert layout is not None
        bench = self._bench(pane)
        self._clear_the_slot(bench, pane, deadline)
        launch = json.loads(pane.launch)
        try:
            log_path: str | None = prepare_log(bench, pane, deadline)
        except LogNotVisible:
            log_path = None  # log_attach will say why
        spec = PaneSpec(
            token=pane.tmux_token,
            owner=pane.layout_id.replace("-", ""),
            session=pane.tmux_session_name,
            title=marker_title(pane.pending_marker_token or "", pane.label),
            argv=launch["argv"],
            env=launch["env"],
            working_dir=launch["working_dir"],
            log_path=log_path,
            siblings=[
                other.tmux_token
                for other in layouts.panes_of(pane.layout_id)
                if other.pane_id != pane.pane_id
            ],
            layout=layout.template_layout,
        )
        view = bench.create_pane(spec, deadline)
        return view, self._parts.clock()

    def _clear_the_slot(self, bench: Bench, pane: PaneRecord, deadline: Deadline) -> None:
        """No two programs in one slot: what a failed predecessor may have left goes first."""
        if pane.predecessor_id is not None:
            before = layouts.pane(pane.predecessor_id)
            if before is not None:
                bench.kill_pane(before.tmux_token, deadline)

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: tuple[PaneView, Micros]
    ) -> Sequence[NewStep]:
        view, made_at = result
        pane = self._pane(step)
        self._tell(transaction)
        transitions.note(
            self._store,
            pane,
            [events.pane_created(pane.role, pane.label, pane.tmux_session_name, view.pane_index)],
            self._parts.clock(),
            # The values of variables have served; they need not stay in the database.
            launch=without_secrets(pane),
            tmux_socket_path=view.socket_path,
            tmux_server_id=view.server_id,
            tmux_pane_id=view.pane_id,
            tmux_window_index=view.window_index,
            tmux_pane_index=view.pane_index,
            pane_pid=view.pane_pid,
        )
        return [NewStep("launch_probe", pane.pane_id, made_at + LAUNCH_WINDOW), *_next(pane)]

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        self._tell(transaction)
        self._fail(pane, Stage.PANE_CREATE, failure.reason)
        return [NewStep("pane_cleanup", pane.pane_id), *_next(pane)]

    def overtaken(self, step: ClaimedStep, result: tuple[PaneView, Micros]) -> None:
        """A pane that was given up meanwhile must not keep a process in its slot."""
        pane = self._pane(step)
        if pane.state in (State.FAILED, State.REMOVED):
            self._bench(pane).kill_pane(pane.tmux_token, time.monotonic() + LOG_WAIT_S)


@dataclass(frozen=True, slots=True)
class Launched:
    """What was seen at the end of a launch window."""

    view: PaneView
    ended: PaneExit | None
    words: str
    waits: Attention | None


class LaunchProbe(PaneStage):
    """See at the end of the launch window whether the program still runs, and whether it waits."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._attention = AttentionService(
            parts.store, parts.benches, parts.clock, parts.wake_readers
        )

    def perform(self, step: ClaimedStep, deadline: Deadline) -> Launched:
        pane = self._pane(step)
        with self._living(pane) as bench:
            view = find_twice(bench, pane, deadline)
            if view.exit is not None:
                words = read_last_words(bench, pane, deadline)
                return Launched(view, view.exit, words, None)
            target = PaneTarget(view.socket_path, view.pane_id, view.pane_pid, pane.tmux_token)
            return Launched(view, None, "", see_if_possible(bench, target, deadline))

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: Launched
    ) -> Sequence[NewStep]:
        view, ended, words = result.view, result.ended, result.words
        pane = self._pane(step)
        self._tell(transaction)
        subject = Subject(pane.reserved_agent_id, pane.container_id, pane.layout_id)
        self._attention.record(subject, result.waits)
        changes: dict[str, object] = {"tmux_pane_index": view.pane_index}
        told = []
        if ended is not None:
            told = [events.launch_command_exited(ended.code, ended.elapsed_ms)]
            changes |= {
                "exit_code": ended.code,
                "exit_elapsed_ms": ended.elapsed_ms,
                "failed_stage": Stage.LAUNCH_COMMAND.value,
                "failure_reason": last_words(ended, words),
            }
        transitions.note(self._store, pane, told, self._parts.clock(), **changes)
        return [NewStep("registration", pane.pane_id)]

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        self._tell(transaction)
        if failure.error_class == PaneVanished.error_class:
            self._fail(pane, Stage.PANE_CREATE, failure.reason)
            return ()
        # The pane is there and nobody can look at it: that is no reason to call it gone.
        transitions.note(
            self._store,
            pane,
            [],
            self._parts.clock(),
            failed_stage=Stage.LAUNCH_COMMAND.value,
            failure_reason=f"the launch could not be observed: {failure.reason}",
        )
        return [NewStep("registration", pane.pane_id)]


class Registration(PaneStage):
    """Enter the pane into the agent registry; the effect is the settling transaction itself."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        """Nothing outside the database."""

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        now = self._parts.clock()
        self._tell(transaction)
        launch = json.loads(pane.launch)
        agents.upsert(
            {
                "agent_id": pane.reserved_agent_id,
                "container_id": pane.container_id,
                "tmux_socket_path": pane.tmux_socket_path,
                "tmux_session_name": tmux_session_target(pane.tmux_session_name),
                "tmux_window_index": pane.tmux_window_index,
                "tmux_pane_index": pane.tmux_pane_index,
                "tmux_pane_id": pane.tmux_pane_id,
                "pane_pid": pane.pane_pid,
                "role": pane.role,
                "capability": pane.capability,
                "label": pane.label,
                "project_path": launch["working_dir"] or "",
                "origin": "managed",
            },
            now,
        )
        transitions.note(self._store, pane, [], now, agent_id=pane.reserved_agent_id)
        return [NewStep("log_attach", pane.pane_id)]

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        self._tell(transaction)
        self._fail(pane, Stage.REGISTRATION, failure.reason)
        return [NewStep("title_reset", pane.pane_id)]


class LogAttach(PaneStage):
    """Give the pane its final title and prove that its output reaches the log on the host."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        pane = self._pane(step)
        with self._living(pane) as bench:
            # The title first: a log that cannot be attached must not leave the marker standing.
            bench.set_title(pane.tmux_token, pane.label, deadline)
            find_twice(bench, pane, deadline)
            log_path = prepare_log(bench, pane, deadline)
            bench.ensure_pipe(pane.tmux_token, log_path, deadline)
        logfiles.wait_for_log(Path(pane.log_path), min(deadline, time.monotonic() + LOG_WAIT_S))

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        now = self._parts.clock()
        self._tell(transaction)
        agents.attach_log(pane.reserved_agent_id, pane.log_path, "managed", now)
        launch_failed = pane.failed_stage is not None
        transitions.change_state(
            self._store,
            pane,
            State.DEGRADED if launch_failed else State.READY,
            now=now,
            stage=Stage.LAUNCH_COMMAND if launch_failed else None,
            reason=pane.failure_reason,
            log_attached=True,
        )
        if launch_failed:
            self._parts.on_program_end(transaction, pane.pane_id)
        return ()

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        self._tell(transaction)
        if failure.error_class == PaneVanished.error_class:
            agents.deactivate(pane.reserved_agent_id)
            self._fail(pane, Stage.PANE_CREATE, failure.reason)
            return ()
        # The first thing that went wrong is the one to tell.
        launch_failed = pane.failed_stage is not None
        transitions.change_state(
            self._store,
            pane,
            State.DEGRADED,
            now=self._parts.clock(),
            stage=Stage.LAUNCH_COMMAND if launch_failed else Stage.LOG_ATTACH,
            reason=pane.failure_reason if launch_failed else failure.reason,
            before=[events.log_attach_failed(failure.reason)],
        )
        if launch_failed:
            self._parts.on_program_end(transaction, pane.pane_id)
        # Whatever kept the log from being attached may have kept the marker standing too.
        return [NewStep("title_reset", pane.pane_id)]


class PaneCleanup(PaneStage):
    """A pane that could not be made for good may still have come to be: it must not run on."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        pane = self._pane(step)
        if pane.state in (State.FAILED, State.REMOVED):
            self._bench(pane).kill_pane(pane.tmux_token, deadline)

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        return ()

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        """The container cannot be reached; its next look finds what is left (reconcile)."""
        return ()


class TitleReset(PaneStage):
    """Take the marker off a pane that failed: its title becomes its label (section 7)."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        pane = self._pane(step)
        self._bench(pane).set_title(pane.tmux_token, pane.label, deadline)

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        return ()

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        return ()


def handlers(parts: Parts) -> dict[str, StepHandler]:
    """Every stage by the name of its Huey task."""
    return {
        "pane_create": PaneCreate(parts),
        "launch_probe": LaunchProbe(parts),
        "registration": Registration(parts),
        "log_attach": LogAttach(parts),
        "title_reset": TitleReset(parts),
        "pane_cleanup": PaneCleanup(parts),
    }


STAGES = (
    "pane_create",
    "launch_probe",
    "registration",
    "log_attach",
    "title_reset",
    "pane_cleanup",
)


def _next(pane: PaneRecord) -> list[NewStep]:
    """The first step of the pane in the next slot that waits for its turn."""
    waiting = [
        other
        for other in layouts.panes_of(pane.layout_id)
        if other.slot > pane.slot
        and other.chain_depth == pane.chain_depth == 0
        and other.state is State.CREATING
        and other.tmux_pane_id is None
    ]
    return [NewStep("pane_create", waiting[0].pane_id)] if waiting else []
