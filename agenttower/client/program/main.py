"""From a command line to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from agenttower import __version__
from agenttower.client.errors import DaemonUnreachable, RpcError, WaitTimedOut
from agenttower.client.program import agents, exit_codes, managed, other, prompts
from agenttower.client.program.output import Output
from agenttower.client.program.run import Parser, Run, UsageError
from agenttower.errors import AgentTowerError

_PREFLIGHT = ("socket_invalid", "host_context_unsupported")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else [*arguments]
    # A wrong option must be reported as JSON too, although --json was not yet read then.
    output = Output("--json" in words)
    try:
        code = _run(words, output)
        sys.stdout.flush()
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except BrokenPipeError:
        # What is buffered would make Python complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OUTPUT_CLOSED
    return code


def _run(words: Sequence[str], output: Output) -> int:
    try:
        run = Run(_parser().parse_args(words))
        return int(run.typed.verb(run))
    except KeyboardInterrupt:
        output.note("interrupted; what was asked for goes on")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        raise
    except DaemonUnreachable as error:
        output.error(error.message, DaemonUnreachable.code)
        return exit_codes.UNREACHABLE
    except WaitTimedOut as error:
        output.error(error.message, error.code)
        return exit_codes.TIMED_OUT
    except RpcError as error:
        output.error(error.message, error.code, error.details)
        return exit_codes.REFUSED
    except UsageError as error:
        output.error(error.message, error.code)
        return exit_codes.USAGE
    except AgentTowerError as error:
        output.error(error.message, error.code, error.details)
        return exit_codes.INTERNAL if error.code in _PREFLIGHT else exit_codes.REFUSED
    except Exception as error:
        if os.environ.get("AGENTTOWER_DEBUG"):
            raise
        output.error(
            f"unexpected {type(error).__name__}: {error}; "
            "set AGENTTOWER_DEBUG=1 to see where, and please report it",
            "internal_error",
        )
        return exit_codes.INTERNAL


def _parser() -> Parser:
    parser = Parser(
        "agenttower",
        description="AgentTower from inside a bench: the part of the full program that needs "
        "nothing but Python 3.9. A client in a bench acts on its own container only.",
    )
    parser.add_argument("--version", action="version", version=f"agenttower {__version__}")
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    verbs = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    other.add(verbs)
    managed.add(verbs)
    agents.add(verbs)
    prompts.add(verbs)
    return parser
