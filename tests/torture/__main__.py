"""``python -m tests.torture --seconds N --seed S``: torture a tower, and say how it took it."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import click
import pytest

from tests.support.docker import open_engine
from tests.torture.run import Verdict, torture
from tests.torture.schedule import draw

JOURNAL_LINES = 40


@click.command()
@click.option("--seconds", default=300.0, show_default=True, help="How long faults happen.")
@click.option("--seed", type=int, help="Repeats a schedule; drawn and shown where not given.")
@click.option("--logs", type=click.Path(path_type=Path), help="Keep what the processes said here.")
@click.option("--show", is_flag=True, help="Show the schedule and do nothing.")
def main(seconds: float, seed: int | None, logs: Path | None, show: bool) -> None:
    """Torture a tower of its own, with real containers and real tmux."""
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    if show:
        for fault in sorted((f for lane in draw(seed, seconds) for f in lane), key=lambda f: f.at):
            click.echo(str(fault))
        return
    click.echo(f"seed {seed}, {seconds:g} s", err=True)
    try:
        with open_engine() as engine:
            verdict = torture(engine, seconds, seed)
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        raise click.ClickException(str(error)) from error
    if logs is not None:
        logs.write_text(verdict.said, encoding="utf-8")
    report(verdict)
    sys.exit(1 if verdict.tally.wrong else 0)


def report(verdict: Verdict) -> None:
    """The counts; where something is wrong, what happened before it."""
    if verdict.tally.wrong:
        for line in verdict.tally.journal[-JOURNAL_LINES:]:
            click.echo(line, err=True)
    click.echo(str(verdict))


if __name__ == "__main__":
    main()
