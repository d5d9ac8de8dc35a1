from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon, Refusal

M1, S1, OTHER = (f"agt_{number:012x}" for number in (1, 2, 3))


@pytest.fixture
def known(daemon: FakeDaemon) -> FakeDaemon:
    """A layout of two panes, and an adopted agent."""
    panes = [
        samples.pane(pane_id=f"{name}{'0' * 30}", label=name, agent_id=agent)
        for name, agent in (("m1", M1), ("s1", S1))
    ]
    daemon.on("managed.pane.list", {"items": panes, "next": None})
    agents = [
        {"agent_id": agent, "label": label, "active": True}
        for agent, label in ((M1, "m1"), (S1, "s1"), (OTHER, "byhand"))
    ]
    daemon.on("list_agents", {"agents": agents})
    return daemon


def page(lines: list[str], following: int = 10, **more: object) -> dict[str, object]:
    return {
        "lines": lines,
        "next": following,
        "file": "1:2",
        "reset": False,
        "partial": None,
    } | more


def test_one_log(cli, known: FakeDaemon):
    known.on("logs.read", page(["one\ttwo", "th\x1bree"], partial="fo"))
    ended = cli("logs", "show", "s1", "-n", "7")
    assert ended.lines == ["one     two", "th\\x1bree", "fo"]
    assert known.params_of("logs.read") == [{"agent_id": S1, "lines": 7}]


@pytest.mark.parametrize(
    ("name", "agents"),
    [
        (samples.LAYOUT[:6], [M1, S1]), ("byhand", [OTHER]), (OTHER, [OTHER]), ("m1", [M1]),
        ("agt_0000", "not_unique"), ("nobody", "agent_not_found"),
    ],
)  # fmt: skip
def test_names(cli, known: FakeDaemon, name: str, agents: list[str] | str):
    known.on("logs.read", page(["x"]))
    ended = cli("logs", "show", name, "--json")
    if isinstance(agents, str):
        assert ended.code != 0
        assert json.loads(ended.out)["ok"] is False
        return
    assert [json.loads(line)["agent_id"] for line in ended.lines] == agents


def test_several_logs_have_labels(cli, known: FakeDaemon):
    known.on("logs.read", lambda params: page([f"of {params['agent_id']}"]))
    assert cli("logs", "show", "m1", "byhand").lines == [
        f"m1     | of {M1}",
        f"byhand | of {OTHER}",
    ]


def test_follow_until_ctrl_c(cli, known: FakeDaemon):
    def read(params):
        if "offset" not in params:
            return page(["old"])
        if params["offset"] == 10:
            return page(["new"], 20)
        if params["offset"] == 20 and len(known.params_of("logs.read")) == 3:
            raise Refusal("log_file_missing", "it is gone")
        if params["offset"] == 20:
            return page(["again"], 5, reset=True)
        return known.hold()

    known.on("logs.read", read)
    process = cli.start("logs", "follow", "s1")
    known.wait_for("logs.read", 5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.splitlines() == ["old", "new", "again"]
    assert "s1: it is gone" in err
    assert "begins anew" in err


def test_raw(cli, known: FakeDaemon, tmp_path: Path):
    log = tmp_path.resolve() / "x.log"
    log.write_bytes(b"TOKEN=a\r\n\x1b[31mred\xff")
    known.on("attach_log_status", {"attachment": {"log_path": str(log)}})
    done = subprocess.run([*cli.argv, "logs", "show", OTHER, "--raw"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, log.read_bytes())
    log.unlink()
    log.symlink_to("/etc/passwd")
    ended = cli("logs", "show", OTHER, "--raw")
    assert "code: log_file_missing" in ended.err


def test_attach_and_detach(cli, known: FakeDaemon):
    known.on("attach_log", {"agent_id": OTHER, "log_path": "/x", "status": "active"})
    known.on("detach_log", {"agent_id": OTHER, "status": "detached"})
    known.on("attach_log_status", {"agent_id": OTHER, "attachment": None, "offset": None})
    ended = cli("agent", "attach-log", "byhand", "--log", "/work/x.log")
    assert ended.lines == [f"agent_id={OTHER}", "log_path=/x", "status=active"]
    assert known.params_of("attach_log") == [{"agent_id": OTHER, "log_path": "/work/x.log"}]
    assert "status=detached" in cli("agent", "detach-log", OTHER).out
    assert "attachment=-" in cli("agent", "log-status", OTHER).lines
    ended = cli("agent", "attach-log", samples.LAYOUT)
    assert ended.code != 0
    assert "name one of them: m1, s1" in ended.err


def test_one_log_that_is_missing_does_not_hide_others(cli, known: FakeDaemon):
    def read(params):
        if params["agent_id"] == M1:
            raise Refusal("attachment_not_found", "none was attached")
        return page(["x"])

    known.on("logs.read", read)
    ended = cli("logs", "show", samples.LAYOUT)
    assert (ended.code, ended.lines) == (0, ["s1 | x"])
    assert ended.err == "m1: none was attached\n"
    assert cli("logs", "show", "m1").code != 0
