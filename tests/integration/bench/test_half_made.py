"""A line that makes a pane may be cut short, or find another pane in its place: the pane is then
completed where it is, or killed. Never does a mark land on a pane that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agenttower.bench import commands
from agenttower.errors import TmuxCommandFailed, TmuxUnavailable
from tests.support.bench_box import Box, soon, token
from tests.support.waiting import wait_until

Maker = Callable[..., Box]
both_images = pytest.mark.parametrize("image", ["bookworm", "trixie"])

CONTROL = (
    "list-panes", "-s", "-t", "=agenttower-ctl:",
    "-F", "#{@agenttower_pane}|#{@agenttower_title}|#{pane_pipe}|#{remain-on-exit}",
)  # fmt: skip


def untouched(box: Box) -> bool:
    """The control session has one pane, and nothing of ours is on it."""
    return box.tmux(*CONTROL) == "||0|off"


def wrappers(box: Box) -> list[str]:
    """The panes that run a wrapper, marked or not, and whether each has its marks."""
    marks = "#{@agenttower_pane}|#{pane_title}|#{remain-on-exit}"
    panes = box.tmux("list-panes", "-a", "-f", "#{m:*agenttower-exit*,#{pane_start_command}}",
                     "-F", marks)  # fmt: skip
    return panes.splitlines()


def whole(box: Box, *tokens: str) -> bool:
    return sorted(wrappers(box)) == sorted(f"{name}|@MANAGED:{name}:m1|on" for name in tokens)


def server(box: Box) -> str:
    return box.tmux("display-message", "-p", "#{pid} #{start_time}")


MOVING = [
    "set-hook -g after-split-window 'break-pane -d'",
    "set-hook -g after-split-window 'break-pane'",
    "set-hook -g after-split-window 'swap-pane -U'",
    "set-hook -g after-split-window 'last-pane'",
    "set-hook -g after-split-window 'select-pane -t :.0'",
    "set-hook -g after-split-window 'select-window -t =agenttower-ctl:'",
    "set-hook -g after-split-window 'move-pane -d -t =theirs:'",
    "set-hook -g after-new-session 'split-window -hb'",
    "set-hook -g after-new-session 'split-window -hb ; new-window'",
    "set-hook -g after-new-session 'new-window ; split-window -hb'",
    "set-hook -g after-new-session 'rename-session renamed'",
]


@both_images
@pytest.mark.parametrize("hook", MOVING)
def test_a_hook_that_moves_the_new_pane_or_the_focus(
    make_box: Maker, image: str, hook: str
) -> None:
    box = make_box(image)
    box.tmux("new-session", "-d", "-s", "theirs")
    box.bench.session_names(soon())
    before = server(box)
    box.tmux(*_words(hook))
    first = box.create("sh", "-c", "echo one; exec sleep infinity")
    second = box.create("sh", "-c", "echo two; exec sleep infinity", siblings=[first.token])
    assert whole(box, first.token, second.token)
    for view, word in ((first, "one"), (second, "two")):
        assert box.marked(view.token) == [view.pane_id]
        said = lambda view=view, word=word: word == tail(box, view.token)  # noqa: E731
        wait_until(said, 10, "the program's own words in its pane")
    assert untouched(box)
    for view in (first, second):
        assert box.bench.kill_pane(view.token, soon())
    assert wrappers(box) == []
    assert server(box) == before


def _words(hook: str) -> list[str]:
    head, _, command = hook.partition(" '")
    return [*head.split(), command.removesuffix("'")]


def tail(box: Box, name: str) -> str:
    return box.bench.capture_tail(name, 5, soon())


@both_images
def test_a_log_on_a_pane_that_a_hook_has_moved(make_box: Maker, image: str) -> None:
    box = make_box(image, tmux_conf=MOVING[0])
    first = box.create()
    log = box.shared / "log"
    view = box.create("sh", "-c", "read x; echo $x; exec sleep 9", siblings=[first.token],
                      log_path=str(log))  # fmt: skip
    assert view.piped
    box.tmux("send-keys", "-t", view.pane_id, "hello", "Enter")
    wait_until(lambda: log.read_text().count("hello") == 2, 10, "echo and answer")


@both_images
@pytest.mark.parametrize("way", ["kill-pane", "kill-session"])
def test_a_hook_that_kills_the_new_pane_is_named(make_box: Maker, image: str, way: str) -> None:
    box = make_box(image)
    first = box.create()
    box.tmux("set-hook", "-g", "after-split-window", way)
    with pytest.raises(TmuxCommandFailed, match="after-split-window"):
        box.create(siblings=[first.token])
    assert untouched(box)
    assert len(wrappers(box)) == (1 if way == "kill-pane" else 0)


@both_images
def test_a_new_pane_in_the_control_session_is_taken_out_again(make_box: Maker, image: str) -> None:
    box = make_box(image)
    first = box.create()
    box.tmux("set-hook", "-g", "after-split-window", "move-pane -d -t =agenttower-ctl:")
    with pytest.raises(TmuxCommandFailed, match="after-split-window"):
        box.create(siblings=[first.token])
    assert untouched(box)
    assert whole(box, first.token)


def test_without_a_last_pane_the_focus_stays(box: Box) -> None:
    """``last-pane`` alone would fail the line after the pane was made."""
    first = box.create()
    box.tmux("set-hook", "-g", "after-split-window", "kill-pane -a")
    view = box.create(siblings=[first.token])
    wait_until(lambda: whole(box, view.token), 10, "the hook to have killed the first pane")


STOPS = ("@agenttower_title", "remain-on-exit", "pipe-pane -IO")
"""Commands of the creating line, all of them after the pane was made."""


def break_lines(
    box: Box, monkeypatch: pytest.MonkeyPatch, at: str, *, also_completing: bool = False
) -> None:
    """Make tmux refuse one command of the creating line, and of the completing one if asked."""
    send = box.bench._connection.request

    def request(line: str, *args: Any, **named: Any) -> str:
        if " -- " in line or (also_completing and at in line):
            start = max(line.rfind(begin, 0, line.index(at) + 1) for begin in (" set-", " pipe-"))
            line = f"{line[:start]} has-session -t =no-such-session ;{line[start:]}"
        return send(line, *args, **named)

    monkeypatch.setattr(box.bench._connection, "request", request)


@both_images
@pytest.mark.parametrize("at", STOPS)
def test_a_line_that_stopped_half_way_is_completed(
    make_box: Maker, image: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make_box(image)
    made: list[str] = []
    for number in range(2):  # a new session, and a split
        spec = box.spec(siblings=list(made), log_path=str(box.shared / f"{number}"))
        break_lines(box, monkeypatch, at)
        view = box.bench.create_pane(spec, soon())
        monkeypatch.undo()
        assert view.piped
        assert view.title == spec.title
        made.append(spec.token)
    assert whole(box, *made)
    assert box.bench.owns_session(box.owner, soon())
    assert untouched(box)


@both_images
@pytest.mark.parametrize("at", STOPS)
def test_a_pane_that_cannot_be_completed_is_not_left_behind(
    make_box: Maker, image: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server runs out of descriptors for the log pipe."""
    box = make_box(image)
    box.bench.session_names(soon())
    before = server(box)
    first = box.create()
    for siblings, changes in (
        ([first.token], {}),
        ([], {"session": "another", "owner": token()}),
    ):
        spec = box.spec(siblings=siblings, log_path=str(box.shared / "log"), **changes)
        break_lines(box, monkeypatch, at, also_completing=True)
        with pytest.raises(TmuxCommandFailed):
            box.bench.create_pane(spec, soon())
        monkeypatch.undo()
        assert whole(box, first.token)
        assert box.bench.session_names(soon()) == [box.session]
        assert box.bench.create_pane(spec, soon()).piped
        assert box.bench.kill_pane(spec.token, soon())
    assert server(box) == before


