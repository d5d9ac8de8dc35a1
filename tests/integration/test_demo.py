"""``agenttower demo`` as a user runs it: what it shows, and that it leaves nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agenttower.demo.bench import CONTAINER_PREFIX
from agenttower.demo.programs import find_program
from tests.support.docker import DockerEngine, cannot_run
from tests.support.processes import processes_with
from tests.support.state_home import StateHome
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

DEMO = ("-m", "agenttower.cli.main", "demo")
DEMO_WITHOUT_ENGINE = (
    "-c",
    "import sys\n"
    "from agenttower.demo import bench, run\n"
    "bench.private_engine_obstacle = lambda: 'not in this test'\n"
    "sys.exit(run.run_demo())",
)


class Demo:
    """A demo under way; its output goes to a file."""

    def __init__(self, home: StateHome, words: tuple[str, ...], docker_host: str) -> None:
        # Its own temporary directory and the image cache of the tests.
        self.environ = home.environ | {"DOCKER_HOST": docker_host, "DEMO_TEST": str(home.root)}
        self._output = home.root / "demo.out"
        with self._output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, *words],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def exit_code(self) -> int:
        return self.process.wait(100)

    def says(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, 90, text)
        assert text in self.output


@contextmanager
def demo(home: StateHome, words: tuple[str, ...], docker_host: str) -> Iterator[Demo]:
    """A demo that must end by itself, and leave neither process nor directory behind."""
    before = set(Path("/tmp").glob("at-demo-*"))
    running = Demo(home, words, docker_host)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
    assert processes_with("DEMO_TEST", str(home.root)) == {}
    assert set(Path("/tmp").glob("at-demo-*")) <= before


@pytest.fixture
def cached_home(docker_engine: DockerEngine, state_home: StateHome) -> StateHome:
    """A home, and an engine that has the image already."""
    docker_engine.image("bookworm")
    return state_home


def demo_containers(engine: DockerEngine) -> list[str]:
    found = engine.client.containers.list(all=True, filters={"name": CONTAINER_PREFIX})
    return [str(container.name) for container in found]


def test_shows_a_layout_in_a_container(docker_engine: DockerEngine, cached_home: StateHome) -> None:
    with demo(cached_home, DEMO, docker_engine.url) as running:
        assert running.exit_code() == 0, running.output
    name = re.search(rf"bench: container ({CONTAINER_PREFIX}\w+)", running.output)
    assert name is not None
    for label, role in (("m1", "master"), ("s1", "slave"), ("s2", "slave")):
        assert re.search(rf"^result {label} {role} ready agt_\w{{12}} %\d", running.output, re.M)
    assert f"ready to work, on {name[1]}" in running.output
    assert re.search(r"^prompt \S{36} delivered submitted", running.output, re.M)
    assert re.search(
        r"\tdelivered\tsubmitted\tagt_.*\troute\t.*\tPlease mend it, s1", running.output
    )
    assert re.search(r"\ttest_failed\tagt_.*\n.*\ttest_passed\tagt_", running.output)
    assert name[1] not in demo_containers(docker_engine)


def test_is_taken_away_by_ctrl_c(docker_engine: DockerEngine, cached_home: StateHome) -> None:
    with demo(cached_home, DEMO, docker_engine.url) as running:
        running.says("$ agenttower layout create")
        running.process.send_signal(signal.SIGINT)
        running.process.send_signal(signal.SIGTERM)  # impatience changes nothing
        assert running.exit_code() in (128 + signal.SIGINT, 128 + signal.SIGTERM), running.output
    name = re.search(rf"bench: container ({CONTAINER_PREFIX}\w+)", running.output)
    assert name is not None
    assert name[1] not in demo_containers(docker_engine)


def test_uses_tmux_of_this_machine_where_no_engine_will_do(state_home: StateHome) -> None:
    if find_program("tmux") is None:
        cannot_run("tmux not found; run 'make setup' as root (Debian: apt-get install tmux)")
    with demo(state_home, DEMO_WITHOUT_ENGINE, state_home.environ["DOCKER_HOST"]) as running:
        assert running.exit_code() == 0, running.output
    assert "not in this test" in running.output
    assert "this machine's tmux" in running.output
    assert len(re.findall(r"^result \w+ \w+ ready", running.output, re.M)) == 3
