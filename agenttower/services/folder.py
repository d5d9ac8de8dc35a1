"""A folder of YAML files that define things, as it is at this moment.

Every call looks at the folder and reads it again if something changed, so files may come, go and
change while the program runs. Only ``*.yaml`` is read, in the order of the file names; names that
begin with a dot are skipped, as the shell does; ``*.yml`` is reported, because ignoring it in
silence would puzzle. A missing folder is fine and never made. Thread-safe.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from agenttower.services.fields import name_of
from agenttower.services.yamlfile import FileFault, Item, read_yaml

_SETTLED_AFTER_NS = 2_000_000_000
"""A file changed less than this before it was read may change again without a trace: time stamps
of file systems tick in steps of up to 2 s."""

log = logging.getLogger(__name__)


class Named(Protocol):
    """What a file defines."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)
_Signature = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file that was left out, or a folder that cannot be read.

    ``line`` and ``column`` count from 1 and are ``None`` where the whole file is meant; ``name``
    is what the file defines, where that much of it can be read.
    """

    path: str
    line: int | None
    column: int | None
    reason: str
    name: str | None = None

    def __str__(self) -> str:
        place = "".join(f":{number}" for number in (self.line, self.column) if number is not None)
        return f"{self.path}{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Contents(Generic[N]):
    """What a folder holds: definitions by name, the files they come from, and what was left out."""

    found: Mapping[str, N]
    sources: Mapping[str, str | None]
    problems: tuple[FileProblem, ...]
    certain: bool
    """Whether reading the same files again would find the same."""


class Folder(Generic[N]):
    """One folder of definitions, with what it held when it was last read."""

    def __init__(
        self,
        path: Path,
        build: Callable[[Item], N],
        builtin: Mapping[str, N],
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """:param builtin: definitions that are there without a file; a file of that name wins."""
        self._path = path
        self._build: Callable[[Item], N] = build
        self._builtin: Mapping[str, N] = builtin
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._signature: _Signature | None = None
        self._contents: Contents[N] = self._gather(())

    def contents(self) -> Contents[N]:
        """What is there now."""
        with self._lock:
            now = self._clock_ns()
            try:
                names = _list_names(self._path)
            except OSError as error:
                self._signature = None
                return self._gather((), _folder_problem(self._path, error))
            signature = tuple(_sign(self._path / name) for name in names)
            if signature != self._signature:
                before = set(self._contents.problems)
                self._contents = self._gather(names)
                for problem in self._contents.problems:
                    if problem not in before:
                        log.warning("%s", problem, extra={"action": "file_problem"})
                settled = self._contents.certain and _is_settled(signature, now)
                self._signature = signature if settled else None
            return self._contents

    def _gather(self, names: Iterable[str], *problems: FileProblem) -> Contents[N]:
        found = dict(self._builtin)
        sources: dict[str, str | None] = dict.fromkeys(found)
        left_out = list(problems)
        certain = True
        for path in (self._path / name for name in names):
            try:
                definition = load(path, self._build)
            except FileFault as fault:
                left_out.append(problem_of(path, fault))
                certain = certain and not fault.passing
                continue
            found[definition.name] = definition
            sources[definition.name] = shown(path)
        in_order = sorted(found)
        return Contents(
            {name: found[name] for name in in_order},
            {name: sources[name] for name in in_order},
            tuple(left_out),
            certain,
        )


def load(path: Path, build: Callable[[Item], N]) -> N:
    """What one file defines.

    :raises FileFault: it cannot be used.
    """
    if path.suffix == ".yml":
        raise FileFault("only *.yaml files are read; rename it")
    document = read_yaml(path)
    try:
        return build(document)
    except FileFault as fault:
        fault.name = name_of(document)
        raise


def problem_of(path: Path, fault: FileFault) -> FileProblem:
    return FileProblem(shown(path), fault.line, fault.column, fault.reason, fault.name)


def _list_names(folder: Path) -> tuple[str, ...]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return ()
    wanted = (name for name in names if name.endswith((".yaml", ".yml")) and name[0] != ".")
    return tuple(sorted(wanted, key=os.fsencode))


def _sign(path: Path) -> tuple[object, ...]:
    """What differs when the file behind this name does: its last element is the change time,
    which, unlike the modification time, nobody can set back."""
    try:
        status = path.stat()
    except OSError as error:
        return (path.name, error.errno, None)
    return (
        path.name,
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _is_settled(signature: _Signature, now_ns: int) -> bool:
    """Whether no file can change any more without changing its signature."""
    changes = (entry[-1] for entry in signature)
    return all(isinstance(at, int) and at < now_ns - _SETTLED_AFTER_NS for at in changes)


def _folder_problem(folder: Path, error: OSError) -> FileProblem:
    reason = f"cannot be read: {error.strerror or 'unknown reason'}"
    return FileProblem(shown(folder), None, None, reason)


def shown(path: Path) -> str:
    """A path as text for people and JSON, whatever bytes it is made of."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
