"""Is this container, and the tmux in it, fit for a creation? Asked before anything is written."""

from __future__ import annotations

import time
from typing import TypeVar

from agenttower.bench.interface import Bench, Deadline
from agenttower.bench.registry import Benches
from agenttower.domain.identifiers import tmux_session_target
from agenttower.errors import (
    AgentTowerError,
    BenchConnectionLost,
    BenchTimeout,
    ContainerInactive,
    ContainerNotFound,
    DockerUnavailable,
    SessionNameConflict,
    TmuxUnavailable,
)
from agenttower.store import containers
from agenttower.store.containers import ContainerRecord

SESSION_CHECK_S = 5.0
"""How long tmux may take to say which sessions exist, in seconds."""

Told = TypeVar("Told", bound=AgentTowerError)


class HealthGate:
    """FR-016's refusals, each with what to do."""

    def __init__(self, benches: Benches) -> None:
        self._benches = benches

    def running_container(self, ref: str) -> ContainerRecord:
        """The container of this id or name, by what is stored of it.

        :raises ContainerNotFound: :raises ContainerInactive:
        """
        container = containers.by_ref(ref)
        if container is None:
            raise ContainerNotFound(ref)
        if not container.active and container.status == "running":
            raise ContainerInactive(
                f"container {container.name} ({container.id[:12]}) runs, but its name no longer "
                "matches containers.name_contains in config.toml; mend it, then 'agenttower scan'",
                container_id=container.id,
            )
        if not container.active and container.status == "paused":
            raise ContainerInactive(
                f"container {container.name} ({container.id[:12]}) is paused; "
                f"'docker unpause {container.name}', then try again",
                container_id=container.id,
            )
        if not container.active:
            raise ContainerInactive(
                f"container {container.name} ({container.id[:12]}) is not running "
                f"({container.status}); start it, e.g. 'docker start {container.name}'",
                container_id=container.id,
            )
        return container

    def refuse_foreign_session(
        self, container: ContainerRecord, session: str, owner: str | None = None
    ) -> None:
        """Ask tmux itself, so that sessions which AgentTower did not make count too.

        :param owner: the layout whose own session does not count.
        :raises SessionNameConflict: the session exists and is not ``owner``'s.
        :raises TmuxUnavailable: tmux does not answer, or cannot be used.
        :raises DockerUnavailable: the engine cannot be asked.
        """
        deadline = time.monotonic() + SESSION_CHECK_S
        try:
            try:
                taken = _is_taken(self._benches.get(container.id), session, owner, deadline)
            except BenchConnectionLost:
                # The channel died since it was last used, or somebody dropped the handle just now.
                taken = _is_taken(self._benches.get(container.id), session, owner, deadline)
        except DockerUnavailable as error:
            # M1 knows this one code for all.
            raise _as_transient_as(error, DockerUnavailable(error.message)) from error
        except (BenchTimeout, BenchConnectionLost) as error:
            unavailable = TmuxUnavailable(
                f"tmux in container {container.name} does not answer ({error.message}); "
                "is the container paused or overloaded? see 'docker ps', then try again",
                container_id=container.id,
            )
            raise _as_transient_as(error, unavailable) from error
        if taken:
            raise SessionNameConflict(container.id, session)


def _as_transient_as(cause: AgentTowerError, told: Told) -> Told:
    """A restart's step tries again after what really happened, whatever a client is told."""
    told.error_class = cause.error_class
    return told


def _is_taken(bench: Bench, session: str, owner: str | None, deadline: Deadline) -> bool:
    if tmux_session_target(session) not in bench.session_names(deadline):
        return False
    return owner is None or not bench.owns_session(owner.replace("-", ""), deadline)
