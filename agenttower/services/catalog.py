"""What can be created: built-in and operator templates, and launch profiles (FR-024)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from agenttower.domain.templates import BUILTIN_TEMPLATES, LaunchProfile, Template
from agenttower.errors import LaunchCommandNotFound, TemplateNotFound
from agenttower.services.definitions import profile_of, template_of
from agenttower.services.folder import FileProblem as FileProblem
from agenttower.services.folder import Folder, load, problem_of
from agenttower.services.folder import shown as shown
from agenttower.services.yamlfile import FileFault


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
        self._templates = Folder(templates_dir, template_of, BUILTIN_TEMPLATES, clock_ns)
        self._profiles = Folder(profiles_dir, profile_of, {}, clock_ns)

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
        return load(path, template_of)
    except FileFault as fault:
        return problem_of(path, fault)


def read_profile(path: Path) -> LaunchProfile | FileProblem:
    """One launch profile file, wherever it is; for ``agenttower profile validate FILE``."""
    try:
        return load(path, profile_of)
    except FileFault as fault:
        return problem_of(path, fault)
