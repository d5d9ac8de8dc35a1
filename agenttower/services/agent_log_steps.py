"""The worker's part of attaching and detaching logs: the pane's pipe, then the rows.

A pipe into the wanted file is adopted, so that repeating loses nothing. What fails for good is
followed by :class:`AgentLogUndo`, which ends a pipe that no row speaks of; only then is the request
answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from agenttower.bench import logplaces
from agenttower.bench.interface import Bench, Deadline, PaneTarget
from agenttower.bench.logfiles import UNTOUCHED
from agenttower.bench.registry import Benches
from agenttower.clock import Clock, Micros
from agenttower.domain.attribution import NOBODY
from agenttower.engine.handler import Failure, StepHandler
from agenttower.errors import AgentInactive, AgentTowerError, LogPathInUse, PaneUnknownToDaemon
from agenttower.services import log_signals
from agenttower.services.agent_log_views import attached_view, detached_view, wire_code
from agenttower.services.agent_logs import ATTACH, DETACH, UNDO
from agenttower.services.log_fetch import LogFetch
from agenttower.services.log_place import LogPlaces, Place
from agenttower.services.turns import Turns
from agenttower.store import agent_logs, agents, layouts, log_attaching, log_changes
from agenttower.store.agent_logs import LogFile
from agenttower.store.database import Store, Transaction
from agenttower.store.ledger import ClaimedStep, NewStep
from agenttower.store.log_attaching import NewAttachment
from agenttower.store.log_changes import ChangeRecord

TOUCH_S = 2.0
"""How long a pipe may take to open its file."""
DRAIN_S = 2.0
"""How long a pipe that was ended may take to write what it has in hand."""
_PAUSE_S = 0.02

NOTHING: Mapping[str, object] = {}

FOREIGN_PIPE = "another command (tmux does not tell which)"


class Registrar(Protocol):
    """Writes an agent in the transaction that writes its log."""

    def register(self, transaction: Transaction, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Register what :attr:`~agenttower.services.agent_logs.NewRegistration.document` says.

        :return: the agent as the reply shows it, with its ``agent_id``.
        :raises AgentTowerError: it may not be registered (any more); nothing of it is kept.
        """


@dataclass(frozen=True)
class LogParts:
    """What the stages work with."""

    store: Store
    benches: Benches
    places: LogPlaces
    fetch: LogFetch
    turns: Turns
    clock: Clock
    wake: Callable[[Transaction], None]
    """Tells readers of rows, and the reader of logs, after the commit."""
    registrar: Registrar | None = None


@dataclass(frozen=True, slots=True)
class _Piped:
    """What the effect of attaching came to."""

    place: Place
    file: LogFile | None
    foreign: bool


class _Stage:
    def __init__(self, parts: LogParts) -> None:
        self._parts = parts

    def _change(self, step: ClaimedStep) -> ChangeRecord:
        change = log_changes.by_id(step.subject_id)
        if change is None:
            raise LookupError(f"step {step.step_id} is about a change that has no row")
        return change

    def _target(self, bench: Bench, change: ChangeRecord, deadline: Deadline) -> PaneTarget:
        """The pane; one of ours may have another process by now, a foreign one is another pane."""
        target = PaneTarget(**change.request["target"])
        if not target.token:
            return target
        view = bench.find_panes([target.token], deadline).get(target.token)
        if view is None or view.dead:
            raise _gone(target)
        return replace(target, pane_pid=view.pane_pid, socket_path=view.socket_path)

    def overtaken(self, step: ClaimedStep, result: Any) -> None:
        """Nothing to undo: whoever was first finds and adopts what stands."""


