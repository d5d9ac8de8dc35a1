"""Named queries on managed layouts, panes and their events."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from peewee import SQL, Case, Model, ModelSelect, fn

from agenttower.clock import Micros
from agenttower.domain.events import Actor, ManagedEvent
from agenttower.domain.redaction import redact_payload
from agenttower.domain.states import LABEL_HOLDERS, STATE_ORDER, Stage, State
from agenttower.store.database import Store
from agenttower.store.models import Event, ManagedLayout, ManagedPane, Operation
from agenttower.store.models.base import execute

HOLDERS = [state.value for state in sorted(LABEL_HOLDERS)]


@dataclass(frozen=True, slots=True)
class LayoutRecord:
    """A row of ``managed_layout``."""

    layout_id: str
    container_id: str
    template_name: str
    template_layout: str
    tmux_session_name: str
    tmux_session_target: str
    state: State
    failed_stage: str | None
    intended_pane_count: int
    revision: int
    created_at: Micros
    updated_at: Micros

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))


@dataclass(frozen=True, slots=True)
class PaneRecord:
    """A row of ``managed_pane``."""

    pane_id: str
    layout_id: str
    container_id: str
    slot: int
    role: str
    capability: str
    label: str
    state: State
    failed_stage: str | None
    failure_reason: str | None
    profile_name: str | None
    launch: str
    tmux_session_name: str
    tmux_socket_path: str | None
    tmux_server_id: str | None
    tmux_pane_id: str | None
    tmux_window_index: int | None
    tmux_pane_index: int | None
    pane_pid: int | None
    chain_depth: int
    predecessor_id: str | None
    idempotency_key: str | None
    pending_marker_token: str | None
    reserved_agent_id: str
    agent_id: str | None
    log_path: str
    log_attached: bool
    exit_code: int | None
    exit_elapsed_ms: int | None
    restart: str | None
    created_at: Micros

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))
        object.__setattr__(self, "log_attached", bool(self.log_attached))

    @property
    def tmux_token(self) -> str:
        """The pane's identity in tmux: its id without hyphens."""
        return self.pane_id.replace("-", "")


Record = TypeVar("Record", LayoutRecord, PaneRecord)


# --- one layout, one pane ------------------------------------------------------------------------


def layout(layout_id: str) -> LayoutRecord | None:
    """The layout, or ``None``."""
    found = _by(LayoutRecord, "layout_id", layout_id)
    return found[0] if found else None


def layout_by_key(container_id: str, idempotency_key: str) -> LayoutRecord | None:
    """The layout that was created under this key, whatever became of it (M1 replay)."""
    return _first(
        LayoutRecord,
        _select(LayoutRecord).where(
            ManagedLayout.container_id == container_id,
            ManagedLayout.idempotency_key == idempotency_key,
        ),
    )


def pane(pane_id: str) -> PaneRecord | None:
    """The pane, or ``None``."""
    found = _by(PaneRecord, "pane_id", pane_id)
    return found[0] if found else None


def pane_of_agent(agent_id: str) -> PaneRecord | None:
    """The managed pane that an agent's id was reserved for."""
    found = _by(PaneRecord, "reserved_agent_id", agent_id)
    return found[-1] if found else None


def panes_of(layout_id: str) -> list[PaneRecord]:
    """Every pane that the layout ever had, by slot, older ones of a chain first."""
    return _by(PaneRecord, "layout_id", layout_id, "ORDER BY slot, chain_depth, created_at")


def living_panes(container_id: str) -> list[PaneRecord]:
    """The container's panes that have settled and are not known to be gone."""
    return _all(
        PaneRecord,
        _select(PaneRecord)
        .where(
            ManagedPane.container_id == container_id,
            ManagedPane.state.in_((State.READY.value, State.DEGRADED.value)),
        )
        .order_by(ManagedPane.created_at, ManagedPane.slot),
    )


def watched_containers(failed_since: Micros) -> set[str]:
    """Containers with panes that live or are being created, or that failed not long ago."""
    rows = ManagedPane.select(ManagedPane.container_id).where(
        ManagedPane.state.in_(HOLDERS)
        | ((ManagedPane.state == State.FAILED.value) & (ManagedPane.updated_at > failed_since))
    )
    return {row[0] for row in _tuples(rows.distinct())}


