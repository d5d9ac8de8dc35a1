"""FR-024: operators' YAML files, good, wrong, hostile and changing."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agenttower.domain.restart import RestartPolicy
from agenttower.domain.templates import BUILTIN_TEMPLATES, LaunchProfile, Template, TemplatePane
from agenttower.errors import LaunchCommandNotFound, TemplateNotFound
from agenttower.services import yamlfile
from agenttower.services.catalog import Catalog, FileProblem, read_profile, read_template

TEMPLATE = """\
name: {name}
panes:
  - role: slave
    capability: worker
    label_pattern: {label}
"""


def later() -> int:
    """A clock by which every file has been at rest for long."""
    return time.time_ns() + 3_600_000_000_000


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "managed_templates", tmp_path / "launch_commands"
    for path in paths:
        path.mkdir()
    return paths


@pytest.fixture
def catalog(folders: tuple[Path, Path]) -> Catalog:
    return Catalog(*folders)


def profile_from(path: Path, text: str | bytes) -> LaunchProfile | FileProblem:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_profile(path)


def template_from(path: Path, text: str) -> Template | FileProblem:
    path.write_text(text)
    return read_template(path)


# --- folders -----------------------------------------------------------------------------------


def test_missing_folders_are_fine_and_never_made(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "no" / "templates", tmp_path / "no" / "profiles")
    assert catalog.templates() == dict(BUILTIN_TEMPLATES)
    assert catalog.template_sources() == {"1m+2s": None, "2m+2s": None}
    assert catalog.profiles() == {}
    assert catalog.problems() == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_refused_with_what_is(catalog: Catalog) -> None:
    with pytest.raises(TemplateNotFound) as template:
        catalog.template("3m")
    assert template.value.details == {
        "template_name": "3m",
        "known_templates": ["1m+2s", "2m+2s"],
    }
    with pytest.raises(LaunchCommandNotFound) as profile:
        catalog.profile("claude")
    assert profile.value.details == {"profile_name": "claude", "known_profiles": []}


def test_a_later_file_wins_over_an_earlier_one_and_over_the_built_in(
    folders: tuple[Path, Path], catalog: Catalog
) -> None:
    for file, name, label in (
        ("B.yaml", "0-mine", "upper"),
        ("a.yaml", "0-mine", "lower"),
        ("10.yaml", "1m+2s", "own"),
        ("9.yaml", "1m+2s", "owner"),
    ):
        (folders[0] / file).write_text(TEMPLATE.format(name=name, label=label))
    assert catalog.template("0-mine").panes[0].label_pattern == "lower"
    assert catalog.template("1m+2s").panes[0].label_pattern == "owner"
    assert catalog.template_sources()["0-mine"] == str(folders[0] / "a.yaml")
    assert list(catalog.templates()) == ["0-mine", "1m+2s", "2m+2s"]
    assert list(catalog.template_sources()) == ["0-mine", "1m+2s", "2m+2s"]
    assert catalog.problems() == []


def test_a_wrong_file_is_left_out_and_reported_and_the_built_in_stays(
    folders: tuple[Path, Path], catalog: Catalog
) -> None:
    wrong = folders[0] / "own.yaml"
    wrong.write_text(TEMPLATE.format(name="1m+2s", label="a b"))
    (folders[0] / "good.yaml").write_text(TEMPLATE.format(name="good", label="x"))
    (folders[1] / "p.yaml").write_text("name: p\ncommand: echo hi\n")
    assert catalog.template("1m+2s") == BUILTIN_TEMPLATES["1m+2s"]
    assert catalog.template("good")
    template, profile = catalog.problems()
    assert (template.path, template.line, template.column) == (str(wrong), 5, 20)
    assert template.name == "1m+2s"
    assert str(template).startswith(f"{wrong}:5:20: label_pattern: character ' '")
    assert (profile.name, profile.line) == ("p", 2)
    assert catalog.template_problems() == [template]
    assert catalog.profile_problems() == [profile]


def test_which_file_names_are_read(folders: tuple[Path, Path], catalog: Catalog) -> None:
    for file in (".hidden.yaml", "x.yaml~", "x.yaml.swp", "x.json", "README"):
        (folders[0] / file).write_text("not yaml: [")
    (folders[0] / "x.yml").write_text(TEMPLATE.format(name="x", label="x"))
    assert list(catalog.templates()) == ["1m+2s", "2m+2s"]
    (problem,) = catalog.problems()
    assert problem.path.endswith("x.yml")
    assert "rename" in problem.reason


def test_a_folder_that_cannot_be_listed_is_reported_until_it_can(tmp_path: Path) -> None:
    place = tmp_path / "templates"
    place.write_text("")
    catalog = Catalog(place, tmp_path / "profiles")
    assert [problem.path for problem in catalog.problems()] == [str(place)]
    assert list(catalog.templates()) == ["1m+2s", "2m+2s"]
    place.unlink()
    assert catalog.problems() == []


def test_only_regular_files_are_opened(folders: tuple[Path, Path], catalog: Catalog) -> None:
    """None of these may hang or have an effect."""
    folder = folders[0]
    (folder / "directory.yaml").mkdir()
    os.mkfifo(folder / "fifo.yaml")
    (folder / "dangling.yaml").symlink_to(folder / "nowhere")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    (folder / "null.yaml").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.yaml"))
    reasons = {Path(problem.path).stem: problem.reason for problem in catalog.problems()}
    assert reasons == {
        "dangling": "cannot be read: No such file or directory",
        "directory": "is a directory, not a file",
        "fifo": "is no regular file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "null": "is no regular file",
        "socket": "is no regular file",
    }


def test_a_file_that_becomes_a_fifo_before_it_is_opened_hangs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regular, fifo = tmp_path / "regular", tmp_path / "fifo"
    regular.touch()
    os.mkfifo(fifo)
    before = os.stat(regular)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: before)
        problem = read_template(fifo)
    assert isinstance(problem, FileProblem)
    assert problem.reason == "is no regular file"


def test_symlinks_to_files_are_followed(folders: tuple[Path, Path], catalog: Catalog) -> None:
    target = folders[0].parent / "dotfiles.yaml"
    target.write_text(TEMPLATE.format(name="linked", label="x"))
    (folders[0] / "link.yaml").symlink_to(target)
    assert catalog.template("linked")


def test_file_names_of_any_bytes_can_be_shown(folders: tuple[Path, Path], catalog: Catalog) -> None:
    (folders[0] / os.fsdecode(b"a\xff\n\x1b.yaml")).write_text("")
    (problem,) = catalog.problems()
    assert problem.path.endswith("a\\xff\\n\\x1b.yaml")
    assert str(problem).isprintable()


# --- reading again -----------------------------------------------------------------------------


def test_files_that_come_change_and_go_are_seen_at_once(
    folders: tuple[Path, Path], catalog: Catalog
) -> None:
    path = folders[0] / "t.yaml"
    for label in ("one", "two", "ten"):  # the same size, within the same tick of the clock
        path.write_text(TEMPLATE.format(name="t", label=label))
        os.utime(path, ns=(1_000_000_000, 1_000_000_000))
        assert catalog.template("t").panes[0].label_pattern == label
    path.unlink()
    assert "t" not in catalog.templates()


def test_a_rewrite_that_leaves_no_trace_but_the_change_time_is_seen(
    folders: tuple[Path, Path],
) -> None:
    catalog = Catalog(*folders, clock_ns=later)
    path = folders[0] / "t.yaml"
    path.write_text(TEMPLATE.format(name="t", label="one"))
    before = path.stat()
    assert catalog.template("t").panes[0].label_pattern == "one"
    deadline = time.monotonic() + 10
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the file system's clock has ticked
        path.write_text(TEMPLATE.format(name="t", label="two"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert time.monotonic() < deadline
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )
    assert catalog.template("t").panes[0].label_pattern == "two"


@pytest.mark.parametrize("at_rest", [True, False])
def test_files_at_rest_are_read_once(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, at_rest: bool
) -> None:
    reads: list[Path] = []

    def counting(path: Path) -> yamlfile.Item:
        reads.append(path)
        return yamlfile.read_yaml(path)

    monkeypatch.setattr("agenttower.services.folder.read_yaml", counting)
    (folders[0] / "t.yaml").write_text(TEMPLATE.format(name="t", label="one"))
    (folders[0] / "wrong.yaml").write_text("x: 1\n")
    catalog = Catalog(*folders, clock_ns=later if at_rest else lambda: 0)
    for _ in range(5):
        assert catalog.template("t")
        assert len(catalog.template_problems()) == 1
    assert len(reads) == (2 if at_rest else 20)


def test_what_failed_for_the_systems_sake_is_tried_again(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> yamlfile.Item:
        raise yamlfile.FileFault("cannot be read: Too many open files", passing=True)

    catalog = Catalog(*folders, clock_ns=later)
    (folders[0] / "t.yaml").write_text(TEMPLATE.format(name="t", label="one"))
    with monkeypatch.context() as patch:
        patch.setattr("agenttower.services.folder.read_yaml", failing)
        assert len(catalog.problems()) == 1
    assert catalog.problems() == []
    assert catalog.template("t")


def test_a_symlink_is_followed_as_soon_as_there_is_something(folders: tuple[Path, Path]) -> None:
    catalog = Catalog(*folders, clock_ns=later)
    target = folders[0] / "target"
    (folders[0] / "t.yaml").symlink_to(target)
    assert len(catalog.problems()) == 1
    target.write_text(TEMPLATE.format(name="t", label="one"))
    assert catalog.template("t")


def test_callers_cannot_change_the_catalog(folders: tuple[Path, Path]) -> None:
    catalog = Catalog(*folders, clock_ns=later)
    catalog.templates().clear()
    catalog.problems().append(FileProblem("x", None, None, "x"))
    assert list(catalog.templates()) == ["1m+2s", "2m+2s"]
    assert catalog.problems() == []


def test_many_threads_see_whole_folders_only(folders: tuple[Path, Path]) -> None:
    catalog = Catalog(*folders)
    path = folders[0] / "t.yaml"
    text = TEMPLATE.format(name="t", label="one")
    path.write_text(text)
    stop = threading.Event()
    seen: list[object] = []

    def read() -> None:
        try:
            while not stop.is_set():
                seen.append(catalog.template("t").name)
        except Exception as error:
            seen.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(50):
            fresh = folders[0] / "fresh"
            fresh.write_text(text.replace("one", f"n{number}"))
            fresh.rename(path)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert set(seen) == {"t"}
    assert catalog.template("t").panes[0].label_pattern == "n49"


# --- launch profiles ---------------------------------------------------------------------------


def test_a_whole_profile(tmp_path: Path) -> None:
    text = """\
