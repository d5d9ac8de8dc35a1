"""Recreating panes (M7) in real containers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.test_remove import detail_of, ready_layout
from tests.support.docker import BenchFactory
from tests.support.layouts import (
    bench_with_logs,
    create,
    events_of,
    our_panes,
    refusal,
    settled,
    tmux,
    write_profile,
    write_template,
)
from tests.support.tower import Tower


def remove(tower: Tower, pane_id: str) -> None:
    assert tower.result("managed.pane.remove", {"pane_id": pane_id})["state"] == "removed"


def recreate(tower: Tower, pane_id: str, **more: Any) -> dict[str, Any]:
    return dict(tower.result("managed.pane.recreate", {"predecessor_pane_id": pane_id, **more}))


def test_a_successor_takes_the_slot(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    old = layout["panes"][1]
    remove(tower, old["pane_id"])
    made = recreate(tower, old["pane_id"])
    assert made["pane_id"] != old["pane_id"]
    assert {key: made[key] for key in made if key != "pane_id"} == {
        "predecessor_id": old["pane_id"],
        "chain_depth": 1,
        "state": "creating",
        "replay": False,
    }
    after = settled(tower, layout["layout_id"])
    assert after["state"] == "ready", after
    new = next(pane for pane in after["panes"] if pane["pane_id"] == made["pane_id"])
    same = ("role", "capability", "label", "slot", "tmux_session_name", "layout_id")
    assert {key: new[key] for key in same} == {key: old[key] for key in same}
    assert new["agent_id"] not in (None, old["agent_id"])
    assert sorted(pane["title"] for pane in our_panes(bench)) == ["m1", "s1", "s2"]
    chain = tower.result(
        "managed.pane.detail", {"pane_id": made["pane_id"], "include_predecessor_chain": True}
    )["predecessor_chain"]
    assert chain == [
        {
            "pane_id": old["pane_id"],
            "state": "removed",
            "chain_depth": 0,
            "predecessor_id": None,
        }
    ]
    told = [e["event_type"] for e in events_of(tower, layout["layout_id"])]
    assert told.count("managed_pane_recreated") == 1
    current = tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})["panes"]
    assert len(current) == 3


def test_the_session_is_made_anew_where_it_is_gone(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    for pane in layout["panes"]:
        recreate(tower, pane["pane_id"])
    after = settled(tower, layout["layout_id"])
    assert after["state"] == "ready"
    assert {pane["session"] for pane in our_panes(bench)} == {"work"}
    assert len(our_panes(bench)) == 3


def test_a_session_that_somebody_else_made_meanwhile_is_not_used(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    tmux(bench, "new-session", "-d", "-s", "work")
    error = refusal(
        tower,
        "managed.pane.recreate",
        {"predecessor_pane_id": layout["panes"][0]["pane_id"]},
    )
    assert error["code"] == "managed_session_name_conflict"


def test_a_label_that_somebody_else_took_meanwhile(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    ready_layout(tower, bench, session="other")
    params = {"predecessor_pane_id": layout["panes"][0]["pane_id"]}
    error = refusal(tower, "managed.pane.recreate", params)
    assert error["code"] == "managed_pane_label_conflict"
    assert error["details"] == {"container_id": bench.id, "label": "m1"}


def test_living_panes_are_no_source(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    pane_id = ready_layout(tower, bench)["panes"][0]["pane_id"]
    error = refusal(tower, "managed.pane.recreate", {"predecessor_pane_id": pane_id})
    assert error["code"] == "managed_pane_illegal_recreate_source"
    assert error["details"] == {"predecessor_pane_id": pane_id, "current_state": "ready"}


def test_of_many_at_once_one_proceeds(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    old = layout["panes"][0]["pane_id"]
    remove(tower, old)
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(
                lambda _: tower.call("managed.pane.recreate", {"predecessor_pane_id": old}),
                range(8),
            )
        )
    [winner] = [reply["result"] for reply in replies if reply["ok"]]
    for reply in replies:
        if not reply["ok"]:
            assert reply["error"]["code"] == "managed_pane_concurrent_recreate"
            assert reply["error"]["details"] == {
                "predecessor_pane_id": old,
                "in_flight_successor_pane_id": winner["pane_id"],
            }
    assert settled(tower, layout["layout_id"])["state"] == "ready"


def test_a_key_replays_its_successor(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    old = layout["panes"][0]["pane_id"]
    remove(tower, old)
    first = recreate(tower, old, idempotency_key="again")
    second = recreate(tower, old, idempotency_key="again")
    assert second["pane_id"] == first["pane_id"]
    assert (first["replay"], second["replay"]) == (False, True)
    settled(tower, layout["layout_id"])
    assert recreate(tower, old, idempotency_key="again")["state"] == "ready"
    assert len(our_panes(bench)) == 3


def test_an_override_is_resolved_before_anything_is_written(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout = ready_layout(tower, bench)
    old = layout["panes"][0]["pane_id"]
    remove(tower, old)
    params = {"predecessor_pane_id": old, "launch_command_override": "nothing"}
    error = refusal(tower, "managed.pane.recreate", params)
    assert error["code"] == "managed_launch_command_not_found"
    assert len(detail_of(tower, layout["layout_id"])["panes"]) == 3
    write_profile(tower, "greets", ["/bin/sh", "-c", "echo hello; sleep 600"])
    made = recreate(tower, old, launch_command_override="greets")
    settled(tower, layout["layout_id"])
    pane = tower.result("managed.pane.detail", {"pane_id": made["pane_id"]})
    assert (pane["state"], pane["launch_command"]) == ("ready", "greets")


def test_a_failed_pane_is_recreated_and_its_layout_recovers(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_template(tower, "many", [{}] * 3)
    tower.stop("worker")
    tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "pane_create.settled:2"})
    made = create(tower, bench, "many")
    tower.wait_killed("worker")
    bench.restart(timeout=0)
    tower.start("worker")
    before = settled(tower, made["layout_id"])
    assert before["state"] == "failed", before
    failed = [pane["pane_id"] for pane in before["panes"] if pane["state"] == "failed"]
    for pane_id in failed:
        recreate(tower, pane_id)
    after = settled(tower, made["layout_id"])
    assert after["state"] == "ready", "the failed predecessors do not count any more"
    assert len(our_panes(bench)) == 3


def test_a_chain_ends(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_template(tower, "one", [{}])
    layout = ready_layout(tower, bench, template="one")
    pane_id = layout["panes"][0]["pane_id"]
    for depth in range(1, 16):
        remove(tower, pane_id)
        made = recreate(tower, pane_id)
        assert made["chain_depth"] == depth
        pane_id = made["pane_id"]
        settled(tower, layout["layout_id"])
    remove(tower, pane_id)
    error = refusal(tower, "managed.pane.recreate", {"predecessor_pane_id": pane_id})
    assert error["code"] == "managed_pane_recreate_chain_too_deep"
    assert error["details"] == {
        "predecessor_pane_id": pane_id,
        "predecessor_chain_depth": 15,
        "limit": 16,
    }
    chain = tower.result(
        "managed.pane.detail", {"pane_id": pane_id, "include_predecessor_chain": True}
    )["predecessor_chain"]
    assert [link["chain_depth"] for link in chain] == list(range(14, -1, -1))
