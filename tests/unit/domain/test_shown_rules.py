"""What leaves the program: permissions, events, redaction, cursors."""

from __future__ import annotations

import inspect
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from agenttower.domain import events
from agenttower.domain.cursors import decode_cursor, encode_cursor
from agenttower.domain.events import PAYLOAD_KEYS, EventType, ManagedEvent
from agenttower.domain.permissions import effective_permissions
from agenttower.domain.redaction import REDACTED, SECRET_WORDS, redact_env, redact_payload
from agenttower.domain.states import Stage, State
from agenttower.errors import ValidationFailed

NOTHING = {"can_send": False, "can_receive": False, "can_send_to_roles": []}
RECEIVE = {"can_send": False, "can_receive": True, "can_send_to_roles": []}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (
            "master",
            {"can_send": True, "can_receive": False, "can_send_to_roles": ["slave", "swarm"]},
        ),
        ("slave", RECEIVE),
        ("swarm", RECEIVE),
        ("test-runner", NOTHING),
        ("shell", NOTHING),
        ("unknown", NOTHING),
    ],
)
def test_permissions_derive_from_the_role(role: str, expected: dict[str, object]) -> None:
    assert effective_permissions(role) == expected


def test_permissions_are_fresh_and_roles_closed() -> None:
    effective_permissions("master")["can_send_to_roles"].clear()
    assert effective_permissions("master")["can_send_to_roles"] == ["slave", "swarm"]
    with pytest.raises(ValueError, match="boss"):
        effective_permissions("boss")


CONTRACT = """\
managed_layout_created | template_name, container_id, intended_pane_count
managed_layout_state_changed | prev_state, new_state
managed_pane_created | role, label, tmux_session_name, tmux_pane_index
managed_pane_state_changed | prev_state, new_state, failed_stage?
managed_pane_recreated | predecessor_id, chain_depth
managed_pane_removed | tmux_kill_succeeded
managed_pane_pending_marker_set | marker_token
managed_pane_pending_marker_cleared | marker_token
managed_pane_launch_command_exited | exit_code, elapsed_ms
managed_pane_log_attach_failed | reason
managed_layout_recovery_reattached | reattached_pane_ids
managed_layout_recovery_failed | failed_pane_ids, failed_stage
"""

BUILT = [
    events.layout_created("1m+2s", "c" * 64, 3),
    events.layout_state_changed(State.CREATING, State.READY),
    events.pane_created("slave", "s1", "work", 1),
    events.pane_state_changed(State.CREATING, State.FAILED, Stage.REGISTRATION),
    events.pane_state_changed(State.CREATING, State.READY),
    events.pane_recreated("p", 1),
    events.pane_removed(True),
    events.pending_marker_set("t"),
    events.pending_marker_cleared("t"),
    events.launch_command_exited(7, 12),
    events.log_attach_failed("gone"),
    events.recovery_reattached(("a", "b")),
    events.recovery_failed(("a",), Stage.RECOVERY_REATTACH),
    events.restart_scheduled(1, 500),
    events.restart_stopped("three times the same"),
]
ADDITIVE = {EventType.RESTART_SCHEDULED, EventType.RESTART_STOPPED}


def test_event_types_and_payload_keys_are_the_contracts() -> None:
    shown = "".join(
        f"{kind} | {', '.join(keys)}\n"
        for kind, keys in PAYLOAD_KEYS.items()
        if kind not in ADDITIVE
    )
    assert shown == CONTRACT
    assert set(PAYLOAD_KEYS) == set(EventType)


def test_there_is_a_builder_for_every_type() -> None:
    assert {event.event_type for event in BUILT} == set(EventType)
    builders = [
        function
        for name, function in inspect.getmembers(events, inspect.isfunction)
        if function.__module__ == events.__name__ and name != "check_payload"
    ]
    assert len(builders) == len(EventType)


@pytest.mark.parametrize("event", BUILT, ids=lambda event: event.event_type)
def test_payloads_hold_plain_values(event: ManagedEvent) -> None:
    for value in event.payload.values():
        assert type(value) in {str, int, bool, list}


def test_failed_stage_is_left_out_where_there_is_none() -> None:
    assert BUILT[3].payload["failed_stage"] == "registration"
    assert "failed_stage" not in BUILT[4].payload


@pytest.mark.parametrize("payload", [{}, {"reason": "x", "more": 1}, {"Reason": "x"}])
def test_other_payloads_are_refused(payload: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="managed_pane_log_attach_failed payload"):
        ManagedEvent(EventType.LOG_ATTACH_FAILED, payload)


