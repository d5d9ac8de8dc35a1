"""Panes as a list, with the reasons of those that are not well."""

from __future__ import annotations

from collections.abc import Sequence

from agenttower.cli.output import Column, Output, Row, key, plain

REASON = "REASON"


def waits_for(row: Row) -> str | None:
    """What a pane, or a layout's first such pane, waits for a person with; ``None`` for nothing."""
    attention = row.get("attention")
    return None if not attention else str(attention["kind"])


ATTENTION = Column("ATTENTION", waits_for, rare=True)


def reason(row: Row) -> str | None:
    """Why a pane is not well: stage, what went wrong, exit code; ``None`` where it is well."""
    stage, words, code = (row.get(name) for name in ("failed_stage", "failure_reason", "exit_code"))
    if not words and code is not None:
        words = f"exit code {code}"
    parts = [str(part) for part in (stage, words) if part]
    return ": ".join(parts) or None


_COMMON = (
    key("ROLE", "role"),
    key("STATE", "state"),
    key("AGENT_ID", "agent_id"),
    key("TMUX_PANE", "tmux_pane_id"),
    key("EXIT_CODE", "exit_code"),
    Column(REASON, reason),
)
PANE_COLUMNS = (key("PANE", "pane_id"), key("LABEL", "label"), *_COMMON, ATTENTION)
RESULT_COLUMNS = (key("PANE", "label"), *_COMMON)


def show_panes(output: Output, columns: Sequence[Column], panes: Sequence[Row]) -> None:
    """Panes as a list. For people the reasons follow it, each once, because they can be long, and
    what the panes that wait for a person ask."""
    if not output.for_people:
        output.rows(columns, panes)
        return
    output.rows([column for column in columns if column.title != REASON], panes, empty="No panes.")
    labels: dict[str, list[str]] = {}
    for pane in panes:
        why = reason(pane)
        if why:
            labels.setdefault(why, []).append(pane["label"])
    for why, concerned in labels.items():
        output.line(f"\n{plain(', '.join(concerned))}: {plain(why)}")
    for pane in panes:
        if pane.get("attention"):
            asked = plain(pane["attention"]["text"])
            output.line(f"\n{plain(pane['label'])} waits for you ({waits_for(pane)}): {asked}")


def result_lines(output: Output, panes: Sequence[Row]) -> None:
    """How each pane ended, for scripts: ``result`` and :data:`RESULT_COLUMNS`, a line each."""
    for pane in panes:
        output.line(" ".join(["result", *(plain(column.value(pane)) for column in RESULT_COLUMNS)]))