def settled_by_token(tokens: Iterable[str]) -> dict[str, PaneRecord]:
    """The panes with these tmux tokens that are not being created any more."""
    wanted = {_pane_id_of(token): token for token in tokens}
    rows = _all(
        PaneRecord,
        _select(PaneRecord).where(
            ManagedPane.pane_id.in_(list(wanted)), ManagedPane.state != State.CREATING.value
        ),
    )
    return {wanted[record.pane_id]: record for record in rows}


def by_token(container_id: str, tokens: Iterable[str]) -> dict[str, PaneRecord]:
    """The container's panes with these tmux tokens, in whatever state."""
    wanted = {_pane_id_of(token): token for token in tokens}
    rows = _all(
        PaneRecord,
        _select(PaneRecord).where(
            ManagedPane.pane_id.in_(list(wanted)), ManagedPane.container_id == container_id
        ),
    )
    return {wanted[record.pane_id]: record for record in rows}


def _pane_id_of(token: str) -> str:
    """The inverse of :attr:`PaneRecord.tmux_token`."""
    return "-".join((token[:8], token[8:12], token[12:16], token[16:20], token[20:]))


def given_up(panes: Collection[PaneRecord]) -> set[str]:
    """The ids of those that are removed, were never made for good, or failed and were replaced."""
    failed = {pane.pane_id: pane for pane in panes if pane.state is State.FAILED}
    never_made = {name for name, pane in failed.items() if pane.failed_stage == Stage.PANE_CREATE}
    removed = {pane.pane_id for pane in panes if pane.state is State.REMOVED}
    return removed | never_made | superseded_ids(failed)


def superseded_ids(pane_ids: Iterable[str]) -> set[str]:
    """Which of these panes another row names as its predecessor."""
    rows = ManagedPane.select(ManagedPane.predecessor_id).where(
        ManagedPane.predecessor_id.in_(list(pane_ids))
    )
    return {row[0] for row in _tuples(rows)}


def current_panes(layout_id: str) -> list[PaneRecord]:
    """The panes that no other row names as predecessor, by slot (managed.md section 2)."""
    panes = panes_of(layout_id)
    replaced = {pane.predecessor_id for pane in panes}
    return [pane for pane in panes if pane.pane_id not in replaced]


# --- admission -----------------------------------------------------------------------------------


def count_layouts() -> int:
    """Layouts that are not removed (FR-025)."""
    return int(ManagedLayout.select().where(SQL("state <> 'removed'")).count())


def label_holder(container_id: str, labels: Sequence[str]) -> tuple[str, LayoutRecord] | None:
    """The first of these labels that a living pane of the container holds, and its layout."""
    row = (
        ManagedPane.select(ManagedPane.label, ManagedPane.layout_id)
        .where(
            ManagedPane.container_id == container_id,
            ManagedPane.label.in_(list(labels)),
            ManagedPane.state.in_(HOLDERS),
        )
        .order_by(ManagedPane.label)
        .tuples()
        .first()
    )
    if row is None:
        return None
    holder = layout(row[1])
    return None if holder is None else (row[0], holder)


def session_holder(container_id: str, target: str) -> str | None:
    """The layout with living panes that has, or will make, this tmux session."""
    row = (
        ManagedPane.select(ManagedPane.layout_id)
        .join(ManagedLayout, on=(ManagedPane.layout_id == ManagedLayout.layout_id))
        .where(
            ManagedLayout.container_id == container_id,
            ManagedLayout.tmux_session_target == target,
            ManagedPane.state.in_(HOLDERS),
        )
        .tuples()
        .first()
    )
    return None if row is None else str(row[0])


def insert_layout(row: Mapping[str, object], panes: Sequence[Mapping[str, object]]) -> None:
    """Write a layout and its panes in the caller's transaction."""
    ManagedLayout.insert(**row).execute()
    ManagedPane.insert_many(panes).execute()


def insert_pane(row: Mapping[str, object]) -> None:
    """Write one pane in the caller's transaction."""
    ManagedPane.insert(**row).execute()


def successors(pane_id: str) -> list[PaneRecord]:
    """The panes that name this one as their predecessor, oldest first."""
    return _all(
        PaneRecord,
        _select(PaneRecord)
        .where(ManagedPane.predecessor_id == pane_id)
        .order_by(ManagedPane.created_at),
    )


