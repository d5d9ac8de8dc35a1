"""Pipes of panes that anybody made, on any tmux server of the bench."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agenttower.bench.interface import PaneTarget
from agenttower.errors import LogNotVisible
from tests.support.bench_box import Box, soon
from tests.support.waiting import wait_until


def pane(box: Box, *server: str) -> PaneTarget:
    """A pane that somebody started by hand, with a program that repeats what it is told."""
    box.tmux(*server, "new-session", "-d", "-s", "theirs", "-x", "80", "-y", "24", "cat")
    said = box.tmux(
        *server, "list-panes", "-a", "-F", "#{socket_path} #{pane_id} #{pane_pid}",
        "-f", "#{==:#{session_name},theirs}",
    )  # fmt: skip
    socket_path, pane_id, pid = said.split()
    return PaneTarget(socket_path, pane_id, int(pid))


def told(box: Box, target: PaneTarget, text: str) -> None:
    box.tmux("-S", target.socket_path, "send-keys", "-t", target.pane_id, text, "Enter")


@pytest.mark.parametrize(
    ("image", "server"), [("bookworm", ()), ("bookworm", ("-L", "o")), ("trixie", ("-L", "o"))]
)
def test_piped_moved_kept_and_ended(
    make_box: Callable[..., Box], image: str, server: tuple[str, ...]
) -> None:
    box = make_box(image)
    target = pane(box, *server)
    bench, first, second = box.bench, str(box.shared / "a b'.log"), str(box.shared / "b.log")
    assert bench.is_piped(target, soon()) is False
    assert bench.pipe_into(target, first, soon()) is False
    assert bench.is_piped(target, soon())
    assert bench.is_written(first, soon())
    told(box, target, "one")
    box.log_is("a b'.log", b"one\r\none\r\n")
    # Again: the pipe stands, and is not made anew.
    writer = box.run("pgrep", "-x", "cat")
    assert bench.pipe_into(target, first, soon()) is False
    assert box.run("pgrep", "-x", "cat") == writer
    # Elsewhere: the pipe that it had is ended.
    assert bench.pipe_into(target, second, soon()) is True
    assert not bench.is_written(first, soon())
    told(box, target, "two")
    box.log_is("b.log", b"two\r\ntwo\r\n")
    assert bench.unpipe(target, soon())
    assert bench.is_piped(target, soon()) is False
    wait_until(lambda: not bench.is_written(second, soon()), 10, "the pipe to end")
    told(box, target, "three")
    box.log_is("a b'.log", b"one\r\none\r\n")


def test_a_pipe_of_somebody_elses_is_ended(make_box: Callable[..., Box]) -> None:
    box = make_box("trixie")
    target = pane(box)
    box.tmux("pipe-pane", "-t", target.pane_id, f"cat >>{box.shared}/theirs.log")
    assert box.bench.pipe_into(target, str(box.shared / "ours.log"), soon()) is True
    told(box, target, "x")
    box.log_is("ours.log", b"x\r\nx\r\n")
    assert (box.shared / "theirs.log").read_bytes() == b""


def test_only_the_pane_that_was_meant(make_box: Callable[..., Box]) -> None:
    box = make_box()
    target = pane(box)
    box.tmux("split-window", "-d", "-t", "theirs", "cat")
    other = PaneTarget(target.socket_path, target.pane_id, target.pane_pid + 100_000)
    gone = PaneTarget(target.socket_path, "%99", target.pane_pid)
    nowhere = PaneTarget("/tmp/tmux-0/none", target.pane_id, target.pane_pid)
    foreign = PaneTarget(target.socket_path, target.pane_id, target.pane_pid, token="ab" * 16)
    for wrong in (other, gone, nowhere, foreign):
        assert box.bench.is_piped(wrong, soon()) is None
        assert box.bench.pipe_into(wrong, str(box.shared / "x.log"), soon()) is None
        assert box.bench.unpipe(wrong, soon()) is False
    assert box.tmux("list-panes", "-a", "-F", "#{pane_pipe}").split().count("1") == 0


def test_what_tmux_would_expand_is_refused(make_box: Callable[..., Box]) -> None:
    box = make_box()
    target = pane(box)
    for path in ("/tmp/a#{pane_id}", "/tmp/%H"):
        with pytest.raises(LogNotVisible, match="expand"):
            box.bench.pipe_into(target, path, soon())
    with pytest.raises(LogNotVisible, match="cannot write"):
        box.bench.pipe_into(target, "/nowhere/x.log", soon())
    assert box.bench.is_piped(target, soon()) is False


def test_files_of_the_bench(make_box: Callable[..., Box]) -> None:
    box = make_box(user="bench")
    bench, path = box.bench, "/tmp/agenttower-1000/x y.log"
    assert bench.file_size(path, soon()) is None
    with pytest.raises(FileNotFoundError):
        bench.read_file(path, 0, 10, soon())
    for _ in range(2):
        bench.make_file(path, soon())
    assert box.run("stat", "-c", "%a %u", "/tmp/agenttower-1000", path) == "700 1000\n600 1000"
    box.run("sh", "-c", f"printf 'a\\377\\000b\\r\\n' >>'{path}'")
    assert bench.file_size(path, soon()) == 6
    assert bench.read_file(path, 0, 100, soon()) == b"a\xff\x00b\r\n"
    assert bench.read_file(path, 1, 2, soon()) == b"\xff\x00"
    assert bench.read_file(path, 6, 100, soon()) == b""
    bench.free_file(path, 4, soon())
    assert bench.read_file(path, 4, 100, soon()) == b"\r\n"
    assert bench.file_size(path, soon()) == 6
    box.run("sh", "-c", f"rm '{path}'; ln -s /etc/passwd '{path}'")
    with pytest.raises(FileNotFoundError):
        bench.read_file(path, 0, 10, soon())
    with pytest.raises(LogNotVisible, match="in its place"):
        bench.make_file(path, soon())
