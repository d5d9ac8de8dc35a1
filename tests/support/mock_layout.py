"""A layout of mock agents in a bench, and a master that prompts them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from tests.support.docker import BenchFactory
from tests.support.layouts import create, settled, write_profile, write_template
from tests.support.mock_agent import MockAgent
from tests.support.tower import Tower
from tests.support.waiting import wait_until

WAIT_S = 30.0


@dataclass
class MockLayout:
    """Its panes are known by their labels."""

    tower: Tower
    bench: Container
    directory: Path
    panes: dict[str, dict[str, Any]]
    agents: dict[str, MockAgent]

    def id(self, label: str) -> str:
        """The agent's id."""
        return str(self.panes[label]["agent_id"])

    def prompts(self, label: str) -> list[bytes]:
        """What was submitted to the agent."""
        return self.agents[label].prompts()

    def send(self, label: str, body: bytes, **more: Any) -> dict[str, Any]:
        """A prompt of the operator; waits for its outcome."""
        params = {
            "target": self.id(label),
            "body_bytes": base64.b64encode(body).decode(),
            "wait_timeout_seconds": WAIT_S,
            **more,
        }
        return dict(self.tower.result("queue.operator_input", params))

    def as_master(self, label: str, target: str, body: bytes, **more: Any) -> dict[str, Any]:
        """A prompt from the agent of one pane for another; the whole reply."""
        params = {
            "caller_pane": {"pane_composite_key": self.pane_key(label)},
            "target": target,
            "body_bytes": base64.b64encode(body).decode(),
            "wait_timeout_seconds": WAIT_S,
            **more,
        }
        return self.tower.call("queue.send_input", params)

    def pane_key(self, label: str) -> dict[str, Any]:
        """The composite key of a pane, as the registry has it."""
        [agent] = [
            agent
            for agent in self.tower.result("list_agents")["agents"]
            if agent["agent_id"] == self.id(label)
        ]
        return {
            key: agent[key]
            for key in (
                "container_id", "tmux_socket_path", "tmux_session_name", "tmux_window_index",
                "tmux_pane_index", "tmux_pane_id",
            )
        }  # fmt: skip

    def ready(self, *labels: str) -> None:
        """Wait until each of these agents shows its input line."""
        for label in labels:
            pane = self.pane_key(label)["tmux_pane_id"]

            def drawn(pane: str = pane) -> bool:
                shown = self.bench.exec_run(["tmux", "-u", "capture-pane", "-p", "-t", pane])
                return "─" * 8 in shown.output.decode()

            wait_until(drawn, 20, f"{label} to draw itself")


def mock_layout(
    tower: Tower,
    bench_factory: BenchFactory,
    directory: Path,
    options: Mapping[str, Sequence[str]],
    image: str = "bookworm",
    session: str = "work",
) -> MockLayout:
    """A bench with one agent for each label; ``m…`` are masters, the others slaves.

    :param options: the mock agent's, or ``exec`` and another command.
    """
    state = tower.home.paths.state_dir  # with the logs and the socket
    mounts = {state: str(state), directory: str(directory)}
    bench = bench_factory(image=image, mounts=mounts)
    tower.result("scan_containers")
    return add_mock_layout(tower, bench, directory, options, session)


def add_mock_layout(
    tower: Tower,
    bench: Container,
    directory: Path,
    options: Mapping[str, Sequence[str]],
    session: str,
) -> MockLayout:
    """As :func:`mock_layout`, in a bench that is there."""
    agents = {label: MockAgent(directory, f"{session}-{label}") for label in options}
    for label, agent in agents.items():
        chosen = list(options[label])
        command = chosen[1:] if chosen[:1] == ["exec"] else agent.argv(*chosen)
        write_profile(tower, f"{session}-{label}", command)
    write_template(
        tower,
        f"{session}-mocks",
        [
            {
                "role": "master" if label.startswith("m") else "slave",
                "capability": "program" if list(options[label])[:1] == ["exec"] else "mock",
                "label_pattern": label,
                "default_launch_command_ref": f"{session}-{label}",
            }
            for label in options
        ],
    )
    made = create(tower, bench, f"{session}-mocks", session)
    detail = settled(tower, made["layout_id"], 60)
    assert detail["state"] == "ready", detail
    panes = {pane["label"]: pane for pane in detail["panes"]}
    return MockLayout(tower, bench, directory, panes, agents)