class AgentLogAttach(_Stage):
    """Pipe the pane into the file, prove that it arrives, and write what stands then."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> _Piped:
        change = self._change(step)
        with self._parts.turns.at(change.agent_id):
            bench = self._parts.benches.get(change.container_id)
            target = self._target(bench, change, deadline)
            _require_free(change)
            place = self._make(bench, change, deadline)
            foreign = self._pipe(bench, target, place, deadline)
            return _Piped(place, self._parts.places.file(place.host_path), foreign)

    def _make(self, bench: Bench, change: ChangeRecord, deadline: Deadline) -> Place:
        places, wanted = self._parts.places, change.request["wanted"]
        if wanted is None:
            usual = places.usual_path(change.container_id, change.agent_id)
            return places.make_usual(bench, usual, deadline)
        return places.make_chosen(
            bench, change.container_id, wanted, deadline, trusted=change.request["trusted"]
        )

    def _pipe(self, bench: Bench, target: PaneTarget, place: Place, deadline: Deadline) -> bool:
        """Pipe, and prove it; returns whether somebody else's pipe was ended."""
        if place.via == "exec":
            return _settled(bench.pipe_into(target, place.bench_path, deadline), target)
        proven = self._parts.places.as_proven(place)
        if bench.is_written(place.bench_path, deadline) and bench.is_piped(target, deadline):
            # It stands since an earlier attempt, which may not have come to the proof.
            logplaces.wait_until_touched(proven, UNTOUCHED, _soon(deadline))
            return False
        with logplaces.watched(proven) as mark:
            foreign = _settled(bench.pipe_into(target, place.bench_path, deadline), target)
            logplaces.wait_until_touched(proven, mark, _soon(deadline))
        return foreign

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: _Piped
    ) -> Sequence[NewStep]:
        change = self._change(step)
        now = self._parts.clock()
        self._parts.wake(transaction)
        try:
            # Of a refusal nothing must be kept but the refusal itself.
            with self._parts.store.database.atomic():
                outcome = self._write(transaction, change, result, now)
        except AgentTowerError as error:
            return _given_up(change, error.code, error.message, error.details)
        log_changes.finish(change.change_id, now, outcome)
        return ()

    def _write(
        self, transaction: Transaction, change: ChangeRecord, piped: _Piped, now: Micros
    ) -> dict[str, Any]:
        registered = self._register(transaction, change)
        _require_free(change)
        agent = agents.by_id(change.agent_id)
        if agent is None or not agent.active:
            raise AgentInactive(f"agent {change.agent_id} became inactive while its log was made")
        attached = log_attaching.attach(
            NewAttachment(
                agent_id=change.agent_id,
                log_path=str(piped.place.host_path),
                bench_path=piped.place.bench_path,
                via=piped.place.via,
                source=change.request["source"],
                file=piped.file,
                command=f"cat >>{piped.place.bench_path}",
                prior_pipe_target=FOREIGN_PIPE if piped.foreign else None,
                peer_uid=change.request["peer_uid"],
                attribution=change.request.get("attribution", NOBODY),
            ),
            now,
        )
        if attached.rotated:
            transaction.afterwards("rotated", lambda: log_signals.rotated(attached, piped.file))
        _note_managed(change.agent_id, now, log_attached=True, log_path=str(piped.place.host_path))
        return {"attach_log": attached_view(attached), **registered}

    def _register(self, transaction: Transaction, change: ChangeRecord) -> dict[str, Any]:
        document = change.request.get("registration")
        if document is None:
            return {}
        assert self._parts.registrar is not None
        return {"registration": dict(self._parts.registrar.register(transaction, document))}

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        return _given_up(self._change(step), wire_code(failure), failure.reason)