name: full
command: [prog, "", 'a b', "tab\\there", "1", "é☃", "#{x}", ";"]
env: {A_1: "", _b: "on", TOKEN: s3cret}
working_dir: /work/../x y
"""
    assert profile_from(tmp_path / "p.yaml", text) == LaunchProfile(
        "full",
        ("prog", "", "a b", "tab\there", "1", "é☃", "#{x}", ";"),
        {"A_1": "", "_b": "on", "TOKEN": "s3cret"},
        "/work/../x y",
    )


@pytest.mark.parametrize("rest", ["", "env:\nworking_dir:\n", "env: null\nworking_dir: ~\n"])
def test_optional_keys_may_be_left_out_or_empty(tmp_path: Path, rest: str) -> None:
    text = f"\ufeffname: p\r\ncommand: [a]\r\n{rest}"
    assert profile_from(tmp_path / "p.yaml", text) == LaunchProfile("p", ("a",))


WRONG_PROFILES = [
    ("", 1, "is empty"),
    ("# only a comment\n", 1, "is empty"),
    ("just text", 1, "must be a mapping with the keys name, command"),
    ("- name: p\n", 1, "must be a mapping"),
    ("name: p\n", 1, "needs the key 'command'"),
    ("command: [a]\n", 1, "needs the key 'name'"),
    ("name: p\ncomand: [a]\n", 2, "unknown key 'comand'; did you mean 'command'?"),
    ("name: p\ncommand: [a]\ncwd: /\n", 3, "known keys: name, command, env, working_dir"),
    ("name: p\ncommand: [a]\nworkingdir: /\n", 3, "did you mean 'working_dir'?"),
    ("name:\ncommand: [a]\n", 1, "name: must be a string, but nothing stands here"),
    ("name: 12\ncommand: [a]\n", 1, "name: must be a string, but YAML reads this as a number"),
    ("name: ''\ncommand: [a]\n", 1, "name: must have 1 to 64 characters"),
    ('name: "a\\nb"\ncommand: [a]\n', 1, "name: must be printable"),
    ("name: p\ncommand: claude --verbose\n", 2, "must be a list of strings, one per argument"),
    ("name: p\ncommand: {a: b}\n", 2, "command: must be a list"),
    ("name: p\ncommand: 1\n", 2, "command: must be a list"),
    ("name: p\ncommand: []\n", 2, "command: must name a program"),
    ("name: p\ncommand: ['']\n", 2, "command[0]: must name a program"),
    ("name: p\ncommand:\n  - echo\n  - on\n", 4, "YAML reads this as a boolean; put it in quotes"),
    (
        "name: p\ncommand:\n  - echo\n  - 1\n",
        4,
        "command[1]: must be a string, but YAML reads this as",
    ),
    ("name: p\ncommand:\n  - echo\n  - 1.10\n", 4, "reads this as a number"),
    ("name: p\ncommand: [date, 2026-11-20]\n", 2, "reads this as a date"),
    ("name: p\ncommand: [a, null]\n", 2, "reads this as nothing"),
    ("name: p\ncommand: [a, 0x1F, 12:30]\n", 2, "reads this as a number"),
    ("name: p\ncommand:\n  - a\n  -\n", 4, "nothing stands here"),
    ("name: p\ncommand: [a, [b]]\n", 2, "command[1]: must be a string"),
    ('name: p\ncommand: [a, "b\\0"]\n', 2, "command[1]: must not hold a NUL"),
    ("name: p\ncommand: [a]\nenv: [A=b]\n", 3, "env: must be a mapping"),
    ("name: p\ncommand: [a]\nenv:\n  A B: c\n", 4, "this is no variable name"),
    ("name: p\ncommand: [a]\nenv:\n  1A: c\n", 4, "this is no variable name"),
    ('name: p\ncommand: [a]\nenv:\n  "A\\n": c\n', 4, "no variable name"),
    ("name: p\ncommand: [a]\nenv:\n  A=: c\n", 4, "no variable name"),
    ("name: p\ncommand: [a]\nenv:\n  É: c\n", 4, "no variable name"),
    ("name: p\ncommand: [a]\nenv:\n  A: c\n  B: yes\n", 5, "env.B: must be a string"),
    ("name: p\ncommand: [a]\nenv:\n  A:\n", 4, '"" is the empty one'),
    ('name: p\ncommand: [a]\nenv: {A: "\\0"}\n', 3, "env.A: must not hold a NUL"),
    (
        "name: p\ncommand: [a]\nenv:\n  on: c\n",
        4,
        "a key must be text, but YAML reads this one as a boolean",
    ),
    (
        "name: p\ncommand: [a]\nenv:\n  A: c\n  A: d\n",
        5,
        "this key is given twice; first in line 4",
    ),
    ("name: p\ncommand: [a]\nworking_dir: src\n", 3, "working_dir: 'src' is not absolute"),
    ("name: p\ncommand: [a]\nworking_dir: ~/src\n", 3, "'~' and variables are not expanded"),
    ('name: p\ncommand: [a]\nworking_dir: ""\n', 3, "not absolute"),
    ('name: p\ncommand: [a]\nworking_dir: "/a\\0"\n', 3, "must not hold a NUL"),
    (f"name: p\ncommand: [a]\nworking_dir: /{'x' * 4095}\n", 3, "more than 4095 bytes"),
    (f"name: p\ncommand: [a, {'x' * 131_072}]\n", 2, "command[1]: has 131072 bytes"),
    (f"name: p\ncommand: [a]\nenv: {{A: {'x' * 131_070}}}\n", 3, "env.A: has 131072 bytes"),
    (
        f"name: p\ncommand: [a, &x {'x' * 100_000}{', *x' * 10}]\n",
        1,
        "command and env have 1100013 bytes together",
    ),
    ("name: p\nname: q\ncommand: [a]\n", 2, "this key is given twice; first in line 1"),
    ("name: p\n---\nname: q\n", 2, "more than one document"),
    ("name: p\ncommand:\n\t- a\n", 3, "a tab cannot indent; use spaces"),
    ("name: p\ncommand: [a\n", 3, "expected ',' or ']'"),
    ("name: p\ncommand: *x\n", 2, "an anchor or alias that does not fit"),
    ("name: p\ncommand: !!python/tuple [a]\n", 2, "are not allowed; remove this one"),
    ("name: !env HOME\ncommand: [a]\n", 1, "tags ('!…') are not allowed"),
    ("<<: {name: p}\ncommand: [a]\n", 1, "merge keys ('<<') are not supported"),
    ("? [a]\n: b\n", 1, "a key must be text, not a list or mapping"),
    ("name: p\x07\n", 1, "control character '\\x07'"),
    ("name: p\ncommand: [a\x00]\n", 2, "control character '\\x00'"),
    ('name: "\\ud800"\n', 1, "half a character"),
    ('name: "\\UFFFFFFFF"\n', 1, "an escape names no character"),
    ('name: "\\U00110000"\n', 1, "an escape names no character"),
    ("&a [*a]\n", 1, "too deeply"),
    ("[" * 100_000, 1, "too deeply"),
    ("- " * 100_000, 1, "too deeply"),
    ("- a\n" * 20_000, 10_000, "too many values"),
    ("# " + "x" * 300_000, None, "is larger than 256 KiB"),
]


@pytest.mark.parametrize(
    ("text", "line", "reason"), WRONG_PROFILES, ids=lambda value: repr(value)[:40]
)
def test_wrong_profiles_are_refused_with_line_and_reason(
    tmp_path: Path, text: str, line: int | None, reason: str
) -> None:
    problem = profile_from(tmp_path / "p.yaml", text)
    assert isinstance(problem, FileProblem)
    assert reason in problem.reason
    assert problem.line == line
    assert problem.reason.isprintable()
    assert len(problem.reason) < 300


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"name: p\ncommand: [\xff]\n", 2, 11),
        (b"\xc3\xa9 \xc3(\n", 1, 3),
        ("name: p\n".encode("utf-16"), 1, 1),
        (b"name: \xed\xa0\x80\n", 1, 7),
    ],
)
def test_only_utf_8_is_read(tmp_path: Path, data: bytes, line: int, column: int) -> None:
    problem = profile_from(tmp_path / "p.yaml", data)
    assert isinstance(problem, FileProblem)
    assert (problem.line, problem.column) == (line, column)
    assert "UTF-8" in problem.reason


def test_a_laughing_billion_is_refused_before_it_grows(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    problem = profile_from(tmp_path / "p.yaml", "\n".join(lines))
    assert isinstance(problem, FileProblem)
    assert "too many values" in problem.reason


def test_an_argument_of_the_greatest_length_passes(tmp_path: Path) -> None:
    profile = profile_from(tmp_path / "p.yaml", f"name: p\ncommand: [a, {'x' * 131_071}]\n")
    assert isinstance(profile, LaunchProfile)


# --- templates ---------------------------------------------------------------------------------

PANE = "{role: slave, capability: worker, label_pattern: 's{ordinal}'}"


def test_a_whole_template(tmp_path: Path) -> None:
    text = """\
