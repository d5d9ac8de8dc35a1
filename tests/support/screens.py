"""Screens for tests: those in ``tests/fixtures/screens``, and made-up ones.

A fixture begins with ``# key: value`` lines (``source`` says where it comes from) and ``# ---``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agenttower.bench.interface import Screen

DIRECTORY = Path(__file__).parents[1] / "fixtures" / "screens"
HEIGHT = 40


@dataclass(frozen=True)
class ScreenFixture:
    """A screen, and what is to be seen on it; ``None`` for nothing."""

    name: str
    source: str
    capability: str
    screen: Screen
    attention: str | None
    input: str
    typed: str


def all_screens() -> list[ScreenFixture]:
    """Every screen of the directory."""
    return [load(path) for path in sorted(DIRECTORY.glob("*.txt"))]


def load(path: Path) -> ScreenFixture:
    head, _, body = path.read_text(encoding="utf-8").partition("# ---\n")
    said = dict(line.removeprefix("# ").split(": ", 1) for line in head.splitlines())
    x, y = said["cursor"].split()
    none = {"none": ""}
    return ScreenFixture(
        name=path.stem,
        source=said["source"],
        capability=said["capability"],
        screen=screen(body, int(x), int(y), said["command"]),
        attention=none.get(said["attention"], said["attention"]) or None,
        input=said["input"],
        typed=none.get(said["typed"], said["typed"]).replace("\\n", "\n"),
    )


def screen(text: str, x: int | None = None, y: int | None = None, command: str = "sh") -> Screen:
    """A screen with this text; the cursor stands behind it where nothing else is said."""
    lines = text.rstrip("\n").split("\n")
    return Screen(
        lines=tuple(lines + [""] * (HEIGHT - len(lines))),
        cursor_x=len(lines[-1]) if x is None else x,
        cursor_y=len(lines) - 1 if y is None else y,
        command=command,
        dead=False,
        in_mode=False,
        input_off=False,
        alternate=False,
    )
