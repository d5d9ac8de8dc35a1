"""The bench of a demo: a container of its own, or this machine's tmux where no engine will do."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.errors import DockerException
from docker.types import Mount

from agenttower.demo.engine import PrivateEngine, find_engine, private_engine_obstacle
from agenttower.demo.image import ensure_image
from agenttower.demo.programs import find_program
from agenttower.errors import AgentTowerError, DockerUnavailable, TmuxUnavailable
from agenttower.paths import Paths

SUITE = "bookworm"
CONTAINER_PREFIX = "agenttower-demo-bench-"
Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoBench:
    """A bench to create a layout in.

    ``environ`` is what AgentTower must be started with to see this bench, and no other container.
    """

    name: str
    environ: dict[str, str] = field(default_factory=dict)


@contextmanager
def open_bench(paths: Paths, programs_dir: Path, cache_dir: Path, say: Say) -> Iterator[DemoBench]:
    """A bench, removed on leaving the context: in the engine that is there, else in a private one,
    else this machine's tmux.

    :param paths: of the demo; its logs are mounted into the container.
    :param programs_dir: mounted too, read-only.
    :param cache_dir: where images and the private engine are kept from run to run.
    :raises TmuxUnavailable: no engine will do, and this machine has no tmux.
    """
    with ExitStack() as stack:
        yield _container_or_none(stack, paths, programs_dir, cache_dir, say) or stack.enter_context(
            _local_bench(paths, say)
        )


def _container_or_none(
    stack: ExitStack, paths: Paths, programs_dir: Path, cache_dir: Path, say: Say
) -> DemoBench | None:
    with ExitStack() as attempt:
        try:
            url = find_engine()
            if url is None:
                url = _start_private_engine(attempt, cache_dir, say)
            else:
                say(f"Docker engine: the one at {url}")
            client = attempt.enter_context(closing(docker.DockerClient(base_url=url, timeout=60)))
            image = ensure_image(client, SUITE, cache_dir / "images", say)
            name = attempt.enter_context(_container(client, image, paths, programs_dir))
        except (AgentTowerError, DockerException) as error:
            say(f"no bench container: {error}")
            return None
        stack.push(attempt.pop_all())
    say(f"bench: container {name} ({image})")
    return DemoBench(name, {"DOCKER_HOST": url, "AGENTTOWER_CONTAINERS_NAME_CONTAINS": name})


def _start_private_engine(stack: ExitStack, cache_dir: Path, say: Say) -> str:
    obstacle = private_engine_obstacle()
    if obstacle is not None:
        raise DockerUnavailable(obstacle)
    started = time.monotonic()
    url = stack.enter_context(PrivateEngine(cache_dir / "engine")).url
    say(f"Docker engine: a private one, started in {time.monotonic() - started:.1f} s")
    return url


@contextmanager
def _container(
    client: docker.DockerClient, image: str, paths: Paths, programs_dir: Path
) -> Iterator[str]:
    """A running bench whose user has our uid, so that both sides can use the logs."""
    logs, programs = str(paths.logs_dir), str(programs_dir)
    name = f"{CONTAINER_PREFIX}{secrets.token_hex(2)}"
    container = client.containers.create(
        image,
        name=name,
        hostname=name,
        user=str(os.geteuid()),
        mounts=[
            Mount(target=logs, source=logs, type="bind"),
            Mount(target=programs, source=programs, type="bind", read_only=True),
        ],
        environment={"LANG": "C.UTF-8"},
        init=True,
        network_mode="none",
    )
    try:
        container.start()
        yield name
    finally:
        container.remove(force=True, v=True)


@contextmanager
def _local_bench(paths: Paths, say: Say) -> Iterator[DemoBench]:
    tmux = find_program("tmux")
    if tmux is None:
        raise TmuxUnavailable(
            "tmux not found, so there is no bench at all; "
            "run 'make setup' as root (Debian: apt-get install tmux)"
        )
    say("bench: this machine's tmux, on a socket of its own")
    try:
        yield DemoBench("local", {"AGENTTOWER_LOCAL_ENABLED": "true"})
    finally:
        # The server outlives a worker by design.
        for socket in paths.state_dir.glob("*.sock"):
            if "tmux" in socket.name:
                subprocess.run(
                    [tmux, "-S", str(socket), "kill-server"],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                )
