"""How much is measured, and on what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.docker import DockerEngine


@dataclass(frozen=True, slots=True)
class Scope:
    """What every benchmark is given.

    :param engine: a real Docker engine, opened when first asked for.
    """

    quick: bool
    engine: Callable[[], DockerEngine]

    def count(self, full: int, quick: int) -> int:
        """How often to repeat something."""
        return quick if self.quick else full
