"""The reference tells the truth: methods, parameters, results, errors, events, limits, settings."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import msgspec
import pytest

import agenttower
from agenttower import errors, settings
from agenttower.cli.exit_codes import MEANING
from agenttower.domain import events, prompts, retry
from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.attention import RULES, AttentionKind
from agenttower.domain.identifiers import MAX_IDENTIFIER
from agenttower.domain.route_decision import RenderProblem, SkipReason
from agenttower.domain.states import ALLOWED, LABEL_HOLDERS, Stage, State
from agenttower.domain.templates import MAX_PANES
from agenttower.engine import presence
from agenttower.errors import AgentTowerError
from agenttower.paths import Paths
from agenttower.protocol import values
from agenttower.protocol.catalog import declarations
from agenttower.rpc.envelopes import RESPONSE_LIMIT
from agenttower.rpc.framing import APP_REQUEST_LIMIT, REQUEST_LIMIT, MalformedReason
from agenttower.rpc.limits import MIB, Limits, Share
from agenttower.rpc.method import DEFAULT_DEADLINE_S
from agenttower.rpc.methods import method_table
from agenttower.rpc.methods.legacy import SCAN_DEADLINE_S
from agenttower.services.managed.create import MAX_LAYOUTS
from agenttower.services.managed.views import STAGES
from tests.support.markdown import Document, codes

ROOT = Path(__file__).parents[2]
CONTRACT = Document(ROOT / "docs/contract.md")
GUIDE = Document(ROOT / "docs/operator-guide.md")

PARAMETERS = {
    name: declared.params
    for name, declared in declarations().items()
    if not name.startswith("app.") and msgspec.structs.fields(declared.params)
    # told together with routes.remove
    if name not in ("routes.enable", "routes.disable")
}
R = TypeVar("R")
SHARES = (Limits().host, Limits().bench, Limits().unknown)


def first_codes(document: Document, *header: str, section: str | None = None) -> list[str]:
    """The code in the first cell of each row."""
    return [codes(row[0])[0] for row in document.table(*header, section=section).rows]


# --- attention -----------------------------------------------------------------------------------


def test_the_kinds_of_attention_and_which_of_them_block() -> None:
    rows = CONTRACT.table("kind", "the pane shows", "blocks").rows
    assert [codes(row[0])[0] for row in rows] == [kind.value for kind in AttentionKind]
    for row in rows:
        blocks = {rule.blocks for rule in RULES if rule.kind == codes(row[0])[0]}
        assert blocks == {"yes": {True}, "no": {False}}.get(row[2], {True, False})


# --- methods -------------------------------------------------------------------------------------


def test_methods_and_their_gates() -> None:
    table = method_table(cast(Any, None))
    table = {name: method for name, method in table.items() if not name.startswith("app.")}
    told = {codes(row[0])[0]: row[1] for row in CONTRACT.table("method", "gate").rows}
    assert told == {name: method.gate.name.lower() for name, method in table.items()}
    assert {table["ping"].deadline_s, DEFAULT_DEADLINE_S} == {30.0}
    assert {table["scan_containers"].deadline_s, SCAN_DEADLINE_S} == {90.0}


@pytest.mark.parametrize(("method", "struct"), PARAMETERS.items())
def test_parameters(method: str, struct: type[msgspec.Struct]) -> None:
    rows = list(CONTRACT.table("parameter", section=method).rows)
    known = msgspec.structs.fields(struct)
    assert [codes(row[0])[0] for row in rows] == [field.encode_name for field in known]
    for row, field in zip(rows, known, strict=True):
        assert (row[2] == "required") is field.required, field.name
        if isinstance(field.default, bool | int | float):
            told = json.loads(row[2].strip("`"))
            assert told == field.default, field.name


def test_methods_without_a_table_have_no_parameters() -> None:
    sections = {table.section for table in CONTRACT.tables if table.header[0] == "parameter"}
    assert sections == PARAMETERS.keys()


def test_types_of_agents() -> None:
    assert set(first_codes(CONTRACT, "type", "said by")) == set(AGENT_EVENT_TYPES)


# --- states, stages, events ----------------------------------------------------------------------


def test_states_and_transitions() -> None:
    rows = CONTRACT.table("state", "a pane").rows
    assert [(codes(row[0])[0], row[2]) for row in rows] == [
        (state.value, "yes" if state in LABEL_HOLDERS else "no") for state in State
    ]
    told = {
        next(iter(codes(row[0])), None): set(codes(row[1]))
        for row in CONTRACT.table("from", "to").rows
    }
    assert told == {old: {new.value for new in targets} for old, targets in ALLOWED.items()}


def test_stages_and_retries() -> None:
    assert first_codes(CONTRACT, "stage", "what it does") == [stage.value for stage in Stage]
    times = f"{retry.ATTEMPT_TIMEOUT_S:g} s, {len(retry.RETRY_DELAYS_S)} retries"
    rows = CONTRACT.table("stage", "what it does").rows
    assert {row[2] for row in rows if codes(row[0])[0] in STAGES} == {times}
    assert "after {:g} s, then after {:g} s".format(*retry.RETRY_DELAYS_S) in CONTRACT.text


def test_event_types_and_payloads() -> None:
    told = {codes(row[0])[0]: codes(row[1]) for row in CONTRACT.table("event_type").rows}
    assert told == {kind.value: list(keys) for kind, keys in events.PAYLOAD_KEYS.items()}


def test_every_event_type_is_told_by_some_service() -> None:
    services = (ROOT / "agenttower/services").rglob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in services)
    built = re.findall(r"events\.(\w+)\(", text)
    prefixes = ("managed_", "managed_pane_", "managed_layout_")
    assert set(events.EventType) <= {prefix + name for prefix in prefixes for name in built}


def test_skip_reasons_of_routes() -> None:
    rows = CONTRACT.table("skip reason", "winner and target in the line").rows
    assert {code for row in rows for code in codes(row[0])} == set(SkipReason)
    assert set(codes(rows[-1][1])) == {"sub_reason", *RenderProblem}


# --- errors --------------------------------------------------------------------------------------


def all_codes() -> set[str]:
    """Every code that our error classes carry."""
    for module in pkgutil.walk_packages(agenttower.__path__, "agenttower."):
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
    found, waiting = set(), [AgentTowerError]
    while waiting:
        kind = waiting.pop()
        found.add(kind.code)
        waiting += kind.__subclasses__()
    return found


def test_error_codes() -> None:
    wire = first_codes(CONTRACT, "code", "details")
    local = [code for row in CONTRACT.table("code", "when").rows for code in codes(row[0])]
    assert len({*wire, *local}) == len(wire) + len(local)
    assert set(wire) <= all_codes() <= {*wire, *local}
    cli = "\n".join(path.read_text() for path in (ROOT / "agenttower/cli").glob("*.py"))
    for code in {*local} - all_codes():
        assert f'"{code}"' in cli, code


@pytest.mark.parametrize(
    "error",
    [
        errors.ValidationFailed("field", "reason"),
        errors.HostOnly(),
        errors.WorkerUnavailable(),
        errors.ContainerNotFound("c"),
        errors.SessionNameConflict("c", "s"),
        errors.TemplateNotFound("t", ["u"]),
        errors.LaunchCommandNotFound("p", ["q"]),
        errors.LayoutNotFound("l"),
        errors.PaneNotFound("p"),
        errors.PaneLabelConflict("c", "m1", "l"),
        errors.LayoutCapacityExceeded(40, 40),
        errors.PaneIllegalTransition("p", "creating", "remove"),
        errors.PaneProtectedAdopted("agt_0123456789ab"),
        errors.IllegalRecreateSource("p", "ready"),
        errors.RecreateChainTooDeep("p", 15, 16),
        errors.ConcurrentRecreate("p", "q"),
        errors.EventsFilterInvalid("limit", "reason"),
    ],
    ids=lambda error: error.code,
)
def test_details_of_errors(error: AgentTowerError) -> None:
    told = {codes(row[0])[0]: codes(row[1]) for row in CONTRACT.table("code", "details").rows}
    assert told[error.code] == list(error.details)


# --- prompts -------------------------------------------------------------------------------------


def test_prompts() -> None:
    told = first_codes(CONTRACT, "`block_reason`", "the check that did not pass")
    assert told == list(prompts.BlockReason)
    failures = first_codes(CONTRACT, "`failure_reason`", "what happened")
    assert sorted(failures) == sorted(prompts.FailureReason)


# --- numbers and settings ------------------------------------------------------------------------


def test_limits() -> None:
    limits = Limits()
    told = {row[0]: row[1].partition(";")[0] for row in CONTRACT.table("what", "limit").rows}
    assert told == {
        "request line, newline included": f"{REQUEST_LIMIT} bytes",
        "request line of `app.*`": f"{APP_REQUEST_LIMIT} bytes",
        "answer line": f"{RESPONSE_LIMIT} bytes",
        "time to send a request": f"{limits.receive_s:g} s",
        "time to take the answer": f"{limits.send_s:g} s",
        "silence of a connection that is kept open": f"{limits.idle_s:g} s",
        "connections open at once": f"{limits.connections}",
        "of these by all that are not the host": f"{limits.foreign_connections}",
        "requests that run at once": f"{limits.threads}",
        "of these for all that are not the host": f"{limits.foreign_running}",
        "requests that wait for news at once": f"{limits.parked}",
        "long requests and answers held at once": f"{limits.held_bytes // MIB} MiB",
        "layouts that are not removed": f"{MAX_LAYOUTS}",
        "panes of a template": f"{MAX_PANES}",
        "identifiers and labels": f"{MAX_IDENTIFIER} characters",
        "`limit` of a list": f"{_most(values.Limit)}",
        "`wait_seconds`": f"{_most(values.WaitSeconds)} s",
    }
    assert presence.SILENT_AFTER == 15_000_000


def test_shares_of_a_peer() -> None:
    rows = CONTRACT.table("of one peer", "process of the host").rows
    for row, name in zip(rows, ("connections", "running", "queued", "parked"), strict=False):
        told = [int(cell) for cell in row[1:]]
        assert told == [getattr(share, name) for share in SHARES]
    held = [share.held_bytes // MIB for share in SHARES]
    assert [cell.removesuffix(" MiB") for cell in rows[4][1:]] == [str(size) for size in held]
    assert len(rows) == len(fields(Share))


def test_reasons_of_malformed_lines() -> None:
    rows = CONTRACT.table("fault", "`malformed_request` with the reason").rows
    assert [codes(row[1])[0] for row in rows] == list(get_args(MalformedReason))


def _most(annotated: Any) -> int:
    return int(annotated.__metadata__[0].le)


def test_configuration_keys_and_defaults() -> None:
    told = {
        codes(row[0])[0]: json.loads(codes(row[1])[0]) for row in GUIDE.table("key", "default").rows
    }
    real = json.loads(msgspec.json.encode(settings.Config()))
    assert told == {f"{table}.{key}": value for table in real for key, value in real[table].items()}


def test_environment_variables() -> None:
    """Those that a program of ours or the set-up reads, twins of the configuration left out."""
    parts = ("support", "crash", "model", "torture")
    tops = ("agenttower", "workers", *(f"tests/{part}" for part in parts))
    sources = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    used = {
        name
        for path in sources
        for name in re.findall(r"\"(AGENTTOWER_[A-Z_]*[A-Z])\"", path.read_text(encoding="utf-8"))
    }
    twins = {
        f"AGENTTOWER_{table}_{key}".upper()
        for table, keys in msgspec.to_builtins(settings.Config()).items()
        for key in keys
    }
    told = {code for row in GUIDE.table("variable", "meaning").rows for code in codes(row[0])}
    assert {name for name in told if name.startswith("AGENTTOWER_")} == used - twins


def test_exit_codes() -> None:
    rows = GUIDE.table("code", "meaning").rows
    assert list(rows) == [(str(code.value), meaning) for code, meaning in MEANING.items()]


def test_every_file_of_the_state_directory_is_told() -> None:
    state = Path("/state")
    paths = Paths(Path("/config"), state, Path("/cache"))
    names = [name for name, kind in vars(Paths).items() if isinstance(kind, property)]
    made = {path.name for path in (getattr(paths, name) for name in names) if path.parent == state}
    table = next(table for table in GUIDE.tables if table.header[1:] == ("mode", "what"))
    told = {code.rstrip("/") for row in table.rows for code in codes(row[0])}
    assert made <= told


def test_requirement_ids_of_code_and_tests_are_explained() -> None:
    used = set()
    for top in ("agenttower", "workers", "tests"):
        for path in (ROOT / top).rglob("*.py"):
            used |= set(re.findall(r"\b(?:FR-\d{3}|SC-\d{3}|R12)\b", path.read_text("utf-8")))
    told = {row[0] for row in CONTRACT.table("id", "subject").rows}
    assert used <= told
