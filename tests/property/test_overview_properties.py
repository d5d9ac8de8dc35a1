"""Readiness, hints, recommendation and buckets, for all inputs (app surface, sections 7 to 11)."""

from __future__ import annotations

import string
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from agenttower.domain.buckets import (
    AgentBucket,
    AgentFacts,
    ContainerState,
    PaneBucket,
    PaneFacts,
    agent_bucket,
    pane_bucket,
)
from agenttower.domain.hints import HintCode, Stock, hints
from agenttower.domain.readiness import (
    Health,
    Overall,
    Subsystem,
    SubsystemHealth,
    in_order,
    overall,
    unwell,
    well,
)
from agenttower.domain.reason import LIMIT, reason_line
from agenttower.domain.recommendation import RecommendationCode, State, TargetKind, recommend

COUNTS = st.integers(0, 3) | st.integers(0, 10**12)
IDS = st.none() | st.text(string.hexdigits, min_size=1, max_size=36)
ROWS = st.builds(
    lambda name, status, text: (
        well(name) if status is Health.OK else unwell(name, status, text, text or None)
    ),
    st.sampled_from(Subsystem),
    st.sampled_from(Health),
    st.text(max_size=700),
)
STATES = st.builds(
    State,
    unwell=st.lists(st.sampled_from(Subsystem), max_size=3),
    unwell_unnamed=st.booleans(),
    containers=COUNTS,
    first_active_container=IDS,
    panes=COUNTS,
    unregistered_panes=COUNTS,
    first_adoptable_pane=IDS,
    blocked=COUNTS,
    oldest_blocked=IDS,
    routes=COUNTS,
)
STOCKS = st.builds(
    Stock,
    docker=st.sampled_from(Health),
    running_containers=COUNTS,
    panes=COUNTS,
    agents=COUNTS,
    active_logs=COUNTS,
    enabled_routes=COUNTS,
)
CONTAINER_STATES = st.sampled_from(ContainerState)


# --- reasons -------------------------------------------------------------------------------------


@given(st.text(max_size=1500), st.integers(4, LIMIT))
@example("connect /run/docker.sock\nunix:///run/x failed", LIMIT)
def test_a_reason_is_one_line_without_absolute_paths(text: str, limit: int) -> None:
    line = reason_line(text, limit)
    assert len(line) <= limit
    assert line == "" or len(line.splitlines()) == 1
    assert line.isprintable()
    assert not any(word.startswith("/") and len(word) > 1 for word in line.split())
    assert len(line) < limit or line.endswith("...") or len(reason_line(text, limit + 1)) == limit


@given(st.lists(st.sampled_from(["the", "disk", "is", "full", "and/or", "1/2", "50%"])))
def test_a_reason_that_fits_stays(words: list[str]) -> None:
    assert reason_line(" ".join(words)) == " ".join(words)


# --- readiness -----------------------------------------------------------------------------------


@given(st.lists(ROWS, max_size=8))
def test_every_subsystem_has_one_row_in_its_place(found: list[SubsystemHealth]) -> None:
    rows = in_order(found)
    assert [row.name for row in rows] == list(Subsystem)
    for row in rows:
        assert (row.reason == "") == (row.status is Health.OK)
        assert len(row.reason) <= LIMIT


@given(st.lists(st.sampled_from(Health), min_size=6, max_size=6))
def test_the_whole_is_ready_only_where_all_are(statuses: list[Health]) -> None:
    rows = [
        well(name) if status is Health.OK else unwell(name, status, "it fails")
        for name, status in zip(Subsystem, statuses, strict=True)
    ]
    expected = Overall.DEGRADED
    if all(status is Health.OK for status in statuses):
        expected = Overall.READY
    if all(status is Health.UNAVAILABLE for status in statuses):
        expected = Overall.UNAVAILABLE
    assert overall(rows) is overall(reversed(rows)) is expected


# --- hints ---------------------------------------------------------------------------------------


@given(STOCKS)
def test_hints_come_in_their_order_and_never_contradict(stock: Stock) -> None:
    found = [hint.code for hint in hints(stock)]
    order = list(HintCode)
    assert found == sorted(set(found), key=order.index)
    assert HintCode.CHECK_CONTAINER_FILTER not in found
    assert not {HintCode.DOCKER_UNAVAILABLE, HintCode.START_BENCH_CONTAINER} <= set(found)
    assert not {HintCode.REGISTER_FIRST_AGENT, HintCode.ATTACH_LOGS} <= set(found)
    assert found == [hint.code for hint in hints(replace(stock))]


