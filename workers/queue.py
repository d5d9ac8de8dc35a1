"""Huey on our own database: the queue whose messages are doorbells.

A message is written in the transaction that writes its step and carries the step's id, as JSON.
``not_before`` stands beside it, so that one reader waits exactly until the earliest message is due
or somebody rings; there is no second scheduler and no polling (design.md section 2).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

from huey.api import Huey
from huey.constants import EmptyData
from huey.contrib.sql_huey import SqlStorage
from huey.registry import Message, Registry
from huey.serializer import Serializer

from agenttower.clock import SECOND, Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain.retry import LONGEST_WAIT_US
from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell, Listener
from agenttower.store.database import Store
from agenttower.store.models import QueueCounter, QueueMessage, QueueSchedule, QueueValue

NAME = "agenttower"


class JsonSerializer(Serializer):
    """Messages as JSON: a task's id, name and arguments. Anything else in one is refused."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps([data.id, data.name, data.args, data.kwargs]).encode()

    def _deserialize(self, data: bytes) -> Message:
        task_id, name, args, kwargs = json.loads(data)
        return Message(task_id, name, args=tuple(args), kwargs=kwargs)


class NamedRegistry(Registry):
    """Tasks go by their own names, so that a moved file orphans no message."""

    def task_to_string(self, task_class: type) -> str:
        return task_class.__name__


class DoorbellStorage(SqlStorage):
    """Huey's SQL storage in our tables, with a reader that waits for the bell."""

    blocking = True

    def __init__(self, name: str, store: Store, clock: Clock, doorbell: Doorbell) -> None:
        self._store = store
        self._clock = clock
        self._doorbell = doorbell
        self._listener: Listener | None = None
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self.on_look: Callable[[], None] = lambda: None
        """Called each time a reader looks for a message."""
        super().__init__(name, database=store.database, create_tables=False)

    def create_models(self) -> tuple[type, type, type, type]:
        return QueueValue, QueueSchedule, QueueMessage, QueueCounter

    def listen(self) -> None:
        """Start to hear the bell; only a process that runs tasks does."""
        self._listener = self._doorbell.listen("queue")

    def stop(self) -> None:
        """Let every waiting reader return."""
        self._stopped.set()
        if self._listener is not None:
            self._listener.wake()

    def hang_up(self) -> None:
        """Stop hearing the bell, once no reader waits any more."""
        if self._listener is not None:
            self._listener.close()

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Huey's own way in, used for periodic tasks."""
        with self._store.transaction() as transaction:
            self.write(data, step_id=None, not_before=0, priority=priority or 0)
            transaction.afterwards("queue", self.ring)

    def write(
        self, data: bytes, *, step_id: int | None, not_before: Micros, priority: float = 0
    ) -> None:
        """Write a message inside the caller's transaction."""
        self._store.execute(
            "INSERT INTO queue_message (queue, data, priority, step_id, not_before)"
            " VALUES (?, ?, ?, ?, ?)",
            (self.name, data, priority, step_id, not_before),
        )

    def ring(self) -> None:
        """Wake the readers of every process."""
        self._doorbell.ring("queue")

    def dequeue(self) -> bytes | None:
        """Take the first message that is due; wait for one; ``None`` only when stopped.

        One thread at a time reads and waits; as soon as it has a message the next takes its place.
        """
        with self._turn:
            while not self._stopped.is_set():
                self.on_look()
                data, next_due = self._take()
                if data is not None:
                    crash_point("queue.taken")
                    return data
                self._wait(next_due)
        return None

    def _take(self) -> tuple[bytes | None, Micros | None]:
        now = self._clock()
        # Looking first keeps an idle reader from taking the write lock.
        horizon = now + LONGEST_WAIT_US
        head, last = self._store.execute(
            "SELECT MIN(not_before), MAX(not_before) FROM queue_message WHERE queue = ?",
            (self.name,),
        ).fetchone()
        if head is None or (now < head and last <= horizon):
            return None, head
        with self._store.transaction():
            row = self._store.execute(
                "DELETE FROM queue_message WHERE id = (SELECT id FROM queue_message"
                " WHERE queue = ? AND (not_before <= ? OR not_before > ?)"
                " ORDER BY priority DESC, not_before, id LIMIT 1) RETURNING data",
                (self.name, now, horizon),
            ).fetchone()
        return (None, now) if row is None else (bytes(row[0]), None)

    def _wait(self, next_due: Micros | None) -> None:
        timeout = SAFETY_NET_S
        if next_due is not None:
            timeout = min(timeout, max(0.0, (next_due - self._clock()) / SECOND))
        if self._listener is not None:
            self._listener.wait(timeout)
        else:
            self._stopped.wait(timeout)

    # Results and revocation are off: the ledger is the only record of what became of a step.

    def peek_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        return {}

    def delete_data(self, key: str) -> bool:
        return False

    def peek_data(self, key: str) -> Any:
        return EmptyData


class StepHuey(Huey):
    """The Huey instance of this database, and the engine's :class:`StepQueue`."""

    def __init__(self, store: Store, clock: Clock, doorbell: Doorbell) -> None:
        super().__init__(
            NAME,
            results=False,
            serializer=JsonSerializer(),
            storage_class=DoorbellStorage,
            store=store,
            clock=clock,
            doorbell=doorbell,
        )
        self._registry = NamedRegistry()
        self._stages: dict[str, Any] = {}

    def add_stage(self, name: str, run: Callable[[int], None]) -> None:
        """Register the task that runs the steps of one stage; it takes the step's id."""

        def task(step_id: int) -> None:
            run(step_id)

        task.__doc__ = f"Run one ``{name}`` step."
        self._stages[name] = self.task(name=name)(task)

    def post(self, step_id: int, stage: str, not_before: Micros) -> None:
        """Write the message for a step, inside the caller's transaction."""
        message = self.serialize_task(self._stages[stage].s(step_id))
        self.storage.write(message, step_id=step_id, not_before=not_before)

    def ring(self) -> None:
        """Wake the workers."""
        self.storage.ring()


def open_queue(
    store: Store,
    clock: Clock,
    doorbell: Doorbell,
    stages: Iterable[str],
    run_step: Callable[[int], None] | None,
) -> StepHuey:
    """The queue with a task for every stage of every operation.

    :param stages: the names of the tasks.
    :param run_step: what a task does; ``None`` in a process that only posts.
    """
    huey = StepHuey(store, clock, doorbell)
    for stage in stages:
        huey.add_stage(stage, run_step or _never)
    return huey


def _never(step_id: int) -> None:
    raise RuntimeError(f"step {step_id} was taken by a process that runs no steps")
