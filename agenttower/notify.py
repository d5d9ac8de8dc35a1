"""Telling the service manager how this process is (systemd's ``sd_notify`` protocol).

A datagram to the socket that ``NOTIFY_SOCKET`` names. Without the variable nobody asked, and
nothing happens. The protocol is this one function; a library for it would keep a socket open that
nothing closes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"

PATIENCE_S = 1.0
"""A manager whose queue is full must not hold us up for longer."""


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Tell ``state``, e.g. :data:`READY`; several assignments stand on lines of their own.

    Never raises: a manager that does not listen is not our failure.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.settimeout(PATIENCE_S)
        sender.sendto(state.encode(), address)
