"""Help is part of the product: every command explains itself, and all of it is reachable."""

from __future__ import annotations

import shlex

import click
import pytest

from agenttower import __version__
from agenttower.cli.exit_codes import MEANING, ExitCode
from agenttower.cli.main import root


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found += commands(inner, (*path, name))
    return found


ALL = commands(root)


def test_the_commands_there_are():
    assert {" ".join(path) for path, command in ALL if not isinstance(command, click.Group)} == {
        "up",
        "serve",
        "worker",
        "status",
        "scan",
        "container list",
        "protocol schema",
        "protocol reference",
        "layout create",
        "layout list",
        "layout remove",
        "layout show",
        "pane list",
        "pane recreate",
        "pane remove",
        "pane show",
        "pane all",
        "agent list",
        "agent register",
        "agent set",
        "agent show",
        "register-self",
        "agent attach-log",
        "agent detach-log",
        "agent log-status",
        "logs show",
        "logs follow",
        "send",
        "broadcast",
        "queue list",
        "queue show",
        "queue approve",
        "queue delay",
        "queue cancel",
        "routing enable",
        "routing disable",
        "routing status",
        "template list",
        "template show",
        "template validate",
        "profile list",
        "profile show",
        "profile validate",
        "events rules",
        "events test-rule",
        "route add",
        "route disable",
        "route enable",
        "route list",
        "route remove",
        "route show",
        "route test",
        "service install",
        "service uninstall",
        "service status",
        "db check",
        "db backup",
        "db migrate",
        "demo",
    }


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_every_help_has_an_example_that_parses(path, cli):
    for option in ("--help", "-h"):
        ended = cli(*path, option)
        assert ended.code == 0
    examples = [line.strip() for line in ended.lines if line.startswith("    agenttower ")]
    assert examples, ended.out
    for example in examples:
        parse(shlex.split(example)[1:])


def parse(arguments: list[str]) -> None:
    """Parse without running; an example that no longer fits the options fails here."""
    # With the context of the root, because click keeps what it made of the inherited settings.
    context = click.Context(root, **root.context_settings)
    command: click.Command = root
    while isinstance(command, click.Group) and not arguments[0].startswith("-"):
        inner = command.get_command(context, arguments.pop(0))
        assert inner is not None
        command = inner
    with command.make_context("example", arguments, parent=context):
        pass


@pytest.mark.parametrize(("path", "command"), ALL, ids=lambda value: str(value)[:30])
def test_every_command_and_option_says_what_it_is(path, command):
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_exit_codes_are_distinct_and_documented(cli):
    assert set(MEANING) == set(ExitCode)
    assert len({code.value for code in ExitCode}) == len(list(ExitCode))
    shown = cli("--help").out
    for code, meaning in MEANING.items():
        assert f"{code.value}  {meaning}" in shown


def test_version(cli):
    assert cli("--version").out == f"agenttower {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["layot"], "Did you mean 'layout'?"),
        (["layout", "lits"], "Did you mean 'list'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["layout", "list", "--sate", "ready"], "--state"),
        (["layout", "list", "--state", "happy"], "'creating'"),
        (["layout", "list", "--limit", "0"], "--limit"),
        (["layout", "create", "bench-1", "1m+2s"], "--session"),
        (["layout", "create", "b", "t", "--session", "s", "--launch", "m1"], "ROLE:LABEL=PROFILE"),
        (["layout", "create", "b", "t", "--session", "s", "--timeout", "0"], "--timeout"),
        (["pane", "remove"], "PANE..."),
        (["layout", "remove"], "LAYOUT..."),
        (["pane", "recreate"], "PANE"),
    ],
)
def test_usage_errors_say_what_to_type_and_exit_2(cli, arguments, words):
    ended = cli(*arguments)
    assert ended.code == ExitCode.USAGE == 2
    assert words in ended.err
    assert ended.out == ""


def test_the_same_pane_twice_in_launch_is_a_usage_error(cli):
    launch = ["--launch", "slave:s1=a", "--launch", "slave:s1=b"]
    ended = cli("layout", "create", "b", "t", "--session", "s", *launch)
    assert ended.code == ExitCode.USAGE
    assert "'slave:s1' is given twice" in ended.err
