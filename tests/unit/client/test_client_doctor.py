"""The doctor's checks: every sub-code, the exit codes, and that it never dies of a patient."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agenttower.client.doctor import contract, ours, row
from agenttower.client.doctor.row import Row
from agenttower.client.doctor.seen import Seen
from agenttower.client.socket_path import SocketChoice, SocketOverrideInvalid
from agenttower.store.migrate import known_migrations
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal

BENCH, OTHER = "b" * 64, "c" * 64
SIX = [
    "socket_resolved",
    "socket_reachable",
    "daemon_status",
    "container_identity",
    "tmux_present",
    "tmux_pane_match",
]
EIGHT = [
    "identity",
    "uid",
    "versions",
    "app_contract",
    "worker",
    "health",
    "mounts",
    "tmux_version",
]
TMUX = {"TMUX": "/tmp/tmux-0/default,28,0", "TMUX_PANE": "%3"}


def container(container_id: str = BENCH, **more: Any) -> dict[str, Any]:
    mounts = [{"source": "/st/logs", "target": "/logs", "rw": True}]
    base = {"id": container_id, "name": f"bench-{container_id[0]}", "active": True}
    return {**base, "provider": "docker", "mounts": mounts, **more}


class Scene:
    """A daemon that is well and sees the host, until a test says otherwise."""

    def __init__(self, daemon: FakeDaemon, root: Path) -> None:
        self.daemon = daemon
        self.root = root
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(root)}
        self.choice: SocketChoice | SocketOverrideInvalid = SocketChoice(
            daemon.path, "host_default"
        )
        self.status = {
            "schema_version": contract.SCHEMA_VERSION,
            "daemon_version": "0.1.0",
            "state_path": "/st",
            "worker": {"alive": True, "pid": 1, "heartbeat_at": "now"},
            "degraded": [],
        }
        daemon.on("status", lambda _: self.status)
        daemon.on("app.preflight", {"code": "ok"})
        self.sees(None, [container()])

    def sees(self, caller: str | None, rows: list[dict[str, Any]]) -> None:
        self.daemon.on("list_containers", {"containers": rows, "caller_container_id": caller})

    def file(self, name: str, text: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def six(self, **options: Any) -> dict[str, Row]:
        rows = contract.contract_rows(Seen(self.choice, self.environ, self.root), **options)
        assert [found.check for found in rows] == SIX
        return {found.check: found for found in rows}

    def eight(self) -> dict[str, Row]:
        seen = Seen(self.choice, self.environ, self.root)
        contract.contract_rows(seen)
        rows = ours.our_rows(seen)
        assert [found.check for found in rows] == EIGHT
        return {found.check: found for found in rows}

    def code(self) -> int:
        return row.exit_code([*self.six().values()])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    daemon = FakeDaemon(tmp_path / "s")
    try:
        yield Scene(daemon, tmp_path / "root")
    finally:
        daemon.close()


def said(found: Row) -> tuple[str, str | None]:
    return found.status, found.sub_code


def test_all_is_well_on_the_host(scene: Scene) -> None:
    rows = scene.six()
    assert [found.status for found in rows.values()] == ["pass"] * 3 + ["info"] * 3
    assert rows["socket_resolved"].source == "host_default"
    assert rows["container_identity"].sub_code == "host_context"
    assert scene.code() == 0
    assert len(scene.daemon.params_of("status")) == 2  # one a run


def test_the_schema_that_is_known_is_the_newest() -> None:
    newest = known_migrations()[-1]
    assert int(newest.split("_")[0]) == contract.SCHEMA_VERSION, (
        "a migration was added: raise SCHEMA_VERSION of agenttower/client/doctor/contract.py"
    )


# --- the socket ----------------------------------------------------------------------------------


def no_socket(scene: Scene, path: Path) -> dict[str, Row]:
    scene.choice = SocketChoice(path, "host_default")
    rows = scene.six()
    for name in SIX[2:4]:
        assert said(rows[name]) == ("info", "daemon_unavailable")
    assert scene.daemon.requests == []
    return rows


def test_a_path_that_is_no_socket(scene: Scene) -> None:
    scene.file("f")
    rows = no_socket(scene, scene.root / "f")
    assert said(rows["socket_resolved"]) == ("fail", "not_a_socket")
    assert said(rows["socket_reachable"]) == ("info", "daemon_unavailable")
    assert scene.code() == 1


@pytest.mark.parametrize("name", ["f/s", "x" * 300, "loop"])
def test_a_path_that_can_be_none(scene: Scene, name: str) -> None:
    scene.file("f")
    (scene.root / "loop").symlink_to("loop")
    rows = no_socket(scene, scene.root / name)
    assert said(rows["socket_resolved"]) == ("fail", "path_invalid")
    assert "Errno" not in rows["socket_resolved"].details
    assert scene.code() == 1


def test_an_override_that_cannot_be_used(scene: Scene) -> None:
    scene.choice = SocketOverrideInvalid("value is not absolute")
    rows = scene.six()
    assert said(rows["socket_resolved"]) == ("fail", "path_invalid")
    assert "value is not absolute" in rows["socket_resolved"].details
    assert scene.code() == 1


def test_nobody_there(scene: Scene, tmp_path: Path) -> None:
    rows = no_socket(scene, tmp_path / "none")
    assert rows["socket_resolved"].status == "pass"
    assert said(rows["socket_reachable"]) == ("fail", "socket_missing")
    assert "agenttower up" in (rows["socket_reachable"].hint or "")
    assert scene.code() == 2
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    rows = no_socket(scene, tmp_path / "dead")
    assert said(rows["socket_reachable"]) == ("fail", "connection_refused")
    assert scene.code() == 2


def test_who_does_not_answer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agenttower.client.doctor.seen.CALL_SECONDS", 0.1)
    scene.daemon.on("status", lambda _: scene.daemon.hold())
    assert said(scene.six()["socket_reachable"]) == ("fail", "connect_timeout")
    assert scene.code() == 2


def test_who_answers_and_is_no_daemon(scene: Scene) -> None:
    """Somebody is there: not what exit code 2 means."""

    def hang_up(_: object) -> object:
        raise HangUp

    scene.daemon.on("status", hang_up)
    assert said(scene.six()["socket_reachable"]) == ("fail", "protocol_error")
    assert scene.code() == 3


def test_who_is_turned_away_as_another_user(scene: Scene) -> None:
    """Root may open anybody's socket, and is refused by the daemon in words."""

    def refuse(_: object) -> object:
        raise Refusal("permission_denied", "another user")

    scene.daemon.on("status", refuse)
    rows = scene.six()
    assert said(rows["socket_reachable"]) == ("fail", "permission_denied")
    assert said(rows["daemon_status"]) == ("info", "daemon_unavailable")
    assert scene.code() == 3


