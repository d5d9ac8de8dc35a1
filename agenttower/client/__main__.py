"""``python3 -m agenttower.client register-self``: for benches that have Python and nothing else.

The same as ``agenttower register-self``, which needs the whole package's dependencies.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from agenttower.client.connection import call
from agenttower.client.errors import DaemonUnreachable, RpcError
from agenttower.client.registering import given_of, register_self
from agenttower.client.socket_path import resolve_socket
from agenttower.errors import AgentTowerError

PREFLIGHT, REFUSED, UNREACHABLE = 1, 3, 6
"""Exit codes, as those of the ``agenttower`` command."""

_PREFLIGHT_CODES = ("socket_invalid", "host_context_unsupported")


OPTIONS = {
    "role": "slave, swarm, test-runner, shell or unknown",
    "capability": "what runs here, e.g. claude or codex",
    "label": "a name for people",
    "project": "the directory of the project in this container",
    "parent": "the agent that a swarm agent belongs to",
    "log": "the file to capture the output in, instead of the default one",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    parser = argparse.ArgumentParser("python3 -m agenttower.client")
    commands = parser.add_subparsers(dest="command", required=True)
    own = commands.add_parser("register-self", help="register the agent that runs in this pane")
    for name, text in OPTIONS.items():
        own.add_argument(f"--{name}", help=text, default=argparse.SUPPRESS)
    own.add_argument("--attach-log", action="store_true", help="capture the pane's output, too")
    own.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = vars(parser.parse_args(arguments))
    return _run(wanted)


def _run(wanted: Mapping[str, Any]) -> int:
    as_json = bool(wanted["json"])
    try:
        socket = resolve_socket()
        done = register_self(
            lambda method, params, seconds: call(socket, method, params, seconds),
            given_of(wanted),
        )
    except RpcError as error:
        return _refused(error.code, error.message, as_json, REFUSED)
    except DaemonUnreachable as error:
        return _refused("daemon_unavailable", error.message, as_json, UNREACHABLE)
    except AgentTowerError as error:
        exit_code = PREFLIGHT if error.code in _PREFLIGHT_CODES else REFUSED
        return _refused(error.code, error.message, as_json, exit_code)
    if as_json:
        _say({"ok": True, "result": done})
    else:
        for name, value in done.items():
            sys.stdout.write(f"{name}={_plain(value)}\n")
    return 0


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def _plain(value: object) -> str:
    """Text as it is where a terminal can only show it, everything else as JSON."""
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


def _refused(code: str, message: str, as_json: bool, exit_code: int) -> int:
    if as_json:
        _say({"ok": False, "error": {"code": code, "message": message}})
    else:
        sys.stderr.write(f"error: {message}\ncode: {code}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
