"""``attach_log``, ``detach_log``, ``attach_log_status``, ``attach_log_preview``, ``logs.read``.

Legacy surfaces part 1, section 9; ``logs.read`` is additive. Attaching and detaching wait for the
worker without holding a thread; what was accepted goes on whether or not anybody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from agenttower.errors import LogChangeUnderWay
from agenttower.protocol import logs as declared
from agenttower.protocol.logs import AttachLog, DetachLog, LogPreview, LogStatus, ReadLog
from agenttower.rpc.method import Call, Method, Params, Pending, Result, entry
from agenttower.rpc.schemas_logs import Order, exact, ordering
from agenttower.rpc.services_logs import LogServices

CHANGE_WAIT_S = 35.0

S = TypeVar("S", bound=msgspec.Struct)


def log_methods(services: LogServices) -> dict[str, Method[Any]]:
    """The log methods over one set of services."""

    def attach(call: Call[Order[AttachLog]]) -> Result | Pending:
        wanted, change_id = call.params.params, call.params.change_id
        begun = services.logs.begin_attach(call.caller, change_id, wanted.agent_id, wanted.log_path)
        return _changed(services, begun, call, "attach_log")

    def detach(call: Call[Order[DetachLog]]) -> Result | Pending:
        wanted, change_id = call.params.params, call.params.change_id
        begun = services.logs.begin_detach(call.caller, change_id, wanted.agent_id)
        return _changed(services, begun, call, "detach_log")

    def status(call: Call[LogStatus]) -> Result:
        return services.log_reading.status(call.caller, call.params.agent_id)

    def preview(call: Call[LogPreview]) -> Result:
        wanted = call.params
        return services.log_reading.preview(call.caller, wanted.agent_id, wanted.lines)

    def read(call: Call[ReadLog]) -> Result | Pending:
        wanted = call.params
        page = services.log_reading.read(
            call.caller,
            wanted.agent_id,
            lines=wanted.lines,
            offset=wanted.offset,
            file_id=wanted.file,
        )
        nothing_new = wanted.offset is not None and page["next"] == wanted.offset
        if nothing_new and wanted.wait_seconds > 0 and not call.final:
            return Pending(call.asked_at + wanted.wait_seconds)
        return page

    def our_schema() -> object:
        return services.status(whole=False)["schema_version"]

    def shaped(struct: type[S]) -> Callable[[Params], S]:
        return exact(struct, our_schema)

    def ordered(struct: type[S]) -> Callable[[Params], Order[S]]:
        return ordering(shaped(struct))

    return dict(
        (
            entry(declared.ATTACH, ordered, attach),
            entry(declared.DETACH, ordered, detach),
            entry(declared.STATUS, shaped, status),
            entry(declared.PREVIEW, shaped, preview),
            entry(declared.READ, shaped, read),
        )
    )


def _changed(
    services: LogServices, begun: bool, call: Call[Order[Any]], key: str
) -> Result | Pending:
    """The outcome of a change that was begun, or whose turn has not come."""
    outcome = services.logs.outcome(call.params.change_id) if begun else None
    if outcome is not None:
        changed: Result = outcome[key]
        return changed
    if call.final:
        raise LogChangeUnderWay(call.params.params.agent_id)
    return Pending(call.asked_at + CHANGE_WAIT_S)
