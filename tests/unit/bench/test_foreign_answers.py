"""A bench may answer with a tmux of its own: what cannot be read is an error of that bench."""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agenttower.bench import probe, screens
from agenttower.bench.local_provider import LocalProvider
from agenttower.errors import BenchError, TmuxCommandFailed

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


NO_TMUX = """#!/bin/sh
case "$*" in *-V*) echo tmux 3.4; exit ;; *-C*) ;; *) echo nonsense; exit ;; esac
printf '%%begin 1 1 0\\n%%end 1 1 0\\n'
number=1
while read -r command said word; do
    number=$((number + 1))
    case $command$said in display-message-p) ;; *) word=nonsense ;; esac
    printf '%%begin 1 %s 1\\n%s\\n%%end 1 %s 1\\n' "$number" "$word" "$number"
done
"""


def test_a_program_that_only_talks_like_tmux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tmux"
    program.write_text(NO_TMUX)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    provider = LocalProvider(tmp_path / "socket", "a" * 64)
    with closing(provider), closing(provider.open("a" * 64)) as bench:
        until = time.monotonic() + 20
        for ask in (
            lambda: bench.find_panes(None, until),
            lambda: bench.session_names(until),
            lambda: bench.kill_pane("ab12", until),
        ):
            with suppress(BenchError):  # or an answer that holds nothing of ours
                assert "ab12" not in str(ask())
