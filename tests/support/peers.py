"""Peers that a test says are somebody else: containers, or nobody known, without an engine."""

from __future__ import annotations

import itertools
import socket
from typing import Any

import pytest

from agenttower.rpc import door
from agenttower.rpc.peer import Peer, Sight

CONTAINER = Sight(chains=frozenset({("a" * 64,)}))
OTHER_CONTAINER = Sight(chains=frozenset({("b" * 64,)}))
UNKNOWN = Sight(unclear="a test says so")


def pretend(monkeypatch: pytest.MonkeyPatch, *sights: Sight | None) -> None:
    """Whoever connects is, in turn, one of these; ``None`` is who it really is. The last stays."""
    really = Peer.of.__func__  # type: ignore[attr-defined]
    coming = itertools.chain(sights, itertools.repeat(sights[-1]))

    def of(connection: socket.socket, **known: Any) -> Peer:
        peer: Peer = really(Peer, connection, **known)
        peer.sight = next(coming) or peer.sight
        return peer

    monkeypatch.setattr(door.Peer, "of", of)
