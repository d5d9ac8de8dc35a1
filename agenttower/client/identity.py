"""Where this process is: in a container or not, in which, and in which tmux pane.

Legacy surfaces part 1, sections 12.2 to 12.4. Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttower.client.errors import ContainerUnresolved, NotInTmux, TmuxPaneMalformed

CONTAINER_VARIABLE = "AGENTTOWER_CONTAINER_ID"

_MARKERS = ("/.dockerenv", "/run/.containerenv")
_CGROUP_SIGNS = ("docker/", "containerd/", "kubepods/", "lxc/")
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PANE_ID = re.compile(r"%[0-9]+")
SHORT, _LONGEST = 12, 4096


@dataclass(frozen=True)
class OwnPane:
    """The tmux pane that this process runs in."""

    socket_path: str
    pane_id: str


def in_container(root: Path = Path("/")) -> bool:
    """Whether files that containers have, or the control group, say so.

    :param root: where the file system begins.
    """
    if any((root / marker.lstrip("/")).exists() for marker in _MARKERS):
        return True
    return any(sign in _read(root / "proc/self/cgroup") for sign in _CGROUP_SIGNS)


def container_id(
    answer: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> str:
    """The full id of the container that we are in.

    The daemon knows it from the kernel where it can tell; only where it cannot, what we find here
    is compared with its list.

    :param answer: of ``list_containers``.
    :raises ContainerUnresolved: no active container, or several, fit.
    """
    active = [row["id"] for row in answer["containers"] if row["active"]]
    proven = answer.get("caller_container_id")
    if proven is not None:
        if proven in active:
            return str(proven)
        raise ContainerUnresolved(f"this container, {proven[:SHORT]}, is not active any more")
    _, candidates = candidates_of(environ, root)
    found = {one for one in active for candidate in candidates if fits(one, candidate)}
    if len(found) == 1:
        return str(found.pop())
    tried = ", ".join(repr(candidate[:80]) for candidate in candidates) or "nothing"
    how_many = "none" if not found else "several"
    raise ContainerUnresolved(
        f"{how_many} of the daemon's active containers is this one (compared with {tried}); "
        f"run 'agenttower scan' on the host, or set {CONTAINER_VARIABLE} to the container's id"
    )


def own_pane(environ: Mapping[str, str] = os.environ) -> OwnPane:
    """The tmux pane of this process, by the variables that tmux gives it.

    :raises NotInTmux: they are not set.
    :raises TmuxPaneMalformed: they are not as tmux writes them.
    """
    server, pane_id = environ.get("TMUX", ""), environ.get("TMUX_PANE", "")
    if not server or not pane_id:
        raise NotInTmux("this process does not run in tmux: TMUX or TMUX_PANE is not set")
    parts = server.rsplit(",", 2)  # a path may hold commas, what follows it does not
    if len(parts) != 3 or not all(parts) or not _PANE_ID.fullmatch(pane_id):
        raise TmuxPaneMalformed(
            f"TMUX={server[:200]!r} and TMUX_PANE={pane_id[:40]!r} are not as tmux sets them; "
            "run this in a shell that tmux has started"
        )
    return OwnPane(parts[0], pane_id)


def candidates_of(environ: Mapping[str, str], root: Path) -> tuple[str | None, Sequence[str]]:
    """What may name our container: the first source that says anything (section 12.3).

    :return: which source it is (``env``, ``cgroup``, ``hostname``, ``hostname_env``; ``None`` for
        none) and the different names that it gives.
    """
    named = _clean(environ.get(CONTAINER_VARIABLE, ""))
    if named:
        return "env", [named]
    in_cgroup = sorted(set(_ID.findall(_read(root / "proc/self/cgroup"))))
    if in_cgroup:
        return "cgroup", in_cgroup
    for source, text in (
        ("hostname", _read(root / "etc/hostname")),
        ("hostname_env", environ.get("HOSTNAME", "")),
    ):
        name = _clean(text)
        if name:
            return source, [name]
    return None, []


def fits(known: str, candidate: str) -> bool:
    """Whether a candidate is the id of a known container, whole or its first 12 characters."""
    return candidate in (known, known[:SHORT])


def _clean(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "", text).strip()[:_LONGEST]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
