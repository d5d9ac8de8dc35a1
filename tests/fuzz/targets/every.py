"""All targets."""

from __future__ import annotations

from tests.fuzz.targets import files, logs, names, text, tmux, wire
from tests.fuzz.targets.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (wire, names, files, tmux, text, logs)
    for target in module.TARGETS
}
"""By name, in the order in which they run."""

PLACES = {
    target.name: f"{module.__name__.rpartition('.')[2]}.{target.name}"
    for module in (wire, names, files, tmux, text, logs)
    for target in module.TARGETS
}
"""How :mod:`tests.fuzz.one` finds them."""
