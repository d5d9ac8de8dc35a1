"""The one way text of a user reaches a tmux command line (tmux-channel.md section 1.3)."""

from __future__ import annotations

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,=^-")
_BYTES = tuple(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in range(256))


def quote(value: str | bytes) -> str:
    """``value`` as one argument of a tmux command line, exact for every byte from 1 to 255.

    Text is sent as UTF-8; lone surrogates stand for raw bytes, as :func:`os.fsdecode` makes them.
    The result is ASCII and holds no newline, so it can end neither the argument nor the line.

    :raises ValueError: for NUL, which no argument of a process can hold.
    """
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    if 0 in raw:
        raise ValueError("a NUL character cannot be passed to tmux")
    return '"' + "".join(_BYTES[byte] for byte in raw) + '"'
