"""The command line against the real daemon, a real worker and a real bench."""

from __future__ import annotations

import json
import shlex
import subprocess

from tests.contract.conftest import CLI, Run
from tests.support.docker import BenchFactory
from tests.support.tower import Tower


def test_a_layout_from_scan_to_attach(agenttower: Run, tower: Tower, bench_factory: BenchFactory):
    logs = tower.home.paths.logs_dir
    bench = bench_factory(mounts={logs: str(logs)})
    assert "matched_count=1" in agenttower("scan").lines
    assert agenttower("container", "list").lines[1].split("\t")[2] == bench.name

    made = agenttower("layout", "create", bench.name, "1m+2s", "--session", "work")
    layout_id = made.lines[0].split()[1]
    assert made.lines[0] == f"layout {layout_id} creating"
    assert [line.split()[:4] for line in made.lines if line.startswith("result")] == [
        ["result", "m1", "master", "ready"],
        ["result", "s1", "slave", "ready"],
        ["result", "s2", "slave", "ready"],
    ]
    assert {tuple(line.split()[1:4]) for line in made.lines if line.startswith("pane")} >= {
        (label, stage, "done")
        for label in ("m1", "s1", "s2")
        for stage in ("pane_create", "launch_command", "registration", "log_attach")
    }
    check_attach_line(made.lines[-1], bench)

    shown = json.loads(agenttower("layout", "show", layout_id, "--json").out)["result"]
    assert shown["state"] == "ready"
    agents = [line.split("\t") for line in agenttower("agent", "list").lines[1:]]
    assert {(row[1], row[2], row[9]) for row in agents} == {
        ("m1", "master", "managed"),
        ("s1", "slave", "managed"),
        ("s2", "slave", "managed"),
    }
    pane_id = shown["panes"][0]["pane_id"]
    assert "label=m1" in agenttower("pane", "show", pane_id, "--chain").lines
    events = [json.loads(line) for line in agenttower("events", "--json").lines]
    assert events[0]["event_type"] == "managed_layout_created"
    assert events[-1]["payload"] == {"prev_state": "creating", "new_state": "ready"}

    again = agenttower("layout", "create", bench.name, "1m+2s", "--session", "work", code=3)
    assert "code: managed_" in again.err
    assert "layouts.ready=1" in agenttower("status").lines


def check_attach_line(line: str, bench) -> None:
    """The command told is the right one: what it would attach to is there."""
    prefix = ["attach", "docker", "exec", "-it", bench.name]
    words = shlex.split(line)
    assert words[: len(prefix)] == prefix, "a root bench needs no -u"
    *tmux, attach, option, session = words[len(prefix) :]
    assert (attach, option, session) == ("attach", "-t", "work")
    asked = bench.exec_run([*tmux, "has-session", "-t", "=work"])
    assert asked.exit_code == 0, asked.output


def test_a_launch_that_ends_at_once_degrades_and_says_why(
    agenttower: Run, tower: Tower, bench_factory: BenchFactory
):
    bench = bench_factory()
    profiles = tower.home.paths.profiles_dir
    profiles.mkdir(parents=True)
    (profiles / "dies.yaml").write_text("name: dies\ncommand: [sh, -c, 'echo enough; exit 7']\n")
    agenttower("scan")
    launch = ("--launch", "slave:s1=dies")
    made = agenttower(
        "layout", "create", bench.name, "1m+2s", "--session", "w", *launch, "--json", code=5
    )
    panes = {pane["label"]: pane for pane in json.loads(made.out)["result"]["panes"]}
    assert panes["s1"]["exit_code"] == 7
    assert panes["s1"]["failed_stage"] == "launch_command"
    assert made.err == ""


def test_following_goes_on_when_the_daemon_is_killed_and_started_again(
    agenttower: Run, tower: Tower, bench_factory: BenchFactory
):
    logs = tower.home.paths.logs_dir
    bench = bench_factory(mounts={logs: str(logs)})
    agenttower("scan")
    with subprocess.Popen(
        [*CLI, "layout", "create", bench.name, "1m+2s", "--session", "work"],
        env=tower.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        accepted = following.stdout.readline()
        tower.kill9("serve")
        tower.start("serve")
        rest, err = following.communicate(timeout=60)
    assert (following.returncode, err) == (0, "")
    layout_id = accepted.split()[1]
    assert rest.splitlines()[-2].startswith(f"layout {layout_id} ready ")
    results = [line.split()[1:4] for line in rest.splitlines() if line.startswith("result")]
    assert results == [
        ["m1", "master", "ready"],
        ["s1", "slave", "ready"],
        ["s2", "slave", "ready"],
    ]
