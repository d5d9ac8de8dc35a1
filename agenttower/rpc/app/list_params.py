"""Checking what lists of ``app.*`` are asked for (app surface, sections 8.1 and 8.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.domain.list_filters import check_filters
from agenttower.protocol.app.lists import ListParams
from agenttower.protocol.declaration import Params
from agenttower.rpc.app.decode import app_params
from agenttower.services.app_lists import Asked

P = TypeVar("P", bound=ListParams)


def list_params(struct: type[P]) -> Callable[[Params], Asked]:
    """A decoder for a list's ``params``; a filter at fault is named by its own name.

    The decoder raises :class:`~agenttower.errors.ValidationFailed`.
    """
    [narrow] = [one for one in msgspec.structs.fields(struct) if one.name == "filters"]
    known = {one.encode_name for one in msgspec.structs.fields(narrow.type)}
    shape, shape_filters = app_params(struct), app_params(narrow.type)

    def decode(params: Params) -> Asked:
        filters = params.get("filters", {})
        # What is inside of an object is checked below, under the names of the filters.
        asked = shape({**params, "filters": {}} if isinstance(filters, Mapping) else params)
        assert isinstance(filters, Mapping)
        check_filters(filters, known)
        return Asked(
            limit=asked.limit,
            cursor=_given(asked.cursor_next),
            order_by=_given(asked.order_by),
            filters=msgspec.to_builtins(shape_filters(filters)),
        )

    return decode


def _given(text: str | UnsetType) -> str | None:
    return None if text is UNSET else text
