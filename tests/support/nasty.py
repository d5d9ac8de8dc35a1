"""Strings that break careless quoting somewhere between us, tmux, a shell and a process."""

from __future__ import annotations

NASTY: tuple[str, ...] = (
    "", " ", "  two  ", "\t", "\n", "\r\n", "a\nb", "\nkill-server\n", "x\n%end 1 1 1\n",
    "\x01", "\x1b[31m", "\x1b]2;title\x07", "\x7f", "\x80", "\xff", "\u00a0", "\u2028",
    "\ufeff", "é", "日本語", "🙂", "a\u0301", "'", "''", '"', '""', "`touch /tmp/pwned1`",
    "$(touch /tmp/pwned2)", "$HOME", "${HOME}", "$", "$$", "$1", "\\", "\\\\", "\\n",
    "\\012", "end\\", "~", "~root", "~/x", "*", "?", "[a-z]", "{a,b}", "{", "}",
    "{ kill-server }", "};kill-server;{", ";", "a;", "\\;", "a ; b", ";kill-server", "|",
    "&", "&&", ">", "> /tmp/pwned3", "<", "(", ")", "#", "##", "#{pane_id}",
    "#{session_name}", "#(touch /tmp/pwned4)", "#[fg=red]", "#H", "#S", "%", "%%", "%1",
    "%H", "%s", "%if 1", "%hidden X=1", "%end 1 2 1", "%exit", "-", "--", "-t", "--help",
    "=", "a=b", "=x", "!", "!!", "^", "@", ",", "#,", "#}", "x" * 5000, "%begin 1 1 1",
    "EXISTS", "CREATED",
)  # fmt: skip