# --- change --------------------------------------------------------------------------------------


def update_pane(pane_id: str, expected: State, **changes: object) -> bool:
    """Change a pane that is in the expected state; ``False`` where it is not any more."""
    assignments = ", ".join(f"{column} = ?" for column in changes)
    cursor = execute(
        f"UPDATE managed_pane SET {assignments} WHERE pane_id = ? AND state = ?",
        (*changes.values(), pane_id, expected.value),
    )
    return bool(cursor.rowcount == 1)


def update_layout_state(
    layout_id: str, expected: State, new: State, failed_stage: Stage | None
) -> bool:
    """Write the derived state of a layout that has the expected one."""
    count: int = (
        ManagedLayout.update(
            state=new.value, failed_stage=None if failed_stage is None else failed_stage.value
        )
        .where(ManagedLayout.layout_id == layout_id, ManagedLayout.state == expected.value)
        .execute()
    )
    return count == 1


def append_events(
    store: Store,
    layout_id: str,
    container_id: str,
    actor: Actor,
    events: Sequence[tuple[str | None, ManagedEvent]],
    now: Micros,
) -> None:
    """Write events, each with its pane or ``None``, and raise the layout's revision.

    They are numbered without gaps within their layout (FR-015). To be called in the transaction of
    the change they tell of; without events only the revision rises, which is what wakes watchers.
    """
    last = store.execute(
        "UPDATE managed_layout SET last_sequence = last_sequence + ?, revision = revision + 1,"
        " updated_at = ? WHERE layout_id = ? RETURNING last_sequence",
        (len(events), now, layout_id),
    ).fetchone()[0]
    place = (actor, container_id, layout_id)
    for number, (pane_id, event) in enumerate(events, start=last - len(events) + 1):
        payload = json.dumps(redact_payload(event.payload), ensure_ascii=False)
        store.execute(
            "INSERT INTO event (kind, event_type, actor, container_id, layout_id, pane_id,"
            " sequence, payload, created_at, agent_id) VALUES ('managed', ?, ?, ?, ?, ?, ?, ?, ?,"
            " (SELECT reserved_agent_id FROM managed_pane WHERE managed_pane.pane_id = ?))",
            (event.event_type, *place, pane_id, number, payload, now, pane_id),
        )


# --- reading -------------------------------------------------------------------------------------

LAYOUT_KEY: tuple[type[str | int], ...] = (int, int, str)
PANE_KEY: tuple[type[str | int], ...] = (int, str, int, str)


def state_rank(column: Any) -> Any:
    """The list order of states (managed.md section 2) as an expression."""
    return Case(column, [(state.value, rank) for state, rank in STATE_ORDER.items()], 9)


def page_of_layouts(
    *,
    container_id: str | None,
    states: Sequence[str],
    limit: int,
    after: Sequence[str | int] | None,
) -> list[tuple[LayoutRecord, tuple[str | int, ...]]]:
    """Layouts with their ordering keys: state order, newest first, id (M2)."""
    rank = state_rank(ManagedLayout.state)
    # Arithmetic, since Peewee's own minus means "descending" and no number.
    key = (rank, ManagedLayout.created_at * -1, ManagedLayout.layout_id)
    query = _filtered(_select(LayoutRecord), ManagedLayout, container_id, states)
    return [
        (record, (STATE_ORDER[record.state], -record.created_at, record.layout_id))
        for record in _all(LayoutRecord, _page(query, key, after, limit))
    ]


def page_of_panes(
    *,
    container_id: str | None,
    layout_id: str | None,
    states: Sequence[str],
    limit: int,
    after: Sequence[str | int] | None,
) -> list[tuple[PaneRecord, tuple[str | int, ...]]]:
    """Panes with their ordering keys: state order, layout id, pane index, id (M4)."""
    index = fn.COALESCE(ManagedPane.tmux_pane_index, -1)
    key = (state_rank(ManagedPane.state), ManagedPane.layout_id, index, ManagedPane.pane_id)
    query = _filtered(_select(PaneRecord), ManagedPane, container_id, states)
    if layout_id is not None:
        query = query.where(ManagedPane.layout_id == layout_id)
    return [
        (record, (STATE_ORDER[record.state], record.layout_id, _index(record), record.pane_id))
        for record in _all(PaneRecord, _page(query, key, after, limit))
    ]


