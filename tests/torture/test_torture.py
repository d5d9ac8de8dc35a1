"""A short torture run; ``make torture`` is the long one."""

from __future__ import annotations

import os

import pytest

from tests.support.docker import DockerEngine
from tests.torture.run import torture
from tests.torture.schedule import KINDS, draw

SEED = 5
"""The same schedule at every run of the tests; `make torture` draws another each time."""
SECONDS = 20.0


def test_a_schedule_is_repeatable_and_has_every_kind() -> None:
    assert draw(7, 300) == draw(7, 300)
    assert draw(7, 300) != draw(8, 300)
    assert {fault.kind for lane in draw(7, 300) for fault in lane} == set(KINDS)


@pytest.mark.timeout(400)  # a lease that must run out, and the sweep behind it, take their time
def test_a_tower_survives(docker_engine: DockerEngine) -> None:
    seed = int(os.environ.get("AGENTTOWER_TEST_SEED") or SEED)
    verdict = torture(docker_engine, SECONDS, seed)
    told = "\n".join([*verdict.tally.journal, str(verdict)])
    assert verdict.tally.wrong == [], f"AGENTTOWER_TEST_SEED={seed} repeats the schedule\n{told}"
    assert verdict.tally.kills.total() > 0
    assert verdict.operations["create succeeded"] > 0
