"""The local bench is a bench like any other: the same handle over this machine's tmux."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttower.bench.interface import PaneSpec
from agenttower.bench.local_provider import LocalProvider
from agenttower.bench.logfiles import bench_path, prepare_log, wait_for_log
from agenttower.bench.registry import Benches
from agenttower.bench.tmux_bench import TmuxBench
from agenttower.errors import BenchConnectionLost, ContainerNotFound, TmuxUnavailable
from tests.support.bench_box import soon, token
from tests.support.docker import cannot_run
from tests.support.waiting import wait_until

BENCH_ID = "1" * 64


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if shutil.which("tmux") is None:
        cannot_run("tmux is not installed; install it with 'apt-get install tmux'")
    path = tmp_path_factory.mktemp("l") / "d" / "t.sock"
    yield path
    subprocess.run(["tmux", "-S", str(path), "kill-server"], capture_output=True, check=False)


@pytest.fixture
def bench(socket_path: Path) -> Iterator[TmuxBench]:
    with (
        closing(LocalProvider(socket_path, BENCH_ID)) as provider,
        closing(provider.open(BENCH_ID)) as opened,
    ):
        yield opened


def test_a_pane_from_beginning_to_end(
    bench: TmuxBench, socket_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/elsewhere,1,0")
    monkeypatch.setenv("TMUX_PANE", "%77")
    log = tmp_path / "logs" / "x.log"
    prepare_log(bench.info, log, bench.bench_uid(soon()))
    spec = PaneSpec(
        token=token(), owner=token(), session="work", title="m1 é #(id)",
        argv=["sh", "-c", 'echo "$1 $X"; exit 6', "sh", "a\nb"], env={"X": "'\""},
        log_path=bench_path(bench.info, log),
    )  # fmt: skip
    view = bench.create_pane(spec, soon())
    assert view.socket_path == str(socket_path)
    assert view.title == spec.title
    wait_for_log(log, soon())

    def ended() -> bool:
        return bench.find_panes([spec.token], soon())[spec.token].exit is not None

    wait_until(ended, 20, "the program to end")
    assert bench.find_panes(None, soon())[spec.token].exit.code == 6  # type: ignore[union-attr]
    wait_until(lambda: log.read_bytes() == b"a\r\nb '\"\r\n", 10, "the log")
    assert bench.session_names(soon()) == ["work"]
    assert bench.kill_pane(spec.token, soon())
    assert bench.find_panes(None, soon()) == {}


def test_the_server_is_killed(bench: TmuxBench, socket_path: Path) -> None:
    assert bench.session_names(soon()) == []
    subprocess.run(["tmux", "-S", str(socket_path), "kill-server"], check=True)

    def answers() -> bool:
        try:
            return bench.session_names(soon()) == []
        except BenchConnectionLost:
            return False

    wait_until(answers, 10, "a new server")


def test_events_say_connected_and_end_on_close(socket_path: Path) -> None:
    provider = LocalProvider(socket_path, BENCH_ID)
    seen: list[str] = []
    thread = threading.Thread(
        target=lambda: seen.extend(event.kind for event in provider.events(lambda: False))
    )
    thread.start()
    provider.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == ["connected"]


def test_tmux_is_missing(bench: TmuxBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TmuxUnavailable, match="install tmux"):
        bench.session_names(soon())


def test_a_socket_path_that_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "t.sock"
    with (
        closing(LocalProvider(path, BENCH_ID).open(BENCH_ID)) as bench,
        pytest.raises(TmuxUnavailable, match="too long"),
    ):
        bench.session_names(soon())


def test_the_registry_keeps_one_handle_for_each_bench(socket_path: Path) -> None:
    provider = LocalProvider(socket_path, BENCH_ID)
    with closing(Benches([provider], "worker", "abc")) as benches:
        first = benches.get(BENCH_ID)
        assert benches.get(BENCH_ID) is first
        assert first.session_names(soon()) == []
        benches.drop(BENCH_ID)
        benches.drop(BENCH_ID)
        assert benches.get(BENCH_ID) is not first
        assert benches.inspect(BENCH_ID).provider == "local"
        for call in (benches.get, benches.inspect):
            with pytest.raises(ContainerNotFound):
                call("2" * 64)
        assert [bench.bench_id for bench in provider.scan(["nothing"]).benches] == [BENCH_ID]


def test_all_panes_are_found_also_on_our_own_socket(bench: TmuxBench, socket_path: Path) -> None:
    path = str(socket_path)
    assert path not in bench.discover_panes(soon()).listed
    made = bench.create_pane(
        PaneSpec(token(), owner=token(), session="work", title="t", argv=["sleep", "60"]), soon()
    )
    found = bench.discover_panes(soon())
    [pane] = [pane for pane in found.panes if pane.socket_path == path]  # ours for control left out
    assert (pane.token, pane.pane_id, pane.pane_pid) == (made.token, made.pane_id, made.pane_pid)
    assert path in found.listed
