"""Requests: for every method of the table, in every namespace, from everybody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from agenttower.protocol.catalog import declarations
from agenttower.protocol.declaration import Gate
from agenttower.services.caller import Caller
from tests.fuzz.ground import Ground
from tests.fuzz.oracle import SESSION_PLACE, TOKEN_PLACE
from tests.fuzz.values import Known, bodies, junk, struct

TOKEN = "app_session_token"

_WORDS: Known = {
    "template_name": ["1m+2s", "2s"],
    "profile_name": ["claude", "shell"],
    "tmux_session_name": ["new", "other.new"],
    "source_scope_kind": ["any", "agent_id", "role"],
    "target_rule": ["explicit", "source", "role"],
    "master_rule": ["auto", "explicit"],
    "event_type": ["error", "activity", "long_running"],
    "role": ["slave", "shell", "unknown"],
    "capability": ["claude", "gemini"],
    "since": ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00+00:00"],
    "lines": [1, 200],
    "payload": [{"text": "hello"}],
    "log_path": ["/tmp/a.log"],
}
"""Words of closed sets that are no enumeration in a declaration, and names that may be given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and who sends it."""

    line: bytes
    caller: Caller


def known_to(ground: Ground) -> Known:
    """What requests may name: everything in the database, cursors, sessions, bodies."""
    known = ground.vocabulary()
    known["body"] = bodies()
    known[TOKEN] = [TOKEN_PLACE.decode()]
    known["session_id"] = [SESSION_PLACE.decode()]
    known["schema_version"] = [ground.services.status(whole=False)["schema_version"]]
    known["pane_composite_key"] = list(ground.pane_keys())
    known["caller_pane"] = [{"pane_composite_key": key} for key in known["pane_composite_key"]]
    for name, declared in declarations().items():
        if name in ground.methods and "limit" in declared.params.__struct_fields__:
            params = {"limit": 1, TOKEN: ground.token} if declared.session else {"limit": 1}
            _harvest(json.loads(ground.ask(_line({"method": name, "params": params})).line), known)
    known |= {name: [*known.get(name, []), *values] for name, values in _WORDS.items()}
    return known


def _harvest(answer: object, known: Known) -> None:
    """Take over what an answer names: ids in the form of its namespace, cursors."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if isinstance(value, str | int) and value not in known.setdefault(name, []):
                known[name].append(value)
            _harvest(value, known)
    elif isinstance(answer, list):
        for one in answer:
            _harvest(one, known)


def requests(ground: Ground, known: Known) -> st.SearchStrategy[Asked]:
    """Requests of every kind, in the ground's own words. Methods are equally likely."""
    declared = {name: one for name, one in declarations().items() if name in ground.methods}
    by_method = {name: struct(one.params, known) for name, one in declared.items()}

    @st.composite
    def one(draw: st.DrawFn) -> Asked:
        name = draw(st.sampled_from(sorted(by_method)))
        params: Any = draw(by_method[name] if draw(st.integers(0, 15)) else junk)
        if isinstance(params, dict) and declared[name].session and draw(st.integers(0, 15)):
            params[TOKEN] = TOKEN_PLACE.decode()
        host, *others = ground.callers
        wrong = 8 if declared[name].gate is Gate.HOST else 2
        caller = host if draw(st.integers(1, wrong)) > 1 else draw(st.sampled_from(others))
        return Asked(_line({"method": name, "params": params}), caller)

    return one()


def _line(request: dict[str, Any]) -> bytes:
    # Python's JSON writes NaN, and half a surrogate pair as an escape: so may a client.
    return json.dumps(request).encode()
