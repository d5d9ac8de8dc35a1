"""``agenttower service`` puts its files in place, nobody else's away, and asks systemd in order."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
from pathlib import Path

import pytest

from agenttower.cli.main import execute
from agenttower.errors import ServiceRefused
from agenttower.service.plan import SERVE, TMUX, WORKER
from agenttower.service.setup import system_setup
from tests.support.state_home import StateHome

SYSTEMCTL = """#!/bin/sh
# Writes down what it was asked, and answers as systemctl does.
echo "$*" >>"$0.log"
case "$*" in *"$(cat "$0.refuse" 2>/dev/null || echo never)"*) echo "Failed: no" >&2; exit 1;; esac
case "$*" in *--property=LoadState*)
    printf 'UnitFileState=enabled\\nActiveState=%s\\nSubState=x\\nMainPID=7\\nNRestarts=2\\n' \\
        "$(cat "$0.active" 2>/dev/null || echo active)";;
esac
"""


class Home:
    """A home whose ``systemctl`` is ours."""

    def __init__(self, state_home: StateHome, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state_home = state_home
        self.units = state_home.root / "config/systemd/user"
        self._program = state_home.root / "bin/systemctl"
        self._program.parent.mkdir()
        self._program.write_text(SYSTEMCTL)
        self._program.chmod(0o755)
        for name in {*os.environ} - {*state_home.environ}:
            monkeypatch.delenv(name, raising=False)
        for name, value in state_home.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", f"{self._program.parent}:{os.environ['PATH']}")

    def answer(self, question: str, text: str) -> None:
        """``refuse``: what is refused. ``active``: the state that units are in."""
        Path(f"{self._program}.{question}").write_text(text)

    def asked(self) -> list[str]:
        """What systemctl was asked since the last time, its own options left out."""
        log = Path(f"{self._program}.log")
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.replace("--user --no-pager ", "") for line in lines]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.units.iterdir()) if self.units.exists() else []


@pytest.fixture
def home(state_home: StateHome, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(state_home, monkeypatch)


LOOK = "show --property=Version"


def test_install_writes_enables_and_starts_only_when_told(home: Home) -> None:
    assert execute(["service", "install"]) == 0
    assert home.files() == [SERVE, WORKER]
    assert home.asked() == [LOOK, "daemon-reload", f"enable {SERVE} {WORKER}"]
    assert execute(["service", "install", "--now"]) == 0
    assert home.asked()[-1] == f"restart {SERVE} {WORKER}"
    for name in home.files():
        assert stat.S_IMODE((home.units / name).stat().st_mode) == 0o644


def test_the_units_are_told_what_this_environment_says(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///a b/50%.sock")
    monkeypatch.setenv("AGENTTOWER_WORKER_THREADS", "4")
    monkeypatch.setenv("AGENTTOWER_SOCKET", "/tmp/of-the-client")
    assert execute(["service", "install"]) == 0
    text = (home.units / WORKER).read_text()
    assert 'Environment="DOCKER_HOST=unix:///a b/50%%.sock"' in text
    assert 'Environment="AGENTTOWER_WORKER_THREADS=4"' in text
    assert f'Environment="XDG_STATE_HOME={home.state_home.root}/state"' in text
    assert "AGENTTOWER_SOCKET" not in text


def test_the_local_bench_gets_a_unit_that_is_never_started_anew(home: Home) -> None:
    home.state_home.write_config("[local]\nenabled = true\n")
    assert execute(["service", "install", "--now"]) == 0
    assert home.files() == [SERVE, TMUX, WORKER]
    assert home.asked()[-2:] == [f"start {TMUX}", f"restart {SERVE} {WORKER}"]
    assert str(home.state_home.paths.local_tmux_socket) in (home.units / TMUX).read_text()
    assert home.state_home.paths.state_dir.is_dir(), "where the socket goes"
    assert execute(["service", "uninstall"]) == 0
    asked = home.asked()
    assert f"disable --now {WORKER} {SERVE}" in asked
    assert f"disable {TMUX}" in asked, "its panes go on"


def test_a_local_bench_without_tmux(home: Home, capsys: pytest.CaptureFixture[str],
                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setenv("AGENTTOWER_LOCAL_ENABLED", "true")
    assert execute(["service", "install"]) == 3
    assert "no tmux on PATH; install tmux" in capsys.readouterr().err
    assert home.files() == []


def test_a_dry_run_shows_and_does_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["service", "install", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert f"# {home.units / SERVE}" in shown
    assert "Type=notify" in shown
    assert execute(["service", "install", "--dry-run", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert list(result) == [str(home.units / SERVE), str(home.units / WORKER)]
    assert home.files() == []
    assert home.asked() == []


def test_without_systemd_nothing_is_written(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.answer("refuse", "Version")
    for command in ("install", "uninstall", "status"):
        assert execute(["service", command]) == 3
        assert "Without systemd, run 'agenttower up'" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(home.state_home.root))
    assert execute(["service", "install"]) == 3
    assert "there is no systemctl here" in capsys.readouterr().err
    assert home.files() == []


@pytest.mark.parametrize("kind", ["file", "mask"])
def test_a_unit_of_somebody_else_is_left_alone(
    home: Home, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    home.units.mkdir(parents=True)
    if kind == "file":
        (home.units / WORKER).write_text("[Service]\nExecStart=/mine\n")
    else:
        (home.units / WORKER).symlink_to("/dev/null")
    assert execute(["service", "install"]) == 3
    assert f"{WORKER} was not written by AgentTower; move it away" in capsys.readouterr().err
    assert home.files() == [WORKER], "nothing was written beside it"
    assert execute(["service", "uninstall"]) == 0
    assert home.files() == [WORKER]


def test_a_second_try_goes_on_where_the_first_was_refused(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.answer("refuse", "enable")
    assert execute(["service", "install"]) == 3
    assert "enable agenttower-serve.service" in capsys.readouterr().err
    home.answer("refuse", "nothing")
    home.asked()
    assert execute(["service", "install", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result == {"units": [SERVE, WORKER], "written": [], "started": False}
    assert "daemon-reload" in home.asked(), "systemd may not have read them the first time"


def test_an_upgrade_rewrites_what_differs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert execute(["service", "install"]) == 0
    monkeypatch.setenv("DOCKER_HOST", "tcp://other:2375")
    assert execute(["service", "install"]) == 0
    assert "tcp://other:2375" in (home.units / SERVE).read_text()
    assert home.files() == [SERVE, WORKER], "no temporary file is left"


def test_status(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["service", "status", "--json"]) == 5
    rows = json.loads(capsys.readouterr().out)["result"]["units"]
    assert [row["file"] for row in rows] == ["missing", "missing"]
    execute(["service", "install"])
    capsys.readouterr()
    assert execute(["service", "status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t")[:4] == ["UNIT", "FILE", "ENABLED", "ACTIVE"]
    assert lines[1].split("\t")[:6] == [SERVE, "current", "enabled", "active", "7", "2"]
    home.answer("active", "failed")
    assert execute(["service", "status"]) == 5
    home.answer("active", "active")
    (home.units / SERVE).write_text((home.units / SERVE).read_text() + "# mine\n")
    assert execute(["service", "status"]) == 5


def test_uninstall_where_nothing_is(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["service", "uninstall"]) == 0
    assert "nothing of ours is installed there" in capsys.readouterr().err


def test_user_goes_with_system(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["service", "install", "--user", "me"]) == 2
    assert "--user goes with --system" in capsys.readouterr().err


def test_machine_wide_it_runs_as_the_user_who_called_sudo() -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert system_setup(None, {"HOME": "/root"}).plan.user == me
    assert system_setup(None, {"HOME": "/root", "SUDO_USER": "daemon"}).plan.user == "daemon"
    setup = system_setup("daemon", {"HOME": "/root", "XDG_STATE_HOME": "/mine"})
    assert setup.plan.environment == {"XDG_CONFIG_HOME": "/etc", "XDG_STATE_HOME": "/var/lib"}
    assert str(setup.paths.socket) == "/var/lib/opensoft/agenttower/agenttowerd.sock"
    with pytest.raises(ServiceRefused, match=r"no user 'nobody-here'.*--user"):
        system_setup("nobody-here", {"HOME": "/root"})
