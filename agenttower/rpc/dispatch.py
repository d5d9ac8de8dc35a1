"""From a request line to an answer, without a socket in sight.

The order is the contract's (legacy surfaces 3.3): line, object, method name, known method,
``params``, and then the method's own: peer gate, shape, handler.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agenttower.errors import AgentTowerError, ValidationFailed
from agenttower.rpc.app.binding import refusing
from agenttower.rpc.envelopes import APP, LEGACY, Envelope, InternalError, envelope_of
from agenttower.rpc.framing import (
    Request,
    RequestTooLarge,
    UnknownMethod,
    params_object,
    parse_request,
)
from agenttower.rpc.method import Call, Gate, Method, Params, Pending
from agenttower.rpc.methods import MethodTable
from agenttower.services.caller import Caller

log = logging.getLogger(__name__)

Identify = Callable[[], Caller]
ResolveContainer = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """One line for the client, its newline included."""

    line: bytes
    stops_server: bool = False
    """The daemon stops once this line has been sent."""


@dataclass(slots=True)
class Job:
    """A request that passed framing, from its first run to its answer."""

    name: str
    method: Method[Any]
    params: Params
    envelope: Envelope
    asked_at: float
    caller: Caller | None = None
    decoded: object = None
    resumed: bool = False


class Dispatcher:
    """Looks methods up, guards them and runs them. Safe to use from many threads."""

    def __init__(self, methods: MethodTable, resolve_container: ResolveContainer) -> None:
        self._methods = methods
        self._resolve_container = resolve_container

    def accept(self, line: bytes) -> Job | Answer:
        """Steps 2 to 7; cheap enough for the thread that owns the sockets.

        :param line: the request without its newline.
        :returns: the job to run, or the refusal.
        """
        envelope: Envelope = LEGACY
        try:
            request = parse_request(line)
            envelope = envelope_of(request.method)
            if envelope is APP:
                return self._accept_app(request)
            method = self._methods.get(request.method)
            if method is None:
                raise UnknownMethod(request.method)
            params = params_object(request.params)
        except AgentTowerError as error:
            return Answer(envelope.failure(error))
        return Job(request.method, method, params, envelope, time.monotonic())

    def _accept_app(self, request: Request) -> Job:
        """In ``app.*`` the peer is looked at before the name and the parameters (section 3)."""
        method = self._methods.get(request.method)
        params = request.params
        if method is None:
            method = refusing(UnknownMethod(request.method))
        elif not isinstance(params, dict):
            method = refusing(ValidationFailed("params", "must be an object"))
        known = params if isinstance(params, dict) else {}
        return Job(request.method, method, known, APP, time.monotonic())

    def too_large(self) -> Answer:
        """The refusal of a line over the limit."""
        return Answer(LEGACY.failure(RequestTooLarge()))

    def refuse(self, job: Job, message: str) -> Answer:
        """``internal_error`` for a job that cannot be finished, with a message of ours."""
        return Answer(job.envelope.failure(InternalError(message)))

    def run(self, job: Job, identify: Identify, *, final: bool = False) -> Answer | Pending:
        """Run a job once.

        :param identify: finds out who asks; called at most once per job, and only if it matters.
        :param final: the client must get an answer now.
        :returns: never raises: what is not our own error becomes ``internal_error``, and its
            traceback goes to our log only.
        """
        try:
            outcome = self._run(job, identify, final)
            job.resumed = True
            if isinstance(outcome, Pending):
                if not final:
                    return outcome
                log.error("%s was told to answer now and did not", job.name)
                return Answer(job.envelope.failure(InternalError()))
            return Answer(job.envelope.success(outcome), job.method.stops_server)
        except AgentTowerError as error:
            return Answer(job.envelope.failure(error))
        except Exception:
            log.exception("%s failed unexpectedly", job.name)
            return Answer(job.envelope.failure(InternalError()))

    def _run(self, job: Job, identify: Identify, final: bool) -> object:
        method = job.method
        if job.caller is None:
            job.caller = Caller("unknown") if method.gate is Gate.OPEN else identify()
            self._pass_gate(method.gate, job.caller, job.params)
            job.decoded = method.decode(job.params)
        now = time.monotonic()
        call = Call(
            params=job.decoded,
            caller=job.caller,
            asked_at=job.asked_at,
            deadline=now + method.deadline_s,
            final=final,
            resumed=job.resumed,
        )
        outcome = method.handler(call)
        if isinstance(outcome, Pending) and not final and outcome.until <= time.monotonic():
            return method.handler(_last(call))
        return outcome

    def _pass_gate(self, gate: Gate, caller: Caller, params: Params) -> None:
        if gate in (Gate.OPEN, Gate.ANYONE):
            return
        if gate is Gate.HOST:
            caller.require_host()
        caller.require_known()
        wanted = params.get("container_id")
        if gate is Gate.CONTAINER and caller.kind == "bench" and isinstance(wanted, str):
            caller.require_container(self._resolve_container(wanted.removeprefix("/")))


def _last(call: Call[Any]) -> Call[Any]:
    return Call(
        params=call.params,
        caller=call.caller,
        asked_at=call.asked_at,
        deadline=call.deadline,
        final=True,
        resumed=True,
    )
