"""Text reaches the program in a pane byte for byte, once, or not at all; on every server."""

from __future__ import annotations

from dataclasses import replace

from agenttower.bench.interface import PaneTarget, PaneView
from agenttower.bench.pasting import BUFFER_PREFIX
from tests.support.bench_box import Box, soon
from tests.support.waiting import wait_until

BEGIN, END = b"\x1b[200~", b"\x1b[201~"
READER = "stty raw -echo; printf '\\033[?2004h'; exec cat >{path}"
"""A program with bracketed paste that writes down what it is given, unchanged."""


def target(view: PaneView) -> PaneTarget:
    return PaneTarget(view.socket_path, view.pane_id, view.pane_pid, view.token)


def reader(box: Box, name: str = "got", script: str = READER) -> PaneTarget:
    view = box.create("sh", "-c", script.format(path=box.shared / name))
    box.runs(view.token, "cat")
    return target(view)


def given(box: Box, pane: PaneTarget, text: bytes) -> None:
    assert box.bench.paste(pane, text, soon()) is True
    assert box.bench.submit(pane, soon()) is True


def buffers(box: Box, *server: str) -> list[str]:
    return box.tmux(*server, "list-buffers", "-F", "#{buffer_name}").splitlines()


EVERYTHING = "".join(
    chr(number)
    for number in (*range(0x20, 0x7F), 9, 10, *range(0xA0, 0x2000), 0x4E2D, 0xFEFF, 0x1F411)
).encode()


TEXTS = (
    b"x",
    b"one\ntwo\n\n\tthree  \n",
    b"#{pid} %H ~ $HOME `id` \\ \" ' ; { } #(id) - ; \\;",
    EVERYTHING,
    b"0123456789abcde\n" * 4096,
)


def test_every_byte_arrives_as_one_paste_and_one_enter(box: Box) -> None:
    pane = reader(box)
    for text in TEXTS:
        given(box, pane, text)
    box.log_is("got", b"".join(BEGIN + text + END + b"\r" for text in TEXTS))
    assert buffers(box) == []


def test_without_bracketed_paste_newlines_stay_newlines(make_box) -> None:  # type: ignore[no-untyped-def]
    box = make_box()
    given(box, reader(box, script="stty raw -echo; exec cat >{path}"), b"a\nb")
    box.log_is("got", b"a\nb\r")


def test_copy_mode_is_left_for_a_paste_and_passed_by_for_an_enter(box: Box) -> None:
    """In copy mode tmux would neither mark the paste nor hand on the key."""
    pane = reader(box)
    box.tmux("copy-mode", "-t", pane.pane_id)
    assert box.bench.paste(pane, b"one\ntwo", soon()) is True
    assert box.tmux("display-message", "-p", "-t", pane.pane_id, "#{pane_in_mode}") == "0"
    box.tmux("copy-mode", "-t", pane.pane_id)
    assert box.bench.submit(pane, soon()) is True
    box.log_is("got", BEGIN + b"one\ntwo" + END + b"\r")


def test_a_pane_that_takes_nothing_is_given_nothing(box: Box) -> None:
    pane = reader(box)
    others = (
        replace(pane, pane_id="%999"),
        replace(pane, pane_pid=pane.pane_pid + 1),
        replace(pane, token="0" * 32),
    )
    box.tmux("select-pane", "-d", "-t", pane.pane_id)
    for wrong in (*others, pane):
        assert box.bench.paste(wrong, b"no", soon()) is False
        assert box.bench.submit(wrong, soon()) is False
    box.tmux("select-pane", "-e", "-t", pane.pane_id)
    given(box, pane, b"yes")
    box.log_is("got", BEGIN + b"yes" + END + b"\r")
    assert buffers(box) == []


def test_a_dead_pane_does_not_take_the_server_with_it(box: Box) -> None:
    """``paste-buffer`` into a dead pane ends tmux 3.2 and 3.3, so it must not come to that."""
    keeper = reader(box)
    made = box.tmux(
        "new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", "-t", f"={box.session}:",
        "sh", "-c", "exec sleep 4000",
    )  # fmt: skip
    pane_id, pid = made.split()
    box.tmux("set-option", "-p", "-t", pane_id, "remain-on-exit", "on")
    box.run("kill", "-9", pid)

    def dead() -> bool:
        box.tmux("run-shell", "-b", "exit 0")  # some builds lose SIGCHLD
        return box.tmux("display-message", "-p", "-t", pane_id, "#{pane_dead}") == "1"

    wait_until(dead, 20, "the pane to be dead")
    corpse = PaneTarget(keeper.socket_path, pane_id, int(pid))
    assert box.bench.paste(corpse, b"no", soon()) is False
    assert box.bench.submit(corpse, soon()) is False
    given(box, keeper, b"alive")
    box.log_is("got", BEGIN + b"alive" + END + b"\r")


def test_panes_on_other_servers(box: Box) -> None:
    path = box.shared / "other"
    made = box.tmux(
        "-L", "other", "new-session", "-d", "-P", "-F", "#{socket_path} #{pane_id} #{pane_pid}",
        "sh", "-c", READER.format(path=path),
    )  # fmt: skip
    socket, pane_id, pid = made.split()
    pane = PaneTarget(socket, pane_id, int(pid))
    wait_until(path.exists, 20, "the reader to be ready")
    text = b"0123456789abcd\xc3\xbc\n" * 3855
    given(box, pane, text)
    box.log_is("other", BEGIN + text + END + b"\r")
    assert box.bench.paste(replace(pane, pane_pid=pane.pane_pid + 1), b"no", soon()) is False
    assert buffers(box, "-L", "other") == []


def test_leftovers_of_ours_are_taken_away(make_box) -> None:  # type: ignore[no-untyped-def]
    box = make_box()
    pane = reader(box)
    for name in (f"{BUFFER_PREFIX}1", f"{BUFFER_PREFIX}2", "theirs"):
        box.tmux("set-buffer", "-b", name, "x")
    assert box.bench.clear_pastes(pane.socket_path, soon()) == 2
    assert buffers(box) == ["theirs"]
