"""One line of the doctor's answer, and what the lines amount to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PASS, WARN, FAIL, INFO = "pass", "warn", "fail", "info"

TEXT_LIMIT = 2048
"""Characters of a detail or a hint; longer ones end in an ellipsis."""

REQUIRED = ("socket_resolved", "socket_reachable", "daemon_status")
NOBODY_THERE = ("socket_missing", "connection_refused", "connect_timeout")

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True)
class Row:
    """The outcome of one check."""

    check: str
    status: str
    details: str
    sub_code: str | None = None
    hint: str | None = None
    """What to do."""
    source: str | None = None
    cgroup_candidates: Sequence[str] = ()
    container_set_empty: bool = False

    @property
    def view(self) -> dict[str, Any]:
        """As JSON shows it; keys without a value are left out."""
        shown: dict[str, Any] = {"status": self.status, "details": short(self.details)}
        if self.source is not None:
            shown["source"] = self.source
        if self.sub_code is not None:
            shown["sub_code"] = self.sub_code
        if self.hint is not None:
            shown["actionable_message"] = short(self.hint)
        if self.cgroup_candidates:
            shown["cgroup_candidates"] = [*self.cgroup_candidates]
        if self.container_set_empty:
            shown["daemon_container_set_empty"] = True
        return shown


def short(text: str) -> str:
    """``text`` on one line and not longer than :data:`TEXT_LIMIT`."""
    line = _CONTROLS.sub(" ", text).strip()
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


def guarded(name: str, check: Callable[[], Row]) -> Row:
    """The row of a check; one that breaks becomes a row too, so that the others are shown."""
    try:
        return check()
    except Exception as error:  # whatever it is: the doctor never dies of a patient
        return Row(
            name,
            FAIL,
            f"the check itself failed unexpectedly ({type(error).__name__})",
            "internal_error",
            "please report it, with what is special about this machine",
        )


def exit_code(rows: Sequence[Row]) -> int:
    """What the rows amount to (legacy surfaces part 1, section 13).

    0: the first three passed and nothing failed. 1: there is no usable socket path. 2: nobody is
    there. 3: somebody is there, and it does not work. 5: only something else failed.
    """
    by_name = {row.check: row for row in rows}
    resolved, reachable, status = (by_name.get(name) for name in REQUIRED)
    if resolved is not None and resolved.status == FAIL:
        return 1
    if reachable is not None and reachable.status == FAIL:
        return 2 if reachable.sub_code in NOBODY_THERE else 3
    if status is not None and status.status in (FAIL, WARN):
        return 3
    return 5 if any(row.status == FAIL for row in rows) else 0


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """The JSON form."""
    counts = {status: sum(row.status == status for row in rows) for status in _STATUSES}
    return {
        "summary": {
            "exit_code": exit_code(rows),
            "total": len(rows),
            "passed": counts[PASS],
            "warned": counts[WARN],
            "failed": counts[FAIL],
            "info": counts[INFO],
        },
        "checks": {row.check: row.view for row in rows},
    }


def lines(rows: Sequence[Row]) -> list[str]:
    """The text form, whose columns are separated by tabs."""
    shown: list[str] = []
    for row in rows:
        shown.append(f"{row.check}\t{row.status}\t{short(row.details)}")
        if row.hint is not None:
            shown.append(f"    {short(row.hint)}")
    passed = sum(row.status == PASS for row in rows)
    shown.append(f"summary\t{exit_code(rows)}\t{passed}/{len(rows)} checks passed")
    return shown


_STATUSES = (PASS, WARN, FAIL, INFO)
