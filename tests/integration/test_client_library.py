"""The library and a real daemon: the examples of its documentation, and the shapes of answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from docker.models.containers import Container

from agenttower.client import Client, shapes
from tests.support.docker import BenchFactory
from tests.support.layouts import write_profile
from tests.support.markdown import Document
from tests.support.mock_agent import MockAgent
from tests.support.module_tower import bench_factory, state_home, tower  # noqa: F401
from tests.support.tower import Tower

DOCUMENT = Document(Path(__file__).parents[2] / "docs/client-library.md")


@pytest.fixture(scope="module")
def bench(
    tower: Tower,  # noqa: F811
    bench_factory: BenchFactory,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Container:
    """A bench with the launch profile that the documentation speaks of."""
    directory = tmp_path_factory.mktemp("agents")
    logs = tower.home.paths.logs_dir
    container = bench_factory(mounts={logs: str(logs), directory: str(directory)})
    tower.result("scan_containers")
    write_profile(tower, "codex", MockAgent(directory, "codex").argv())
    return container


@pytest.fixture
def client(tower: Tower) -> Iterator[Client]:  # noqa: F811
    with Client(tower.socket_path) as made:
        yield made


def test_the_examples_of_the_documentation(
    tower: Tower,  # noqa: F811
    bench: Container,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AGENTTOWER_SOCKET", str(tower.socket_path))
    names: dict[str, Any] = {}
    blocks = [block.text for block in DOCUMENT.blocks if block.kind == "python"]
    assert len(blocks) == 8
    for block in blocks:
        exec(compile(block, str(DOCUMENT.path), "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert f"{bench.name} running" in said
    assert "ready ['lib-m1', 'lib-s1', 'lib-s2']" in said
    assert "taken: library" in said
    assert any(line.startswith("delivered ") for line in said)
    assert "1 managed_layout_created" in said
    assert "ok" in said
    assert "lib-s2 True" in said
    assert "no pane 00000000-0000-4000-8000-000000000000" in said


def test_answers_have_the_shapes_that_are_promised(
    tower: Tower,  # noqa: F811
    bench: Container,
    client: Client,
) -> None:
    created = client.layouts.create(str(bench.id), "1m+2s", "shapes", label_prefix="sh-")
    fits(created, shapes.NewLayout)
    fits(created["panes"][0], shapes.NewPane)
    seen = [layout["state"] for layout in client.layouts.watch(created["layout_id"], 3)]
    assert seen[-1] == "ready"
    layout = client.layouts.wait(created["layout_id"])
    fits(layout, shapes.Layout)
    fits(layout["panes"][0], shapes.Pane)
    fits(next(client.layouts.list()), shapes.LayoutItem)
    fits(next(client.events.managed(layout=layout["layout_id"])), shapes.ManagedEvent)
    fits(client.containers.list()[0], shapes.Container)
    assert client.containers.own() is None
    assert client.containers.scan_panes(str(bench.id))["status"] == "ok"
    agent = next(one for one in client.agents.list() if one["label"] == "sh-s1")
    fits(agent, shapes.Agent)
    fits(client.prompts.send("sh-s1", "echo shapes"), shapes.Prompt)
    page = client.logs.read(agent["agent_id"])
    fits(page, shapes.LogPage)
    client.panes.remove(layout["panes"][1]["pane_id"])
    fits(client.panes.recreate(layout["panes"][1]["pane_id"]), shapes.Recreated)
    route = client.routes.add("error", "{event_excerpt}", target_rule="source")
    fits(route, shapes.Route)
    client.routes.remove(route["route_id"])


def test_one_session_serves_all_pages_and_a_restart(tower: Tower, client: Client) -> None:  # noqa: F811
    wanted = {agent["agent_id"] for agent in client.agents.list()}
    assert {row["agent_id"] for row in client.rows("app.agent.list", limit=1)} == wanted
    assert len(wanted) > 2
    before = client.call("app.hello")["app_session_id"]
    assert before <= 3
    tower.stop("serve")
    tower.start("serve")
    assert client.call("app.readiness")["state"] in ("ready", "degraded")


def test_found_panes_have_their_shape(bench: Container, client: Client) -> None:
    bench.exec_run(["tmux", "new-session", "-d", "-s", "found"])
    client.containers.scan_panes(str(bench.id))
    fits(client.containers.panes(str(bench.id), active_only=True)[0], shapes.FoundPane)


def fits(value: object, shape: Any) -> None:
    """Every key that the shape promises is there, and of its type."""
    msgspec.convert(value, shape)
