"""What tests of managed layouts do again and again: create, wait, look into tmux and the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from docker.models.containers import Container

from tests.support.docker import BenchFactory
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def bench_with_logs(tower: Tower, bench_factory: BenchFactory, **options: Any) -> Container:
    """A bench that has the tower's log directory mounted at the same path, and is known to it."""
    logs = tower.home.paths.logs_dir
    container = bench_factory(mounts={logs: str(logs)}, **options)
    tower.result("scan_containers")
    return container


def write_template(tower: Tower, name: str, panes: list[dict[str, str]], **more: str) -> None:
    """A template file; a pane's missing fields get defaults."""
    folder = tower.home.paths.templates_dir
    folder.mkdir(parents=True, exist_ok=True)
    full = [
        {"role": "slave", "capability": "worker", "label_pattern": "p{ordinal}", **pane}
        for pane in panes
    ]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, "panes": full, **more}))


def write_profile(tower: Tower, name: str, command: list[str], **more: Any) -> None:
    """A launch profile file."""
    folder = tower.home.paths.profiles_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        yaml.safe_dump({"name": name, "command": command, **more}, allow_unicode=True)
    )


def create(
    tower: Tower, container: Container, template: str = "1m+2s", session: str = "work", **more: Any
) -> dict[str, Any]:
    """Create a layout; the result of M1."""
    params = {
        "container_id": container.id,
        "template_name": template,
        "tmux_session_name": session,
        **more,
    }
    result = tower.result("managed.layout.create", params)
    assert isinstance(result, dict)
    return result


def refusal(tower: Tower, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The ``error`` of a request that must be refused."""
    reply = tower.call(method, params)
    assert reply["ok"] is False, reply
    error = reply["error"]
    assert isinstance(error, dict)
    return error


def settled(tower: Tower, layout_id: str, deadline_s: float = 30.0) -> dict[str, Any]:
    """The layout's detail once it is not creating any more."""

    def look() -> dict[str, Any] | None:
        detail = tower.result(
            "managed.layout.detail", {"layout_id": layout_id, "include_terminal_panes": True}
        )
        return None if detail["state"] == "creating" else dict(detail)

    detail = wait_until(look, deadline_s, f"layout {layout_id} to settle")
    assert detail is not None
    return detail


def tmux(container: Container, *args: str, user: str = "") -> str:
    """What a tmux command says in the container."""
    done = container.exec_run(["tmux", "-u", *args], user=user)
    return str(done.output.decode())


def our_panes(container: Container) -> list[dict[str, str]]:
    """Every pane of AgentTower's in the container's tmux, with identity, title and session."""
    text = tmux(
        container,
        "list-panes",
        "-a",
        "-F",
        "#{@agenttower_pane}|#{pane_id}|#{session_name}|#{pane_pipe}|#{pane_title}",
    )
    rows = [line.split("|", 4) for line in text.splitlines() if not line.startswith("|")]
    keys = ("token", "pane_id", "session", "piped", "title")
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == len(keys)]


def log_of(tower: Tower, pane: dict[str, Any]) -> Path:
    """The host file that a pane's output goes into."""
    agents = tower.home.paths.logs_dir / pane["container_id"]
    return agents / f"{pane['agent_id']}.log"


def events_of(tower: Tower, layout_id: str) -> list[dict[str, Any]]:
    """Every event of a layout, in order."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = tower.result(
            "managed.event.list", {"layout_id": layout_id, "after": after, "limit": 200}
        )
        if not page["events"]:
            return found
        found += page["events"]
        after = page["next"]


def relayed_events(tower: Tower) -> list[dict[str, Any]]:
    """The managed events in ``events.jsonl``."""
    lines = tower.home.paths.events_file.read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event.get("origin") == "managed"]
