"""``python -m tests.torture.prompts``: many prompts, and a worker that is killed all the time.

Every prompt must end with a state, reach its pane at most once, and in order. What was delivered
must have arrived; what was interrupted may have, and says so.
"""

from __future__ import annotations

import base64
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from tests.support.docker import BenchFactory, DockerEngine, open_engine
from tests.support.mock_layout import MockLayout, add_mock_layout
from tests.support.state_home import make_state_home
from tests.support.tower import Tower
from tests.support.waiting import wait_until

IMAGES = ("bookworm", "trixie")
PANES = 4
SENDERS = 4
CALM_S = 900.0
PASTE = re.compile(rb"\x1b\[200~(.*?)\x1b\[201~(\r?)", re.DOTALL)


@dataclass
class Outcome:
    """What became of a run."""

    seed: int
    sent: int
    kills: int = 0
    states: Counter[str] = field(default_factory=Counter)
    panes_lost: int = 0
    """tmux died with them, see ``agenttower.bench.opening_lock``; their prompts must say so."""
    wrong: list[str] = field(default_factory=list)
    sending_s: float = 0.0
    total_s: float = 0.0
    said: str = ""

    def __str__(self) -> str:
        lines = [
            f"seed       {self.seed}",
            f"prompts    {self.sent}, to {PANES * len(IMAGES)} panes in {len(IMAGES)} containers",
            f"kills      {self.kills} of the worker",
            f"time       {self.sending_s:.1f} s to send, {self.total_s:.1f} s until all were over,"
            f" {self.sent / self.total_s:.0f} a second",
            *(f"           {count:6} {state}" for state, count in sorted(self.states.items())),
            f"panes lost {self.panes_lost}",
            f"wrong      {len(self.wrong)}",
            *(f"           {what}" for what in self.wrong[:20]),
        ]
        return "\n".join(lines)


def torture_prompts(
    engine: DockerEngine, count: int, seed: int, pause_s: tuple[float, float]
) -> Outcome:
    """Send ``count`` prompts while the worker is killed, and compare rows with panes.

    :param pause_s: shortest and longest life of a worker.
    """
    outcome = Outcome(seed, count)
    draws = random.Random(seed)
    with _scene(engine) as (tower, layouts):
        targets = [(layout, label) for layout in layouts for label in layout.panes]
        plan = [
            (number, *targets[draws.randrange(len(targets))], _text(draws, number))
            for number in range(count)
        ]
        done = threading.Event()
        started = time.monotonic()
        with ThreadPoolExecutor(1) as killer:
            killing = killer.submit(_kill, tower, random.Random(seed + 1), pause_s, done)
            try:
                _send_all(tower, plan, targets)
                outcome.sending_s = time.monotonic() - started
                wait_until(lambda: _open(tower) == 0, CALM_S, "every prompt to be over")
            finally:
                done.set()
                outcome.kills = killing.result()
        outcome.total_s = time.monotonic() - started
        _judge(tower, layouts, outcome)
        outcome.said = tower.logs()
    return outcome


@contextmanager
def _scene(engine: DockerEngine) -> Iterator[tuple[Tower, list[MockLayout]]]:
    with ExitStack() as stack:
        home = stack.enter_context(make_state_home())
        factory = BenchFactory(engine, f"at{random.SystemRandom().getrandbits(32):08x}")
        stack.callback(factory.remove_all)
        tower = Tower(home)
        tower.environ["DOCKER_HOST"] = engine.url
        tower.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = factory.name_rule
        stack.callback(tower.close)
        tower.start()
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=home.root)))
        directory.chmod(0o755)
        program = directory / "reader.py"
        shutil.copy(Path(__file__).with_name("echo_reader.py"), program)
        logs = tower.home.paths.logs_dir
        layouts = []
        for number, image in enumerate(IMAGES):
            bench = factory(image=image, mounts={logs: str(logs), directory: str(directory)})
            tower.result("scan_containers")
            options = {
                f"s{pane}": ["exec", "python3", str(program), str(_record(directory, number, pane))]
                for pane in range(PANES)
            }
            layouts.append(add_mock_layout(tower, bench, directory, options, f"work{number}"))
        yield tower, layouts


def _record(directory: Path, layout: int, pane: int) -> Path:
    return directory / f"work{layout}-s{pane}.raw"


def _text(draws: random.Random, number: int) -> bytes:
    """A body that names itself, of one line or of several, sometimes long."""
    size = draws.choice((5, 40, 40, 200, 4000))
    words = "".join(draws.choice("abcdefgh 漢ü\n") for _ in range(size))
    return f"#{number} {words} end {number}".encode()


