"""What rows are called in ``app.*``, said once: for its lists and for the counts beside them.

Each constant is a piece of SQL. Expressions expect the tables that they name in ``FROM``.
"""

from __future__ import annotations

from agenttower.store.panes import ID_OF_TOKEN, PANE_KEY

CONTAINER_STATE = (
    "CASE WHEN NOT container.active THEN 'inactive'"
    " WHEN container.pane_scan_error IS NOT NULL THEN 'degraded_scan' ELSE 'active' END"
)
"""The state of a ``container`` (app surface, section 7.1).

Stopped or gone; running, and a part at least of the last look at its panes failed; running, and it
worked, or was never made.
"""

_SAME_PANE = " AND ".join(f"pane.{name} = agent.{name}" for name in PANE_KEY)

RESIDENTS = f"""
SELECT pane.id AS pane, agent.container_id AS container_id, agent.agent_id AS agent_id
FROM agent JOIN pane ON {_SAME_PANE}
WHERE agent.active AND agent.origin = 'adopted' AND pane.active AND NOT EXISTS (
  SELECT 1 FROM managed_pane WHERE managed_pane.pane_id = {ID_OF_TOKEN}
  AND managed_pane.container_id = pane.container_id)
UNION ALL
SELECT pane.id, agent.container_id, agent.agent_id
FROM agent JOIN managed_pane ON managed_pane.reserved_agent_id = agent.agent_id
JOIN pane ON pane.token = REPLACE(managed_pane.pane_id, '-', '') AND pane.token <> ''
  AND managed_pane.pane_id = {ID_OF_TOKEN} AND pane.container_id = managed_pane.container_id
WHERE agent.active AND pane.active
"""
"""The registered panes (``pane.id``), each with the active agent in it: columns ``pane``,
``container_id`` and ``agent_id``.

An adopted agent is linked by all six parts of the key, a managed one by the token in its pane
(docs/decisions/0023). A pane has one agent at most; a pane that tmux shows in two sessions is two
rows with one agent. It can be entered from either side: the token is compared both ways, so that
an index serves whoever begins at the active agents, which are few, or at one pane.
"""

ATTACHED = "SELECT agent_id FROM log_attachment WHERE status = 'active'"
"""The agents whose output is captured now: ``log_attached``, ``log-attached``."""

PANE_IS_STALE = "(NOT pane.active OR pane.last_seen_at < COALESCE(container.panes_scanned_at, 0))"
"""A ``pane`` that is gone, or that the last look which worked in its ``container`` did not see."""

PANE_ACTIVE = f"""CASE agent.origin WHEN 'managed' THEN EXISTS (
  SELECT 1 FROM managed_pane WHERE managed_pane.reserved_agent_id = agent.agent_id
  AND managed_pane.state IN ('creating', 'ready', 'degraded')
  AND managed_pane.tmux_pane_id IS NOT NULL)
ELSE EXISTS (
  SELECT 1 FROM pane WHERE {_SAME_PANE} AND pane.active
  AND COALESCE(agent.tmux_server, pane.tmux_server) = pane.tmux_server) END"""
"""Whether the pane of an ``agent`` is there.

The last scan saw an adopted agent's pane, on the server on which it was registered; a managed
agent's pane stands by its own record, since its health is watched between scans too. The same two
questions decide whether a prompt can reach an agent (:mod:`agenttower.store.targets`).
"""
