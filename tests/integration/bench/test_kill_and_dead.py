"""Killing panes, and panes whose wrapper was killed."""

from __future__ import annotations

import pytest

from agenttower.bench.interface import PaneView
from tests.support.bench_box import Box, soon
from tests.support.waiting import wait_until


def dead(box: Box, view: PaneView) -> PaneView:
    def gone() -> PaneView | None:
        seen = box.see(view.token)
        return seen if seen is not None and seen.dead else None

    found = wait_until(gone, 20, "the pane to be seen dead")
    assert found is not None
    return found


def test_killing_is_idempotent_and_touches_one_pane(box: Box) -> None:
    first, second, third = box.layout(3)
    assert box.bench.kill_pane(second.token, soon())
    assert not box.bench.kill_pane(second.token, soon())
    assert set(box.bench.find_panes(None, soon())) == {first.token, third.token}


def test_killing_ends_what_ignores_the_hangup_and_what_runs_behind(box: Box) -> None:
    script = "trap '' HUP TERM; (sleep 4321 & sleep 4322 & wait) & sleep 4323; sleep 4324"
    view = box.create("sh", "-c", script)
    wait_until(lambda: len(box.run("pgrep", "-f", "sleep 432").split()) >= 3, 10, "three sleeps")
    assert box.bench.kill_pane(view.token, soon())
    assert box.run("pgrep", "-f", "sleep 432") == ""
    assert not box.bench.kill_pane(view.token, soon())


def test_a_token_moved_to_another_pane_is_what_counts(box: Box) -> None:
    view, other = box.layout(2)
    box.tmux("swap-pane", "-d", "-s", view.pane_id, "-t", other.pane_id)
    assert box.bench.kill_pane(view.token, soon())
    assert box.see(other.token) is not None


@pytest.mark.parametrize("signal", [9, 15])
def test_a_killed_wrapper_is_seen_and_made_harmless(box: Box, signal: int) -> None:
    view = box.create("sh", "-c", "echo words; exec sleep 5000")
    box.runs(view.token, "sleep")
    box.run("kill", f"-{signal}", str(view.pane_pid))
    seen = dead(box, view)
    assert seen.exit is not None
    assert seen.exit.code == 128 + signal
    states = box.tmux("list-panes", "-a", "-F", "#{pane_dead}").split()
    assert states == ["0"] * len(states)
    again = box.see(view.token)
    assert again is not None
    assert again.dead
    assert again.exit == seen.exit
    assert again.pane_id == view.pane_id
    wait_until(lambda: box.run("pgrep", "-f", "sleep 5000") == "", 10, "the program to be gone")
    assert box.bench.kill_pane(view.token, soon())


def test_a_dead_pane_with_focus_reporting_crashes_nothing(box: Box) -> None:
    """Attaching to one ends the server of 3.3a; so does pasting into one (facts 5 and 6)."""
    view = box.create("sh", "-c", "printf '\\033[?1004h'; exec sleep 5001")
    box.runs(view.token, "sleep")
    box.run("kill", "-9", str(view.pane_pid))
    dead(box, view)
    box.tmux("-C", "attach-session", "-t", f"={box.session}")
    box.tmux("set-buffer", "-b", "b", "text")
    box.tmux("paste-buffer", "-b", "b", "-t", view.pane_id)
    assert box.see(view.token) is not None
    assert box.create(siblings=[view.token]).server_id == view.server_id


def test_a_killed_placeholder_is_put_back(box: Box) -> None:
    view = box.create("sh", "-c", "exit 5")
    before = box.exited(view.token).exit
    box.run("kill", "-9", str(view.pane_pid))
    assert dead(box, view).exit == before
    second = box.see(view.token)
    assert second is not None
    box.run("kill", "-9", str(second.pane_pid))
    wait_until(
        lambda: (seen := box.see(view.token)) and seen.pane_pid != second.pane_pid, 20, "a new one"
    )
    assert dead(box, view).exit == before


def test_without_tmux_on_hand_the_exit_code_is_still_told(box: Box) -> None:
    view = box.create("sh", "-c", "read x; exit 9")
    box.run("mv", "/usr/bin/tmux", "/usr/bin/tmux.away")
    box.run("sh", "-c", f"TMUX= tmux.away send-keys -t {view.pane_id} x Enter")
    seen = dead(box, view)
    box.run("mv", "/usr/bin/tmux.away", "/usr/bin/tmux")
    assert seen.exit is not None
    assert seen.exit.code == 9


def test_the_tail_of_a_pane(box: Box) -> None:
    view = box.create("sh", "-c", "seq 1 300; printf 'é'; exit 1")
    box.exited(view.token)
    wanted = [str(n) for n in range(292, 301)] + ["é"]
    assert box.bench.capture_tail(view.token, 10, soon()).splitlines() == wanted
    assert box.bench.capture_tail("0" * 32, 10, soon()) == ""
