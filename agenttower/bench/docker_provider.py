"""Benches that are Docker containers, over the Engine API."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agenttower.bench.connection import ClientId
from agenttower.bench.docker_api import CALL_SECONDS, Engine, engine_errors, inactive
from agenttower.bench.docker_exec import DockerLauncher, ExecSettings
from agenttower.bench.interface import (
    BenchEvent,
    BenchInfo,
    BenchScan,
    Deadline,
    Mount,
    ScanFailure,
)
from agenttower.bench.tmux_bench import TmuxBench
from agenttower.errors import BenchError, ContainerNotFound, DockerFailed, DockerUnavailable

if TYPE_CHECKING:
    from docker import APIClient

EVENT_KINDS = ("start", "die", "pause", "unpause", "destroy", "rename")
_KEPT_VARIABLES = ("USER", "HOME", "WORKDIR", "TMUX")
_LOCALE_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE")
_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)

_log = logging.getLogger(__name__)


class DockerProvider:
    """Implements :class:`~agenttower.bench.interface.BenchProvider` for one engine.

    :param docker_host: the engine's address; ``None`` for what ``DOCKER_HOST`` says.
    """

    name = "docker"

    def __init__(self, docker_host: str | None = None) -> None:
        self._engine = Engine(docker_host)
        self._lock = threading.Lock()
        self._shared: APIClient | None = None
        self._closed = threading.Event()
        self._stream: Any = None

    def scan(self, name_contains: Sequence[str]) -> BenchScan:
        """Find running containers whose name holds a fragment, case ignored."""
        fragments = [fragment.lower() for fragment in name_contains]
        with self._calls() as client:
            listed = [
                (container["Id"], [name.lstrip("/").lower() for name in container["Names"]])
                for container in client.containers(filters={"status": "running"})
            ]
        benches: list[BenchInfo] = []
        failures: list[ScanFailure] = []
        ignored = 0
        for bench_id, names in listed:
            if not any(fragment in name for fragment in fragments for name in names):
                ignored += 1
                continue
            try:
                benches.append(self.inspect(bench_id))
            except ContainerNotFound as error:  # It was there a moment ago.
                failures.append(ScanFailure(bench_id, DockerFailed.code, error.message))
            except BenchError as error:
                failures.append(ScanFailure(bench_id, error.code, error.message))
        return BenchScan(benches, failures, ignored)

    def ping(self, timeout_s: float) -> bool:
        """Ask the engine on a connection of its own, for a time-out of its own."""
        try:
            return self._engine.ping(timeout_s)
        except DockerUnavailable:
            self._engine.forget_version()
            raise

    def inspect(self, bench_id: str) -> BenchInfo:
        with self._calls(bench_id) as client:
            return _bench_info(client.inspect_container(bench_id))

    def open(
        self,
        bench_id: str,
        role: str = "worker",
        instance: str = "",
        lock_dir: Path | None = None,
    ) -> TmuxBench:
        """A handle on a running container.

        :param role: and ``instance`` name the holder of the channel: of two handles with the same
            two on one container, the later ends the channel of the earlier.
        :param lock_dir: shared by all who may have a handle on the container.
        :raises ContainerInactive: it does not run now.
        """
        known: list[BenchInfo] = []

        def inspect(deadline: Deadline) -> ExecSettings:
            # A client of its own, for a time-out of its own.
            timeout = min(deadline - time.monotonic(), CALL_SECONDS)
            with (
                contextlib.closing(self._engine.client(timeout)) as client,
                engine_errors(bench_id),
            ):
                record = client.inspect_container(bench_id)
                known[:] = [_bench_info(record)]
            if known[0].status != "running":
                raise inactive(bench_id, known[0].status)
            return _exec_settings(record)

        inspect(time.monotonic() + CALL_SECONDS)
        launcher = DockerLauncher(self._engine, bench_id, inspect)
        return TmuxBench(lambda: known[0], launcher, ClientId(role, instance), lock_dir)

    def events(self, stop: Callable[[], bool]) -> Iterator[BenchEvent]:
        """Follow the engine's events; ``stop`` is asked after each, and :meth:`close` ends it."""
        failed = 0
        while not self._closed.is_set() and not stop():
            try:
                with self._event_stream() as stream:
                    failed = 0
                    yield BenchEvent("connected")
                    for event in stream:
                        if self._closed.is_set() or stop():
                            return
                        yield _bench_event(event)
            except DockerUnavailable as error:
                _log.debug("event stream lost", extra={"reason": error.message})
            self._closed.wait(_BACKOFF_SECONDS[min(failed, len(_BACKOFF_SECONDS) - 1)])
            failed += 1

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            stream, self._stream = self._stream, None
            client, self._shared = self._shared, None
        if stream is not None:
            _cancel(stream)
        if client is not None:
            client.close()

    @contextlib.contextmanager
    def _event_stream(self) -> Iterator[Iterator[Mapping[str, Any]]]:
        client = self._engine.client()
        try:
            with engine_errors():
                stream = client.events(
                    decode=True, filters={"type": "container", "event": list(EVENT_KINDS)}
                )
            with self._lock:
                self._stream = stream
            try:
                with engine_errors():
                    yield iter(()) if self._closed.is_set() else stream
            finally:
                with self._lock:
                    self._stream = None
                _cancel(stream)
        finally:
            client.close()

    @contextlib.contextmanager
    def _calls(self, container_id: str = "") -> Iterator[APIClient]:
        """The client all short calls share; a broken one is replaced at the next call."""
        with self._lock:
            if self._shared is None:
                self._shared = self._engine.client()
            client = self._shared
        try:
            with engine_errors(container_id):
                self._engine.knock()
                yield client
        except DockerUnavailable:
            with self._lock:
                if self._shared is client:
                    self._shared = None
            self._engine.forget_version()
            client.close()
            raise


