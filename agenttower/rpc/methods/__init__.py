"""The method table: name to :class:`~agenttower.rpc.method.Method`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agenttower.rpc.app.table import app_methods
from agenttower.rpc.method import Method
from agenttower.rpc.methods.agents import agent_methods
from agenttower.rpc.methods.events import event_methods
from agenttower.rpc.methods.legacy import legacy_methods
from agenttower.rpc.methods.lifecycle import lifecycle_methods
from agenttower.rpc.methods.logs import log_methods
from agenttower.rpc.methods.managed import managed_methods
from agenttower.rpc.methods.prompts import prompt_methods
from agenttower.rpc.methods.routes import route_methods
from agenttower.rpc.methods.routing import routing_methods
from agenttower.rpc.services import Services

MethodTable = Mapping[str, Method[Any]]


def method_table(services: Services) -> MethodTable:
    """Everything that the socket answers to."""
    return {
        **legacy_methods(services),
        **agent_methods(services),
        **managed_methods(services),
        **event_methods(services),
        **lifecycle_methods(services),
        **route_methods(services),
        **prompt_methods(services),
        **routing_methods(services),
        **log_methods(services),
        **app_methods(services),
    }
