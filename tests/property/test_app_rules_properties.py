"""Rules of ``app.*``: which pane is meant, and the text of a payload (app surface, 14 and 17)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agenttower.domain.canonical_json import canonical_json
from agenttower.domain.pane_identity import FIELDS, mismatch
from agenttower.domain.prompts import check_body

few = st.sampled_from
panes = st.tuples(
    few("cd"), few(["/a", "/b"]), few(["s", "S"]), few([0, 1]), few([0, 1]), few(["%0", "%1"])
)


@given(panes, st.lists(panes, max_size=6))
def test_a_mismatch_is_the_first_part_that_no_namesake_has(
    wanted: tuple[object, ...], discovered: list[tuple[object, ...]]
) -> None:
    field = mismatch(wanted, discovered)
    assert (field is None) == (wanted in discovered)
    namesakes = [one for one in discovered if one[-1] == wanted[-1]]
    if field is None:
        return
    if not namesakes:
        assert field == "pane_id"
        return
    place = FIELDS.index(field)
    assert any(one[:place] == wanted[:place] for one in namesakes)
    assert not any(one[: place + 1] == wanted[: place + 1] for one in namesakes)


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
payloads = st.dictionaries(st.text(), values, max_size=5)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=60)
@given(payloads)
def test_a_payload_is_one_line_that_may_be_typed_and_says_the_same(payload: dict[str, Any]) -> None:
    text = canonical_json(payload)
    check_body(text)
    assert b"\n" not in text
    assert b"\t" not in text
    read = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    assert json.loads(text) == payload
    assert canonical_json(json.loads(text)) == text
    assert json.dumps(read) == json.dumps(_sorted(payload))


@settings(max_examples=40)
@given(payloads, st.randoms())
def test_the_order_of_keys_makes_no_difference(payload: dict[str, Any], random: Any) -> None:
    keys = list(payload)
    random.shuffle(keys)
    assert canonical_json({key: payload[key] for key in keys}) == canonical_json(payload)
