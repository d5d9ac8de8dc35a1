"""``send`` and ``queue``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, cast

from agenttower.client.program import exit_codes
from agenttower.client.program.output import Columns
from agenttower.client.program.run import Run, UsageError, Verbs, flag, group, verb

PROMPTS: Columns = (
    ("MESSAGE_ID", "message_id"),
    ("STATE", "state"),
    ("BLOCKED", "block_reason"),
    ("FAILED", "failure_reason"),
    ("FROM", "sender.label"),
    ("TO", "target.label"),
    ("ENQUEUED", "enqueued_at"),
    ("ORIGIN", "origin"),
    ("EXCERPT", "excerpt"),
)
STATES = ("queued", "blocked", "delivered", "failed", "canceled")


def add(verbs: Verbs) -> None:
    """Declare the commands."""
    verb(
        verbs,
        "send",
        _send,
        "send a text to an agent, as the agent of this tmux pane; on the host as the operator",
        ("target", {"help": "an agent's id or label"}),
        ("text", {"nargs": "?", "help": "the text; '-', or none in a pipe: from stdin"}),
        ("--no-wait", flag("do not wait for the delivery")),
        (
            "--timeout",
            {"type": float, "default": 60.0, "metavar": "SECONDS", "help": "wait at most so long"},
        ),
    )
    queue = group(verbs, "queue", "look at prompts")
    verb(
        queue,
        "list",
        _list,
        "list prompts, the oldest first",
        ("--state", {"choices": STATES, "help": "only this state"}),
        ("--target", {"help": "only for this agent: id or label"}),
        ("--limit", {"type": int, "default": 100, "metavar": "N", "help": "the oldest N only"}),
    )
    verb(queue, "show", _show, "show one prompt", ("message_id", {}))


def _send(run: Run) -> int:
    typed = run.typed
    wait = 0.0 if typed.no_wait else typed.timeout
    prompt = run.client.prompts.send(run.agent_id(typed.target), _text(typed.text), wait=wait)
    _told(run, prompt)
    return exit_codes.OK if typed.no_wait else exit_codes.of_prompts([prompt])


def _text(words: str | None) -> bytes:
    """The text to send; of stdin one newline at the end is left out, which programs put there."""
    if words is not None and words != "-":
        return os.fsencode(words)
    if words is None and sys.stdin.isatty():
        raise UsageError("give a text, or '-' to read it from stdin")
    text = sys.stdin.buffer.read()
    return text[:-1] if text.endswith(b"\n") else text


def _list(run: Run) -> int:
    typed = run.typed
    target = None if typed.target is None else run.agent_id(typed.target)
    rows = run.client.prompts.list(state=typed.state, target=target, limit=typed.limit)
    if run.output.as_json:
        run.output.result({"rows": rows, "next_cursor": None})
    else:
        run.output.rows(PROMPTS, cast("list[Mapping[str, Any]]", rows), "No prompts.")
    return exit_codes.OK


def _show(run: Run) -> int:
    return _told(run, run.client.prompts.get(run.typed.message_id))


def _told(run: Run, prompt: Mapping[str, Any]) -> int:
    if run.output.as_json:
        run.output.result(prompt)
    else:
        run.output.fields(prompt)
    return exit_codes.OK
