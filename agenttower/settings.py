"""Settings: one frozen object, read and validated once, passed on explicitly.

Read from ``config.toml``; every key has an environment twin ``AGENTTOWER_<TABLE>_<KEY>``, e.g.
``AGENTTOWER_CONTAINERS_NAME_CONTAINS=bench,lab``. A missing file means the defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from agenttower.errors import ConfigInvalid
from agenttower.paths import Paths, default_paths

FRAGMENT_LENGTH = 128
ENVIRONMENT_PREFIX = "AGENTTOWER_"


class ContainerRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which containers are benches: any fragment occurs in the name, case ignored."""

    name_contains: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=32)] = (
        "bench",
    )
    scan_interval_seconds: Annotated[int, msgspec.Meta(gt=0)] = 5
    """Kept for old files; scans are explicit or follow the engine's events."""

    def __post_init__(self) -> None:
        trimmed = tuple(fragment.strip() for fragment in self.name_contains)
        if not all(1 <= len(fragment) <= FRAGMENT_LENGTH for fragment in trimmed):
            raise ValueError(
                f"every entry of name_contains needs 1 to {FRAGMENT_LENGTH} characters"
            )
        msgspec.structs.force_setattr(self, "name_contains", trimmed)


class LocalBench(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bench without a container: this machine's tmux on a private socket."""

    enabled: bool = False
    start_tmux: bool = True
    """Whether its tmux server is started when it is missing; off where a unit of its own does so,
    because a server that the worker started would end with the worker's unit."""


class WorkerRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many steps run at once, in all and in one container."""

    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 12
    per_container: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2


class RoutingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How events become prompts (legacy surfaces part 2, sections 1.1 and 11.1)."""

    cycle_interval_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 1.0
    """Between two tries of a decision that could not be written; routing itself is rung for."""
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """Events of one route that are worked off before it is the next one's turn."""
    heartbeat_interval_seconds: Annotated[float, msgspec.Meta(ge=10, le=3600)] = 60.0
    brake_prompts: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 300
    """Prompts that one route may make in the window; more wait. 0 takes the brake off."""
    brake_window_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    prompt_masters: bool = False
    """Whether a route may prompt a master, which no agent may: so that a slave's events can reach
    the master who leads it."""


Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Bytes = Annotated[int, msgspec.Meta(gt=0, le=16 * 1024 * 1024)]


class EventRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How output becomes events (legacy surfaces part 2, section 1.1)."""

    reader_cycle_wallclock_cap_seconds: Seconds = 1.0
    """How long the reader trusts the kernel to tell it of changes before it looks by itself."""
    per_cycle_byte_cap_bytes: Bytes = 65_536
    """How much of one log is read at once, and how long a line may be before it is cut."""
    per_event_excerpt_cap_bytes: Bytes = 1024
    excerpt_truncation_marker: str = "…[truncated]"
    debounce_activity_window_seconds: Annotated[float, msgspec.Meta(gt=0, le=5)] = 5.0
    pane_exited_grace_seconds: Annotated[float, msgspec.Meta(gt=0, le=30)] = 30.0
    long_running_grace_seconds: Seconds = 30.0
    default_page_size: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50
    max_page_size: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50
    follow_long_poll_max_seconds: Annotated[float, msgspec.Meta(gt=0, le=30)] = 30.0
    follow_session_idle_timeout_seconds: Seconds = 300.0

    def __post_init__(self) -> None:
        if self.per_cycle_byte_cap_bytes < self.per_event_excerpt_cap_bytes:
            raise ValueError(
                "per_cycle_byte_cap_bytes must not be less than per_event_excerpt_cap_bytes"
            )
        if len(self.excerpt_truncation_marker.encode()) > self.per_event_excerpt_cap_bytes:
            raise ValueError(
                "excerpt_truncation_marker must not be longer than per_event_excerpt_cap_bytes"
            )
        if self.default_page_size > self.max_page_size:
            raise ValueError("default_page_size must not be more than max_page_size")


class LogRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How logs are read that no mount shows."""

    fallback: Literal["off", "exec"] = "off"
    """``exec``: the bench writes them into files of its own, and the worker copies those through
    the engine. ``off``: such a log cannot be attached."""


HostRule = Literal["same_namespaces", "same_pid_namespace"]


class PeerRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What proves that a client is the host (R12)."""

    host_rule: HostRule = "same_namespaces"
    """``same_namespaces``: the daemon's own PID and mount namespaces. ``same_pid_namespace``: the
    PID namespace alone, for a daemon whose unit gives it mounts of its own, or that runs in a
    container with the host's PID namespace. Either way no container in its cgroups."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ``config.toml``."""

    containers: ContainerRules = ContainerRules()
    local: LocalBench = LocalBench()
    worker: WorkerRules = WorkerRules()
    routing: RoutingRules = RoutingRules()
    events: EventRules = EventRules()
    logs: LogRules = LogRules()
    peers: PeerRules = PeerRules()


class Settings(msgspec.Struct, frozen=True):
    """What a process was started with."""

    paths: Paths
    config: Config = Config()


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read ``config.toml`` and the environment twins.

    :raises ConfigInvalid: naming file and field.
    """
    data: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except FileNotFoundError:
        pass
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(f"{path}: {error}; mend the file, or move it away") from error
    for table, rules in (
        ("containers", ContainerRules),
        ("local", LocalBench),
        ("worker", WorkerRules),
        ("routing", RoutingRules),
        ("events", EventRules),
        ("logs", LogRules),
        ("peers", PeerRules),
    ):
        for key in rules.__struct_fields__:
            value = environ.get(f"{ENVIRONMENT_PREFIX}{table}_{key}".upper())
            if value is None:
                continue
            section = data.setdefault(table, {})
            if isinstance(section, dict):
                section[key] = _from_environment(rules, key, value)
    try:
        return msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigInvalid(f"{path}: {error}; mend the file, or move it away") from error


def _from_environment(rules: type[msgspec.Struct], key: str, text: str) -> object:
    """A twin's text as the type that its key has; text that is none is left for the check."""
    if key == "name_contains":
        return text.split(",")
    wanted = next(field.type for field in msgspec.structs.fields(rules) if field.name == key)
    try:
        return msgspec.convert(text, wanted, strict=False)
    except msgspec.ValidationError:
        return text


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Paths and configuration for this user.

    :raises ConfigInvalid: the file does not fit its schema.
    """
    paths = default_paths(environ)
    return Settings(paths=paths, config=load_config(paths.config_file, environ))
