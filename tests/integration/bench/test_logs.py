"""A pane's log over a real mount: who may write it, and what proves that it is written."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agenttower.bench.logfiles import bench_path, log_is_proven, prepare_log, wait_for_log
from agenttower.errors import LogNotVisible, LogTimeout
from tests.support.bench_box import Box, soon
from tests.support.waiting import wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="hands files over to another uid")


def test_a_silent_pane_proves_its_log(box: Box) -> None:
    log = box.shared / "logs" / "c" / "a b'.log"
    (box.shared / "logs").mkdir(mode=0o700)
    prepare_log(box.bench.info, log, box.bench.bench_uid(soon()))
    assert not log_is_proven(log)
    view = box.create(log_path=bench_path(box.bench.info, log))
    wait_for_log(log, soon())
    assert view.piped
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    assert log.read_bytes() == b""


def test_a_mount_that_shows_other_files_proves_nothing(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    box = make_box(mounts={str(tmp_path / "here"): "/there"})
    log = tmp_path / "here" / "c" / "x.log"
    prepare_log(box.bench.info, log, 0)
    view = box.create("sh", "-c", "echo x; sleep 1000", log_path="/tmp/elsewhere.log")
    wait_until(lambda: "x" in box.bench.capture_tail(view.token, 3, soon()), 10, "its output")
    with pytest.raises(LogTimeout, match="mounted there"):
        wait_for_log(log, time.monotonic() + 0.2)


@needs_root
def test_a_bench_user_of_another_uid(make_box: Callable[..., Box], tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o700)
    box = make_box(user="bench", mounts={str(logs): "/other/side"})
    log = logs / "c" / "x.log"
    prepare_log(box.bench.info, log, box.bench.bench_uid(soon()))
    assert (log.stat().st_uid, log.parent.stat().st_uid, logs.stat().st_uid) == (1000, 1000, 0)
    assert stat.S_IMODE(logs.stat().st_mode) == 0o711  # a passage, no more
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    box.create("sh", "-c", "echo hi; sleep 1000", log_path=bench_path(box.bench.info, log))
    wait_until(lambda: log.read_bytes() == b"hi\r\n", 10, "the log")


@needs_root
def test_a_mount_that_the_bench_user_may_not_enter(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    box = make_box(user="bench")
    with pytest.raises(LogNotVisible, match=f"uid 1000.*may not enter {tmp_path} "):
        prepare_log(box.bench.info, tmp_path / "logs" / "c" / "x.log", 1000)


def test_the_pipe_is_attached_once_and_again_when_lost(box: Box) -> None:
    log = box.shared / "x.log"
    view = box.create("cat")
    box.runs(view.token, "cat")
    for text in ("one", "two"):
        for _ in range(3):
            assert box.bench.ensure_pipe(view.token, str(log), soon())
        wait_for_log(log, soon())
        box.tmux("send-keys", "-t", view.pane_id, text, "Enter")
        wait_until(lambda text=text: log.read_text().count(text) == 2, 10, "echo and answer")
        box.tmux("pipe-pane", "-t", view.pane_id)
    assert not box.bench.ensure_pipe("0" * 32, str(log), soon())


@pytest.mark.parametrize("image", ["bookworm", "trixie"])
def test_a_pipe_into_a_deleted_log_is_made_anew(make_box: Callable[..., Box], image: str) -> None:
    box = make_box(image)
    log = box.shared / "x.log"
    view = box.create("cat", log_path=str(log))
    box.runs(view.token, "cat")
    box.tmux("send-keys", "-t", view.pane_id, "one", "Enter")
    wait_until(lambda: log.read_text().count("one") == 2, 10, "echo and answer")
    log.unlink()
    assert box.bench.ensure_pipe(view.token, str(log), soon())
    assert not log.exists()
    prepare_log(box.bench.info, log, 0)
    assert box.bench.ensure_pipe(view.token, str(log), soon(), anew=True)
    wait_for_log(log, soon())
    box.tmux("send-keys", "-t", view.pane_id, "two", "Enter")
    wait_until(lambda: log.read_text() == "two\ntwo\n", 10, "echo and answer")


@pytest.mark.parametrize("name", ["a#b", "a%b"])
def test_a_path_that_tmux_would_expand_is_refused(box: Box, name: str) -> None:
    with pytest.raises(LogNotVisible, match="expand"):
        bench_path(box.bench.info, box.shared / name / "x.log")
    with pytest.raises(LogNotVisible, match="expand"):
        box.create(log_path=f"/tmp/{name}")
    assert box.bench.find_panes(None, soon()) == {}
