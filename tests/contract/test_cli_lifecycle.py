"""Removing and recreating by command line, against the real daemon, worker and bench."""

from __future__ import annotations

import json

import pytest

from tests.contract.conftest import Run
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import bench_with_logs, our_panes, write_profile
from tests.support.tower import Tower

NOBODY = "00000000-0000-4000-8000-000000000000"


def created(agenttower: Run, bench) -> str:
    """A ready layout; its id."""
    made = agenttower("layout", "create", bench.name, "1m+2s", "--session", "work", "--json")
    layout_id: str = json.loads(made.out)["result"]["layout_id"]
    return layout_id


def titles(bench) -> list[str]:
    return sorted(pane["title"] for pane in our_panes(bench))


def test_a_pane_from_removal_to_its_successor(
    agenttower: Run, tower: Tower, bench_factory: BenchFactory
):
    bench = bench_with_logs(tower, bench_factory)
    write_profile(tower, "dies", ["sh", "-c", "exit 7"])
    layout_id = created(agenttower, bench)
    old = json.loads(agenttower("pane", "show", "s1", "--json").out)["result"]["pane_id"]

    refused = agenttower("pane", "recreate", "s1", code=3)
    assert f"first run 'agenttower pane remove {old}'" in refused.err
    removed = agenttower("pane", "remove", "s1")
    assert removed.lines[1].split("\t")[:2] == [old, "removed"]
    assert titles(bench) == ["m1", "s2"]
    assert agenttower("pane", "remove", "s1").lines == removed.lines, "twice is no error"

    made = agenttower("pane", "recreate", "s1", "--idempotency-key", "again")
    new = made.lines[0].split()[1]
    assert made.lines[0] == f"successor {new} creating"
    assert {tuple(line.split()[1:4]) for line in made.lines if line.startswith("pane")} >= {
        ("s1", stage, "done")
        for stage in ("pane_create", "launch_command", "registration", "log_attach")
    }
    assert [line.split()[:4] for line in made.lines if line.startswith("result")] == [
        ["result", "s1", "slave", "ready"]
    ]
    assert made.lines[-2].startswith(f"successor {new} ready ")
    assert made.lines[-1].startswith(f"attach docker exec -it {bench.name} ")
    assert titles(bench) == ["m1", "s1", "s2"]
    again = agenttower("pane", "recreate", old, "--idempotency-key", "again", "--detach")
    assert {f"pane_id={new}", "replay=true"} <= set(again.lines)

    agenttower("pane", "remove", new[:13])
    dead = agenttower("pane", "recreate", "s1", "--launch", "dies", "--json", code=5)
    pane = json.loads(dead.out)["result"]
    assert (pane["exit_code"], pane["chain_depth"]) == (7, 2)
    assert pane["layout_id"] == layout_id
    unknown = agenttower("pane", "recreate", new, "--launch", "none", code=3)
    assert "code: managed_" in unknown.err


def test_a_layout_is_removed_and_says_so(
    agenttower: Run, tower: Tower, bench_factory: BenchFactory
):
    bench = bench_with_logs(tower, bench_factory)
    layout_id = created(agenttower, bench)
    refused = agenttower("layout", "remove", layout_id[:8], code=2)
    assert "this removes 3 panes" in refused.err
    assert "say --yes" in refused.err
    assert len(titles(bench)) == 3

    removed = agenttower("layout", "remove", layout_id[:8], "--yes", "--json")
    layouts = json.loads(removed.out)["result"]["layouts"]
    assert [(row["layout_id"], row["state"]) for row in layouts] == [(layout_id, "removed")]
    assert titles(bench) == []
    assert agenttower("layout", "remove", layout_id).lines[1] == f"{layout_id}\tremoved\t-\t-"
    some = agenttower("layout", "remove", layout_id, NOBODY, "--yes", code=3)
    assert [line.split("\t")[:3] for line in some.lines[1:]] == [
        [layout_id, "removed", "-"],
        [NOBODY, "-", "managed_layout_not_found"],
    ]


@pytest.mark.slow
def test_panes_that_cannot_be_killed_are_named_with_the_reason(
    agenttower: Run, tower: Tower, bench_factory: BenchFactory
):
    bench = bench_with_logs(tower, bench_factory)
    layout_id = created(agenttower, bench)
    with frozen(bench):
        ended = agenttower("layout", "remove", layout_id, "--yes", "--json", code=3)
    error = json.loads(ended.out)["error"]
    assert error["code"] == "internal_error"
    left = {pane["label"]: pane["failure_reason"] for pane in error["details"]["panes_left"]}
    assert sorted(left) == ["m1", "s1", "s2"]
    assert all(left.values()), left
    assert error["message"].count("also left: pane") == 2
    agenttower("layout", "remove", layout_id, "--yes")
    assert titles(bench) == []
