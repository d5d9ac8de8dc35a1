"""How command lines end: codes for scripts, words for people, envelopes for programs."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal


def refuse(_params):
    raise Refusal("managed_layout_not_found", "no layout 'x\x1b'; see …", layout_id="x")


def test_a_refusal_is_two_lines_on_stderr(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.detail", refuse)
    ended = cli("layout", "show", samples.LAYOUT)
    assert ended.code == ExitCode.REFUSED == 3
    assert ended.out == ""
    assert ended.err == "error: no layout 'x\\x1b'; see …\ncode: managed_layout_not_found\n"


def test_a_refusal_with_json_is_the_envelope_on_stdout(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.detail", refuse)
    ended = cli("layout", "show", samples.LAYOUT, "--json")
    assert (ended.code, ended.err) == (3, "")
    assert json.loads(ended.out) == {
        "ok": False,
        "error": {
            "code": "managed_layout_not_found",
            "message": "no layout 'x\x1b'; see …",
            "details": {"layout_id": "x"},
        },
    }


@pytest.mark.parametrize("arguments", [["layout", "list"], ["status"], ["events", "--follow"]])
def test_no_daemon(cli, home, arguments):
    ended = cli(*arguments)
    assert ended.code == ExitCode.UNREACHABLE == 6
    assert "agenttower up" in ended.err
    assert ended.err.splitlines()[-1] == "code: daemon_unavailable"
    ended = cli(*arguments, "--json")
    assert (ended.code, ended.err) == (6, "")
    assert json.loads(ended.out)["error"]["code"] == "daemon_unavailable"


def test_an_unusable_override_is_not_replaced_by_another_socket(cli, home, monkeypatch):
    monkeypatch.setenv("AGENTTOWER_SOCKET", "/nowhere")
    ended = cli("status")
    assert ended.code == ExitCode.INTERNAL == 1
    assert ended.err == (
        "error: AGENTTOWER_SOCKET must be an absolute path to a Unix socket: value does not exist\n"
        "code: socket_invalid\n"
    )


def test_a_daemon_that_hangs_up(cli, daemon: FakeDaemon):
    def hang_up(_params):
        raise HangUp

    daemon.on("status", hang_up)
    assert cli("status").code == ExitCode.UNREACHABLE


def test_the_socket_option_wins_over_the_environment(cli, daemon: FakeDaemon, monkeypatch):
    daemon.on("status", {"alive": True})
    monkeypatch.setenv("AGENTTOWER_SOCKET", "/nowhere")
    assert cli("status").code != 0
    assert cli("--socket", str(daemon.path), "status").code == 0
    monkeypatch.chdir(daemon.path.parent)
    assert cli("--socket", daemon.path.name, "status").code == 0
    assert cli("--socket", "/nowhere", "status").code == ExitCode.UNREACHABLE
    assert cli("--socket", "/etc/passwd", "status").code == ExitCode.UNREACHABLE


def test_usage_errors_with_json_are_json(cli, home):
    ended = cli("layout", "list", "--json", "--bogus")
    assert (ended.code, ended.err) == (2, "")
    assert json.loads(ended.out)["error"]["code"] == "usage"


def test_an_answer_that_makes_no_sense_is_an_internal_error(cli, daemon: FakeDaemon, monkeypatch):
    daemon.on("managed.layout.list", {"nonsense": 1})
    ended = cli("layout", "list")
    assert ended.code == ExitCode.INTERNAL == 1
    assert "AGENTTOWER_DEBUG=1" in ended.err
    assert "Traceback" not in ended.err
    assert ended.err.splitlines()[-1] == "code: internal_error"
    monkeypatch.setenv("AGENTTOWER_DEBUG", "1")
    assert "Traceback" in cli("layout", "list").err


def test_a_reader_that_goes_away_is_no_error_message(cli, daemon: FakeDaemon):
    rows = [samples.container(f"bench-{n}") for n in range(20_000)]
    daemon.on("list_containers", {"filter": "all", "containers": rows})
    process = cli.start("container", "list", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(30) == ExitCode.OUTPUT_CLOSED == 141


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_narrow_encodings_do_not_break_the_output(cli, daemon: FakeDaemon, encoding):
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container("界-bench")]})
    process = cli.start("container", "list", env={**os.environ, "PYTHONIOENCODING": encoding})
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "\\u754c-bench" in out
