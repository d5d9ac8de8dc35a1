"""A program for panes of the prompt torture: shows what it is given, and writes it all down.

It asks for bracketed paste and leaves its terminal raw. Runs in the bench, so it needs nothing but
Python's own library. ``python3 echo_reader.py FILE``.
"""

import os
import re
import sys
import tty

MARKS = re.compile(rb"\x1b\[20[01]~")

with open(sys.argv[1], "ab", buffering=0) as record:
    tty.setraw(0)
    os.write(1, b"\x1b[?2004h")
    while data := os.read(0, 65536):
        record.write(data)
        os.write(1, MARKS.sub(b"", data).replace(b"\r", b"\r\n"))
