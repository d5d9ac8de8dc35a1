"""Where the numbers were made, and what processes have used there."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("huey", "peewee", "docker", "msgspec", "dbos", "sqlalchemy", "tmuxp", "libtmux")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RSS_PAGES, _PARENT = 21, 1
"""Fields of ``/proc/PID/stat`` after the command's name."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What some processes have used since they started."""

    cpu_s: float
    rss_mib: float
    wakeups: int
    """Times that their threads gave up the processor to wait for something."""


def describe() -> dict[str, str]:
    """Hardware, system and versions."""
    facts = {
        "cpu": f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * _PAGE_BYTES / 2**30:.1f} GiB",
        "system": f"{_system_name()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "agenttower": _revision(),
    }
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            facts[package] = version(package)
    return facts


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def usage(*pids: int) -> Usage:
    """What living processes have used, together."""
    cpu_s, rss_pages, wakeups = 0.0, 0, 0
    for pid in pids:
        cpu_s += time.clock_gettime(_cpu_clock(pid))
        rss_pages += int(_stat(pid)[_RSS_PAGES])
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            with suppress(OSError):
                wakeups += _waits(status.read_text())
    return Usage(cpu_s, rss_pages * _PAGE_BYTES / 2**20, wakeups)


def pss_mib(*pids: int) -> float:
    """Memory of living processes, what they share counted once."""
    found = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                found += int(line.split()[1])
    return found / 1024


def engine_pids(url: str) -> list[int]:
    """The ``dockerd`` that listens at ``url`` and its ``containerd``; none where not to be seen."""
    found = [pid for pid, argv in _processes() if "dockerd" in argv[0] and _names(argv, url)]
    children = [
        pid
        for pid, argv in _processes()
        if argv[0].endswith("containerd") and int(_stat(pid)[_PARENT]) in found
    ]
    return found + children


def _cpu_clock(pid: int) -> int:
    """The clock of a process's processor time, as clock_getcpuclockid(3) makes it: exact where
    ``/proc`` counts in hundredths of a second."""
    return (~pid << 3) | 2


def _names(argv: list[str], url: str) -> bool:
    return any(argument in (url, f"--host={url}", f"-H={url}") for argument in argv)


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield int(entry.name), (entry / "cmdline").read_text(errors="replace").split("\0")


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _waits(status: str) -> int:
    for line in status.splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return 0


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system_name() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return "Linux"


def _revision() -> str:
    """Version and commit, with ``+`` where the tree has changes on top of it."""
    root = Path(__file__).parent.parent
    asked = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=10"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{version('agenttower')} {asked.stdout.strip()}".strip()
