"""What can be created: built-in and operator templates, and launch profiles (FR-024)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from agenttower.domain.templates import BUILTIN_TEMPLATES, LaunchProfile, Template
from agenttower.errors import LaunchCommandNotFound, TemplateNotFound
from agenttower.services.definitions import name_of, profile_of, template_of
from agenttower.services.yamlfile import FileFault, Item, read_yaml

_SETTLED_AFTER_NS = 2_000_000_000
"""A file changed less than this before it was read may change again without a trace: time stamps
of file systems tick in steps of up to 2 s."""

_Named = TypeVar("_Named", Template, LaunchProfile)
_Signature = tuple[tuple[object, ...], ...]

log = logging.getLogger(__name__)


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


class Catalog:
    """The templates and launch profiles there are at this moment.

    Every call looks at the folders and reads them again if something changed, so files may come,
    go and change while the program runs. Only ``*.yaml`` is read, in the order of the file names;
    names that begin with a dot are skipped, as the shell does; ``*.yml`` is reported, because
    ignoring it in silence would puzzle. Missing folders are fine and never made. Thread-safe.
    """

    def __init__(
        self, templates_dir: Path, profiles_dir: Path, *, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._templates = _Folder(templates_dir, template_of, BUILTIN_TEMPLATES, clock_ns)
        self._profiles = _Folder(profiles_dir, profile_of, {}, clock_ns)

    def templates(self) -> dict[str, Template]:
        """All templates by name, in name order."""
        return dict(self._templates.contents().found)

    def profiles(self) -> dict[str, LaunchProfile]:
        """All launch profiles by name, in name order."""
        return dict(self._profiles.contents().found)

    def template(self, name: str) -> Template:
        """The template of that name.

        :raises TemplateNotFound: naming those there are.
        """
        found = self._templates.contents().found
        if name not in found:
            raise TemplateNotFound(name, list(found))
        return found[name]

    def profile(self, name: str) -> LaunchProfile:
        """The launch profile of that name.

        :raises LaunchCommandNotFound: naming those there are.
        """
        found = self._profiles.contents().found
        if name not in found:
            raise LaunchCommandNotFound(name, list(found))
        return found[name]

    def template_sources(self) -> dict[str, str | None]:
        """Which file each template comes from; ``None`` for a built-in one."""
        return dict(self._templates.contents().sources)

    def profile_sources(self) -> dict[str, str | None]:
        """Which file each launch profile comes from."""
        return dict(self._profiles.contents().sources)

    def template_problems(self) -> list[FileProblem]:
        """The template files that were left out, by file name."""
        return list(self._templates.contents().problems)

    def profile_problems(self) -> list[FileProblem]:
        """The launch profile files that were left out, by file name."""
        return list(self._profiles.contents().problems)

    def problems(self) -> list[FileProblem]:
        """Everything that was left out: templates first, then profiles."""
        return [*self.template_problems(), *self.profile_problems()]


def read_template(path: Path) -> Template | FileProblem:
    """One template file, wherever it is; for ``agenttower template validate FILE``."""
    try:
        return _load(path, template_of)
    except FileFault as fault:
        return _problem(path, fault)


def read_profile(path: Path) -> LaunchProfile | FileProblem:
    """One launch profile file, wherever it is; for ``agenttower profile validate FILE``."""
    try:
        return _load(path, profile_of)
    except FileFault as fault:
        return _problem(path, fault)


@dataclass(frozen=True, slots=True)
class _Contents(Generic[_Named]):
    found: Mapping[str, _Named]
    sources: Mapping[str, str | None]
    problems: tuple[FileProblem, ...]
    certain: bool
    """Whether reading the same files again would find the same."""


class _Folder(Generic[_Named]):
    """One folder of definitions, with what it held when it was last read."""

    def __init__(
        self,
        path: Path,
        build: Callable[[Item], _Named],
        builtin: Mapping[str, _Named],
        clock_ns: Callable[[], int],
    ) -> None:
        self._path = path
        self._build: Callable[[Item], _Named] = build
        self._builtin: Mapping[str, _Named] = builtin
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._signature: _Signature | None = None
        self._contents: _Contents[_Named] = self._gather(())

    def contents(self) -> _Contents[_Named]:
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

    def _gather(self, names: Iterable[str], *problems: FileProblem) -> _Contents[_Named]:
        found = dict(self._builtin)
        sources: dict[str, str | None] = dict.fromkeys(found)
        left_out = list(problems)
        certain = True
        for path in (self._path / name for name in names):
            try:
                definition = _load(path, self._build)
            except FileFault as fault:
                left_out.append(_problem(path, fault))
                certain = certain and not fault.passing
                continue
            found[definition.name] = definition
            sources[definition.name] = shown(path)
        in_order = sorted(found)
        return _Contents(
            {name: found[name] for name in in_order},
            {name: sources[name] for name in in_order},
            tuple(left_out),
            certain,
        )


def _load(path: Path, build: Callable[[Item], _Named]) -> _Named:
    if path.suffix == ".yml":
        raise FileFault("only *.yaml files are read; rename it")
    document = read_yaml(path)
    try:
        return build(document)
    except FileFault as fault:
        fault.name = name_of(document)
        raise


def _problem(path: Path, fault: FileFault) -> FileProblem:
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
