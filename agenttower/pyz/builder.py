"""Building ``agenttower.pyz``, the bench client in one file (see :mod:`zipapp`)."""

from __future__ import annotations

import io
import os
import zipapp
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import agenttower
from agenttower.errors import StateRefused

FILE_NAME = "agenttower.pyz"
INTERPRETER = "/usr/bin/env python3"

_PACKAGE = Path(agenttower.__file__).parent
_WHOLE_FILES = ("__init__.py", "errors.py", "paths.py")
_ENTRY = b"""import sys
from agenttower.client.program.main import main
sys.exit(main())
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""
_MODE = 0o100644


def build() -> bytes:
    """The file's content. The same sources give the same bytes, wherever and whenever.

    Nothing in it is compressed, because what compressors make differs from machine to machine.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name, content in sorted([("__main__.py", _ENTRY), *_modules()]):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, also where it is not
            entry.external_attr = _MODE << 16
            file.writestr(entry, content)
    archive.seek(0)
    finished = io.BytesIO()
    zipapp.create_archive(archive, finished, INTERPRETER)
    return finished.getvalue()


def write(target: Path) -> bytes:
    """Build into a file that everybody may run, in one step: it is the old one or the new one.

    :returns: what was written.
    :raises StateRefused: it cannot be written there.
    """
    content = build()
    passing = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with passing.open("xb") as file:
            file.write(content)
        passing.chmod(0o755)
        passing.replace(target)
    except OSError as error:
        raise StateRefused(
            f"{target} cannot be written: {error.strerror}; name another file with --output"
        ) from error
    finally:
        with suppress(OSError):
            passing.unlink()
    return content


def is_ours(content: bytes) -> bool:
    """Whether a file is a bench client, of whatever version."""
    return content.startswith(f"#!{INTERPRETER}\nPK".encode()) and b"agenttower/client/" in content


def _modules() -> Iterator[tuple[str, bytes]]:
    whole = [_PACKAGE / name for name in _WHOLE_FILES]
    for path in (*whole, *(_PACKAGE / "client").rglob("*.py")):
        yield f"agenttower/{path.relative_to(_PACKAGE).as_posix()}", path.read_bytes()
