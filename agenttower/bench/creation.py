"""The command lines that make a pane, whole from its first moment (tmux-channel.md section 13).

A line is atomic in tmux, but a hook of a user may run between its commands, and an error ends it
where it stands. So a pane is marked only where it is proven to be the one just made, by its start
command; and :func:`complete` does the same to a pane that was left half made. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agenttower.bench.commands import (
    ABSENT,
    DONE,
    pipe_command,
    pipe_unless_piped,
    title_commands,
)
from agenttower.bench.interface import PaneSpec
from agenttower.bench.probe import (
    IN_CONTROL_SESSION,
    made_for,
    of_layout,
    require_hex,
    runs_wrapper_of,
    with_token,
)
from agenttower.bench.quoting import quote
from agenttower.bench.wrapper import environment_pairs, wrap
from agenttower.errors import ValidationFailed

CREATED, EXISTS, VANISHED, HOOKED = "CREATED", "EXISTS", "VANISHED", "HOOKED"
UNSIZED = "UNSIZED"

_SESSION = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LAYOUTS = ("tiled", "even-horizontal", "even-vertical", "main-horizontal", "main-vertical")

# Making a session would end the server (tmux pull request 4849).
_DEADLY_SIZING = "#{&&:#{==:#{window-size},manual},#{m:3.[3-6]*,#{version}}}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a further pane goes: beside a sibling, or into a session of ours without one."""

    target: str
    """``%N`` of the sibling, or ``$N:`` for the active pane of the session."""
    guard: str
    """The condition under which the target still is what it was."""


def beside(pane_id: str, token: str) -> Place:
    """Split this sibling."""
    return Place(pane_id, with_token(token))


def inside(session_id: str, owner: str) -> Place:
    """Split whatever is the active pane of a session that carries our mark."""
    return Place(f"{session_id}:", of_layout(owner))


def create(spec: PaneSpec, place: Place | None, now_ms: int) -> str:
    """Make the pane with identity, title and log from its first moment, unless it exists.

    The test is inside the line: any number of repeats and rivals make one pane. Prints
    :data:`CREATED`, :data:`EXISTS`, :data:`VANISHED` (the place is gone), :data:`HOOKED` (a user's
    hook moved the new pane, or made another one current, before it could be marked) or
    :data:`UNSIZED` (nothing was made: it would end the server).
    """
    require_hex(spec.token)
    require_layout(spec.layout)
    make = _new_session(spec, now_ms) if place is None else _split(spec, place, now_ms)
    seen = f"#{{m:*1*,#{{S:#{{W:#{{P:{made_for(spec.token)}}}}}}}}}"
    return f'if-shell -F "{seen}" {{ display-message -p {EXISTS} }} {{ {make} }}'


def complete(spec: PaneSpec, pane_id: str, now_ms: int) -> str:
    """Give a pane that was made for the token whatever it lacks; prints ``DONE`` or ``ABSENT``.

    The session that was made for it is marked too: the one of its name, or one with nothing else
    in it, which a hook has renamed.
    """
    pane = f"-t {pane_id}"
    marks = [
        f"set-option -p {pane} @agenttower_pane {spec.token}",
        f"set-option -p -o -q {pane} @agenttower_created {now_ms:d}",
        *title_commands(spec.title, pane),
        f"set-option -p {pane} remain-on-exit on",
    ]
    if spec.log_path is not None:
        marks.append(pipe_unless_piped(pane_id, spec.log_path))
    alone = "#{&&:#{==:#{session_windows},1},#{==:#{window_panes},1}}"
    named = f"#{{==:#{{session_name}},{tmux_form(spec.session)}}}"
    unowned = f"#{{!=:#{{@agenttower_layout}},{require_hex(spec.owner)}}}"
    session = f"#{{&&:{unowned},#{{||:{named},{alone}}}}}"
    condition = f"#{{&&:{made_for(spec.token)},#{{==:{IN_CONTROL_SESSION},0}}}}"
    return (
        f'if-shell -F {pane} "{condition}" {{ {" ; ".join(marks)} ; '
        f'if-shell -F {pane} "{session}" {{ {" ; ".join(_session_marks(spec, pane))} }} ; '
        f"display-message -p {DONE} }} {{ display-message -p {ABSENT} }}"
    )


