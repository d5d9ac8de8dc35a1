"""Named queries on containers and their scans."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from peewee import fn

from agenttower.clock import Micros
from agenttower.store.models import Container, ContainerScan, Event
from agenttower.store.models.base import execute

SHORT_ID = 12


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A row of ``container``; documents are decoded."""

    id: str
    name: str
    provider: str
    image: str
    status: str
    started_at: str
    labels: dict[str, str]
    mounts: list[dict[str, Any]]
    config_user: str | None
    working_dir: str | None
    active: bool
    first_seen_at: Micros
    last_scanned_at: Micros


@dataclass(frozen=True, slots=True)
class Seen:
    """A bench as a scan found it, ready for its row."""

    id: str
    name: str
    provider: str
    image: str
    status: str
    started_at: str
    labels: str
    mounts: str
    env_names: str
    config_user: str | None
    working_dir: str | None
    has_init: bool


def by_ref(ref: str) -> ContainerRecord | None:
    """The container of this id (64 or 12 characters) or name; among namesakes an active one."""
    matches = Container.id == ref
    if len(ref) == SHORT_ID:
        matches |= fn.SUBSTR(Container.id, 1, SHORT_ID) == ref
    row = Container.select().where(matches).order_by(Container.active.desc()).first()
    if row is None:
        row = (
            Container.select()
            .where(Container.name == ref)
            .order_by(Container.active.desc(), Container.last_scanned_at.desc())
            .first()
        )
    return None if row is None else _record(row)


def listing(*, active_only: bool, only_id: str | None = None) -> list[ContainerRecord]:
    """Stored containers: active first, then the last scanned, then by id."""
    query = Container.select().order_by(
        Container.active.desc(), Container.last_scanned_at.desc(), Container.id
    )
    if active_only:
        query = query.where(Container.active)
    if only_id is not None:
        query = query.where(Container.id == only_id)
    return [_record(row) for row in query]


def active_ids() -> set[str]:
    """The containers that something can be done in."""
    return {row[0] for row in execute("SELECT id FROM container WHERE active").fetchall()}


def reconcile(
    seen: Iterable[Seen], failed_ids: Collection[str], providers: Collection[str], now: Micros
) -> int:
    """Store what a scan found (legacy surfaces part 1, section 6.2), in the caller's transaction.

    :param failed_ids: in scope, but they could not be inspected: their rows keep what they say.
    :param providers: which providers answered; containers of others are left alone.
    :return: how many containers became inactive.
    """
    present = set(failed_ids)
    for bench in seen:
        present.add(bench.id)
        row = {field: getattr(bench, field) for field in Seen.__slots__}
        (
            Container.insert(**row, active=True, first_seen_at=now, last_scanned_at=now)
            .on_conflict(
                conflict_target=[Container.id],
                update={
                    **{k: v for k, v in row.items() if k != "id"},
                    "active": True,
                    "last_scanned_at": now,
                },
            )
            .execute()
        )
    if failed_ids:
        Container.update(last_scanned_at=now).where(Container.id.in_(list(failed_ids))).execute()
    gone: int = (
        Container.update(active=False)
        .where(
            Container.active,
            Container.provider.in_(list(providers)),
            Container.id.not_in(list(present)),
        )
        .execute()
    )
    return gone


def set_status(container_id: str, status: str, *, active: bool) -> None:
    """The engine told of a change; unknown containers are left to the next scan."""
    Container.update(status=status, active=active).where(Container.id == container_id).execute()


def panes_looked_at(container_id: str, error: str | None, now: Micros) -> None:
    """A look for panes in a container has ended, in the caller's transaction.

    :param error: the code of what failed; ``None`` where all of it worked.
    """
    Container.update(
        pane_scan_error=error, **({"panes_scanned_at": now} if error is None else {})
    ).where(Container.id == container_id).execute()


def record_scan(row: dict[str, Any]) -> None:
    """Write the scan's own row."""
    ContainerScan.insert(**row).execute()


def append_audit(event_type: str, payload: dict[str, Any], now: Micros) -> None:
    """Write an audit line into the outbox."""
    Event.insert(
        kind="audit",
        event_type=event_type,
        actor="daemon",
        payload=json.dumps(payload, ensure_ascii=False),
        created_at=now,
    ).execute()


def _record(row: Container) -> ContainerRecord:
    return ContainerRecord(
        id=row.id,
        name=row.name,
        provider=row.provider,
        image=row.image,
        status=row.status,
        started_at=row.started_at,
        labels=json.loads(row.labels),
        mounts=json.loads(row.mounts),
        config_user=row.config_user,
        working_dir=row.working_dir,
        active=row.active,
        first_seen_at=row.first_seen_at,
        last_scanned_at=row.last_scanned_at,
    )
