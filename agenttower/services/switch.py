"""The kill switch: while it is off, prompts are accepted and none is delivered.

Legacy surfaces part 2, sections 5 and 7. It is a row, so that every process sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttower.clock import MILLISECOND, Clock, Micros, to_millis
from agenttower.crashpoints import crash_point
from agenttower.domain.prompts import HOST_OPERATOR
from agenttower.errors import RoutingToggleHostOnly
from agenttower.services.caller import Caller
from agenttower.store import prompts, switches
from agenttower.store.database import Store
from agenttower.store.switches import SwitchRecord

SWITCH = "routing_enabled"
SEED = "(daemon-init)"
ENABLED, DISABLED = "enabled", "disabled"


class RoutingSwitch:
    """The switch of one database.

    :param wake: called after it was switched: what waits may go, and readers have news.
    """

    def __init__(self, store: Store, clock: Clock, wake: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        if switches.find(SWITCH) is None:
            with store.transaction():
                switches.seed(store, SWITCH, ENABLED, self._now(), SEED)

    def is_enabled(self) -> bool:
        """Whether prompts go their way; in a transaction, as of that transaction."""
        return self._stored().value == ENABLED

    def status(self) -> dict[str, Any]:
        """``routing.status``."""
        stored = self._stored()
        return {
            "value": stored.value,
            "last_updated_at": to_millis(stored.last_updated_at),
            "last_updated_by": stored.last_updated_by,
        }

    def switched_at(self) -> Micros:
        """When it was last switched."""
        return self._stored().last_updated_at

    def toggle(self, caller: Caller, value: str) -> dict[str, Any]:
        """``routing.enable`` and ``routing.disable``; the same value again writes nothing.

        :raises RoutingToggleHostOnly: the caller is not proven to be on the host.
        """
        if caller.kind != "host":
            raise RoutingToggleHostOnly
        with self._store.transaction() as transaction:
            before = self._stored()
            if before.value != value:
                self._write(before, value)
                crash_point("routing.committing")
                transaction.afterwards("switch", self._wake)
        after = self._stored()
        return {
            "previous_value": before.value,
            "current_value": value,
            "changed": before.value != value,
            "last_updated_at": to_millis(after.last_updated_at),
            "last_updated_by": after.last_updated_by,
        }

    def _write(self, before: SwitchRecord, value: str) -> None:
        now = self._now()
        switches.write(SWITCH, value, now, HOST_OPERATOR)
        prompts.append_audit(
            self._store,
            {
                "schema_version": 1,
                "event_type": "routing_toggled",
                "previous_value": before.value,
                "current_value": value,
                "observed_at": to_millis(now),
                "operator": HOST_OPERATOR,
            },
            agent_id=HOST_OPERATOR,
            container_id=None,
            actor="operator",
            now=now,
        )

    def _stored(self) -> SwitchRecord:
        stored = switches.find(SWITCH)
        assert stored is not None, "seeded when this object was made"
        return stored

    def _now(self) -> Micros:
        now = self._clock()
        return now - now % MILLISECOND
