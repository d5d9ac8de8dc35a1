"""Typing one prompt into one pane: look, paste, look, Enter, and see whether it was taken.

Legacy surfaces part 2, section 4.2. The text is pasted at most once, whatever happens; Enter is
pressed again only while the text is seen to stand in the input.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from agenttower.bench.interface import Bench, PaneTarget, Screen
from agenttower.crashpoints import crash_point
from agenttower.domain.prompts import FailureReason, excerpt
from agenttower.domain.submission import Look, Verdict, is_in_input, judge, tail_of
from agenttower.errors import (
    BenchConnectionLost,
    BenchError,
    BenchTimeout,
    ContainerInactive,
    ContainerNotFound,
    DockerUnavailable,
)

CALL_S = 5.0
"""Each call to tmux may take so long (section 4.2)."""
READY_S = 3.0
"""A dialog, a half-typed line, or a bench that does not answer is waited for so long."""
BUSY_S = 2.0
"""A program at work is waited for so long; then it gets the text all the same, and keeps it."""
SETTLE_S = 2.0
"""The pasted text has so long to appear."""
GLIMPSE_S = 0.05
"""A screen in which nothing is known is looked at so long: it may be in the middle of a redraw."""
PROVEN_S = 0.02
"""The text must be seen to be gone for so long, for the same reason."""
QUIET_S = 0.25
"""A screen that has not changed for so long shows all that it will."""
PROOF_S = 1.0
"""After each Enter the text has so long to leave the input."""
PRESSES = 3
"""Enter is pressed so often at most."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.1


class InputState(Protocol):
    """What is known of an agent's input line, see ``domain.agent_screen``."""

    @property
    def kind(self) -> str: ...

    @property
    def text(self) -> str: ...