# --- the daemon ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "outcome", "code"),
    [
        (contract.SCHEMA_VERSION, ("pass", None), 0),
        (contract.SCHEMA_VERSION - 1, ("warn", "schema_version_older"), 3),
        (contract.SCHEMA_VERSION + 1, ("fail", "schema_version_newer"), 3),
        ("2", ("fail", "daemon_error"), 3),
        (True, ("fail", "daemon_error"), 3),
    ],
)
def test_schemas(scene: Scene, version: object, outcome: tuple[str, str], code: int) -> None:
    scene.status["schema_version"] = version
    assert said(scene.six()["daemon_status"]) == outcome
    assert scene.code() == code


def test_a_daemon_that_refuses_is_reached_all_the_same(scene: Scene) -> None:
    def refuse(_: object) -> object:
        raise Refusal("internal_error", "no")

    scene.daemon.on("status", refuse)
    rows = scene.six()
    assert rows["socket_reachable"].status == "pass"
    assert said(rows["daemon_status"]) == ("fail", "daemon_error")
    assert said(rows["container_identity"]) == ("info", "daemon_unavailable")
    assert scene.code() == 3


# --- which container -----------------------------------------------------------------------------


def test_the_kernels_word_goes_first(scene: Scene) -> None:
    scene.sees(BENCH, [container()])
    scene.file("etc/hostname", "dev\n")
    found = scene.six()["container_identity"]
    assert said(found) == ("pass", "unique_match")
    assert found.source == "kernel"
    scene.file("etc/hostname", BENCH[:12])
    assert scene.six()["container_identity"].source == "hostname"