def test_a_pane_that_was_never_marked_is_found_again(box: Box) -> None:
    """The answer to the first attempt was lost, and so were the marks: no second pane."""
    for siblings in ([], [box.create().token]):
        spec = box.spec(siblings=siblings, log_path=str(box.shared / "log"))
        first = box.bench.create_pane(spec, soon())
        for name in ("@agenttower_pane", "@agenttower_created", "remain-on-exit"):
            box.tmux("set-option", "-p", "-u", "-t", first.pane_id, name)
        box.tmux("pipe-pane", "-t", first.pane_id)
        assert box.see(spec.token) is None
        again = box.bench.create_pane(spec, soon())
        assert (again.pane_id, again.pane_pid) == (first.pane_id, first.pane_pid)
        assert again.piped
        assert f"{spec.token}|{spec.title}|on" in wrappers(box)


def test_the_control_sessions_pane_is_nobodys(box: Box) -> None:
    box.bench.session_names(soon())
    name = token()
    (control,) = box.tmux("list-panes", "-s", "-t", "=agenttower-ctl:", "-F", "#{pane_id}").split()
    box.tmux("set-option", "-p", "-t", control, "@agenttower_pane", name)
    before = server(box)
    assert not box.bench.kill_pane(name, soon())
    assert not box.bench.set_title(name, "x", soon())
    assert not box.bench.ensure_pipe(name, str(box.shared / "log"), soon())
    assert box.bench.kill_leftovers([name], soon()) == 0
    assert box.bench.find_panes(None, soon()) == {}
    pid = box.tmux("display-message", "-p", "-t", control, "#{pane_pid}")
    line = commands.kill(control, name, int(pid))
    assert box.bench._connection.request(line, soon()) == commands.ABSENT
    assert box.tmux("list-panes", "-s", "-t", "=agenttower-ctl:", "-F", "#{pane_id}") == control
    assert server(box) == before


