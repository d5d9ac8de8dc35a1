"""From a declaration and a handler to an entry of the method table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from agenttower.errors import AgentTowerError
from agenttower.protocol.declaration import Declaration, Params
from agenttower.rpc.app.decode import TOKEN, app_params
from agenttower.rpc.app.errors import AppError
from agenttower.rpc.app.sessions import AppSession, AppSessions
from agenttower.rpc.method import DEFAULT_DEADLINE_S, Call, Gate, Method, Pending, Result

P = TypeVar("P")
Handler = Callable[[Call[Any]], Result | Pending]
Decode = Callable[[Params], Any]


@dataclass(frozen=True, slots=True)
class InSession(Generic[P]):
    """The parameters of a method that needs a session, and the session."""

    session: AppSession
    params: P


def app_method(
    declared: Declaration,
    handler: Handler,
    sessions: AppSessions,
    *,
    decode: Decode | None = None,
    deadline_s: float = DEFAULT_DEADLINE_S,
    until_the_end: bool = False,
) -> Method[Any]:
    """One method of ``app.*``: its gates in the order of section 3, then the handler.

    :param handler: gets ``Call[InSession[P]]`` where a session is declared, else ``Call[P]``.
    :param decode: instead of the struct's own check.
    :param deadline_s: seconds that one run may take.
    :param until_the_end: it answers also while the daemon stops.
    """
    shape = decode or app_params(declared.params)

    def guarded(params: Params) -> Any:
        if not declared.session:
            return shape(params)
        session = sessions.require(params.get(TOKEN))
        return InSession(session, shape(params))

    def run(call: Call[Any]) -> Result | Pending:
        if call.final and not call.resumed and not until_the_end:
            raise AppError(
                "internal_error",
                "the daemon is stopping; nothing was done: ask again when it is back",
                reason="shutting_down",
            )
        return handler(call)

    return Method(guarded, run, declared.gate, deadline_s, declared=declared)


def refusing(error: AgentTowerError) -> Method[Any]:
    """A method for the host that does nothing but refuse; to a bench it is like any other."""

    def refuse(_: object) -> Result:
        raise error

    return Method(lambda params: params, refuse, Gate.HOST)