def test_the_secret_words_are_the_contracts() -> None:
    assert set(SECRET_WORDS) == {
        *("TOKEN", "SECRET", "KEY", "PASSWORD", "PASSWD", "PWD", "AUTH", "BEARER"),
        *("CREDENTIAL", "COOKIE", "SESSION", "PRIVATE", "API"),
    }


@pytest.mark.parametrize("word", SECRET_WORDS)
def test_secrets_are_redacted_in_any_case(word: str) -> None:
    env = {word: "1", f"my_{word.lower()}s": "2", word.title(): "3", "LANG": "C"}
    assert redact_env(env) == {name: REDACTED for name in env if name != "LANG"} | {"LANG": "C"}


def test_payloads_are_redacted_at_any_depth_and_copied() -> None:
    payload = {
        "env": {"API": "1", "HOME": "/h"},
        "argv": ["--token", "kept"],
        "working_dir": "/secret",
        "token": "not an environment",
        "panes": [{"env": {"DB_PASSWORD": ["x"]}}, {"deep": ({"env": ["A_KEY=1", "B=2", "C"]},)}],
        "more": {"env": {"inner": {"env": {"TOKEN": "1"}, "PWD": "/"}, "n": 1}},
    }
    before = repr(payload)
    assert redact_payload(payload) == {
        "env": {"API": REDACTED, "HOME": "/h"},
        "argv": ["--token", "kept"],
        "working_dir": "/secret",
        "token": "not an environment",
        "panes": [
            {"env": {"DB_PASSWORD": REDACTED}},
            {"deep": [{"env": [f"A_KEY={REDACTED}", "B=2", "C"]}]},
        ],
        "more": {"env": {"inner": {"env": {"TOKEN": REDACTED}, "PWD": REDACTED}, "n": 1}},
    }
    assert repr(payload) == before


KEY = (3, -1_763_600_000_000_000, "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90")
FILTERS = {"container_id": "c" * 64, "state": ["ready"]}


def cursor() -> str:
    return encode_cursor("layouts", KEY, FILTERS)


def opened(text: object, **changed: object) -> tuple[object, ...]:
    asked = {"kind": "layouts", "types": (int, int, str), "filters": FILTERS, **changed}
    return decode_cursor(text, **asked)  # type: ignore[arg-type]


def test_cursors_come_back() -> None:
    assert opened(cursor()) == KEY
    assert len(cursor()) <= 512
    assert not set(cursor()) & set("+/=")


@pytest.mark.parametrize(
    ("text", "changed", "reason"),
    [
        (None, {}, "must be a string"),
        (5, {}, "must be a string"),
        ("", {}, "not a cursor"),
        ("x" * 513, {}, "longer than 512"),
        ("é", {}, "not a cursor"),
        ("bnVsbA", {}, "not a cursor"),
        ("W10", {}, "not a cursor"),
        (cursor() + "=", {}, "not a cursor"),
        (cursor() + "\n", {}, "not a cursor"),
        (cursor(), {"kind": "panes"}, "another list"),
        (cursor(), {"types": (int, int)}, "not a cursor"),
        (cursor(), {"types": (int, str, str)}, "not a cursor"),
        (cursor(), {"filters": {}}, "other filters"),
        (cursor(), {"filters": FILTERS | {"state": ["failed"]}}, "other filters"),
        (encode_cursor("layouts", (1, 2**63, "x"), FILTERS), {}, "not a cursor"),
        (encode_cursor("layouts", (1, True, "x"), FILTERS), {}, "not a cursor"),
        (encode_cursor("layouts", (1, 2, "\ud800"), FILTERS), {}, "not a cursor"),
    ],
)
def test_other_cursors_are_refused(text: object, changed: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationFailed, match=reason) as caught:
        opened(text, **changed)
    assert caught.value.details["field"] == "after"


def test_a_cursor_moved_by_hand_is_refused() -> None:
    parts = json.loads(urlsafe_b64decode(cursor() + "=" * (-len(cursor()) % 4)))
    parts[2][0] += 1
    moved = urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=")
    with pytest.raises(ValidationFailed, match="not a cursor"):
        opened(moved.decode())


def test_the_refused_field_can_have_another_name() -> None:
    with pytest.raises(ValidationFailed, match="cursor_next"):
        opened("x", field="cursor_next")


def test_a_key_too_long_for_a_cursor_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="characters"):
        encode_cursor("layouts", ("x" * 500,), {})
