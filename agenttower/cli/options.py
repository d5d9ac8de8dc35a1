"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agenttower.cli.invocation import Invocation

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

STATES = ("creating", "degraded", "ready", "failed", "removed")


def _use_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Invocation).output.json_mode = True


def _json(text: str) -> Callable[[Decorated], Decorated]:
    """``--json``: switches the output of this run, and is no argument of the command."""
    return click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_use_json,
        help=text,
    )


json_option = _json(
    'Print one JSON object, {"ok":true,"result":…} or {"ok":false,"error":…}; nothing on stderr.'
)
json_stream_option = _json(
    'Print each item as one JSON object on a line of its own; an error as {"ok":false,"error":…}.'
)
json_report_option = _json("Print the whole report as one JSON object; nothing on stderr.")


def container_option(function: Decorated) -> Decorated:
    """``--container``: narrow a list to one container."""
    return click.option(
        "--container",
        metavar="CONTAINER",
        help="Only this container: its name, its id, or the first 12 characters of the id.",
    )(function)


def text_file_option(function: Decorated) -> Decorated:
    """``--file``: the text of a prompt out of a file."""
    return click.option(
        "--file",
        metavar="PATH",
        type=click.Path(dir_okay=False),
        help="Send what is in this file.",
    )(function)


def delivery_options(function: Decorated) -> Decorated:
    """``--wait`` and ``--timeout``: whether and how long deliveries are followed."""
    function = click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        help="How long to follow; what is queued then stays queued.",
    )(function)
    return click.option(
        "--wait/--no-wait", default=True, help="Follow the delivery; that is the default."
    )(function)


def yes_option(function: Decorated) -> Decorated:
    """``--yes``: the answer to every question."""
    return click.option(
        "-y", "--yes", is_flag=True, help="Do not ask; needed where nobody can be asked."
    )(function)


def state_option(function: Decorated) -> Decorated:
    """``--state``, repeatable: narrow a list by state."""
    return click.option(
        "--state",
        multiple=True,
        type=click.Choice(STATES),
        help="Only this state; may be repeated.",
    )(function)


def limit_option(function: Decorated) -> Decorated:
    """``--limit``: the first rows only, instead of all pages."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help="Only the first N rows; without it, all of them.",
    )(function)
