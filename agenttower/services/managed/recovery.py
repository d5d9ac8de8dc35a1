"""Recovery at the start of the front end, before the socket opens (FR-020, SC-008, SC-009)."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor, wait

from agenttower.clock import Micros
from agenttower.services.managed.reconcile import Reconcile
from agenttower.store import layouts
from agenttower.store.database import Store

log = logging.getLogger(__name__)

RECOVERY_S = 4.0
"""SC-008 allows 5 s from the start of the process."""
THREADS = 10


def recover(store: Store, reconcile: Reconcile, now: Micros, budget_s: float = RECOVERY_S) -> int:
    """Reattach what survived, each container on its own; returns how many could be judged.

    A container that cannot be asked in time keeps its rows as they are and holds up no other; the
    worker goes on looking at it.
    """
    container_ids = sorted(layouts.watched_containers(failed_since=now))
    if not container_ids:
        return 0
    start = time.monotonic()
    deadline = start + budget_s

    def look(container_id: str) -> bool:
        try:
            return reconcile.container(container_id, deadline, recovering=True)
        finally:
            store.close_thread()

    pool = ThreadPoolExecutor(min(THREADS, len(container_ids)), thread_name_prefix="recovery")
    futures = [pool.submit(look, container_id) for container_id in container_ids]
    wait(futures, timeout=budget_s)
    judged = sum(
        future.done() and future.exception() is None and future.result() for future in futures
    )
    pool.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        if future.done() and future.exception() is not None:
            log.error("recovery failed: %r", future.exception(), extra={"action": "recovery_error"})
    log.info(
        "recovery: %d of %d containers judged in %.2f s",
        judged,
        len(container_ids),
        time.monotonic() - start,
        extra={"action": "recovered"},
    )
    return judged
