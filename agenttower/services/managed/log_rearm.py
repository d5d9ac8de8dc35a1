"""Making the log of a settled pane again, whose pipe has ended or whose file has gone."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from agenttower.bench import logfiles
from agenttower.bench.interface import Bench, Deadline, PaneView
from agenttower.services.log_place import Place
from agenttower.services.managed.pane_stage import Parts, prepare_log
from agenttower.store import agent_logs, layouts, log_changes
from agenttower.store.agent_logs import AttachmentRecord
from agenttower.store.layouts import PaneRecord

log = logging.getLogger(__name__)

LOG_WAIT_S = 2.0


def rearm(
    parts: Parts, bench: Bench, pane: PaneRecord, view: PaneView, deadline: Deadline
) -> Place | None:
    """See to it that the pane's output reaches its log, unless that is being changed just now.

    :return: the log, where its attachment has to be made active again.
    :raises LogNotVisible: or LogTimeout: the log cannot be made again.
    """
    with parts.turns.at(pane.reserved_agent_id):
        if log_changes.under_way(pane.reserved_agent_id) is not None:
            return None
        known = agent_logs.current(pane.reserved_agent_id)
        there = _is_there(bench, pane, known, deadline)
        if view.piped and there and known is not None and known.status == "active":
            return None
        place = prepare_log(parts, bench, pane, deadline)
        if not (view.piped and there):
            bench.ensure_pipe(pane.tmux_token, place.bench_path, deadline, anew=not there)
            until = min(deadline, time.monotonic() + LOG_WAIT_S)
            logfiles.wait_for_log(Path(pane.log_path), until)
            log.warning("log pipe of %s re-armed", pane.label, extra={"action": "log_rearmed"})
        return place


def is_still_due(pane: PaneRecord) -> bool:
    """Whether nobody has detached the log, or put it elsewhere, since it was made again."""
    there = layouts.pane(pane.pane_id)
    unchanged = there is not None and there.log_attached and there.log_path == pane.log_path
    return unchanged and log_changes.under_way(pane.reserved_agent_id) is None


def _is_there(
    bench: Bench, pane: PaneRecord, known: AttachmentRecord | None, deadline: Deadline
) -> bool:
    """Whether the file is there; for one that no mount shows, whether it is written."""
    if known is not None and known.via == "exec" and known.bench_path is not None:
        return bench.is_written(known.bench_path, deadline)
    return logfiles.log_is_proven(Path(pane.log_path))
