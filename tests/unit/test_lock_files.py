"""The lock files hold what ``pyproject.toml`` asks for, and name no registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]

ASKED = {
    "requirements.lock": PROJECT["project"]["dependencies"] + GROUPS["dev"] + GROUPS["build"],
    "requirements-bench.lock": GROUPS["bench"],
    "requirements-fuzz.lock": GROUPS["fuzz"],
}


def locked(name: str) -> dict[str, str]:
    """What is installed by this Python."""
    text = (ROOT / name).read_text()
    lines = re.finditer(r"^([\w.-]+)==(\S+)(?: ; ([^\\\n]+))?", text, re.MULTILINE)
    return {
        canonicalize_name(found[1]): found[2]
        for found in lines
        if found[3] is None or Marker(found[3]).evaluate()
    }


@pytest.mark.parametrize("name", ASKED)
def test_holds_what_is_asked_for(name: str) -> None:
    versions = locked(name)
    for line in ASKED[name]:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        version = versions.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted.name} is missing; run 'make lock'"
        assert wanted.specifier.contains(version, prereleases=True), (
            f"{wanted.name} {version} is not {wanted.specifier}; run 'make lock'"
        )


@pytest.mark.parametrize("name", [name for name in ASKED if name != "requirements.lock"])
def test_the_others_install_beside_the_first(name: str) -> None:
    first, second = locked("requirements.lock"), locked(name)
    assert {name: first[name] for name in first.keys() & second} == {
        name: second[name] for name in first.keys() & second
    }


@pytest.mark.parametrize("name", ASKED)
def test_has_hashes_and_no_addresses(name: str) -> None:
    text = (ROOT / name).read_text()
    assert text.count("--hash=sha256:") >= len(locked(name))
    assert "://" not in text
