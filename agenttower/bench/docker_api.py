"""The engine's client: made when needed, and its errors put into ours in one place."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from agenttower.bench.wording import one_line
from agenttower.errors import (
    BenchConnectionLost,
    BenchError,
    ContainerInactive,
    ContainerNotFound,
    ContainerPaused,
    DockerFailed,
    DockerMalformed,
    DockerPermissionDenied,
    DockerTimeout,
    DockerUnavailable,
)

if TYPE_CHECKING:
    from docker import APIClient

CALL_SECONDS = 5.0
"""How long one call of the engine may take."""

_STATUS = re.compile(
    r"container \S+ is (paused|restarting|not running|dead|stopping|stopped|being removed)", re.I
)
_LOST_EXEC = "no such exec"


class Engine:
    """Where the engine is, and which API version it speaks. The SDK is imported on first use.

    :param docker_host: an address as in ``DOCKER_HOST``; ``None`` reads the environment.
    """

    def __init__(self, docker_host: str | None = None) -> None:
        self._host = docker_host
        self._version: str | None = None

    def _address(self) -> str | None:
        return self._host or os.environ.get("DOCKER_HOST")

    def client(self, timeout: float = CALL_SECONDS) -> APIClient:
        """A new client; its owner closes it.

        :raises DockerUnavailable: or a subclass, when the engine does not answer.
        """
        from docker import APIClient
        from docker.utils import kwargs_from_env

        timeout = max(timeout, 0.001)
        environment = {**os.environ, "DOCKER_HOST": self._address() or ""}
        with engine_errors():
            self.knock(timeout)
            options = cast("dict[str, Any]", kwargs_from_env(environment=environment))
            client = APIClient(
                version=self._version or "auto",
                timeout=timeout,  # type: ignore[arg-type]  # requests takes fractions
                **options,
            )
        self._version = client.api_version
        # The SDK keeps a connection for every URL it has seen, so for every container.
        client.headers["Connection"] = "close"
        return client

    def ping(self, timeout: float) -> bool:
        """Whether the engine answers; ``False`` where this machine has none.

        :param timeout: seconds for each of the two or three exchanges.
        :raises DockerUnavailable: or a subclass: there is one, and it does not answer.
        """
        with engine_errors():
            path = self._socket_path()
            if path is not None and not os.path.exists(path):
                return False
            with contextlib.closing(self.client(timeout)) as client:
                client.ping()
        return True

    def knock(self, timeout: float = CALL_SECONDS) -> None:
        """Connect and hang up: the SDK forgets to close a socket whose connection was refused.

        :raises OSError: nobody listens at the engine's Unix socket.
        """
        path = self._socket_path()
        if path is not None:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(timeout)
                connection.connect(path)

    def _socket_path(self) -> str | None:
        """The engine's Unix socket; ``None`` where it listens elsewhere."""
        from docker.utils import parse_host

        scheme, _, path = str(parse_host(self._address())).partition("://")
        return path if scheme == "http+unix" else None

    def forget_version(self) -> None:
        """Ask the engine again next time: it may be another one now."""
        self._version = None


@contextlib.contextmanager
def engine_errors(container_id: str = "") -> Iterator[None]:
    """Raise what the SDK and its HTTP library raise as errors of ours."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import JSONDecodeError, RequestException

    try:
        yield
    except BenchError:
        raise
    except APIError as error:
        raise _refusal(error, container_id) from error
    except (JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DockerMalformed(
            f"the Docker engine's answer cannot be read ({error!r}); "
            "see whether DOCKER_HOST names a Docker engine"
        ) from error
    except (DockerException, RequestException, OSError) as error:
        raise _no_connection(error, container_id) from error


def inactive(container_id: str, status: str) -> ContainerInactive:
    """A container that is there but does not run, and what to do about it."""
    name = container_id[:12]
    start = f"start it with 'docker start {name}'"
    advice = {
        "paused": f"resume it with 'docker unpause {name}'",
        "exited": start,
        "created": start,
        "not running": start,
        "restarting": "wait until it runs; if it never does, see 'docker logs'",
    }.get(status, "wait until it runs, or start it again")
    kind = ContainerPaused if status == "paused" else ContainerInactive
    return kind(f"container {name} is {status}; {advice}", container_id=container_id)


def _refusal(error: Any, container_id: str) -> BenchError:
    """The engine answered, and said no."""
    said = str(error.explanation or error)
    code = error.response.status_code if error.response is not None else None
    if container_id and code == 404:
        if _LOST_EXEC in said.lower():
            return BenchConnectionLost(
                f"container {container_id[:12]} ended while a process was started in it"
            )
        return ContainerNotFound(container_id)
    status = _STATUS.search(said)
    if container_id and (status or code == 409):
        return inactive(container_id, status[1].lower() if status else "not running")
    return DockerFailed(f"the Docker engine refused: {one_line(said)}; see the engine's log")


def _no_connection(error: BaseException, container_id: str) -> BenchError:
    """The engine did not answer; the reason hides in a chain of causes and arguments."""
    from docker.errors import APIError
    from requests.exceptions import Timeout

    causes = list(_causes(error))
    refusals = [cause for cause in causes if isinstance(cause, APIError)]
    if refusals:
        return _refusal(refusals[0], container_id)
    if any(isinstance(cause, PermissionError) for cause in causes):
        return DockerPermissionDenied(
            "the Docker engine's socket may not be used by this user; "
            "add the user to the group that owns it, or set DOCKER_HOST"
        )
    if any(isinstance(cause, Timeout | TimeoutError) for cause in causes):
        return DockerTimeout(
            f"the Docker engine did not answer within {CALL_SECONDS:g} s; look at its load and log"
        )
    reason = one_line(str(causes[-1]))
    return DockerUnavailable(
        f"the Docker engine cannot be reached ({reason}); start it, or set DOCKER_HOST"
    )


def _causes(error: object) -> Iterator[BaseException]:
    if isinstance(error, BaseException):
        yield error
        for inner in (error.__cause__ or error.__context__, *error.args):
            yield from _causes(inner)
