#!/usr/bin/env python3
"""A coding agent without a model and without credentials: for demos, and for tests of delivery.

It behaves in a terminal as the real ones do (banner, dialogs at start, an input line between rules,
a spinner while it "thinks") and tells exactly what reached it: every byte it read (``--raw``), and
each submitted prompt with its sha256, on the screen and in a file (``--record``).

What it answers is scripted. A reply is a line of steps parted by " | ":

    TEXT               say it; {n}, {text}, {sha256}: number, first line and hash of the prompt
    !think SECONDS     show the spinner that long
    !lines COUNT       say so many lines
    !error TEXT        say "API Error: TEXT"
    !ask COMMAND       ask for permission to run it, and wait for the answer
    !crash [CODE]      end with a traceback
    !hang              read and draw nothing any more

"WORD => STEPS" answers the prompts that hold WORD; the other replies are used in turn, the last one
again and again. Standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import argparse
import base64
import collections
import hashlib
import json
import os
import re
import select
import signal
import sys
import termios
import time
import tty
import unicodedata

PASTE_ON, PASTE_OFF = b"\x1b[?2004h", b"\x1b[?2004l"
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h\x1b[H", b"\x1b[?1049l"
PASTE_BEGIN, PASTE_END = b"\x1b[200~", b"\x1b[201~"
SEQUENCES = {b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down"}
CONTROLS = {3: "ctrl-c", 4: "ctrl-d", 8: "back", 13: "enter", 21: "ctrl-u", 127: "back"}
LONE_ESCAPE_S = 0.05
FRAME_S = 0.1
SPINNER = "·✢✳✶✻✽"
SHOWN_ROWS = 8


class Keys:
    """Bytes from the terminal, cut anywhere, into keys: (name, bytes)."""

    def __init__(self):
        self._rest = b""

    @property
    def waiting(self):
        """Whether an escape sequence or a paste has begun and not ended."""
        return bool(self._rest)

    def feed(self, data, final=False):
        """The keys that are complete; ``final``: nothing follows an escape that stands alone."""
        self._rest += data
        while self._rest:
            key = self._next(final)
            if key is None:
                return
            yield key

    def _next(self, final):
        rest = self._rest
        if rest.startswith(PASTE_BEGIN):
            end = rest.find(PASTE_END)
            if end < 0:
                return None
            return self._take(end + len(PASTE_END), "paste", rest[len(PASTE_BEGIN) : end])
        if rest[0] == 0x1B:
            found = re.match(rb"\x1b(\[[0-9;?<>=]*[@-~]|O.)", rest)
            if found:
                return self._take(found.end(), SEQUENCES.get(found.group(), ""))
            if not final and len(rest) < 8:
                return None
            return self._take(1, "escape")
        if rest[0] in CONTROLS:
            return self._take(1, CONTROLS[rest[0]])
        text = re.match(rb"[^\x00-\x08\x0d\x15\x1b\x7f]+|[\x00-\x1f]", rest).group()
        return self._take(len(text), "text", text)

    def _take(self, count, name, data=b""):
        self._rest = self._rest[count:]
        return name, data


class Line:
    """What has been typed and not submitted; a collapsed paste shows as a note."""

    def __init__(self, text=b""):
        self.pieces = [(text, None)] if text else []

    @property
    def data(self):
        return b"".join(data for data, _ in self.pieces)

    @property
    def shown(self):
        return "".join(readable(data) if note is None else note for data, note in self.pieces)

    def back(self):
        """Take off the last character, or the last collapsed paste."""
        if not self.pieces:
            return
        data, note = self.pieces.pop()
        left = data.decode("utf-8", "replace")[:-1].encode() if note is None else b""
        if left:
            self.pieces.append((left, None))


class Screen:
    """The terminal: raw while open; the transcript above, and below it what is drawn anew."""

    def __init__(self, options):
        self._options = options
        self._before = None
        self._below = []
        self._cursor = (0, 0)
        self.transcript = collections.deque(maxlen=500)

    def open(self):
        self._before = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSANOW)  # what was typed early stays to be read
        self._write(b"" if self._options.no_bracketed_paste else PASTE_ON)
        self._write(ALTERNATE_ON if self._options.alternate else b"")

    def close(self):
        if self._before is not None:
            self._erase()
            self._write(ALTERNATE_OFF if self._options.alternate else b"")
            self._write(PASTE_OFF)
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)
            self._before = None

    def say(self, *lines):
        """Add lines to the transcript."""
        if not self._options.alternate:
            self._erase()
            for line in lines:
                self._write(line.encode() + b"\r\n")
        self.transcript.extend(lines)

    def draw(self, below, cursor):
        """Draw what stands under the transcript; ``cursor``: its row there, and its column."""
        columns, rows = os.get_terminal_size(0)
        below = [clip(line, columns) for line in below]
        self._erase()
        if self._options.alternate:
            above = [clip(line, columns) for line in self.transcript][-(rows - len(below)) :]
            above += [""] * (rows - len(below) - len(above))
            self._write("\r\n".join([*above, *below]).encode())
        else:
            self._write("\r\n".join(below).encode())
        up = len(below) - 1 - cursor[0]
        self._write(b"\x1b[%dA" % up if up else b"")
        self._write(b"\r\x1b[%dC" % cursor[1] if cursor[1] else b"\r")
        self._below, self._cursor = below, cursor

    def _erase(self):
        if self._options.alternate:
            self._write(b"\x1b[H\x1b[2J")
        elif self._below:
            columns = os.get_terminal_size(0).columns
            # The terminal may have become narrower since, and have wrapped what was drawn.
            up = sum(max(1, -(-width(line) // columns)) for line in self._below[: self._cursor[0]])
            up += self._cursor[1] // columns
            self._write(b"\x1b[%dA" % up if up else b"")
            self._write(b"\r\x1b[J")
        self._below, self._cursor = [], (0, 0)

    def _write(self, data):
        while data:
            data = data[os.write(1, data) :]


class Dialog:
    """A choice that has to be made before anything else; ``choose`` is called with its number."""

    def __init__(self, lines, options, choose, hint="Enter to confirm · Esc to cancel"):
        self.lines, self.options, self.hint = lines, options, hint
        self.choose = choose
        self.at = 0

    def press(self, name, data):
        """The number of the option chosen, or ``None``. Pasted text means nothing here."""
        if name == "text" and data.isdigit() and 1 <= int(data) <= len(self.options):
            return int(data)
        if name in ("up", "down"):
            self.at = (self.at + (1 if name == "down" else -1)) % len(self.options)
        return {"enter": self.at + 1, "escape": len(self.options)}.get(name)

    def drawn(self):
        marked = [
            f" {'❯' if number == self.at else ' '} {number + 1}. {text}"
            for number, text in enumerate(self.options)
        ]
        return [*self.lines, "", *marked, "", f" {self.hint}"], (len(self.lines) + 1 + self.at, 1)


class CodeEntry:
    """A login screen: waits for a code that a person pastes."""

    def __init__(self, choose):
        self.choose = choose
        self._code = b""

    def press(self, name, data):
        self._code += data
        return 1 if name == "enter" and self._code else None

    def drawn(self):
        lines = [
            " Browser didn't open? Use the url below to sign in", "",
            " https://login.invalid/device?code=MOCK-CODE", "",
            f" Paste code here if prompted > {'*' * len(self._code)}",
        ]  # fmt: skip
        return lines, (4, 31 + len(self._code))


class Agent:
    """One run: reads keys, keeps the line, answers prompts one after another."""

    def __init__(self, options):
        self._options = options
        self._screen = Screen(options)
        self._keys = Keys()
        self._line = Line(options.half_typed.encode())
        self._rules, self._turns = read_replies(options)
        self._prompts = 0
        self._pastes = 0
        self._pasted_at = -1e9
        self._waiting = collections.deque()
        self._dialogs = collections.deque(self._opening_dialogs())
        self._busy_since = self._busy_until = None
        self._interrupted = False
        self._resized = -1

    def run(self):
        """Until it is told to end; returns the exit code."""
        time.sleep(self._options.slow_start)
        if self._options.crash_at_start is not None:
            sys.stderr.write("Error: mock agent cannot start\n")
            return self._options.crash_at_start
        self._screen.open()
        self._resized = heed_resizing()
        try:
            self._screen.say(f"✻ {self._options.name}", f"  cwd: {os.getcwd()}", "")
            while True:
                self._advance()
                self._draw()
                self._listen()
        except End as end:
            return end.code
        finally:
            self._screen.close()

    # --- what comes in -----------------------------------------------------------------------

    def _listen(self):
        pause = LONE_ESCAPE_S if self._keys.waiting else None
        if self._busy_until is not None:
            pause = min(max(self._busy_until - time.monotonic(), 0), pause or FRAME_S)
        data = b""
        ready = select.select([0, self._resized], [], [], pause)[0]
        if self._resized in ready:
            os.read(self._resized, 64)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                raise End(0)
            append(self._options.raw, data)
        for name, piece in self._keys.feed(data, final=not ready):
            self._press(name, piece)

    def _press(self, name, data):
        if name == "ctrl-c" or (name == "ctrl-d" and not self._line.pieces):
            raise End(130 if name == "ctrl-c" else 0)
        if self._dialogs:
            dialog = self._dialogs[0]
            chosen = dialog.press(name, data)
            if chosen is not None:
                self._dialogs.popleft()
                dialog.choose(chosen)
        elif name == "enter":
            self._enter()
        elif name == "paste":
            self._paste(data)
        elif name == "text":
            self._line.pieces.append((data, None))
        elif name == "back":
            self._line.back()
        elif name == "ctrl-u":
            self._line = Line()
        elif name == "escape" and self._busy_until is not None:
            self._interrupted = True

    def _paste(self, data):
        self._pasted_at = time.monotonic()
        self._pastes += 1
        rows = len(re.findall(rb"\r\n|\r|\n", data))
        limit = self._options.collapse_pastes
        note = f"[Pasted text #{self._pastes} +{rows} lines]"
        self._line.pieces.append((data, note if limit is not None and rows >= limit else None))

    def _enter(self):
        if time.monotonic() - self._pasted_at < self._options.swallow_enter:
            return
        data = self._line.data
        if not data.strip():
            return
        self._line = Line()
        self._prompts += 1
        digest = hashlib.sha256(data).hexdigest()
        entry = {
            "n": self._prompts, "bytes": len(data), "sha256": digest,
            "base64": base64.b64encode(data).decode(),
        }  # fmt: skip
        append(self._options.record, json.dumps(entry).encode() + b"\n")
        first, *more = (line[:200] for line in readable(data).split("\n")[:SHOWN_ROWS])
        self._screen.say(f"> {first}", *(f"  {line}" for line in more))
        self._screen.say(f"  received {self._prompts}: {len(data)} bytes", f"  sha256 {digest}", "")
        if data.strip() == b"/exit":
            raise End(0)
        fields = {"n": str(self._prompts), "text": first, "sha256": digest}
        steps = self._reply_to(data).split(" | ")
        self._waiting.append(("think", str(self._options.think)))
        self._waiting.extend(step_of(step, fields) for step in steps)

    def _reply_to(self, data):
        for word, reply in self._rules:
            if word.encode() in data:
                return reply
        return self._turns.popleft() if len(self._turns) > 1 else self._turns[0]

    # --- what it does ------------------------------------------------------------------------

    def _advance(self):
        """Do the steps that are due."""
        if self._interrupted:
            self._interrupted = False
            self._waiting.clear()
            self._busy_until = None
            self._screen.say("  Interrupted by user", "")
        if self._busy_until is not None and time.monotonic() >= self._busy_until:
            self._busy_until = None
        while self._waiting and self._busy_until is None and not self._dialogs:
            word, text = self._waiting.popleft()
            getattr(self, f"_do_{word}")(text)

    def _do_say(self, text):
        self._screen.say(*(f"● {line}" for line in text.split("\\n")), "")

    def _do_lines(self, text):
        self._screen.say(*(f"line {number} of {text}" for number in range(1, int(text) + 1)))

    def _do_think(self, text):
        self._busy_since = time.monotonic()
        self._busy_until = self._busy_since + float(text)

    def _do_error(self, text):
        self._screen.say(f"● API Error: {text}", "")

    def _do_ask(self, text):
        def answered(number):
            self._screen.say("  Permission given" if number == 1 else "  Permission refused", "")

        self._dialogs.append(
            Dialog(
                [" Bash command", "", f"   {text}", "", " Do you want to proceed?"],
                ["Yes", "No, and tell the agent what to do differently"],
                answered,
            )
        )

    def _do_crash(self, text):
        self._screen.say("Traceback (most recent call last):", "RuntimeError: mock crash")
        raise End(int(text or 1))

    def _do_hang(self, text):
        self._draw()
        while True:
            signal.pause()

    # --- what it shows -----------------------------------------------------------------------

    def _draw(self):
        columns = os.get_terminal_size(0).columns
        rule = "─" * columns
        if self._dialogs:
            lines, (row, column) = self._dialogs[0].drawn()
            self._screen.draw([rule, *lines], (row + 1, column))
            return
        shown = self._line.shown[-SHOWN_ROWS * columns :]
        rows = [row for line in shown.split("\n") for row in wrap(line, columns - 3)]
        rows = rows[-SHOWN_ROWS:]
        typed = [("> " if number == 0 else "  ") + row for number, row in enumerate(rows)]
        thinking = []
        if self._busy_until is not None:
            seconds = int(time.monotonic() - self._busy_since)
            glyph = SPINNER[int(time.monotonic() / FRAME_S) % len(SPINNER)]
            thinking = [f"{glyph} Thinking… ({seconds}s · esc to interrupt)", ""]
        below = [*thinking, rule, *typed, rule, "  ? for shortcuts"]
        at = len(thinking) + len(typed)
        self._screen.draw(below, (at, width(typed[-1])))

    def _opening_dialogs(self):
        def ends(number):
            if number != 1:
                raise End(1)

        if self._options.update:
            lines = [" ✨ Update available! 1.0.0 -> 1.1.0"]
            yield Dialog(lines, ["Update now", "Skip"], lambda number: None)
        if self._options.login:
            yield CodeEntry(lambda number: self._screen.say("  Login successful", ""))
        if self._options.trust:
            lines = [" Do you trust the files in this folder?", "", f" {os.getcwd()}"]
            yield Dialog(lines, ["Yes, I trust this folder", "No, exit"], ends)


class End(Exception):
    """The agent ends with this exit code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def heed_resizing():
    """A descriptor that can be read from whenever the terminal has got another size."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.signal(signal.SIGWINCH, lambda *_: None)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    return heard


def read_replies(options):
    """The replies by word, and those in turn."""
    lines = list(options.reply)
    if options.script:
        with open(options.script, encoding="utf-8") as file:
            lines += [line.strip() for line in file if line.strip() and line[0] != "#"]
    rules = [tuple(line.split(" => ", 1)) for line in lines if " => " in line]
    turns = collections.deque(line for line in lines if " => " not in line)
    return rules, turns or collections.deque(["Done."])


def step_of(step, fields):
    """A step as (word, text)."""
    found = re.fullmatch(r"!(think|lines|error|ask|crash|hang)(?: (.*))?", step)
    word, text = (found[1], found[2] or "") if found else ("say", step)
    for name, value in fields.items():
        text = text.replace(f"{{{name}}}", value)
    return word, text


def readable(data):
    """Bytes as text that cannot drive the terminal."""
    text = re.sub("\r\n?", "\n", data.decode("utf-8", "replace")).expandtabs(4)
    return "".join(c if c == "\n" or unicodedata.category(c) != "Cc" else "�" for c in text)


def width(text):
    """How many cells the text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def wrap(text, columns):
    """The text in rows of at most so many cells; an empty text is one empty row."""
    rows = [""]
    used = 0
    for char in text:
        cells = width(char)
        if used + cells > columns:
            rows.append("")
            used = 0
        rows[-1] += char
        used += cells
    return rows


