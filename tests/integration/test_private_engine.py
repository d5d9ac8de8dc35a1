"""The private Docker engine: it works, it keeps its images, and it leaves nothing running."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import docker
import pytest

from agenttower.demo.engine import PrivateEngine, answers, find_engine, private_engine_obstacle
from agenttower.demo.image import ensure_image
from agenttower.errors import DockerUnavailable
from agenttower.paths import default_paths
from tests.support.docker import cannot_run
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.slow]

IMAGES = default_paths().cache_dir / "images"


@pytest.fixture
def slots(tmp_path: Path) -> Path:
    """Where this test's engines keep their slots."""
    obstacle = private_engine_obstacle()
    if obstacle is not None:
        cannot_run(obstacle)
    return tmp_path


def run_dir(url: str) -> Path:
    return Path(url.removeprefix("unix://")).parent


def traces(directory: Path) -> list[str]:
    """Processes and mounts that name the directory, and the directory itself."""
    found = [
        line for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line
    ]
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command_line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in words:
            found.append(words)
    return found + [str(directory)] * directory.exists()


def test_runs_benches_twice_and_leaves_nothing_but_its_images(slots: Path) -> None:
    built: list[str] = []
    for _ in range(2):
        with (
            PrivateEngine(slots) as engine,
            closing(docker.DockerClient(base_url=engine.url)) as client,
        ):
            assert find_engine({"DOCKER_HOST": engine.url}) == engine.url
            image = ensure_image(client, "bookworm", IMAGES, say=built.append)
            assert client.containers.list(all=True) == []
            container = client.containers.run(image, init=True, detach=True, network_mode="none")
            assert container.exec_run(["tmux", "-V"]).output.startswith(b"tmux 3")
            directory = run_dir(engine.url)
        # The container was left running: it must not hold the engine up, nor stay.
        assert traces(directory) == []
        assert traces(slots / "slot-1" / "data" / "overlay2") == [
            str(slots / "slot-1" / "data" / "overlay2")
        ]
    assert sum(line.startswith("importing") for line in built) == 1


def test_a_second_user_gets_a_slot_of_its_own(slots: Path) -> None:
    with PrivateEngine(slots) as first, PrivateEngine(slots) as second:
        assert first.url != second.url
        assert answers(first.url)
        assert answers(second.url)
        assert sorted(entry.name for entry in slots.iterdir()) == ["slot-1", "slot-2"]
    with PrivateEngine(slots) as third:
        assert third.log_file.parent.name == "slot-1"


def test_ends_when_its_owner_is_killed(slots: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from agenttower.demo.engine import PrivateEngine\n"
        "with PrivateEngine(pathlib.Path(sys.argv[1])) as engine:\n"
        "    print(engine.url, flush=True)\n"
        "    time.sleep(600)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(slots)], stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert answers(url)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not traces(run_dir(url)), 30, "every trace of the engine to go")
    with PrivateEngine(slots) as engine:
        assert engine.log_file.parent.name == "slot-1"


def test_says_why_it_could_not_start(slots: Path) -> None:
    (slots / "slot-1").mkdir(0o700)
    (slots / "slot-1" / "data").write_text("in the way")
    before = set(Path("/tmp").glob("at-engine-*"))
    with pytest.raises(DockerUnavailable, match=r"slot-1/data.*dockerd\.log"):
        PrivateEngine(slots).__enter__()
    assert set(Path("/tmp").glob("at-engine-*")) <= before


def test_an_engine_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert find_engine({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}) is None
    assert find_engine({"DOCKER_HOST": "tcp://127.0.0.1:1"}) is None
