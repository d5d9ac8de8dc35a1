"""The proof that the host sees a path of the bench: every trick with mounts and links fails it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agenttower.bench import logplaces
from agenttower.bench.interface import BenchInfo, Mount
from agenttower.bench.visibility import (
    LinkInTheWay,
    Proven,
    TooManyMounts,
    opened,
    prove,
    resolve_links,
)
from agenttower.errors import LogNotVisible, LogPathInvalid

NOWHERE = Path("/nowhere/at/all")


def bench(*mounts: tuple[Path | str, str] | tuple[Path | str, str, str, bool]) -> BenchInfo:
    full = [(*m, "bind", True) if len(m) == 2 else m for m in mounts]
    return BenchInfo(
        bench_id="b" * 64, name="bench-1", provider="docker", image="i", status="running",
        started_at="", mounts=[Mount(str(s), t, kind, "", rw) for s, t, kind, rw in full],
    )  # fmt: skip


def proven(info: BenchInfo, wanted: str, *forbidden: Path, allowed: Path = NOWHERE) -> Proven:
    return prove(info, wanted, forbidden, allowed)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    directory = tmp_path.resolve() / "shared"
    (directory / "sub").mkdir(parents=True)
    return directory


def test_the_longest_target_wins(shared: Path, tmp_path: Path) -> None:
    inner = tmp_path.resolve() / "inner"
    inner.mkdir()
    info = bench((shared, "/work"), (inner, "/work/sub/"), (tmp_path, "/workshop"))
    assert proven(info, "/work/x.log").host_path == shared / "x.log"
    found = proven(info, "/work//sub/./a/x.log")
    assert found == Proven(inner / "a/x.log", "/work/sub/a/x.log", inner)


@pytest.mark.parametrize(
    "over", [("", "tmpfs", True), ("/x", "npipe", True), ("rel", "bind", True)]
)
def test_what_is_mounted_over_it_hides_it(shared: Path, over: tuple[str, str, bool]) -> None:
    source, kind, rw = over
    info = bench((shared, "/work"), (source, "/work/sub", kind, rw))
    with pytest.raises(LogNotVisible, match="on no mount"):
        proven(info, "/work/sub/x.log")
    assert proven(info, "/work/subs.log")


def test_not_mounted_or_read_only(shared: Path) -> None:
    with pytest.raises(LogNotVisible, match="on no mount"):
        proven(bench((shared, "/work")), "/workers/x.log")
    with pytest.raises(LogNotVisible, match="read-only"):
        proven(bench((shared, "/", "bind", False)), "/x.log")
    # Of two at one place the later hides the earlier.
    info = bench((shared, "/work"), (shared, "/work", "bind", False))
    with pytest.raises(LogNotVisible, match="read-only"):
        proven(info, "/work/x.log")


@pytest.mark.parametrize("target", ["/etc", "sub", "../shared/sub", "{shared}/sub", "loop"])
def test_no_link_below_the_mount(shared: Path, target: str) -> None:
    """Not even one that stays inside: an absolute one means another file in the bench."""
    (shared / "loop").symlink_to(target.format(shared=shared))
    info = bench((shared, "/work"))
    for wanted in ("/work/loop/x.log", "/work/loop"):
        with pytest.raises(LogNotVisible, match="link"):
            proven(info, wanted)


def test_links_in_the_source_are_followed(shared: Path, tmp_path: Path) -> None:
    link: Path = shared
    for number in range(8):
        link, before = tmp_path / f"link{number}", link
        link.symlink_to(before)
    found = proven(bench((link, "/work")), "/work/x.log")
    assert found.host_path == shared / "x.log"
    (tmp_path / "one-more").symlink_to(link)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for source in ("one-more", "circle"):
        with pytest.raises(LogNotVisible, match="cannot be followed"):
            proven(bench((tmp_path / source, "/work")), "/work/x.log")
    assert resolve_links(f"{tmp_path}/link0/../link0") == shared


def test_our_own_directories(shared: Path, tmp_path: Path) -> None:
    """By what the path resolves to, not by what it says."""
    state = tmp_path.resolve() / "state"
    own = state / "logs" / ("c" * 64)
    own.mkdir(parents=True)
    (tmp_path / "alias").symlink_to(state)
    info = bench((state, "/innocent"), (tmp_path / "alias", "/alias"), (tmp_path, "/all"))
    for wanted in ("/innocent/agenttower.sqlite3", "/alias/x.log", "/all/state/logs/x.log"):
        with pytest.raises(LogPathInvalid, match="AgentTower's own"):
            proven(info, wanted, state, allowed=own)
        with pytest.raises(LogPathInvalid, match="AgentTower's own"):
            proven(info, wanted, tmp_path / "alias", allowed=own)
    found = proven(info, f"/innocent/logs/{'c' * 64}/x.log", state, allowed=own)
    assert found.host_path == own / "x.log"


def test_special_file_systems_by_what_they_resolve_to(tmp_path: Path) -> None:
    (tmp_path / "harmless").symlink_to("/proc/self")
    for source in ("/run", "/dev/shm", tmp_path / "harmless"):
        with pytest.raises(LogPathInvalid, match="must not be under"):
            proven(bench((source, "/work")), "/work/x.log")


def test_what_is_in_its_place(shared: Path) -> None:
    os.mkfifo(shared / "fifo")
    info = bench((shared, "/work"))
    with pytest.raises(LogPathInvalid, match="directory"):
        proven(info, "/work/sub")
    with pytest.raises(LogPathInvalid, match="mount itself"):
        proven(info, "/work")
    with pytest.raises(LogNotVisible, match="no plain file"):
        proven(info, "/work/fifo")
    (shared / "file").write_text("")
    assert proven(info, "/work/file")
    with pytest.raises(LogNotVisible, match="no directory"):
        proven(info, "/work/file/x.log")
    with pytest.raises(LogNotVisible, match="not there any more"):
        proven(bench((shared / "gone", "/work")), "/work/x.log")


def test_too_many_mounts(shared: Path) -> None:
    with pytest.raises(TooManyMounts) as caught:
        proven(bench(*[(shared, f"/m{n}") for n in range(257)]), "/m1/x.log")
    assert caught.value.count == 257
    assert proven(bench(*[(shared, f"/m{n}") for n in range(256)]), "/m1/x.log")


def test_files_are_made_and_kept(shared: Path) -> None:
    place = proven(bench((shared, "/work")), "/work/new/dir/x.log")
    logplaces.make_file(place, logplaces.Maker(0))
    path = place.host_path
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]
    path.write_text("kept")
    path.chmod(0o644)
    logplaces.make_file(place, logplaces.Maker(0))
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("kept", 0o644)


def test_a_link_put_there_after_the_proof(shared: Path, tmp_path: Path) -> None:
    """Whoever opens the file goes the way again, and follows no link."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "x.log").write_text("secret")
    place = proven(bench((shared, "/work")), "/work/sub/x.log")
    (shared / "sub").rmdir()
    (shared / "sub").symlink_to(victim)
    with pytest.raises(LogNotVisible, match="link"):
        logplaces.make_file(place, logplaces.Maker(0))
    with pytest.raises(LinkInTheWay), opened(place.host_path, place.root):
        pass
    with pytest.raises(LinkInTheWay), opened(place.host_path, Path("/")):
        pass
    assert os.listdir(victim) == ["x.log"]


