"""``agenttower protocol``: what goes over the socket, for programs and for people."""

from __future__ import annotations

from pathlib import Path

import click

from agenttower.cli.invocation import Invocation, pass_run

output_option = click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there instead of printing it.",
)


@click.group("protocol", short_help="What goes over the socket.")
def command() -> None:
    """The methods of the socket: parameters, answers, codes. No daemon is needed.

    \b
    Examples:
      agenttower protocol schema --output protocol.schema.json
      agenttower protocol reference
    """


@command.command("schema")
@click.option("--method", metavar="NAME", help="Only what this method needs.")
@output_option
@pass_run
def print_schema(run: Invocation, method: str | None, output: Path | None) -> None:
    """Print the protocol as one JSON Schema document (2020-12).

    \b
    Examples:
      agenttower protocol schema
      agenttower protocol schema --method managed.layout.create
    """
    # Hundreds of structs: imported for this command alone.
    from agenttower.protocol.catalog import declarations
    from agenttower.protocol.schema import text

    if method is not None and method not in declarations():
        raise click.BadParameter(
            f"there is no method {method[:80]!r}; see 'agenttower protocol reference'",
            param_hint="--method",
        )
    _give(run, text(method), output)


@command.command("reference")
@output_option
@pass_run
def print_reference(run: Invocation, output: Path | None) -> None:
    """Print the reference page of the protocol, in Markdown.

    \b
    Example:
      agenttower protocol reference --output docs/protocol.md
    """
    from agenttower.protocol.reference import page

    _give(run, page(), output)


def _give(run: Invocation, text: str, output: Path | None) -> None:
    if output is None:
        run.output.line(text.removesuffix("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(
            f"{output} cannot be written: {error.strerror}", param_hint="--output"
        ) from error
