"""Paths of logs, whatever they are made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agenttower.domain import logpaths
from agenttower.domain.logpaths import MountedAt

NAMES = st.sampled_from(["a", "b", "ab", "a b", ".", "ü"])
PATHS = st.lists(NAMES, max_size=4).map(lambda names: "/" + "/".join(names))
MOUNTS = st.lists(
    st.builds(MountedAt, PATHS, PATHS, st.sampled_from(["bind", "volume", "tmpfs"]), st.booleans())
)


@given(MOUNTS, PATHS)
def test_no_mount_lies_deeper_than_the_one_that_counts(mounts: list[MountedAt], path: str) -> None:
    found = logpaths.mount_of(mounts, path)
    holding = [mount for mount in mounts if logpaths.is_under(path, mount.target)]
    assert (found is None) == (not holding)
    if found is not None:
        deepest = max(len(logpaths.parts_of(mount.target)) for mount in holding)
        assert len(logpaths.parts_of(found.target)) == deepest
        assert found is [m for m in holding if len(logpaths.parts_of(m.target)) == deepest][-1]


@given(PATHS, PATHS)
def test_under_is_by_whole_names(path: str, root: str) -> None:
    under = logpaths.is_under(path, root)
    assert under == ("/" + "/".join([*logpaths.parts_of(path), ""])).startswith(
        "/" + "/".join([*logpaths.parts_of(root), ""])
    ) or not logpaths.parts_of(root)
    assert logpaths.is_under(f"{root}/{path}", root)


@given(st.text(max_size=40))
def test_what_is_accepted_is_harmless(path: str) -> None:
    if logpaths.fault_of(path) is not None:
        return
    assert path.startswith("/")
    assert not set(path) & {"#", "%", "\x7f", *map(chr, range(32))}
    assert ".." not in path.split("/")
    assert logpaths.parts_of(path)
    assert logpaths.fault_of_place(path) is None


@given(PATHS, st.sampled_from(["/..", "/../x", "\x00", "\n", "\x7f", "#{x}", "%H", "/", "/."]))
def test_what_is_refused(path: str, tail: str) -> None:
    assert logpaths.fault_of(f"{path}x{tail}")
    for root in logpaths.SPECIAL:
        assert logpaths.fault_of(f"{root}{path}")
    assert logpaths.fault_of(path.removeprefix("/"))
    assert logpaths.fault_of("/" + "x" * 4096)
