"""States, retry, rescue, identifiers, redaction and cursors, for all inputs."""

from __future__ import annotations

import json
import string
from base64 import urlsafe_b64decode
from collections.abc import Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agenttower.domain import identifiers, redaction
from agenttower.domain.cursors import decode_cursor, encode_cursor
from agenttower.domain.lease import LEASE_US, Keep, Release, decide_rescue
from agenttower.domain.retry import TRANSIENT, GiveUp, Retry, decide
from agenttower.domain.states import (
    Stage,
    State,
    aggregate,
    is_terminal_for_label,
    layout_failed_stage,
    may_transition,
)
from agenttower.errors import ValidationFailed

STATES = st.sampled_from(State)
PANES = st.lists(st.tuples(STATES, st.sampled_from(Stage)), max_size=8)
ALPHABET = string.ascii_letters + string.digits + "_.-"

# --- states ------------------------------------------------------------------------------------


def restated(panes: list[State]) -> State:
    """Managed.md section 2, sentence by sentence."""
    if any(pane == "creating" for pane in panes):
        return State.CREATING
    if all(pane == "removed" for pane in panes):
        return State.REMOVED
    rest = [pane for pane in panes if pane != "removed"]
    if any(pane == "failed" for pane in rest):
        return State.FAILED
    if any(pane == "degraded" for pane in rest):
        return State.DEGRADED
    return State.READY


@given(
    st.lists(STATES, max_size=8).flatmap(
        lambda panes: st.tuples(st.just(panes), st.permutations(panes))
    )
)
def test_a_layouts_state_is_that_of_the_contract_in_any_order(
    orders: tuple[list[State], list[State]],
) -> None:
    panes, shuffled = orders
    assert aggregate(panes) is aggregate(shuffled) is restated(panes)
    assert aggregate(panes + shuffled) is restated(panes)


@given(st.lists(STATES, min_size=1))
def test_a_layout_is_in_a_state_that_one_of_its_panes_is_in(panes: list[State]) -> None:
    assert aggregate(panes) in panes


@given(PANES)
def test_a_stage_is_shown_exactly_while_the_layout_is_failed(
    panes: list[tuple[State, Stage]],
) -> None:
    stage = layout_failed_stage(panes)
    assert (stage is not None) == (aggregate(state for state, _ in panes) is State.FAILED)
    if stage is not None:
        assert stage is next(stage for state, stage in panes if state is State.FAILED)


@given(st.lists(STATES, max_size=12))
def test_every_life_is_finite_and_never_gets_better(wishes: list[State]) -> None:
    """Whatever is asked for, in whatever order, a pane that obeys the table ages."""
    age = {State.CREATING: 0, State.READY: 1, State.DEGRADED: 2, State.FAILED: 3, State.REMOVED: 4}
    life: list[State] = []
    for wish in wishes:
        if may_transition(life[-1] if life else None, wish):
            life.append(wish)
    ages = [age[state] for state in life]
    assert ages == sorted(set(ages))
    assert life[:1] in ([], [State.CREATING])


@given(STATES, STATES)
def test_a_label_once_given_back_is_never_held_again(old: State, new: State) -> None:
    if may_transition(old, new) and is_terminal_for_label(old):
        assert is_terminal_for_label(new)


# --- engine ------------------------------------------------------------------------------------


@given(st.one_of(st.sampled_from(sorted(TRANSIENT)), st.text()), st.integers(1, 10**6))
def test_a_step_is_tried_three_times_at_most(error_class: str, attempt: int) -> None:
    outcome = decide(error_class, attempt)
    if error_class in TRANSIENT and attempt in (1, 2):
        assert outcome == Retry(attempt * 1_000_000)
    else:
        assert outcome == GiveUp()


@given(st.integers(), st.integers(), st.booleans())
def test_a_live_owner_keeps_a_live_lease_and_nobody_else_does(
    now: int, until: int, owner_dead: bool
) -> None:
    decision = decide_rescue(now, until, owner_dead)
    assert isinstance(decision, Keep) == (not owner_dead and now < until <= now + 2 * LEASE_US)
    if isinstance(decision, Release):
        assert (decision.reason == "owner_dead") == owner_dead
        assert (decision.reason == "clock_stepped_back") == (
            not owner_dead and until > now + 2 * LEASE_US
        )


# --- identifiers -------------------------------------------------------------------------------


@given(st.one_of(st.text(ALPHABET, max_size=70), st.text(max_size=70)))
@example("a\n")
@example("٣")
def test_an_identifier_is_1_to_64_characters_of_the_alphabet(value: str) -> None:
    good = 1 <= len(value) <= 64 and all(character in ALPHABET for character in value)
    if good:
        assert identifiers.check_identifier("f", value) == value
    else:
        with pytest.raises(ValidationFailed) as caught:
            identifiers.check_identifier("f", value)
        assert caught.value.message.isascii()
        assert caught.value.message.isprintable()


@given(st.text(ALPHABET + ":", min_size=1))
def test_tmux_targets_hold_no_separator_and_do_not_change_again(name: str) -> None:
    target = identifiers.tmux_session_target(name)
    assert not set(".:") & set(target)
    assert len(target) == len(name)
    assert identifiers.tmux_session_target(target) == target


