"""A bench container under test: its handle, and ways to look at it that are not our code."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from agenttower.bench.docker_provider import DockerProvider
from agenttower.bench.interface import PaneSpec, PaneView
from agenttower.bench.tmux_bench import TmuxBench
from tests.support.waiting import wait_until


def soon(seconds: float = 20.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds


def token() -> str:
    return secrets.token_hex(16)


@dataclass
class Box:
    """A bench container with everything a test needs to look at it from outside."""

    container: Container
    provider: DockerProvider
    bench: TmuxBench
    engine_url: str
    shared: Path
    """A directory mounted at the same path on both sides."""
    owner: str = field(default_factory=token)
    session: str = field(default_factory=lambda: f"s{secrets.token_hex(3)}")

    def spec(self, *argv: str, **changes: Any) -> PaneSpec:
        name = token()
        plain = PaneSpec(
            token=name, owner=self.owner, session=self.session, title=f"@MANAGED:{name}:m1",
            argv=argv or ("sleep", "infinity"),
        )  # fmt: skip
        return replace(plain, **changes)

    def create(self, *argv: str, **changes: Any) -> PaneView:
        return self.bench.create_pane(self.spec(*argv, **changes), soon())

    def layout(self, count: int, *argv: str) -> list[PaneView]:
        """Panes of one layout, made one after the other."""
        made: list[PaneView] = []
        for _ in range(count):
            made.append(self.create(*argv, siblings=[view.token for view in made]))
        return made

    def see(self, name: str) -> PaneView | None:
        return self.bench.find_panes([name], soon()).get(name)

    def exited(self, name: str) -> PaneView:
        """The pane, once its program has ended."""

        def ended() -> PaneView | None:
            view = self.see(name)
            return view if view is not None and view.exit is not None else None

        return wait_until(ended, 20, "the program to end")  # type: ignore[return-value]

    def runs(self, name: str, command: str) -> None:
        """Wait until the pane's foreground process has this name."""

        def running() -> bool:
            view = self.see(name)
            return view is not None and view.current_command == command

        wait_until(running, 20, f"{command} to run in the pane")

    def tmux(self, *argv: str) -> str:
        """What a user in the bench sees and does; not through our code."""
        return self.run("tmux", "-u", *argv)

    def run(self, *argv: str) -> str:
        done = self.container.exec_run(list(argv))
        return str(done.output.decode("utf-8", "replace")).strip()

    def marked(self, name: str) -> list[str]:
        """Every pane of the server that carries the token."""
        panes = self.tmux("list-panes", "-a", "-F", "#{pane_id} #{@agenttower_pane}")
        return [line.split()[0] for line in panes.splitlines() if line.endswith(f" {name}")]

    def file(self, name: str) -> Callable[[], bytes | None]:
        """A condition: the content of a file in the shared directory, once it has any."""

        def content() -> bytes | None:
            path = self.shared / name
            return (path.read_bytes() or None) if path.exists() else None

        return content

    def log_is(self, name: str, wanted: bytes) -> None:
        """Wait until the file holds exactly this; what comes late to a pipe is not lost."""
        content = self.file(name)
        wait_until(lambda: content() == wanted, 20, f"{name} to be {wanted[:60]!r}")

    def reopen(self, role: str = "worker", instance: str = "") -> TmuxBench:
        """Another handle on the same bench."""
        return self.provider.open(str(self.container.id), role, instance)
