"""``python -m benchmarks [--quick] [NAME …]``: measure, print a report, keep it in ``results/``."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.report import Ran, Report, Section
from benchmarks.scope import Scope
from tests.support.docker import DockerEngine, open_engine

NAMES = (
    "engine_steps",
    "wake_up",
    "create_latency",
    "burst",
    "reads",
    "log_reader",
    "recovery",
    "prompts",
    "idle",
    "load",
    "slowloris",
)
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run what was asked for; 0 unless a benchmark could not be run."""
    wanted = _arguments()
    started = datetime.now(UTC)
    report = Report(started.isoformat(timespec="seconds"), wanted.quick, machine.describe())
    with ExitStack() as stack:

        @cache
        def engine() -> DockerEngine:
            """One engine for all, started when the first asks for it."""
            return stack.enter_context(open_engine())

        for name in wanted.names or NAMES:
            print(f"{name} …", file=sys.stderr, flush=True)
            run: Callable[[Scope], Section] = import_module(f"benchmarks.{name}").run
            load_before, start = machine.load(), time.perf_counter()
            try:
                section = run(Scope(quick=wanted.quick, engine=engine))
            except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:
                # The others are worth having all the same.
                traceback.print_exc()
                said = str(error).partition("\n")[0]
                report.not_run[name] = f"{type(error).__name__}: {said}"
                continue
            seconds = time.perf_counter() - start
            report.ran.append(Ran(name, section, seconds, load_before, machine.load()))
    print(report.as_markdown())
    _keep(report, started)
    return 1 if report.not_run else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, few samples")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    wanted = parser.parse_args()
    unknown = sorted(set(wanted.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return wanted


def _keep(report: Report, started: datetime) -> None:
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / started.strftime("%Y%m%dT%H%M%SZ")
    stem.with_suffix(".json").write_text(report.as_json(), encoding="utf-8")
    stem.with_suffix(".md").write_text(report.as_markdown(), encoding="utf-8")
    print(f"kept in {stem}.json and .md", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
