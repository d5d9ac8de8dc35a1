"""A torture run from start to end."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from docker.errors import DockerException

from tests.support.docker import BenchFactory, DockerEngine
from tests.support.layouts import (
    bench_with_logs,
    create,
    our_panes,
    settled,
    write_profile,
    write_template,
)
from tests.support.state_home import StateHome, make_state_home
from tests.support.tower import Tower
from tests.torture.clients import Client
from tests.torture.faults import Faults, TorturedBench, possible
from tests.torture.keeper import Keeper
from tests.torture.panes import disagreements, twins
from tests.torture.rows import Rows
from tests.torture.schedule import Fault, draw
from tests.torture.small_disk import SmallDisk, small_disk
from tests.torture.story import Story
from tests.torture.tally import Tally, counts

IMAGES = ("bookworm", "trixie", "bookworm")
CLIENTS = 4
LOOK_EVERY_S = 0.4
CALM_S = 150.0
"""A step whose lease must run out and be found by the sweep takes 45 s and a minute."""
AGREE_S = 60.0
"""The slow look comes every 30 s."""


@dataclass
class Scene:
    """A tower and its benches, about to suffer."""

    tower: Tower
    benches: list[TorturedBench]
    disk: SmallDisk | None
    tally: Tally
    story: Story
    keeper: Keeper


@dataclass(frozen=True)
class Verdict:
    """How a run went."""

    seed: int
    seconds: float
    tally: Tally
    benches: list[str]
    disk_was_filled: bool
    operations: Counter[str]
    failures: Counter[str]
    """Steps that failed for good, by their class of error."""
    events: int
    calm_s: float
    said: str
    """What both processes said; for who must find out why."""

    def __str__(self) -> str:
        head = [
            f"seed             {self.seed}",
            f"schedule         {self.seconds:g} s, {len(self.benches)} containers"
            f" ({', '.join(self.benches)}), {CLIENTS} clients"
            + ("" if self.disk_was_filled else "; mounting is not possible here: no full disk"),
            f"operations       {counts(self.operations)}",
            f"failed steps     {counts(self.failures)}",
            f"events           {self.events}, each once and in order",
        ]
        tail = [f"calm             nothing under way {self.calm_s:.1f} s after the last fault"]
        wrong = [f"WRONG            {complaint}" for complaint in self.tally.wrong]
        return "\n".join([*head, *self.tally.lines(), *tail, *(wrong or ["nothing wrong"])])


def torture(engine: DockerEngine, seconds: float, seed: int) -> Verdict:
    """Torture a tower of its own for so long; :attr:`Tally.wrong` is empty if all is well."""
    with scene(engine, seed) as stage:
        schedule = draw(seed, seconds, possible(stage.disk))
        suffer(stage, schedule, seconds, seed)
        calm_s = recover(stage)
        stage.story.read()
        return Verdict(
            seed,
            seconds,
            stage.tally,
            [bench.image for bench in stage.benches],
            stage.disk is not None,
            counted(
                stage.tower,
                "SELECT kind || ' ' || state, COUNT(*) FROM operation GROUP BY kind, state",
            ),
            counted(
                stage.tower,
                "SELECT error_class, COUNT(*) FROM step WHERE status = 'failed' GROUP BY 1",
            ),
            sum(stage.story.sequences.values()),
            calm_s,
            stage.tower.logs(),
        )


@contextmanager
def scene(engine: DockerEngine, seed: int) -> Iterator[Scene]:
    """Everything a run needs; all of it is gone afterwards."""
    with ExitStack() as stack:
        home: StateHome = stack.enter_context(make_state_home())
        disk = stack.enter_context(small_disk(home))
        factory = BenchFactory(engine, f"att{seed:x}")
        stack.callback(factory.remove_all)
        tower = Tower(home)
        tower.environ["DOCKER_HOST"] = engine.url
        tower.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = factory.name_rule
        stack.callback(tower.close)
        tower.start()
        write_profile(tower, "dies", ["/bin/sh", "-c", "sleep 0.1; echo no; exit 3"])
        write_profile(tower, "waits", ["sleep", "100000"])
        write_template(tower, "one", [{"default_launch_command_ref": "waits"}])
        write_template(
            tower, "pair", [{"label_pattern": "q"}, {"default_launch_command_ref": "dies"}]
        )
        benches = [
            TorturedBench(bench_with_logs(tower, factory, image=image), image) for image in IMAGES
        ]
        tally = Tally()
        story = Story(home.paths.state_dir)
        yield Scene(tower, benches, disk, tally, story, Keeper(tower, tally))


def suffer(stage: Scene, schedule: list[list[Fault]], seconds: float, seed: int) -> None:
    """Clients, faults and looks at the invariants, all at once, until the time is over."""
    tally, tower = stage.tally, stage.tower
    faults = Faults(stage.keeper, stage.benches, tower.home.paths.database, stage.disk, tally)
    containers = [str(bench.container.id) for bench in stage.benches]
    clients = [Client(number, seed, tower, containers, tally) for number in range(CLIENTS)]
    jobs: list[Callable[[], None]] = [client.run for client in clients]
    jobs += [lambda lane=lane: faults.run(lane) for lane in schedule]  # type: ignore[misc]
    with ThreadPoolExecutor(len(jobs)) as pool:
        running: list[Future[None]] = [pool.submit(job) for job in jobs]
        try:
            while tally.now < seconds and not tally.stop.wait(LOOK_EVERY_S):
                look(stage)
        finally:
            tally.stop.set()
    for job in running:
        job.result()


def look(stage: Scene) -> None:
    """Check what must be true at every instant."""
    tally = stage.tally
    try:
        rows, wrong = stage.story.read()
    except sqlite3.OperationalError as error:
        if tally.storage_is_trusted:
            tally.complain([f"the database cannot be read: {error}"])
        return
    tally.looks += 1
    tally.complain(wrong)
    standing = sum(layout["state"] != "removed" for layout in rows.layouts)
    tally.most_layouts = max(tally.most_layouts, standing)
    for bench in stage.benches:
        if not bench.disturbed.acquire(blocking=False):
            continue
        try:
            tally.complain(twins(our_panes(bench.container)))
        except DockerException as error:
            tally.complain([f"the test's own look into a bench failed: {error}"])
        finally:
            bench.disturbed.release()


def recover(stage: Scene) -> float:
    """With everything whole again, wait until all is done and rows and tmux agree.

    :return: how many seconds nothing was under way after.
    """
    began = time.monotonic()
    if stage.tally.wrong:
        return 0.0
    rows = _until(
        stage, CALM_S, lambda rows: rows.at_rest and stage.story.relayed, "to come to rest"
    )
    calm_s = time.monotonic() - began
    if rows is None:
        return calm_s
    agreed = _until(
        stage, AGREE_S, lambda rows: not _differences(stage, rows), "to agree with tmux"
    )
    if agreed is None:
        stage.tally.complain(_differences(stage, stage.story.read()[0]))
        return calm_s
    _use_once_more(stage)
    return calm_s


def _until(
    stage: Scene, deadline_s: float, condition: Callable[[Rows], bool], what: str
) -> Rows | None:
    deadline = time.monotonic() + deadline_s
    while True:
        rows, wrong = stage.story.read()
        stage.tally.complain([*wrong, *stage.keeper.died()])
        if stage.tally.wrong:
            return None
        if condition(rows):
            return rows
        if time.monotonic() > deadline:
            stage.tally.complain(
                [f"waited {deadline_s:g} s for everything {what}: {rows.operations} {rows.steps}"]
            )
            return None
        time.sleep(LOOK_EVERY_S)


def _differences(stage: Scene, rows: Rows) -> list[str]:
    return [found for b in stage.benches for found in disagreements(rows, b.container)]


def _use_once_more(stage: Scene) -> None:
    """Every container still does what it is asked: make room, make a layout, take all away."""
    tower = stage.tower
    for layout in stage.story.read()[0].layouts:
        if layout["state"] != "removed":
            tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    made = [
        create(
            tower, bench.container, "one", session=f"last{number}", label_prefix=f"last{number}-"
        )
        for number, bench in enumerate(stage.benches)
    ]
    for result in made:
        state = settled(tower, result["layout_id"])["state"]
        if state != "ready":
            stage.tally.complain([f"after all was whole again a layout became {state}"])
    rows = _until(stage, CALM_S, lambda rows: rows.at_rest and stage.story.relayed, "to rest again")
    if rows is not None:
        stage.tally.complain(_differences(stage, rows))


def counted(tower: Tower, query: str) -> Counter[str]:
    """What a query of names and numbers gives."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        return Counter(dict(database.execute(query).fetchall()))