name: trio
layout: main-vertical
panes:
  - role: master
    capability: orchestrator
    label_pattern: "{session}-m{ordinal}"
    default_launch_command_ref: claude
  - &slave
    role: slave
    capability: codex
    label_pattern: s{ordinal}
  - *slave
"""
    slave = TemplatePane("slave", "codex", "s{ordinal}")
    assert template_from(tmp_path / "t.yaml", text) == Template(
        "trio",
        (TemplatePane("master", "orchestrator", "{session}-m{ordinal}", "claude"), slave, slave),
        "main-vertical",
    )


def test_layout_is_tiled_and_profile_none_by_default(tmp_path: Path) -> None:
    text = TEMPLATE.format(name="t", label="x")
    for empty in ("", "    default_launch_command_ref:\nlayout:\n"):
        template = template_from(tmp_path / "t.yaml", text + empty)
        assert template == Template("t", (TemplatePane("slave", "worker", "x", None),), "tiled")


@pytest.mark.parametrize("count", [1, 40])
def test_one_to_forty_panes_pass(tmp_path: Path, count: int) -> None:
    template = template_from(tmp_path / "t.yaml", f"name: t\npanes: [{', '.join([PANE] * count)}]")
    assert isinstance(template, Template)
    assert len(template.panes) == count


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("name: t\n", 1, "needs the key 'panes'"),
        ("name: t\npanes: []\n", 2, "panes: must have 1 to 40, not 0"),
        (f"name: t\npanes: [{', '.join([PANE] * 41)}]\n", 2, "must have 1 to 40, not 41"),
        ("name: t\npanes: {}\n", 2, "panes: must be a list of panes"),
        ("name: t\npanes:\n", 2, "panes: must be a list of panes"),
        ("name: t\npanes:\n  - slave\n", 3, "a pane must be a mapping"),
        ("name: t\npanes:\n  - role: slave\n", 3, "a pane needs the key 'capability'"),
        (f"name: t\npanes: [{PANE}]\nlayout: spiral\n", 3, "'spiral' is none of tiled"),
        (f"name: t\npanes: [{PANE}]\nlayout: 1\n", 3, "layout: must be a string"),
        (f"name: t\ncommand: [a]\npanes: [{PANE}]\n", 2, "unknown key 'command'"),
        (TEMPLATE.format(name="t", label="a") + "    prompt: hi\n", 6, "unknown key 'prompt'"),
        (
            TEMPLATE.format(name="t", label="a") + "    default_launch_command: x\n",
            6,
            "did you mean 'default_launch_command_ref'?",
        ),
        (TEMPLATE.format(name="t", label="{nr}"), 5, "label_pattern: must be a string"),
        (TEMPLATE.format(name="t", label="s{nr}"), 5, "unknown placeholder at position 2"),
        (TEMPLATE.format(name="t", label="no"), 5, "reads this as a boolean"),
        (TEMPLATE.format(name="t", label="a").replace("slave", "boss"), 3, "'boss' is no role"),
        (TEMPLATE.format(name="t", label="a").replace("worker", "Wo"), 4, "capability: must be"),
        (
            TEMPLATE.format(name="t", label="a") + "    default_launch_command_ref: ''\n",
            6,
            "default_launch_command_ref: must have 1 to 64",
        ),
        (
            TEMPLATE.format(name="t", label="a")
            + "  - {role: slave, capability: b, label_pattern: a}\n",
            6,
            "panes 0 and 1 get the same label",
        ),
    ],
)
def test_wrong_templates_are_refused_with_line_and_reason(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    problem = template_from(tmp_path / "t.yaml", text)
    assert isinstance(problem, FileProblem)
    assert reason in problem.reason
    assert (problem.line, problem.name) == (line, "t")


@pytest.mark.parametrize("read", [read_template, read_profile])
def test_a_file_that_is_not_there(
    tmp_path: Path, read: Callable[[Path], Template | LaunchProfile | FileProblem]
) -> None:
    problem = read(tmp_path / "none.yaml")
    assert isinstance(problem, FileProblem)
    assert str(problem) == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("restart: on-failure", RestartPolicy()),
        ("restart: {policy: on-failure}", RestartPolicy()),
        ("restart: {policy: on-failure, max: 2, backoff: 0.5}", RestartPolicy(2, 0.5)),
    ],
)
def test_restart_policies(tmp_path: Path, text: str, expected: RestartPolicy) -> None:
    profile = profile_from(tmp_path / "p.yaml", f"name: p\ncommand: [a]\n{text}\n")
    assert isinstance(profile, LaunchProfile)
    assert profile.restart == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("restart: always", "must be on-failure"),
        ("restart: {policy: never}", "must be on-failure"),
        ("restart: {max: 3}", "needs the key 'policy'"),
        ("restart: {policy: on-failure, max: 0}", "from 1 to 15"),
        ("restart: {policy: on-failure, max: 1.5}", "whole number"),
        ("restart: {policy: on-failure, max: '3'}", "whole number"),
        ("restart: {policy: on-failure, backoff: .nan}", "from 0.1 to 300"),
        ("restart: {policy: on-failure, wait: 3}", "unknown key 'wait'"),
        ("restart: [on-failure]", "restart"),
    ],
)
def test_wrong_restart_policies(tmp_path: Path, text: str, reason: str) -> None:
    problem = profile_from(tmp_path / "p.yaml", f"name: p\ncommand: [a]\n{text}\n")
    assert isinstance(problem, FileProblem)
    assert problem.line == 3
    assert reason in problem.reason
