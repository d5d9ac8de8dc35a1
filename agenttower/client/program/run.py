"""What one run of the program knows, and how its commands are declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from agenttower.client.program.output import Output
from agenttower.client.socket_path import SocketChoice, choose_socket
from agenttower.errors import AgentTowerError

if TYPE_CHECKING:
    from agenttower.client.tower import Client

PREFIX_LENGTH = 4
"""How many characters of an id are needed at least."""


class Run:
    """A parsed command line, where it writes, and whom it asks."""

    def __init__(self, typed: argparse.Namespace) -> None:
        self.typed = typed
        self.output = Output(bool(getattr(typed, "json", False)))
        self._client: Client | None = None

    @property
    def socket(self) -> SocketChoice:
        """The socket that is meant. :raises SocketOverrideInvalid: the environment is wrong."""
        if self.typed.socket is not None:
            return SocketChoice(Path(self.typed.socket).expanduser().absolute(), "option")
        return choose_socket()

    @property
    def client(self) -> Client:
        """The daemon."""
        if self._client is None:
            from agenttower.client.tower import Client

            self._client = Client(self.socket.path, client_id="agenttower.pyz")
        return self._client

    def container(self) -> str:
        """The bench that is meant: ``--container``, else the one that this process runs in.

        :raises UsageError: on the host there is none of one's own.
        """
        named: str | None = self.typed.container
        own = named or self.client.containers.own()
        if own is None:
            raise UsageError("this is the host; name a bench with --container")
        return own

    def layout_id(self, name: str) -> str:
        """A layout by its id or how that begins."""
        return self._only(name, "layout_id", "layout", self.client.layouts.list())

    def pane_id(self, name: str) -> str:
        """A managed pane by its id, how that begins, or its label: the newest pane of a slot."""
        panes = [*self.client.panes.list()]
        replaced = {pane["predecessor_id"] for pane in panes}
        labelled = [pane for pane in panes if pane["label"] == name]
        newest = [pane for pane in labelled if pane["pane_id"] not in replaced]
        living = [pane for pane in newest if pane["state"] != "removed"] or newest
        if len(living) > 1:
            raise UsageError(f"{len(living)} panes are called {name!r}; see 'agenttower pane list'")
        return living[0]["pane_id"] if living else self._only(name, "pane_id", "pane", panes)

    def agent_id(self, name: str) -> str:
        """An agent by its id or its label; of several with one label the one that is active."""
        if name.startswith("agt_"):
            return name
        found = [row for row in self.client.agents.list() if row["label"] == name]
        living = [row for row in found if row["active"]] or found
        if len(living) == 1:
            return living[0]["agent_id"]
        raise UsageError(f"{len(living)} agents are called {name!r}; see 'agenttower agent list'")

    def _only(self, name: str, key: str, kind: str, rows: Any) -> str:
        found = [row[key] for row in rows if row[key].startswith(name.lower())]
        if len(name) >= PREFIX_LENGTH and len(found) == 1:
            return str(found[0])
        raise UsageError(f"{name!r} fits {len(found)} {kind}s; see 'agenttower {kind} list'")


class UsageError(AgentTowerError):
    """A wrong command line."""

    code = "usage"


class Parser(argparse.ArgumentParser):
    """Tells what is wrong as all errors are told: as JSON where that is wanted."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[Parser]
else:  # which cannot be subscripted at run time
    Verbs = argparse._SubParsersAction

Verb = Callable[[Run], int]


def verb(
    verbs: Verbs, name: str, does: Verb, words: str, *arguments: tuple[str, Mapping[str, Any]]
) -> None:
    """Declare one command.

    :param words: what it does, for ``--help``.
    :param arguments: names and options of ``add_argument``; ``--json`` every command has.
    """
    parser = verbs.add_parser(name, help=words, description=words)
    for argument, options in arguments:
        parser.add_argument(argument, **options)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(verb=does)


def group(verbs: Verbs, name: str, words: str) -> Verbs:
    """A command with commands of its own."""
    parser = verbs.add_parser(name, help=words, description=words)
    return parser.add_subparsers(metavar="COMMAND", dest=f"{name}_command", required=True)


def flag(words: str) -> Mapping[str, Any]:
    """Options of a flag."""
    return {"action": "store_true", "help": words}
