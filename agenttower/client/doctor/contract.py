"""The six checks of ``config doctor`` (legacy surfaces part 1, section 13)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from agenttower.client.doctor.row import FAIL, INFO, PASS, WARN, Row, guarded
from agenttower.client.doctor.seen import HOST, UNKNOWN, Seen
from agenttower.client.errors import NotInTmux, TmuxPaneMalformed
from agenttower.client.identity import (
    CONTAINER_VARIABLE,
    SHORT,
    candidates_of,
    fits,
    own_pane,
)
from agenttower.client.socket_path import SocketChoice
from agenttower.paths import BENCH_SOCKET, SOCKET_VARIABLE

SCHEMA_VERSION = 5
"""The newest schema of the database that this client was written for."""

AWAY = "daemon_unavailable"
_START = "start the daemon with 'agenttower up' (or 'agenttower serve' and 'agenttower worker')"
_LOCAL = "local"

_UNREACHABLE: Mapping[str, tuple[str, str]] = {
    "socket_missing": (
        "there is no socket at that path",
        f"{_START}; in a bench mount its socket at {BENCH_SOCKET}",
    ),
    "socket_not_unix": (
        "what is at that path is no socket",
        f"name the daemon's socket with {SOCKET_VARIABLE} or --socket",
    ),
    "connection_refused": (
        "nobody listens at the socket",
        f"{_START}; in a bench restart the container, which mounts the new socket",
    ),
    "permission_denied": (
        "this user may not use the socket",
        "run as the user who runs the daemon; in a bench as the same uid",
    ),
    "connect_timeout": (
        "the daemon did not answer in time",
        "look at the daemon's log and at the machine's load, then try again",
    ),
    "protocol_error": (
        "what answers there is no AgentTower daemon, or it hung up",
        f"check {SOCKET_VARIABLE} and --socket, and look at the daemon's log",
    ),
}


def contract_rows(seen: Seen, *, host_pane_counts: bool = True) -> list[Row]:
    """Six rows, always, in the order of the contract.

    :param host_pane_counts: whether a tmux pane of the host, which the daemon does not know, is a
        failure, as the contract has it.
    """
    return [
        guarded("socket_resolved", lambda: _resolved(seen)),
        guarded("socket_reachable", lambda: _reachable(seen)),
        guarded("daemon_status", lambda: _status(seen)),
        guarded("container_identity", lambda: _identity(seen)),
        guarded("tmux_present", lambda: _tmux(seen)),
        guarded("tmux_pane_match", lambda: _pane(seen, host_pane_counts)),
    ]


def away(check: str) -> Row:
    """The row of a check that stands behind one that failed."""
    return Row(check, INFO, "not looked at: an earlier check failed", AWAY)


def _resolved(seen: Seen) -> Row:
    name = "socket_resolved"
    if not isinstance(seen.socket, SocketChoice):
        hint = f"set {SOCKET_VARIABLE} to the daemon's socket, or unset it"
        return Row(name, FAIL, seen.socket.message, "path_invalid", hint, "env_override")
    path, source = seen.socket.path, seen.socket.source
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except (FileNotFoundError, PermissionError):
        is_socket = True  # where it is, is known; the next check tells what is there
    except (OSError, ValueError) as error:
        seen.usable = False
        why = _PATH_FAULTS.get(getattr(error, "errno", None) or 0, "it cannot be a path")
        hint = f"name the daemon's socket with {SOCKET_VARIABLE} or --socket"
        return Row(name, FAIL, f"{path}: {why}", "path_invalid", hint, source)
    if not is_socket:
        seen.usable = False
        hint = f"move it away, or name the daemon's socket with {SOCKET_VARIABLE} or --socket"
        return Row(name, FAIL, f"{path} is not a Unix socket", "not_a_socket", hint, source)
    return Row(name, PASS, str(path), source=source)


_PATH_FAULTS = {
    errno.ENOTDIR: "a part of the path is no directory",
    errno.ELOOP: "its links lead in a circle",
    errno.ENAMETOOLONG: "it is too long",
}


def _reachable(seen: Seen) -> Row:
    name = "socket_reachable"
    if not seen.usable:
        return away(name)
    kind = seen.ask("status").kind
    if kind is None:
        return Row(name, PASS, "the daemon answers")
    seen.usable = False
    words, hint = _UNREACHABLE.get(kind, _UNREACHABLE["connection_refused"])
    sub_code = kind if kind in _UNREACHABLE else "connection_refused"
    return Row(name, FAIL, words, sub_code, hint)


def _status(seen: Seen) -> Row:
    name = "daemon_status"
    if not seen.usable:
        return away(name)
    reply = seen.ask("status")
    theirs = None if reply.result is None else reply.result.get("schema_version")
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        seen.usable = False
        said = "something else" if reply.code is None else f"with {reply.code}"
        hint = "look at the daemon's log; restart it if it does not recover"
        return Row(name, FAIL, f"the daemon answers 'status' {said}", "daemon_error", hint)
    words = f"schema {theirs}, this client knows {SCHEMA_VERSION}"
    if theirs > SCHEMA_VERSION:
        hint = "update this client: in a bench with 'agenttower client install' on the host"
        return Row(name, FAIL, words, "schema_version_newer", hint)
    if theirs < SCHEMA_VERSION:
        hint = "restart the daemon, so that the newer program runs; it migrates its database"
        return Row(name, WARN, words, "schema_version_older", hint)
    return Row(name, PASS, words)


# --- which container -----------------------------------------------------------------------------


def _identity(seen: Seen) -> Row:
    name = "container_identity"
    if not seen.usable:
        return away(name)
    if seen.place == UNKNOWN:
        seen.identity_failed = True
        return Row(name, FAIL, "the daemon knows no bench that is this one", "no_match", _SCAN)
    rows = seen.containers
    if rows is None:
        seen.identity_failed = True
        reply = seen.ask("list_containers")
        if reply.result is None:
            said = reply.code or "no answer"
            return Row(name, INFO, f"the daemon does not tell its containers ({said})", AWAY)
        hint = "look at the daemon's log, and compare the versions"
        return Row(name, FAIL, "the list of containers cannot be read", "output_malformed", hint)
    source, candidates = candidates_of(seen.environ, seen.root)
    proven = (seen.ask("list_containers").result or {}).get("caller_container_id")
    if isinstance(proven, str):
        seen.container_id = proven
        agrees = any(fits(proven, candidate) for candidate in candidates)
        words = f"{_named(rows, proven)}, by the kernel's word"
        return Row(name, PASS, words, "unique_match", source=source if agrees else "kernel")
    if source != "env" and (seen.place == HOST or not seen.looks_contained):
        return Row(name, INFO, "this is the host", "host_context")
    return _compared(seen, rows, source, candidates)


def _compared(
    seen: Seen, rows: Sequence[Mapping[str, Any]], source: str | None, candidates: Sequence[str]
) -> Row:
    """The daemon cannot tell: what is found here is compared with its list (section 12.3)."""
    name = "container_identity"
    in_cgroup = tuple(candidates) if source == "cgroup" else ()
    known = {row["id"] for row in rows}
    found = {one for one in known for candidate in candidates if fits(one, candidate)}
    if len(found) == 1 and (source != "cgroup" or len(candidates) == 1):
        seen.container_id = found.pop()
        words = _named(rows, seen.container_id)
        return Row(name, PASS, words, "unique_match", source=source)
    seen.identity_failed = True
    if not candidates:
        hint = f"set {CONTAINER_VARIABLE} to the container's id"
        return Row(name, FAIL, "nothing here names the container", "no_candidate", hint)
    tried = ", ".join(repr(candidate[:80]) for candidate in candidates)
    if found or len(in_cgroup) > 1:
        hint = f"set {CONTAINER_VARIABLE} to the one that is meant"
        words = f"several containers fit (compared with {tried})"
        return Row(name, FAIL, words, "multi_match", hint, source, in_cgroup)
    return Row(
        name,
        FAIL,
        f"the daemon knows no container that is this one (compared with {tried})",
        "no_match",
        _SCAN,
        source,
        in_cgroup,
        container_set_empty=not rows,
    )


_SCAN = (
    "run 'agenttower scan' on the host; if it is not found, its name must contain one of the "
    "fragments of containers.name_contains"
)


def _named(rows: Sequence[Mapping[str, Any]], container_id: str) -> str:
    name = next((row.get("name") for row in rows if row["id"] == container_id), None)
    return f"{name or 'a container'} ({container_id[:SHORT]})"


# --- which pane ----------------------------------------------------------------------------------


def _tmux(seen: Seen) -> Row:
    name = "tmux_present"
    try:
        pane = own_pane(seen.environ)
    except NotInTmux:
        hint = "to register an agent, run this in a tmux pane" if seen.in_bench else None
        return Row(name, INFO, "this process does not run in tmux", "not_in_tmux", hint)
    except TmuxPaneMalformed:
        return Row(name, FAIL, _MALFORMED, "output_malformed", _IN_TMUX)
    return Row(name, PASS, f"pane {pane.pane_id} of {pane.socket_path}")


_MALFORMED = "TMUX and TMUX_PANE are not as tmux sets them"
_IN_TMUX = "run this in a shell that tmux has started, with its variables untouched"


def _pane(seen: Seen, host_pane_counts: bool) -> Row:
    name = "tmux_pane_match"
    try:
        pane = own_pane(seen.environ)
    except NotInTmux:
        return Row(name, INFO, "this process does not run in tmux", "not_in_tmux")
    except TmuxPaneMalformed:
        return Row(name, FAIL, _MALFORMED, "output_malformed", _IN_TMUX)
    if not seen.usable or seen.identity_failed:
        return away(name)
    container = seen.container_id or _local_bench(seen)
    words = f"the daemon does not know pane {pane.pane_id} of {pane.socket_path}"
    if container is None:
        if not host_pane_counts:
            return Row(name, INFO, "a pane of the host, which is no agent's", "host_context")
        hint = "this is a pane of the host; only panes of benches can be agents"
        return Row(name, FAIL, words, "pane_unknown_to_daemon", hint)
    reply = seen.ask("list_panes", {"active_only": True, "container": container})
    panes = None if reply.result is None else reply.result.get("panes")
    if not isinstance(panes, list):
        said = reply.code or "no answer"
        return Row(name, INFO, f"the daemon does not tell its panes ({said})", AWAY)
    # A window that several sessions share is listed in each of them, and is one pane all the same.
    pids = {
        row.get("pane_pid")
        for row in panes
        if (row.get("tmux_socket_path"), row.get("tmux_pane_id"))
        == (pane.socket_path, pane.pane_id)
    }
    if not pids:
        hint = "run 'agenttower scan --panes' on the host; 'register-self' looks by itself"
        if seen.container_id is None and not host_pane_counts:
            return Row(name, INFO, "a pane of the host, which is no agent's", "host_context")
        return Row(name, FAIL, words, "pane_unknown_to_daemon", hint)
    if len(pids) > 1:
        hint = "run 'agenttower scan --panes' on the host, so that panes that are gone are known"
        return Row(name, FAIL, f"{len(pids)} panes have this identity", "pane_ambiguous", hint)
    return Row(name, PASS, f"the daemon knows pane {pane.pane_id}", "pane_match")


def _local_bench(seen: Seen) -> str | None:
    """The bench that is this machine's own tmux, for a process of the host."""
    rows = seen.containers or []
    return next((str(row["id"]) for row in rows if row.get("provider") == _LOCAL), None)
