"""Finds, when a worker starts, logs that are written although no row speaks of them.

That may be so after an older database was restored. They are told of and left alone (legacy
surfaces part 1, section 11): nobody knows whether the pipe is still wanted.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from agenttower.bench import logfiles
from agenttower.bench.interface import Deadline
from agenttower.domain.identifiers import is_agent_id
from agenttower.domain.states import LABEL_HOLDERS
from agenttower.errors import LogNotVisible
from agenttower.services import log_signals
from agenttower.services.agent_log_steps import LogParts
from agenttower.store import agent_logs, agents, layouts, log_changes


def tell_of_orphans(parts: LogParts, container_id: str, deadline: Deadline) -> int:
    """Look for them at the usual place of one container's logs; returns how many there are.

    :raises BenchError: the container could not be asked.
    """
    bench = parts.benches.get(container_id)
    usual = parts.places.usual_path(container_id, "agent")
    try:
        directory = PurePosixPath(logfiles.bench_path(bench.info, usual)).parent
    except LogNotVisible:
        return 0
    found = 0
    for path in sorted(bench.written_in(str(directory), deadline)):
        agent_id = PurePosixPath(path).stem
        if not is_agent_id(agent_id) or _is_accounted_for(agent_id):
            continue
        agent = agents.by_id(agent_id)
        pane = None if agent is None else agent.tmux_pane_id
        log_signals.orphan(container_id, agent_id, pane, path)
        found += 1
    return found


def _is_accounted_for(agent_id: str) -> bool:
    known = agent_logs.current(agent_id)
    if known is not None and known.status == "active":
        return True
    # A pane of ours is piped from its first moment; what becomes of it is looked after elsewhere.
    pane = layouts.pane_of_agent(agent_id)
    living = pane is not None and pane.state in LABEL_HOLDERS
    return living or log_changes.under_way(agent_id) is not None
