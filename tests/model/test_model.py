"""The model check: any order of requests, work, faults and crashes keeps the contract.

``AGENTTOWER_MODEL_EXAMPLES=5000`` tries that many lives, new ones every time, and makes a
counterexample small; without it the same few are tried, and one is shown as it was found.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import LifecycleMachine

WANTED = os.environ.get("AGENTTOWER_MODEL_EXAMPLES")
EXAMPLES = int(WANTED or 100)
STEPS = 40
SHRINKING_S = 420
"""What Hypothesis may need to make a counterexample small."""


@pytest.mark.slow
@pytest.mark.timeout(SHRINKING_S + 2 * EXAMPLES)
def test_the_lifecycle_keeps_its_contract_whatever_happens() -> None:
    run_state_machine_as_test(
        LifecycleMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=WANTED is None,
            print_blob=WANTED is not None,
            report_multiple_bugs=False,
            deadline=None,
            phases=[Phase.generate] if WANTED is None else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