def old_daemon(scene: Scene, *ids: str) -> None:
    """One that does not tell whom it sees, asked from something that looks like a container."""
    scene.daemon.on("list_containers", {"containers": [container(one) for one in ids]})
    scene.file(".dockerenv")


@pytest.mark.parametrize(
    ("environ", "files", "source"),
    [
        ({"AGENTTOWER_CONTAINER_ID": BENCH}, {}, "env"),
        ({}, {"proc/self/cgroup": f"0::/docker/{BENCH}"}, "cgroup"),
        ({}, {"proc/self/cgroup": "0::/", "etc/hostname": BENCH[:12]}, "hostname"),
        ({"HOSTNAME": BENCH[:12]}, {}, "hostname_env"),
    ],
)
def test_signals_in_their_order(
    scene: Scene, environ: Mapping[str, str], files: Mapping[str, str], source: str
) -> None:
    old_daemon(scene, BENCH, OTHER)
    scene.environ |= environ
    for name, text in files.items():
        scene.file(name, text)
    found = scene.six()["container_identity"]
    assert (said(found), found.source) == (("pass", "unique_match"), source)


def test_containers_that_do_not_fit(scene: Scene) -> None:
    old_daemon(scene, BENCH)
    assert said(scene.six()["container_identity"]) == ("fail", "no_candidate")
    scene.file("etc/hostname", f"bench-{BENCH[0]}")  # a name proves nothing
    found = scene.six()["container_identity"]
    assert said(found) == ("fail", "no_match")
    assert not found.container_set_empty
    assert scene.code() == 5
    old_daemon(scene)
    assert scene.six()["container_identity"].container_set_empty


def test_two_containers_in_one_cgroup(scene: Scene) -> None:
    old_daemon(scene, BENCH, OTHER)
    scene.file("proc/self/cgroup", f"1:cpu:/docker/{BENCH}\n0::/docker/{OTHER}")
    found = scene.six()["container_identity"]
    assert said(found) == ("fail", "multi_match")
    assert found.view["cgroup_candidates"] == [BENCH, OTHER]


def test_an_override_on_the_host_is_looked_up(scene: Scene) -> None:
    scene.environ["AGENTTOWER_CONTAINER_ID"] = BENCH[:12]
    assert said(scene.six()["container_identity"]) == ("pass", "unique_match")
    scene.environ["AGENTTOWER_CONTAINER_ID"] = OTHER
    assert said(scene.six()["container_identity"]) == ("fail", "no_match")


def test_a_list_that_cannot_be_had_is_no_empty_one(scene: Scene) -> None:
    def refuse(_: object) -> object:
        raise Refusal("internal_error", "no")

    scene.daemon.on("list_containers", refuse)
    found = scene.six()["container_identity"]
    assert said(found) == ("info", "daemon_unavailable")
    assert "daemon_container_set_empty" not in found.view
    scene.daemon.on("list_containers", {"containers": "?"})
    assert said(scene.six()["container_identity"]) == ("fail", "output_malformed")


def test_a_container_that_the_daemon_refuses(scene: Scene) -> None:
    def refuse(_: object) -> object:
        raise Refusal("host_only", "no")

    scene.daemon.on("list_containers", refuse)
    assert said(scene.six()["container_identity"]) == ("fail", "no_match")
    assert said(scene.eight()["identity"]) == ("fail", "unknown")


# --- which pane ----------------------------------------------------------------------------------


def pane(pid: int = 7, **more: Any) -> dict[str, Any]:
    key = {"tmux_socket_path": "/tmp/tmux-0/default", "tmux_pane_id": "%3", "pane_pid": pid}
    return {**key, **more}


