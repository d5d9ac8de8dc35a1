"""What only the host can be asked: the engine, tmux in benches, our files, the operator's files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from agenttower.bench.docker_api import Engine, engine_errors
from agenttower.client.doctor.ours import tmux_row
from agenttower.client.doctor.row import FAIL, INFO, PASS, WARN, Row, guarded
from agenttower.client.doctor.seen import BENCH, Seen
from agenttower.client.socket_path import SocketChoice
from agenttower.errors import BenchError, ConfigInvalid
from agenttower.paths import Paths
from agenttower.private import DIRECTORY_MODE, FILE_MODE
from agenttower.services.catalog import Catalog
from agenttower.services.folder import FileProblem
from agenttower.services.rule_files import RuleBook
from agenttower.settings import load_config

EXEC_SECONDS = 5.0
BENCHES_SECONDS = 20.0
"""For the look at tmux in all benches; those that come later are told as not looked at."""
SPACE_NEEDED = 200 * 1024 * 1024
_SHOWN = 5

_ENGINE: Mapping[str, tuple[str, str]] = {
    "docker_unavailable": (
        "the Docker engine cannot be reached",
        "start it, or name it with DOCKER_HOST, here and where the daemon is started",
    ),
    "docker_permission_denied": (
        "the Docker engine's socket may not be used by this user",
        "add the user to the group that owns it, and log in anew",
    ),
    "docker_timeout": (
        "the Docker engine did not answer in time",
        "look at its load and log",
    ),
    "docker_malformed": (
        "what answers is no Docker engine",
        "see what DOCKER_HOST names",
    ),
    "docker_failed": (
        "the Docker engine answered with an error",
        "look at its log",
    ),
}


def host_rows(seen: Seen, paths: Paths, environ: Mapping[str, str] = os.environ) -> list[Row]:
    """In this order, always; in a bench they are told as the host's affair."""
    checks: Sequence[tuple[str, Callable[[], Row]]] = (
        ("docker", lambda: _docker(paths, environ)),
        ("bench_tmux", lambda: _bench_tmux(seen)),
        ("state", lambda: _state_or_why_not(paths)),
        ("config", lambda: _config(paths, environ)),
        ("templates", lambda: _files("templates", paths.templates_dir, _templates(paths))),
        ("profiles", lambda: _files("profiles", paths.profiles_dir, _profiles(paths))),
        ("rules", lambda: _files("rules", paths.rules_dir, RuleBook(paths.rules_dir).problems())),
    )
    mounted = isinstance(seen.socket, SocketChoice) and seen.socket.source == "mounted_default"
    if mounted or seen.place == BENCH:
        words = "only looked at on the host"
        return [Row(name, INFO, words, "bench_context") for name, _ in checks]
    return [guarded(name, check) for name, check in checks]


# --- the engine ----------------------------------------------------------------------------------


def _docker(paths: Paths, environ: Mapping[str, str]) -> Row:
    try:
        with closing(Engine().client(EXEC_SECONDS)) as client, engine_errors():
            version = client.version()
            words = f"engine {version['Version']}, API {version['ApiVersion']}"
    except BenchError as error:
        words, hint = _ENGINE.get(error.code, _ENGINE["docker_failed"])
        # Without an engine the local bench works all the same.
        status = WARN if _local_bench(paths, environ) else FAIL
        return Row("docker", status, words, error.code, hint)
    return Row("docker", PASS, words)


def _local_bench(paths: Paths, environ: Mapping[str, str]) -> bool:
    try:
        return load_config(paths.config_file, environ).local.enabled
    except ConfigInvalid:
        return False


def _bench_tmux(seen: Seen) -> Row:
    name = "bench_tmux"
    rows = [row for row in seen.containers or () if row.get("active")]
    benches = [row for row in rows if row.get("provider") == "docker"]
    if not benches:
        return Row(name, INFO, "no bench is known to run", "no_benches")
    found: dict[str, list[str]] = {}
    until = time.monotonic() + BENCHES_SECONDS
    hint = "install tmux 3.2 or newer in the image"
    for bench in benches:
        said = _tmux_in(str(bench["id"])) if time.monotonic() < until else None
        verdict = "tmux_unavailable" if said is None else _verdict(said, hint)
        found.setdefault(verdict, []).append(str(bench.get("name")))
    bad = [name for verdict in ("tmux_missing", "tmux_too_old") for name in found.get(verdict, ())]
    if bad:
        sub_code = "tmux_missing" if found.get("tmux_missing") else "tmux_too_old"
        words = f"{len(bad)} of {len(benches)} benches lack tmux 3.2: {', '.join(bad[:_SHOWN])}"
        return Row(name, FAIL, words, sub_code, hint)
    mute = found.get("tmux_unavailable", [])
    if mute:
        words = f"{len(mute)} of {len(benches)} benches did not tell: {', '.join(mute[:_SHOWN])}"
        hint = "is the container paused or overloaded, or the engine away?"
        return Row(name, WARN, words, "tmux_unavailable", hint)
    return Row(name, PASS, f"{len(benches)} of {len(benches)} benches have 3.2 or newer")


