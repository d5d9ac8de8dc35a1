"""Runs of the coverage-guided fuzzer, one process for each target, and what became of them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets.every import PLACES
from tests.fuzz.targets.target import Target
from tests.support.processes import processes_with
from tests.support.state_home import HOMES

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
"""Inputs that are kept in the tree, a few for each target."""
CRASHERS = HERE / "crashers"
"""Inputs that have failed once, by target: each is a test for ever."""
FOUND = Path(".fuzz")
"""What a run finds; not kept in the tree."""

SLOW_S = 10
"""An input that takes longer has hung."""
MEMORY_MB = 1024
START_S = 60.0
"""To import, to open a tower, and to run the corpus."""

_RUN = "FUZZ_RUN"
"""In the environment of a run and of what it starts: the run's name."""

_PROGRESS = re.compile(
    r"^#(?P<runs>\d+)\s+(?P<what>\w+)\s+cov: (?P<cov>\d+) ft: \d+ corp: (?P<corpus>\d+)"
    r".*rss: (?P<rss>\d+)Mb", re.M
)  # fmt: skip
_ARTIFACT = re.compile(r"Test unit written to (\S+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One target's run."""

    target: str
    runs: int = 0
    coverage: tuple[int, int] = (0, 0)
    """Branches of AgentTower that the kept corpus reached, and that all inputs reached."""
    corpus: int = 0
    memory_mb: int = 0
    failure: str = ""
    """What the fuzzer said of the input that failed."""
    files: list[str] = field(default_factory=list)
    """Where that input is."""

    def __str__(self) -> str:
        first, last = self.coverage
        told = (
            f"{self.target:10} {self.runs:>8} inputs, branches {first:>4} -> {last:<4}"
            f" corpus {self.corpus:>4}, {self.memory_mb} MB"
        )
        return told if not self.failure else f"{told}\nFAILED {self.failure}"


def run(target: Target, seconds: float, seed: int) -> Outcome:
    """Feed one target for so long, or until an input fails."""
    found, grown = FOUND / target.name, FOUND / "corpus" / target.name
    for folder in (found, grown):
        folder.mkdir(parents=True, exist_ok=True)
    kept = [folder / target.name for folder in (CORPUS, CRASHERS) if target.repeats]
    folders = [str(folder) for folder in (grown, *kept, *target.seeds) if folder.is_dir()]
    command = [
        sys.executable, "-m", "tests.fuzz.one", PLACES[target.name],
        f"-max_total_time={max(1, round(seconds))}", f"-seed={seed % 2**32 or 1}",
        f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={found}/",
        *folders,
    ]  # fmt: skip
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        name = secrets.token_hex(8)
        ended = subprocess.Popen(
            command, env=os.environ | {_RUN: name},
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            code = ended.wait(seconds + START_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if ended.poll() is None:
                ended.kill()
                ended.wait()
            _clean_up(name)
        said.seek(0)
        return _outcome(target.name, code, said.read())


def _clean_up(name: str) -> None:
    """End the tmux server of a run, and remove its home: libFuzzer lets nobody do so at the end."""
    for pid in processes_with(_RUN, name):
        with suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            os.kill(pid, signal.SIGKILL)
            home = next(one for one in environ if one.startswith(b"HOME=")).decode()[5:]
            if home.startswith(HOMES):
                shutil.rmtree(home)


def _outcome(name: str, code: int | None, said: str) -> Outcome:
    progress = list(_PROGRESS.finditer(said))
    failure = "" if code == 0 else _failure(code, said)
    if not progress:
        return Outcome(name, failure=failure or f"it never began:\n{said[-2000:]}")
    # What was known before anything was changed: the line that says so, else the first.
    first = next((line for line in progress if line["what"] == "INITED"), progress[0])
    last = progress[-1]
    return Outcome(
        name, int(last["runs"]), (int(first["cov"]), int(last["cov"])), int(last["corpus"]),
        int(last["rss"]), failure, _ARTIFACT.findall(said),
    )  # fmt: skip


def _failure(code: int | None, said: str) -> str:
    """The traceback, or what libFuzzer says of an input that hangs or eats memory."""
    if code is None:
        return "it did not end in time"
    begins = [said.rfind(mark) for mark in ("=== Uncaught Python exception", "==", "Traceback")]
    return f"with exit code {code}:\n{said[max(0, max(begins[:1] + begins[2:])) :][:6000]}"
