"""The engine's framing of an exec without a TTY: stdout and stderr share one stream."""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">BxxxL")
_STDOUT, _STDERR = 1, 2
KEPT_ERROR_BYTES = 8192


class Demultiplexer:
    """Splits frames (a header of 8 bytes: stream, three zeros, length; then data), cut anywhere.

    What breaks the framing is kept as error text: engines before 25 write a failure to start the
    process into the stream as plain text.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = _STDOUT
        self._left = 0
        self._broken = False
        self._errors = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; returns the stdout among them."""
        self._buffer += data
        output = bytearray()
        while self._buffer and not self._broken:
            if not self._left and not self._header():
                break
            piece = bytes(self._buffer[: self._left])
            del self._buffer[: len(piece)]
            self._left -= len(piece)
            if self._stream == _STDERR:
                self._keep(piece)
            else:
                output += piece
        if self._broken:
            self._keep(bytes(self._buffer))
            self._buffer.clear()
        return bytes(output)

    def error_text(self) -> str:
        """The last of what came on stderr."""
        return self._errors.decode("utf-8", "replace").strip()

    def _header(self) -> bool:
        """Read a header off the buffer; ``False`` where there is none yet, or none at all."""
        start = self._buffer[: _HEADER.size]
        if start[0] > _STDERR or any(start[1:4]):
            self._broken = True
            return False
        if len(start) < _HEADER.size:
            return False
        self._stream, self._left = _HEADER.unpack(start)
        del self._buffer[: _HEADER.size]
        return True

    def _keep(self, piece: bytes) -> None:
        self._errors += piece
        del self._errors[:-KEPT_ERROR_BYTES]
