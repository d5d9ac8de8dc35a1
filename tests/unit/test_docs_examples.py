"""The JSON examples of the reference have the keys of what the services really answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from agenttower.bench.interface import BenchScan
from agenttower.domain import events
from agenttower.domain.agent_events import AgentEvent
from agenttower.paths import default_paths
from agenttower.services.agent_log_views import attached_view
from agenttower.services.agents import agent_view
from agenttower.services.caller import HOST
from agenttower.services.containers import ContainerService, container_view
from agenttower.services.discovery import PaneDiscovery, pane_view
from agenttower.services.log_reading import attachment_view, offset_view
from agenttower.services.managed import recreation
from agenttower.services.managed.create import accepted
from agenttower.services.managed.views import STAGES, ManagedViews
from agenttower.services.prompt_views import prompt_view
from agenttower.services.status import StatusService
from agenttower.services.switch import RoutingSwitch
from agenttower.services.tower import Tower
from agenttower.settings import RoutingRules
from agenttower.store import agent_events, layouts
from agenttower.store.agent_logs import AttachmentRecord, OffsetRecord
from agenttower.store.agents import AgentRecord
from agenttower.store.containers import ContainerRecord
from agenttower.store.database import Store, open_sqlite
from agenttower.store.log_attaching import Attached
from agenttower.store.migrate import migrate
from agenttower.store.models import Event
from agenttower.store.panes import PaneKey, PaneRecord
from agenttower.store.prompts import PromptRecord
from tests.support.markdown import Document

CONTRACT = Document(Path(__file__).parents[2] / "docs/contract.md")
LAYOUT_ID = "113d611f-4174-41bf-ac9f-f5381316ebc5"
R = TypeVar("R")


class NotAsked:
    """Stands for services that take no part in what is shown here."""

    def __getattr__(self, name: str) -> None:
        return None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    yield store
    store.close_thread()


@pytest.fixture
def shown(store: Store, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What the code really answers, by the name of the example."""
    _write_layout(store)
    views = ManagedViews(store)
    record = layouts.layout(LAYOUT_ID)
    assert record is not None
    detail = views.layout_detail(HOST, LAYOUT_ID, include_terminal_panes=False)
    listed = views.list_layouts(HOST, container_id=None, states=(), limit=1, after=None)
    told = views.list_events(
        HOST, container_id=None, layout_id=None, pane_id=None, after=0, limit=1
    )
    paths = default_paths({"HOME": str(tmp_path)})
    given = {
        "store": store,
        "status": StatusService(
            store,
            paths,
            RoutingSwitch(store, lambda: 0, lambda: None),
            RoutingRules(),
            lambda: 0,
            list,
        ),
    }
    others = signature(Tower).parameters.keys() - given.keys()
    tower = Tower(**cast(Any, given | dict.fromkeys(others, NotAsked())))
    provider = SimpleNamespace(name="docker", scan=lambda _: BenchScan([]))
    benches = cast(Any, SimpleNamespace(providers=(provider,)))
    log, place = _sample(AttachmentRecord), _sample(OffsetRecord)
    attached = Attached(log, place, prior_status=None, is_new=True, rotated=False)
    return {
        "layout": detail,
        "pane": detail["panes"][0],
        "layout item": listed["items"][0],
        "event": told["events"][0],
        "created": accepted(record, replay=False),
        "recreated": recreation._accepted(layouts.current_panes(LAYOUT_ID)[0], replay=False),
        "status": tower.status(whole=True),
        "scan": ContainerService(store, benches, paths, lambda: 0, lambda: None).scan(),
        "container": container_view(_sample(ContainerRecord, mounts=[], labels={})),
        "agent event": _agent_event(store),
        "agent": agent_view(_sample(AgentRecord, role="master")),
        "pane scan": PaneDiscovery(store, benches, lambda: 0, lambda: None).scan(HOST, None),
        "prompt": prompt_view(
            _sample(
                PromptRecord, state="queued", block_reason=None, failure_reason=None, form="plain"
            )
        ),
        "routing": RoutingSwitch(store, lambda: 0, lambda: None).toggle(HOST, "disabled"),
        "found pane": pane_view(_sample(PaneRecord, key=PaneKey("", "", "", 0, 0, ""))),
        "attach_log": attached_view(attached),
        "attach_log_status": {
            "agent_id": "",
            "attachment": attachment_view(attached.attachment),
            "offset": offset_view(attached.offset),
        },
    }


def test_examples_have_the_keys_of_real_answers(shown: dict[str, dict[str, Any]]) -> None:
    examples = {
        block.kind.removeprefix("json "): json.loads(block.text)
        for block in CONTRACT.blocks
        if block.kind.startswith("json ")
    }
    assert examples.keys() == shown.keys()
    for name, example in examples.items():
        assert example.keys() == shown[name].keys(), name
    stages = examples["pane"]["stages"]
    assert list(stages) == list(STAGES)
    assert stages["pane_create"].keys() == shown["pane"]["stages"]["pane_create"].keys()
    assert examples["status"]["worker"].keys() == shown["status"]["worker"].keys()
    for part in ("attachment", "offset"):
        assert examples["attach_log_status"][part].keys() == shown["attach_log_status"][part].keys()
    assert examples["created"]["panes"][0].keys() == shown["created"]["panes"][0].keys()


def _agent_event(store: Store) -> dict[str, Any]:
    source = agent_events.Source("lat_1", "agt_1", None, "/log")
    error = AgentEvent("error", "error.line.v1", "Error: x", 0, 9, 0, 1, 0)
    with store.transaction():
        agent_events.insert(source, [error])
    return agent_events.event_object(Event.get(Event.kind == "agent"))


def _write_layout(store: Store) -> None:
    container = "4d40e4833426" + "0" * 52
    layout = dict.fromkeys(("template_layout", "tmux_session_target", "label_prefix"), "x") | {
        "layout_id": LAYOUT_ID,
        "container_id": container,
        "template_name": "1m+2s",
        "tmux_session_name": "work",
        "state": "degraded",
        "intended_pane_count": 1,
        **dict.fromkeys(("last_sequence", "revision", "created_at", "updated_at"), 0),
    }
    pane = dict.fromkeys(("role", "capability", "label", "launch", "log_path"), "x") | {
        "pane_id": "9a2f692f-3bdf-4add-9099-5186a21e06bb",
        "layout_id": LAYOUT_ID,
        "container_id": container,
        "tmux_session_name": "work",
        "state": "degraded",
        "failed_stage": "launch_command",
        "reserved_agent_id": "agt_c0104bcca211",
        "log_attached": True,
        **dict.fromkeys(("slot", "chain_depth", "created_at", "updated_at"), 0),
    }
    created = events.layout_created("1m+2s", container, 1)
    with store.transaction():
        layouts.insert_layout(layout, [pane])
        layouts.append_events(store, LAYOUT_ID, container, "operator", [(None, created)], 0)


def _sample(record: type[R], **given: object) -> R:
    """A record with zeros, which pass for times, wherever nothing is given."""
    empty = {field.name: 0 for field in fields(cast(Any, record))}
    return record(**(empty | given))
