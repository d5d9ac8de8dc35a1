"""How long the delivery of a worker sleeps: until it is rung for, or until a delay ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell
from workers.delivery import AGAIN_S, DeliveryPump


def busy() -> float:
    raise RuntimeError("locked")


@pytest.mark.parametrize(
    ("until_due", "pause"),
    [
        (lambda: None, SAFETY_NET_S),
        (lambda: 3600.0, SAFETY_NET_S),
        (lambda: 0.25, 0.25),
        (lambda: 0.0, 0.0),
        (busy, AGAIN_S),
    ],
)
def test_a_pause_ends_with_the_next_delay(tmp_path: Path, until_due: Any, pause: float) -> None:
    bell = Doorbell(tmp_path / "bells")
    delivery: Any = SimpleNamespace(
        settle_late=lambda: None, release_due=until_due, waiting=list, stop=lambda: None
    )
    store: Any = SimpleNamespace(close_thread=lambda: None)
    pump = DeliveryPump(store, bell, delivery)
    try:
        assert pump._turn() == pause
    finally:
        pump.stop()
        pump.close()
        bell.close()