@pytest.mark.parametrize(
    ("panes", "outcome", "code"),
    [
        ([pane(), pane(9, tmux_pane_id="%4")], ("pass", "pane_match"), 0),
        ([pane(tmux_session_name="a"), pane(tmux_session_name="b")], ("pass", "pane_match"), 0),
        ([pane(7), pane(8)], ("fail", "pane_ambiguous"), 5),
        ([], ("fail", "pane_unknown_to_daemon"), 5),
    ],
)
def test_panes(
    scene: Scene, panes: list[dict[str, Any]], outcome: tuple[str, str], code: int
) -> None:
    scene.sees(BENCH, [container()])
    scene.environ |= TMUX
    scene.daemon.on("list_panes", {"panes": panes})
    rows = scene.six()
    assert rows["tmux_present"].status == "pass"
    assert said(rows["tmux_pane_match"]) == outcome
    assert scene.code() == code
    asked = scene.daemon.params_of("list_panes")[0]
    assert asked["container"] == BENCH  # never unfiltered


def test_variables_that_tmux_did_not_set(scene: Scene) -> None:
    scene.environ |= {"TMUX": "x", "TMUX_PANE": "%3"}
    rows = scene.six()
    assert said(rows["tmux_present"]) == ("fail", "output_malformed")
    assert said(rows["tmux_pane_match"]) == ("fail", "output_malformed")


def test_a_pane_of_the_host(scene: Scene) -> None:
    """The contract has it fail; the doctor of ours does not trouble people with it."""
    scene.environ |= TMUX
    assert said(scene.six()["tmux_pane_match"]) == ("fail", "pane_unknown_to_daemon")
    assert scene.code() == 5
    rows = scene.six(host_pane_counts=False)
    assert said(rows["tmux_pane_match"]) == ("info", "host_context")
    scene.sees(None, [container("local", provider="local")])
    scene.daemon.on("list_panes", {"panes": [pane()]})
    assert said(scene.six()["tmux_pane_match"]) == ("pass", "pane_match")


def test_a_pane_behind_a_container_that_is_not_known(scene: Scene) -> None:
    old_daemon(scene, OTHER)
    scene.environ |= {**TMUX, "AGENTTOWER_CONTAINER_ID": BENCH}
    assert said(scene.six()["tmux_pane_match"]) == ("info", "daemon_unavailable")


# --- ours ----------------------------------------------------------------------------------------


def test_ours_on_a_host_that_is_well(scene: Scene) -> None:
    scene.daemon.on("app.preflight", {"code": "ok"})
    rows = scene.eight()
    assert said(rows["identity"]) == ("pass", "host")
    assert said(rows["uid"]) == ("pass", "same_uid")
    assert said(rows["versions"]) == ("pass", "same")
    assert said(rows["app_contract"]) == ("warn", "not_offered")  # no version in these answers
    assert rows["worker"].status == "pass"
    assert said(rows["health"]) == ("pass", "all_well")
    assert said(rows["mounts"]) == ("pass", "mounted")


def test_what_is_not_well(scene: Scene) -> None:
    trouble = {"subsystem": "routing", "reason": "off", "advice": "turn it on"}
    scene.status |= {"worker": {"alive": False}, "degraded": [trouble], "daemon_version": "9"}
    scene.sees(None, [container(mounts=[]), container(OTHER)])
    rows = scene.eight()
    assert said(rows["worker"]) == ("fail", "worker_unavailable")
    assert said(rows["health"]) == ("warn", "not_well")
    assert "turn it on" in (rows["health"].hint or "")
    assert said(rows["versions"]) == ("warn", "differs")
    assert said(rows["mounts"]) == ("warn", "logs_not_mounted")
    assert "bench-b" in rows["mounts"].details
    assert all(found.hint for found in rows.values() if found.status in ("warn", "fail"))


def test_ours_in_a_bench(scene: Scene) -> None:
    scene.sees(BENCH, [container()])
    del scene.status["degraded"]
    rows = scene.eight()
    assert said(rows["identity"]) == ("pass", "bench")
    assert said(rows["health"]) == ("info", "host_only")
    assert said(rows["mounts"]) == ("warn", "mount_not_visible")
    (scene.root / "logs").mkdir(parents=True)
    assert said(scene.eight()["mounts"]) == ("pass", "mounted")
    scene.sees(BENCH, [container(mounts=[{"source": "/st", "target": "/x", "rw": False}])])
    assert said(scene.eight()["mounts"]) == ("warn", "logs_not_mounted")


