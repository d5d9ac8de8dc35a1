"""Does a pane wait for a person? Rules on its visible screen, with what it asks (pure).

A rule looks only at what stands at the end of the screen, where a program that waits has drawn its
question: the same words further up are old output. The catalogue holds what the agents that people
run really show; captured screens are in ``tests/fixtures/screens``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.redaction import redact_text
from agenttower.domain.screens import Rows, ScreenView

MAX_TEXT = 240
"""Characters of what is shown to people."""


class AttentionKind(StrEnum):
    """What a pane waits for."""

    TRUST_DIALOG = "trust_dialog"
    PERMISSION = "permission"
    LOGIN = "login"
    UPDATE = "update"
    QUESTION = "question"
    CONFIRM = "confirm"
    PASSWORD = "password"
    DEBUGGER = "debugger"
    ERROR = "error"
    RATE_LIMIT = "rate_limit"


@dataclass(frozen=True, slots=True)
class Attention:
    """A pane waits for a person.

    ``blocks``: whatever is typed now answers this, so that no prompt can be given meanwhile.
    """

    kind: AttentionKind
    rule_id: str
    text: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class ScreenRule:
    """One sign that a pane waits; every condition that is given must hold.

    ``menu``: a list of numbered options with a pointer stands at the end. ``says``: one of the last
    ``reach`` filled rows matches; for a rule that does not block, only rows that came since the
    last prompt count. ``ends``: one of the last three filled rows matches. ``at_cursor``: the
    cursor's row up to the cursor matches, and nothing follows it.
    """

    rule_id: str
    kind: AttentionKind
    about: str
    menu: bool = False
    says: re.Pattern[str] | None = None
    ends: re.Pattern[str] | None = None
    at_cursor: re.Pattern[str] | None = None
    reach: int = 24
    blocks: bool = True


def _r(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_K = AttentionKind

RULES: tuple[ScreenRule, ...] = (
    ScreenRule(
        "screen.trust.v1", _K.TRUST_DIALOG, "Claude Code, Codex, Gemini CLI: may it work here?",
        menu=True,
        says=_r(r"(?i)\b(do you trust\b|trust (this |parent )?(folder|directory)|"
                r"trust the (files|contents)|quick safety check)"),
    ),
    ScreenRule(
        "screen.login_choice.v1", _K.LOGIN, "Claude Code, Codex, Gemini CLI: how to sign in",
        menu=True,
        says=_r(r"(?i)(select login method|\bsign in (with|another way)|"
                r"how would you like to authenticate|log in with)"),
    ),
    ScreenRule(
        "screen.update_choice.v1", _K.UPDATE, "Codex: a new version",
        menu=True, says=_r(r"(?i)\bupdate (available|now)\b"),
    ),
    ScreenRule(
        "screen.permission_choice.v1", _K.PERMISSION,
        "Claude Code, Codex, Gemini CLI: may it run or change this?",
        menu=True,
        says=_r(r"(?i)(do you want to (proceed|make this|create|overwrite|allow|delete)|"
                r"would you like to (run|make|grant|apply|allow|proceed|send)|"
                r"allow execution|apply this change|requires approval|permission rule)"),
    ),
    ScreenRule(
        "screen.choice.v1", _K.QUESTION, "any agent: numbered options with a pointer", menu=True,
    ),
    ScreenRule(
        "screen.login_code.v1", _K.LOGIN, "Claude Code, Gemini CLI: a code from the browser",
        ends=_r(r"(?i)^\s*(paste code here|enter the authorization code)"),
    ),
    ScreenRule(
        "screen.opencode_permission.v1", _K.PERMISSION, "opencode: may it run this?",
        says=_r(r"^\s*┃\s+△ Permission required"),
        ends=_r(r"^\s*┃.*\b(Allow once|enter confirm)\b"),
    ),
    ScreenRule(
        "screen.opencode_choice.v1", _K.QUESTION, "opencode: options to select from",
        ends=_r(r"^\s*┃.*\benter (confirm|submit)\b"),
    ),
    ScreenRule(
        "screen.aider_login.v1", _K.LOGIN, "aider: no model and no key",
        at_cursor=_r(r"(?i)^login to .*\(y\)es/\(n\)o"),
    ),
    ScreenRule(
        "screen.aider_permission.v1", _K.PERMISSION, "aider: may it run or change this?",
        at_cursor=_r(r"(?i)^(run (the )?shell command|create new file|allow edits|"
                     r"add command output).*\(y\)es/\(n\)o"),
    ),
    ScreenRule(
        "screen.git_username.v1", _K.LOGIN, "git: credentials",
        at_cursor=_r(r"^Username for '[^']{1,300}': $"),
    ),
    ScreenRule(
        "screen.password.v1", _K.PASSWORD, "sudo, su, ssh, git, gpg",
        at_cursor=_r(r"(?i)\b(password|passphrase|passcode|one-time code|verification code)"
                     r".{0,200}: ?$"),
    ),
    ScreenRule(
        "screen.debugger.v1", _K.DEBUGGER, "pytest --pdb, pdb, ipdb, gdb, lldb",
        at_cursor=_r(r"^(\((Pdb|Pdb\+\+|gdb|lldb)\)|ipdb>) $"),
    ),
    ScreenRule(
        "screen.yes_no.v1", _K.CONFIRM, "y/N of any program; aider",
        at_cursor=_r(r"(?i)([\[(]\s*y(es)?\s*[/|,]\s*n(o)?\b.{0,40}[\])]|"
                     r"\(y\)es/\(n\)o[^:]{0,80}|\[y,n,[a-z,?]{1,40}\])\s*[?:]?\s*$"),
    ),
    ScreenRule(
        "screen.file_question.v1", _K.CONFIRM, "rm, mv, cp, ln: overwrite or remove?",
        at_cursor=_r(r"^(rm|mv|cp|ln): .{1,300}\? $"),
    ),
    ScreenRule(
        "screen.logged_out.v1", _K.LOGIN, "Claude Code: it has to sign in again",
        says=_r(r"^\s*[●⎿]\s.*(Please run /login|Invalid API key|OAuth token (has )?"
                r"(expired|revoked))"),
        reach=10, blocks=False,
    ),
    ScreenRule(
        "screen.usage_limit.v1", _K.RATE_LIMIT, "every agent: the provider takes no more for now",
        says=_r(r"^\s*([●⎿■✕]\s.*(hit your .{0,20}limit|limit reached|429 Too Many Requests|"
                r"Credit balance is too low|exceeded your current quota)|"
                r"[⬝■]{4,} .*([Rr]ate limit|quota|[Oo]verloaded)|"
                r"The API provider has rate limited you|Usage limit reached for )"),
        reach=10, blocks=False,
    ),
    ScreenRule(
        "screen.agent_error.v1", _K.ERROR, "every agent: its last turn ended in an error",
        says=_r(r"^\s*([●⎿✻✕]\s+API [Ee]rror\b|■ (?!Conversation interrupted)\S|✕ \S|"
                r"litellm\.\w{1,40}Error:|Unable to connect to Anthropic services)"),
        reach=10, blocks=False,
    ),
)  # fmt: skip
"""The catalogue; the first rule that matches is the one that is told."""

_FRAME = re.compile(r"^[\s│┃]+|[\s│┃]+$")
_EDGE = re.compile(r"^\s*[╭┌╰└]?[─━═▔]{8,}")
_SPOKEN = re.compile(r"^[●•✻] |^[❯›>] [^\d\s]")
_PROMPTED = re.compile(r"^([❯›]| ?>) \S")
_OPTION = re.compile(r"^\s*([❯›●▶>]?)\s{0,4}([1-9])[.)] \S")
_SHELL_PROMPT = re.compile(r"[$#%❯➜»]$")
_MAX_BELOW_MENU = 8
_MAX_BLOCK = 14


def attention(screen: ScreenView, rules: Iterable[ScreenRule] = RULES) -> Attention | None:
    """What the pane waits for, or ``None``; never raises, whatever stands on the screen."""
    if screen.dead:
        return None
    rows = Rows(screen)
    menu = _menu(rows.text)
    for rule in rules:
        text = _judge(rule, rows, menu)
        if text is not None:
            return Attention(rule.kind, rule.rule_id, shown(text), rule.blocks)
    return None


def shown(text: str) -> str:
    """Text of a screen as people may see it: one line, redacted, and cut to :data:`MAX_TEXT`."""
    line = redact_text(" ".join(text.split()))
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _judge(rule: ScreenRule, rows: Rows, menu: range | None) -> str | None:
    """The text that matters where the rule holds."""
    found = ""
    if rule.menu:
        if menu is None:
            return None
        found = _block_above(rows.text, menu)
    if rule.at_cursor is not None:
        left = rows.left_of_cursor
        if not rows.cursor_is_last or not rule.at_cursor.search(left):
            return None
        found = left
    if rule.ends is not None:
        ending = _first_match(rule.ends, rows.filled(3))
        if ending is None or _SHELL_PROMPT.search(rows.text[-1]):
            return None
        found = found or _block_at(rows.text, ending)
    if rule.says is not None:
        reach: Sequence[str] = rows.text
        if menu is not None and rule.menu:
            reach = reach[: menu.stop]
        elif not rule.blocks:
            reach = _since_prompt(rows)
        said = _first_match(rule.says, [row for row in reach if row][-rule.reach :])
        if said is None:
            return None
        found = found or said
    return found


def _menu(rows: Sequence[str]) -> range | None:
    """The rows of the numbered options that the program waits with, pointer and all."""
    last = next((n for n in range(len(rows) - 1, -1, -1) if _option(rows[n])), None)
    if last is None:
        return None
    below = [row for row in rows[last + 1 :] if _FRAME.sub("", row)]
    if len(below) > _MAX_BELOW_MENU or any(_SHELL_PROMPT.search(row) for row in below):
        return None
    first, pointers, count = last, 0, 0
    expected: int | None = None
    for n in range(last, max(-1, last - 40), -1):
        found = _option(rows[n])
        if found is None:
            continue
        pointer, number = found
        if expected is not None and number != expected:
            break
        first, expected = n, number - 1
        pointers += bool(pointer)
        count += 1
        if number == 1:
            break
    return range(first, last + 1) if expected == 0 and count >= 2 and pointers == 1 else None


def _option(row: str) -> tuple[str, int] | None:
    found = _OPTION.match(_FRAME.sub("", row))
    return None if found is None else (found[1], int(found[2]))


def _since_prompt(rows: Rows) -> Sequence[str]:
    """What has come since somebody last prompted; what is being typed counts as a prompt."""
    for n in range(len(rows.text) - 1, -1, -1):
        hint = n == rows.cursor_row and rows.cursor_column <= len("> ")
        if not hint and _PROMPTED.match(rows.text[n]):
            return rows.text[n + 1 :]
    return rows.text


def _block_above(rows: Sequence[str], menu: range) -> str:
    """What is said above the options: from there up to an edge, or to what was said before."""
    block: list[str] = []
    for n in range(menu.start - 1, -1, -1):
        if len(block) >= _MAX_BLOCK or _EDGE.match(rows[n]) or _SPOKEN.match(rows[n]):
            break
        row = _FRAME.sub("", rows[n])
        if not _EDGE.match(row) and not row.startswith("╌╌"):
            block.append(row)
    text = " ".join(reversed(block)).strip()
    return text or " ".join(_FRAME.sub("", rows[n]) for n in menu)


def _block_at(rows: Sequence[str], ending: str) -> str:
    """The framed rows (``┃``) that end with this one; else the row alone."""
    if not ending.lstrip().startswith("┃"):
        return ending
    last = max(n for n, row in enumerate(rows) if row == ending)
    block: list[str] = []
    for n in range(last - 1, max(-1, last - 1 - _MAX_BLOCK), -1):
        if not rows[n].lstrip().startswith("┃"):
            break
        block.append(_FRAME.sub("", rows[n]))
    return " ".join(reversed(block))


def _first_match(pattern: re.Pattern[str], rows: Sequence[str]) -> str | None:
    """The lowest row that matches."""
    return next((row for row in reversed(rows) if pattern.search(row)), None)
