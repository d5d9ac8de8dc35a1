"""Which socket the client uses (legacy surfaces, section 12.1)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agenttower.client import SocketChoice, SocketOverrideInvalid, choose_socket, resolve_socket


def make_socket(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: the path of a socket has 107 characters at most."""
    with TemporaryDirectory(prefix="at-") as directory:
        yield Path(directory)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Where the user's own daemon would have its socket."""
    return tmp_path / "state/opensoft/agenttower/agenttowerd.sock"


def choose(tmp_path: Path, override: str | None = None) -> SocketChoice:
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    if override is not None:
        environ["AGENTTOWER_SOCKET"] = override
    return choose_socket(environ, mounted=tmp_path / "mounted.sock")


def test_own_socket_first(tmp_path: Path, own: Path) -> None:
    make_socket(own)
    make_socket(tmp_path / "mounted.sock")
    assert choose(tmp_path) == SocketChoice(own, "host_default")


def test_mounted_socket_where_there_is_no_own(tmp_path: Path) -> None:
    mounted = make_socket(tmp_path / "mounted.sock")
    assert choose(tmp_path) == SocketChoice(mounted, "mounted_default")


def test_own_path_where_there_is_neither(tmp_path: Path, own: Path) -> None:
    (tmp_path / "mounted.sock").touch()
    assert choose(tmp_path) == SocketChoice(own, "host_default")


def test_override_wins_and_is_trimmed(tmp_path: Path, own: Path) -> None:
    make_socket(own)
    other = make_socket(tmp_path / "other.sock")
    assert choose(tmp_path, f" {other}\n") == SocketChoice(other, "env_override")


def test_one_link_is_followed_and_no_second(tmp_path: Path) -> None:
    make_socket(tmp_path / "real.sock")
    (tmp_path / "one").symlink_to("real.sock")
    (tmp_path / "two").symlink_to("one")
    assert choose(tmp_path, str(tmp_path / "one")).path == tmp_path / "one"
    with pytest.raises(SocketOverrideInvalid, match="value is not a Unix socket"):
        choose(tmp_path, str(tmp_path / "two"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "value is empty"),
        ("  ", "value is empty"),
        ("/a\0b", "value contains NUL byte"),
        ("relative.sock", "value is not absolute"),
        ("{tmp}/nothing", "value does not exist"),
        ("{tmp}/file/below", "value does not exist"),
        ("{tmp}/dangling", "value does not exist"),
        ("{tmp}/file", "value is not a Unix socket"),
        ("{tmp}", "value is not a Unix socket"),
    ],
)
def test_override_that_cannot_be_used(tmp_path: Path, own: Path, value: str, reason: str) -> None:
    make_socket(own)
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(SocketOverrideInvalid) as caught:
        choose(tmp_path, value.format(tmp=tmp_path))
    assert caught.value.reason == reason
    assert caught.value.message == (
        f"AGENTTOWER_SOCKET must be an absolute path to a Unix socket: {reason}"
    )


def test_resolve_gives_the_path(tmp_path: Path) -> None:
    path = make_socket(tmp_path / "s")
    assert resolve_socket({"AGENTTOWER_SOCKET": str(path)}) == path