def _tmux_in(bench_id: str) -> str | None:
    """What ``tmux -V`` says in a bench; empty where there is none, ``None`` where unknown."""
    try:
        with closing(Engine().client(EXEC_SECONDS)) as client, engine_errors(bench_id):
            made = client.exec_create(bench_id, ["tmux", "-V"])
            said: bytes = client.exec_start(made["Id"])
            code = client.exec_inspect(made["Id"])["ExitCode"]
    except BenchError:
        return None
    return said.decode("utf-8", "replace") if code == 0 else ""


def _verdict(said: str, hint: str) -> str:
    if not said:
        return "tmux_missing"
    return tmux_row("bench_tmux", said, FAIL, hint).sub_code or PASS


# --- files ---------------------------------------------------------------------------------------


def _state_or_why_not(paths: Paths) -> Row:
    try:
        return _state(paths)
    except PermissionError:
        words = f"this user may not look at {paths.state_dir}"
        return Row("state", FAIL, words, "not_ours", "run as its owner")


def _state(paths: Paths) -> Row:
    name = "state"
    if paths.state_dir.exists() and not paths.state_dir.is_dir():
        words = f"{paths.state_dir} is no directory"
        return Row(name, FAIL, words, "not_a_directory", "move it away")
    if not paths.state_dir.is_dir():
        hint = "start AgentTower once: 'agenttower up'"
        return Row(name, INFO, f"{paths.state_dir} is not there yet", "not_initialised", hint)
    wanted = ((paths.state_dir, DIRECTORY_MODE), (paths.database, FILE_MODE))
    for path, mode in wanted:
        if not path.exists():
            continue
        status = path.stat()
        if status.st_uid != os.geteuid():
            words = f"{path} belongs to uid {status.st_uid}, and this is uid {os.geteuid()}"
            return Row(name, FAIL, words, "not_ours", "run as its owner, or move it away")
        if status.st_mode & 0o777 != mode:
            words = f"{path} has mode {status.st_mode & 0o777:04o} and must have {mode:04o}"
            hint = f"look at what is in it, then run: chmod {mode:04o} {path}"
            return Row(name, FAIL, words, "mode_wrong", hint)
    free = shutil.disk_usage(paths.state_dir).free
    if free < SPACE_NEEDED:
        words = f"{free // 2**20} MiB are free at {paths.state_dir}"
        return Row(name, WARN, words, "disk_full", "free space; nothing is written when it is out")
    return Row(name, PASS, f"{paths.state_dir} is ours alone, {free // 2**20} MiB free")


def _config(paths: Paths, environ: Mapping[str, str]) -> Row:
    name = "config"
    file = paths.config_file
    try:
        file.read_bytes()
        words = f"{file} is valid"
    except FileNotFoundError:
        words = f"{file} is not there, so the defaults hold"
    except OSError:
        hint = "make it a file that this user may read"
        return Row(name, FAIL, f"{file} cannot be read", "config_invalid", hint)
    try:
        load_config(file, environ)
    except ConfigInvalid as error:
        hint = "mend it (or the AGENTTOWER_… variable of that key), then restart the daemon"
        return Row(name, FAIL, error.message, "config_invalid", hint)
    return Row(name, PASS, words)


def _templates(paths: Paths) -> list[FileProblem]:
    return Catalog(paths.templates_dir, paths.profiles_dir).template_problems()


def _profiles(paths: Paths) -> list[FileProblem]:
    return Catalog(paths.templates_dir, paths.profiles_dir).profile_problems()


def _files(name: str, folder: Path, problems: Sequence[Any]) -> Row:
    if not problems:
        return Row(name, PASS, f"nothing is left out of {folder}")
    told = "; ".join(str(problem) for problem in problems[:_SHOWN])
    hint = "mend the file; it is read again at once, by the daemon too"
    return Row(name, FAIL, f"{len(problems)} left out: {told}", "file_invalid", hint)