def clip(text, columns):
    """The text without what does not fit."""
    return wrap(text[: 4 * columns], columns)[0]


def append(path, data):
    """Add to a file, at once; nothing without a path."""
    if path:
        with open(path, "ab") as file:
            file.write(data)


def options(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--name", default="Mock Agent 1.0", help="what the banner says")
    add("--trust", action="store_true", help="begin with a trust dialog")
    add("--login", action="store_true", help="begin with a login screen")
    add("--update", action="store_true", help="begin with an update notice")
    add("--slow-start", type=float, default=0, metavar="SECONDS", help="wait before the banner")
    add("--crash-at-start", type=int, metavar="CODE", help="end at once with this exit code")
    add("--reply", action="append", default=[], help="see above; may be repeated")
    add("--script", metavar="FILE", help="replies, one a line; '#' begins a comment")
    add("--think", type=float, default=0.3, metavar="SECONDS", help="before each reply")
    add("--record", metavar="FILE", help="append each submitted prompt as a line of JSON")
    add("--raw", metavar="FILE", help="append every byte that was read")
    add("--alternate", action="store_true", help="use the alternate screen")
    add("--no-bracketed-paste", action="store_true", help="do not ask for paste marks")
    bad = parser.add_argument_group("bad habits of real agents").add_argument
    bad("--swallow-enter", type=float, default=0, metavar="SECONDS",
        help="lose an Enter that comes sooner than this after a paste")  # fmt: skip
    bad("--collapse-pastes", type=int, metavar="LINES",
        help="show a paste with so many line ends as '[Pasted text #1 +N lines]'")  # fmt: skip
    bad("--half-typed", default="", metavar="TEXT", help="begin with this in the input line")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(Agent(options()).run())
