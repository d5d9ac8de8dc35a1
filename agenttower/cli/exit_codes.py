"""What the command line's exit codes mean. Scripts branch on them, so they never change."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """One number for each way that a command can end."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED = 3
    LAYOUT_FAILED = 4
    DEGRADED = 5
    UNREACHABLE = 6
    TIMED_OUT = 7
    DECLINED = 8
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.INTERNAL: "unexpected error, or unusable settings",
    ExitCode.USAGE: "wrong command, option or argument; serve, worker, up: one runs already",
    ExitCode.REFUSED: "refused, or a file is not valid ('code:' says why); a prompt is blocked",
    ExitCode.LAYOUT_FAILED: "the layout, the recreated pane, or a prompt ended failed",
    ExitCode.DEGRADED: "the layout, the recreated pane, or the scan ended degraded",
    ExitCode.UNREACHABLE: "the daemon cannot be reached",
    ExitCode.TIMED_OUT: "--timeout ran out: a layout is still being made, a prompt still queued",
    ExitCode.DECLINED: "a question was answered with no; nothing was done",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C; what was asked for goes on",
    ExitCode.OUTPUT_CLOSED: "nobody reads the output any more",
}


def table() -> str:
    """The codes and their meanings, one a line, for ``--help``."""
    return "\n".join(f"  {code.value:>3}  {text}" for code, text in MEANING.items())
