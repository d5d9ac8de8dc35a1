"""Every input that is kept: those that show the way to the fuzzer, and those that failed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import live
from tests.fuzz.guided import CORPUS, CRASHERS
from tests.fuzz.targets.every import TARGETS


def kept(name: str) -> Iterator[Path]:
    """Files of a target, in the tree."""
    for folder in (CORPUS / name, CRASHERS / name, *TARGETS[name].seeds):
        yield from sorted(folder.glob("*"))


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.repeats])
def test_kept_inputs(name: str) -> None:
    target = TARGETS[name]
    with target.open() as feed:
        for file in kept(name):
            try:
                feed(file.read_bytes()[: target.longest])
            except Exception as error:
                raise AssertionError(f"{file}: {error!r}") from error


def test_every_folder_belongs_to_a_target() -> None:
    folders = [folder.name for root in (CORPUS, CRASHERS) for folder in root.glob("*/")]
    assert set(folders) <= set(TARGETS)


def test_a_crowd_of_bad_clients() -> None:
    """The same as in ``make fuzz``, for a moment."""
    outcome = live.run(seconds=3.0, seed=1)
    assert not outcome.wrong, str(outcome)
    assert outcome.waits
