"""What must hold for every answer, and for the tower after it."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agenttower.protocol.app.version import VERSION
from agenttower.protocol.catalog import declarations
from agenttower.protocol.errors import APP, COMMON, LEGACY, codes_of, details_of, namespace_of
from agenttower.rpc.envelopes import MESSAGE_LIMIT
from tests.fuzz.ground import Ground, Rows, Said

UNREADABLE: tuple[str, ...] = ("bad_json", "bad_request", "request_too_large")
UNREADABLE_APP: tuple[str, ...] = ("malformed_request", "payload_too_large")
"""What a line is refused with in which no method can be read."""

TOKEN_PLACE = b"the-token-of-the-session"
"""Stands in requests for the token, which is another whenever the tower begins anew."""

SESSION_PLACE = b"the-session-that-follows-events"

WRITES_WHEN_REFUSED = frozenset({"scan_containers", "scan_panes", "app.scan.containers",
                                 "app.scan.panes"})  # fmt: skip
"""A scan that fails is a scan that has been made: it has a row."""

UNDER_WAY = frozenset({"managed.pane.remove", "managed.layout.remove", "attach_log", "detach_log",
                       "register_agent", "scan_panes", "app.managed_pane_remove",
                       "app.managed_layout_remove", "app.log.attach", "app.log.detach",
                       "app.agent.register_from_pane"})  # fmt: skip
"""What ends in ``internal_error`` where the client waited as long as it may: the order stands, and
its message says so (M6)."""

READS = frozenset({"list", "detail", "show", "status", "preview", "watch", "read", "ping", "hello",
                   "preflight", "readiness", "dashboard", "list_containers", "list_panes",
                   "list_agents", "attach_log_status", "attach_log_preview", "follow_open",
                   "follow_next", "follow_close", "classifier_rules"})  # fmt: skip
"""The last word of methods that change nothing, however they end."""

_ROOT = str(Path(__file__).parents[2])
_LEAKS = re.compile(
    r"Traceback|site-packages|sqlite3?\b|peewee|msgspec|object at 0x|<class |line \d+, in "
    r"|\b(?:[A-Z][a-z]+)+(?:Error|Exception|Warning)\b"
    rf"|{re.escape(_ROOT)}|{re.escape(sys.prefix)}",
)
_NO_WORD = re.compile(r"[^a-z_ ]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Broken(AssertionError):
    """An answer or a state that must not be."""


def check_answer(line: bytes, said: Said) -> dict[str, Any]:
    """Hold an answer against the contract.

    :param line: the request, without its newline.
    :returns: the answer.
    :raises Broken: saying what is wrong.
    """
    method = method_in(line)
    answer = _object(said.line)
    expected = {"ok", "result" if answer.get("ok") is True else "error"}
    is_app = "app_contract_version" in answer
    _insist(set(answer) == expected | ({"app_contract_version"} if is_app else set()), answer)
    _insist(not is_app or answer["app_contract_version"] == VERSION, answer)
    if method is None:
        _check_unreadable(answer, line)
        return answer
    _insist(is_app == (namespace_of(method) == APP), answer)
    if answer["ok"] is True:
        _check_result(method, answer["result"])
    else:
        _insist(answer["ok"] is False, answer)
        _check_error(method, answer["error"], line, said.at_once)
    return answer


def method_in(line: bytes) -> str | None:
    """The method that a request names, where one can be read."""
    try:
        request = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    method = request.get("method") if isinstance(request, dict) else None
    return method if isinstance(method, str) and method else None


def _object(line: bytes) -> dict[str, Any]:
    _insist(line.endswith(b"\n") and line.count(b"\n") == 1, line[:200])
    answer = json.loads(line.decode("utf-8"), parse_constant=_no_json)
    _insist(isinstance(answer, dict), answer)
    return dict(answer)


def _check_result(method: str, result: object) -> None:
    _insist(isinstance(result, dict), result)
    try:
        msgspec.convert(result, declarations()[method].result)
    except msgspec.ValidationError as error:
        raise Broken(f"{method}: the result is not as declared: {error}: {result}") from error


def _check_error(method: str, error: dict[str, Any], line: bytes, at_once: bool) -> None:
    namespace = namespace_of(method)
    members = {"code", "message"} | (set() if namespace == LEGACY else {"details"})
    _insist(set(error) == members, error)
    code = error["code"]
    goes_on = code == "internal_error" and not at_once and method in UNDER_WAY
    _insist(goes_on or code != "internal_error", f"{method}: {error} to {line[:2000]!r}")
    _insist(code in codes_for(method), f"{method}: {code} is no code of it: {error}")
    _check_message(error, line)
    if namespace == APP and isinstance(reason := error["details"].get("reason"), str):
        shown = [text for text in _texts(msgspec.json.decode(line).get("params")) if text in reason]
        _insist(not shown, f"{method}: the reason shows {shown}: {error}")
    shape = details_of(code, namespace)
    if shape is not None:
        try:
            msgspec.convert(error["details"], shape)
        except msgspec.ValidationError as wrong:
            raise Broken(f"{method}: details are not as declared: {wrong}: {error}") from wrong


def _texts(value: object) -> Iterator[str]:
    """What was sent and is no word that a reason may have of itself."""
    if isinstance(value, str) and len(value) > 5 and _NO_WORD.search(value):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _check_unreadable(answer: dict[str, Any], line: bytes) -> None:
    """No method can be read. A line that names ``app.*``, or is empty, or holds CR or NUL, may be
    answered in its envelope (legacy surfaces, 3.4)."""
    _insist(answer["ok"] is False, answer)
    codes = UNREADABLE
    if "app_contract_version" in answer:
        _insist(not line or b"app." in line or b"\r" in line or b"\0" in line, answer)
        codes = UNREADABLE_APP
    _insist(answer["error"]["code"] in codes, answer)
    _check_message(answer["error"], line)


def _check_message(error: dict[str, Any], line: bytes) -> None:
    message = error["message"]
    _insist(isinstance(message, str) and 0 < len(message) <= MESSAGE_LIMIT, error)
    _insist(not _CONTROL.search(message), error)
    for leak in _LEAKS.findall(json.dumps(error, ensure_ascii=False)):
        _insist(leak.encode() in line, f"tells {leak!r}: {error} to {line[:500]!r}")


def codes_for(method: str) -> frozenset[str]:
    """The closed set of codes that a request for this method may be refused with."""
    declared = declarations().get(method)
    if declared is not None:
        return frozenset(codes_of(declared))
    return frozenset({*COMMON[namespace_of(method)], "unknown_method"})


@dataclass(frozen=True, slots=True)
class State:
    """What a refused request must leave as it is."""

    rows: Rows
    files: frozenset[str]
    threads: int
    descriptors: int

    @classmethod
    def of(cls, ground: Ground) -> State:
        found = frozenset(str(path) for path in ground.home.root.rglob("*"))
        return cls(ground.rows(), found, threading.active_count(), len(os.listdir("/proc/self/fd")))

    def difference(self, other: State) -> str:
        """In words; empty where there is none."""
        tables = [name for name, rows in self.rows.items() if other.rows[name] != rows]
        told = [f"rows of {name}" for name in tables]
        told += [f"file {path}" for path in self.files ^ other.files]
        if other.threads > self.threads:
            told.append(f"{other.threads - self.threads} more threads")
        if other.descriptors > self.descriptors:
            told.append(f"{other.descriptors - self.descriptors} more descriptors")
        return ", ".join(told)


class Watch:
    """Asks, and looks at the answer and at what it has left behind."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._version = -1
        self._state: State

    def ask(self, line: bytes, caller: Any) -> dict[str, Any]:
        """One request. :raises Broken: an answer outside the contract, or a change without one."""
        self.ground.settle()
        before = self._look()
        line = line.replace(TOKEN_PLACE, self.ground.token.encode())
        line = line.replace(SESSION_PLACE, self.ground.session.encode())
        said = self.ground.ask(line, caller)
        complaints = self.ground.complaints.taken()
        _insist(not complaints, f"{line[:1000]!r} made the daemon complain: {complaints}")
        answer = check_answer(line, said)
        method = method_in(line) or ""
        reads = method.rpartition(".")[2] in READS
        if (not answer["ok"] and said.at_once and method not in WRITES_WHEN_REFUSED) or reads:
            changed = before.difference(self._look())
            _insist(not changed, f"{method} changed {changed}: {line[:500]!r} -> {answer}")
        return answer

    def _look(self) -> State:
        """The rows are read anew only where somebody has written."""
        version = self.ground.version()
        state = State.of(self.ground) if version != self._version else None
        if state is None:
            known = self._state.rows
            files = frozenset(str(path) for path in self.ground.home.root.rglob("*"))
            state = State(known, files, threading.active_count(), len(os.listdir("/proc/self/fd")))
        self._version, self._state = version, state
        return state


def _insist(holds: bool, what: object) -> None:
    if not holds:
        raise Broken(str(what)[:4000])


def _no_json(constant: str) -> None:
    raise Broken(f"{constant} is no JSON")
