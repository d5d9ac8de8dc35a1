"""``agenttower route``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import Column, Row, key
from agenttower.cli.references import PREFIX_LENGTH
from agenttower.cli.text import safe_lines
from agenttower.domain.agent_events import AGENT_EVENT_TYPES


def _source(row: Row) -> str:
    scope = row["source_scope"]
    return str(scope["value"] or scope["kind"])


COLUMNS = (
    key("ROUTE_ID", "route_id"),
    key("ENABLED", "enabled"),
    key("EVENT", "event_type"),
    Column("SOURCE", _source),
    Column("TARGET", lambda row: row["target_value"] or row["target_rule"]),
    Column("MASTER", lambda row: row["master_value"] or row["master_rule"]),
    key("CURSOR", "last_consumed_event_id"),
    key("CREATED_BY", "created_by_agent_id"),
    key("TEMPLATE", "template"),
)

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@click.group("route", short_help="Rules that turn events into prompts.")
def command() -> None:
    """Rules that turn events into prompts.

    A route heeds one type of event. It speaks in the name of a master, and prompts a slave or a
    swarm member. Each event becomes at most one prompt of each route.

    \b
    Example:
      agenttower route add waiting_for_input --to reviewer '{source_label}:{event_excerpt}'
    """


def _rule_options(function: Decorated) -> Decorated:
    """What describes a route."""
    for option in reversed(
        (
            click.option(
                "--from",
                "source",
                metavar="SOURCE",
                help="Whose events: an agent id, or role:ROLE[,capability:CAPABILITY]; "
                "without it, anybody's.",
            ),
            click.option(
                "--to",
                "target",
                metavar="TARGET",
                help="Who is prompted: an agent id, a label, role:slave or role:swarm, perhaps "
                "with ,capability:CAPABILITY; without it, the agent whose event it is.",
            ),
            click.option(
                "--master",
                metavar="AGENT_ID",
                help="In whose name; without it, the active master of the lowest id.",
            ),
        )
    ):
        function = option(function)
    return function


@command.command("add")
@click.argument("event_type", type=click.Choice(AGENT_EVENT_TYPES), metavar="EVENT_TYPE")
@click.argument("template")
@_rule_options
@click.option(
    "--dry-run",
    "event_id",
    type=click.IntRange(min=1),
    metavar="EVENT_ID",
    help="Make no route; show what this event would become.",
)
@json_option
@pass_run
def add(
    run: Invocation,
    event_type: str,
    template: str,
    source: str | None,
    target: str | None,
    master: str | None,
    event_id: int | None,
) -> None:
    """Make a route. It never fires on events that exist already.

    TEMPLATE is the text of the prompts, with fields in braces: event_id, event_type,
    source_agent_id, source_label, source_role, source_capability, event_excerpt, observed_at.
    Literal braces are doubled.

    \b
    Examples:
      agenttower route add error --from role:slave --to fixer '{source_label}:{event_excerpt}'
      agenttower route add waiting_for_input Continue.
      agenttower route add error --to fixer '{event_excerpt}' --dry-run 4711
    """
    params = _rule(event_type, template, source, target, master)
    if event_id is not None:
        _preview(run, {"event_id": event_id, "route": params})
        return
    _show(run, run.call("routes.add", params))


@command.command("list")
@click.option("--enabled-only", is_flag=True, help="Only routes that are enabled.")
@json_option
@pass_run
def list_routes(run: Invocation, enabled_only: bool) -> None:
    """List the routes, the oldest first. With --json: a bare array.

    \b
    Examples:
      agenttower route list
      agenttower route list --enabled-only --json
    """
    routes = run.call("routes.list", {"enabled_only": enabled_only})["routes"]
    if run.output.json_mode:
        run.output.document(routes)
        return
    run.output.rows(COLUMNS, routes, empty="No routes.")


@command.command("show")
@click.argument("route")
@json_option
@pass_run
def show(run: Invocation, route: str) -> None:
    """Show one route, what it has done, and how many events wait for it.

    \b
    Example:
      agenttower route show 3f2a
    """
    _show(run, run.call("routes.show", {"route_id": _route_id(run, route)}))


@command.command("test")
@click.argument("route")
@click.argument("event_id", type=click.IntRange(min=1))
@json_option
@pass_run
def test(run: Invocation, route: str, event_id: int) -> None:
    """Show what a route would make of an event that exists. Nothing is sent.

    \b
    Example:
      agenttower route test 3f2a 4711
    """
    _preview(run, {"event_id": event_id, "route_id": _route_id(run, route)})


def _changes(verb: str, text: str) -> None:
    @command.command(verb, help=f"{text}\n\n\b\nExample:\n  agenttower route {verb} 3f2a")
    @click.argument("routes", nargs=-1, required=True, metavar="ROUTE...")
    @json_option
    @pass_run
    def change(run: Invocation, routes: tuple[str, ...]) -> None:
        for route_id in [_route_id(run, route) for route in routes]:
            _show(run, run.call(f"routes.{verb}", {"route_id": route_id}))


_changes("enable", "Let routes go on, from where they stood: what has waited is worked off.")
_changes("disable", "Stop routes where they stand. Events wait until they are enabled.")
_changes("remove", "Delete routes. Prompts that they have made stay.")


def _rule(
    event_type: str, template: str, source: str | None, target: str | None, master: str | None
) -> dict[str, object]:
    """The parameters of ``routes.add``; which kind of name it is shows in its form."""
    kind = None if source is None else "role" if source.startswith("role:") else "agent_id"
    rule = "source" if target is None else "role" if target.startswith("role:") else "explicit"
    return given(
        event_type=event_type,
        template=template,
        source_scope_kind=kind,
        source_scope_value=source,
        target_rule=rule,
        target_value=target,
        master_rule=None if master is None else "explicit",
        master_value=master,
    )


def _route_id(run: Invocation, name: str) -> str:
    """The id of a route that is given by it or by its first characters."""
    from agenttower.domain.identifiers import is_uuid
    from agenttower.errors import RouteNotFound

    if is_uuid(name):
        return name.lower()
    rows = run.call("routes.list", {})["routes"] if len(name) >= PREFIX_LENGTH else []
    found = [row["route_id"] for row in rows if row["route_id"].startswith(name.lower())]
    if len(found) > 1:
        raise click.UsageError(f"{name!r} fits {len(found)} routes; give more of the id")
    if not found:
        raise RouteNotFound(name)
    return str(found[0])


def _show(run: Invocation, answer: dict[str, Any]) -> None:
    if run.output.json_mode:
        run.output.result(answer)
    else:
        run.output.fields(answer)


def _preview(run: Invocation, params: dict[str, object]) -> None:
    answer = run.call("routes.preview", params)
    if run.output.json_mode or not run.output.for_people or answer["text"] is None:
        _show(run, answer)
        return
    text = answer.pop("text")
    run.output.fields(answer)
    run.output.line()
    run.output.line(safe_lines(text))
