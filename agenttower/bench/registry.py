"""All benches of a process: one handle for each, over all providers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from agenttower.bench.interface import Bench, BenchInfo, BenchProvider
from agenttower.errors import BenchError, ContainerNotFound


class Benches:
    """Handles on benches by id, opened when first asked for. Safe for use by several threads.

    :param role: and ``instance`` name this process among the clients of a bench's tmux; see
        :class:`~agenttower.bench.connection.ClientId`.
    :param lock_dir: a directory that all processes of this instance share, for the locks of
        :mod:`agenttower.bench.opening_lock`; made where missing.
    """

    def __init__(
        self,
        providers: Sequence[BenchProvider],
        role: str,
        instance: str,
        lock_dir: Path | None = None,
    ) -> None:
        self.providers = tuple(providers)
        self._role = role
        self._instance = instance
        self._lock_dir = lock_dir
        self._lock = threading.Lock()
        self._open: dict[str, Bench] = {}

    def get(self, bench_id: str) -> Bench:
        """The handle on a running bench.

        :raises ContainerNotFound: no provider knows it.
        :raises ContainerInactive: it does not run.
        """
        with self._lock:
            found = self._open.get(bench_id)
        if found is not None:
            return found
        provider, _ = self._find(bench_id)
        opened = provider.open(bench_id, self._role, self._instance, self._lock_dir)
        with self._lock:
            kept = self._open.setdefault(bench_id, opened)
        if kept is not opened:
            opened.close()
        return kept

    def drop(self, bench_id: str) -> None:
        """Close the handle, e.g. since the container has stopped; :meth:`get` opens a new one."""
        with self._lock:
            bench = self._open.pop(bench_id, None)
        if bench is not None:
            bench.close()

    def prune(self, active_ids: Collection[str]) -> None:
        """Close the handles on all benches but these, e.g. those that were removed unseen."""
        with self._lock:
            others = self._open.keys() - set(active_ids)
        for bench_id in others:
            self.drop(bench_id)

    def inspect(self, bench_id: str) -> BenchInfo:
        """The bench as it is now, running or not. :raises ContainerNotFound: nobody knows it."""
        return self._find(bench_id)[1]

    def close(self) -> None:
        """Close every handle and every provider."""
        with self._lock:
            benches, self._open = list(self._open.values()), {}
        for bench in benches:
            bench.close()
        for provider in self.providers:
            provider.close()

    def _find(self, bench_id: str) -> tuple[BenchProvider, BenchInfo]:
        failure: BenchError | None = None
        for provider in self.providers:
            try:
                return provider, provider.inspect(bench_id)
            except ContainerNotFound:
                continue
            except BenchError as error:
                failure = error
        raise failure or ContainerNotFound(bench_id)
