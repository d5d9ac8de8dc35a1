"""Orders, filters and sealed cursors of lists, for all inputs (app surface, section 8)."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agenttower.domain.cursors import MAX_CURSOR, decode_cursor, encode_cursor
from agenttower.domain.list_filters import MAX_MILLIS, before, check_filters, not_before
from agenttower.domain.list_orders import ORDERS
from agenttower.errors import ValidationFailed

ENTITIES = st.sampled_from(sorted(ORDERS))
TEXTS = st.text(max_size=40)
FILTERS = st.dictionaries(
    st.text(max_size=20),
    st.one_of(st.text(max_size=3000), st.integers(), st.booleans()),
    max_size=5,
)
BIG = st.integers(-(2**63) + 1, 2**63 - 1)
KEYS = st.one_of(
    st.tuples(BIG),
    st.tuples(BIG, st.text(string.hexdigits, min_size=64, max_size=64)),
    st.tuples(st.sampled_from(["superseded", "test-runner"]), BIG, BIG),
)
SECRETS = st.binary(min_size=1, max_size=64)
KIND = "app.log_attachment.list last_status_at:desc"


def opened(cursor: str, key: tuple[str | int, ...], secret: bytes, filters: object) -> object:
    types = [type(part) for part in key]
    assert isinstance(filters, dict)
    return decode_cursor(
        cursor, kind=KIND, types=types, filters=filters, field="cursor_next", secret=secret
    )


@given(entity=ENTITIES, text=TEXTS | st.sampled_from(["default", "default:desc", "name:asc"]))
def test_an_order_is_one_of_the_list_or_none(entity: str, text: str) -> None:
    orders = ORDERS[entity]
    known = {f"{field}{end}" for field in orders.fields for end in ("", ":asc", ":desc")}
    if text in known:
        assert str(orders.parse(text)).startswith(text)
        return
    with pytest.raises(ValidationFailed) as caught:
        orders.parse(text)
    assert caught.value.details["field"] == "order_by"


@given(entity=ENTITIES)
def test_orders_read_what_they_write(entity: str) -> None:
    orders = ORDERS[entity]
    for field in orders.fields:
        for direction in ("asc", "desc"):
            assert str(orders.parse(f"{field}:{direction}")) == f"{field}:{direction}"
    assert orders.parse(None) == orders.parse(orders.fields[0])


@given(key=KEYS, filters=FILTERS, secret=SECRETS)
def test_sealed_cursors_are_short_and_come_back(
    key: tuple[str | int, ...], filters: dict[str, object], secret: bytes
) -> None:
    cursor = encode_cursor(KIND, key, filters, secret)
    assert len(cursor) <= MAX_CURSOR
    assert opened(cursor, key, secret, dict(reversed(filters.items()))) == key


@given(key=KEYS, secret=SECRETS, other=SECRETS)
def test_another_secret_opens_nothing(
    key: tuple[str | int, ...], secret: bytes, other: bytes
) -> None:
    # A key of the hash is padded with zeros.
    assume(secret.rstrip(b"\0") != other.rstrip(b"\0"))
    cursor = encode_cursor(KIND, key, {}, secret)
    with pytest.raises(ValidationFailed) as caught:
        opened(cursor, key, other, {})
    assert caught.value.details["field"] == "cursor_next"
    with pytest.raises(ValidationFailed):
        opened(encode_cursor(KIND, key, {}), key, secret, {})


@given(key=KEYS, filters=FILTERS, others=FILTERS, secret=SECRETS)
def test_other_filters_are_told_apart(
    key: tuple[str | int, ...],
    filters: dict[str, object],
    others: dict[str, object],
    secret: bytes,
) -> None:
    assume(repr(sorted(filters.items())) != repr(sorted(others.items())))
    with pytest.raises(ValidationFailed, match="other filters"):
        opened(encode_cursor(KIND, key, filters, secret), key, secret, others)


@given(value=TEXTS, mark=st.sampled_from(["<", ">", "~", "*", "%", " LIKE ", " like "]), end=TEXTS)
def test_what_looks_like_an_operator_is_refused(value: str, mark: str, end: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_filters({"a": f"{value}{mark}{end}"}, {"a"})
    assert caught.value.details == {"field": "a", "reason": "operator syntax not supported"}


@given(value=st.text(string.ascii_letters + string.digits + "-_.:/@", max_size=40))
def test_plain_values_pass(value: str) -> None:
    assume("like" not in value.lower())
    for text in (value, f"{value}likely", "alike"):
        check_filters({"a": text}, {"a"})


@given(name=st.text(), value=st.one_of(TEXTS, st.integers()))
def test_a_filter_of_no_name_is_refused_by_its_name(name: str, value: object) -> None:
    assume(name != "a")
    with pytest.raises(ValidationFailed) as caught:
        check_filters({name: value}, {"a"})
    assert caught.value.details == {"field": name[:64], "reason": "unknown filter"}


@given(millis=st.integers(0, MAX_MILLIS), within=st.integers(0, 999))
def test_bounds_take_in_every_microsecond_that_is_shown_as_theirs(millis: int, within: int) -> None:
    moment = millis * 1000 + within
    assert not_before(millis) <= moment < before(millis)
    assert moment // 1000 == millis
    assert not (not_before(millis + 1) <= moment)
    assert not moment < before(millis - 1)
    assert before(MAX_MILLIS) < 2**63


@given(since=st.integers(0, MAX_MILLIS), until=st.integers(0, MAX_MILLIS))
def test_since_does_not_come_after_until(since: int, until: int) -> None:
    bounds = {"since": since, "until": until}
    if since <= until:
        check_filters(bounds, bounds)
        return
    with pytest.raises(ValidationFailed) as caught:
        check_filters(bounds, bounds)
    assert caught.value.details == {"field": "since", "reason": "after until"}
