"""Every error code has an exception class, and each class knows the details of its code."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import msgspec
import pytest

from agenttower import client
from agenttower.client import DaemonUnreachable, RpcError, SocketMissing, SocketPermissionDenied
from agenttower.client.refusals import CLASSES, refusal
from agenttower.errors import AgentTowerError
from agenttower.protocol.app.errors import ERRORS
from agenttower.protocol.managed_errors import MANAGED_ERRORS
from tests.support.markdown import Document, codes
from tests.unit.test_docs_contract import all_codes

CONTRACT = Document(Path(__file__).parents[3] / "docs/contract.md")
HERE_ONLY = {
    # What is wrong on this side, before anything was asked.
    "client_install_refused",
    "container_unresolved",
    "host_context_unsupported",
    "not_in_tmux",
    "not_initialised",
    "socket_invalid",
    "timed_out",
    "tmux_pane_malformed",
    "usage",
}
NO_ANSWER = {"daemon_unavailable", "socket_missing", "socket_permission_denied"}


def test_every_code_has_a_class() -> None:
    documented = {code for row in CONTRACT.table("code", "details").rows for code in codes(row[0])}
    known = (all_codes() - HERE_ONLY) | set(ERRORS) | set(MANAGED_ERRORS) | documented
    assert known - NO_ANSWER <= set(CLASSES)
    assert len(ERRORS) == 27
    assert not HERE_ONLY & set(CLASSES)


@pytest.mark.parametrize("code", CLASSES)
def test_classes_are_called_as_their_codes(code: str) -> None:
    name = CLASSES[code].__name__
    assert re.sub("(?<!^)(?=[A-Z])", "_", name).lower() in (code, f"{code}_method")
    assert CLASSES[code].__doc__


def test_every_class_has_one_family() -> None:
    for kind in CLASSES.values():
        family = kind.__mro__[1]
        assert family.__mro__[1] is RpcError
        assert family.__doc__


@pytest.mark.parametrize("code", sorted({*ERRORS, *MANAGED_ERRORS} - NO_ANSWER))
def test_details_are_attributes_as_the_contract_names_them(code: str) -> None:
    shapes = [table[code] for table in (ERRORS, MANAGED_ERRORS) if code in table]
    wanted = {field.encode_name for shape in shapes for field in msgspec.structs.fields(shape)}
    names = set(CLASSES[code].detail_names())
    assert wanted <= names
    # What the contract of app.* leaves out, other namespaces may have.
    told = {name for name, note in CLASSES[code].__annotations__.items() if "None" in note}
    assert names - wanted <= told


def test_a_known_code() -> None:
    error = refusal("managed_pane_not_found", "no such pane", {"pane_id": "p", "more": 1})
    assert isinstance(error, client.refusals.ManagedPaneNotFound)
    assert isinstance(error, client.refusals.MissingObject)
    assert (error.code, error.message, error.pane_id) == (
        "managed_pane_not_found",
        "no such pane",
        "p",
    )
    assert error.details == {"pane_id": "p", "more": 1}
    assert str(error) == "no such pane (managed_pane_not_found)"


def test_details_that_were_not_sent_are_none() -> None:
    error = refusal("validation_failed", "no", None)
    assert isinstance(error, client.refusals.ValidationFailed)
    assert (error.field, error.details) == (None, {})


def test_a_code_of_tomorrow() -> None:
    error = refusal("brand_new", "no", {"x": 1})
    assert type(error) is RpcError
    assert (error.code, error.details) == ("brand_new", {"x": 1})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("daemon_unavailable", DaemonUnreachable),
        ("socket_missing", SocketMissing),
        ("socket_permission_denied", SocketPermissionDenied),
    ],
)
def test_having_no_daemon_is_no_refusal(code: str, kind: type[DaemonUnreachable]) -> None:
    error = refusal(code, "stopping")
    assert type(error) is kind
    assert error.code == code
    assert not isinstance(error, RpcError)


@pytest.mark.parametrize(
    "error",
    [
        refusal("managed_pane_not_found", "no", {"pane_id": "p"}),
        refusal("brand_new", "no", {"x": [1]}),
        client.SocketMissing("gone", "socket_missing"),
        client.WaitTimedOut("late"),
        client.SocketOverrideInvalid("value is empty"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_they_survive_the_way_between_processes(error: AgentTowerError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_one_base_for_all_of_them() -> None:
    for kind in (RpcError, DaemonUnreachable, client.SocketOverrideInvalid, client.WaitTimedOut):
        assert issubclass(kind, client.AgentTowerError)
    assert issubclass(client.WaitTimedOut, TimeoutError)
