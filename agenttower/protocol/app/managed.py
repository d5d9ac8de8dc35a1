"""``app.managed_*``: what ``managed.*`` does, for the host and in an app session (managed.md,
section 3). Parameters that are not known are ignored here (app surface, section 4)."""

from __future__ import annotations

from dataclasses import replace

from agenttower.protocol import managed
from agenttower.protocol.declaration import Declaration, Gate

OF_MANAGED: dict[str, Declaration] = {
    "app.managed_layout_create": managed.CREATE,
    "app.managed_layout_list": managed.LIST_LAYOUTS,
    "app.managed_layout_detail": managed.LAYOUT_DETAIL,
    "app.managed_layout_remove": managed.REMOVE_LAYOUT,
    "app.managed_pane_list": managed.LIST_PANES,
    "app.managed_pane_detail": managed.PANE_DETAIL,
    "app.managed_pane_remove": managed.REMOVE_PANE,
    "app.managed_pane_recreate": managed.RECREATE,
    "app.managed_pane_promote_from_adopted": managed.PROMOTE,
}
"""The method of ``managed.*`` that each one is."""

DECLARATIONS: dict[str, Declaration] = {
    name: replace(
        same,
        name=name,
        gate=Gate.HOST,
        errors=("validation_failed", *same.errors),
        session=True,
        strict=False,
    )
    for name, same in OF_MANAGED.items()
}
