"""Removing panes or layouts one after the other, and telling what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.following import order
from agenttower.cli.invocation import Invocation
from agenttower.cli.output import Column, Output, Row, key, plain

if TYPE_CHECKING:
    from agenttower.client import RpcError

REMOVAL_SECONDS = 40.0
"""Longer than the 35 s for which the daemon lets a removal be waited for (M6)."""

UNKNOWN = (
    "the removal of {noun} {object_id} goes on if it was accepted; look with 'agenttower {noun} "
    "show {object_id}', or repeat the command: removing twice does no harm"
)

WHY_NOT = (key("CODE", "code"), key("REASON", "reason"))


@dataclass(frozen=True, slots=True)
class Kind:
    """What is removed: a pane, or a layout."""

    noun: str

    @property
    def key(self) -> str:
        """The name of its id on the wire."""
        return f"{self.noun}_id"

    @property
    def columns(self) -> tuple[Column, ...]:
        return (key(self.key.upper(), self.key), key("STATE", "state"))


PANE = Kind("pane")
LAYOUT = Kind("layout")


def remove(run: Invocation, kind: Kind, ids: Sequence[str]) -> ExitCode:
    """Remove all of ``ids``; one that is refused does not hold up the others.

    :raises RpcError: not all could be removed.
    :raises DaemonUnreachable: it went away; those that come later were not asked for.
    """
    from agenttower.client import RpcError

    removed: list[dict[str, Any]] = []
    refused: dict[str, RpcError] = {}
    try:
        for object_id in ids:
            try:
                answer = _remove_one(run, kind, object_id)
            except RpcError as error:
                refused[object_id] = _with_panes_left(run, kind, object_id, error)
                continue
            if answer is None:
                return ExitCode.INTERRUPTED
            removed.append(answer)
    finally:
        if not run.output.json_mode and (removed or (refused and len(ids) > 1)):
            _show(run.output, kind, removed, refused)
    if refused:
        raise _refusal(kind, removed, refused)
    if run.output.json_mode:
        run.output.result({f"{kind.noun}s": removed})
    return ExitCode.OK


def _remove_one(run: Invocation, kind: Kind, object_id: str) -> dict[str, Any] | None:
    unknown = UNKNOWN.format(noun=kind.noun, object_id=object_id)
    method = f"managed.{kind.noun}.remove"
    return order(run, method, {kind.key: object_id}, unknown, REMOVAL_SECONDS)


def _with_panes_left(run: Invocation, kind: Kind, object_id: str, error: RpcError) -> RpcError:
    """The failure of a layout's removal names one pane; give it the reasons of the others too."""
    from agenttower.client import DaemonUnreachable, RpcError

    if kind is PANE or error.code != "internal_error":
        return error
    try:
        detail = run.call("managed.layout.detail", {"layout_id": object_id})
    except (RpcError, DaemonUnreachable):
        return error
    names = ("pane_id", "label", "state", "failed_stage", "failure_reason")
    left = [
        {name: pane.get(name) for name in names}
        for pane in detail["panes"]
        if pane.get("failed_stage") == "tmux_kill"
    ]
    others = "".join(
        f"; also left: pane {pane['label']} ({pane['pane_id']}): {pane['failure_reason']}"
        for pane in left
        if pane["pane_id"] not in error.message
    )
    return RpcError(error.code, error.message + others, {**error.details, "panes_left": left})


def _show(
    output: Output, kind: Kind, removed: Sequence[Row], refused: Mapping[str, RpcError]
) -> None:
    rows = [*removed]
    for object_id, error in refused.items():
        state = error.details.get("current_state")
        why_not = {"code": error.code, "reason": error.message}
        rows.append({kind.key: object_id, "state": state, **why_not})
    if not output.for_people:
        output.rows((*kind.columns, *WHY_NOT), rows)
        return
    output.rows(kind.columns, rows)
    for object_id, error in refused.items():
        output.line(f"\n{plain(object_id)}: {plain(error.message)}")


def _refusal(kind: Kind, removed: Sequence[Row], refused: Mapping[str, RpcError]) -> RpcError:
    """One refusal for all of them: itself where only one thing was asked for."""
    from agenttower.client import RpcError

    first = next(iter(refused.values()))
    count = len(removed) + len(refused)
    if count == 1:
        return first
    reasons = [
        {kind.key: object_id, "code": e.code, "message": e.message, "details": e.details}
        for object_id, e in refused.items()
    ]
    return RpcError(
        first.code,
        f"{len(refused)} of {count} {kind.noun}s could not be removed; each has its own reason",
        {"removed": [row[kind.key] for row in removed], "refused": reasons},
    )
