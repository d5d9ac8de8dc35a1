"""A pane is whole from its first moment, exact in every byte, and never made twice."""

from __future__ import annotations

import json
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from agenttower.bench.interface import PaneView
from agenttower.errors import ValidationFailed
from tests.support.bench_box import Box, soon, token
from tests.support.nasty import NASTY
from tests.support.waiting import wait_until

REPORT = """
import json, os, sys
with open(sys.argv[1] + ".part", "w") as file:
    json.dump({"argv": [os.fsencode(a).hex() for a in sys.argv[2:]], "cwd": os.getcwdb().hex(),
               "env": {os.fsencode(k).hex(): os.fsencode(v).hex() for k, v in os.environ.items()}},
              file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


def report(box: Box, *argv: str, **changes: object) -> tuple[PaneView, dict[str, object]]:
    """What a program in a pane was really given."""
    name = f"{token()}.json"
    view = box.create("python3", "-c", REPORT, str(box.shared / name), *argv, **changes)
    return view, json.loads(wait_until(box.file(name), 20, "the program's report"))


def hexed(text: str) -> str:
    return text.encode().hex()


def random_text(source: random.Random) -> str:
    """Any characters but NUL, surrogates left out, so that they are valid UTF-8."""
    points = [
        source.choice([source.randrange(1, 128), source.randrange(1, 0xD800)]) for _ in range(40)
    ]
    return "".join(map(chr, points))


def test_argv_and_environment_arrive_byte_for_byte(box: Box) -> None:
    source = random.Random(20261120)
    strings = [*NASTY, *(random_text(source) for _ in range(60))]
    names = {f"V{number}": text for number, text in enumerate(strings)}
    _, given = report(box, *strings, env=names)
    assert given["argv"] == [hexed(text) for text in strings]
    environment = given["env"]
    assert isinstance(environment, dict)
    assert {hexed(k): hexed(v) for k, v in names.items()}.items() <= environment.items()
    assert box.run("sh", "-c", "ls /tmp/pwned* /pwned* 2>/dev/null") == ""


def test_variables_that_shells_change_arrive_too(box: Box) -> None:
    special = {
        "PWD": "/nowhere", "OLDPWD": "x", "IFS": ":", "OPTIND": "7", "PPID": "1", "PS1": "$(id)",
        "PATH": "/usr/bin:/bin", "ENV": "/x", "TMUX": "t", "TMUX_PANE": "%999", "SHELL": "/bin/no",
        "not a name": "1", "at_count": "3", "AGENTTOWER_ENV_1": "mine", "HOME": "", "LANG": "tlh",
    }  # fmt: skip
    view, given = report(box, env=special)
    environment = given["env"]
    assert isinstance(environment, dict)
    assert {hexed(k): hexed(v) for k, v in special.items()}.items() <= environment.items()
    assert box.exited(view.token).exit is not None  # the wrapper still found its tmux


def test_the_program_gets_nothing_of_ours(box: Box) -> None:
    _, given = report(box, env={"A": "1"})
    environment = given["env"]
    assert isinstance(environment, dict)
    names = {bytes.fromhex(name).decode() for name in environment}
    assert not [name for name in names if name.startswith(("AGENTTOWER", "at_", "OLDPWD"))]


def test_a_siblings_environment_is_not_inherited(box: Box) -> None:
    first = box.create(env={"SECRET": "one"})
    _, given = report(box, siblings=[first.token])
    environment = given["env"]
    assert isinstance(environment, dict)
    assert not any("one" in bytes.fromhex(value).decode() for value in environment.values())
    assert "SECRET" not in box.tmux("show-environment", "-t", f"={box.session}:")
    assert "SECRET" not in box.run("ps", "axo", "args")


@pytest.mark.parametrize(
    "name", ["a b", "#(touch pwned)", "$(id)", "-", "-P", "'\"", "%H\n", "é~{}"]
)
def test_the_working_directory_is_exact(box: Box, name: str) -> None:
    directory = box.shared / name
    directory.mkdir()
    _, given = report(box, working_dir=str(directory))
    assert given["cwd"] == str(directory).encode().hex()


def test_a_directory_that_is_not_there_is_told_in_the_pane(box: Box) -> None:
    view = box.create("true", working_dir="/no/such dir")
    ended = box.exited(view.token)
    assert ended.exit is not None
    assert ended.exit.code == 126
    tail = box.bench.capture_tail(view.token, 5, soon())
    assert tail == "agenttower: cannot enter the working directory /no/such dir"


def test_a_missing_program_is_127(box: Box) -> None:
    view = box.create("no-such-program", "x")
    ended = box.exited(view.token)
    assert ended.exit is not None
    assert ended.exit.code == 127
    assert "no-such-program" in box.bench.capture_tail(view.token, 5, soon())


@pytest.mark.parametrize(
    "argv", [("exit", "3"), ("a=b",), ("-",), ("-i",), ("fg",), ("{", "}"), ("",)]
)
def test_the_program_is_never_a_word_of_the_shell(box: Box, argv: tuple[str, ...]) -> None:
    ended = box.exited(box.create(*argv).token)
    assert ended.exit is not None
    assert ended.exit.code in (125, 126, 127)


def test_no_argv_means_the_users_login_shell(box: Box) -> None:
    view = box.bench.create_pane(box.spec(argv=()), soon())
    box.runs(view.token, "bash")
    box.tmux("send-keys", "-t", view.pane_id, "shopt -q login_shell && echo LOG''IN", "Enter")
    wait_until(
        lambda: "LOGIN" in box.bench.capture_tail(view.token, 20, soon()), 10, "the shell's answer"
    )


@pytest.mark.parametrize("title", NASTY[::6])
def test_the_title_is_exact_and_never_a_format(box: Box, title: str) -> None:
    view = box.create(title=title)
    printable = "".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in title)
    assert view.title == printable
    assert box.bench.set_title(view.token, f"x{title}", soon())
    seen = box.see(view.token)
    assert seen is not None
    assert seen.title == f"x{printable}"


def test_identity_title_and_log_are_there_when_the_program_starts(box: Box) -> None:
    look = 'tmux list-panes -a -F "#{pane_id} #{@agenttower_pane} #{pane_title} #{pane_pipe}" >"$1"'
    first = box.create()
    for number, changes in enumerate(({"siblings": [first.token]}, {"session": "another"})):
        spec = box.spec("sh", "-c", look, "sh", str(box.shared / f"{number}.seen"))
        spec = replace(spec, log_path=str(box.shared / "log"), **changes)
        if number:
            spec = replace(spec, owner=token())
        view = box.bench.create_pane(spec, soon())
        seen = wait_until(box.file(f"{number}.seen"), 10, "the program's look")
        assert f"{view.pane_id} {spec.token} {spec.title} 1" in seen.decode().splitlines()


@pytest.mark.parametrize("number", range(3))
def test_the_first_megabyte_is_in_the_log(box: Box, number: int) -> None:
    log = box.shared / f"{number}.log"
    box.create("python3", "-c", "print(('x' * 99 + '\\n') * 10000, end='')", log_path=str(log))
    wanted = (b"x" * 99 + b"\r\n") * 10000
    box.log_is(log.name, wanted)


@pytest.mark.slow
def test_instant_exits_lose_neither_status_nor_bytes(box: Box) -> None:
    views: dict[str, tuple[PaneView, int]] = {}
    for number in range(100):
        log = box.shared / f"{number}.log"
        view = box.create(
            "sh", "-c", f"printf 'line %s\\n' {number} a b; exit {number}",
            log_path=str(log), session=f"{box.session}-{number}", owner=token(),
        )  # fmt: skip
        views[view.token] = (view, number)

    def all_ended() -> bool:
        seen = box.bench.find_panes(list(views), soon())
        return len(seen) == 100 and all(view.exit is not None for view in seen.values())

    wait_until(all_ended, 30, "100 programs to end")
    for name, view in box.bench.find_panes(list(views), soon()).items():
        number = views[name][1]
        assert view.exit is not None
        assert view.exit.code == number
        assert not view.dead
        box.log_is(f"{number}.log", f"line {number}\r\nline a\r\nline b\r\n".encode())


def test_repeating_adopts_and_mends(box: Box) -> None:
    spec = box.spec(log_path=str(box.shared / "log"))
    first = box.bench.create_pane(spec, soon())
    box.tmux("select-pane", "-t", first.pane_id, "-T", "something else")
    box.tmux("pipe-pane", "-t", first.pane_id)
    again = [box.bench.create_pane(spec, soon()) for _ in range(3)][-1]
    assert (again.pane_id, again.pane_pid) == (first.pane_id, first.pane_pid)
    assert again.title == spec.title
    assert again.piped
    assert box.marked(spec.token) == [first.pane_id]


def test_four_supervisors_at_once_make_one_pane(box: Box) -> None:
    first = box.create()
    others = [box.reopen("worker", f"inst{number}") for number in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            for number in range(8):
                spec = box.spec(siblings=[first.token])
                if number % 2:
                    spec = box.spec(session=f"{box.session}{number}", owner=token())
                made = [pool.submit(bench.create_pane, spec, soon()) for bench in others]
                panes = {view.result().pane_id for view in made}
                assert box.marked(spec.token) == list(panes)
    finally:
        for bench in others:
            bench.close()


def test_rivals_for_the_first_place_share_one_session(box: Box) -> None:
    names = [token() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = [pool.submit(box.create, token=name, siblings=names) for name in names]
        assert {view.result().session_name for view in made} == {box.session}
    assert box.bench.session_names(soon()) == [box.session]
    assert [len(box.marked(name)) for name in names] == [1] * 6


def test_forty_panes_in_one_layout(box: Box) -> None:
    made = box.layout(40)
    found = box.bench.find_panes([view.token for view in made], soon())
    assert len(found) == 40
    assert {view.session_name for view in found.values()} == {box.session}
    assert [found[view.token].pane_index for view in made] == list(range(40))


def test_a_crowded_window_is_rearranged_to_make_room(box: Box) -> None:
    made = [box.create()]
    box.tmux("resize-window", "-t", made[0].pane_id, "-x", "80", "-y", "24")
    for _ in range(7):
        made.append(box.create(siblings=[view.token for view in made], layout="even-vertical"))
    assert len(box.bench.find_panes(None, soon())) == 8


def test_the_users_focus_stays_where_it_was(box: Box) -> None:
    first, second = box.layout(2)
    box.tmux("new-window", "-t", f"={box.session}:", "sleep infinity")
    box.tmux("select-pane", "-t", first.pane_id)
    box.create(siblings=[first.token, second.token])
    active = box.tmux("display-message", "-p", "-t", f"={box.session}:0", "#{pane_id}")
    assert active == first.pane_id
    window = box.tmux("display-message", "-p", "-t", f"={box.session}:", "#{window_index}")
    assert window == "1"


def test_ctrl_c_reaches_the_program_and_ctrl_z_is_no_end(box: Box) -> None:
    view = box.create("sleep", "1000")
    box.runs(view.token, "sleep")
    for _ in range(3):
        box.tmux("send-keys", "-t", view.pane_id, "C-z")
    box.run("sh", "-c", "kill -STOP $(pgrep -x -f 'sleep 1000')")
    box.tmux("send-keys", "-t", view.pane_id, "C-c")
    ended = box.exited(view.token)
    assert ended.exit is not None
    assert ended.exit.code == 128 + signal.SIGINT
    for key in ("C-c", "C-z", "C-\\", "C-c"):
        box.tmux("send-keys", "-t", view.pane_id, key)
    seen = box.see(view.token)
    assert seen is not None
    assert not seen.dead
    assert seen.current_command == "sleep"


def test_an_end_by_signal_is_128_and_the_signal(box: Box) -> None:
    view = box.create("sh", "-c", "echo last words; kill -9 $$", log_path=str(box.shared / "log"))
    ended = box.exited(view.token)
    assert ended.exit is not None
    assert ended.exit.code == 137
    box.log_is("log", b"last words\r\n")


def test_an_impossible_request_is_refused_before_any_effect(box: Box) -> None:
    with pytest.raises(ValidationFailed):
        box.create(env={"": "x"})
    with pytest.raises(ValidationFailed):
        box.create(session="a b")
    with pytest.raises(ValidationFailed):
        box.create(token="#(touch pwned)")
    assert box.bench.session_names(soon()) == []


def test_an_argument_that_is_too_long_for_a_process(box: Box) -> None:
    view = box.create("true", "x" * 140_000)
    ended = box.exited(view.token)
    assert ended.exit is not None
    assert ended.exit.code != 0


def test_a_layout_that_would_crash_the_server_is_refused(box: Box) -> None:
    first = box.create()
    for layout in ("no-such-layout", "main-horizontal-mirrored", "#(id)", ""):
        with pytest.raises(ValidationFailed, match="layout"):
            box.create(siblings=[first.token], layout=layout)
    assert list(box.bench.find_panes(None, soon())) == [first.token]
