"""Logging: one line a decision, on standard error."""

from __future__ import annotations

import logging
import sys
import time


class Lines(logging.Formatter):
    """``<time> <level> <action> <message>``; the action is a token out of a closed set."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return time.strftime(datefmt or "%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        record.action = getattr(record, "action", "-")
        return super().format(record)


def configure(level: int = logging.INFO) -> None:
    """Send what we and our libraries log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        Lines(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(action)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("huey", "docker", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