def _cancel(stream: Any) -> None:
    """End an event stream; it may be gone already, or be closed by two threads at once."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        stream.close()


def _bench_event(event: Mapping[str, Any]) -> BenchEvent:
    actor = event.get("Actor") or {}
    name = (actor.get("Attributes") or {}).get("name", "")
    return BenchEvent(str(event.get("Action", "")), str(actor.get("ID", "")), str(name))


def _bench_info(record: Mapping[str, Any]) -> BenchInfo:
    config, state = record["Config"], record["State"]
    names = _variables(config)
    return BenchInfo(
        bench_id=record["Id"],
        name=record["Name"].lstrip("/"),
        provider="docker",
        image=config.get("Image") or "",
        status=state.get("Status") or "",
        started_at=state.get("StartedAt") or "",
        labels=config.get("Labels") or {},
        mounts=tuple(
            Mount(
                source=mount.get("Source") or "",
                target=mount.get("Destination") or "",
                type=mount.get("Type") or "",
                mode=mount.get("Mode") or "",
                rw=bool(mount.get("RW")),
            )
            for mount in record.get("Mounts") or ()
        ),
        user=config.get("User") or None,
        working_dir=config.get("WorkingDir") or None,
        env_names=tuple(name for name in _KEPT_VARIABLES if name in names),
        has_init=bool((record.get("HostConfig") or {}).get("Init")),
    )


def _exec_settings(record: Mapping[str, Any]) -> ExecSettings:
    config = record["Config"]
    names = _variables(config)
    environment: dict[str, str] = {}
    if not names.intersection(_LOCALE_VARIABLES):
        environment["LANG"] = "C.UTF-8"
    if "TMUX" in names:
        environment["TMUX"] = ""  # Else tmux would take the socket to use from it.
    return ExecSettings((config.get("User") or "").partition(":")[0], environment)


def _variables(config: Mapping[str, Any]) -> set[str]:
    return {entry.partition("=")[0] for entry in config.get("Env") or ()}
