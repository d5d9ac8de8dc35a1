"""A bench may answer with a tmux of its own: what cannot be read is an error of that bench."""

from __future__ import annotations

import pytest

from agenttower.bench import probe, screens
from agenttower.errors import TmuxCommandFailed

ROW = ["%1", "ab12", "77", "0", "", "", "", "1", "0", "0", "cd34", "1 1", "", "", "1", "/s", "made",
       "title", "sh", "/src"]  # fmt: skip
SHOWN = "SEEN 2 1 0 0 0 0 0 0 bash@@\none"


def row(**changes: str) -> str:
    fields = list(ROW)
    for place, text in changes.items():
        fields[{"pid": 2, "window": 8, "pane": 9}[place]] = text
    return "@@,".join(fields) + "@@;\n"


def test_what_tmux_says_is_read() -> None:
    assert probe.read(row(), "@@")["ab12"].view.pane_pid == 77
    screen = screens.read(SHOWN, "@@")
    assert screen is not None
    assert screen.lines == ("one", "")


@pytest.mark.parametrize("changes", [{"pid": ""}, {"window": "x"}, {"pane": "-1"}])
def test_rows_that_tmux_does_not_write(changes: dict[str, str]) -> None:
    with pytest.raises(TmuxCommandFailed, match="cannot be read"):
        probe.read(row(**changes), "@@")


@pytest.mark.parametrize(
    "answer",
    ["SEEN@@", "SEEN 1 2@@", SHOWN.replace("2", "x"), SHOWN.replace("2", "9" * 14)],
)
def test_screens_that_tmux_does_not_show(answer: str) -> None:
    with pytest.raises(TmuxCommandFailed, match="cannot be read"):
        screens.read(answer, "@@")


@pytest.mark.parametrize("answer", ["", "ABSENT\n", "@@", "GONE 1@@"])
def test_a_pane_that_is_gone(answer: str) -> None:
    assert screens.read(answer, "@@") is None
