"""What one run of the command line knows: which daemon to ask, and how to print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agenttower.cli.output import Output

if TYPE_CHECKING:
    from agenttower.client import SocketChoice

CALL_SECONDS = 35.0
"""Longer than the daemon allows itself, so that its own word on what took too long arrives."""

PAGE = 200


class Invocation:
    """Shared by every command of one run; click carries it as the context's object."""

    def __init__(self) -> None:
        self.output = Output()
        self.socket_option: str | None = None

    @cached_property
    def socket(self) -> Path:
        """The daemon's socket: ``--socket``, else the environment, else the usual place.

        Chosen once, so that a daemon may be restarted, and its socket be gone, meanwhile.

        :raises SocketOverrideInvalid: the environment names nothing that can be used.
        """
        return self.socket_choice.path

    @cached_property
    def socket_choice(self) -> SocketChoice:
        """The socket, and why it is that one; ``option`` is what ``--socket`` names.

        :raises SocketOverrideInvalid: as :attr:`socket`.
        """
        from agenttower.client import SocketChoice, choose_socket

        if self.socket_option is not None:
            return SocketChoice(Path(self.socket_option).expanduser().absolute(), "option")
        return choose_socket()

    def call(
        self, method: str, params: Mapping[str, Any], timeout: float = CALL_SECONDS
    ) -> dict[str, Any]:
        """Ask the daemon. ``timeout`` in seconds.

        :raises RpcError: the daemon refused.
        :raises DaemonUnreachable: no answer.
        """
        from agenttower.client import call

        return call(self.socket, method, params, timeout)

    def pages(
        self, method: str, params: Mapping[str, Any], limit: int | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The items of a paged list: all of them, or the first ``limit``.

        :returns: the items and, where ``limit`` cut the list, the cursor of what follows.
        """
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            size = PAGE if limit is None else min(PAGE, limit - len(items))
            position = {} if cursor is None else {"after": cursor}
            page = self.call(method, {**params, **position, "limit": size})
            items += page["items"]
            cursor = page.get("next")
            if cursor is None or (limit is not None and len(items) >= limit):
                return items, cursor

    def container_names(self) -> dict[str, str]:
        """Names of the containers that the daemon knows, by id."""
        answer = self.call("list_containers", {})
        return {row["id"]: row["name"] for row in answer["containers"]}

    def name_containers(self, rows: Iterable[dict[str, Any]]) -> None:
        """Give each row its container's name, where people will read it."""
        if self.output.for_people:
            names = self.container_names()
            for row in rows:
                row["container_name"] = names.get(row["container_id"])

    def container_id(self, wanted: str) -> str:
        """The id for a container given by id, by its first 12 characters, or by name.

        :raises ContainerNotFound: the daemon knows no such name.
        """
        from agenttower.errors import ContainerNotFound

        if len(wanted) in (12, 64) and not set(wanted) - set("0123456789abcdef"):
            return wanted
        for container_id, name in self.container_names().items():
            if name == wanted:
                return container_id
        raise ContainerNotFound(wanted)


pass_run = click.make_pass_decorator(Invocation)


def given(**params: object) -> dict[str, object]:
    """The parameters that the operator set: none and empty tuples left out, tuples as lists."""

    def items() -> Iterator[tuple[str, object]]:
        for name, value in params.items():
            if isinstance(value, tuple):
                if value:
                    yield name, list(value)
            elif value is not None:
                yield name, value

    return dict(items())
