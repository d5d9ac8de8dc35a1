"""Can the program in a pane take a prompt now? Judged by what its screen shows (pure).

Each agent draws its input in its own dress. Where the agent is known by its capability its dress is
tried first, then all others: a template may call its capability what it likes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from agenttower.domain.attention import Attention, attention
from agenttower.domain.screens import Rows, ScreenView


class InputKind(StrEnum):
    """What typing into the pane would meet."""

    READY = "ready"
    """An empty input line."""
    BUSY = "busy"
    """The agent is at work. Most take a prompt all the same and answer it later."""
    DIALOG = "dialog"
    """A question that Enter would answer."""
    SHELL = "shell"
    """A bare shell, where an agent was expected."""
    HALF_TYPED = "half_typed"
    """Somebody's text stands in the input line; a ``!`` that has put it into shell mode is one."""
    UNKNOWN = "unknown"
    """Nothing that is known: another program, or an agent in a dress not seen before."""


@dataclass(frozen=True, slots=True)
class InputState:
    """What typing would meet, and the text that stands in the input line, or asks in the dialog.

    Rows of the text are parted by newlines as they are drawn; a long paste may show as the agent's
    own note (``[Pasted text #1 +29 lines]``). ``agent`` names the dress, empty where none fits.
    """

    kind: InputKind
    text: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class _Input:
    """Where an agent's input is: rows from ``top`` to before ``end``, and the text in them."""

    top: int
    end: int
    text: str
    at_start: bool
    """The cursor stands before the text: what is there may be the agent's own hint."""
    shell: bool = False
    """What is typed here would be run by a shell."""


_SHELL_CAPABILITIES = ("shell", "bash", "zsh", "test", "test-runner", "tests")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "fish", "ksh", "csh", "tcsh", "nu"})
_RULE = re.compile(r"^[╭╰]?─{8,}")
_GLYPH = re.compile(r"[❯>!](?: |$)")
_BUSY = re.compile(r"(?i)\besc (to )?(interrupt|cancel)\b|^\s*[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] \S")
_AIDER_WAITS = re.compile(r"^[ ░█]{1,40}Waiting for \S")
_AIDER_PROMPT = re.compile(r"^(?:[a-z-]{1,20} )?(?:multi)?> ?")
_SHELL_LINE = re.compile(r"^.{0,200}?[$#%❯➜»>] (.*)$")
_ROWS_ABOVE = 7


def input_state(screen: ScreenView, capability: str, waits: Attention | None = None) -> InputState:
    """What a prompt that is typed now would meet.

    :param capability: the agent's, as registered; a hint only.
    :param waits: what :func:`~agenttower.domain.attention.attention` said, where it was asked.
    """
    if screen.dead:
        return InputState(InputKind.UNKNOWN)
    waits = waits or attention(screen)
    if waits is not None and waits.blocks:
        return InputState(InputKind.DIALOG, waits.text)
    rows = Rows(screen)
    for name in _in_order(capability):
        found = _DRESSES[name].find(rows)
        if found is not None:
            return _state(name, rows, found)
    if 0 <= rows.cursor_row < len(rows.text) and _AIDER_WAITS.match(rows.text[rows.cursor_row]):
        return InputState(InputKind.BUSY, agent="aider")
    return _shell(screen, rows, capability) or InputState(InputKind.UNKNOWN)


def _state(name: str, rows: Rows, found: _Input) -> InputState:
    text = found.text
    if found.at_start and _DRESSES[name].hint.match(text):
        text = ""
    if found.shell:
        text = f"!{text}"
    around = [*rows.text[max(0, found.top - _ROWS_ABOVE) : found.top], *rows.text[found.end :]]
    if any(_BUSY.search(row) for row in around):
        return InputState(InputKind.BUSY, text, name)
    return InputState(InputKind.HALF_TYPED if text.strip() else InputKind.READY, text, name)


def _shell(screen: ScreenView, rows: Rows, capability: str) -> InputState | None:
    if screen.command.lstrip("-") not in _SHELLS or not rows.cursor_is_last:
        return None
    found = _SHELL_LINE.match(rows.left_of_cursor)
    if found is None:
        return None
    text = found[1].rstrip()
    if capability not in _SHELL_CAPABILITIES:
        return InputState(InputKind.SHELL, text, "shell")
    return InputState(InputKind.HALF_TYPED if text else InputKind.READY, text, "shell")


def _in_order(capability: str) -> Sequence[str]:
    first = [name for name in _DRESSES if capability.startswith(name)]
    return [*first, *(name for name in _DRESSES if name not in first)]


# --- the dresses ---------------------------------------------------------------------------------


