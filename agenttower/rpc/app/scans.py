"""``app.scan.*`` (app surface, section 12). Who waits for a scan holds no thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agenttower.errors import ValidationFailed
from agenttower.protocol.app.scans import (
    SCAN_CONTAINERS,
    SCAN_PANES,
    SCAN_STATUS,
    Scan,
    ScanKind,
    ScanParams,
    ScanStatus,
    ScanStatusParams,
)
from agenttower.protocol.declaration import Declaration, Params
from agenttower.rpc.app.binding import Handler, InSession, app_method
from agenttower.rpc.app.decode import app_params
from agenttower.rpc.app.errors import AppError
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Pending, Result
from agenttower.rpc.services import Services
from agenttower.services.scans import ScanRecord

WAIT_S = 30.0
"""So long ``wait: true`` waits."""

_MS = 1000
"""Microseconds."""


@dataclass(slots=True)
class Order:
    """A request for a scan, which remembers from run to run which scan it waits for."""

    wait: bool
    scan_id: str = ""


def scan_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """The scan methods over one set of services."""

    def scan(kind: ScanKind) -> Handler:
        def handler(call: Call[InSession[Order]]) -> Result | Pending:
            order = call.params.params
            if order.scan_id:
                record = known(order.scan_id)
            else:
                record = services.scans.begin(kind)
                order.scan_id = record.scan_id
            if not order.wait:
                return Scan(record.scan_id, "running")
            if record.result is not None:
                return Scan(record.scan_id, record.state, record.result)
            if not call.final:
                return Pending(call.asked_at + WAIT_S)
            raise AppError(
                "scan_timeout",
                f"the scan has not ended within {WAIT_S:g} s and goes on; "
                "ask for it with app.scan.status",
                scan_id=record.scan_id,
            )

        return handler

    def status(call: Call[InSession[ScanStatusParams]]) -> Result:
        record = known(call.params.params.scan_id)
        return ScanStatus(
            state=record.state,
            scan_kind=record.kind,
            started_at=record.started_at // _MS,
            completed_at=None if record.completed_at is None else record.completed_at // _MS,
            result=record.result,
        )

    def known(scan_id: str) -> ScanRecord:
        record = services.scans.show(scan_id)
        if record is None:
            raise AppError(
                "scan_not_found",
                "no scan of this id is known: only the last 100 are kept, and a daemon that "
                "restarts forgets them; start another",
                scan_id=scan_id,
            )
        return record

    def scanning(declared: Declaration, kind: ScanKind) -> Method[Any]:
        return app_method(declared, scan(kind), sessions, decode=decode_order)

    return {
        SCAN_CONTAINERS.name: scanning(SCAN_CONTAINERS, "containers"),
        SCAN_PANES.name: scanning(SCAN_PANES, "panes"),
        SCAN_STATUS.name: app_method(SCAN_STATUS, status, sessions),
    }


def decode_order(params: Params) -> Order:
    """Check ``wait``. :raises ValidationFailed: in the contract's words."""
    try:
        return Order(_decode(params).wait)
    except ValidationFailed as error:
        raise ValidationFailed("wait", "wrong type") from error


_decode = app_params(ScanParams)
