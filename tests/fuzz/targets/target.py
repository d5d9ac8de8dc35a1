"""What a target of the fuzzer is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

Feed = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of foreign bytes and what must hold for it."""

    name: str
    summary: str
    open: Callable[[], AbstractContextManager[Feed]]
    weight: int = 1
    """Its share of the time, beside the others'."""
    longest: int = 4096
    """Bytes of an input."""
    repeats: bool = True
    """An input means the same in another run, so that a corpus may be kept."""
    seeds: tuple[Path, ...] = ()
    """Folders with further inputs to begin with."""


def pure(
    name: str,
    summary: str,
    feed: Feed,
    weight: int = 1,
    longest: int = 4096,
    seeds: tuple[Path, ...] = (),
) -> Target:
    """A target that needs nothing opened."""

    @contextmanager
    def opened() -> Iterator[Feed]:
        yield feed

    return Target(name, summary, opened, weight, longest, seeds=seeds)
