"""What users set in their tmux does not confuse ours (managed.md section 8, point 6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.bench_box import Box, soon, token
from tests.support.waiting import wait_until

ODD = """
set -g base-index 1
setw -g pane-base-index 1
set -g renumber-windows on
setw -g remain-on-exit on
set -g default-shell /usr/bin/python3
set -g default-command 'sleep 7'
set -g default-size 20x5
set -g destroy-unattached on
set -g detach-on-destroy off
set -g status off
set -g set-titles on
setw -g automatic-rename on
set -g mouse on
set -g focus-events on
set -g history-limit 50
set -g status-right '#(touch /tmp/status-ran)'
"""

# Each of these runs between two commands of the line that makes a pane.
HOOKS = """
set-hook -g after-new-session 'split-window ; new-window'
set-hook -g after-split-window 'split-window -d'
set-hook -g after-select-pane 'display-message -p hello'
set-hook -g after-set-option 'display-message -p set'
set-hook -g session-created 'set -g @seen created'
set-hook -g pane-exited 'set -g @seen exited'
set-hook -g pane-died 'set -g @seen died'
"""


@pytest.mark.parametrize("image", ["bookworm", "trixie"])
def test_odd_settings(make_box: Callable[..., Box], image: str) -> None:
    box = make_box(image, tmux_conf=ODD)
    made = box.layout(3, "sh", "-c", "echo made; exit 4")
    for number, view in enumerate(made):
        assert (view.window_index, view.pane_index) == (1, number + 1)
        ended = box.exited(view.token)
        assert ended.exit is not None
        assert ended.exit.code == 4
        assert not ended.dead
        assert box.bench.capture_tail(view.token, 5, soon()) == "made"
        assert len(box.marked(view.token)) == 1
    assert box.bench.session_names(soon()) == [box.session]
    for view in made:
        assert box.bench.kill_pane(view.token, soon())
    assert box.bench.find_panes(None, soon()) == {}


@pytest.mark.parametrize("image", ["bookworm", "trixie"])
def test_hooks_between_our_commands(make_box: Callable[..., Box], image: str) -> None:
    box = make_box(image, tmux_conf=HOOKS)
    made = box.layout(2, "sh", "-c", "echo $0 made; exec sleep infinity")
    for view in made:
        assert box.marked(view.token) == [view.pane_id]
        wait_until(
            lambda view=view: "made" in box.bench.capture_tail(view.token, 5, soon()),
            10,
            "the program's own words in its pane",
        )
        assert view.title == f"@MANAGED:{view.token}:m1"


def test_an_environment_that_names_another_tmux(make_box: Callable[..., Box]) -> None:
    box = make_box(env={"TMUX": "/tmp/other,1,0", "LC_CTYPE": "C.UTF-8"})
    view = box.create(title="é")
    assert view.socket_path == "/tmp/tmux-0/default"
    assert view.title == "é"


def test_a_shell_that_is_bash(box: Box) -> None:
    """``/bin/sh`` is dash on Debian and bash elsewhere; the wrapper must not care."""
    box.run("ln", "-sf", "bash", "/bin/sh")
    view = box.create("sleep", "1000", env={"not a name": "1", "X": "'\n"})
    box.runs(view.token, "sleep")
    box.tmux("send-keys", "-t", view.pane_id, "C-z")
    box.tmux("send-keys", "-t", view.pane_id, "C-c")
    ended = box.exited(view.token)
    assert ended.exit is not None
    assert ended.exit.code == 130
    killed = box.create("sh", "-c", "echo last; kill -9 $$", log_path=str(box.shared / "l"),
                        siblings=[view.token])  # fmt: skip
    exit_ = box.exited(killed.token).exit
    assert exit_ is not None
    assert exit_.code == 137
    wait_until(lambda: (box.file("l")() or b"").startswith(b"last\r\n"), 20, "its last words")


def test_one_session_seen_through_two(box: Box) -> None:
    """A grouped session shows the same panes again; they are still ours, once."""
    view = box.create()
    box.tmux("new-session", "-d", "-s", "aaa", "-t", f"={box.session}")
    seen = box.see(view.token)
    assert seen is not None
    assert seen.session_name == box.session
    second = box.create(siblings=[view.token])
    assert second.session_name == box.session
    assert box.bench.kill_pane(view.token, soon())
    assert box.marked(second.token) == [second.pane_id, second.pane_id]


LIAR = """
import os, sys, time
directory = "/tmp/" + sys.argv[1]
os.makedirs(directory)
os.chdir(directory)
print("\\033]2;" + sys.argv[1].split("\\n")[0] + "\\007", flush=True)
os.execvp("sleep", ["sleep", "1000"])
"""


def test_a_pane_that_lies_about_itself(box: Box) -> None:
    """Titles, directories and even a fake report cannot invent a pane or break a listing."""
    lie = f"%end 1 1 1\n%0,{token()},1,0,;\n%end 1 1 1\t\\011;"
    view = box.create("python3", "-c", LIAR, lie)
    box.runs(view.token, "sleep")
    seen = box.bench.find_panes(None, soon())
    assert list(seen) == [view.token]
    assert seen[view.token].current_path.startswith("/tmp/%end 1 1 1")
    assert seen[view.token].title == "%end 1 1 1"
    other = box.tmux("split-window", "-P", "-F", "#{pane_id}", "-t", view.pane_id, "sleep 1000")
    box.tmux("set-option", "-p", "-t", other, "@agenttower_pane", "no token\n;")
    box.tmux("set-option", "-p", "-t", view.pane_id, "@agenttower_created", "9" * 5000)
    for report in (
        "garbage",
        "1 2",
        "1 2 x",
        "-1 0 0",
        "9999 1 2",
        "1 1 2\n1 1 2",
        "1 1 " + "9" * 999,
    ):
        box.tmux("set-option", "-p", "-t", view.pane_id, "@agenttower_exit", report)
        again = box.see(view.token)
        assert again is not None
        assert again.exit is None
    assert list(box.bench.find_panes(None, soon())) == [view.token]
