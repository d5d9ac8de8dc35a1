"""Pages of a list in any of its orders, by key and never by offset.

An order is a line of columns that tell all rows apart, so that the rows behind a given one are a
range of an index. Where the first column has few values and no order of its own (states, roles,
the containers of panes), its values are lanes: each is a line, and one comes after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from agenttower.store.models.base import execute

R = TypeVar("R")
Value = str | int
Key = tuple[Value, ...]
Filters = Mapping[str, Value]
"""By the names of the contract; each must be equal."""
Condition = tuple[str, tuple[Value, ...]]

MANY = 2000
"""From so many rows on that pass the filters, an order's index is walked, and rows that do not pass
are left out; below, they are found by an index of a filter, and sorted. The database, which has no
statistics, takes any filter with an index to leave a handful: it would sort 100,000 for a page."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """The values of a column, in ascending order."""

    column: str
    values: Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Line:
    """An order of rows. ``columns`` tell them apart, within a lane where there are lanes."""

    columns: tuple[str, ...]
    types: tuple[type[Value], ...]
    """Of what a cursor holds."""
    lanes: Lanes | None = None
    find: str | None = None
    """A query for the whole key by the row's id, which then is all that a cursor holds: names may
    be longer than cursors. Only for rows that are never deleted."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the whole key."""
        return self.columns if self.lanes is None else (self.lanes.column, *self.columns)


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows in their order."""

    rows: list[R]
    last: Key | None
    """What a cursor behind them holds; ``None`` where no row follows."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """What one list is made of. ``table`` is counted, ``source`` has what ``columns`` name."""

    table: str
    source: str
    columns: str
    record: Callable[[Sequence[Any]], R]
    lines: Mapping[str, Line]
    """By the field of ``order_by``."""
    filters: Mapping[str, Callable[[Any], Condition]]
    always: str = "TRUE"

    def page(
        self,
        filters: Filters,
        field: str,
        *,
        descending: bool,
        after: Key | None,
        limit: int,
        passing: int,
    ) -> Page[R]:
        """The rows that follow a place.

        :param passing: how many rows pass the filters.
        :param after: ``last`` of the page before; ``None`` begins at the beginning.
        :raises LookupError: the row that it names is not there.
        """
        line = self.lines[field]
        place = None if after is None else _whole(line, after)
        conditions = self._conditions(filters, walk=passing >= MANY)
        rows: list[Sequence[Any]] = []
        for lane, behind in _lanes(line, place, filters, descending):
            wanted = [*conditions, *lane, *_behind(line, behind, descending)]
            rows += self._some(wanted, line, descending, limit + 1 - len(rows))
            if len(rows) > limit:
                break
        width = len(line.key)
        return Page(
            [self.record(row[width:]) for row in rows[:limit]],
            _held(line, rows[limit - 1][:width]) if len(rows) > limit else None,
        )

    def first(self, rest: str, *values: Value) -> R | None:
        """The first row that fits.

        :param rest: a condition, and an order where more than one row may fit.
        """
        row = execute(
            f"SELECT {self.columns} FROM {self.source} WHERE {self.always} AND {rest}", values
        ).fetchone()
        return None if row is None else self.record(row)

    def count(self, filters: Filters, up_to: int) -> int:
        """How many rows pass the filters, ``up_to`` for more than that."""
        where, values = _joined(self._conditions(filters))
        counted = f"SELECT 1 FROM {self.table} WHERE {where} LIMIT ?"
        return int(
            execute(f"SELECT COUNT(*) FROM ({counted}) AS some", (*values, up_to)).fetchone()[0]
        )

    def statement(self, conditions: Sequence[Condition], line: Line, descending: bool) -> str:
        """The query of a page, or of one lane of it."""
        direction = " DESC" if descending else ""
        order = ", ".join(f"{column}{direction}" for column in line.columns)
        where, _ = _joined(conditions)
        return (
            f"SELECT {', '.join(line.key)}, {self.columns} FROM {self.source}"
            f" WHERE {where} ORDER BY {order} LIMIT ?"
        )

    def _some(
        self, conditions: Sequence[Condition], line: Line, descending: bool, limit: int
    ) -> list[Sequence[Any]]:
        _, values = _joined(conditions)
        found: list[Sequence[Any]] = execute(
            self.statement(conditions, line, descending), (*values, limit)
        ).fetchall()
        return found

    def _conditions(self, filters: Filters, *, walk: bool = False) -> list[Condition]:
        """:param walk: no index of a filter is to be used."""
        asked = [self.filters[name](value) for name, value in filters.items()]
        if walk:
            asked = [(f"({condition}) IS TRUE", values) for condition, values in asked]
        return [(self.always, ()), *asked]


def equal(column: str) -> Callable[[Value], Condition]:
    """A filter on a column."""
    return lambda value: (f"{column} = ?", (value,))


def whether(yes: str, no: str) -> Callable[[bool], Condition]:
    """A filter on something that is so or not."""
    return lambda value: (yes if value else no, ())


def _lanes(
    line: Line, place: Key | None, filters: Filters, descending: bool
) -> list[tuple[list[Condition], Key | None]]:
    """The lanes that are left, each with the place in it to go on behind."""
    if line.lanes is None:
        return [([], place)]
    values = list(line.lanes.values())
    if descending:
        values.reverse()
    if place is not None:
        if place[0] not in values:
            raise LookupError(place[0])
        values = values[values.index(str(place[0])) :]
    behind = {} if place is None else {values[0]: place[1:]}
    column = line.lanes.column
    asked = filters.get(column.rpartition(".")[2])
    return [
        ([(f"{column} = ?", (value,))], behind.get(value))
        for value in values
        if asked in (None, value)
    ]


def _behind(line: Line, place: Key | None, descending: bool) -> list[Condition]:
    if place is None:
        return []
    sign = "<" if descending else ">"
    marks = ", ".join("?" for _ in place)
    return [(f"({', '.join(line.columns)}) {sign} ({marks})", place)]


def _whole(line: Line, held: Key) -> Key:
    if line.find is None:
        return held
    row = execute(line.find, held).fetchone()
    if row is None:
        raise LookupError(held)
    return tuple(row)


def _held(line: Line, key: Sequence[Value]) -> Key:
    return tuple(key) if line.find is None else (key[-1],)


def _joined(conditions: Sequence[Condition]) -> tuple[str, tuple[Value, ...]]:
    where = " AND ".join(condition for condition, _ in conditions)
    return where, tuple(value for _, values in conditions for value in values)
