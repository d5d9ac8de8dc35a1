"""As whom this process speaks to the queue: as the operator on the host, or as a pane's agent."""

from __future__ import annotations

from typing import Any

from agenttower.cli.invocation import Invocation


def caller_pane(run: Invocation) -> dict[str, Any] | None:
    """The ``caller_pane`` of a process in a bench; ``None`` on the host.

    :raises AgentTowerError: as :func:`agenttower.client.speaking.caller_pane`.
    """
    from agenttower.client import speaking

    return speaking.caller_pane(run.call)