def test_another_users_socket(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    assert said(scene.eight()["uid"]) == ("fail", "uid_differs")


@pytest.mark.parametrize(
    ("program", "on_host", "in_bench"),
    [
        ("echo tmux 3.3a", ("pass", None), ("pass", None)),
        ("echo tmux next-3.6", ("pass", None), ("pass", None)),
        ("echo tmux 3.1c", ("info", "tmux_too_old"), ("fail", "tmux_too_old")),
        ("echo what", ("warn", "tmux_unavailable"), ("warn", "tmux_unavailable")),
        (None, ("info", "tmux_missing"), ("fail", "tmux_missing")),
    ],
)
def test_tmux_versions(
    scene: Scene,
    program: str | None,
    on_host: tuple[str, str],
    in_bench: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene.file("bin/x")
    if program is not None:
        scene.file("bin/tmux", f"#!/bin/sh\n{program}\n")
        (scene.root / "bin/tmux").chmod(0o755)
    scene.environ["PATH"] = str(scene.root / "bin")
    monkeypatch.setenv("PATH", str(scene.root / "bin"))
    assert said(scene.eight()["tmux_version"]) == on_host
    scene.sees(BENCH, [container()])
    assert said(scene.eight()["tmux_version"]) == in_bench


def test_behind_a_daemon_that_is_away(scene: Scene, tmp_path: Path) -> None:
    scene.choice = SocketChoice(tmp_path / "none", "host_default")
    rows = scene.eight()
    for name in EIGHT[:-1]:
        assert said(rows[name]) == ("info", "daemon_unavailable"), name


# --- the document --------------------------------------------------------------------------------


def test_a_check_that_breaks_is_a_row(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Seen) -> Row:
        raise RuntimeError("secret words")

    monkeypatch.setattr(contract, "_tmux", broken)
    found = scene.six()["tmux_present"]
    assert said(found) == ("fail", "internal_error")
    assert "RuntimeError" in found.details
    assert "secret" not in found.details


def test_answers_of_any_shape_break_nothing(scene: Scene) -> None:
    scene.environ |= TMUX
    for odd in (
        {},
        {"containers": [{}]},
        {"containers": [{"id": BENCH}], "caller_container_id": 3},
    ):
        scene.daemon.on("list_containers", odd)
        scene.daemon.on("list_panes", {"panes": [{}]})
        assert "internal_error" not in {found.sub_code for found in scene.six().values()}
        scene.eight()
    scene.status = {"schema_version": 2, "worker": [], "degraded": [3], "state_path": 5}
    scene.six()
    scene.eight()


def test_text_and_json() -> None:
    rows = [
        Row("socket_resolved", "pass", "/s", source="host_default"),
        Row("socket_reachable", "fail", "a\nb" + "x" * 3000, "socket_missing", "do\tthis"),
        Row("container_identity", "fail", "no", "no_match", container_set_empty=True),
    ]
    lines = row.lines(rows)
    assert lines[0] == "socket_resolved\tpass\t/s"
    assert lines[1].startswith("socket_reachable\tfail\ta bxx")
    assert len(lines[1].split("\t")[2]) == 2048
    assert lines[1].endswith("…")
    assert lines[2] == "    do this"
    assert lines[-1] == "summary\t2\t1/3 checks passed"
    document = row.document(rows)
    assert document["summary"] == {
        "exit_code": 2, "total": 3, "passed": 1, "warned": 0, "failed": 2, "info": 0,
    }  # fmt: skip
    assert document["checks"]["socket_resolved"] == {
        "status": "pass", "details": "/s", "source": "host_default",
    }  # fmt: skip
    assert document["checks"]["container_identity"]["daemon_container_set_empty"] is True
    assert document["checks"]["socket_reachable"]["actionable_message"] == "do this"
