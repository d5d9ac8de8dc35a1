"""Clients inside benches (R12): their own container is theirs, everything else is refused."""

from __future__ import annotations

import json
from typing import Any

from docker.models.containers import Container

from tests.support.docker import BenchFactory
from tests.support.layouts import create, our_panes, settled
from tests.support.tower import Tower

CLIENT = """
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(30)
connection.connect(sys.argv[1])
connection.sendall(sys.argv[2].encode() + b"\\n")
sys.stdout.write(connection.makefile().readline())
"""


def ask_from(
    bench: Container, tower: Tower, method: str, params: dict[str, Any], **environment: str
) -> dict[str, Any]:
    """What a client in the bench is answered."""
    request = json.dumps({"method": method, "params": params})
    done = bench.exec_run(
        ["python3", "-c", CLIENT, str(tower.socket_path), request], environment=environment
    )
    assert done.exit_code == 0, done.output
    reply = json.loads(done.output)
    assert isinstance(reply, dict)
    return reply


def bench_with_socket(tower: Tower, bench_factory: BenchFactory) -> Container:
    state = tower.home.paths.state_dir
    bench = bench_factory(mounts={state: str(state)})
    tower.result("scan_containers")
    return bench


def test_a_bench_acts_on_itself_only(tower: Tower, bench_factory: BenchFactory) -> None:
    own = bench_with_socket(tower, bench_factory)
    other = bench_with_socket(tower, bench_factory)
    theirs = create(tower, other, session="theirs")["layout_id"]
    settled(tower, theirs)

    def refused(method: str, params: dict[str, Any], **environment: str) -> None:
        reply = ask_from(own, tower, method, params, **environment)
        assert reply["ok"] is False, reply
        assert reply["error"]["code"] == "host_only", reply
        if method.startswith("managed."):
            assert reply["error"]["details"] == {}

    layout = {"template_name": "1m+2s", "tmux_session_name": "mine"}
    for ref in (other.id, str(other.id)[:12], other.name, "0" * 64, "nobody"):
        refused("managed.layout.create", layout | {"container_id": ref})
    refused(
        "managed.layout.create",
        layout | {"container_id": other.id},
        HOSTNAME=str(other.id)[:12],
        AGENTTOWER_CONTAINER_ID=str(other.id),
    )
    refused("managed.layout.detail", {"layout_id": theirs})
    refused("managed.layout.watch", {"layout_id": theirs})
    their_pane = tower.result("managed.pane.list", {"layout_id": theirs})["items"][0]["pane_id"]
    refused("managed.pane.detail", {"pane_id": their_pane})
    refused("shutdown", {})
    assert tower.result("ping") == {}

    reply = ask_from(
        own, tower, "managed.layout.create", layout | {"container_id": str(own.id)[:12]}
    )
    assert reply["ok"], reply
    mine = reply["result"]["layout_id"]
    assert settled(tower, mine)["state"] == "ready"
    assert len(our_panes(own)) == 3

    listed = ask_from(own, tower, "managed.layout.list", {})["result"]["items"]
    assert [item["layout_id"] for item in listed] == [mine]
    panes = ask_from(own, tower, "managed.pane.list", {})["result"]["items"]
    assert {pane["layout_id"] for pane in panes} == {mine}
    agents = ask_from(own, tower, "list_agents", {})["result"]["agents"]
    assert {agent["container_id"] for agent in agents} == {own.id}
    events = ask_from(own, tower, "managed.event.list", {})["result"]["events"]
    assert {event["layout_id"] for event in events} == {mine}
    hidden = ask_from(own, tower, "managed.layout.list", {"container_id": other.id})
    assert hidden["result"] == {"items": [], "next": None}
    status = ask_from(own, tower, "status", {})["result"]
    assert status["alive"] is True
    assert not {"file_problems", "layouts"} & status.keys()
    containers = ask_from(own, tower, "list_containers", {})["result"]["containers"]
    assert [container["id"] for container in containers] == [own.id]


def test_a_container_that_is_no_bench_gets_nothing(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    state = tower.home.paths.state_dir
    stranger = bench_factory(name="stranger", mounts={state: str(state)})
    tower.result("scan_containers")
    for method in ("managed.layout.list", "managed.pane.list", "list_agents", "list_containers"):
        reply = ask_from(stranger, tower, method, {})
        assert reply["ok"] is False, (method, reply)
        assert reply["error"]["code"] == "host_only", (method, reply)
