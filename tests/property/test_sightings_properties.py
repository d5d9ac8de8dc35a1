"""Scans against a model of them: what is there is active, what could not be asked stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttower.bench.interface import FoundPane
from agenttower.errors import BenchTimeout
from agenttower.services.caller import HOST
from agenttower.store.models import Agent
from tests.support.registry_rows import C1, Registry, found, no_answer, open_registry, seen

SOCKETS = ("/tmp/tmux-0/a", "/tmp/tmux-0/b")
Place = tuple[str, int]
"""A pane: its socket and its number there."""

Answer = frozenset[int] | Literal["dead", "silent", "absent"]
ANSWERS = st.one_of(st.frozensets(st.integers(0, 2)), st.sampled_from(["dead", "silent", "absent"]))
SCANS = st.one_of(st.fixed_dictionaries(dict.fromkeys(SOCKETS, ANSWERS)), st.just("unreachable"))


def pane(place: Place) -> FoundPane:
    socket, number = place
    return found(socket_path=socket, pane_id=f"%{number}", pane_index=number)


def expected(before: set[Place], answers: Mapping[str, Answer]) -> set[Place]:
    """The panes that are active after a scan, by the rules of the contract."""
    listed = {socket for socket, answer in answers.items() if answer != "absent"}
    asked = {socket for socket in listed if answers[socket] != "silent"}
    if not asked:
        return before
    there = {
        (socket, number)
        for socket, answer in answers.items()
        if isinstance(answer, frozenset)
        for number in answer
    }
    return there | {place for place in before if answers[place[0]] == "silent"}


def scan(registry: Registry, answers: Mapping[str, Answer] | str) -> None:
    if isinstance(answers, str):
        registry.benches.answers[C1] = BenchTimeout("frozen")
    else:
        panes = [
            pane((socket, number))
            for socket, answer in answers.items()
            if isinstance(answer, frozenset)
            for number in sorted(answer)
        ]
        registry.benches.answers[C1] = seen(
            *panes,
            sockets=tuple(s for s, answer in answers.items() if answer != "absent"),
            failures=[no_answer(s) for s, answer in answers.items() if answer == "silent"],
        )
    registry.scan_as(HOST, C1)


def active(registry: Registry) -> set[Place]:
    rows = registry.discovery.listing(HOST, active_only=True, container=None)["panes"]
    return {(row["tmux_socket_path"], row["tmux_pane_index"]) for row in rows}


@settings(max_examples=60)
@given(scans=st.lists(SCANS, max_size=8))
def test_unreachable_is_never_gone_and_gone_is_never_kept(
    tmp_path_factory: pytest.TempPathFactory, scans: list[Mapping[str, Answer] | str]
) -> None:
    with open_registry(tmp_path_factory.mktemp("rows")) as registry:
        model: set[Place] = set()
        living: dict[str, Place] = {}
        for answers in scans:
            scan(registry, answers)
            if not isinstance(answers, str):
                model = expected(model, answers)
            assert active(registry) == model
            living = {agent: place for agent, place in living.items() if place in model}
            rows = {row.agent_id for row in Agent.select().where(Agent.active)}
            assert rows == set(living), "agents live and end with their panes"
            for place in sorted(model - set(living.values()))[:1]:
                done = registry.register(pane(place))
                living[done["agent_id"]] = place
        counts = [row["status"] for row in registry.rows("pane_scan")]
        assert len(counts) == len(scans)
