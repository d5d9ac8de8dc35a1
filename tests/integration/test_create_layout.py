"""A layout created for real: RPC, worker, tmux in a container, log, agents, events."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import (
    bench_with_logs,
    create,
    events_of,
    log_of,
    our_panes,
    refusal,
    relayed_events,
    settled,
    tmux,
    write_profile,
    write_template,
)
from tests.support.tower import Tower
from tests.support.waiting import wait_until


@pytest.mark.parametrize("image", ["bookworm", "trixie"])
def test_one_master_two_slaves_become_ready(
    tower: Tower, bench_factory: BenchFactory, image: str
) -> None:
    bench = bench_with_logs(tower, bench_factory, image=image)
    accepted = create(tower, bench)
    assert accepted["state"] == "creating"
    assert accepted["intended_pane_count"] == 3
    assert [(p["role"], p["label"], p["state"]) for p in accepted["panes"]] == [
        ("master", "m1", "creating"),
        ("slave", "s1", "creating"),
        ("slave", "s2", "creating"),
    ]
    detail = settled(tower, accepted["layout_id"])
    assert detail["state"] == "ready", detail
    assert "failed_stage" not in detail
    assert [pane["state"] for pane in detail["panes"]] == ["ready"] * 3
    assert all(pane["log_attached"] for pane in detail["panes"])
    for pane in detail["panes"]:
        assert {name: stage["status"] for name, stage in pane["stages"].items()} == dict.fromkeys(
            ("pane_create", "launch_command", "registration", "log_attach"), "done"
        )
    assert sorted(pane["title"] for pane in our_panes(bench)) == ["m1", "s1", "s2"]


def test_every_pane_is_an_agent(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    detail = settled(tower, create(tower, bench)["layout_id"])
    agents = tower.result("list_agents")["agents"]
    assert {(a["role"], a["capability"], a["label"], a["origin"]) for a in agents} == {
        ("master", "orchestrator", "m1", "managed"),
        ("slave", "worker", "s1", "managed"),
        ("slave", "worker", "s2", "managed"),
    }
    assert {a["agent_id"] for a in agents} == {p["agent_id"] for p in detail["panes"]}
    by_id = {pane["pane_id"]: pane for pane in our_panes(bench)}
    for agent in agents:
        assert by_id[agent["tmux_pane_id"]]["title"] == agent["label"]


def test_events_are_complete_in_order_and_relayed_once(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    layout_id = create(tower, bench)["layout_id"]
    settled(tower, layout_id)
    events = events_of(tower, layout_id)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["event_type"] for event in events]
    assert kinds[0] == "managed_layout_created"
    assert kinds[-1] == "managed_layout_state_changed"
    for kind in (
        "managed_pane_pending_marker_set",
        "managed_pane_created",
        "managed_pane_pending_marker_cleared",
        "managed_pane_state_changed",
    ):
        assert kinds.count(kind) == 3, kinds
    wait_until(
        lambda: len(relayed_events(tower)) >= len(events), 10, "the relay to append every event"
    )
    assert relayed_events(tower) == events


def test_a_launch_that_ends_at_once_degrades_its_pane_only(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(tower, "dies", ["/bin/sh", "-c", "echo cannot find my key; exit 7"])
    accepted = create(tower, bench, launch_command_overrides={"slave:s1": "dies"})
    detail = settled(tower, accepted["layout_id"])
    panes = {pane["label"]: pane for pane in detail["panes"]}
    assert detail["state"] == "degraded"
    assert panes["m1"]["state"] == panes["s2"]["state"] == "ready"
    degraded = panes["s1"]
    assert (degraded["state"], degraded["failed_stage"]) == ("degraded", "launch_command")
    assert degraded["exit_code"] == 7
    assert "cannot find my key" in degraded["failure_reason"]
    assert degraded["agent_id"] is not None
    assert degraded["log_attached"] is True
    assert log_of(tower, degraded).read_bytes().startswith(b"cannot find my key")
    exited = [
        event["payload"]
        for event in events_of(tower, accepted["layout_id"])
        if event["event_type"] == "managed_pane_launch_command_exited"
    ]
    assert [payload["exit_code"] for payload in exited] == [7]
    assert 0 <= exited[0]["elapsed_ms"] < 1000


def test_missing_programs_and_directories_say_so(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(tower, "absent", ["/no/such/program", "x"])
    write_profile(tower, "lost", ["/bin/cat"], working_dir="/no/such/directory")
    detail = settled(
        tower,
        create(
            tower,
            bench,
            launch_command_overrides={"slave:s1": "absent", "slave:s2": "lost"},
        )["layout_id"],
    )
    panes = {pane["label"]: pane for pane in detail["panes"]}
    assert panes["s1"]["exit_code"] == 127
    assert "/no/such/directory" in panes["s2"]["failure_reason"]
    assert {pane["failed_stage"] for pane in (panes["s1"], panes["s2"])} == {"launch_command"}


def test_without_the_log_mount_panes_are_degraded_and_the_reason_names_it(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_factory()
    tower.result("scan_containers")
    detail = settled(tower, create(tower, bench)["layout_id"])
    assert detail["state"] == "degraded"
    for pane in detail["panes"]:
        assert (pane["state"], pane["failed_stage"]) == ("degraded", "log_attach")
        assert str(tower.home.paths.logs_dir) in pane["failure_reason"]
        assert pane["agent_id"] is not None
        assert pane["log_attached"] is False
    assert sorted(pane["title"] for pane in our_panes(bench)) == ["m1", "s1", "s2"]


NASTY = [
    "plain",
    "",
    "two words",
    "tab\there",
    "line\nbreak",
    "; kill-server",
    "a;",
    "$HOME `id` $(id) \\ \" '",
    "#{pane_id} #(touch /tmp/owned) %H",
    "~root",
    "{ } ä € 🗼 \u202e",
    "-flag",
    "--",
    "\x1b[31mred\x07",
    "NAME=value",
]


def test_arguments_and_environment_arrive_byte_for_byte(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    env = {f"NASTY_{number}": text for number, text in enumerate(NASTY)}
    dump = (
        "import json, os, sys, time; "
        "json.dump([sys.argv[1:], {k: v for k, v in os.environ.items() if 'NASTY' in k},"
        " os.getcwd()], open(sys.argv[0] if False else '/tmp/seen', 'w')); time.sleep(600)"
    )
    write_profile(
        tower, "nasty", ["python3", "-c", dump, *NASTY], env=env, working_dir="/tmp/a #b %c 'd"
    )
    write_template(tower, "one", [{"default_launch_command_ref": "nasty"}])
    bench.exec_run(["mkdir", "-p", "/tmp/a #b %c 'd"])
    detail = settled(tower, create(tower, bench, "one")["layout_id"])
    assert detail["state"] == "ready", detail
    seen = json.loads(bench.exec_run(["cat", "/tmp/seen"]).output)
    assert seen == [NASTY, env, "/tmp/a #b %c 'd"]
    assert bench.exec_run(["test", "-e", "/tmp/owned"]).exit_code == 1


def test_no_output_is_lost_neither_first_nor_last(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(tower, "burst", ["python3", "-c", "for i in range(60000): print(i)"])
    write_template(tower, "bursts", [{"default_launch_command_ref": "burst"}] * 4)
    detail = settled(tower, create(tower, bench, "bursts")["layout_id"])
    expected = b"".join(b"%d\r\n" % number for number in range(60000))
    for pane in detail["panes"]:
        log = log_of(tower, pane)
        wait_until(lambda log=log: log.stat().st_size >= len(expected), 10, f"all of {log.name}")
        assert log.read_bytes() == expected


def test_the_same_key_replays_and_restarts_nothing(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    first = create(tower, bench, idempotency_key="retry.me-1")
    in_flight = create(tower, bench, template="2m+2s", session="x", idempotency_key="retry.me-1")
    assert in_flight["replay"] is True
    assert in_flight["layout_id"] == first["layout_id"]
    settled(tower, first["layout_id"])
    again = create(tower, bench, idempotency_key="retry.me-1")
    assert (again["replay"], again["state"]) == (True, "ready")
    assert len(our_panes(bench)) == 3


def test_sessions_of_others_are_never_used(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tmux(bench, "new-session", "-d", "-s", "my_own")
    params = {"container_id": bench.id, "template_name": "1m+2s"}
    for name in ("my_own", "my.own", "agenttower-ctl"):
        error = refusal(tower, "managed.layout.create", params | {"tmux_session_name": name})
        assert error["code"] == "managed_session_name_conflict"
        assert error["details"] == {"container_id": bench.id, "tmux_session_name": name}
    create(tower, bench, session="taken")
    error = refusal(
        tower,
        "managed.layout.create",
        params | {"tmux_session_name": "taken", "label_prefix": "x-"},
    )
    assert error["code"] == "managed_session_name_conflict"


def test_labels_are_unique_among_living_panes_of_a_container(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    create(tower, bench, session="one")
    params = {
        "container_id": bench.name,
        "template_name": "1m+2s",
        "tmux_session_name": "two",
    }
    error = refusal(tower, "managed.layout.create", params)
    assert error["code"] == "managed_pane_label_conflict"
    assert error["details"] == {"container_id": bench.id, "label": "m1"}
    assert "one" in error["message"]
    assert "label_prefix" in error["message"]
    second = tower.result("managed.layout.create", params | {"label_prefix": "b-"})
    detail = settled(tower, second["layout_id"])
    assert [pane["label"] for pane in detail["panes"]] == ["b-m1", "b-s1", "b-s2"]
    assert detail["state"] == "ready"


def test_at_most_forty_layouts_however_many_ask_at_once(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    benches = [bench_with_logs(tower, bench_factory) for _ in range(4)]
    write_template(tower, "one", [{"label_pattern": "{session}"}])

    def ask(number: int) -> dict[str, Any]:
        return tower.call(
            "managed.layout.create",
            {
                "container_id": benches[number % 4].id,
                "template_name": "one",
                "tmux_session_name": f"s{number}",
            },
        )

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(ask, range(46)))
    accepted = [reply["result"]["layout_id"] for reply in replies if reply["ok"]]
    refused = [reply["error"] for reply in replies if not reply["ok"]]
    assert len(accepted) == 40
    assert {error["code"] for error in refused} == {"managed_layout_capacity_exceeded"}
    assert refused[0]["details"] == {"current_count": 40, "limit": 40}
    for layout_id in accepted:
        assert settled(tower, layout_id, 90)["state"] == "ready"
    assert sum(len(our_panes(bench)) for bench in benches) == 40


def test_one_container_builds_in_the_order_of_acceptance(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    accepted = [
        create(tower, bench, session=f"q{number}", label_prefix=f"q{number}-")["layout_id"]
        for number in range(3)
    ]
    for layout_id in accepted:
        assert settled(tower, layout_id)["state"] == "ready"
    made = [
        event["layout_id"]
        for event in relayed_events(tower)
        if event["event_type"] == "managed_pane_created"
    ]
    assert made == [layout_id for layout_id in accepted for _ in range(3)]


def test_settings_of_users_do_not_confuse(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(
        tower,
        bench_factory,
        user="bench",
        tmux_conf=(
            "set -g base-index 1\nsetw -g pane-base-index 1\nsetw -g remain-on-exit on\n"
            "set -g renumber-windows on\nset -g default-shell /bin/sh\n"
            "set -g default-command 'exec /bin/sh'\nset -g status-interval 1\n"
        ),
    )
    detail = settled(tower, create(tower, bench)["layout_id"])
    assert detail["state"] == "ready", detail
    assert [pane["tmux_pane_index"] for pane in detail["panes"]] == [1, 2, 3]


def test_a_container_that_stops_in_the_middle_ends_clearly(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench, other = bench_with_logs(tower, bench_factory), bench_with_logs(tower, bench_factory)
    write_template(tower, "many", [{}] * 12)
    layout_id = create(tower, bench, "many")["layout_id"]
    wait_until(lambda: len(our_panes(bench)) >= 2, 20, "the first panes")
    bench.kill()
    beside = create(tower, other)["layout_id"]
    assert settled(tower, beside)["state"] == "ready"
    detail = settled(tower, layout_id, 60)
    assert (detail["state"], detail["failed_stage"]) == ("failed", "pane_create")
    for pane in detail["panes"]:
        assert pane["state"] == "failed"
        assert pane["failure_reason"]
    error = refusal(
        tower,
        "managed.layout.create",
        {"container_id": bench.id, "template_name": "1m+2s", "tmux_session_name": "again"},
    )
    assert error["code"] == "container_inactive"


def test_a_frozen_container_is_waited_for_and_others_go_on(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench, other = bench_with_logs(tower, bench_factory), bench_with_logs(tower, bench_factory)
    write_template(tower, "many", [{}] * 12)
    layout_id = create(tower, bench, "many")["layout_id"]
    wait_until(lambda: len(our_panes(bench)) >= 2, 20, "the first panes")
    with frozen(bench):
        assert settled(tower, create(tower, other)["layout_id"])["state"] == "ready"
        error = refusal(
            tower,
            "managed.layout.create",
            {
                "container_id": bench.id,
                "template_name": "1m+2s",
                "tmux_session_name": "again",
            },
        )
        assert error["code"] == "tmux_unavailable"
    detail = settled(tower, layout_id, 60)
    assert detail["state"] == "ready", detail
    assert len(our_panes(bench)) == 12


def test_a_worker_that_is_just_being_restarted_refuses_nothing(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tower.kill9("worker")
    layout_id = create(tower, bench)["layout_id"]
    tower.start("worker")
    assert settled(tower, layout_id)["state"] == "ready"


def test_without_a_worker_for_long_creation_is_refused(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tower.stop("worker")
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute("UPDATE worker SET heartbeat_at = heartbeat_at - 15000000")
    error = refusal(
        tower,
        "managed.layout.create",
        {"container_id": bench.id, "template_name": "1m+2s", "tmux_session_name": "w"},
    )
    assert error["code"] == "worker_unavailable"
    assert "agenttower worker" in error["message"]
    assert tower.result("managed.layout.list")["items"] == []


def test_a_broken_template_is_left_out_and_told(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    folder = tower.home.paths.templates_dir
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("name: broken\npanes:\n  - role: king\n")
    error = refusal(
        tower,
        "managed.layout.create",
        {"container_id": bench.id, "template_name": "broken", "tmux_session_name": "w"},
    )
    assert error["code"] == "managed_template_not_found"
    assert error["details"]["known_templates"] == ["1m+2s", "2m+2s"]
    problems = tower.result("status")["file_problems"]
    assert any("broken.yaml" in problem and "3" in problem for problem in problems), problems


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_lists_are_complete_page_by_page(
    tower: Tower, bench_factory: BenchFactory, limit: int
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_template(tower, "one", [{"label_pattern": "{session}"}, {"label_pattern": "{session}-b"}])
    made = [create(tower, bench, "one", session=f"s{number}") for number in range(3)]
    for layout in made:
        settled(tower, layout["layout_id"])

    def all_pages(method: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = tower.result(method, {"limit": limit} | ({"after": after} if after else {}))
            assert len(page["items"]) <= limit
            found += page["items"]
            after = page["next"]
            if after is None:
                return found

    newest_first = [layout["layout_id"] for layout in reversed(made)]
    assert [row["layout_id"] for row in all_pages("managed.layout.list")] == newest_first
    panes = [row["pane_id"] for row in all_pages("managed.pane.list")]
    assert len(panes) == len(set(panes)) == 6


def test_an_agent_carries_the_session_name_that_tmux_gave(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    detail = settled(tower, create(tower, bench, session="my.work")["layout_id"])
    assert (detail["tmux_session_name"], detail["tmux_session_target"]) == ("my.work", "my_work")
    agents = tower.result("list_agents")["agents"]
    assert {agent["tmux_session_name"] for agent in agents} == {"my_work"}
    assert {agent["last_seen_at"] for agent in agents} == {None}, "only scans write it"


def test_secrets_stay_inside(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(
        tower,
        "leaks",
        ["/bin/sh", "-c", "echo MY_API_KEY=hushhush12345; exit 3"],
        env={"OTHER_TOKEN": "quietquiet"},
    )
    folder = tower.home.paths.profiles_dir
    (folder / "odd.yaml").write_text("name: odd\ncommand: [a]\nenv:\n  API_KEY: 98765432101\n")
    (folder / "alias.yaml").write_text("name: b\ncommand: [a]\nenv:\n  PASSWORD: *hunter2\n")
    write_template(tower, "one", [{"default_launch_command_ref": "leaks"}])
    detail = settled(tower, create(tower, bench, "one")["layout_id"])
    assert "<redacted:env-secret>" in detail["panes"][0]["failure_reason"]
    assert len(tower.result("status")["file_problems"]) == 2
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        assert "quietquiet" not in "\n".join(database.iterdump())
    shown = "\n".join(
        [
            json.dumps(detail),
            json.dumps(tower.result("status")),
            json.dumps(events_of(tower, detail["layout_id"])),
            tower.logs(),
        ]
    )
    for secret in ("hushhush12345", "quietquiet", "98765432101", "hunter2"):
        assert secret not in shown
