"""``template`` and ``profile``: they read the operator's files themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TEMPLATE = """\
name: trio
panes:
  - {role: master, capability: orchestrator, label_pattern: "lead{ordinal}"}
  - role: slave
    capability: worker
    label_pattern: "w{ordinal}"
    default_launch_command_ref: codex
"""
PROFILE = """\
name: codex
command: [codex, --model, "a b"]
env: {OPENAI_API_KEY: sk-very-secret, LANG: C.UTF-8}
working_dir: /work
"""


@pytest.fixture
def templates(home) -> Path:
    home.paths.templates_dir.mkdir(parents=True)
    return home.paths.templates_dir


@pytest.fixture
def profiles(home) -> Path:
    home.paths.profiles_dir.mkdir(parents=True)
    return home.paths.profiles_dir


def test_list_shows_built_in_templates_and_the_operators(cli, templates):
    (templates / "trio.yaml").write_text(TEMPLATE)
    rows = [line.split("\t") for line in cli("template", "list").lines]
    assert rows == [
        ["NAME", "PANES", "ROLES", "LAYOUT", "SOURCE"],
        ["1m+2s", "3", "master,slave,slave", "tiled", "built in"],
        ["2m+2s", "4", "master,master,slave,slave", "tiled", "built in"],
        ["trio", "2", "master,slave", "tiled", str(templates / "trio.yaml")],
    ]


def test_a_list_says_that_files_were_left_out(cli, templates):
    (templates / "bad.yaml").write_text("name: 3\n")
    ended = cli("template", "list")
    assert ended.code == 0
    assert "1 file was left out; see 'agenttower template validate'" in ended.err
    assert cli("template", "list", "--json").err == ""


def test_show_a_template(cli):
    shown = json.loads(cli("template", "show", "1m+2s", "--json").out)["result"]
    assert shown["name"] == "1m+2s"
    assert [pane["role"] for pane in shown["panes"]] == ["master", "slave", "slave"]
    assert cli("template", "show", "1m+2s").lines[:5] == [
        "name=1m+2s",
        "layout=tiled",
        "source=built in",
        "",
        "ROLE\tCAPABILITY\tLABEL_PATTERN\tPROFILE",
    ]


def test_show_an_unknown_template_is_refused_with_those_there_are(cli):
    ended = cli("template", "show", "3m")
    assert ended.code == 3
    assert "no template '3m'; known: 1m+2s, 2m+2s" in ended.err
    assert "code: managed_template_not_found" in ended.err.splitlines()
    envelope = json.loads(cli("template", "show", "3m", "--json").out)
    assert envelope["error"]["details"]["known_templates"] == ["1m+2s", "2m+2s"]


def test_profiles_never_show_secrets(cli, profiles):
    (profiles / "codex.yaml").write_text(PROFILE)
    for arguments in (["list"], ["show", "codex"]):
        for form in ([], ["--json"]):
            ended = cli("profile", *arguments, *form)
            assert ended.code == 0
            assert "sk-very-secret" not in ended.out
    assert cli("profile", "list").lines[1].split("\t")[:3] == [
        "codex",
        "codex --model 'a b'",
        "/work",
    ]
    assert "env.LANG=C.UTF-8" in cli("profile", "show", "codex").lines


def test_validate_names_file_line_and_reason(cli, templates):
    (templates / "good.yaml").write_text(TEMPLATE)
    (templates / "bad.yaml").write_text("name: x\npanes:\n  - role: boss\n    capability: a\n")
    ended = cli("template", "validate")
    assert ended.code == 3
    assert ended.lines[0].startswith(f"{templates / 'bad.yaml'}:3:")
    assert ended.lines[1] == f"{templates / 'good.yaml'}: ok, template 'trio'"
    report = json.loads(cli("template", "validate", "--json").out)["result"]
    assert [problem["line"] for problem in report["problems"]] == [3]
    assert [entry["name"] for entry in report["files"]] == ["trio"]
    assert report["valid"] is False


def test_validate_takes_files_and_folders(cli, tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(PROFILE)
    assert cli("profile", "validate", str(good)).code == 0
    bad.write_text('name: x\ncommand: "a b"\n')
    for argument in (bad, tmp_path):
        ended = cli("profile", "validate", str(argument))
        assert ended.code == 3
        assert ended.out.startswith(f"{bad}:2:")
    assert cli("profile", "validate", str(tmp_path / "none.yaml")).code == 3


def test_validate_nothing_is_fine_and_says_so(cli, home):
    ended = cli("profile", "validate")
    assert (ended.code, ended.out) == (0, "")
    assert json.loads(cli("profile", "validate", "--json").out) == {
        "ok": True,
        "result": {"valid": True, "files": [], "problems": []},
    }
    assert str(home.paths.profiles_dir) in ended.err
    assert not home.paths.profiles_dir.exists()
