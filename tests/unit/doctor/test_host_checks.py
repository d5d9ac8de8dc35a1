"""What only the host can be asked, without an engine: files, settings, what a failure says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agenttower.client.doctor.row import Row
from agenttower.client.doctor.seen import Seen
from agenttower.client.socket_path import SocketChoice
from agenttower.doctor.host import host_rows
from tests.support.state_home import StateHome
from tests.unit.cli.fake_daemon import FakeDaemon

Rows = Callable[..., "dict[str, Row]"]

SEVEN = ["docker", "bench_tmux", "state", "config", "templates", "profiles", "rules"]


@pytest.fixture
def rows(state_home: StateHome, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setenv("DOCKER_HOST", state_home.environ["DOCKER_HOST"])

    def check(source: str = "host_default") -> dict[str, Row]:
        choice = SocketChoice(state_home.paths.socket, source)
        found = host_rows(Seen(choice, state_home.environ), state_home.paths, state_home.environ)
        assert [row.check for row in found] == SEVEN
        return {row.check: row for row in found}

    return check


def said(row: Row) -> tuple[str, str | None]:
    return row.status, row.sub_code


def test_before_anything_was_started(rows: Rows) -> None:
    found = rows()
    assert said(found["docker"]) == ("fail", "docker_unavailable")
    assert "DOCKER_HOST" in (found["docker"].hint or "")
    assert said(found["bench_tmux"]) == ("info", "no_benches")
    assert said(found["state"]) == ("info", "not_initialised")
    assert [found[name].status for name in SEVEN[3:]] == ["pass"] * 4


def test_nothing_is_made(rows: Rows, state_home: StateHome) -> None:
    before = sorted(state_home.root.rglob("*"))
    rows()
    assert sorted(state_home.root.rglob("*")) == before


def test_the_local_bench_needs_no_engine(rows: Rows, state_home: StateHome) -> None:
    state_home.write_config("[local]\nenabled = true\n")
    assert said(rows()["docker"]) == ("warn", "docker_unavailable")


def test_files_of_the_operator(rows: Rows, state_home: StateHome) -> None:
    """With file, line and reason (managed.md section 5)."""
    state_home.write_config("[worker]\nthreads = 99\n")
    paths = state_home.paths
    for folder, text in (
        (paths.templates_dir, "name: t\npanes: 3\n"),
        (paths.profiles_dir, "name: p\ncommand: codex\n"),
        (paths.rules_dir, "name: r\nrules:\n- id: X\n"),
    ):
        folder.mkdir(parents=True)
        (folder / "x.yaml").write_text(text)
    found = rows()
    assert said(found["config"]) == ("fail", "config_invalid")
    assert "threads" in found["config"].details
    for name, folder in (
        ("templates", paths.templates_dir),
        ("profiles", paths.profiles_dir),
        ("rules", paths.rules_dir),
    ):
        assert said(found[name]) == ("fail", "file_invalid")
        assert f"{folder}/x.yaml:" in found[name].details
        assert found[name].hint


def test_the_state_directory(
    rows: Rows, state_home: StateHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = state_home.paths
    paths.state_dir.mkdir(mode=0o700, parents=True)
    assert rows()["state"].status == "pass"
    paths.database.touch(mode=0o644)
    assert said(rows()["state"]) == ("fail", "mode_wrong")
    assert f"chmod 0600 {paths.database}" in (rows()["state"].hint or "")
    paths.database.unlink()
    monkeypatch.setattr("agenttower.doctor.host.SPACE_NEEDED", 2**70)
    assert said(rows()["state"]) == ("warn", "disk_full")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert said(rows()["state"]) == ("fail", "not_ours")


def test_a_file_in_the_place_of_the_state_directory(rows: Rows, state_home: StateHome) -> None:
    state_home.paths.state_dir.parent.mkdir(parents=True)
    state_home.paths.state_dir.touch()
    assert said(rows()["state"]) == ("fail", "not_a_directory")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[worker", b"\x00"])
def test_a_configuration_that_is_no_text(rows: Rows, state_home: StateHome, content: bytes) -> None:
    state_home.write_config("")
    state_home.paths.config_file.write_bytes(content)
    assert said(rows()["config"]) == ("fail", "config_invalid")
    assert said(rows()["docker"]) == ("fail", "docker_unavailable")


def test_in_a_bench_all_this_is_the_hosts_affair(rows: Rows) -> None:
    assert {said(row) for row in rows("mounted_default").values()} == {("info", "bench_context")}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "s")
    try:
        yield fake
    finally:
        fake.close()


def test_benches_that_cannot_be_asked(
    daemon: FakeDaemon, state_home: StateHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", state_home.environ["DOCKER_HOST"])
    rows = [
        {"id": "b" * 64, "name": "bench-1", "active": True, "provider": "docker"},
        {"id": "local", "name": "local", "active": True, "provider": "local"},
    ]
    daemon.on("list_containers", {"containers": rows, "caller_container_id": None})
    seen = Seen(SocketChoice(daemon.path, "host_default"), state_home.environ)
    found = {row.check: row for row in host_rows(seen, state_home.paths, state_home.environ)}
    assert said(found["bench_tmux"]) == ("warn", "tmux_unavailable")
    assert found["bench_tmux"].details.startswith("1 of 1 benches")
