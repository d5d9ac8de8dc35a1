"""Putting the bench client into a container, and asking it there whether it will do."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from agenttower.bench.docker_api import Engine
from agenttower.pyz.builder import build, is_ours
from agenttower.pyz.container import InstallRefused, Target

DEFAULT_PATH = "/usr/local/bin/agenttower"
CALL_SECONDS = 60.0
"""The longest that one answer of the engine may take; the doctor in the container asks a lot."""

NEEDED = ("socket_reachable", "identity", "uid")
"""Checks without which the client cannot do anything for the container."""

_PROBE = (
    "import sys; assert sys.version_info >= (3, 9), 'it is older than 3.9'; "
    "import argparse, base64, dataclasses, json, pathlib, socket, struct, subprocess, zipimport; "
    "print('%d.%d.%d' % sys.version_info[:3])"
)


@dataclass(frozen=True, slots=True)
class Installation:
    """What was done, and what the client says of its surroundings."""

    container_id: str
    container_name: str
    path: str
    outcome: str
    """``installed``, ``updated`` or ``unchanged``."""
    python: str
    doctor: dict[str, Any]
    """As ``agenttower doctor --json`` answers in the container."""

    @property
    def usable(self) -> bool:
        """Whether the client can ask the daemon."""
        checks = self.doctor.get("checks", {})
        return all(checks.get(name, {}).get("status") == "pass" for name in NEEDED)


def install(reference: str, path: str = DEFAULT_PATH, engine: Engine | None = None) -> Installation:
    """Have this program's bench client in a container. Asking again changes nothing.

    :param reference: the container's name, its id, or how that begins.
    :param path: where, absolute; its directory must be there.
    :raises InstallRefused: there is no usable Python, or something else at the path.
    :raises BenchError: the container or the engine cannot be used; see :mod:`agenttower.errors`.
    """
    place = _checked(path)
    with closing((engine or Engine()).client(CALL_SECONDS)) as client:
        target = Target(client, reference.removeprefix("/"))
        python = _python_of(target)
        content = build()
        outcome = _put(target, place, content)
        code, said = target.run([path, "--version"])
        if code != 0:
            raise InstallRefused(
                f"{path} is in {target.name} and does not run there: {_last_line(said)}; "
                "is its file system mounted with noexec?"
            )
        _, answer = target.run([path, "doctor", "--json"])
    return Installation(target.id, target.name, path, outcome, python, _document(answer))


def _checked(path: str) -> PurePosixPath:
    place = PurePosixPath(path)
    wrong = not place.is_absolute() or ".." in place.parts or not path.isprintable()
    if wrong or path.endswith("/") or not place.name:
        raise InstallRefused(
            f"--path {path!r:.200} must be an absolute path of a file without '..'"
        )
    return place


def _python_of(target: Target) -> str:
    code, said = target.run(["python3", "-I", "-c", _PROBE])
    if code == 0:
        return said.strip()
    raise InstallRefused(
        f"{target.name} has no python3 that can be used ({_last_line(said)}); the bench client "
        "needs Python 3.9 or newer with its whole standard library: install python3 in the image "
        "(on Debian the package python3, not python3-minimal)"
    )


def _put(target: Target, place: PurePosixPath, content: bytes) -> str:
    present = target.read(place)
    if present == content:
        return "unchanged"
    if present is not None and not is_ours(present):
        raise InstallRefused(
            f"{place} in {target.name} is another program; move it away, or choose another --path"
        )
    target.put(place, content)
    return "installed" if present is None else "updated"


def _document(answer: str) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return "".join(c if c.isprintable() else " " for c in lines[-1])[:200] if lines else "no output"
