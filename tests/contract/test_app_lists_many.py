"""Paging through many rows while others come (app surface, section 8.3).

``benchmarks/lists.py`` does the same with a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.panel import Panel, open_panel
from tests.support.walking import WALKS, Walk, fill, walk

ROWS = 20_000


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with open_panel(tmp_path_factory.mktemp("many")) as panel:
        fill(panel.store, ROWS)
        yield panel


@pytest.mark.parametrize("one", WALKS, ids=lambda one: one.method)
def test_every_row_comes_once_whatever_comes_between(panel: Panel, one: Walk) -> None:
    assert walk(panel, one) >= ROWS
