"""What tmux and the engine say to us, and what we say to tmux."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from agenttower.bench import discovery, probe
from agenttower.bench.frames import KEPT_ERROR_BYTES, Demultiplexer
from agenttower.bench.protocol import Parser
from agenttower.bench.quoting import quote
from agenttower.bench.screens import read as read_screen
from agenttower.domain.agent_screen import input_state
from agenttower.domain.attention import MAX_TEXT, attention
from agenttower.errors import TmuxCommandFailed
from tests.fuzz.targets.target import pure

_ESCAPED = re.compile(rb'"(?:[A-Za-z0-9_./:@%+,=^-]|\\[0-7]{3})*"')
_MARK = "@@"
_SCREENS = Path(__file__).parents[2] / "fixtures" / "screens"
_CAPABILITIES = ("claude", "codex", "gemini", "opencode", "aider", "shell", "")


def control(data: bytes) -> None:
    """Control mode: blocks do not depend on where the bytes were cut."""
    cut, stream = (data[0], data[1:]) if data else (0, b"")
    whole, pieces = Parser(), Parser()
    whole.feed(stream)
    for start in range(0, len(stream), cut % 7 + 1):
        pieces.feed(stream[start : start + cut % 7 + 1])
    assert whole.blocks == pieces.blocks
    assert whole.exit_reason == pieces.exit_reason
    assert sum(len(block.body) for block in whole.blocks) <= len(stream)


def frames(data: bytes) -> None:
    """The engine's framing: stdout does not depend on where the bytes were cut."""
    cut, stream = (data[0] % 11 + 1, data[1:]) if data else (1, b"")
    whole, pieces = Demultiplexer(), Demultiplexer()
    at_once = whole.feed(stream)
    in_pieces = b"".join(
        pieces.feed(stream[start : start + cut]) for start in range(0, len(stream), cut)
    )
    assert at_once == in_pieces
    assert whole.error_text() == pieces.error_text()
    assert len(whole.error_text()) <= KEPT_ERROR_BYTES


def quoting(data: bytes) -> None:
    """An argument for tmux is one word on one line, and comes back byte for byte."""
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    quoted = quote(data).encode("ascii")
    assert _ESCAPED.fullmatch(quoted)
    back = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), quoted[1:-1])
    assert back == data
    assert quote(data.decode("utf-8", "surrogateescape")).encode() == quoted


class Screen:
    """A screen of these bytes: the first three say where the cursor is and what runs."""

    def __init__(self, data: bytes) -> None:
        x, y, name, *_ = *data[:3], 0, 0, 0
        self.lines = data[3:].decode("utf-8", "replace").replace("\0", "").split("\n")
        self.cursor_x, self.cursor_y = x, y
        self.command = ("node", "bash", "claude", "")[name % 4]
        self.dead = name > 250


def screens(data: bytes) -> None:
    """Whatever stands on a screen, it is judged, and what is shown of it is short."""
    screen = Screen(data)
    waits = attention(screen)
    assert waits is None or len(waits.text) <= MAX_TEXT
    for capability in _CAPABILITIES:
        input_state(screen, capability, waits)


def rows(data: bytes) -> None:
    """Rows of panes, as a tmux in a bench tells them, which may be anybody's program."""
    text = data.decode("utf-8", "replace")
    panes, failure = discovery._read("/tmp/socket", text, _MARK)
    assert failure is None or failure.message
    assert all(pane.window_index < 2**63 and pane.pane_pid < 2**63 for pane in panes)
    with suppress(TmuxCommandFailed):
        for token, row in probe.read(text, _MARK).items():
            assert row.view.token == token
            assert row.view.exit is None or row.view.exit.elapsed_ms >= 0
    with suppress(TmuxCommandFailed):
        screen = read_screen(text, _MARK)
        assert screen is None or len(screen.lines) < 100_000


TARGETS = (
    pure("rows", "rows and screens of panes, as tmux tells them", rows),
    pure("control", "control mode of tmux", control),
    pure("frames", "the engine's streams", frames),
    pure("quoting", "arguments for tmux", quoting),
    pure("screens", "what stands on a pane", screens, 2, seeds=(_SCREENS,)),
)
