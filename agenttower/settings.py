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


class LogRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How logs are read that no mount shows."""

    fallback: Literal["off", "exec"] = "off"
    """``exec``: the bench writes them into files of its own, and the worker copies those through
    the engine. ``off``: such a log cannot be attached."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ``config.toml``."""

    containers: ContainerRules = ContainerRules()
    local: LocalBench = LocalBench()
    worker: WorkerRules = WorkerRules()
    logs: LogRules = LogRules()


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
        ("logs", LogRules),
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
