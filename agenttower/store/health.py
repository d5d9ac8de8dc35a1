"""Can the database be written now? Asked for readiness; nothing is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def can_write(path: Path, patience_s: float) -> bool:
    """Whether the write lock is to be had.

    :param patience_s: how long another writer may take; a transaction of ours takes milliseconds.
    :raises sqlite3.Error: the database cannot be opened, or is none.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=patience_s, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                return False
            raise
        db.execute("ROLLBACK")
        return True
