"""The schemas of template and launch profile files (FR-024, managed.md section 5)."""

from __future__ import annotations

import re

from agenttower.domain import templates
from agenttower.domain.restart import RestartPolicy
from agenttower.domain.templates import LaunchProfile, Template, TemplatePane
from agenttower.services.fields import fields_of, list_of, name_at, text_of
from agenttower.services.yamlfile import Entry, Item, Odd, shorten

MAX_ARGUMENT_BYTES = 131_071
"""One argument, or one ``NAME=value``: the kernel's limit (tmux-channel.md section 1.4)."""

MAX_COMMAND_BYTES = 1024 * 1024
"""All arguments and variables together: half of what exec takes, the rest is the pane's own."""

MAX_PATH_BYTES = 4095

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def template_of(document: Item) -> Template:
    """The template in a document.

    :raises FileFault: with line and reason.
    """
    fields = fields_of(document, "a template", required=("name", "panes"), optional=("layout",))
    name = name_at(fields["name"])
    panes_item = fields["panes"]
    panes = tuple(_pane(item) for item in list_of(panes_item, "panes", "a list of panes"))
    if not 1 <= len(panes) <= templates.MAX_PANES:
        raise panes_item.fault(f"panes: must have 1 to {templates.MAX_PANES}, not {len(panes)}")
    clash = templates.label_clash([pane.label_pattern for pane in panes])
    if clash:
        first, second = clash
        raise list_of(panes_item, "panes", "")[second].fault(
            f"panes {first} and {second} get the same label; use {{ordinal}} in label_pattern"
        )
    return Template(name, panes, _layout(fields.get("layout")))


def profile_of(document: Item) -> LaunchProfile:
    """The launch profile in a document.

    :raises FileFault: with line and reason.
    """
    fields = fields_of(
        document,
        "a launch profile",
        required=("name", "command"),
        optional=("env", "working_dir", "restart"),
    )
    name = name_at(fields["name"])
    command = _command(fields["command"])
    env = _environment(fields.get("env"))
    size = sum(_bytes(argument) + 1 for argument in command)
    size += sum(_bytes(key) + _bytes(value) + 2 for key, value in env.items())
    if size > MAX_COMMAND_BYTES:
        raise document.fault(
            f"command and env have {size} bytes together; at most {MAX_COMMAND_BYTES} are allowed"
        )
    return LaunchProfile(
        name,
        command,
        env,
        _working_dir(fields.get("working_dir")),
        _restart(fields.get("restart")),
    )


def _restart(item: Item | None) -> RestartPolicy | None:
    """``restart: on-failure``, or a mapping with ``policy``, ``max`` and ``backoff`` (seconds)."""
    if item is None:
        return None
    if isinstance(item.value, str):
        _restart_kind(item)
        return RestartPolicy()
    fields = fields_of(item, "restart", required=("policy",), optional=("max", "backoff"))
    _restart_kind(fields["policy"])
    known = RestartPolicy()
    return RestartPolicy(
        maximum=int(_number(fields.get("max"), "restart.max", known.maximum, 1, 15, whole=True)),
        backoff_s=_number(fields.get("backoff"), "restart.backoff", known.backoff_s, 0.1, 300),
    )


def _restart_kind(item: Item) -> None:
    if item.value != "on-failure":
        raise item.fault("restart: must be on-failure; leave it out for no restarts")


def _number(
    item: Item | None,
    what: str,
    default: float,
    least: float,
    most: float,
    *,
    whole: bool = False,
) -> float:
    if item is None:
        return default
    kind = "whole number" if whole else "number"
    fault = item.fault(f"{what}: must be a {kind} from {least:g} to {most:g}")
    if not isinstance(item.value, Odd):
        raise fault
    try:
        number = int(item.value.source) if whole else float(item.value.source)
    except ValueError:
        raise fault from None
    if not least <= number <= most:
        raise fault
    return number


def _layout(item: Item | None) -> str:
    if item is None:
        return "tiled"
    layout = text_of(item, "layout")
    if layout not in templates.TMUX_LAYOUTS:
        raise item.fault(
            f"layout: {shorten(layout)} is none of {', '.join(templates.TMUX_LAYOUTS)}"
        )
    return layout


def _pane(item: Item) -> TemplatePane:
    fields = fields_of(
        item,
        "a pane",
        required=("role", "capability", "label_pattern"),
        optional=("default_launch_command_ref",),
    )
    texts = {key: text_of(value, key) for key, value in fields.items()}
    for key, problem in (
        ("role", templates.role_problem),
        ("capability", templates.capability_problem),
        ("label_pattern", templates.pattern_problem),
        ("default_launch_command_ref", templates.name_problem),
    ):
        reason = problem(texts[key]) if key in texts else None
        if reason:
            raise fields[key].fault(f"{key}: {reason}")
    return TemplatePane(
        texts["role"],
        texts["capability"],
        texts["label_pattern"],
        texts.get("default_launch_command_ref"),
    )


def _command(item: Item) -> tuple[str, ...]:
    if isinstance(item.value, str):
        raise item.fault(
            "command: must be a list of strings, one per argument, e.g. [claude, --verbose]; "
            "no shell splits it, so for shell syntax write [sh, -c, '...']"
        )
    items = list_of(item, "command", "a list of strings, one per argument")
    if not items:
        raise item.fault("command: must name a program")
    arguments = []
    for index, argument in enumerate(items):
        what = f"command[{index}]"
        text = _plain(argument, what)
        _check_size(argument, what, _bytes(text))
        arguments.append(text)
    if not arguments[0]:
        raise items[0].fault("command[0]: must name a program")
    return tuple(arguments)


def _environment(item: Item | None) -> dict[str, str]:
    if item is None:
        return {}
    if not isinstance(item.value, dict):
        raise item.fault("env: must be a mapping of names to strings")
    return {name: _variable(name, entry) for name, entry in item.value.items()}


def _variable(name: str, entry: Entry) -> str:
    if not _VARIABLE.fullmatch(name):
        raise entry.key.fault(
            "env: this is no variable name; use letters, digits and '_', not beginning with a digit"
        )
    what = f"env.{name[:60]}"
    value = _plain(entry.value, what)
    _check_size(entry.value, what, _bytes(name) + 1 + _bytes(value))
    return value


def _working_dir(item: Item | None) -> str | None:
    if item is None:
        return None
    path = _plain(item, "working_dir")
    if not path.startswith("/"):
        raise item.fault(
            f"working_dir: {shorten(path)} is not absolute; begin it with '/' ('~' and variables "
            "are not expanded)"
        )
    if _bytes(path) > MAX_PATH_BYTES:
        raise item.fault(f"working_dir: has more than {MAX_PATH_BYTES} bytes")
    return path


def _plain(item: Item, what: str) -> str:
    """Text that can be handed to exec."""
    text = text_of(item, what)
    if "\0" in text:
        raise item.fault(f"{what}: must not hold a NUL")
    return text


def _check_size(item: Item, what: str, size: int) -> None:
    if size > MAX_ARGUMENT_BYTES:
        raise item.fault(f"{what}: has {size} bytes; at most {MAX_ARGUMENT_BYTES} are allowed")


def _bytes(text: str) -> int:
    return len(text.encode())
