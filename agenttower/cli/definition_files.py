"""What ``template`` and ``profile`` share: where the files are, and checking them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.output import Output
from agenttower.cli.text import safe
from agenttower.paths import default_paths

if TYPE_CHECKING:
    from agenttower.services.catalog import Catalog, FileProblem


class Named(Protocol):
    """A template or a launch profile."""

    @property
    def name(self) -> str: ...


def catalog() -> Catalog:
    """This user's templates and launch profiles, as the daemon reads them."""
    from agenttower.services.catalog import Catalog

    paths = default_paths()
    return Catalog(paths.templates_dir, paths.profiles_dir)


def left_out(found: Catalog, folder: Path) -> list[FileProblem]:
    """The problems of one of the two folders."""
    from agenttower.services.catalog import shown

    prefix = shown(folder)
    return [problem for problem in found.problems() if problem.path.startswith(prefix)]


def note_left_out(output: Output, found: Catalog, folder: Path, noun: str) -> None:
    """Beside a list: that it is not all, where files were left out."""
    count = len(left_out(found, folder))
    if count:
        output.note(
            f"{count} file{'s were' if count > 1 else ' was'} left out; "
            f"see 'agenttower {noun} validate'"
        )


def validate(
    output: Output,
    noun: str,
    files: Sequence[Path],
    folder: Path,
    read: Callable[[Path], Named | FileProblem],
) -> ExitCode:
    """Check the given files, or the operator's folder where none are given, and tell.

    Problems are one line each, ``path:line:column: reason``, as compilers write them.
    """
    from agenttower.services.catalog import FileProblem, shown

    problems = [] if files else left_out(catalog(), folder)
    known = {problem.path for problem in problems}
    fine: list[dict[str, str]] = []
    for path in _expand(files) if files else _in_folder(folder):
        outcome = read(path)
        if not isinstance(outcome, FileProblem):
            fine.append({"path": shown(path), "name": outcome.name})
        elif outcome.path not in known:
            problems.append(outcome)
    code = ExitCode.REFUSED if problems else ExitCode.OK
    if output.json_mode:
        found = [asdict(problem) for problem in problems]
        output.result({"valid": not problems, "files": fine, "problems": found})
        return code
    for problem in problems:
        output.line(safe(str(problem)))
    for entry in fine:
        output.line(safe(f"{entry['path']}: ok, {noun} {entry['name']!r}"))
    if not problems and not fine:
        output.note(f"no {noun} files in {safe(shown(folder))}")
    return code


def _expand(paths: Sequence[Path]) -> Iterator[Path]:
    """The files meant: themselves, or those of a folder."""
    for path in paths:
        yield from _in_folder(path) if path.is_dir() else (path,)


def _in_folder(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))