class Reader(Protocol):
    """How screens are read, see ``domain.agent_screen``."""

    def input_state(self, screen: Screen, capability: str) -> InputState: ...

    def draws_an_input(self, capability: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Typed:
    """The text was pasted and Enter was pressed. ``reason`` says why ``unverified``."""

    submission: str
    reason: str | None = None


class NotTyped(Exception):
    """The prompt was not given to the program, or not entered."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Typist:
    """Types into one pane.

    :param capability: of the agent there, which tells how its screen is read.
    :param stopping: looked at while waiting; a worker that stops waits no longer.
    """

    def __init__(
        self,
        bench: Bench,
        pane: PaneTarget,
        capability: str,
        reader: Reader,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._bench = bench
        self._pane = pane
        self._capability = capability
        self._reader = reader
        self._starts = reader.draws_an_input(capability)
        self._stopping = stopping

    def type(self, text: bytes, body: bytes) -> Typed:
        """Give ``text``, which ends with ``body``, to the program and enter it.

        :raises NotTyped: with what is known of the text that was, or was not, pasted.
        """
        tail = tail_of(body)
        before = self._ready()
        self._paste(text)
        crash_point("prompt.pasted")
        pasted = self._settled(before, tail)
        self._enter()
        crash_point("prompt.entered")
        return self._proof(before, pasted, tail)

    # --- before ----------------------------------------------------------------------------------

    def _ready(self) -> Look:
        """The pane as it is once its program can be given a text."""
        started = since = time.monotonic()
        kind = ""
        for _ in _pauses(READY_S):
            try:
                look = self._look()
            except BenchError as error:
                if self._waited(started, READY_S):
                    raise _unreachable(error) from error
                continue
            if look.kind == "ready":
                return look
            if look.kind != kind:
                kind, since = look.kind, time.monotonic()
            at_last = self._waited(started, READY_S)
            if at_last or self._waited(since, self._patience(look)):
                if look.kind == "unknown" or (look.kind == "busy" and not look.typed):
                    return look
                raise NotTyped(FailureReason.PANE_NOT_READY, _not_ready(look))
        raise AssertionError("the last pass returns or raises")

    def _patience(self, look: Look) -> float:
        if look.kind == "unknown":
            # An agent that is known and not recognised is perhaps still starting.
            return READY_S if self._starts else GLIMPSE_S
        return BUSY_S if look.kind == "busy" and not look.typed else READY_S

    def _waited(self, started: float, patience: float) -> bool:
        return self._stopping() or time.monotonic() - started >= patience

    def _look(self) -> Look:
        screen = self._bench.screen(self._pane, time.monotonic() + CALL_S)
        if screen is None:
            raise NotTyped(FailureReason.PANE_DISAPPEARED, "the pane is gone from tmux")
        if screen.dead:
            raise NotTyped(
                FailureReason.PANE_NOT_READY,
                "the program in the pane has ended; nothing was pasted",
            )
        if screen.input_off:
            raise NotTyped(
                FailureReason.PANE_NOT_READY,
                "the pane's input is switched off in tmux (select-pane -e switches it on)",
            )
        found = self._reader.input_state(screen, self._capability)
        return Look.of(screen.lines, screen.cursor_x, screen.cursor_y, found.kind, found.text)

    # --- pasting and after -----------------------------------------------------------------------

    def _paste(self, text: bytes) -> None:
        try:
            given = self._bench.paste(self._pane, text, time.monotonic() + CALL_S)
        except BenchError as error:
            raise NotTyped(
                _reason(error, FailureReason.TMUX_PASTE_FAILED), _pasting(error)
            ) from error
        if not given:
            raise NotTyped(
                FailureReason.PANE_DISAPPEARED,
                "the pane went away, or takes no input any more; nothing was pasted",
            )

    def _settled(self, before: Look, tail: str) -> Look | None:
        """The pane once it shows the text, or has stopped changing; ``None`` where nobody can
        tell."""
        latest, since = before, time.monotonic()
        for _ in _pauses(SETTLE_S):
            look = self._glance()
            if look is None:
                return None
            if look != latest:
                latest, since = look, time.monotonic()
                continue
            if is_in_input(before, look, tail) or time.monotonic() - since >= QUIET_S:
                return look
        return latest

    def _enter(self) -> None:
        left = "the text is left in the pane's input; clear it there, then send it again"
        try:
            pressed = self._bench.submit(self._pane, time.monotonic() + CALL_S)
        except BenchError as error:
            reason = _reason(error, FailureReason.TMUX_SEND_KEYS_FAILED)
            raise NotTyped(reason, f"pasted, but Enter failed: {error.message}; {left}") from error
        if not pressed:
            raise NotTyped(
                FailureReason.PANE_DISAPPEARED, "the pane went away between the text and Enter"
            )

    def _proof(self, before: Look, pasted: Look | None, tail: str) -> Typed:
        if pasted is None:
            return Typed("unverified", "the pane could not be looked at after the paste")
        presses = 1
        visible = is_in_input(before, pasted, tail)
        verdict = Verdict.UNKNOWN
        while True:
            verdict = self._verdict(before, pasted, tail, PROOF_S if visible else QUIET_S)
            if verdict is not Verdict.STILL_THERE or presses >= PRESSES or self._stopping():
                break
            self._press_again()
            presses += 1
        if verdict is Verdict.SUBMITTED:
            return Typed("submitted")
        if verdict is Verdict.STILL_THERE:
            return Typed(
                "unverified",
                f"Enter was pressed {presses} times and the text still stands in the input",
            )
        seen = "left nothing to tell by" if visible else "did not show the text"
        return Typed("unverified", f"pasted and entered, but the pane {seen}")

    def _press_again(self) -> None:
        # Where it fails, the looks that follow tell: Enter was pressed once, and may yet work.
        with contextlib.suppress(BenchError):
            self._bench.submit(self._pane, time.monotonic() + CALL_S)

    def _verdict(self, before: Look, pasted: Look, tail: str, patience: float) -> Verdict:
        """What the looks after Enter agree on."""
        verdict, since = Verdict.UNKNOWN, time.monotonic()
        for _ in _pauses(patience):
            look = self._glance()
            if look is None:
                return Verdict.UNKNOWN
            latest = judge(before, pasted, look, tail)
            if latest is not verdict:
                verdict, since = latest, time.monotonic()
            elif latest is Verdict.SUBMITTED and time.monotonic() - since >= PROVEN_S:
                return latest
        return verdict

    def _glance(self) -> Look | None:
        """A look after the paste, when it can fail nothing any more."""
        try:
            return self._look()
        except (BenchError, NotTyped):
            return None


def _pauses(seconds: float) -> Iterator[None]:
    """Passes of a loop with growing pauses between them; the last one is at ``seconds``."""
    until = time.monotonic() + seconds
    pause = SHORTEST_PAUSE_S
    while True:
        yield
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_S)


def _not_ready(look: Look) -> str:
    shown = excerpt(look.text.encode())
    if look.typed:
        why = f"a half-typed line stands in the pane's input: {shown}"
    elif look.kind == "dialog":
        why = f"a dialog waits for an answer in the pane: {shown}"
    else:
        why = "the agent's program is not there, a bare shell stands in the pane"
    return f"{why}; nothing was pasted"


def _pasting(error: BenchError) -> str:
    if isinstance(error, BenchTimeout | BenchConnectionLost):
        return (
            f"{error.message}; the text may stand in the pane's input: look before you send again"
        )
    return f"{error.message}; nothing was pasted"


def _unreachable(error: BenchError) -> NotTyped:
    reason = _reason(error, FailureReason.TMUX_PASTE_FAILED)
    return NotTyped(reason, f"{error.message}; nothing was pasted")


def _reason(error: BenchError, usual: FailureReason) -> FailureReason:
    """Section 4.2's table, by our errors."""
    gone = (DockerUnavailable, ContainerInactive, ContainerNotFound)
    if isinstance(error, gone):
        return FailureReason.DOCKER_EXEC_FAILED
    if "can't find pane" in error.message.lower() or "no such pane" in error.message.lower():
        return FailureReason.PANE_DISAPPEARED
    return usual
