"""``agenttower logs``: what agents have said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import CALL_SECONDS, Invocation, pass_run
from agenttower.cli.log_sources import Source, sources
from agenttower.cli.options import json_stream_option
from agenttower.cli.text import safe

LINES = 50
MOST_LINES = 2000
WAIT_SECONDS = 1.0
PAUSE_SECONDS = 0.3
PATIENCE_SECONDS = 15.0
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue")

_NO_TEXT = ("attachment_not_found", "log_file_missing")
"""One log that cannot be shown does not keep others from it."""

_names = click.argument("names", metavar="NAME...", nargs=-1, required=True)
_lines = click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=1, max=MOST_LINES),
    default=LINES,
    show_default=True,
    metavar="N",
    help="How many of the last lines.",
)
_raw = click.option(
    "--raw",
    is_flag=True,
    help="The bytes of the file as they are, secrets and escapes included; on the host only.",
)


@click.group("logs", short_help="What agents have said.")
def command() -> None:
    """Show the logs of panes and agents, without secrets that can be told by their looks.

    A NAME is a pane (its label, its id or how that begins), an agent (its id or label), or a layout
    (its id or how that begins), which means all its panes.

    \b
    Examples:
      agenttower logs show s1 -n 100
      agenttower logs follow m1 s1
    """


@command.command("show")
@_names
@_lines
@_raw
@json_stream_option
@pass_run
def show(run: Invocation, names: tuple[str, ...], lines: int, raw: bool) -> ExitCode:
    """Show the last lines of logs.

    With --json every line is one JSON object with agent_id, label and line.

    \b
    Examples:
      agenttower logs show s1 -n 100
      agenttower logs show agt_0123456789ab --raw
    """
    found = sources(run, names)
    if raw:
        from agenttower.cli.raw_logs import show_raw

        return show_raw(run, found, lines, follow=False)
    screen = _Screen(run, found)
    for source in found:
        page = _read_one_of(run, source, found, lines)
        if page is None:
            continue
        screen.show(source, page["lines"])
        if page["partial"] is not None:
            screen.show(source, [page["partial"]])
    return ExitCode.OK


@command.command("follow")
@_names
@_lines
@_raw
@json_stream_option
@pass_run
def follow(run: Invocation, names: tuple[str, ...], lines: int, raw: bool) -> ExitCode:
    """Show the last lines of logs, and go on with new ones until Ctrl-C.

    \b
    Examples:
      agenttower logs follow s1
      agenttower logs follow 6b0c4c1e -n 5
    """
    found = sources(run, names)
    if raw:
        from agenttower.cli.raw_logs import show_raw

        return show_raw(run, found, lines, follow=True)
    screen = _Screen(run, found)
    for source, page in _pages(run, found, lines):
        if page["reset"]:
            run.output.note(f"{safe(source.label)}: the log begins anew")
        screen.show(source, page["lines"])
    return ExitCode.OK


class _Screen:
    """Lines with the label of where they come from, where there are several."""

    def __init__(self, run: Invocation, found: Sequence[Source]) -> None:
        self._output = run.output
        self._prefix = {source.agent_id: "" for source in found}
        if len(found) > 1:
            widest = max(len(source.label) for source in found)
            for number, source in enumerate(found):
                label = f"{safe(source.label):<{widest}} | "
                colour = _COLOURS[number % len(_COLOURS)]
                self._prefix[source.agent_id] = run.output.paint(label, fg=colour)

    def show(self, source: Source, lines: Sequence[str]) -> None:
        for line in lines:
            if self._output.json_mode:
                record = {"agent_id": source.agent_id, "label": source.label, "line": line}
                self._output.record(record)
            else:
                self._output.line(self._prefix[source.agent_id] + safe(line.expandtabs()))


def _pages(
    run: Invocation, found: Sequence[Source], lines: int
) -> Iterator[tuple[Source, dict[str, Any]]]:
    """Page after page, without end; over restarts of the daemon and files that come and go."""
    places: dict[str, dict[str, Any]] = {}
    missing: set[str] = set()
    while True:
        news = False
        for source in found:
            page = _next(run, source, places, missing, lines, alone=len(found) == 1)
            if page is None:
                continue
            places[source.agent_id] = {"offset": page["next"], "file": page["file"]}
            news = news or bool(page["lines"])
            yield source, page
        if not news and (len(found) > 1 or missing):
            time.sleep(PAUSE_SECONDS)


def _next(
    run: Invocation,
    source: Source,
    places: dict[str, dict[str, Any]],
    missing: set[str],
    lines: int,
    *,
    alone: bool,
) -> dict[str, Any] | None:
    from agenttower.client import RpcError

    place = places.get(source.agent_id)
    try:
        if place is None:
            return _read(run, source, lines=lines)
        wait = WAIT_SECONDS if alone else 0.0
        page = _patiently(run, source, **place, lines=MOST_LINES, wait_seconds=wait)
    except RpcError as error:
        if error.code not in _NO_TEXT or (place is None and alone):
            raise
        if source.agent_id not in missing:
            run.output.note(f"{safe(source.label)}: {safe(error.message)}")
            missing.add(source.agent_id)
        return None
    missing.discard(source.agent_id)
    return page


def _read_one_of(
    run: Invocation, source: Source, found: Sequence[Source], lines: int
) -> dict[str, Any] | None:
    from agenttower.client import RpcError

    try:
        return _read(run, source, lines=lines)
    except RpcError as error:
        if error.code not in _NO_TEXT or len(found) == 1:
            raise
        run.output.note(f"{safe(source.label)}: {safe(error.message)}")
        return None


def _patiently(run: Invocation, source: Source, **params: object) -> dict[str, Any]:
    from agenttower.client import DaemonUnreachable

    lost_since: float | None = None
    while True:
        try:
            return _read(run, source, **params)
        except DaemonUnreachable:
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since >= PATIENCE_SECONDS:
                raise
            time.sleep(PAUSE_SECONDS)


def _read(run: Invocation, source: Source, **params: object) -> dict[str, Any]:
    return run.call("logs.read", {"agent_id": source.agent_id, **params}, CALL_SECONDS)
