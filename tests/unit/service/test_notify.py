"""Telling the service manager: what is sent, where to, and that nobody listening is no failure."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttower.notify import READY, notify


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.settimeout(5)
        yield receiver


def test_a_path(receiver: socket.socket, tmp_path: Path) -> None:
    receiver.bind(str(tmp_path / "s"))
    notify(READY, {"NOTIFY_SOCKET": str(tmp_path / "s")})
    assert receiver.recv(100) == b"READY=1"


def test_an_abstract_socket(receiver: socket.socket) -> None:
    name = f"at-{uuid.uuid4().hex}"
    receiver.bind(f"\0{name}")
    notify(READY, {"NOTIFY_SOCKET": f"@{name}"})
    assert receiver.recv(100) == b"READY=1"


def test_nobody_there(tmp_path: Path) -> None:
    for address in (str(tmp_path / "nobody"), "", "vsock:2:1234", f"@{uuid.uuid4().hex}"):
        notify(READY, {"NOTIFY_SOCKET": address})
    notify(READY, {})


def test_a_manager_that_does_not_read_holds_nobody_up(
    receiver: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agenttower.notify.PATIENCE_S", 0.001)
    receiver.bind(str(tmp_path / "s"))
    for _ in range(600):  # more than the kernel keeps for a datagram socket
        notify(READY, {"NOTIFY_SOCKET": str(tmp_path / "s")})