def test_what_users_set_globally_hides_and_shows_nothing(box: Box) -> None:
    box.bench.session_names(soon())
    box.tmux("set-option", "-g", "@agenttower_internal", "1")
    box.tmux("set-option", "-g", "@agenttower_pane", "abc")
    view = box.create()
    assert box.bench.session_names(soon()) == [box.session]
    assert list(box.bench.find_panes(None, soon())) == [view.token]
    assert not box.bench.kill_pane("abc", soon())
    assert box.bench.kill_pane(view.token, soon())


def test_leftovers_are_killed_and_nothing_else(box: Box) -> None:
    kept, marked, unmarked, other = box.layout(4)
    theirs = box.tmux("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", "theirs", "sleep 99")
    for view in (unmarked, other):
        box.tmux("set-option", "-p", "-u", "-t", view.pane_id, "@agenttower_pane")
    wanted = [marked.token, unmarked.token, token()]
    assert box.bench.kill_leftovers(wanted, soon()) == 2
    assert box.bench.kill_leftovers(wanted, soon()) == 0
    assert box.bench.kill_leftovers([], soon()) == 0
    left = box.tmux("list-panes", "-a", "-f", "#{!=:#{session_name},agenttower-ctl}",
                    "-F", "#{pane_id}").split()  # fmt: skip
    assert sorted(left) == sorted([kept.pane_id, other.pane_id, theirs])


@both_images
def test_a_window_size_that_ends_the_server_is_refused(make_box: Maker, image: str) -> None:
    box = make_box(image, tmux_conf="set -g window-size manual")
    with pytest.raises(TmuxUnavailable, match="window-size manual"):
        box.bench.session_names(soon())


def test_a_window_size_set_later_is_refused_before_it_ends_the_server(box: Box) -> None:
    first = box.create()
    before = server(box)
    box.tmux("set-option", "-g", "window-size", "manual")
    with pytest.raises(TmuxUnavailable, match="window-size latest"):
        box.create(session="another", owner=token())
    second = box.create(siblings=[first.token])
    assert server(box) == before
    box.tmux("set-option", "-g", "window-size", "latest")
    box.create(session="another", owner=token())
    assert len(box.bench.find_panes([first.token, second.token], soon())) == 2
