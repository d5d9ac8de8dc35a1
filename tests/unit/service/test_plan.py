"""What the unit files say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agenttower.engine.presence import HEARTBEAT_S
from agenttower.errors import ServiceRefused
from agenttower.service.plan import SERVE, TMUX, WORKER, Plan, argument, program, quote, units
from agenttower.store.database import BUSY_TIMEOUT_S
from workers.consumer import STOP_TIMEOUT_S

USER = Plan(
    "/opt/at/bin/python", {"XDG_STATE_HOME": "/s"}, tmux="/usr/bin/tmux", tmux_socket="/s/t"
)
SYSTEM = replace(USER, user="agents", group="staff")

MOUNT_NAMESPACE = re.compile(
    r"(Private(Tmp|Devices|Mounts|Users|Network|IPC)|Protect\w+|Read(Only|Write)Paths|Exec\w*Paths"
    r"|(No|Inaccessible|Bind|BindReadOnly)\w*Paths|TemporaryFileSystem|Root(Directory|Image)"
    r"|DynamicUser|Mount\w+|ProcSubset)"
)


def settings(unit: str) -> dict[str, list[str]]:
    """Key to values, of all sections."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if re.match(r"[A-Za-z]+=", line):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("plan", [USER, SYSTEM], ids=["user", "system"])
def test_nothing_gives_a_process_another_mount_namespace(plan: Plan) -> None:
    """R12: the host's programs are known by sharing the front end's namespaces."""
    for name, text in units(plan).items():
        assert [key for key in settings(text) if MOUNT_NAMESPACE.fullmatch(key)] == [], name


def test_times_fit_those_of_the_program() -> None:
    worker = settings(units(USER)[WORKER])
    assert float(worker["TimeoutStopSec"][0]) > STOP_TIMEOUT_S
    # Some heartbeats may fail because somebody holds the database.
    assert float(worker["WatchdogSec"][0]) > 3 * (HEARTBEAT_S + BUSY_TIMEOUT_S)


def test_user_units_hang_on_the_users_own_target() -> None:
    text = units(USER)
    assert list(text) == [TMUX, SERVE, WORKER]
    assert all(settings(unit)["WantedBy"] == ["default.target"] for unit in text.values())
    assert not any({"User", "Group", "StateDirectory"} & settings(u).keys() for u in text.values())
    assert settings(text[SERVE])["After"] == [TMUX]
    assert settings(text[WORKER])["After"] == [SERVE, TMUX]
    assert settings(text[WORKER])["Wants"] == [f"{SERVE} {TMUX}"]
    assert "systemctl --user edit" in text[SERVE]


def test_system_units_run_as_somebody_with_a_directory_of_his_own() -> None:
    for unit in units(SYSTEM).values():
        said = settings(unit)
        assert said["User"] == ["agents"]
        assert said["Group"] == ["staff"]
        assert said["StateDirectory"] == ["opensoft/agenttower"]
        assert said["StateDirectoryMode"] == ["0700"]
        assert said["WantedBy"] == ["multi-user.target"]
    assert "docker.service" in settings(units(SYSTEM)[SERVE])["After"][0]


def test_the_tmux_server_has_a_unit_only_where_it_is_wanted() -> None:
    text = units(replace(USER, tmux=None))
    assert list(text) == [SERVE, WORKER]
    assert not any(TMUX in unit for unit in text.values())
    for unit in text.values():
        assert "AGENTTOWER_LOCAL_START_TMUX=false" in settings(unit)["Environment"]


@pytest.mark.parametrize("plan", [USER, SYSTEM, replace(USER, tmux=None, environment={})])
def test_nothing_is_left_to_be_filled_in(plan: Plan) -> None:
    for text in units(plan).values():
        assert "@" not in text
        assert not re.search(r"^\w+= *$|[ \t]$", text, re.MULTILINE)


def test_quoting() -> None:
    assert quote('a b%c"d\\e$f') == '"a b%%c\\"d\\\\e$f"'
    assert argument("$HOME %h") == '"$$HOME %%h"'
    assert program("/a b/python") == '"/a b/python"'


@pytest.mark.parametrize("text", ["a\nExecStart=/bin/evil", "tab\t", "\x7f", "\x00"])
def test_a_value_cannot_become_a_line_of_its_own(text: str) -> None:
    with pytest.raises(ServiceRefused, match="control character"):
        units(replace(USER, environment={"DOCKER_HOST": text}))


@pytest.mark.parametrize("character", ["$", '"', "'", "\\"])
def test_a_program_whose_path_systemd_cannot_take_is_refused(character: str) -> None:
    with pytest.raises(ServiceRefused, match=r"another path"):
        units(replace(USER, python=f"/a{character}b/python"))
