"""Removing panes and layouts (M6, M9) in real containers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import (
    bench_with_logs,
    create,
    events_of,
    log_of,
    our_panes,
    refusal,
    settled,
    tmux,
    write_profile,
    write_template,
)
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def ready_layout(tower: Tower, bench: Any, **more: Any) -> dict[str, Any]:
    detail = settled(tower, create(tower, bench, **more)["layout_id"])
    assert detail["state"] == "ready", detail
    return detail


def detail_of(tower: Tower, layout_id: str) -> dict[str, Any]:
    return dict(
        tower.result(
            "managed.layout.detail", {"layout_id": layout_id, "include_terminal_panes": True}
        )
    )


def test_a_removed_pane_is_gone_and_its_audit_stays(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    victim = layout["panes"][1]
    result = tower.result("managed.pane.remove", {"pane_id": victim["pane_id"]})
    assert result == {"pane_id": victim["pane_id"], "state": "removed"}
    assert sorted(pane["title"] for pane in our_panes(bench)) == ["m1", "s2"]
    after = detail_of(tower, layout["layout_id"])
    assert [pane["state"] for pane in after["panes"]] == ["ready", "removed", "ready"]
    assert after["state"] == "ready", "removed panes are left out"
    agents = {a["agent_id"]: a["active"] for a in tower.result("list_agents")["agents"]}
    assert agents[victim["agent_id"]] is False
    assert list(agents.values()).count(True) == 2
    assert log_of(tower, victim).exists(), "the log is kept"
    told = [e for e in events_of(tower, layout["layout_id"]) if e["pane_id"] == victim["pane_id"]]
    assert [event["event_type"] for event in told[-2:]] == [
        "managed_pane_removed",
        "managed_pane_state_changed",
    ]
    assert told[-2]["payload"] == {"tmux_kill_succeeded": True}
    again = tower.result("managed.pane.remove", {"pane_id": victim["pane_id"]})
    assert again == result, "removing twice is success"
    assert len(events_of(tower, layout["layout_id"])) == len(events_of(tower, layout["layout_id"]))


def test_a_pane_that_is_gone_already_counts_as_killed(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    victim = layout["panes"][2]
    tmux(bench, "kill-pane", "-t", victim["tmux_pane_id"])
    result = tower.result("managed.pane.remove", {"pane_id": victim["pane_id"]})
    assert result["state"] == "removed"


def test_children_that_ignore_the_hangup_die_too(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(
        tower, "stubborn", ["/bin/sh", "-c", "trap '' HUP TERM; nohup sleep 98765 & sleep 98764"]
    )
    write_template(tower, "one", [{"default_launch_command_ref": "stubborn"}])
    layout = ready_layout(tower, bench, template="one")

    def sleeping() -> bytes:
        return bytes(bench.exec_run(["pgrep", "-f", "sleep 9876"]).output)

    assert sleeping()
    tower.result("managed.pane.remove", {"pane_id": layout["panes"][0]["pane_id"]})
    wait_until(lambda: not sleeping(), 10, "every child to be gone")


def test_the_last_pane_takes_the_session_and_the_layout_with_it(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tmux(bench, "new-session", "-d", "-s", "users")
    layout = ready_layout(tower, bench)
    result = tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    assert result["layout_id"] == layout["layout_id"]
    assert result["state"] == "removed"
    assert {pane["state"] for pane in result["panes"]} == {"removed"}
    assert our_panes(bench) == []
    assert "users" in tmux(bench, "list-sessions"), "what others made stays"
    assert "work" not in tmux(bench, "list-sessions", "-F", "#{session_name}").split()
    again = tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    assert again["state"] == "removed"
    ready_layout(tower, bench)  # name and labels are free again


def test_what_is_being_created_is_not_removed(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    made = create(tower, bench)
    pane_id = made["panes"][0]["pane_id"]
    error = refusal(tower, "managed.pane.remove", {"pane_id": pane_id})
    assert error["code"] == "managed_pane_illegal_transition"
    assert error["details"] == {
        "pane_id": pane_id,
        "current_state": "creating",
        "requested_action": "remove",
    }
    error = refusal(tower, "managed.layout.remove", {"layout_id": made["layout_id"]})
    assert error["code"] == "managed_pane_illegal_transition"
    assert settled(tower, made["layout_id"])["state"] == "ready"
    assert len(our_panes(bench)) == 3


def test_unknown_panes_and_layouts(tower: Tower) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    error = refusal(tower, "managed.pane.remove", {"pane_id": nobody})
    assert (error["code"], error["details"]) == ("managed_pane_not_found", {"pane_id": nobody})
    error = refusal(tower, "managed.layout.remove", {"layout_id": nobody})
    assert (error["code"], error["details"]) == ("managed_layout_not_found", {"layout_id": nobody})


def test_a_pane_of_a_stopped_container_is_removed(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    bench.kill()
    result = tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    assert result["state"] == "removed"


def test_a_kill_that_fails_leaves_the_pane_and_can_be_tried_again(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    victim = layout["panes"][0]["pane_id"]
    with frozen(bench):
        error = tower.call("managed.pane.remove", {"pane_id": victim}, timeout_s=60)["error"]
        assert error["code"] == "internal_error"
        assert error["details"] == {}
        pane = tower.result("managed.pane.detail", {"pane_id": victim})
        assert (pane["state"], pane["failed_stage"]) == ("ready", "tmux_kill"), (pane, error)
    assert tower.result("managed.pane.remove", {"pane_id": victim})["state"] == "removed"


def test_many_who_remove_one_pane_share_one_operation(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    victim = layout["panes"][0]["pane_id"]
    with ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(lambda _: tower.result("managed.pane.remove", {"pane_id": victim}), range(8))
        )
    assert {result["state"] for result in results} == {"removed"}
    told = [event["event_type"] for event in events_of(tower, layout["layout_id"])]
    assert told.count("managed_pane_removed") == 1


def test_promotion_is_reserved(tower: Tower) -> None:
    for params in ({}, {"pane_id": "anything"}, {"x": [1, {"y": None}]}):
        error = refusal(tower, "managed.pane.promote_from_adopted", params)
        assert error["code"] == "not_implemented"
        assert error["details"] == {"reserved_since": "FEAT-013"}
