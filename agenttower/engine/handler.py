"""What the engine asks of a step's handler, and of the queue that rings for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agenttower.clock import Micros
from agenttower.store.database import Transaction
from agenttower.store.ledger import ClaimedStep, NewStep


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step has failed for good."""

    error_class: str
    reason: str


class StepHandler(Protocol):
    """One stage of an operation: an idempotent effect, and what follows from its outcome."""

    def perform(self, step: ClaimedStep, deadline: float) -> Any:
        """Do the effect, outside any transaction, adopting what an earlier attempt made.

        :param deadline: ``time.monotonic()`` seconds by which to be done.
        :return: what :meth:`succeeded` needs to know.
        :raises AgentTowerError: its ``error_class`` decides whether to try again.
        """

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: Any
    ) -> Sequence[NewStep]:
        """Write what follows from success, inside the settling transaction."""

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        """Write what follows from failure for good, inside the settling transaction."""

    def overtaken(self, step: ClaimedStep, result: Any) -> None:
        """The fence moved on while the effect ran: undo the effect where it must not stand."""


class StepQueue(Protocol):
    """Where the doorbells hang. Implemented by ``workers.queue`` on Huey."""

    def post(self, step_id: int, stage: str, not_before: Micros) -> None:
        """Write the message for a step, inside the caller's transaction."""

    def ring(self) -> None:
        """Wake the workers; called once the transaction has committed."""
