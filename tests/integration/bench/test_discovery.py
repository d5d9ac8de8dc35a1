"""Discovery of every pane of the bench user's tmux servers, on real tmux of both versions."""

from __future__ import annotations

from collections.abc import Callable

from agenttower.bench.interface import FoundPane
from tests.support.bench_box import Box, soon, token
from tests.support.waiting import wait_until

NASTY = "a\tb\nc%1 d,e; ünï"


def by_id(panes: list[FoundPane]) -> dict[tuple[str, str], FoundPane]:
    return {(pane.session_name, pane.pane_id): pane for pane in panes}


def start(box: Box, session: str, *, socket: str = "default", user: str = "") -> None:
    done = box.container.exec_run(
        ["tmux", "-L", socket, "-u", "new-session", "-d", "-s", session, "sleep", "infinity"],
        user=user,
    )
    assert done.exit_code == 0, done.output


def sockets(box: Box) -> dict[str, list[str]]:
    """The sessions found on each socket that exists, by the socket's name."""
    found = box.bench.discover_panes(soon())
    assert found.failures == ()
    names: dict[str, list[str]] = {path.rpartition("/")[2]: [] for path in found.listed}
    for pane in found.panes:
        names[pane.socket_path.rpartition("/")[2]].append(pane.session_name)
    return names


def test_servers_that_are_there_dead_foreign_and_gone(box: Box) -> None:
    # Nothing is started by looking.
    nothing = box.bench.discover_panes(soon())
    assert [failure.code for failure in nothing.failures] == ["socket_dir_missing"]
    assert "No such file" in box.run("ls", "/tmp/tmux-0")

    start(box, "one")
    start(box, "two", socket="other")
    start(box, "theirs", user="bench")  # another user's server
    box.run("ln", "-s", "default", "/tmp/tmux-0/link")
    box.run("mkdir", "/tmp/tmux-0/folder")
    box.run("touch", "/tmp/tmux-0/file")
    assert sockets(box) == {"default": ["one"], "other": ["two"]}
    found = box.bench.discover_panes(soon())
    assert found.user == "root"
    assert len({pane.server for pane in found.panes}) == 2

    box.tmux("-L", "other", "kill-server")
    wait_until(lambda: sockets(box).get("other", []) == [], 10, "the dead server to be seen")
    assert sockets(box)["default"] == ["one"]
    before = found.panes[0]
    start(box, "two", socket="other")
    again = box.bench.discover_panes(soon()).panes
    assert [pane.server for pane in again if pane.socket_path == before.socket_path] == [
        before.server
    ]
    assert len({pane.server for pane in (*found.panes, *again)}) == 3

    for name in ("default", "other"):
        box.tmux("-L", name, "kill-server")
    wait_until(lambda: not box.bench.discover_panes(soon()).panes, 10, "both to be gone")
    box.run("sh", "-c", "rm -r /tmp/tmux-0/*")
    empty = box.bench.discover_panes(soon())
    assert [failure.code for failure in empty.failures] == ["tmux_no_server"]


def test_any_text_comes_through_and_ours_is_known(box: Box) -> None:
    name = token()
    box.create("sleep", "infinity", token=name)
    box.run("mkdir", "-p", f"/tmp/{NASTY}")
    box.tmux("new-session", "-d", "-s", "näm e", "-c", f"/tmp/{NASTY}", "sleep", "infinity")
    titling = "printf '\\033]2;t\\342\\202\\254 #{pid}\\007'; sleep 1d"
    box.tmux("split-window", "-t", "näm e", "-d", titling)

    def titled() -> bool:
        return any(p.title == "t€ #{pid}" for p in box.bench.discover_panes(soon()).panes)

    wait_until(titled, 10, "the title to be set")
    panes = list(box.bench.discover_panes(soon()).panes)
    assert {pane.session_name for pane in panes} == {box.session, "näm e"}
    [ours] = [pane for pane in panes if pane.token]
    assert (ours.token, ours.session_name) == (name, box.session)
    assert ours.title.startswith("@MANAGED:")
    assert ours.pane_pid == box.bench.find_panes([name], soon())[name].pane_pid
    [odd] = [pane for pane in panes if pane.current_path == f"/tmp/{NASTY}" and pane.focused]
    assert odd.current_command == "sleep"
    assert odd.tty.startswith("/dev/pts/")


def test_a_server_that_hangs_is_told_and_the_others_are_found(
    make_box: Callable[..., Box],
) -> None:
    box = make_box()
    start(box, "one")
    start(box, "stuck", socket="other")
    pid = box.tmux("-L", "other", "display-message", "-p", "#{pid}")
    box.run("kill", "-STOP", pid)
    found = box.bench.discover_panes(soon())
    assert [pane.session_name for pane in found.panes] == ["one"]
    assert [(f.socket_path, f.code) for f in found.failures] == [
        ("/tmp/tmux-0/other", "docker_exec_timeout")
    ]
    # Nobody is left waiting in the bench for the server to answer.
    assert "list-panes" not in box.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    box.run("kill", "-CONT", pid)
    assert sockets(box) == {"default": ["one"], "other": ["stuck"]}


def test_a_bench_user_sees_his_own_servers(make_box: Callable[..., Box]) -> None:
    box = make_box(user="bench:bench")
    start(box, "mine", user="bench")
    start(box, "roots", user="root")
    found = box.bench.discover_panes(soon())
    assert found.user == "bench"
    assert [(pane.socket_path, pane.session_name) for pane in found.panes] == [
        ("/tmp/tmux-1000/default", "mine")
    ]
    box.container.exec_run(["chmod", "0000", "/tmp/tmux-1000/default"], user="root")
    refused = box.bench.discover_panes(soon())
    assert [failure.code for failure in refused.failures] == ["socket_unreadable"]
