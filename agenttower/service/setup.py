"""Finding out what an installation on this machine has to say: interpreter, user, directories."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agenttower.errors import ServiceRefused
from agenttower.paths import Paths, default_paths
from agenttower.service.installer import SYSTEM_UNITS
from agenttower.service.plan import SYSTEM_BASES, Plan
from agenttower.settings import load_config

_ENGINE = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_BASES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
_TWINS = re.compile(r"AGENTTOWER_(CONTAINERS|LOCAL|WORKER)_[A-Z_]+")
_SAID_BY_UNIT = "AGENTTOWER_LOCAL_START_TMUX"


@dataclass(frozen=True)
class Setup:
    """What to install, where its unit files go, and where the processes will keep their files."""

    plan: Plan
    directory: Path
    paths: Paths


def user_setup(environ: Mapping[str, str] = os.environ) -> Setup:
    """For this user's manager, with the directories and the engine of this environment.

    :raises ConfigInvalid: ``config.toml`` does not fit its schema.
    :raises ServiceRefused: the local bench is wanted and there is no tmux.
    """
    paths = default_paths(environ)
    bases = {name: environ[name] for name in _BASES if environ.get(name, "").startswith("/")}
    config_home = Path(bases.get("XDG_CONFIG_HOME") or Path(environ["HOME"]) / ".config")
    plan = Plan(
        python=sys.executable,
        environment=bases | _told(environ),
        **_local_bench(paths, environ),
    )
    return Setup(plan, config_home / "systemd" / "user", paths)


def system_setup(user: str | None, environ: Mapping[str, str] = os.environ) -> Setup:
    """Machine-wide, running as ``user``; by default who called sudo, else who runs this.

    :raises ConfigInvalid: as :func:`user_setup`, for the machine-wide file.
    :raises ServiceRefused: as :func:`user_setup`, or there is no such user.
    """
    name = user or environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
    try:
        account = pwd.getpwnam(name)
        group = grp.getgrgid(account.pw_gid).gr_name
    except KeyError as error:
        raise ServiceRefused(
            f"there is no user {name!r} (or not its group); make it, or choose one with --user"
        ) from error
    there = {**environ, **SYSTEM_BASES}
    paths = default_paths(there)
    plan = Plan(
        python=sys.executable,
        environment={**SYSTEM_BASES, **_told(environ)},
        user=name,
        group=group,
        **_local_bench(paths, there),
    )
    return Setup(plan, SYSTEM_UNITS, paths)


def _told(environ: Mapping[str, str]) -> dict[str, str]:
    """What a shell has set for AgentTower; a service would not inherit it."""
    return {
        name: value
        for name, value in environ.items()
        if (name in _ENGINE or _TWINS.fullmatch(name)) and name != _SAID_BY_UNIT
    }


def _local_bench(paths: Paths, environ: Mapping[str, str]) -> dict[str, str]:
    if not load_config(paths.config_file, environ).local.enabled:
        return {}
    tmux = shutil.which("tmux", path=environ.get("PATH"))
    if tmux is None:
        raise ServiceRefused(
            "the local bench is enabled and there is no tmux on PATH; install tmux 3.2 or newer"
        )
    return {"tmux": str(Path(tmux).absolute()), "tmux_socket": str(paths.local_tmux_socket)}
