"""``app.preflight`` and ``app.hello`` (app surface, section 9): the two without a session."""

from __future__ import annotations

from typing import Any

from agenttower import __version__
from agenttower.protocol.app.bootstrap import (
    HELLO,
    PREFLIGHT,
    Hello,
    MinorRange,
    Preflight,
    Welcome,
)
from agenttower.protocol.app.version import MAJOR, SUPPORTED_MINOR_RANGE, VERSION
from agenttower.protocol.declaration import NoParams
from agenttower.rpc.app.binding import app_method
from agenttower.rpc.app.errors import AppError
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Result
from agenttower.rpc.services import Services


def bootstrap_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """What a client says first, over one set of services."""

    def preflight(call: Call[NoParams]) -> Result:
        if call.final:
            return Preflight(True, False, "daemon_unavailable")
        return Preflight(True, True, "ok")

    def hello(call: Call[Hello]) -> Result:
        wanted = call.params
        if wanted.client_app_contract_major != MAJOR:
            raise AppError(
                "app_contract_major_unsupported",
                f"this daemon speaks version {VERSION} of the app contract and the client "
                f"version {wanted.client_app_contract_major}; update the older of the two",
                daemon_app_contract_version=VERSION,
                client_app_contract_major=wanted.client_app_contract_major,
            )
        status = services.status(whole=False)
        session = sessions.open(
            client_id=wanted.client_id,
            client_version=wanted.client_version,
            major=wanted.client_app_contract_major,
            uid=call.caller.uid,
        )
        return Welcome(
            app_session_token=session.token,
            app_session_id=session.id,
            daemon_version=__version__,
            schema_version=int(str(status["schema_version"])),
            app_contract_version=VERSION,
            supported_minor_range=MinorRange(**SUPPORTED_MINOR_RANGE),
            host_user_id=str(session.uid),
            capability_flags={},
        )

    return {
        HELLO.name: app_method(HELLO, hello, sessions),
        PREFLIGHT.name: app_method(PREFLIGHT, preflight, sessions, until_the_end=True),
    }