# --- recommendation ------------------------------------------------------------------------------


def expected(state: State) -> RecommendationCode:
    """The table of section 11.7, row by row."""
    table = {
        RecommendationCode.SUBSYSTEM_DEGRADED: bool(state.unwell) or state.unwell_unnamed,
        RecommendationCode.NO_CONTAINERS: state.containers == 0,
        RecommendationCode.NO_PANES_DISCOVERED: state.panes == 0,
        RecommendationCode.UNADOPTED_PANES_PRESENT: state.unregistered_panes > 0
        or state.first_adoptable_pane is not None,
        RecommendationCode.BLOCKED_QUEUE_DRAIN: state.blocked > 0
        or state.oldest_blocked is not None,
        RecommendationCode.NO_ROUTES_CONFIGURED: state.routes == 0,
        RecommendationCode.ALL_CLEAR: True,
    }
    return next(code for code, matches in table.items() if matches)


@given(STATES)
def test_the_first_match_is_recommended(state: State) -> None:
    found = recommend(state)
    assert found.code is expected(state)
    assert found == recommend(replace(state))
    assert 0 < len(found.title) <= 128
    assert found.title.isascii()
    assert (found.detail is None) == (found.code is RecommendationCode.ALL_CLEAR)
    assert found.detail is None or (len(found.detail) <= 512 and found.detail.isascii())


@given(STATES)
def test_what_is_recommended_points_at_an_object_of_its_kind(state: State) -> None:
    found = recommend(state)
    candidates = {
        RecommendationCode.NO_PANES_DISCOVERED: (
            TargetKind.CONTAINER,
            state.first_active_container,
        ),
        RecommendationCode.UNADOPTED_PANES_PRESENT: (TargetKind.PANE, state.first_adoptable_pane),
        RecommendationCode.BLOCKED_QUEUE_DRAIN: (TargetKind.MESSAGE, state.oldest_blocked),
    }
    if found.code is RecommendationCode.SUBSYSTEM_DEGRADED and state.unwell:
        first = min(state.unwell, key=list(Subsystem).index)
        assert found.target is not None
        assert (found.target.kind, found.target.id) == (TargetKind.SUBSYSTEM, first)
        assert first in found.title
    elif found.code in candidates:
        kind, wanted = candidates[found.code]
        assert (found.target and (found.target.kind, found.target.id)) == (
            None if wanted is None else (kind, wanted)
        )
    else:
        assert found.target is None


# --- buckets -------------------------------------------------------------------------------------


@given(st.builds(PaneFacts, CONTAINER_STATES, st.booleans(), st.booleans(), st.booleans()))
def test_a_pane_is_in_the_first_bucket_that_matches(pane: PaneFacts) -> None:
    live = pane.container is ContainerState.ACTIVE and pane.active and not pane.overlooked
    table = {
        PaneBucket.DEGRADED: pane.container is ContainerState.DEGRADED_SCAN,
        PaneBucket.STALE: not live,
        PaneBucket.REGISTERED: pane.registered,
        PaneBucket.UNMANAGED: True,
    }
    assert pane_bucket(pane) is next(bucket for bucket, matches in table.items() if matches)


@given(
    st.builds(
        AgentFacts,
        st.none() | CONTAINER_STATES,
        st.booleans(),
        st.sampled_from(["master", "unknown", ""]),
        st.sampled_from(["codex", "unknown", "", " "]),
        st.sampled_from(["one", "", "unknown"]),
        st.booleans(),
    )
)
def test_an_agent_is_active_only_where_it_could_act(agent: AgentFacts) -> None:
    configured = {agent.role, agent.capability.strip(), agent.label}.isdisjoint({"", "unknown"})
    active = configured and agent.active and agent.container is ContainerState.ACTIVE
    assert (agent_bucket(agent) is AgentBucket.ACTIVE) == active
    assert (agent_bucket(agent) is AgentBucket.PARTIALLY_CONFIGURED) == (not configured)
