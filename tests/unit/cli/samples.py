"""What a daemon would answer, in the shapes of managed.md section 3."""

from __future__ import annotations

from typing import Any

CONTAINER = "ab" * 32
LAYOUT = "6b0c4c1e-52c5-4f7e-8c64-1f1b8a3d9f10"
PANE = "0f0d2f0c-7c5d-4d0e-9f7a-2f3b8f3c1a55"
START = "2026-05-06T18:01:34.000000+00:00"
STAGES = ("pane_create", "launch_command", "registration", "log_attach")


def stage(status: str = "waiting", ms: int | None = None, attempts: int = 1) -> dict[str, Any]:
    """One stage; ``ms`` is how long it took."""
    finished = None if ms is None else f"2026-05-06T18:01:34.{ms:03}000+00:00"
    return {
        "status": status,
        "attempts": 0 if status == "waiting" else attempts,
        "started_at": None if status == "waiting" else START,
        "finished_at": finished,
        "error": None,
    }


def pane(label: str, state: str = "creating", **more: Any) -> dict[str, Any]:
    """A PANE. Stages are given by name, all others are waiting."""
    stages = {name: more.pop(name, stage()) for name in STAGES}
    slot = more.setdefault("slot", int(label[-1]) - 1)
    return {
        "pane_id": f"pane-{label}",
        "layout_id": LAYOUT,
        "container_id": CONTAINER,
        "role": "master" if label.startswith("m") else "slave",
        "capability": "worker",
        "label": label,
        "state": state,
        "tmux_session_name": "work",
        "tmux_pane_index": slot,
        "tmux_pane_id": f"%{slot}",
        "chain_depth": 0,
        "agent_id": None,
        "predecessor_id": None,
        "log_attached": state == "ready",
        "origin": "managed",
        "exit_code": None,
        "failure_reason": None,
        "stages": stages,
        **more,
    }


def done(label: str, **more: Any) -> dict[str, Any]:
    """A pane that is ready."""
    stages = {name: stage("done", 10 + place) for place, name in enumerate(STAGES)}
    return pane(label, **{"state": "ready", "agent_id": f"agt_{label}", **stages, **more})


def layout(state: str, panes: list[dict[str, Any]], revision: int = 1) -> dict[str, Any]:
    """M3's result."""
    return {
        "layout_id": LAYOUT,
        "container_id": CONTAINER,
        "template_name": "1m+2s",
        "tmux_session_name": "work",
        "tmux_session_target": "work",
        "state": state,
        "intended_pane_count": len(panes),
        "panes": panes,
        "created_at": START,
        "updated_at": START,
        "origin": "managed",
        "revision": revision,
    }


def accepted(replay: bool = False) -> dict[str, Any]:
    """M1's result."""
    return {
        "layout_id": LAYOUT,
        "state": "creating",
        "intended_pane_count": 1,
        "panes": [{"pane_id": "pane-m1", "role": "master", "label": "m1", "state": "creating"}],
        "replay": replay,
    }


def container(name: str = "bench-1", container_id: str = CONTAINER, **more: Any) -> dict[str, Any]:
    """A row of ``list_containers``."""
    return {
        "id": container_id,
        "name": name,
        "image": "bench:bookworm",
        "status": "running",
        "labels": {},
        "mounts": [],
        "active": True,
        "first_seen_at": START,
        "last_scanned_at": START,
        "config_user": "bench",
        "working_dir": None,
        **more,
    }


def agent(label: str = "m1", **more: Any) -> dict[str, Any]:
    """A row of ``list_agents``."""
    return {
        "agent_id": f"agt_{label}",
        "container_id": CONTAINER,
        "container_name": "bench-1",
        "container_user": "bench",
        "tmux_socket_path": "/tmp/tmux-1000/default",
        "tmux_session_name": "work",
        "tmux_window_index": 0,
        "tmux_pane_index": 2,
        "tmux_pane_id": "%2",
        "pane_pid": 12,
        "cwd": None,
        "role": "master",
        "capability": "orchestrator",
        "label": label,
        "project_path": "",
        "parent_agent_id": None,
        "effective_permissions": {"can_send": True, "can_receive": False},
        "created_at": START,
        "last_registered_at": START,
        "last_seen_at": None,
        "active": True,
        "origin": "managed",
        **more,
    }


def event(number: int, **more: Any) -> dict[str, Any]:
    """An event."""
    return {
        "event_id": number,
        "timestamp": START,
        "event_type": "managed_pane_created",
        "origin": "managed",
        "actor": "daemon",
        "container_id": CONTAINER,
        "layout_id": LAYOUT,
        "pane_id": "pane-m1",
        "sequence": number,
        "payload": {"label": "m1"},
        **more,
    }
