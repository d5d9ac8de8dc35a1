"""Command groups that import a command's module only when the command is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are named by ``module:attribute`` until they are needed."""

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = self._lazy.get(cmd_name)
        if path is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = path.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise _with_suggestion(error, args[0], self.list_commands(ctx), ctx) from None


def _with_suggestion(
    error: click.UsageError, typed: str, known: list[str], ctx: click.Context
) -> click.UsageError:
    if typed in known or typed.startswith("-"):
        return error
    from difflib import get_close_matches

    near = get_close_matches(typed, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return click.UsageError(f"No such command {typed!r}.{hint}", ctx=ctx)
