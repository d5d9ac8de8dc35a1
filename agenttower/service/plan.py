"""What the units of an installation say: pure text from a few facts.

The templates in ``units/`` are the units as they will stand, with ``@NAME@`` where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from agenttower.errors import ServiceRefused

SERVE = "agenttower-serve.service"
WORKER = "agenttower-worker.service"
TMUX = "agenttower-tmux.service"
UNITS = (TMUX, SERVE, WORKER)
"""In the order in which they are started."""

STATE_DIRECTORY = "opensoft/agenttower"
SYSTEM_BASES = {"XDG_CONFIG_HOME": "/etc", "XDG_STATE_HOME": "/var/lib"}
"""Where a machine-wide installation has its directories."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


@dataclass(frozen=True)
class Plan:
    """The facts.

    :param python: the interpreter that runs this program; absolute.
    :param environment: what both processes need to be told.
    :param user: whose the processes are, machine-wide; ``None`` makes user units.
    :param group: that user's group.
    :param tmux: absolute path of tmux where the local bench is wanted, else ``None``.
    :param tmux_socket: where the local bench's tmux listens.
    """

    python: str
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    group: str | None = None
    tmux: str | None = None
    tmux_socket: str = ""

    @property
    def system(self) -> bool:
        """Machine-wide, not for one user's manager."""
        return self.user is not None


def units(plan: Plan) -> dict[str, str]:
    """The unit files by name.

    :raises ServiceRefused: a path or value cannot stand in a unit file.
    """
    names = UNITS if plan.tmux is not None else (SERVE, WORKER)
    return {name: _unit(name, plan) for name in names}


def _unit(name: str, plan: Plan) -> str:
    values = {
        "SYSTEMCTL": "systemctl" if plan.system else "systemctl --user",
        "PYTHON": program(plan.python),
        "ENVIRONMENT": "\n".join(
            f"Environment={quote(f'{key}={value}')}"
            for key, value in sorted(plan.environment.items())
        ),
        "IDENTITY": _identity(plan),
        "AFTER": _after(plan),
        "TARGET": "multi-user.target" if plan.system else "default.target",
        "TMUX": program(plan.tmux or ""),
        "TMUX_SOCKET": argument(plan.tmux_socket),
        "TMUX_UNIT": TMUX if plan.tmux is not None else "",
    }
    template = resources.files(__package__).joinpath("units", name).read_text(encoding="utf-8")
    lines = []
    for line in template.splitlines():
        filled = _PLACEHOLDER.sub(lambda found: values[found[1]], line).rstrip()
        if filled or not line:  # a line that was only a placeholder for nothing goes
            lines.append(filled)
    return "\n".join(lines) + "\n"


def _after(plan: Plan) -> str:
    # Engines are units of the system; a user's manager cannot wait for them.
    engines = ["docker.service", "podman.socket"] if plan.system else []
    others = [TMUX, *engines] if plan.tmux is not None else engines
    return f"After={' '.join(others)}" if others else ""


def _identity(plan: Plan) -> str:
    if not plan.system:
        return ""
    return "\n".join(
        (
            f"User={plan.user}",
            f"Group={plan.group}",
            f"StateDirectory={STATE_DIRECTORY}",
            "StateDirectoryMode=0700",
        )
    )


def program(path: str) -> str:
    """The first word of an ``ExecStart``. systemd allows less in it than in others.

    :raises ServiceRefused: the path cannot be said there.
    """
    taken = sorted(set(path) & set("$\"'\\"))
    if taken:
        raise ServiceRefused(
            f"{path!r} has {' '.join(taken)}, which systemd cannot take in a program's path; "
            "install it under another path"
        )
    return quote(path)


def argument(text: str) -> str:
    """A further word of an ``ExecStart``, taken as it is."""
    return quote(text.replace("$", "$$"))


def quote(text: str) -> str:
    """One word as systemd reads it: no specifier expanded, blanks and quotes kept.

    :raises ServiceRefused: it has a control character, which no unit file can hold.
    """
    if _CONTROL.search(text):
        raise ServiceRefused(f"{text!r} has a control character, which no unit file can hold")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
