"""Accepting a layout (M1): every check first, then one transaction that commits all of it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agenttower.bench.registry import Benches
from agenttower.clock import Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain import events, templates
from agenttower.domain.identifiers import (
    check_identifier,
    new_agent_id,
    normalise_container_ref,
    split_override_key,
    tmux_session_target,
)
from agenttower.domain.states import State
from agenttower.domain.templates import LaunchProfile, PlannedPane, Template
from agenttower.engine import presence
from agenttower.engine.engine import Engine
from agenttower.errors import (
    LayoutCapacityExceeded,
    PaneLabelConflict,
    SessionNameConflict,
    ValidationFailed,
    WorkerUnavailable,
)
from agenttower.paths import Paths
from agenttower.services.caller import Caller
from agenttower.services.catalog import Catalog
from agenttower.services.managed.health_gate import HealthGate
from agenttower.store import containers, layouts
from agenttower.store.containers import ContainerRecord
from agenttower.store.database import Store, Transaction
from agenttower.store.layouts import LayoutRecord
from agenttower.store.ledger import NewStep

MAX_LAYOUTS = 40
"""FR-025, per daemon."""
CONTROL_SESSION = "agenttower-ctl"


@dataclass(frozen=True, slots=True)
class Request:
    """M1's parameters, identifiers checked."""

    container_ref: str
    template_name: str
    session: str
    overrides: Mapping[str, str]
    idempotency_key: str | None
    label_prefix: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A layout that passed every check that can be made before the transaction."""

    container: ContainerRecord
    template: Template
    panes: Sequence[PlannedPane]
    profiles: Mapping[str, LaunchProfile]
    request: Request

    @property
    def target(self) -> str:
        return tmux_session_target(self.request.session)


class LayoutCreation:
    """The service behind ``managed.layout.create``."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        benches: Benches,
        catalog: Catalog,
        paths: Paths,
        clock: Clock,
        wake_readers: Callable[[], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._gate = HealthGate(benches)
        self._catalog = catalog
        self._paths = paths
        self._clock = clock
        self._wake_readers = wake_readers

    def create(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Accept a layout and enqueue its creation; answers once everything is committed.

        :raises AgentTowerError: the errors of M1, in M1's order; nothing has happened then.
        """
        container = containers.by_ref(request.container_ref)
        caller.require_container(None if container is None else container.id)
        check(request)
        replayed = self._replay(container, request)
        if replayed is not None:
            return replayed
        plan = self._plan(self._gate.running_container(request.container_ref), request)
        self._admit(plan)
        self._gate.refuse_foreign_session(plan.container, plan.request.session)
        if not presence.heard_of_a_worker(self._clock()):
            raise WorkerUnavailable
        return self._commit(plan)

    def _replay(self, container: ContainerRecord | None, request: Request) -> dict[str, Any] | None:
        if container is None or request.idempotency_key is None:
            return None
        layout = layouts.layout_by_key(container.id, request.idempotency_key)
        return None if layout is None else accepted(layout, replay=True)

    def _plan(self, container: ContainerRecord, request: Request) -> Plan:
        template = self._catalog.template(request.template_name)
        panes = templates.plan(
            template,
            session=request.session,
            label_prefix=request.label_prefix,
            overrides=request.overrides,
        )
        names = {pane.profile_name for pane in panes if pane.profile_name is not None}
        profiles = {name: self._catalog.profile(name) for name in sorted(names)}
        return Plan(container, template, panes, profiles, request)

    def _admit(self, plan: Plan) -> None:
        """The checks on rows: labels, capacity, session. Exact only inside the transaction."""
        held = layouts.label_holder(plan.container.id, [pane.label for pane in plan.panes])
        if held is not None:
            label, holder = held
            raise PaneLabelConflict(
                plan.container.id, label, f"{holder.tmux_session_name} ({holder.layout_id})"
            )
        count = layouts.count_layouts()
        if count >= MAX_LAYOUTS:
            raise LayoutCapacityExceeded(count, MAX_LAYOUTS)
        if plan.target == CONTROL_SESSION or layouts.session_holder(plan.container.id, plan.target):
            raise SessionNameConflict(plan.container.id, plan.request.session)

    def _commit(self, plan: Plan) -> dict[str, Any]:
        with self._store.transaction() as transaction:
            replayed = self._replay(plan.container, plan.request)
            if replayed is not None:
                return replayed
            self._admit(plan)
            transaction.afterwards("crash", lambda: crash_point("create.committed"))
            layout_id = self._write(transaction, plan)
            crash_point("create.committing")
            layout = layouts.layout(layout_id)
            assert layout is not None
            result = accepted(layout, replay=False)
            transaction.afterwards("readers", self._wake_readers)
        return result

    def _write(self, transaction: Transaction, plan: Plan) -> str:
        now = self._clock()
        layout_id = str(uuid.uuid4())
        rows = [self._pane_row(plan, layout_id, pane, now) for pane in plan.panes]
        layouts.insert_layout(
            {
                "layout_id": layout_id,
                "container_id": plan.container.id,
                "template_name": plan.template.name,
                "template_layout": plan.template.layout,
                "tmux_session_name": plan.request.session,
                "tmux_session_target": plan.target,
                "label_prefix": plan.request.label_prefix,
                "state": State.CREATING.value,
                "intended_pane_count": len(rows),
                "idempotency_key": plan.request.idempotency_key,
                "last_sequence": 0,
                "revision": 0,
                "created_at": now,
                "updated_at": now,
            },
            rows,
        )
        created = events.layout_created(plan.template.name, plan.container.id, len(rows))
        layouts.append_events(
            self._store,
            layout_id,
            plan.container.id,
            "operator",
            [(None, created)]
            + [
                (row["pane_id"], events.pending_marker_set(row["pending_marker_token"]))
                for row in rows
            ],
            now,
        )
        self._engine.submit(
            transaction,
            "create",
            plan.container.id,
            in_line=True,
            subject_id=layout_id,
            requested_by="operator",
            steps=[NewStep("pane_create", rows[0]["pane_id"])],
        )
        return layout_id

    def _pane_row(
        self, plan: Plan, layout_id: str, pane: PlannedPane, now: Micros
    ) -> dict[str, Any]:
        profile = None if pane.profile_name is None else plan.profiles[pane.profile_name]
        agent_id = new_agent_id(os.urandom)
        return {
            "pane_id": str(uuid.uuid4()),
            "layout_id": layout_id,
            "container_id": plan.container.id,
            "slot": pane.slot,
            "role": pane.role,
            "capability": pane.capability,
            "label": pane.label,
            "state": State.CREATING.value,
            "profile_name": pane.profile_name,
            "launch": launch_document(profile),
            "tmux_session_name": plan.request.session,
            "chain_depth": 0,
            "pending_marker_token": plan.request.idempotency_key or str(uuid.uuid4()),
            "reserved_agent_id": agent_id,
            "log_path": str(self._paths.logs_dir / plan.container.id / f"{agent_id}.log"),
            "log_attached": False,
            "created_at": now,
            "updated_at": now,
        }


def check(request: Request) -> None:
    """Shape and identifiers (FR-016), before anything is looked up.

    :raises ValidationFailed: naming the parameter.
    """
    normalise_container_ref(request.container_ref)
    if not request.template_name:
        raise ValidationFailed("template_name", "must not be empty")
    check_identifier("tmux_session_name", request.session)
    if request.idempotency_key is not None:
        check_identifier("idempotency_key", request.idempotency_key)
    if request.label_prefix:
        check_identifier("label_prefix", request.label_prefix)
    for key in request.overrides:
        split_override_key(key)


def launch_document(profile: LaunchProfile | None) -> str:
    """What to start, as it is stored: later edits of the profile do not change a layout."""
    if profile is None:
        return json.dumps({"argv": [], "env": {}, "working_dir": None, "restart": None})
    return json.dumps(
        {
            "argv": list(profile.command),
            "env": dict(profile.env),
            "working_dir": profile.working_dir,
            "restart": None if profile.restart is None else asdict(profile.restart),
        }
    )


def accepted(layout: LayoutRecord, *, replay: bool) -> dict[str, Any]:
    """M1's result: the layout as it is now."""
    return {
        "layout_id": layout.layout_id,
        "state": layout.state.value,
        "intended_pane_count": layout.intended_pane_count,
        "panes": [
            {
                "pane_id": pane.pane_id,
                "role": pane.role,
                "label": pane.label,
                "state": pane.state.value,
            }
            for pane in layouts.current_panes(layout.layout_id)
        ],
        "replay": replay,
    }
