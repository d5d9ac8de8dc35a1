"""Ordering something that takes a while, and watching a layout until it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import CALL_SECONDS, Invocation
from agenttower.cli.output import plain
from agenttower.cli.stages import PlainView

WAIT_SECONDS = 25.0
PATIENCE_SECONDS = 15.0
"""How long a daemon may be away, e.g. to be restarted, while its layout is followed."""

RETRY_SECONDS = 0.25

_NOBODY_THERE = ("socket_missing", "connection_refused", "permission_denied", "socket_not_unix")
"""Kinds of unreachable by which it is known that no daemon has read the request."""

END_CODES = {"failed": ExitCode.LAYOUT_FAILED, "degraded": ExitCode.DEGRADED}
"""The exit codes that states call for; all others are fine."""


class View(Protocol):
    """Shows a creation while it goes on."""

    def __enter__(self) -> View: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self, layout: Mapping[str, Any]) -> None:
        """Show the layout as it is now."""


class SilentView:
    """Shows nothing; for ``--json``."""

    def __enter__(self) -> SilentView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, layout: Mapping[str, Any]) -> None:
        pass


def view(run: Invocation, first_line: str) -> View:
    """The view that fits the output; ``first_line`` is what scripts read first."""
    if run.output.json_mode:
        return SilentView()
    if run.output.for_people:
        from agenttower.cli.live import LiveView

        return LiveView(run.output)
    run.output.line(first_line)
    return PlainView(run.output)


def order(
    run: Invocation,
    method: str,
    params: Mapping[str, Any],
    unknown: str,
    timeout: float = CALL_SECONDS,
) -> dict[str, Any] | None:
    """The daemon's answer to an order; ``None`` where Ctrl-C came first, which is then told.

    :param unknown: what to say where nobody knows whether the daemon has accepted.
    :param timeout: seconds to wait for the answer.
    :raises DaemonUnreachable: nobody is there, or the answer was lost.
    :raises RpcError: it refused.
    """
    from agenttower.client import DaemonUnreachable

    try:
        return run.call(method, params, timeout)
    except KeyboardInterrupt:
        if run.output.json_mode:
            run.output.error(f"interrupted: {unknown}", "interrupted")
        else:
            run.output.note(f"interrupted: {unknown}")
        return None
    except DaemonUnreachable as error:
        if error.kind in _NOBODY_THERE:
            raise
        raise DaemonUnreachable(f"the daemon's answer was lost: {unknown}") from error


def watch(run: Invocation, layout_id: str, until: float | None) -> Iterator[dict[str, Any]]:
    """The layout at each change, until it is no longer ``creating`` or ``until`` has passed.

    A daemon that goes away is waited for, for :data:`PATIENCE_SECONDS` at most.

    :raises DaemonUnreachable: it did not come back.
    :raises RpcError: it refused.
    """
    from agenttower.client import DaemonUnreachable

    revision = 0
    lost_since: float | None = None
    while until is None or time.monotonic() < until:
        left = WAIT_SECONDS if until is None else min(WAIT_SECONDS, until - time.monotonic())
        wait = max(0.0, left)
        params = {"layout_id": layout_id, "after_revision": revision, "wait_seconds": wait}
        try:
            answer = run.call("managed.layout.watch", params, wait + 10.0)
        except DaemonUnreachable as error:
            now = time.monotonic()
            lost_since = lost_since or now
            if now - lost_since >= PATIENCE_SECONDS:
                raise DaemonUnreachable(
                    f"the daemon went away while layout {layout_id} was followed; its "
                    f"creation goes on once a worker runs; start the daemon with 'agenttower up' "
                    f"and look with 'agenttower layout show {layout_id}'"
                ) from error
            time.sleep(RETRY_SECONDS)
            continue
        lost_since = None
        layout = answer["layout"]
        revision = layout["revision"]
        yield layout
        if layout["state"] != "creating":
            return


def stop_following(
    run: Invocation, noun: str, object_id: str, code: str, exit_code: ExitCode
) -> ExitCode:
    """Say that nobody follows any more, and that the creation goes on all the same.

    :param noun: ``layout`` or ``pane``.
    """
    text = (
        f"no longer following {noun} {object_id}: its creation goes on; "
        f"look with 'agenttower {noun} show {object_id}'"
    )
    if run.output.json_mode:
        run.output.error(text, code, {f"{noun}_id": object_id})
    else:
        run.output.note(plain(text))
    return exit_code
