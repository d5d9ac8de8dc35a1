"""The tables. The database guards what must never be wrong: states, labels, tmux targets, keys.

Times are unix microseconds, documents are JSON text. What leaves ``agenttower.store`` are frozen
dataclasses.
"""

from __future__ import annotations

from agenttower.store.models.agentlogs import LogAttachment, LogChange, LogOffset
from agenttower.store.models.base import Table, database
from agenttower.store.models.benches import Agent, Container, ContainerScan
from agenttower.store.models.engine import Operation, RelayPosition, Step, Worker
from agenttower.store.models.managed import Event, ManagedLayout, ManagedPane
from agenttower.store.models.panes import Attention, Pane, PaneScan
from agenttower.store.models.prompts import DaemonState, Prompt, PromptDelay, Route, Subsystem
from agenttower.store.models.queue import QueueCounter, QueueMessage, QueueSchedule, QueueValue

TABLES: tuple[type[Table], ...] = (
    Container,
    ContainerScan,
    Agent,
    LogAttachment,
    LogOffset,
    LogChange,
    Pane,
    PaneScan,
    Attention,
    Prompt,
    PromptDelay,
    Route,
    DaemonState,
    Subsystem,
    ManagedLayout,
    ManagedPane,
    Operation,
    Step,
    Event,
    RelayPosition,
    Worker,
    QueueMessage,
    QueueSchedule,
    QueueValue,
    QueueCounter,
)

__all__ = [
    "TABLES",
    "Agent",
    "Attention",
    "Container",
    "ContainerScan",
    "DaemonState",
    "Event",
    "LogAttachment",
    "LogChange",
    "LogOffset",
    "ManagedLayout",
    "ManagedPane",
    "Operation",
    "Pane",
    "PaneScan",
    "Prompt",
    "PromptDelay",
    "QueueCounter",
    "QueueMessage",
    "QueueSchedule",
    "QueueValue",
    "RelayPosition",
    "Route",
    "Step",
    "Subsystem",
    "Worker",
    "database",
]
