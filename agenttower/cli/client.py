"""``agenttower client``: the program for benches, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.text import safe

INSTALL_PATH = "/usr/local/bin/agenttower"


@click.group("client", short_help="The program for benches, which needs nothing but Python.")
def command() -> None:
    """The client for benches: one file, agenttower.pyz, that needs nothing but Python 3.9.

    \b
    Examples:
      agenttower client install bench-1
      agenttower client build
    """


@command.command("build")
@click.option(
    "--output",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("agenttower.pyz"),
    show_default=True,
    help="Where to write it.",
)
@json_option
@pass_run
def build(run: Invocation, target: Path) -> None:
    """Build agenttower.pyz from this very program. The same program gives the same bytes.

    \b
    Examples:
      agenttower client build
      agenttower client build --output /srv/images/bench/agenttower
    """
    import hashlib

    from agenttower.pyz.builder import write

    content = write(target.absolute())
    done = {
        "path": str(target.absolute()),
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if run.output.json_mode:
        run.output.result(done)
    else:
        run.output.fields(done)


@command.command("install")
@click.argument("container")
@click.option(
    "--path",
    metavar="PATH",
    default=INSTALL_PATH,
    show_default=True,
    help="Where in the container.",
)
@json_option
@pass_run
def install(run: Invocation, container: str, path: str) -> ExitCode:
    """Put the client into CONTAINER (name, id, or how that begins), and try it there.

    Python 3.9 or newer must be in the container, with its whole standard library. The file is
    root's, and everybody may run it. Where the same one is there already nothing is changed;
    another program is never overwritten. Then 'agenttower doctor' runs in the container, and what
    it does not like is shown. Exit code 0: it is there and reaches the daemon; 5: it is there and
    does not.

    \b
    Examples:
      agenttower client install bench-1
      agenttower client install bench-1 --path /opt/tools/agenttower --json
    """
    from agenttower.pyz.install import install as put

    done = put(container, path)
    code = ExitCode.OK if done.usable else ExitCode.DEGRADED
    if run.output.json_mode:
        run.output.result(asdict(done) | {"usable": done.usable})
        return code
    shown = {name: value for name, value in asdict(done).items() if name != "doctor"}
    run.output.fields({**shown, "usable": done.usable})
    for name, check in done.doctor.get("checks", {}).items():
        if check.get("status") in ("fail", "warn"):
            run.output.line(safe(f"{name}: {check.get('details')}"))
            if check.get("actionable_message"):
                run.output.line(safe(f"    {check['actionable_message']}"))
    return code
