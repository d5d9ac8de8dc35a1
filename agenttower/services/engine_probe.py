"""Does the Docker engine answer now? Asked for readiness, and never trusted to answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from agenttower.bench.registry import Benches
from agenttower.domain.readiness import Health, Subsystem, SubsystemHealth, unwell, well
from agenttower.errors import DockerTimeout, DockerUnavailable
from agenttower.services.background import Background

log = logging.getLogger(__name__)

PROVIDER = "docker"
ANSWER_S = 1.0
"""An engine that is well answers within milliseconds."""
BRIEFLY_S = 0.05
"""So long a caller may hold a thread for it."""

NOT_DETECTED = "docker not detected on platform"
"""The contract's word for a machine without an engine."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one probe found."""

    row: SubsystemHealth
    ended_at: float
    """``time.monotonic()`` seconds."""


class EngineProbe:
    """Asks the engine in a thread of its own; who asks meanwhile shares the answer."""

    def __init__(
        self, benches: Benches, background: Background, wake_waiting: Callable[[], None]
    ) -> None:
        """:param wake_waiting: called when an answer has come for which callers had to wait."""
        self._benches = benches
        self._background = background
        self._wake_waiting = wake_waiting
        self._changed = threading.Condition()
        self._verdict: Verdict | None = None
        self._asking = False
        self._somebody_waits = False

    def ask(self, asked_at: float, *, final: bool = True) -> SubsystemHealth | None:
        """The ``docker`` row as it is now.

        :param asked_at: when the request came; no answer from before it is given.
        :param final: say that it does not answer, rather than to be asked again.
        :return: ``None`` where it takes longer: waiting requests are woken when it is there, and
            are to be asked again then, and at :data:`ANSWER_S` after ``asked_at`` at the latest.
        """
        patience = asked_at + (ANSWER_S if final else BRIEFLY_S) - time.monotonic()
        with self._changed:
            if self._since(asked_at) is None:
                self.begin()
            self._changed.wait_for(lambda: self._since(asked_at) is not None, max(0.0, patience))
            found = self._since(asked_at)
            if found is None and not final:
                self._somebody_waits = True
        return _silent() if found is None and final else found

    def begin(self) -> None:
        """Ask, unless somebody is asking already."""
        with self._changed:
            self._asking = self._asking or self._background.start("docker-probe", self._probe)

    def _since(self, asked_at: float) -> SubsystemHealth | None:
        verdict = self._verdict
        return None if verdict is None or verdict.ended_at < asked_at else verdict.row

    def _probe(self) -> None:
        row = self._look()
        with self._changed:
            self._verdict = Verdict(row, time.monotonic())
            self._asking = False  # with the verdict: who comes now must ask anew
            waits, self._somebody_waits = self._somebody_waits, False
            self._changed.notify_all()
        if waits:
            self._wake_waiting()

    def _look(self) -> SubsystemHealth:
        try:
            providers = [one for one in self._benches.providers if one.name == PROVIDER]
            there = [provider.ping(ANSWER_S) for provider in providers]
        except DockerTimeout:
            return _silent()
        except DockerUnavailable as error:
            return unwell(Subsystem.DOCKER, Health.UNAVAILABLE, error.message, _START)
        except Exception:
            log.exception("the look at the engine failed")
            reason = "the engine could not be asked; see the daemon's log"
            return unwell(Subsystem.DOCKER, Health.UNAVAILABLE, reason)
        if not any(there):
            return unwell(Subsystem.DOCKER, Health.UNAVAILABLE, NOT_DETECTED, _INSTALL)
        return well(Subsystem.DOCKER)


_START = "start the Docker engine, or set DOCKER_HOST and restart the daemon"
_INSTALL = "install and start Docker, or set DOCKER_HOST and restart the daemon"


def _silent() -> SubsystemHealth:
    reason = f"the Docker engine did not answer within {ANSWER_S:g} s"
    return unwell(Subsystem.DOCKER, Health.UNAVAILABLE, reason, "look at its load and its log")
