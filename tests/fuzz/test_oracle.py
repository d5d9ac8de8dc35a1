"""The oracle sees what it is there for."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.ground import HOST, Ground, Said
from tests.fuzz.oracle import Broken, Watch, check_answer

ASKED = b'{"method":"managed.layout.detail","params":{"layout_id":"x"}}'
REFUSED: dict[str, Any] = {
    "ok": False,
    "error": {
        "code": "validation_failed",
        "message": "layout_id: must be a UUID",
        "details": {"field": "layout_id", "reason": "must be a UUID"},
    },
}


def line(answer: object) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def error(**changes: object) -> bytes:
    return line({**REFUSED, "error": {**REFUSED["error"], **changes}})


def test_a_good_refusal_passes() -> None:
    assert check_answer(ASKED, Said(line(REFUSED), True)) == REFUSED


@pytest.mark.parametrize(
    "answer",
    [
        line(REFUSED)[:-1],
        line(REFUSED) * 2,
        line([REFUSED]),
        line({**REFUSED, "result": {}}),
        line({**REFUSED, "app_contract_version": "1.1"}),
        line({"ok": True, "result": {}}),
        line({"ok": True, "result": float("nan")}),
        error(code="internal_error", details={}),
        error(code="agent_not_found", details={"agent_id": "x"}),
        error(details={"field": "layout_id"}),
        error(message=""),
        error(message="a\nb"),
        error(message="x" * 3000),
        error(message="KeyError: 'layout_id'"),
        error(message=f"no such file: {Path(__file__)}"),
        error(message="UNIQUE constraint failed: sqlite"),
    ],
    ids=range(16),
)
def test_a_bad_answer_does_not(answer: bytes) -> None:
    with pytest.raises(Broken):
        check_answer(ASKED, Said(answer, True))


def writes_a_row(ground: Ground) -> None:
    with ground.store.transaction():
        ground.store.execute("UPDATE managed_layout SET revision = revision + 1")


def makes_a_file(ground: Ground) -> None:
    (ground.home.root / "left-behind").touch()


def complains(ground: Ground) -> None:
    logging.getLogger("agenttower.somewhere").error("it went wrong")


@pytest.mark.parametrize("deed", [writes_a_row, makes_a_file, complains])
def test_a_refusal_with_an_effect_is_seen(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Ground], None]
) -> None:
    def ask(_line: bytes, _caller: object) -> Said:
        deed(ground)
        return Said(line(REFUSED), True)

    monkeypatch.setattr(ground, "ask", ask)
    with pytest.raises(Broken, match=r"changed|complain"):
        Watch(ground).ask(ASKED, HOST)
    (ground.home.root / "left-behind").unlink(missing_ok=True)


def test_a_thread_that_stays_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)

    def ask(_line: bytes, _caller: object) -> Said:
        thread.start()
        return Said(line(REFUSED), True)

    monkeypatch.setattr(ground, "ask", ask)
    try:
        with pytest.raises(Broken, match="more threads"):
            Watch(ground).ask(ASKED, HOST)
    finally:
        stop.set()
        thread.join()
