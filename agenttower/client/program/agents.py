"""``agent``, ``register-self`` and ``logs``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, cast

from agenttower.client.program import exit_codes
from agenttower.client.program.output import Columns, safe
from agenttower.client.program.run import Run, Verbs, flag, group, verb
from agenttower.client.registering import given_of, register_self

AGENTS: Columns = (
    ("AGENT_ID", "agent_id"),
    ("LABEL", "label"),
    ("ROLE", "role"),
    ("CAPABILITY", "capability"),
    ("CONTAINER", "container_id"),
    ("TMUX_PANE", "tmux_pane_id"),
    ("PROJECT", "project_path"),
    ("PARENT", "parent_agent_id"),
    ("ACTIVE", "active"),
    ("ORIGIN", "origin"),
)
REGISTRATION = {
    "role": "slave, swarm, test-runner, shell or unknown",
    "capability": "what runs here, e.g. claude or codex",
    "label": "a name for people",
    "project": "the directory of the project in this container",
    "parent": "the agent that a swarm agent belongs to",
    "log": "the file to capture the output in, instead of the default one",
}
_LINES: tuple[str, Mapping[str, Any]] = (
    "--lines",
    {"type": int, "default": 50, "metavar": "N", "help": "how many (default: %(default)s)"},
)


def add(verbs: Verbs) -> None:
    """Declare the commands."""
    agent = group(verbs, "agent", "look at agents")
    active = ("--active-only", flag("only agents whose pane is alive"))
    role = ("--role", {"action": "append", "help": "only this role"})
    verb(agent, "list", _list_agents, "list the agents", role, active)
    options = [
        (f"--{name}", {"help": words, "default": argparse.SUPPRESS})
        for name, words in REGISTRATION.items()
    ]
    attach = ("--attach-log", flag("capture the pane's output, too"))
    words = "register the agent that runs in this tmux pane"
    verb(verbs, "register-self", _register, words, *options, attach)
    logs = group(verbs, "logs", "what agents have said, without secrets that show")
    name = ("agent", {"help": "an agent's id or label"})
    verb(logs, "show", _show, "show the last lines", name, _LINES)
    verb(logs, "follow", _follow, "show the last lines and go on with new ones", name, _LINES)


def _list_agents(run: Run) -> int:
    agents = run.client.agents.list(role=run.typed.role, active_only=run.typed.active_only)
    if run.output.as_json:
        run.output.result({"agents": agents})
    else:
        run.output.rows(AGENTS, cast("list[Mapping[str, Any]]", agents), "No agents.")
    return exit_codes.OK


def _register(run: Run) -> int:
    def ask(method: str, params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        return run.client.call(method, params, timeout=seconds)

    done = register_self(ask, given_of(vars(run.typed)))
    if run.output.as_json:
        run.output.result(done)
    else:
        run.output.fields(done)
    return exit_codes.OK


def _show(run: Run) -> int:
    page = run.client.logs.read(run.agent_id(run.typed.agent), run.typed.lines)
    if run.output.as_json:
        run.output.result(page)
        return exit_codes.OK
    for line in [*page["lines"], *([] if page["partial"] is None else [page["partial"]])]:
        run.output.line(safe(line.expandtabs()))
    return exit_codes.OK


def _follow(run: Run) -> int:
    agent_id = run.agent_id(run.typed.agent)
    for line in run.client.logs.follow(agent_id, run.typed.lines):
        if run.output.as_json:
            run.output.record({"agent_id": agent_id, "line": line})
        else:
            run.output.line(safe(line.expandtabs()))
    return exit_codes.OK
