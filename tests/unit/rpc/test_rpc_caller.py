"""R12: what each kind of caller may do."""

from __future__ import annotations

import pytest

from agenttower.errors import HostOnly
from agenttower.services.caller import HOST, Caller, same_container

OWN = "a" * 64
OTHER = "b" * 64
BENCH = Caller("bench", OWN)
UNKNOWN = Caller("unknown")


def test_host_may_do_everything() -> None:
    HOST.require_known()
    HOST.require_host()
    HOST.require_container(OTHER)
    HOST.require_container(None)
    assert HOST.scope is None


@pytest.mark.parametrize("reference", [OWN, OWN[:12]])
def test_bench_may_act_on_its_own_container(reference: str) -> None:
    BENCH.require_known()
    BENCH.require_container(reference)
    assert BENCH.scope == OWN


@pytest.mark.parametrize("reference", [OTHER, OTHER[:12], None, "", OWN[:11], OWN[:13], "web"])
def test_bench_may_not_act_on_anything_else(reference: str | None) -> None:
    with pytest.raises(HostOnly):
        BENCH.require_container(reference)
    with pytest.raises(HostOnly):
        BENCH.require_host()


@pytest.mark.parametrize("caller", [UNKNOWN, Caller("unknown", OWN), Caller("bench", None)])
def test_unclear_is_refused_and_never_unscoped(caller: Caller) -> None:
    for attempt in (caller.require_known, caller.require_host):
        with pytest.raises(HostOnly) as refusal:
            attempt()
        assert refusal.value.details == {}
    with pytest.raises(HostOnly):
        caller.require_container(OWN)
    with pytest.raises(HostOnly):
        _ = caller.scope


def test_short_and_full_ids_are_the_same() -> None:
    assert same_container(OWN, OWN[:12])
    assert same_container(OWN[:12], OWN)
    assert not same_container(OWN, OTHER[:12])
    assert not same_container(OWN[:12], OWN[:11])