def _send_all(
    tower: Tower,
    plan: list[tuple[int, MockLayout, str, bytes]],
    targets: list[tuple[MockLayout, str]],
) -> None:
    """Each sender has targets of its own, so that the order of a target's prompts is known."""

    def send(mine: set[tuple[int, str]]) -> None:
        for _, layout, label, text in plan:
            if (id(layout), label) in mine:
                params = {
                    "target": layout.id(label),
                    "body_bytes": base64.b64encode(text).decode(),
                    "wait": False,
                }
                tower.result("queue.operator_input", params)

    shares = [{(id(one), label) for one, label in targets[n::SENDERS]} for n in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as senders:
        for sent in [senders.submit(send, share) for share in shares]:
            sent.result()


def _kill(
    tower: Tower, draws: random.Random, pause_s: tuple[float, float], done: threading.Event
) -> int:
    """Kill the worker again and again; it runs in the end."""
    kills = 0
    while not done.wait(draws.uniform(*pause_s)):
        tower.kill9("worker")
        kills += 1
        tower.start("worker")
    return kills


def _open(tower: Tower) -> int:
    with closing(sqlite3.connect(tower.home.paths.database, timeout=30)) as database:
        found = database.execute("SELECT COUNT(*) FROM prompt WHERE state = 'queued'").fetchone()
    return int(found[0])


def _judge(tower: Tower, layouts: list[MockLayout], outcome: Outcome) -> None:
    with closing(sqlite3.connect(tower.home.paths.database)) as database:
        rows = database.execute(
            "SELECT message_id, target_agent_id, state, failure_reason, submission, envelope_body"
            " FROM prompt ORDER BY id"
        ).fetchall()
        told = Counter(
            database.execute(
                "SELECT json_extract(payload, '$.message_id'), json_extract(payload, '$.to_state')"
                " FROM event WHERE kind = 'queue'"
            ).fetchall()
        )
    if len(rows) != outcome.sent:
        outcome.wrong.append(f"{outcome.sent} were accepted and {len(rows)} have a row")
    outcome.states.update(
        " ".join(str(part) for part in row[2:5] if part is not None) for row in rows
    )
    for row in rows:
        ends = {to: told[row[0], to] for to in ("queued", "delivered", "failed", "blocked")}
        if ends != _ends(row[2], queued=1) and ends != _ends("blocked", queued=0):
            outcome.wrong.append(f"{row[0]} is {row[2]} and was told as {ends}")
    for number, layout in enumerate(layouts):
        for label in layout.panes:
            mine = [row for row in rows if row[1] == layout.id(label)]
            record = _record(layout.directory, number, int(label[1:]))
            pane_id = layout.panes[label]["pane_id"]
            lost = tower.result("managed.pane.detail", {"pane_id": pane_id})["state"] == "failed"
            outcome.panes_lost += lost
            _compare(f"work{number} {label}", mine, record.read_bytes(), outcome, lost=lost)


def _ends(state: str, *, queued: int) -> dict[str, int]:
    """How often each state is told of a prompt that is in this one; some are accepted blocked."""
    return {"queued": queued, "delivered": 0, "failed": 0, "blocked": 0} | {state: 1}


def _compare(
    where: str, rows: list[tuple[str, ...]], raw: bytes, outcome: Outcome, *, lost: bool
) -> None:
    """One pane: what it got, against what its rows say."""
    got = [(body, bool(entered)) for body, entered in PASTE.findall(raw)]
    places = {bytes(row[5]): place for place, row in enumerate(rows)}
    order = [places.get(body, -1) for body, _ in got]
    if -1 in order:
        outcome.wrong.append(f"{where}: {order.count(-1)} texts that nobody sent so")
    if len(set(order)) != len(order):
        twice = [place for place, count in Counter(order).items() if count > 1]
        outcome.wrong.append(f"{where}: delivered twice: {twice[:5]}")
    if order != sorted(order):
        outcome.wrong.append(f"{where}: out of order")
    arrived = dict(zip(order, (entered for _, entered in got), strict=True))
    for place, row in enumerate(rows):
        if row[4] == "submitted" and not arrived.get(place, False):
            outcome.wrong.append(f"{where}: {row[0]} is submitted and did not arrive entered")
        expected = row[4] == "submitted" or row[3] == "attempt_interrupted"
        if not expected and not lost:
            outcome.wrong.append(f"{where}: {row[0]} is {row[2]} {row[3] or row[4]}")


@click.command()
@click.option("--count", default=10_000, show_default=True, help="How many prompts.")
@click.option("--seed", type=int, help="Drawn and shown where not given.")
@click.option(
    "--life",
    nargs=2,
    type=float,
    default=(2.0, 6.0),
    show_default=True,
    help="Seconds that a worker lives, shortest and longest.",
)
@click.option("--logs", type=click.Path(path_type=Path), help="Keep what the processes said here.")
def main(count: int, seed: int | None, life: tuple[float, float], logs: Path | None) -> None:
    """Deliver many prompts by a worker that is killed all the time, on real tmux."""
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    try:
        with open_engine() as engine:
            outcome = torture_prompts(engine, count, seed, life)
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        raise click.ClickException(str(error)) from error
    if logs is not None:
        logs.write_text(outcome.said, encoding="utf-8")
    click.echo(str(outcome))
    sys.exit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    main()
