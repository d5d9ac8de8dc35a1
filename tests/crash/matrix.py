"""Which operations are killed where: the table, and what the source has to say about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from agenttower.bootstrap import STAGES as KNOWN_STAGES

MOMENTS = ("claimed", "effect_done", "settling", "settled")
CREATION = (
    "pane_create",
    "pane_cleanup",
    "launch_probe",
    "registration",
    "title_reset",
    "log_attach",
)
REMOVAL = ("tmux_kill", "route_cleanup", "log_detach", "archive")

STAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "create": CREATION,
        "recreate": CREATION,
        "remove_pane": REMOVAL,
        "remove_layout": REMOVAL,
        "restart": ("restart", *REMOVAL, "restart_recreate"),
    }
)
"""The stages that each operation passes in the worker; each has every moment."""

QUEUE_POINTS = ("rescue.released", "queue.taken", "queue.taken:2", "relay.appended")
"""Passed in the worker by every operation whose step was claimed by a worker that died. One of the
first two messages that are taken may be the sweep's."""

SERVE_POINTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "create": ("create.committing", "create.committed"),
        "recreate": ("recreate.committing", "recreate.committed"),
        "remove_pane": ("remove.committing", "remove.committed"),
        "remove_layout": ("remove.committing", "remove.committed"),
    }
)

RESTART_POINTS = ("recreate.committing", "recreate.committed")
"""Passed in the worker: a restart orders its successor as an operator would."""

ROUTING_POINTS = tuple(f"route_decision.{m}" for m in ("decided", "committing", "committed"))
"""Killed at in test_routing_crash.py."""

PROMPT_POINTS = (
    "prompt.committing",
    "prompt.committed",
    "prompt.acting",
    "prompt.claimed",
    "prompt.pasted",
    "prompt.entered",
    "prompt.settling",
    "prompt.settled",
    "routing.committing",
    "prompt.released",
    "agent.updating",
)
"""Killed at in test_prompt_crash.py."""
READER_POINTS = ("log_reader.read", "log_reader.written", "log_reader.committed")
"""Passed by the log reader (tests/crash/test_log_reader_killed.py)."""
ELSEWHERE = ("attention.settling",)
"""Passed by no operation; ``tests/integration/test_attention.py`` kills there."""
LOG_STAGES = ("agent_log_attach", "agent_log_detach", "agent_log_undo")
LOG_POINTS = ("log_fetch.appended",)
"""Killed at in ``test_log_crashes.py`` and ``tests/integration/test_log_fallback.py``."""
REGISTRY_POINTS = (
    "pane_scan.committing",
    "pane_scan.committed",
    "register.committing",
    "register.committed",
)
"""Passed in serve by what is no durable operation; killed in ``test_registry_crash``."""

ROOT = Path(__file__).parents[2]


def covered() -> set[str]:
    """Every point at which the matrix kills."""
    points = {f"{stage}.{m}" for stages in STAGES.values() for stage in stages for m in MOMENTS}
    points.update(READER_POINTS)
    points.update(f"{stage}.{moment}" for stage in LOG_STAGES for moment in MOMENTS)
    points.update(LOG_POINTS)
    points.update(point.partition(":")[0] for point in QUEUE_POINTS)
    points.update(ELSEWHERE)
    return points.union(PROMPT_POINTS, ROUTING_POINTS, REGISTRY_POINTS, *SERVE_POINTS.values())


def points_in_source() -> set[str]:
    """Every point that the product names, ``{step.stage}`` spelled out."""
    return {
        point
        for package in ("agenttower", "workers")
        for path in sorted((ROOT / package).rglob("*.py"))
        for point in _points(path)
    }


def _points(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _is_crash_point(node.func):
            match node.args:
                case [ast.Constant(value=str(name))]:
                    yield name
                case [ast.JoinedStr(values=[ast.FormattedValue(), ast.Constant(value=str(end))])]:
                    yield from (f"{stage}{end}" for stage in KNOWN_STAGES)
                case _:
                    raise AssertionError(f"{path}:{node.lineno}: cannot tell the point's name")


def _is_crash_point(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "crash_point"
