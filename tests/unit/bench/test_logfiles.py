"""Where a log is seen from both sides, and what may lie in its place."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from agenttower.bench.interface import BenchInfo, Mount
from agenttower.bench.logfiles import bench_path, log_is_proven, prepare_log, wait_for_log
from agenttower.errors import LogNotVisible, LogTimeout


def bench(*mounts: tuple[Path | str, str] | tuple[Path | str, str, str, bool]) -> BenchInfo:
    full = [(*m, "bind", True) if len(m) == 2 else m for m in mounts]
    return BenchInfo(
        bench_id="b" * 64, name="bench-1", provider="docker", image="i", status="running",
        started_at="", mounts=[Mount(str(s), t, kind, "", rw) for s, t, kind, rw in full],
    )  # fmt: skip


def test_the_longest_source_wins(tmp_path: Path) -> None:
    log = tmp_path / "state" / "logs" / "c" / "x.log"
    log.parent.mkdir(parents=True)
    info = bench((tmp_path, "/all"), (tmp_path / "state" / "logs", "/logs/"), ("/", "/host"))
    assert bench_path(info, log) == "/logs/c/x.log"
    assert bench_path(bench(("/", "/host")), log) == f"/host{log}"


def test_sources_match_by_whole_names(tmp_path: Path) -> None:
    (tmp_path / "logs-old").mkdir()
    with pytest.raises(LogNotVisible):
        bench_path(bench((tmp_path / "logs", "/logs")), tmp_path / "logs-old" / "x.log")


def test_links_are_followed_on_both_sides(tmp_path: Path) -> None:
    (tmp_path / "real" / "c").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for seen, mounted in (("link", "real"), ("real", "link")):
        info = bench((tmp_path / mounted, "/logs"))
        assert bench_path(info, tmp_path / seen / "c" / "x.log") == "/logs/c/x.log"


@pytest.mark.parametrize(
    "mount",
    [("/elsewhere", "/x"), ("{}", "/x", "tmpfs", True), ("", "/x"), ("{}", "relative"),
     ("{}", "/x", "bind", False)],
)  # fmt: skip
def test_what_is_not_mounted_is_told_with_what_to_mount(
    tmp_path: Path, mount: tuple[str, ...]
) -> None:
    source, *rest = mount
    info = bench((source.format(tmp_path), *rest))  # type: ignore[arg-type]
    log = tmp_path / "logs" / "c" / "x.log"
    with pytest.raises(LogNotVisible, match=f"-v {tmp_path}/logs:{tmp_path}/logs"):
        bench_path(info, log)


@pytest.mark.parametrize("character", "#%")
def test_characters_that_tmux_expands_are_refused(tmp_path: Path, character: str) -> None:
    with pytest.raises(LogNotVisible, match="expand"):
        bench_path(bench((tmp_path, f"/a{character}b")), tmp_path / "c" / "x.log")


def test_the_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "c" / "x.log"
    info = bench((tmp_path, "/t"))
    prepare_log(info, log, 0)
    for path, mode in ((log, 0o600), (log.parent, 0o700), (log.parent.parent, 0o777)):
        assert stat.S_IMODE(path.stat().st_mode) & ~mode == 0
    assert not log_is_proven(log)
    log.touch()
    assert log_is_proven(log)
    prepare_log(info, log, 0)
    assert log_is_proven(log)


def test_what_a_log_holds_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("before")
    prepare_log(bench((tmp_path, "/t")), log, 0)
    assert log.read_text() == "before"
    assert log_is_proven(log)


@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "fifo"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    log = tmp_path / "c" / "x.log"
    log.parent.mkdir()
    target = tmp_path / "victim"
    if kind == "link":
        target.write_text("untouched")
        log.symlink_to(target)
    elif kind == "dangling":
        log.symlink_to(target)
    elif kind == "directory":
        log.mkdir()
    else:
        os.mkfifo(log)
    with pytest.raises(LogNotVisible):
        prepare_log(bench((tmp_path, "/t")), log, 0)
    with pytest.raises(LogNotVisible, match="replaced"):
        log_is_proven(log)
    assert not target.exists() or target.read_text() == "untouched"


def test_a_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "c").symlink_to(tmp_path / "victim")
    with pytest.raises(LogNotVisible):
        prepare_log(bench((tmp_path, "/t")), tmp_path / "c" / "x.log", 0)
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_bench_user_that_we_cannot_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(LogNotVisible, match=rf"uid {os.getuid()}.*uid 77777"):
        prepare_log(bench((tmp_path, "/t")), tmp_path / "c" / "x.log", 77777)


def test_a_log_that_nobody_opens(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for _ in range(2):
        with pytest.raises(LogTimeout):
            wait_for_log(log, time.monotonic() + 0.02)
        prepare_log(bench((tmp_path, "/t")), log, 0)
