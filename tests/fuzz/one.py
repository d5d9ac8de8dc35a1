"""``python -m tests.fuzz.one MODULE.TARGET [libFuzzer's options] [folders]``: one target, guided.

The fuzzer never returns, so each target has a process of its own; ``python -m tests.fuzz`` starts
them. By hand it is of use for what libFuzzer can do besides, such as ``-merge=1``.
"""

from __future__ import annotations

import importlib
import sys

from tests.fuzz.targets.target import Target


def main() -> None:
    """Feed the target until an input fails, or until an option says enough."""
    import atheris

    (place, *options) = sys.argv[1:]
    module, _, name = place.partition(".")
    # Only what is imported in here is watched: branches of our own code guide the fuzzer.
    with atheris.instrument_imports(include=["agenttower"]):
        found = importlib.import_module(f"tests.fuzz.targets.{module}").TARGETS
    target: Target = next(target for target in found if target.name == name)
    with target.open() as feed:
        atheris.Setup([sys.argv[0], f"-max_len={target.longest}", *options], feed)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
