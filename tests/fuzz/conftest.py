"""How these tests use Hypothesis: the same examples in every run; ``make fuzz`` draws others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz.ground import Ground, open_ground

settings.register_profile(
    "fuzz",
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """The services that requests are thrown at; begin each example with ``start_again``."""
    with open_ground() as opened:
        yield opened
