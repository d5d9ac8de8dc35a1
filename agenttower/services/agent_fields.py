"""What may be said of an agent: each field judged by itself (legacy surfaces part 1, section 8)."""

from __future__ import annotations

from agenttower.domain.cleaning import MAX_LABEL, MAX_PATH, clean, project_path_problem
from agenttower.domain.permissions import Role
from agenttower.domain.templates import capability_problem
from agenttower.errors import FieldTooLong, ProjectPathInvalid, ValueOutOfSet


def check_role(role: str | None) -> None:
    """:raises ValueOutOfSet: this is no role."""
    if role is not None and role not in set(Role):
        raise ValueOutOfSet(f"role {ascii(role)[:40]} is not one of {', '.join(Role)}")


def check_capability(capability: str | None) -> None:
    """:raises ValueOutOfSet: this can name no capability."""
    problem = None if capability is None else capability_problem(capability)
    if problem is not None:
        raise ValueOutOfSet(f"capability: {problem}")


def fit_label(label: str, longest: int = MAX_LABEL) -> str:
    """The label as it is kept. :raises FieldTooLong: it is never cut."""
    label = clean(label)
    if len(label) > longest:
        raise FieldTooLong("label", len(label), longest)
    return label


def check_project_path(path: str) -> None:
    """:raises FieldTooLong: or :class:`ProjectPathInvalid`: it is no path of a project."""
    if len(path) > MAX_PATH:
        raise FieldTooLong("project_path", len(path), MAX_PATH)
    problem = project_path_problem(path)
    if problem is not None:
        raise ProjectPathInvalid(f"project_path {ascii(path)[:80]} {problem}")
