"""Giving text to the program in a pane, and pressing Enter (tmux-channel.md section 7)."""

from __future__ import annotations

import secrets

from agenttower.bench.interface import Deadline, PaneTarget
from agenttower.bench.quoting import quote
from agenttower.bench.screens import is_the_pane
from agenttower.bench.servers import Servers

BUFFER_PREFIX = "agenttower-"
GIVEN, REFUSED = "GIVEN", "REFUSED"
ENTER = b"\r"

_TAKES_INPUT = "#{&&:#{==:#{pane_dead},0},#{==:#{pane_input_off},0}}"
"""Pasting into a dead pane ends tmux 3.2 and 3.3 with all its panes; a pane whose input is switched
off drops what it is given."""


class Pasting:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def paste(self, target: PaneTarget, text: bytes, deadline: Deadline) -> bool:
        return self._give(target, give(target, text, _buffer(), bracketed=True), deadline)

    def submit(self, target: PaneTarget, deadline: Deadline) -> bool:
        # As a key it would go to copy mode where somebody scrolls again; a paste goes past it.
        return self._give(target, give(target, ENTER, _buffer(), bracketed=False), deadline)

    def clear_pastes(self, socket_path: str, deadline: Deadline) -> int:
        """Delete the buffers that a broken delivery may have left; returns how many."""
        listed = self._servers.line(socket_path, 'list-buffers -F "#{buffer_name}"', deadline)
        left = [name for name in listed.splitlines() if name.startswith(BUFFER_PREFIX)]
        for name in left:
            self._servers.line(socket_path, f"delete-buffer -b {quote(name)}", deadline)
        return len(left)

    def _give(self, target: PaneTarget, line: str, deadline: Deadline) -> bool:
        return self._servers.line(target.socket_path, line, deadline) == GIVEN


def give(target: PaneTarget, text: bytes, buffer: str, *, bracketed: bool) -> str:
    """The line that pastes ``text`` into a pane if it is still the one that is meant.

    ``-p`` marks the paste for programs that asked for it, ``-r`` keeps newlines as they are, and
    ``-d`` takes the buffer away. tmux runs the line as one, so that nobody sees the buffer. In copy
    mode tmux has forgotten that the program asked (tried with 3.3a and 3.5a), and each line would
    count as typed: so whoever scrolls in the pane is taken back to the program.
    """
    condition = f"#{{&&:{is_the_pane(target)},{_TAKES_INPUT}}}"
    leave = f"copy-mode -q -t {target.pane_id} ; " if bracketed else ""
    marks = "-p " if bracketed else ""
    paste = f"{leave}paste-buffer {marks}-r -d -b {buffer} -t {target.pane_id}"
    return " ; ".join(
        (
            f"set-buffer -b {buffer} -- {quote(text)}",
            f'if-shell -F -t {target.pane_id} "{condition}"'
            f" {{ {paste} ; display-message -p {GIVEN} }}"
            f" {{ delete-buffer -b {buffer} ; display-message -p {REFUSED} }}",
        )
    )


def _buffer() -> str:
    return f"{BUFFER_PREFIX}{secrets.token_hex(8)}"