@given(st.one_of(st.text(ALPHABET + ":", max_size=140), st.text(max_size=140)))
def test_override_keys_are_two_identifiers_or_refused(key: str) -> None:
    sides = key.split(":")
    if len(sides) == 2 and not any(identifiers.identifier_problem(side) for side in sides):
        assert identifiers.split_override_key(key) == tuple(sides)
    else:
        with pytest.raises(ValidationFailed, match="launch_command_overrides"):
            identifiers.split_override_key(key)


@given(st.text(ALPHABET, min_size=1), st.text(ALPHABET, min_size=1))
def test_markers_can_be_read_back(token: str, label: str) -> None:
    title = identifiers.marker_title(token, label)
    assert identifiers.parse_marker_title(title) == (token, label)


@given(st.binary(min_size=6, max_size=6))
def test_agent_ids_have_their_form(entropy: bytes) -> None:
    assert identifiers.is_agent_id(identifiers.new_agent_id(lambda _: entropy))


# --- redaction ---------------------------------------------------------------------------------

NAMES = st.one_of(
    st.text(max_size=8),
    st.builds(
        lambda before, word, upper, after: before + (word if upper else word.lower()) + after,
        st.text(string.ascii_letters + "_", max_size=4),
        st.sampled_from(redaction.SECRET_WORDS),
        st.booleans(),
        st.text(string.ascii_letters + "_", max_size=4),
    ),
)
SECRET = "hunter2-very-secret"


def secret_name(name: str) -> bool:
    return any(word.lower() in name.lower() for word in redaction.SECRET_WORDS)


@given(st.dictionaries(NAMES, st.text()))
def test_values_of_secrets_never_stay_and_all_others_do(env: dict[str, str]) -> None:
    shown = redaction.redact_env(env)
    assert list(shown) == list(env)
    for name, value in env.items():
        if secret_name(name):
            assert shown[name] == redaction.REDACTED
        elif not redaction.is_secret_name(name):
            assert shown[name] == value


PLAIN_KEYS = st.text(max_size=5).filter(lambda key: key != "env")
PAYLOADS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(PLAIN_KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(PLAIN_KEYS, PAYLOADS))
def test_payloads_without_environment_stay_as_they_are(payload: dict[str, object]) -> None:
    assert redaction.redact_payload(payload) == payload


@given(PAYLOADS, NAMES.filter(secret_name), st.lists(st.sampled_from(["key", "list"]), max_size=5))
def test_no_secret_is_shown_however_deep(other: object, name: str, path: list[str]) -> None:
    hidden: object = {"env": {name: SECRET}, "other": other}
    for step in path:
        hidden = {"x": hidden} if step == "key" else [hidden, other]
    shown = redaction.redact_payload({"payload": hidden})
    assert SECRET not in json.dumps(shown)
    assert redaction.REDACTED in json.dumps(shown)


# --- cursors -----------------------------------------------------------------------------------

PARTS = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=20).filter(str.isascii))
KEYS = st.lists(PARTS, max_size=4).map(tuple)
FILTERS = st.dictionaries(
    st.text(max_size=5),
    st.one_of(st.none(), st.text(max_size=9), st.lists(st.text(max_size=9))),
    max_size=3,
)


def opened(cursor: str, key: tuple[str | int, ...], filters: Mapping[str, object]) -> object:
    types = [type(part) for part in key]
    return decode_cursor(cursor, kind="layouts", types=types, filters=filters)


@given(KEYS, FILTERS)
def test_cursors_come_back_whatever_the_order_of_filters(
    key: tuple[str | int, ...], filters: dict[str, object]
) -> None:
    cursor = encode_cursor("layouts", key, filters)
    assert opened(cursor, key, dict(reversed(filters.items()))) == key


@given(KEYS, FILTERS, FILTERS)
def test_cursors_serve_their_own_filters_only(
    key: tuple[str | int, ...], filters: dict[str, object], others: dict[str, object]
) -> None:
    assume(filters != others)
    with pytest.raises(ValidationFailed):
        opened(encode_cursor("layouts", key, filters), key, others)


@given(KEYS, st.data())
def test_no_edit_of_a_cursor_goes_unnoticed(
    key: tuple[str | int, ...], data: st.DataObject
) -> None:
    cursor = encode_cursor("layouts", key, {})
    place = data.draw(st.integers(0, len(cursor) - 1))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete"]))
    letter = data.draw(st.characters(max_codepoint=0x17F))
    edited = (
        cursor[:place] + ("" if kind == "delete" else letter) + cursor[place + (kind != "insert") :]
    )
    assume(edited != cursor)
    with pytest.raises(ValidationFailed):
        opened(edited, key, {})


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.hex()), st.none(), st.integers()))
def test_anything_else_is_refused_politely(cursor: object) -> None:
    with pytest.raises(ValidationFailed):
        decode_cursor(cursor, kind="layouts", types=(int,), filters={})


def test_a_cursor_shows_no_filter() -> None:
    cursor = encode_cursor("layouts", (1,), {"container_id": "c" * 64})
    assert b"ccc" not in urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
