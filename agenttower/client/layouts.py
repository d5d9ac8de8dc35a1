"""Managed layouts and panes, as methods of a client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from agenttower.client import paging
from agenttower.client.asking import CALL_SECONDS, WAIT_SECONDS, Ask, Patient, given
from agenttower.client.errors import WaitTimedOut
from agenttower.client.shapes import Layout, LayoutItem, NewLayout, Pane, Recreated

CREATING = "creating"
REMOVAL_SECONDS = 45.0
"""The daemon waits 35 s for a removal before it says that it goes on by itself."""
_MARGIN_SECONDS = 10.0


class Layouts:
    """``client.layouts``."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def create(
        self,
        container: str,
        template: str,
        session: str,
        *,
        launch: Mapping[str, str] | None = None,
        label_prefix: str | None = None,
        idempotency_key: str | None = None,
    ) -> NewLayout:
        """Order a layout; it is made by the worker. See :meth:`wait`.

        :param container: id (64 or 12 digits) or name of a bench.
        :param session: the name of the new tmux session.
        :param launch: ``"<role>:<label>"`` to the name of a launch profile.
        :param idempotency_key: asked again with the same key, the same layout is answered.
        """
        params = given(
            container_id=container,
            template_name=template,
            tmux_session_name=session,
            launch_command_overrides=None if launch is None else dict(launch),
            label_prefix=label_prefix,
            idempotency_key=idempotency_key,
        )
        return cast(NewLayout, self._ask("managed.layout.create", params, CALL_SECONDS))

    def list(
        self, *, container: str | None = None, state: str | Sequence[str] | None = None
    ) -> Iterator[LayoutItem]:
        """All layouts, page by page: those that need attention first."""
        params = given(container_id=container, state=_states(state))
        return cast("Iterator[LayoutItem]", paging.rows(self._ask, "managed.layout.list", params))

    def get(self, layout_id: str, *, all_panes: bool = False) -> Layout:
        """One layout with its panes; ``all_panes`` also those that were removed or replaced."""
        params = {"layout_id": layout_id, "include_terminal_panes": all_panes}
        return cast(Layout, self._ask("managed.layout.detail", params, CALL_SECONDS))

    def watch(self, layout_id: str, timeout: float | None = None) -> Iterator[Layout]:
        """The layout as it is, and again at each change, also over a restart of the daemon.

        :param timeout: seconds until it ends by itself; ``None`` goes on for ever.
        """
        until = None if timeout is None else time.monotonic() + timeout
        asking, revision = Patient(self._ask), 0
        while True:
            left = WAIT_SECONDS if until is None else until - time.monotonic()
            wait = max(0.0, min(WAIT_SECONDS, left))
            params = {"layout_id": layout_id, "after_revision": revision, "wait_seconds": wait}
            answer = asking("managed.layout.watch", params, wait + _MARGIN_SECONDS)
            layout = cast(Layout, answer["layout"])
            if layout["revision"] > revision:
                revision = layout["revision"]
                yield layout
            if left <= 0:
                return

    def wait(self, layout_id: str, timeout: float = 120.0) -> Layout:
        """The layout once it is no longer ``creating``; look at its ``state``.

        :raises WaitTimedOut: it still was after ``timeout`` seconds; its creation goes on.
        """
        for layout in self.watch(layout_id, timeout):
            if layout["state"] != CREATING:
                return layout
        raise WaitTimedOut(
            f"layout {layout_id} is still being created after {timeout:g} s; it goes on, so wait "
            "again, or look with 'agenttower layout show'"
        )

    def remove(self, layout_id: str) -> dict[str, object]:
        """End every pane of it, and wait for that. What is removed already is no error."""
        return self._ask("managed.layout.remove", {"layout_id": layout_id}, REMOVAL_SECONDS)


class Panes:
    """``client.panes``: panes that AgentTower made."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def list(
        self,
        *,
        container: str | None = None,
        layout: str | None = None,
        state: str | Sequence[str] | None = None,
    ) -> Iterator[Pane]:
        """All managed panes, page by page."""
        params = given(container_id=container, layout_id=layout, state=_states(state))
        return cast("Iterator[Pane]", paging.rows(self._ask, "managed.pane.list", params))

    def get(self, pane_id: str, *, chain: bool = False) -> Pane:
        """One pane; ``chain`` adds the panes that it replaced."""
        params = {"pane_id": pane_id, "include_predecessor_chain": chain}
        return cast(Pane, self._ask("managed.pane.detail", params, CALL_SECONDS))

    def remove(self, pane_id: str) -> dict[str, object]:
        """End it with all that runs in it, and wait for that. Its log and its events stay."""
        return self._ask("managed.pane.remove", {"pane_id": pane_id}, REMOVAL_SECONDS)

    def recreate(
        self, pane_id: str, *, launch: str | None = None, idempotency_key: str | None = None
    ) -> Recreated:
        """Order a successor of a failed or removed pane. See :meth:`wait`."""
        params = given(
            predecessor_pane_id=pane_id,
            launch_command_override=launch,
            idempotency_key=idempotency_key,
        )
        return cast(Recreated, self._ask("managed.pane.recreate", params, CALL_SECONDS))

    def wait(self, pane_id: str, timeout: float = 120.0) -> Pane:
        """The pane once it is no longer ``creating``.

        :raises WaitTimedOut: it still was after ``timeout`` seconds.
        """
        until = time.monotonic() + timeout
        pane = self.get(pane_id)
        if pane["state"] != CREATING:
            return pane
        for _ in Layouts(self._ask).watch(pane["layout_id"], until - time.monotonic()):
            pane = self.get(pane_id)
            if pane["state"] != CREATING:
                return pane
        raise WaitTimedOut(f"pane {pane_id} is still being created after {timeout:g} s; it goes on")


def _states(state: str | Sequence[str] | None) -> str | list[str] | None:
    return state if state is None or isinstance(state, str) else [*state]