def test_the_touch_that_proves(shared: Path) -> None:
    place = proven(bench((shared, "/work")), "/work/x.log")
    logplaces.make_file(place, logplaces.Maker(0))
    place.host_path.write_text("before")
    old = 1_000_000_000_000_000_000
    os.utime(place.host_path, ns=(old, old))
    with pytest.raises(LogNotVisible, match="does not reach"), logplaces.watched(place) as mark:
        logplaces.wait_until_touched(place, mark, 0)
    assert place.host_path.stat().st_mtime_ns == old
    with logplaces.watched(place) as mark:
        os.utime(place.host_path)
        logplaces.wait_until_touched(place, mark, 0)
    assert place.host_path.read_text() == "before"


@pytest.mark.skipif(os.geteuid() != 0, reason="hands files over to another uid")
def test_for_whom_files_are_made(shared: Path) -> None:
    info = bench((shared, "/work"))
    asked_on_host, asked_in_bench = logplaces.Maker(1234), logplaces.Maker(1234, trusted=False)
    for wanted in ("/work/x.log", "/work/new/x.log"):
        with pytest.raises(LogNotVisible, match="may not make"):
            logplaces.make_file(proven(info, wanted), asked_in_bench)
    assert sorted(os.listdir(shared)) == ["sub"]
    (shared / "sub").chmod(0o777)
    place = proven(info, "/work/sub/new/x.log")
    logplaces.make_file(place, asked_in_bench)
    assert {place.host_path.stat().st_uid, place.host_path.parent.stat().st_uid} == {1234}
    logplaces.make_file(proven(info, "/work/made/deep/x.log"), asked_on_host)
    made = shared / "made"
    assert {p.stat().st_uid for p in (made, made / "deep", made / "deep/x.log")} == {1234}
    assert os.listdir(made / "deep") == ["x.log"]
    # What exists keeps its owner.
    (shared / "sealed").mkdir(mode=0o700)
    (shared / "theirs").touch(mode=0o600)
    logplaces.make_file(proven(info, "/work/theirs"), asked_on_host)
    logplaces.make_file(proven(info, "/work/sealed/x.log"), asked_on_host)
    assert {(shared / name).stat().st_uid for name in ("theirs", "sealed")} == {0}
