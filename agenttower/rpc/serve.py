"""The front end from start to end; ``agenttower.bootstrap`` gives it what it serves."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from agenttower.paths import Paths
from agenttower.rpc.lifetime import Instance
from agenttower.rpc.server import Server

log = logging.getLogger(__name__)


def run_server(
    paths: Paths,
    prepare: Callable[[], Server],
    *,
    on_ready: Callable[[], None] | None = None,
    on_shutdown: Callable[[], None] | None = None,
) -> None:
    """Serve until told to stop, by ``shutdown``, SIGTERM, SIGINT, or :meth:`Server.stop`.

    The order at the end is that of legacy surfaces 5.3: answer what was accepted,
    ``on_shutdown``, remove socket and pid file, release the lock.

    :param prepare: run once the lock is held and before the socket is there (opens the database,
        reconciles); makes the server.
    :param on_ready: run once clients can connect.
    :param on_shutdown: run when the last request has been answered, and also after a failure in
        between.
    :raises StateRefused: the state directory, or what is in it, cannot be used (exit 1).
    :raises AlreadyRunning: another front end runs (exit 2).
    """
    with Instance(paths) as instance:
        try:
            server = prepare()
            with _signals_stop(server), instance.listen() as listener:
                log.info("serving on %s", paths.socket)
                if on_ready is not None:
                    on_ready()
                server.serve_forever(listener)
        finally:
            if on_shutdown is not None:
                on_shutdown()
    log.info("stopped")


@contextmanager
def _signals_stop(server: Server) -> Iterator[None]:
    """SIGTERM and SIGINT behave like ``shutdown``; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
