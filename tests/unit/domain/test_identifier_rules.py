"""FR-016: what operators may call things, and the ids that we make."""

from __future__ import annotations

import pytest

from agenttower.domain import identifiers
from agenttower.errors import ValidationFailed


@pytest.mark.parametrize("value", ["a", "A-b_c.9", "-", ".", "x" * 64])
def test_identifiers_in_the_alphabet_pass_unchanged(value: str) -> None:
    assert identifiers.check_identifier("tmux_session_name", value) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "must not be empty"),
        ("x" * 65, "65 characters; at most 64"),
        ("a b", "' ' at position 2"),
        ("work\n", r"'\\n' at position 5"),
        ("a\x00", r"'\\x00'"),
        ("a:b", "':' at position 2"),
        ("é", r"'\\xe9'"),
        ("٣", r"'\\u0663'"),
        ("\ud800", r"'\\ud800'"),
        (7, "must be a string"),
        (True, "must be a string"),
        (None, "must be a string"),
        (["a"], "must be a string"),
    ],
)
def test_everything_else_is_refused_with_field_and_reason(value: object, reason: str) -> None:
    with pytest.raises(ValidationFailed, match=reason) as caught:
        identifiers.check_identifier("idempotency_key", value)
    assert caught.value.details["field"] == "idempotency_key"
    assert caught.value.message.isascii()


def test_max_length_can_be_another() -> None:
    assert identifiers.check_identifier("x", "abc", max_length=3) == "abc"
    with pytest.raises(ValidationFailed, match="at most 3"):
        identifiers.check_identifier("x", "abcd", max_length=3)


def test_tmux_writes_dots_and_colons_as_underscores() -> None:
    assert identifiers.tmux_session_target("a.b:c_d-e") == "a_b_c_d-e"


def test_override_keys_are_split_at_the_colon() -> None:
    assert identifiers.split_override_key("test-runner:t.1") == ("test-runner", "t.1")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("slave", "<role>:<label>"),
        (3, "<role>:<label>"),
        (":s1", "the role in key ':s1': must not be empty"),
        ("slave:", "the label in key 'slave:': must not be empty"),
        ("slave:s:1", "the label"),
        ("sl ave:s1", "the role"),
        ("slave:s1\n", "the label"),
        ("slave:" + "s" * 65, "65 characters"),
    ],
)
def test_bad_override_keys_are_refused(key: object, reason: str) -> None:
    with pytest.raises(ValidationFailed, match=reason) as caught:
        identifiers.split_override_key(key)
    assert caught.value.details["field"] == "launch_command_overrides"


@pytest.mark.parametrize(
    ("ref", "normal"),
    [("/bench-1", "bench-1"), ("bench-1", "bench-1"), ("0123456789ab", "0123456789ab")],
)
def test_container_refs(ref: str, normal: str) -> None:
    assert identifiers.normalise_container_ref(ref) == normal


@pytest.mark.parametrize("ref", ["", "/", "//a", "a/b", "a b", None, 5, "x" * 256])
def test_bad_container_refs_are_refused(ref: object) -> None:
    with pytest.raises(ValidationFailed) as caught:
        identifiers.normalise_container_ref(ref)
    assert caught.value.details["field"] == "container_id"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0" * 12, True),
        ("f" * 64, True),
        ("F" * 12, False),
        ("0" * 13, False),
        ("0" * 12 + "\n", False),
    ],
)
def test_container_ids(value: str, expected: bool) -> None:
    assert identifiers.is_container_id(value) == expected


UUID = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"


def test_uuids_are_known_in_either_case_and_stored_in_lower() -> None:
    assert identifiers.is_uuid(UUID)
    assert identifiers.check_uuid("layout_id", UUID.upper()) == UUID


@pytest.mark.parametrize(
    "value", ["", UUID + "\n", UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", 3, None]
)
def test_other_spellings_are_no_uuids(value: object) -> None:
    assert not identifiers.is_uuid(value)
    with pytest.raises(ValidationFailed):
        identifiers.check_uuid("layout_id", value)


def test_agent_ids_are_48_random_bits() -> None:
    made = identifiers.new_agent_id(lambda count: bytes(range(count)))
    assert made == "agt_000102030405"
    assert identifiers.is_agent_id(made)
    assert not identifiers.is_agent_id(made + "\n")
    assert not identifiers.is_agent_id(made.upper())


def test_marker_titles_can_be_read_back() -> None:
    title = identifiers.marker_title("tok-1", "s1")
    assert title == "@MANAGED:tok-1:s1"
    assert identifiers.parse_marker_title(title) == ("tok-1", "s1")


@pytest.mark.parametrize(
    "title", ["", "s1", "@MANAGED:", "@MANAGED:tok", "@MANAGED::s1", "x@MANAGED:t:l"]
)
def test_other_titles_are_no_markers(title: str) -> None:
    assert identifiers.parse_marker_title(title) is None