class AgentLogUndo(_Stage):
    """End a pipe into a file that no row speaks of, and pipe what a row does speak of."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        change = self._change(step)
        with self._parts.turns.at(change.agent_id):
            standing = agent_logs.current(change.agent_id)
            active = standing if standing and standing.status == "active" else None
            if active is not None and active.log_path == change.request["log_path"]:
                return
            bench = self._parts.benches.get(change.container_id)
            target = self._target(bench, change, deadline)
            ours = self._bench_path(bench, change, deadline)
            if ours is not None and bench.is_written(ours, deadline):
                bench.unpipe(target, deadline)
            if active is None or active.bench_path is None:
                return
            # The log that was to be left may have lost its pipe to the one that came to nothing.
            if self._parts.places.file(Path(active.log_path)) is not None:
                bench.pipe_into(target, active.bench_path, deadline)

    def _bench_path(self, bench: Bench, change: ChangeRecord, deadline: Deadline) -> str | None:
        places, wanted = self._parts.places, change.request["wanted"]
        try:
            if wanted is not None:
                return places.chosen(bench.info, change.container_id, wanted).bench_path
            usual = places.usual_path(change.container_id, change.agent_id)
            return places.usual(bench.info, bench.bench_uid(deadline), usual).bench_path
        except AgentTowerError:
            return None  # so there was nothing to pipe into

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        self._parts.wake(transaction)
        log_changes.finish(step.subject_id, self._parts.clock())
        return ()

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        """The bench cannot be reached; with it the pane and its pipe are gone, or will be."""
        return self.succeeded(transaction, step, None)


class AgentLogDetach(_Stage):
    """End the pipe, wait until its last bytes have been written, and write that."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        change = self._change(step)
        log = agent_logs.current(change.agent_id)
        if log is None or log.status != "active":
            return
        with self._parts.turns.at(change.agent_id):
            bench = self._parts.benches.get(change.container_id)
            target = self._target(bench, change, deadline)
            if not bench.unpipe(target, deadline):
                raise _gone(target)
            until = min(deadline, time.monotonic() + DRAIN_S)
            while log.bench_path and bench.is_written(log.bench_path, deadline):
                if time.monotonic() >= until:
                    break  # somebody else's process has the file open
                time.sleep(_PAUSE_S)
            if log.via == "exec":
                self._parts.fetch.drain(bench, log.attachment_id, deadline)

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        change = self._change(step)
        now = self._parts.clock()
        self._parts.wake(transaction)
        ended = log_attaching.end(
            change.agent_id,
            "detached",
            now,
            peer_uid=change.request["peer_uid"],
            attribution=change.request.get("attribution", NOBODY),
        )
        if ended is None:
            log_changes.fail(
                change.change_id,
                {
                    "code": "attachment_not_found",
                    "message": f"the log of agent {change.agent_id} is not active any more",
                },
            )
            log_changes.finish(change.change_id, now)
            return ()
        _note_managed(change.agent_id, now, log_attached=False)
        log_changes.finish(change.change_id, now, {"detach_log": detached_view(change.agent_id)})
        return ()

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        change = self._change(step)
        self._parts.wake(transaction)
        outcome = {"code": wire_code(failure), "message": failure.reason}
        log_changes.fail(change.change_id, outcome)
        log_changes.finish(change.change_id, self._parts.clock())
        return ()


def handlers(parts: LogParts) -> dict[str, StepHandler]:
    """The stages by the names of their Huey tasks."""
    return {
        ATTACH: AgentLogAttach(parts),
        DETACH: AgentLogDetach(parts),
        UNDO: AgentLogUndo(parts),
    }


def _note_managed(agent_id: str, now: Micros, **changes: object) -> None:
    """A managed pane's row says the same as the attachment, whatever state it is in."""
    pane = layouts.pane_of_agent(agent_id)
    if pane is not None:
        layouts.update_pane(pane.pane_id, pane.state, updated_at=now, **changes)


def _require_free(change: ChangeRecord) -> None:
    owner = agent_logs.active_on(change.request["log_path"])
    if owner is not None and owner.agent_id != change.agent_id:
        raise LogPathInUse(change.request["log_path"], owner.agent_id)


def _given_up(
    change: ChangeRecord, code: str, message: str, details: Mapping[str, object] = NOTHING
) -> Sequence[NewStep]:
    log_changes.fail(change.change_id, {"code": code, "message": message, "details": dict(details)})
    return [NewStep(UNDO, change.change_id)]


def _soon(deadline: Deadline) -> Deadline:
    return min(deadline, time.monotonic() + TOUCH_S)


def _settled(foreign: bool | None, target: PaneTarget) -> bool:
    if foreign is None:
        raise _gone(target)
    return foreign


def _gone(target: PaneTarget) -> PaneUnknownToDaemon:
    return PaneUnknownToDaemon(
        f"the pane {target.pane_id} at {target.socket_path} is gone; register the agent again in "
        "the pane it has now"
    )
