"""YAML that operators write: templates, profiles, rules."""

from __future__ import annotations

from collections.abc import Callable

from agenttower.bench.wrapper import environment_pairs, wrap
from agenttower.domain.classifier import RuleSet
from agenttower.domain.templates import LaunchProfile, Template, plan
from agenttower.errors import AgentTowerError
from agenttower.services.definitions import profile_of, template_of
from agenttower.services.rule_files import RuleFile, rule_file_of
from agenttower.services.yamlfile import MAX_DEPTH, MAX_NODES, FileFault, Item, parse_yaml
from tests.fuzz.targets.target import pure

_BUILDERS: tuple[Callable[[Item], object], ...] = (template_of, profile_of, rule_file_of)


def files(data: bytes) -> None:
    """A file is used or refused with a reason; nothing else."""
    try:
        document = parse_yaml(data)
    except FileFault as fault:
        _check_fault(fault)
        return
    assert _nodes(document, 1) <= MAX_NODES
    for build in _BUILDERS:
        try:
            _use(build(document))
        except FileFault as fault:
            _check_fault(fault)


def _check_fault(fault: FileFault) -> None:
    assert fault.reason
    assert fault.line is None or fault.line >= 1
    assert len(fault.reason) < 2000


def _nodes(item: Item, depth: int) -> int:
    assert depth <= MAX_DEPTH
    if isinstance(item.value, tuple):
        return 1 + sum(_nodes(one, depth + 1) for one in item.value)
    if isinstance(item.value, dict):
        return 1 + sum(
            _nodes(entry.key, depth + 1) + _nodes(entry.value, depth + 1)
            for entry in item.value.values()
        )
    return 1


def _use(made: object) -> None:
    """What was taken can be used."""
    match made:
        case Template():
            try:
                plan(made, session="s")
            except AgentTowerError:
                return
        case LaunchProfile():
            pairs = environment_pairs(made.env)
            argv = wrap("token", made.command, len(pairs), made.working_dir)
            assert not any("\0" in word for word in [*argv, *(value for _, value in pairs)])
        case RuleFile():
            RuleSet(made.rules).classify("error: it broke 3 times")


TARGETS = (pure("files", "templates, profiles and rules in YAML", files, weight=3),)