def _between_rules(rows: Rows) -> _Input | None:
    """Claude Code, the mock agent: ``❯ text`` between two rules, or ``│ > text │`` in a box."""
    text = rows.text
    ends = [n for n in range(len(text)) if _RULE.match(text[n])]
    if len(ends) < 2:
        return None
    top, end = ends[-2] + 1, ends[-1]
    drawn = [row[1:].rstrip("│ ")[1:] if row.startswith("│") else row for row in text[top:end]]
    if not drawn or not _GLYPH.match(drawn[0]) or any(_GLYPH.match(row) for row in text[end:]):
        return None
    boxed = 2 if text[top].startswith("│") else 0
    found = _found(rows, top, end, [row[2:] for row in drawn], boxed + 2)
    return replace(found, shell=drawn[0].startswith("!"))


def _codex(rows: Rows) -> _Input | None:
    """``› text`` where the cursor is, a blank row, and a footer."""
    top = _row_above(rows, lambda row: re.match(r"[›!](?: |$)", row) is not None)
    if top is None:
        return None
    end = rows.cursor_row + 1
    while end < len(rows.text) and rows.text[end]:
        end += 1
    found = _found(rows, top, end, [row[2:] for row in rows.text[top:end]], 2)
    return replace(found, shell=rows.text[top].startswith("!"))


def _gemini(rows: Rows) -> _Input | None:
    """`` > text`` where the cursor is, under a rule or in a box."""
    inside = [re.sub(r"^│|│$", "", row) for row in rows.text]
    top = _row_above(rows, lambda row: re.match(r"│? [>!] ", f"{row} ") is not None)
    if top is None or not any(_RULE.match(row) for row in rows.text[max(0, top - 4) : top]):
        return None
    end = rows.cursor_row + 1
    while end < len(inside) and inside[end].strip() and not _RULE.match(rows.text[end]):
        end += 1
    boxed = 1 if rows.text[top].startswith("│") else 0
    found = _found(rows, top, end, [row[3:].rstrip() for row in inside[top:end]], boxed + 3)
    return replace(found, shell=inside[top].startswith(" !"))


def _opencode(rows: Rows) -> _Input | None:
    """A block of ``┃`` around the cursor that ends in ``╹▀▀▀``; its last row names the model."""
    top = end = rows.cursor_row
    if not (0 <= top < len(rows.text) and _in_block(rows.text[top])):
        return None
    while top > 0 and _in_block(rows.text[top - 1]):
        top -= 1
    while end < len(rows.text) and _in_block(rows.text[end]):
        end += 1
    if end >= len(rows.text) or not rows.text[end].lstrip().startswith("╹▀") or end - top < 4:
        return None
    text = [re.sub(r"^\s*┃ {0,2}", "", row) for row in rows.text[top + 1 : end - 2]]
    indent = len(rows.text[top]) - len(rows.text[top].lstrip())
    found = _found(rows, top + 1, end, text, indent + 3)
    return replace(found, shell=rows.text[end - 1].split() == ["┃", "Shell"])


def _aider(rows: Rows) -> _Input | None:
    """``> text`` where the cursor is, under a rule, and nothing below."""
    if not rows.cursor_is_last:
        return None
    top = rows.cursor_row
    if not (0 <= top < len(rows.text) and _AIDER_PROMPT.match(rows.text[top])):
        return None
    while top > 0 and _AIDER_PROMPT.match(rows.text[top - 1]):
        top -= 1
    if top == 0 or not _RULE.match(rows.text[top - 1]):
        return None
    drawn = rows.text[top : rows.cursor_row + 1]
    return _found(rows, top, len(rows.text), [_AIDER_PROMPT.sub("", row) for row in drawn], 2)


@dataclass(frozen=True, slots=True)
class _Dress:
    find: Callable[[Rows], _Input | None]
    hint: re.Pattern[str]
    """What the agent itself writes into an empty input line."""


_DRESSES = {
    "claude": _Dress(_between_rules, re.compile('Try "')),
    "mock": _Dress(_between_rules, re.compile("(?!)")),
    "codex": _Dress(_codex, re.compile(r"[^\n]+$")),
    "gemini": _Dress(_gemini, re.compile(r"\s*Type your (message|shell command)")),
    "opencode": _Dress(_opencode, re.compile("Ask anything|Run a command")),
    "aider": _Dress(_aider, re.compile("(?!)")),
}


def _found(rows: Rows, top: int, end: int, text: Sequence[str], start: int) -> _Input:
    at_start = rows.cursor_row == top and rows.cursor_column <= start
    return _Input(top, end, "\n".join(row.rstrip() for row in text).rstrip("\n"), at_start)


def _row_above(rows: Rows, begins: Callable[[str], bool]) -> int | None:
    """The row where the input begins: the cursor's, or one above it with no blank row between."""
    n = rows.cursor_row
    while 0 <= n < len(rows.text) and rows.text[n]:
        if begins(rows.text[n]):
            return n
        n -= 1
    return None


def _in_block(row: str) -> bool:
    return row.lstrip().startswith("┃")


def draws_an_input(capability: str) -> bool:
    """Whether an agent of this capability is known to draw an input line, once it has started."""
    return any(capability.startswith(name) for name in _DRESSES)
