"""Handing prompts to the queue, and showing what becomes of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, given
from agenttower.cli.output import Row, plain
from agenttower.cli.speaking import caller_pane

LOOK_S = 20.0
"""How long one request waits for news."""

Show = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent, and as whom: ``pane`` is ``None`` for the operator on the host."""

    body: bytes
    pane: dict[str, Any] | None
    envelope: bool = False

    @classmethod
    def of(cls, run: Invocation, body: bytes, *, envelope: bool) -> Letter:
        """A text from whoever runs this process."""
        return cls(body, caller_pane(run), envelope)


def text_of(words: str | None, file: str | None) -> bytes:
    """The text to send: an argument, a file, or stdin for ``-`` and for nothing in a pipe.

    Of a file or stdin one newline at the end is left out, which programs put there.

    :raises click.UsageError: there is none, or it comes twice.
    """
    if words is not None and file is not None:
        raise click.UsageError("give the text as an argument or with --file, not both")
    if file is not None:
        try:
            return Path(file).read_bytes().removesuffix(b"\n")
        except OSError as error:
            raise click.UsageError(f"--file {plain(file)}: {error.strerror}") from error
    if words is not None and words != "-":
        return os.fsencode(words)
    if words is None and sys.stdin.isatty():
        raise click.UsageError("give a text, or '-' to read it from stdin")
    return sys.stdin.buffer.read().removesuffix(b"\n")


def accept(run: Invocation, letter: Letter, target: str, key: str | None = None) -> dict[str, Any]:
    """Hand a prompt to the queue, without waiting for more.

    :raises RpcError: it was refused, and there is none.
    """
    from agenttower.client.carrying import carried

    with carried(letter.body, run.socket, may_use_file=letter.pane is None) as text:
        if letter.pane is not None:
            params = {**text, "target": target, "caller_pane": letter.pane, "wait": False}
            return run.call("queue.send_input", params)
        form = "envelope" if letter.envelope else None
        params = {**text, "target": target, "wait": False, **given(idempotency_key=key, form=form)}
        return run.call("queue.operator_input", params)


def follow(run: Invocation, row: Row, until: float, show: Show) -> Row:
    """Watch a prompt until it is over, blocked, or ``until`` (``time.monotonic()``) has come."""
    while not _over(row) and time.monotonic() < until:
        changed = run.call(
            "queue.show",
            {
                "message_id": row["message_id"],
                "after": row["last_updated_at"],
                "wait_seconds": max(0.0, min(LOOK_S, until - time.monotonic())),
            },
        )
        if shown_state(changed) != shown_state(row):
            show(changed)
        row = changed
    return row


def _over(row: Row) -> bool:
    return bool(row["state"] != "queued")


def shown_state(row: Row) -> str:
    """The state for people: ``delivering`` is one of theirs."""
    if row["state"] == "queued" and row["delivery_attempt_started_at"] is not None:
        return "delivering"
    return str(row["state"])


def reason_of(row: Row) -> str | None:
    """The token that says why a prompt is where it is."""
    reason: str | None = row["block_reason"] or row["failure_reason"] or row["submission"]
    return reason


def detail_of(row: Row) -> str | None:
    """The same in words, where there are any."""
    detail: str | None = row["detail"] or row["submission_reason"]
    return detail


def show_change(run: Invocation) -> Show:
    """Prints each state of a prompt: words for people, ``prompt ID STATE REASON`` in a pipe."""

    def show(row: Row) -> None:
        state, reason, words = shown_state(row), reason_of(row), detail_of(row)
        if run.output.json_mode:
            return
        if not run.output.for_people:
            parts = (row["message_id"], state, reason, words)
            run.output.line(" ".join(["prompt", *map(plain, parts)]))
            return
        target = row["target"]["label"] or row["target"]["agent_id"]
        more = "".join(f"  {plain(part)}" for part in (reason, words) if part)
        run.output.line(f"{run.output.paint_state(state):<12}{plain(target)}{more}")

    return show


def exit_code(rows: Sequence[Row]) -> ExitCode:
    """How sending ended: the worst of all."""
    states = {row["state"] for row in rows}
    if states & {"failed", "canceled"}:
        return ExitCode.LAYOUT_FAILED
    if "blocked" in states:
        return ExitCode.REFUSED
    if "queued" in states:
        return ExitCode.TIMED_OUT
    return ExitCode.OK
