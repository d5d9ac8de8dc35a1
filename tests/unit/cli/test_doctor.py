"""``agenttower doctor``, ``config doctor``, ``config paths`` and ``client build``."""

from __future__ import annotations

import hashlib
import json

import pytest

from agenttower.client.doctor.contract import SCHEMA_VERSION
from tests.support.state_home import StateHome
from tests.unit.cli.fake_daemon import FakeDaemon


@pytest.fixture
def well(daemon: FakeDaemon) -> FakeDaemon:
    daemon.on("status", {"schema_version": SCHEMA_VERSION, "daemon_version": "0.1.0"})
    daemon.on("list_containers", {"containers": [], "caller_container_id": None})
    daemon.on("app.preflight", {"code": "ok"})
    return daemon


def test_paths(cli, home: StateHome, monkeypatch):
    paths = home.paths
    ended = cli("config", "paths")
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines == [
        f"CONFIG_FILE={paths.config_file}",
        f"STATE_DB={paths.database}",
        f"EVENTS_FILE={paths.events_file}",
        f"LOGS_DIR={paths.logs_dir}",
        f"SOCKET={paths.socket}",
        f"CACHE_DIR={paths.cache_dir}",
        "SOCKET_SOURCE=host_default",
    ]
    shown = json.loads(cli("--socket", "/x/y", "config", "paths", "--json").out)["result"]
    assert (shown["SOCKET"], shown["SOCKET_SOURCE"]) == ("/x/y", "option")
    monkeypatch.setenv("AGENTTOWER_SOCKET", "/none")
    ended = cli("config", "paths")
    assert ended.code == 1
    assert "value does not exist" in ended.err


def test_paths_with_an_override(cli, daemon: FakeDaemon):
    lines = cli("config", "paths").lines
    assert f"SOCKET={daemon.path}" in lines
    assert lines[-1] == "SOCKET_SOURCE=env_override"


def test_config_doctor(cli, well: FakeDaemon):
    ended = cli("config", "doctor")
    assert (ended.code, ended.err) == (0, "")
    assert [line.split("\t")[:2] for line in ended.lines] == [
        ["socket_resolved", "pass"],
        ["socket_reachable", "pass"],
        ["daemon_status", "pass"],
        ["container_identity", "info"],
        ["tmux_present", "info"],
        ["tmux_pane_match", "info"],
        ["summary", "0"],
    ]
    assert ended.lines[-1] == "summary\t0\t3/6 checks passed"
    shown = json.loads(cli("config", "doctor", "--json").out)
    assert shown["summary"] == {
        "exit_code": 0, "total": 6, "passed": 3, "warned": 0, "failed": 0, "info": 3,
    }  # fmt: skip
    assert shown["checks"]["socket_resolved"]["source"] == "env_override"


def test_config_doctor_before_the_checks(cli, home: StateHome, monkeypatch):
    """Nothing was ever started; and the override is wrong."""
    ended = cli("config", "doctor")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[1] == "code: not_initialised"
    home.paths.state_dir.mkdir(mode=0o700, parents=True)
    home.paths.database.touch(mode=0o600)
    assert cli("config", "doctor").code == 2
    monkeypatch.setenv("AGENTTOWER_SOCKET", "")
    ended = cli("config", "doctor", "--json")
    assert (ended.code, ended.err) == (1, "")
    assert json.loads(ended.out)["error"]["code"] == "socket_invalid"


def test_doctor(cli, well: FakeDaemon, home: StateHome):
    ended = cli("doctor")
    assert (ended.code, ended.err) == (5, "")  # there is no engine
    checks = [line.split("\t")[0] for line in ended.lines if not line.startswith(" ")]
    assert len(checks) == 22
    assert checks[6] == "identity"
    assert checks[-2:] == ["rules", "summary"]
    shown = json.loads(cli("doctor", "--json").out)
    assert list(shown["checks"]) == checks[:-1]
    assert shown["checks"]["docker"]["sub_code"] == "docker_unavailable"
    for check in shown["checks"].values():
        assert check["status"] in ("pass", "info") or check["actionable_message"]


def test_doctor_says_all_it_can_where_the_socket_is_wrong(cli, home: StateHome, monkeypatch):
    monkeypatch.setenv("AGENTTOWER_SOCKET", "/none")
    ended = cli("doctor", "--json")
    assert (ended.code, ended.err) == (1, "")
    shown = json.loads(ended.out)
    assert shown["checks"]["socket_resolved"]["sub_code"] == "path_invalid"
    assert shown["checks"]["config"]["status"] == "pass"


def test_doctor_tells_of_files_once_and_logs_nothing(cli, well: FakeDaemon, home: StateHome):
    home.paths.templates_dir.mkdir(parents=True)
    (home.paths.templates_dir / "x.yaml").write_text("name: [\n")
    process = cli.start("doctor", "--json")
    out, err = process.communicate(timeout=60)
    assert err == ""
    assert json.loads(out)["checks"]["templates"]["sub_code"] == "file_invalid"


def test_doctor_for_people(cli, well: FakeDaemon):
    shown = cli.on_terminal("doctor")
    assert shown.code == 5
    assert "\x1b[32mpass" in shown.out
    assert "checks passed (exit code 5)" in shown.out


def test_build(cli, home: StateHome):
    target = home.root / "at.pyz"
    ended = json.loads(cli("client", "build", "--output", str(target), "--json").out)["result"]
    assert ended == {
        "path": str(target),
        "size_bytes": target.stat().st_size,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }
    ended = cli("client", "build", "--output", str(home.root / "none" / "x"))
    assert (ended.code, ended.err.splitlines()[1]) == (1, "code: state_refused")


def test_install_without_an_engine(cli, home: StateHome):
    ended = cli("client", "install", "bench-1")
    assert (ended.code, ended.err.splitlines()[1]) == (3, "code: docker_unavailable")


@pytest.mark.parametrize("path", ["relative", "/", "/a/../b", "/a/", "/a\nb"])
def test_install_at_a_wrong_place(cli, home: StateHome, path):
    ended = cli("client", "install", "bench-1", "--path", path)
    assert (ended.code, ended.err.splitlines()[1]) == (3, "code: client_install_refused")
