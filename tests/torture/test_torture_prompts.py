"""A short run of the prompt torture; ``make torture-prompts`` is the long one."""

from __future__ import annotations

import pytest

from tests.support.docker import DockerEngine
from tests.torture.prompts import torture_prompts


@pytest.mark.timeout(120)
def test_prompts_survive_a_worker_that_is_killed(docker_engine: DockerEngine) -> None:
    outcome = torture_prompts(docker_engine, count=120, seed=5, pause_s=(0.1, 1.0))
    assert outcome.wrong == [], f"{outcome}\n{outcome.said}"
    assert outcome.kills > 0
    assert outcome.states["delivered submitted"] > 0
