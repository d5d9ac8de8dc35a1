"""What a pane shows at this moment, in one line of tmux commands."""

from __future__ import annotations

import re
import secrets

from agenttower.bench.interface import Deadline, PaneTarget, Screen
from agenttower.bench.probe import UNREADABLE, with_token
from agenttower.bench.servers import Servers
from agenttower.bench.wrapper import EXIT_OPTION
from agenttower.errors import TmuxCommandFailed

SEEN, ABSENT = "SEEN", "ABSENT"

_NUMBERS = (
    "#{pane_height}", "#{cursor_x}", "#{cursor_y}", "#{pane_in_mode}", "#{pane_input_off}",
    "#{alternate_on}", "#{pane_dead}",
)  # fmt: skip
_OVER = f"#{{||:#{{!=:#{{{EXIT_OPTION}}},}},#{{==:#{{@agenttower_lost}},1}}}}"
"""Whether the program in a pane of ours has ended; what stands there reads nothing."""
_NUMBER = re.compile(r"[0-9]{1,5}")
"""tmux has no pane of more than 10,000 rows; whoever says so shall not make us hold them."""
_PANE_ID = re.compile(r"%[0-9]{1,10}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Screens:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def screen(self, target: PaneTarget, deadline: Deadline) -> Screen | None:
        mark = secrets.token_hex(8)
        return read(self._servers.line(target.socket_path, ask(target, mark), deadline), mark)


def is_the_pane(target: PaneTarget) -> str:
    """The condition that a pane is the one of this address, and none that took its place.

    It has to match: tmux judges a condition on a pane that is gone for some other pane.

    :raises ValueError: the pane's id is none of tmux's.
    """
    if not _PANE_ID.fullmatch(target.pane_id):
        raise ValueError(f"{target.pane_id!r} is no pane id")
    same = (
        f"#{{&&:#{{==:#{{pane_id}},{target.pane_id}}},#{{==:#{{pane_pid}},{target.pane_pid:d}}}}}"
    )
    return f"#{{&&:{same},{with_token(target.token)}}}" if target.token else same


def ask(target: PaneTarget, mark: str) -> str:
    """The line that shows a pane: :data:`SEEN` and the state, then the visible lines.

    :param mark: a word no program can know; it ends the name of the program, which may hold
        anything.
    """
    pane = target.pane_id
    over = _OVER if target.token else "0"
    state = f"{SEEN} {' '.join((*_NUMBERS, over))} #{{pane_current_command}}{mark}"
    return (
        f'if-shell -F -t {pane} "{is_the_pane(target)}" '
        f'{{ display-message -p -t {pane} "{state}" ; capture-pane -p -t {pane} }} '
        f"{{ display-message -p {ABSENT} }}"
    )


def read(answer: str, mark: str) -> Screen | None:
    """The answer to :func:`ask`; ``None`` where the pane is gone.

    :raises TmuxCommandFailed: what calls itself tmux in the bench shows what tmux does not.
    """
    head, found, text = answer.partition(mark)
    word, *state = head.split(" ", len(_NUMBERS) + 2)
    if not found or word != SEEN:
        return None
    if len(state) != len(_NUMBERS) + 2 or not all(map(_NUMBER.fullmatch, state[:-1])):
        raise TmuxCommandFailed(UNREADABLE)
    *numbers, command = state
    height, x, y, in_mode, input_off, alternate, dead, over = map(int, numbers)
    lines = text.removeprefix("\n").split("\n")[:height]
    return Screen(
        lines=tuple(lines + [""] * (height - len(lines))),
        cursor_x=x,
        cursor_y=y,
        command=_CONTROL.sub("", command),
        dead=dead == 1 or over == 1,
        in_mode=in_mode > 0,
        input_off=input_off == 1,
        alternate=alternate == 1,
    )
