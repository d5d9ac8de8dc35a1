"""The Docker provider against a real engine: scans, records, events and errors."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import Queue

import pytest

from agenttower.bench.docker_provider import DockerProvider
from agenttower.bench.interface import BenchEvent, Mount
from agenttower.errors import (
    BenchConnectionLost,
    BenchTimeout,
    ContainerInactive,
    ContainerNotFound,
    DockerFailed,
    DockerTimeout,
    DockerUnavailable,
)
from tests.support.bench_box import Box, soon
from tests.support.docker import BenchFactory
from tests.support.relay import relay
from tests.support.waiting import wait_until


@pytest.fixture
def provider(bench_factory: BenchFactory) -> Iterator[DockerProvider]:
    with closing(DockerProvider(bench_factory.engine.url)) as made:
        yield made


def test_a_scan_finds_running_containers_by_name(
    provider: DockerProvider, bench_factory: BenchFactory
) -> None:
    wanted = [bench_factory(), bench_factory(name_suffix="-two")]
    other = bench_factory(name="other")
    stopped = bench_factory()
    stopped.kill()
    rule = bench_factory.name_rule
    for fragments in ([rule], [rule.upper()], ["no such", rule]):
        found = provider.scan(fragments)
        assert {bench.bench_id for bench in found.benches} == {one.id for one in wanted}
        assert found.failures == []
        assert found.ignored >= 1
    everything = provider.scan([bench_factory.prefix])
    assert {bench.bench_id for bench in everything.benches} == {one.id for one in [*wanted, other]}


def test_the_record_of_a_container(
    provider: DockerProvider, bench_factory: BenchFactory, tmp_path: Path
) -> None:
    container = bench_factory(
        user="bench",
        mounts={str(tmp_path): ("/logs", "ro")},
        env={"USER": "u", "WORKDIR": "/w", "SECRET": "s"},
    )
    info = provider.inspect(str(container.id))
    assert info.bench_id == container.id
    assert info.name == container.name
    assert info.provider == "docker"
    assert info.image.startswith("agenttower-bench:bookworm")
    assert info.status == "running"
    assert info.started_at == container.attrs["State"]["StartedAt"]
    assert info.user == "bench"
    assert set(info.env_names) == {"USER", "WORKDIR"}
    assert info.has_init
    assert [(m.source, m.target, m.type, m.rw) for m in info.mounts] == [
        (str(tmp_path), "/logs", "bind", False)
    ]
    assert isinstance(info.mounts[0], Mount)
    assert not provider.inspect(str(bench_factory(init=False).id)).has_init


def test_a_container_that_does_not_run(
    provider: DockerProvider, bench_factory: BenchFactory
) -> None:
    container = bench_factory()
    bench = provider.open(str(container.id))
    container.kill()
    assert provider.inspect(str(container.id)).status == "exited"
    for call in (
        lambda: provider.open(str(container.id)),
        lambda: bench.session_names(soon()),
    ):
        with pytest.raises(ContainerInactive, match=r"exited.*docker start"):
            call()
    container.remove()
    with pytest.raises(ContainerNotFound):
        provider.open(str(container.id))
    with pytest.raises(ContainerNotFound):
        bench.session_names(soon())


def test_processes_run_as_the_containers_user(make_box: Callable[..., Box]) -> None:
    box = make_box(user="1000:0")
    assert box.bench.bench_uid(soon()) == 1000
    view = box.create("sh", "-c", "id -u; pwd; echo $LANG; sleep 1000")
    wait_until(lambda: "UTF" in box.bench.capture_tail(view.token, 9, soon()), 10, "its words")
    assert box.bench.capture_tail(view.token, 9, soon()).split() == ["1000", "/", "C.UTF-8"]
    assert view.socket_path == "/tmp/tmux-1000/default"


def test_a_locale_of_the_container_is_left_alone(make_box: Callable[..., Box]) -> None:
    box = make_box(env={"LC_ALL": "C"})
    view = box.create("sh", "-c", "echo [$LANG] [$LC_ALL] é; sleep 1000", title="é")
    assert view.title == "é"
    wait_until(lambda: "[C]" in box.bench.capture_tail(view.token, 9, soon()), 10, "its words")
    assert box.bench.capture_tail(view.token, 9, soon()) == "[] [C] é"


def test_events_tell_of_changes_and_end_on_close(
    provider: DockerProvider, bench_factory: BenchFactory
) -> None:
    seen: Queue[BenchEvent] = Queue()

    def follow() -> None:
        for event in provider.events(lambda: False):
            seen.put(event)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert seen.get(timeout=10).kind == "connected"
        container = bench_factory()
        container.rename(f"{container.name}-renamed")
        container.exec_run(["true"])
        container.kill()
        container.remove()
        mine: list[BenchEvent] = []
        while not mine or mine[-1].kind != "destroy":
            event = seen.get(timeout=10)
            if event.bench_id == container.id:
                mine.append(event)
        assert [event.kind for event in mine] == ["start", "rename", "die", "destroy"]
        assert mine[1].name == f"{container.name}-renamed"
    finally:
        provider.close()
        thread.join(10)
    assert not thread.is_alive()


def test_the_event_stream_comes_back(bench_factory: BenchFactory, tmp_path: Path) -> None:
    """Through a relay that hangs up, as an engine that restarts does."""
    path = str(tmp_path / "relay.sock")
    seen: Queue[BenchEvent] = Queue()
    with (
        relay(path, bench_factory.engine.url) as line,
        closing(DockerProvider(f"unix://{path}")) as provider,
    ):
        thread = threading.Thread(
            target=lambda: [seen.put(event) for event in provider.events(lambda: False)]
        )
        thread.start()
        try:
            for _ in range(3):
                assert seen.get(timeout=10).kind == "connected"
                line.hang_up()
            assert seen.get(timeout=10).kind == "connected"
            container = bench_factory()
            while seen.get(timeout=10).bench_id != container.id:
                pass
        finally:
            provider.close()
            thread.join(10)
        assert not thread.is_alive()


def test_an_engine_that_hangs_keeps_nobody_beyond_his_deadline(
    bench_factory: BenchFactory, tmp_path: Path
) -> None:
    container = bench_factory()
    path = str(tmp_path / "relay.sock")
    with (
        relay(path, bench_factory.engine.url) as line,
        closing(DockerProvider(f"unix://{path}")) as provider,
        closing(provider.open(str(container.id))) as bench,
    ):
        assert bench.session_names(soon()) == []
        line.hang()
        started = time.monotonic()
        with pytest.raises((DockerTimeout, BenchTimeout, BenchConnectionLost)):
            bench.session_names(soon(0.5))
        with pytest.raises((DockerTimeout, BenchTimeout)):
            bench.session_names(soon(0.5))
        with pytest.raises(BenchTimeout, match="nothing was sent"):
            bench.session_names(soon(60))
        assert time.monotonic() - started < 4


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    with closing(DockerProvider(f"unix://{tmp_path}/no.sock")) as provider:
        for call in (lambda: provider.scan(["bench"]), lambda: provider.inspect("a" * 64)):
            with pytest.raises(DockerUnavailable) as caught:
                call()
            assert caught.value.code == "docker_unavailable"
            assert "DOCKER_HOST" in caught.value.message


def test_an_engine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agenttower.bench.docker_api.CALL_SECONDS", 0.3)
    path = str(tmp_path / "silent.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        with closing(DockerProvider(f"unix://{path}")) as provider, pytest.raises(DockerTimeout):
            provider.scan(["bench"])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'HTTP/1.1 500 Oops\r\nContent-Length: 18\r\n\r\n{"message":"oops"}', DockerFailed),
        (b"what?\r\n\r\n", DockerUnavailable),
    ],
)
def test_an_engine_that_talks_nonsense(tmp_path: Path, answer: bytes, error: type) -> None:
    path = str(tmp_path / "odd.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    if client.recv(65536):
                        client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with closing(DockerProvider(f"unix://{path}")) as provider, pytest.raises(error):
                provider.scan(["bench"])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
