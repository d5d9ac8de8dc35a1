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

from agenttower.errors import AgentTowerError, BadRequest, HostOnly, ValidationFailed
from agenttower.rpc.app.binding import refusing
from agenttower.rpc.envelopes import (
    APP,
    INTERNAL_MESSAGE,
    LEGACY,
    RESPONSE_LIMIT,
    Envelope,
    InternalError,
    envelope_of,
)
from agenttower.rpc.framing import (
    MalformedRequest,
    PayloadTooLarge,
    Request,
    RequestTooLarge,
    UnknownMethod,
    namespace_of_head,
    params_object,
    parse_request,
)
from agenttower.rpc.method import Call, Gate, Method, Params, Pending
from agenttower.rpc.methods import MethodTable
from agenttower.services.caller import Caller

log = logging.getLogger(__name__)

_TOO_LONG = (
    f"the answer is longer than {RESPONSE_LIMIT} bytes; ask for less at once: a smaller limit, "
    "or a filter"
)

Identify = Callable[[], Caller]
ResolveContainer = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """One line for the client, its newline included."""

    line: bytes
    stops_server: bool = False
    """The daemon stops once this line has been sent."""
    keep_open: bool = False
    """The client asked to send another request after this answer."""


@dataclass(slots=True)
class Job:
    """A request that passed framing, from its first run to its answer."""

    name: str
    method: Method[Any]
    params: Params
    envelope: Envelope
    asked_at: float
    keep_open: bool = False
    sender_is_there: bool = True
    """Whether the process that connected was alive when the request had come in."""
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
        try:
            request = parse_request(line)
        except MalformedRequest as error:
            return Answer(APP.failure(error))
        except AgentTowerError as error:
            return Answer(LEGACY.failure(error))
        envelope = envelope_of(request.method)
        if envelope is APP:
            return self._accept_app(request)
        try:
            method = self._methods.get(request.method)
            if method is None:
                raise UnknownMethod(request.method)
            params = params_object(request.params)
        except AgentTowerError as error:
            return Answer(envelope.failure(error), keep_open=request.keep_open)
        return Job(request.method, method, params, envelope, time.monotonic(), request.keep_open)

    def _accept_app(self, request: Request) -> Job:
        """In ``app.*`` the peer is looked at before the name and the parameters (section 3)."""
        method = self._methods.get(request.method)
        params = request.params
        if method is None:
            method = refusing(UnknownMethod(request.method))
        elif not isinstance(params, dict):
            method = refusing(ValidationFailed("params", "must be an object"))
        known = params if isinstance(params, dict) else {}
        return Job(request.method, method, known, APP, time.monotonic(), request.keep_open)

    def too_large(self, size: int | None = None) -> Answer:
        """The refusal of a line over the limit.

        :param size: bytes of a line of ``app.*``; ``None`` for one of an older method.
        """
        if size is None:
            return Answer(LEGACY.failure(RequestTooLarge()))
        return Answer(APP.failure(PayloadTooLarge(size)))

    def cut_short(self, head: bytes, what: str) -> Answer:
        """The refusal of a line whose newline never came.

        :param head: what came of it.
        :param what: ``ended before its newline`` or the like.
        """
        if namespace_of_head(head) == "app":
            return Answer(APP.failure(MalformedRequest("missing newline terminator")))
        error = BadRequest(f"the request {what}; send one JSON object, then a newline")
        return Answer(LEGACY.failure(error))

    def host_only(self) -> Answer:
        """The refusal of a long line of ``app.*`` whose rest is of no interest."""
        return Answer(APP.failure(HostOnly()))

    def too_busy(self, message: str) -> Answer:
        """``internal_error`` for a client whose request is not known; any client can read it."""
        return Answer(APP.failure(InternalError(message)))

    def refuse(self, job: Job, message: str) -> Answer:
        """``internal_error`` for a job that cannot be finished, with a message of ours."""
        return Answer(job.envelope.failure(InternalError(message)), keep_open=job.keep_open)

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
                return self.refuse(job, INTERNAL_MESSAGE)
            line = job.envelope.success(outcome)
            if len(line) > RESPONSE_LIMIT:
                log.error("the answer to %s had %d bytes and was not sent", job.name, len(line))
                return self.refuse(job, _TOO_LONG)
            return Answer(line, job.method.stops_server, job.keep_open)
        except AgentTowerError as error:
            return Answer(job.envelope.failure(error), keep_open=job.keep_open)
        except Exception:
            log.exception("%s failed unexpectedly", job.name)
            return self.refuse(job, INTERNAL_MESSAGE)

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
