"""The Docker engine of a test session, and benches made in it."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import Mount

from agenttower.demo.engine import PrivateEngine, answers, private_engine_obstacle
from agenttower.demo.image import ensure_image
from agenttower.paths import default_paths

ENGINE_VARIABLE = "AGENTTOWER_TEST_DOCKER_HOST"
BenchPath = str | tuple[str, str]
"""A path in the bench, or that and ``"ro"``."""


@dataclass(frozen=True)
class DockerEngine:
    """A real engine with the bench images, made when first asked for."""

    url: str
    client: docker.DockerClient
    cache_dir: Path

    def image(self, suite: str) -> str:
        """The name of the bench image of a Debian suite, ``bookworm`` or ``trixie``."""
        images_dir = self.cache_dir / "images"
        images_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (images_dir / "tests.lock").open("ab") as lock:  # of several test processes one builds
            fcntl.flock(lock, fcntl.LOCK_EX)
            return ensure_image(self.client, suite, images_dir, say=print)


@contextmanager
def open_engine() -> Iterator[DockerEngine]:
    """The engine that the environment names, else a private one. Never silently the machine's."""
    cache_dir = default_paths().cache_dir
    with ExitStack() as stack:
        url = named_engine()
        if url is None:
            obstacle = private_engine_obstacle()
            if obstacle is not None:
                cannot_run(f"{obstacle}, or name one for the tests in {ENGINE_VARIABLE}")
            url = stack.enter_context(PrivateEngine(cache_dir / "engine")).url
        client = stack.enter_context(closing(docker.DockerClient(base_url=url, timeout=60)))
        yield DockerEngine(url, client, cache_dir)


def cannot_run(reason: str) -> None:
    """Skip a test that this machine cannot run; in CI that is a failure, so nothing is hidden."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def named_engine() -> str | None:
    """The engine that the environment names, if it answers."""
    named = os.environ.get(ENGINE_VARIABLE)
    if named:
        if not answers(named):
            pytest.fail(f"{ENGINE_VARIABLE} is {named}, and no engine answers", pytrace=False)
        return named
    inherited = os.environ.get("DOCKER_HOST", "")
    return inherited if answers(inherited) else None


@dataclass
class BenchFactory:
    """Starts bench containers and removes them.

    ``prefix`` is unique to the test: on a shared engine, put ``name_rule`` into
    ``containers.name_contains`` to see the benches of this test only.
    """

    engine: DockerEngine
    prefix: str
    _made: list[Container] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def name_rule(self) -> str:
        """A fragment that occurs in the names of this test's benches and in no other name."""
        return f"{self.prefix}-bench"

    def __call__(
        self,
        name_suffix: str = "",
        image: str = "bookworm",
        user: str | None = None,
        mounts: Mapping[str | Path, BenchPath | Path] | None = None,
        init: bool = True,
        tmux_conf: str | None = None,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Container:
        """A running bench without network, named ``<prefix>-bench<n><name_suffix>``.

        :param image: a Debian suite, ``bookworm`` (tmux 3.3a) or ``trixie`` (tmux 3.5a).
        :param user: the container's configured user; ``None`` is root, ``bench`` is uid 1000.
        :param mounts: host path to bench path, or to ``(bench path, "ro")``.
        :param tmux_conf: text of that user's ``~/.tmux.conf``.
        :param name: instead of ``bench<n>…``, e.g. for a container that no name rule matches.
        :param options: what else the engine is told, e.g. ``privileged``.
        """
        container = self.engine.client.containers.create(
            self.engine.image(image),
            name=f"{self.prefix}-{name or f'bench{next(self._numbers)}{name_suffix}'}",
            user=user,
            mounts=[_bind(source, target) for source, target in (mounts or {}).items()],
            init=init,
            environment=dict(env or {}),
            network_mode="none",
            **options,
        )
        self._made.append(container)
        container.start()
        if tmux_conf is not None:
            _write_tmux_conf(container, tmux_conf)
        container.reload()
        return container

    def remove_all(self) -> None:
        """Remove every container made, also those that the test stopped or removed."""
        for container in self._made:
            with suppress(NotFound):
                container.remove(force=True, v=True)
        self._made.clear()


def _bind(source: str | Path, target: BenchPath | Path) -> Mount:
    path, mode = target if isinstance(target, tuple) else (target, "rw")
    return Mount(target=str(path), source=str(source), type="bind", read_only=mode == "ro")


def _write_tmux_conf(container: Container, text: str) -> None:
    done = container.exec_run(
        ["sh", "-c", 'printf %s "$CONF" >"$HOME/.tmux.conf"'], environment={"CONF": text}
    )
    assert done.exit_code == 0, done.output
