"""Texts of prompts as parameters: in the request itself, or in a file where they are too long."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_A_REQUEST = 45_000
"""Bytes of a text that fit into a request line as base64."""


@contextmanager
def carried(body: bytes, socket: Path, *, may_use_file: bool) -> Iterator[dict[str, str]]:
    """The parameter that carries ``body``, for one request made inside the block.

    :param socket: the daemon's; beside it a private file is made, which both sides can read.
    :param may_use_file: the host may; a bench may not name files of the host.
    """
    if not may_use_file or len(body) <= IN_A_REQUEST:
        yield {"body_bytes": base64.b64encode(body).decode()}
        return
    with tempfile.NamedTemporaryFile(dir=str(socket.parent), prefix=".prompt-") as file:
        file.write(body)
        file.flush()
        yield {"body_file": file.name}
