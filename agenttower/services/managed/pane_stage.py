"""What the stages of a pane's life have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttower.bench.interface import Bench, Deadline, PaneExit, PaneView
from agenttower.bench.registry import Benches
from agenttower.clock import Clock, Micros
from agenttower.domain.redaction import redact_text
from agenttower.domain.states import Stage, State
from agenttower.errors import BenchError, ContainerInactive, ContainerNotFound
from agenttower.services import log_signals
from agenttower.services.log_place import LogPlaces, Place
from agenttower.services.managed import transitions
from agenttower.services.turns import Turns
from agenttower.store import agent_logs, layouts, log_attaching
from agenttower.store.database import Store, Transaction
from agenttower.store.layouts import PaneRecord
from agenttower.store.ledger import ClaimedStep
from agenttower.store.log_attaching import NewAttachment

LAST_WORDS_LINES = 5


class PaneVanished(BenchError):
    """The pane is gone from tmux although nobody removed it."""

    error_class = "pane_vanished"


@dataclass(frozen=True, slots=True)
class Parts:
    """What every stage works with."""

    store: Store
    benches: Benches
    clock: Clock
    places: LogPlaces
    turns: Turns
    """Whoever changes the pipe of an agent's pane takes a turn at its id."""
    wake_readers: Callable[[], None]
    """Called after a commit that readers may be waiting for."""
    on_program_end: Callable[[Transaction, str], None] = lambda transaction, pane_id: None
    """Called in the transaction in which a pane becomes degraded because its program ended."""
    on_agent_removed: Callable[[Transaction, str], None] = lambda transaction, agent_id: None
    """Called in the transaction in which a removal takes an agent out of the registry."""
    wake_logs: Callable[[], None] = lambda: None
    """Called after a commit that the reader of logs may be waiting for."""


class PaneStage:
    """What the stages have in common: looking up the pane, and telling readers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def _pane(self, step: ClaimedStep) -> PaneRecord:
        pane = layouts.pane(step.subject_id)
        if pane is None:
            raise LookupError(f"step {step.step_id} is about a pane that has no row")
        return pane

    def _bench(self, pane: PaneRecord) -> Bench:
        return self._parts.benches.get(pane.container_id)

    @contextmanager
    def _living(self, pane: PaneRecord) -> Iterator[Bench]:
        """The bench of a pane that was made; a container that has ended took the pane with it.

        :raises PaneVanished: the container does not run any more. A paused one still has its panes.
        """
        try:
            yield self._bench(pane)
        except (ContainerInactive, ContainerNotFound) as error:
            if self._is_paused(pane):
                raise
            raise PaneVanished(f"the pane ended with its container: {error.message}") from error

    def _is_paused(self, pane: PaneRecord) -> bool:
        try:
            return self._parts.benches.inspect(pane.container_id).status == "paused"
        except ContainerNotFound:
            return False

    def _tell(self, transaction: Transaction) -> None:
        transaction.afterwards("readers", self._parts.wake_readers)
        transaction.afterwards("logs", self._parts.wake_logs)

    def overtaken(self, step: ClaimedStep, result: Any) -> None:
        """Nothing to undo: the effect is where every other attempt would find and adopt it."""

    def _fail(self, pane: PaneRecord, stage: Stage, reason: str) -> None:
        transitions.change_state(
            self._store,
            pane,
            State.FAILED,
            now=self._parts.clock(),
            stage=stage,
            reason=reason,
            launch=without_secrets(pane),
        )


def prepare_log(parts: Parts, bench: Bench, pane: PaneRecord, deadline: Deadline) -> Place:
    """Make the log on the host, and in the bench where no mount shows it.

    :raises LogNotVisible: the bench cannot write there; the message says what to change.
    """
    log = agent_logs.current(pane.reserved_agent_id)
    if log is not None and log.log_path == pane.log_path:
        return parts.places.make_again(bench, pane.container_id, log, deadline)
    return parts.places.make_usual(bench, Path(pane.log_path), deadline)


def attach_log(parts: Parts, pane: PaneRecord, place: Place, now: Micros) -> None:
    """Record that the pane is piped into its log, in the caller's transaction."""
    file = parts.places.file(place.host_path)
    attached = log_attaching.attach(
        NewAttachment(
            agent_id=pane.reserved_agent_id,
            log_path=pane.log_path,
            bench_path=place.bench_path,
            via=place.via,
            source="managed",
            file=file,
        ),
        now,
    )
    if attached.rotated:
        log_signals.rotated(attached, file)


def find_twice(bench: Bench, pane: PaneRecord, deadline: Deadline) -> PaneView:
    """Two observations before a pane is called gone (design.md section 7)."""
    for _ in range(2):
        view = bench.find_panes([pane.tmux_token], deadline).get(pane.tmux_token)
        if view is not None:
            return view
    raise PaneVanished(
        f"pane {pane.label} vanished from tmux before it was ready; "
        "was it killed, or did the tmux server end?"
    )


def read_last_words(bench: Bench, pane: PaneRecord, deadline: Deadline) -> str:
    """What a program that has ended said last."""
    return redact_text(bench.capture_tail(pane.tmux_token, LAST_WORDS_LINES, deadline)).strip()


def last_words(ended: PaneExit, words: str) -> str:
    """Why a pane is degraded, for people."""
    what = f"the launch command exited with code {ended.code} after {ended.elapsed_ms} ms"
    return f"{what}; its last words: {words}" if words else f"{what}, without a word"


def without_secrets(pane: PaneRecord) -> str:
    """The pane's launch document once the values of its variables have served."""
    return json.dumps(json.loads(pane.launch) | {"env": {}})
