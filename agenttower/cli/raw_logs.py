"""Logs as their files are, byte for byte: for who may read the files, on the host."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agenttower.bench import logpages, logplaces, visibility
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation
from agenttower.cli.log_sources import Source
from agenttower.errors import AttachmentNotFound, LogFileMissing
from agenttower.paths import default_paths

PAUSE_SECONDS = 0.2


def show_raw(run: Invocation, found: Sequence[Source], lines: int, *, follow: bool) -> ExitCode:
    """Write the last lines of the files, one after the other; then what is added to one of them.

    :raises LogFileMissing: this machine has no such file, as in a bench.
    """
    if follow and len(found) > 1:
        import click

        raise click.UsageError("--raw follows one log at a time; bytes cannot carry labels.")
    for source in found:
        path = _path(run, source)
        with _opened(path) as file:
            page = logpages.tail(file, lines)
            _write(b"".join(line + b"\n" for line in page.lines) + page.rest)
            place = page.following + len(page.rest)
            while follow:
                place = _go_on(file, place)
    return ExitCode.OK


def _go_on(file: int, place: int) -> int:
    data = os.pread(file, logpages.PAGE_BYTES, place)
    if not data:
        time.sleep(PAUSE_SECONDS)
        return min(place, os.fstat(file).st_size)
    _write(data)
    return place + len(data)


def _path(run: Invocation, source: Source) -> Path:
    status = run.call("attach_log_status", {"agent_id": source.agent_id})
    if status["attachment"] is None:
        raise AttachmentNotFound(f"agent {source.agent_id} has no log")
    return Path(status["attachment"]["log_path"])


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        root = logplaces.root_of(path, default_paths().logs_dir)
        with visibility.opened(path, root) as file:
            yield file
    except OSError as error:
        raise LogFileMissing(
            f"{path} cannot be read here: {error.strerror}; --raw is for the host's files, "
            "leave it out to be shown the log by the daemon"
        ) from error


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