def relayout(place: Place, layout: str) -> str:
    """Arrange the panes of the window there."""
    target = quote(place.target)
    arrange = f"select-layout -t {target} {require_layout(layout)}"
    return f'if-shell -F -t {target} "{place.guard}" {{ {arrange} }}'


def require_layout(layout: str) -> str:
    """``layout``, if every supported tmux has it: an unknown name crashes the server of 3.3a.

    :raises ValidationFailed: it is none of them.
    """
    if layout not in _LAYOUTS:
        raise ValidationFailed("layout", f"{layout!r} is none of {', '.join(_LAYOUTS)}")
    return layout


def tmux_form(session: str) -> str:
    """A session name as tmux keeps it."""
    return session.replace(".", "_").replace(":", "_")


def _new_session(spec: PaneSpec, now_ms: int) -> str:
    if not _SESSION.fullmatch(spec.session):
        raise ValidationFailed(
            "tmux_session_name", "use at most 64 letters, digits, '_', '.' and '-'"
        )
    target = f"={tmux_form(spec.session)}:"
    # The user's after-new-session hook runs before our next command and may add panes and windows.
    pane = f'-t "{target}^.{{top-left}}"'
    settle = [
        *_marks(spec, now_ms, pane),
        *_session_marks(spec, f'-t "{target}"'),
        f"display-message -p {CREATED}",
    ]
    return (
        f'if-shell -F "{_DEADLY_SIZING}" {{ display-message -p {UNSIZED} }} {{ '
        f"new-session -d -s {quote(spec.session)} -x 200 -y 50 {_environment(spec)}"
        f"-- {_argv(spec)} ; {_if_it_is_the_new_one(spec, pane, settle)} }}"
    )


def _split(spec: PaneSpec, place: Place, now_ms: int) -> str:
    # Without -d and -t the marks mean the new pane. last-pane gives a user's focus back; a hook may
    # have done so already, or left no other pane.
    settle = [
        *_marks(spec, now_ms, ""),
        'if-shell -F "#{&&:#{pane_active},#{m:*1*,#{P:#{pane_last}}}}" { last-pane }',
        f"display-message -p {CREATED}",
    ]
    return (
        f'if-shell -F -t {quote(place.target)} "{place.guard}" '
        f"{{ split-window -t {quote(place.target)} {_environment(spec)}-- {_argv(spec)} ; "
        f"{_if_it_is_the_new_one(spec, '', settle)} }} {{ display-message -p {VANISHED} }}"
    )


def _if_it_is_the_new_one(spec: PaneSpec, pane: str, settle: list[str]) -> str:
    return (
        f'if-shell -F {pane} "{runs_wrapper_of(spec.token)}" {{ {" ; ".join(settle)} }} '
        f"{{ display-message -p {HOOKED} }}"
    )


def _marks(spec: PaneSpec, now_ms: int, pane: str) -> list[str]:
    marks = [
        f"set-option -p {pane} @agenttower_pane {spec.token}",
        f"set-option -p {pane} @agenttower_created {now_ms:d}",
        *title_commands(spec.title, pane),
        f"set-option -p {pane} remain-on-exit on",
    ]
    if spec.log_path is not None:
        marks.append(pipe_command(spec.log_path, pane))
    return marks


def _session_marks(spec: PaneSpec, session: str) -> list[str]:
    # new-session -e also writes the session's environment, which siblings would inherit.
    return [
        f"set-option {session} @agenttower_layout {require_hex(spec.owner)}",
        f"set-option {session} destroy-unattached off",
        *(f"set-environment {session} -u {name}" for name, _ in environment_pairs(spec.env)),
    ]


def _environment(spec: PaneSpec) -> str:
    pairs = environment_pairs(spec.env)
    return "".join(f"-e {quote(f'{name}={value}')} " for name, value in pairs)


def _argv(spec: PaneSpec) -> str:
    argv = wrap(spec.token, spec.argv, len(spec.env), spec.working_dir)
    return " ".join(quote(argument) for argument in argv)
