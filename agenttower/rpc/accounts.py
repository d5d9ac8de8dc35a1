"""What each peer has at the moment, so that none has more than its share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agenttower.rpc.limits import Limits, Share
from agenttower.services.caller import CallerKind

if TYPE_CHECKING:
    from agenttower.rpc.connection import Connection


@dataclass(eq=False, slots=True)
class Account:
    """One peer, while it has a connection. Owned by the reactor; the pool only compares it.

    Two with one key are equal: a peer whose last connection was given up is still the one that
    its running requests are counted for.
    """

    key: str
    kind: CallerKind
    share: Share
    connections: dict[Connection, None] = field(default_factory=dict)
    """The oldest first."""
    parked: int = 0
    held_bytes: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def is_host(self) -> bool:
        return self.kind == "host"


class Accounts:
    """All peers that have a connection now."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_key: dict[str, Account] = {}
        self._held_bytes = 0
        self.foreign = 0
        """Connections that are not the host's."""

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, key: str, kind: CallerKind) -> Account:
        """The account of a peer, new where it has no connection yet."""
        return self._by_key.get(key) or Account(key, kind, self._limits.share(kind))

    def is_full(self, account: Account) -> bool:
        """Whether one more connection of this peer would be one too many."""
        if len(account.connections) >= account.share.connections:
            return True
        return not account.is_host and self.foreign >= self._limits.foreign_connections

    def strangers(self) -> list[Connection]:
        """Every connection that is not the host's, the oldest of each peer first."""
        return [
            connection
            for account in self._by_key.values()
            if not account.is_host
            for connection in account.connections
        ]

    def enter(self, connection: Connection) -> None:
        """Count a connection on its account."""
        account = connection.account
        self._by_key[account.key] = account
        account.connections[connection] = None
        self.foreign += not account.is_host

    def leave(self, connection: Connection) -> None:
        """Forget a connection and what it held."""
        account = connection.account
        self.release(connection)
        del account.connections[connection]
        self.foreign -= not account.is_host
        if not account.connections:
            del self._by_key[account.key]

    def hold(self, connection: Connection, size: int) -> bool:
        """Set aside memory for a long request or answer of this connection.

        :param size: bytes.
        :returns: whether there is room; a peer that holds nothing always has it.
        """
        account = connection.account
        mine = account.held_bytes + size <= account.share.held_bytes
        ours = self._held_bytes + size <= self._limits.held_bytes
        if account.held_bytes and not (mine and ours):
            return False
        connection.held_bytes += size
        account.held_bytes += size
        self._held_bytes += size
        return True

    def release(self, connection: Connection) -> None:
        """The connection holds nothing any more."""
        size, connection.held_bytes = connection.held_bytes, 0
        connection.account.held_bytes -= size
        self._held_bytes -= size
