"""What ``/proc/<pid>/cgroup`` says about containers (R12). Pure: text in, evidence out.

A cgroup path is written from the outside in: its outermost container was named by the host's
engine, while anything deeper may have been made by the container itself. So the outermost id
decides, and deeper ones can only spoil a claim, never make one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agenttower.services.caller import same_container

_ID = "[0-9a-f]{64}"
_SHORT_ID = "[0-9a-f]{12}"
_BARE_ID = re.compile(rf"({_ID})(?:\.scope)?")
_NAMED_ID = re.compile(
    rf"(?:docker|libpod|cri-containerd|crio|containerd|nerdctl|cri-o)-({_ID}|{_SHORT_ID})"
    r"(?:\.scope)?"
)
"""``docker-<id>.scope``, ``libpod-<id>``; not ``libpod-conmon-<id>`` (a host process)."""
_CONTAINERD_TRIPLE = re.compile(rf"[^:]+:cri-containerd:({_ID})")
"""``<slice>:cri-containerd:<id>``: containerd with the systemd driver under runc's cgroupfs."""
_LXC_PAYLOAD = re.compile(r"lxc\.payload\.(.+)")
_SHORT = re.compile(f"({_SHORT_ID})")
_REMOVED = " (deleted)"

Resolve = Callable[[str], str | None]
"""The container registry: an id (12 or 64 characters) to the full registered id, or ``None``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cgroups alone say. Neither field set and no reason: no sign of a container."""

    container_id: str | None = None
    """The registered container that the process is in."""
    unclear: str | None = None
    """Why the process counts as neither host nor bench."""


def container_signs(path: str) -> tuple[str, ...]:
    """The containers named in one cgroup path, outermost first.

    :param path: the third field of a line, ``/docker/<id>`` and the like.
    :returns: 64-character ids; for a container that has no such id, ``lxc:<name>``.
    """
    signs: list[str] = []
    parent = ""
    for segment in path.split("/"):
        sign = _sign(segment, parent)
        if sign is not None:
            signs.append(sign)
        parent = segment
    return tuple(signs)


def _sign(segment: str, parent: str) -> str | None:
    match = (
        _BARE_ID.fullmatch(segment)
        or _NAMED_ID.fullmatch(segment)
        or _CONTAINERD_TRIPLE.fullmatch(segment)
    )
    if match is None and parent == "docker":
        match = _SHORT.fullmatch(segment)
    if match:
        # Podman keeps a pod's own group, named by a bare id, above those of its containers.
        return None if parent == "libpod_parent" and segment == match[1] else match[1]
    payload = _LXC_PAYLOAD.fullmatch(segment)
    if payload:
        return f"lxc:{payload[1]}"
    if parent in ("lxc", "lxc.payload") and segment:
        return f"lxc:{segment}"
    return None


def parse(text: str) -> dict[str, str]:
    """The lines of ``/proc/<pid>/cgroup``: controllers (``""`` on version 2) to path.

    Only LF ends a line: the kernel lets a group's name have every other byte, so whoever may make
    groups could write a CR, a form feed or U+2028 and what looks like a line of its own after it.

    :param text: exactly as read, no newline translated.
    :raises ValueError: a line does not have the form ``<number>:<controllers>:<path>``, or
        controllers occur twice.
    """
    paths: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        number, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if not (number.isdecimal() and first and second and path.startswith("/")):
            raise ValueError(f"not a cgroup line: {line[:200]!r}")
        if controllers in paths:
            raise ValueError(f"two cgroup lines for {controllers[:200]!r}")
        paths[controllers] = path.removesuffix(_REMOVED)
    return paths


Chains = frozenset[tuple[str, ...]]
"""The containers that each hierarchy names, outermost first; those that name none left out."""


def chains(peer: Mapping[str, str], ours: Mapping[str, str]) -> Chains:
    """The containers that a process is in and we are not.

    :param peer: :func:`parse` of the process.
    :param ours: :func:`parse` of this process. Containers that we are in ourselves say nothing
        about a peer that shares them.
    """
    found = {
        _beyond(container_signs(path), container_signs(ours.get(controllers, "/")))
        for controllers, path in peer.items()
    }
    return frozenset(found - {()})


def judge(found: Chains, resolve: Resolve) -> Verdict:
    """Which registered container a process is in.

    :param found: :func:`chains` of the process.
    :param resolve: the registry. Its answer counts only where it is that same id, so a container
        *named* like an id gains nothing.
    """
    if not found:
        return Verdict()
    outermost = {chain[0] for chain in found}
    if len(outermost) > 1:
        return Verdict(unclear="its cgroups name different containers")
    registered = {sign: _registered(sign, resolve) for chain in found for sign in chain}
    own = registered.pop(outermost.pop())
    if own is None:
        return Verdict(unclear="its cgroup names a container that is not registered")
    if any(other not in (None, own) for other in registered.values()):
        return Verdict(unclear="its cgroup names several registered containers")
    return Verdict(container_id=own)


def _beyond(signs: tuple[str, ...], ours: tuple[str, ...]) -> tuple[str, ...]:
    return signs[len(ours) :] if signs[: len(ours)] == ours else signs


def _registered(sign: str, resolve: Resolve) -> str | None:
    if sign.startswith("lxc:"):
        return None
    full = resolve(sign)
    return full if full is not None and same_container(full, sign) else None
