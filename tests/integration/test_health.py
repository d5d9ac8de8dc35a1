"""What happens to panes after they were ready is noticed, told apart, and told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.integration.test_remove import ready_layout
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import (
    bench_with_logs,
    events_of,
    log_of,
    our_panes,
    tmux,
    write_profile,
    write_template,
)
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def pane_in(tower: Tower, pane_id: str, state: str, deadline_s: float = 15.0) -> dict[str, Any]:
    """The pane's detail, once it is in ``state``."""

    def look() -> dict[str, Any] | None:
        pane = tower.result("managed.pane.detail", {"pane_id": pane_id})
        return dict(pane) if pane["state"] == state else None

    pane = wait_until(look, deadline_s, f"pane {pane_id} to be {state}")
    assert pane is not None
    return pane


def test_a_program_that_ends_later_degrades_its_pane(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(
        tower,
        "waits",
        ["/bin/sh", "-c", "until [ -e /tmp/go ]; do sleep 0.05; done; echo bye; exit 9"],
    )
    write_template(tower, "one", [{"default_launch_command_ref": "waits"}, {}])
    layout = ready_layout(tower, bench, template="one")
    bench.exec_run(["touch", "/tmp/go"])
    pane = pane_in(tower, layout["panes"][0]["pane_id"], "degraded")
    assert (pane["failed_stage"], pane["exit_code"]) == ("launch_command", 9)
    assert "bye" in pane["failure_reason"]
    detail = tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})
    assert detail["state"] == "degraded"
    told = [event["event_type"] for event in events_of(tower, layout["layout_id"])]
    assert told.count("managed_pane_launch_command_exited") == 1


def test_a_killed_pane_is_failed_and_its_siblings_are_not(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    victim = layout["panes"][0]
    tmux(bench, "kill-pane", "-t", victim["tmux_pane_id"])
    pane = pane_in(tower, victim["pane_id"], "failed")
    assert pane["failed_stage"] == "recovery_reattach"
    detail = tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})
    assert [p["state"] for p in detail["panes"]] == ["failed", "ready", "ready"]
    agents = {a["agent_id"]: a["active"] for a in tower.result("list_agents")["agents"]}
    assert agents[victim["agent_id"]] is False


@pytest.mark.parametrize("what", ["window", "session"])
def test_a_killed_window_or_session_is_noticed_at_once(
    tower: Tower, bench_factory: BenchFactory, what: str
) -> None:
    """Well before the next look, so that a hook must have told."""
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    other = ready_layout(tower, bench, session="other", label_prefix="o-")
    tmux(bench, f"kill-{what}", "-t", layout["panes"][0]["tmux_pane_id"])
    for pane in layout["panes"]:
        pane_in(tower, pane["pane_id"], "failed")
    detail = tower.result("managed.layout.detail", {"layout_id": other["layout_id"]})
    assert detail["state"] == "ready"


def test_a_killed_server_takes_every_pane(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    tmux(bench, "kill-server")
    for pane in layout["panes"]:
        pane_in(tower, pane["pane_id"], "failed")


def test_a_stopped_container_says_so(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    bench.kill()
    pane = pane_in(tower, layout["panes"][0]["pane_id"], "failed")
    assert "container is exited" in pane["failure_reason"]


def test_a_restarted_container_has_lost_its_panes(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    bench.restart(timeout=0)
    for pane in layout["panes"]:
        pane_in(tower, pane["pane_id"], "failed")


def test_a_frozen_container_loses_nothing(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    with frozen(bench):
        tower.kill9("worker")
        tower.start("worker")
        tower.kill9("serve")
        tower.start("serve")
        detail = tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})
        assert detail["state"] == "ready"
    bench.exec_run(["true"])
    tmux(bench, "kill-pane", "-t", layout["panes"][2]["tmux_pane_id"])
    pane_in(tower, layout["panes"][2]["pane_id"], "failed", 40)
    detail = tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})
    assert [p["state"] for p in detail["panes"]] == ["ready", "ready", "failed"]


def test_a_lost_pipe_is_armed_again(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    pane = layout["panes"][1]
    tmux(bench, "pipe-pane", "-t", pane["tmux_pane_id"])
    log_of(tower, pane).unlink()
    tower.stop("serve")
    tower.start("serve")
    wait_until(lambda: log_of(tower, pane).exists(), 10, "the log to be there again")
    piped = {row["pane_id"]: row["piped"] for row in our_panes(bench)}
    assert piped[pane["tmux_pane_id"]] == "1"
    assert pane_in(tower, pane["pane_id"], "ready")["log_attached"] is True


def test_a_deleted_log_is_made_anew(tower: Tower, bench_factory: BenchFactory) -> None:
    """tmux still calls the pane piped: into the file that nobody sees any more."""
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    pane = layout["panes"][1]
    log_of(tower, pane).unlink()
    tower.stop("serve")
    tower.start("serve")
    tmux(bench, "send-keys", "-t", pane["tmux_pane_id"], "echo afterwards", "Enter")
    wait_until(lambda: "afterwards" in log_of(tower, pane).read_text(), 10, "output in the log")
    assert pane_in(tower, pane["pane_id"], "ready")["log_attached"] is True


def test_a_pipe_that_cannot_be_armed_degrades(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    pane = layout["panes"][1]
    tmux(bench, "pipe-pane", "-t", pane["tmux_pane_id"])
    log = log_of(tower, pane)
    log.unlink()
    log.mkdir()
    tower.stop("serve")
    tower.start("serve")
    lost = pane_in(tower, pane["pane_id"], "degraded")
    assert lost["failed_stage"] == "log_attach"
    assert lost["log_attached"] is False


def test_what_survived_is_reattached_before_the_socket_opens(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    tower.kill9("worker")
    tower.kill9("serve")
    gone, *alive = layout["panes"]
    tmux(bench, "kill-pane", "-t", gone["tmux_pane_id"])
    tmux(bench, "rename-session", "-t", "=work", "renamed")
    tower.start("serve")
    detail = tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})
    assert [p["state"] for p in detail["panes"]] == ["failed", "ready", "ready"]
    told = {e["event_type"]: e["payload"] for e in events_of(tower, layout["layout_id"])}
    assert told["managed_layout_recovery_reattached"] == {
        "reattached_pane_ids": [pane["pane_id"] for pane in alive]
    }
    assert told["managed_layout_recovery_failed"] == {
        "failed_pane_ids": [gone["pane_id"]],
        "failed_stage": "recovery_reattach",
    }


def test_a_pane_that_came_to_be_too_late_does_not_run_on(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    """As after a call that timed out and took effect later: the row says failed, tmux has it."""
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    late = layout["panes"][1]
    tower.stop("worker")
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute(
            "UPDATE managed_pane SET state = 'failed', failed_stage = 'pane_create'"
            " WHERE pane_id = ?",
            (late["pane_id"],),
        )
    tower.start("worker")
    wait_until(lambda: len(our_panes(bench)) == 2, 15, "the leftover to be killed")
    assert late["tmux_pane_id"] not in {pane["pane_id"] for pane in our_panes(bench)}