def ready_counts(layout_ids: Sequence[str]) -> dict[str, int]:
    """How many panes of each layout are ready."""
    rows = (
        ManagedPane.select(ManagedPane.layout_id, fn.COUNT(ManagedPane.pane_id))
        .where(ManagedPane.layout_id.in_(list(layout_ids)), ManagedPane.state == "ready")
        .group_by(ManagedPane.layout_id)
    )
    return dict(_tuples(rows))


def counts_by_state() -> dict[str, int]:
    """How many layouts are in each state."""
    rows = ManagedLayout.select(ManagedLayout.state, fn.COUNT(SQL("*"))).group_by(
        ManagedLayout.state
    )
    return dict(_tuples(rows))


def creating_ids() -> list[str]:
    """Every pane that is being created."""
    rows = ManagedPane.select(ManagedPane.pane_id).where(ManagedPane.state == "creating")
    return [row[0] for row in _tuples(rows)]


def stale_creations(before: Micros) -> list[PaneRecord]:
    """Creating panes whose operation has been executing since before then (FR-022)."""
    started = fn.COALESCE(Operation.resumed_at, Operation.started_at)
    return _all(
        PaneRecord,
        _select(PaneRecord)
        .join(
            Operation,
            on=(
                ((Operation.subject_id == ManagedPane.layout_id) & (ManagedPane.chain_depth == 0))
                | (Operation.subject_id == ManagedPane.pane_id)
            ),
        )
        .where(
            ManagedPane.state == "creating",
            Operation.kind.in_(("create", "recreate")),
            Operation.state == "running",
            started < before,
        )
        .order_by(ManagedPane.layout_id, ManagedPane.slot),
    )


def page_of_events(
    *,
    container_id: str | None,
    layout_id: str | None,
    pane_id: str | None,
    after: int,
    limit: int,
) -> list[Event]:
    """Events with a greater id, in order."""
    query = (
        Event.select()
        .where(Event.id > after, Event.kind == "managed")
        .order_by(Event.id)
        .limit(limit)
    )
    for column, value in (
        (Event.container_id, container_id),
        (Event.layout_id, layout_id),
        (Event.pane_id, pane_id),
    ):
        if value is not None:
            query = query.where(column == value)
    return list(query)


def _filtered(
    query: ModelSelect[Any], table: type[Model], container_id: str | None, states: Sequence[str]
) -> ModelSelect[Any]:
    if container_id is not None:
        query = query.where(table.container_id == container_id)  # type: ignore[attr-defined]
    if states:
        query = query.where(table.state.in_(list(states)))  # type: ignore[attr-defined]
    return query


def _page(
    query: ModelSelect[Any], key: Sequence[Any], after: Sequence[str | int] | None, limit: int
) -> ModelSelect[Any]:
    if after is not None:
        # (a, b, c) > (x, y, z), spelled out: row values are not in every dialect.
        beyond: Any = None
        for column, value in reversed(list(zip(key, after, strict=True))):
            beyond = (
                column > value
                if beyond is None
                else (column > value) | ((column == value) & beyond)
            )
        query = query.where(beyond)
    return query.order_by(*key).limit(limit)


def _index(record: PaneRecord) -> int:
    return -1 if record.tmux_pane_index is None else record.tmux_pane_index


def _by(record: type[Record], column: str, value: str, order: str = "") -> list[Record]:
    table = "managed_layout" if record is LayoutRecord else "managed_pane"
    columns = ", ".join(field.name for field in fields(record))
    rows = execute(f"SELECT {columns} FROM {table} WHERE {column} = ? {order}", (value,))
    return [record(*row) for row in rows.fetchall()]


def _select(record: type[Record]) -> ModelSelect[Any]:
    table: type[Model] = ManagedLayout if record is LayoutRecord else ManagedPane
    return table.select(*(getattr(table, field.name) for field in fields(record)))


def _first(record: type[Record], query: ModelSelect[Any]) -> Record | None:
    row = query.tuples().first()
    return None if row is None else record(*row)


def _all(record: type[Record], query: ModelSelect[Any]) -> list[Record]:
    return [record(*row) for row in _tuples(query)]


def _tuples(query: ModelSelect[Any]) -> Iterator[tuple[Any, ...]]:
    return iter(query.tuples())
