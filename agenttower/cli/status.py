"""``agenttower status``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import Output
from agenttower.cli.text import age, safe

Answer = Mapping[str, Any]
TITLE_WIDTH = 10
WAITING_SHOWN = 10


@click.command("status", short_help="Is the daemon there, and how is everything?")
@json_option
@pass_run
def command(run: Invocation) -> None:
    """Is the daemon there, and how is everything?

    Benches, layouts, panes that wait for a person, prompts, routes, logs; and last what is not
    well: since when, why, and what to do. Exit code 6 where the daemon cannot be reached.

    \b
    Examples:
      agenttower status
      agenttower status --json
    """
    answer = run.call("status", {})
    if run.output.json_mode:
        run.output.result(answer)
        return
    if run.output.for_people and "degraded" in answer:
        _picture(run.output, answer)
        return
    named = {"start_time" if name == "start_time_utc" else name: v for name, v in answer.items()}
    run.output.fields(named)


def _picture(output: Output, answer: Answer) -> None:
    """What a person wants to see at a glance."""
    for title, text in (
        ("daemon", _daemon(answer)),
        ("benches", _benches(answer["benches"])),
        ("layouts", _counts(answer["layouts"]) or "none"),
        ("queue", _queue(answer["queue"])),
        ("routes", _routes(answer["routing"])),
        ("logs", _logs(answer["events_reader"])),
    ):
        output.line(f"{output.paint(title.ljust(TITLE_WIDTH), dim=True)}{text}")
    waiting = answer["attention"]["panes"]
    if waiting:
        output.line()
        output.line(output.paint(f"{len(waiting)} waiting for a person", fg="yellow", bold=True))
        for pane in waiting[:WAITING_SHOWN]:
            who = safe(pane["label"] or pane["agent_id"])
            output.line(f"  {who}  {age(pane['since'])}  {pane['kind']}: {safe(pane['text'])}")
        if len(waiting) > WAITING_SHOWN:
            output.line(f"  and {len(waiting) - WAITING_SHOWN} more; see 'agenttower pane list'")
    output.line()
    if not answer["degraded"]:
        output.line(output.paint("all is well", fg="green"))
        return
    output.line(output.paint(f"{len(answer['degraded'])} not well", fg="red", bold=True))
    for trouble in answer["degraded"]:
        for line in _trouble(trouble):
            output.line(line)


def _daemon(answer: Answer) -> str:
    worker = answer["worker"]
    works = f"worker {worker['pid']}" if worker["alive"] else "NO WORKER"
    since = age(answer["start_time_utc"])
    return f"{answer['daemon_version']}, pid {answer['pid']}, up {since}, {works}"


def _benches(benches: Answer) -> str:
    agents = sum(bench["agents"] for bench in benches["items"])
    return f"{benches['active']} active, {benches['inactive']} inactive; {agents} agents"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _queue(queue: Answer) -> str:
    oldest = queue["oldest_queued_seconds"]
    waits = "" if oldest is None else f" (oldest {oldest}s)"
    blocked = _counts(queue["blocked_by_reason"])
    reasons = f" ({blocked})" if blocked else ""
    return (
        f"{queue['queued']} queued{waits}, {queue['in_flight']} in delivery, "
        f"{queue['blocked']} blocked{reasons}"
    )


def _routes(routing: Answer) -> str:
    most = routing["most_stalled_route"]
    lag = "" if most is None else f"; {most['route_id'][:8]} lags by {most['lag']} events"
    skipped = sum(routing["skips_by_reason"].values())
    return (
        f"routing {routing['value']}; {routing['routes_enabled']} enabled, "
        f"{routing['routes_disabled']} disabled; {routing['events_consumed_total']} events "
        f"decided, {skipped} skipped{lag}"
    )


def _logs(reader: Answer) -> str:
    runs = "reader runs" if reader["running"] else "NO READER"
    lag = reader.get("lag_bytes") or 0
    behind = f", {lag} bytes behind" if lag else ""
    return f"{runs}; {reader['active_attachments']} logs{behind}"


def _trouble(trouble: Answer) -> Iterator[str]:
    subject = f" {safe(trouble['subject'])}" if trouble["subject"] else ""
    since = f" ({age(trouble['since'])})" if trouble["since"] else ""
    yield f"  {trouble['subsystem']}{subject}{since}: {safe(trouble['reason'])}"
    yield f"    {safe(trouble['advice'])}"
