"""``app.managed_*``: what ``managed.*`` does, for the host and in an app session (managed.md,
section 3). Parameters that are not known are ignored here (app surface, section 4)."""

from __future__ import annotations

from dataclasses import replace

from agenttower.protocol import managed
from agenttower.protocol.declaration import Declaration, Gate


def _of_app(same: Declaration) -> Declaration:
    """``managed.pane.remove`` as ``app.managed_pane_remove``."""
    name = "app." + same.name.replace(".", "_")
    return replace(same, name=name, gate=Gate.HOST, session=True, strict=False)


LAYOUT_CREATE = _of_app(managed.CREATE)
LAYOUT_LIST = _of_app(managed.LIST_LAYOUTS)
LAYOUT_DETAIL = _of_app(managed.LAYOUT_DETAIL)
LAYOUT_REMOVE = _of_app(managed.REMOVE_LAYOUT)
PANE_LIST = _of_app(managed.LIST_PANES)
PANE_DETAIL = _of_app(managed.PANE_DETAIL)
PANE_REMOVE = _of_app(managed.REMOVE_PANE)
PANE_RECREATE = _of_app(managed.RECREATE)
PANE_PROMOTE = _of_app(managed.PROMOTE)

OF_MANAGED: tuple[tuple[Declaration, Declaration], ...] = (
    (LAYOUT_CREATE, managed.CREATE),
    (LAYOUT_LIST, managed.LIST_LAYOUTS),
    (LAYOUT_DETAIL, managed.LAYOUT_DETAIL),
    (LAYOUT_REMOVE, managed.REMOVE_LAYOUT),
    (PANE_LIST, managed.LIST_PANES),
    (PANE_DETAIL, managed.PANE_DETAIL),
    (PANE_REMOVE, managed.REMOVE_PANE),
    (PANE_RECREATE, managed.RECREATE),
    (PANE_PROMOTE, managed.PROMOTE),
)
"""Each method with the one of ``managed.*`` that it is."""
