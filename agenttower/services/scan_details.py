"""What was not as it should be in a scan for panes (legacy surfaces part 1, section 7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agenttower.domain.cleaning import MAX_TEXT, clean
from agenttower.services.sightings import Cut, Look


def scan_details(looks: Sequence[Look], cuts: dict[str, list[Cut]]) -> list[dict[str, Any]]:
    """What is wrong, in the order of the scan: failures of a container, then what was cut in it."""
    details: list[dict[str, Any]] = []
    for look in looks:
        for failure in look.failures:
            socket = {"tmux_socket_path": failure.socket_path} if failure.socket_path else {}
            details.append(
                {
                    "container_id": look.container_id,
                    **socket,
                    "error_code": failure.code,
                    "error_message": clean(failure.message)[:MAX_TEXT],
                }
            )
        by_socket: dict[str, list[Cut]] = {}
        for cut in cuts.get(look.container_id, ()):
            by_socket.setdefault(cut.socket_path, []).append(cut)
        details += [_cut_detail(look.container_id, *item) for item in by_socket.items()]
    return details


def _cut_detail(container_id: str, socket_path: str, cuts: Sequence[Cut]) -> dict[str, Any]:
    return {
        "container_id": container_id,
        "tmux_socket_path": socket_path,
        "error_code": "output_malformed",
        "error_message": f"{len(cuts)} fields were longer than is kept, and were cut",
        "pane_truncations": [
            {"tmux_pane_id": cut.pane_id, "field": cut.field, "original_len": cut.original_len}
            for cut in cuts
        ],
    }
