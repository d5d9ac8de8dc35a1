"""``python -m tests.fuzz --seconds N --seed S``: fuzz everything for a while, and say how it went.

A share of the time goes to each target of the coverage-guided fuzzer, and one to clients of a real
``serve`` process.
"""

from __future__ import annotations

import random
import sys
import time
from importlib.util import find_spec

import click

from tests.fuzz import guided, live
from tests.fuzz.targets.every import TARGETS

LIVE_WEIGHT = 8
NAMES = [*TARGETS, live.NAME]


@click.command()
@click.option("--seconds", default=300.0, show_default=True, help="How long, in all.")
@click.option("--seed", type=int, help="Repeats a choice of inputs; drawn where not given.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="These targets alone.")
def main(seconds: float, seed: int | None, only: tuple[str, ...]) -> None:
    """Fuzz the wire and whatever else reads bytes of others."""
    if find_spec("atheris") is None:
        raise click.ClickException("atheris is not installed; run 'scripts/bootstrap --fuzz'")
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    names = only or tuple(NAMES)
    click.echo(f"seed {seed}, {seconds:g} s, {', '.join(names)}", err=True)
    weights = {name: TARGETS[name].weight if name in TARGETS else LIVE_WEIGHT for name in names}
    share = seconds / sum(weights.values())
    began = time.monotonic()
    failed = []
    for name, weight in weights.items():
        outcome = (
            guided.run(TARGETS[name], weight * share, seed)
            if name in TARGETS
            else live.run(weight * share, seed)
        )
        click.echo(str(outcome))
        failed += [outcome] if outcome.failure else []
    for outcome in failed:
        for file in outcome.files:
            click.echo(f"{file} failed; how it becomes a test is said in tests/fuzz/README.md")
    click.echo(f"{len(failed)} of {len(names)} failed, in {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
