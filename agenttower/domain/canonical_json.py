"""One text for one JSON object (app surface, section 17)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_UNSAFE = re.compile("[\x7f-\x9f\ud800-\udfff\u2028\u2029]")
"""What a terminal obeys, what UTF-8 cannot hold, and what some take for the end of a line. All
other control characters are escaped in JSON anyway."""


def canonical_json(value: Mapping[str, object]) -> bytes:
    r"""The JSON text of an object in one line: keys sorted, no spaces, UTF-8.

    It holds no control character, so that it may be typed into any terminal.

    :raises ValueError: a number is not finite.
    :raises RecursionError: it is nested too deeply.

    >>> canonical_json({"b": [1, True], "a": "é\x9b"})
    b'{"a":"\xc3\xa9\\u009b","b":[1,true]}'
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
