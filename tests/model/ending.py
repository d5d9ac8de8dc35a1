"""The end: misfortune stops, everything comes to rest by itself, and tmux agrees with the rows."""

from __future__ import annotations

import json

from agenttower.store import agents
from tests.model.scene import ADOPTED, ADOPTED_IN, Scene


def settle(scene: Scene) -> None:
    """All misfortune ends: by itself, and without the sweep, everything comes to rest."""
    scene.world.faults.clear()
    scene.meanwhile = None
    scene.world.stuck = ""
    scene.world.docker_down = scene.rig.store.locked = scene.rig.store.full = 0
    for container in scene.world.containers.values():
        container.log_deaf = False
        if container.status == "paused":
            scene.world.go_on(container)
    scene.world.deliver_late()
    scene.rig.hear_engine()
    drain(scene)
    for container_id in {pane.container_id for pane in scene.contract.panes.values()}:
        assert scene.rig.look(container_id), "nothing is wrong any more"
    drain(scene)
    scene.watch.look()
    _tmux_agrees(scene)
    _file_agrees(scene)


def drain(scene: Scene) -> None:
    """Run what is due, wait for what is not, rescue what nobody holds any more."""
    worker = scene.rig.worker()
    for _ in range(500):
        if scene.rig.run_message() or worker.engine.rescue():
            continue
        due = scene.watch.rows("SELECT MIN(not_before) AS at FROM queue_message")[0]["at"]
        held = scene.watch.rows("SELECT MAX(lease_until) AS at FROM step WHERE status='running'")
        wait = due if due is not None else held[0]["at"]
        if wait is None:
            break
        scene.rig.time.now = max(scene.rig.time.now + 1, wait)
    open_work = scene.watch.rows("SELECT * FROM operation WHERE state IN ('waiting', 'running')")
    assert not open_work, f"never finished: {open_work}"


def _tmux_agrees(scene: Scene) -> None:
    standing = {
        token: pane
        for container in scene.world.containers.values()
        for pane in container.tmux.panes
        if (token := pane.token)
    }
    for pane in scene.contract.panes.values():
        found = standing.pop(pane.pane_id.replace("-", ""), None)
        if pane.state in ("ready", "degraded"):
            assert found is not None, f"{pane} has no pane in tmux"
        if pane.state == "removed":
            assert found is None, f"{pane} still stands in tmux"
        if found is not None:
            assert found.title == pane.label, f"{pane} is titled {found.title}"
    assert not standing, f"nobody knows {standing}"
    for container in scene.world.containers.values():
        untouched = container.tmux.server_id == scene.foreign[container.id]
        assert any(not pane.token for pane in container.tmux.panes) == untouched
        if container.id == ADOPTED_IN and untouched:
            adopted = agents.by_id(ADOPTED)
            assert adopted is not None
            assert adopted.active


def _file_agrees(scene: Scene) -> None:
    scene.rig.worker().relay.run_once()
    text = scene.rig.settings.paths.events_file.read_text(encoding="utf-8")
    relayed = [json.loads(line)["event_id"] for line in text.splitlines()]
    assert relayed == scene.watch.nothing_was_rewritten()
