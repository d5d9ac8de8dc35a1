"""Turning whatever a command raised into words and an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from agenttower.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from agenttower.cli.output import Output

DEBUG_VARIABLE = "AGENTTOWER_DEBUG"

# Raised before anything was asked of a daemon: this process cannot work as it is set up.
_PREFLIGHT = frozenset(
    {
        "config_invalid",
        "state_refused",
        "already_running",
        "socket_invalid",
        "host_context_unsupported",
        "not_initialised",
    }
)


class Ambiguous(click.UsageError):
    """A name fits several objects; ``candidates`` are those, as they are in lists."""

    def __init__(self, message: str, candidates: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.candidates = [dict(candidate) for candidate in candidates]


def report(output: Output, error: BaseException) -> ExitCode:
    """Tell the operator about ``error``.

    :returns: the exit code for it.
    """
    if isinstance(error, click.UsageError):
        return _usage(output, error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        output.note("interrupted")
        return ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return ExitCode.OUTPUT_CLOSED
    return _failure(output, error)


def _usage(output: Output, error: click.UsageError) -> ExitCode:
    if output.json_mode:
        details = {"candidates": error.candidates} if isinstance(error, Ambiguous) else None
        output.error(error.format_message(), "usage", details)
    else:
        error.show(file=output.stderr)
    return ExitCode.USAGE


def _failure(output: Output, error: BaseException) -> ExitCode:
    from agenttower.client import DaemonUnreachable, RpcError
    from agenttower.errors import AgentTowerError

    if isinstance(error, DaemonUnreachable):
        output.error(str(error), "daemon_unavailable")
        return ExitCode.UNREACHABLE
    if isinstance(error, RpcError):
        output.error(error.message, error.code, error.details)
        return ExitCode.REFUSED
    if isinstance(error, AgentTowerError):
        output.error(error.message, error.code, error.details)
        return ExitCode.INTERNAL if error.code in _PREFLIGHT else ExitCode.REFUSED
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error, file=output.stderr)
    output.error(
        f"unexpected {type(error).__name__}: {error}; "
        f"set {DEBUG_VARIABLE}=1 to see where, and please report it",
        "internal_error",
    )
    return ExitCode.INTERNAL
