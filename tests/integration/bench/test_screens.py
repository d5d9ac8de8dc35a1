"""What a pane shows, on every server of the bench, as tmux tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agenttower.bench.interface import PaneTarget, PaneView, Screen
from agenttower.errors import TmuxCommandFailed
from tests.support.bench_box import Box, soon
from tests.support.waiting import wait_until

HELD = "exec sleep 4000"


def target(view: PaneView) -> PaneTarget:
    return PaneTarget(view.socket_path, view.pane_id, view.pane_pid, view.token)


def shown(box: Box, pane: PaneTarget, text: str) -> Screen:
    """The screen, once it shows ``text``."""

    def there() -> Screen | None:
        screen = box.bench.screen(pane, soon())
        return screen if screen is not None and text in "\n".join(screen.lines) else None

    found = wait_until(there, 20, f"the pane to show {text!r}")
    assert isinstance(found, Screen)
    return found


def foreign(box: Box, script: str) -> PaneTarget:
    """A pane on a server of its own, which nobody made with AgentTower."""
    format_ = "#{socket_path} #{pane_id} #{pane_pid}"
    made = box.tmux(
        "-L", "other", "new-session", "-d", "-x", "80", "-y", "10", "-P", "-F", format_,
        "sh", "-c", script,
    )  # fmt: skip
    socket, pane_id, pid = made.split()
    return PaneTarget(socket, pane_id, int(pid))


def test_text_cursor_and_program(box: Box) -> None:
    odd = r"'漢字 e\314\201 \360\237\220\221 #{pid} %%H \134 \042x\042 ~ \303\274'"
    view = box.create("sh", "-c", f"printf {odd}; printf '\\n\\n> half'; {HELD}")
    box.runs(view.token, "sleep")
    screen = shown(box, target(view), "> half")
    assert screen.lines[0] == '漢字 e\u0301 🐑 #{pid} %H \\ "x" ~ ü'
    assert screen.lines[1] == ""
    assert screen.lines[2] == "> half"
    assert len(screen.lines) == 50
    assert (screen.cursor_x, screen.cursor_y) == (6, 2)
    assert screen.command == "sleep"
    flags = (screen.dead, screen.in_mode, screen.input_off, screen.alternate)
    assert flags == (False, False, False, False)


def test_only_what_is_visible_now(box: Box) -> None:
    view = box.create("sh", "-c", f"seq 1 300; printf '\\033[?1049hFULL'; {HELD}")
    screen = shown(box, target(view), "FULL")
    assert screen.alternate
    assert "".join(screen.lines).strip() == "FULL"


def test_modes_do_not_hide_the_program(box: Box) -> None:
    view = box.create("sh", "-c", f"seq 1 300; printf END; {HELD}")
    shown(box, target(view), "END")
    box.tmux("copy-mode", "-t", view.pane_id)
    box.tmux("send-keys", "-t", view.pane_id, "-X", "history-top")
    scrolled = box.bench.screen(target(view), soon())
    assert scrolled is not None
    assert scrolled.in_mode
    assert "END" in "\n".join(scrolled.lines)
    box.tmux("select-pane", "-d", "-t", view.pane_id)
    closed = box.bench.screen(target(view), soon())
    assert closed is not None
    assert closed.input_off


def test_a_program_that_has_ended_is_dead_to_input(box: Box) -> None:
    ended = box.create("sh", "-c", "echo last words; exit 3")
    box.exited(ended.token)
    screen = box.bench.screen(target(ended), soon())
    assert screen is not None
    assert screen.dead
    assert screen.lines[0] == "last words"


def test_another_pane_is_never_shown_instead(box: Box) -> None:
    first, second = box.layout(2, "sh", "-c", HELD)
    for wrong in (
        replace(target(first), pane_pid=second.pane_pid),
        replace(target(first), pane_id=second.pane_id),
        replace(target(first), token=second.token),
        replace(target(first), pane_id="%4711"),
    ):
        assert box.bench.screen(wrong, soon()) is None
    box.bench.kill_pane(first.token, soon())
    assert box.bench.screen(target(first), soon()) is None
    with pytest.raises(ValueError, match="pane id"):
        box.bench.screen(replace(target(second), pane_id="%1 ; kill-server"), soon())


def test_panes_of_other_servers(box: Box) -> None:
    pane = foreign(box, f"printf '漢字 \\134 %%H\\n$ half'; {HELD}")
    screen = shown(box, pane, "$ half")
    assert screen.lines[:3] == ("漢字 \\ %H", "$ half", "")
    assert len(screen.lines) == 10
    assert (screen.cursor_x, screen.cursor_y) == (6, 1)
    assert box.bench.screen(replace(pane, pane_pid=pane.pane_pid + 1), soon()) is None
    with pytest.raises(TmuxCommandFailed):
        box.bench.screen(replace(pane, socket_path=f"{pane.socket_path}x"), soon())
