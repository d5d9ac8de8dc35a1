"""``python3 -m agenttower.client``, and what ``agenttower.pyz`` runs."""

from __future__ import annotations

import sys

from agenttower.client.program.main import main

if __name__ == "__main__":
    sys.exit(main())
