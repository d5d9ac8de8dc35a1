"""What stands in the tmux of a container against what the rows say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from docker.models.containers import Container

from tests.support.layouts import our_panes
from tests.torture.rows import Rows

TmuxPane = dict[str, str]


def twins(seen: list[TmuxPane]) -> list[str]:
    """Identities that more than one tmux pane carries; wrong at any instant."""
    tokens = Counter(pane["token"] for pane in seen)
    return [f"{count} tmux panes for {token}" for token, count in tokens.items() if count > 1]


def disagreements(rows: Rows, container: Container) -> list[str]:
    """Where rows that are at rest and a running container's tmux differ."""
    seen = our_panes(container)
    return [*twins(seen), *_compare(rows, str(container.id), seen)]


def _compare(rows: Rows, container_id: str, seen: list[TmuxPane]) -> Iterator[str]:
    standing = {pane["token"]: pane for pane in seen}
    for pane in rows.panes:
        if pane["container_id"] != container_id:
            continue
        found = standing.pop(pane["pane_id"].replace("-", ""), None)
        name = f"pane {pane['pane_id']} ({pane['label']}, {pane['state']} {pane['failed_stage']})"
        if pane["state"] in ("ready", "degraded"):
            if found is None:
                yield f"{name} is not in tmux"
            elif found["pane_id"] != pane["tmux_pane_id"]:
                yield f"{name} is {found['pane_id']} in tmux, {pane['tmux_pane_id']} in its row"
        elif found is not None and pane["failed_stage"] != "registration":
            # One that could not be registered stands, so that somebody can look at it.
            yield f"{name} still stands in tmux"
        if found is not None and found["title"] != pane["label"]:
            yield f"{name} has the title {found['title']!r}"
    yield from (f"tmux pane {token} belongs to no row" for token in standing)
