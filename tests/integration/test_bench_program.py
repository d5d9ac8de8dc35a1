"""``agenttower client install`` and the program for benches, in real containers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from docker.models.containers import Container

from agenttower.pyz import builder
from agenttower.pyz.install import DEFAULT_PATH
from tests.support.docker import BenchFactory
from tests.support.module_tower import bench_factory, state_home, tower  # noqa: F401
from tests.support.tower import Tower
from tests.support.waiting import wait_until

RUN = "/run/agenttower"


def full(tower: Tower, *words: str) -> tuple[int, dict[str, Any]]:  # noqa: F811
    """The full command on the host: exit code and JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", *words, "--json"],
        env=tower.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def inside(bench: Container, *words: str, **options: Any) -> tuple[int, str]:
    """The program in a container."""
    done = bench.exec_run([DEFAULT_PATH, *words], **options)
    return done.exit_code, done.output.decode()


def answer(bench: Container, *words: str, **options: Any) -> Any:
    """The result of a command that must succeed."""
    code, said = inside(bench, *words, "--json", **options)
    assert code == 0, said
    return json.loads(said)["result"]


def checks(bench: Container) -> tuple[int, dict[str, Any]]:
    code, said = inside(bench, "doctor", "--json")
    return code, json.loads(said)["checks"]


@pytest.fixture(scope="module")
def bench(tower: Tower, bench_factory: BenchFactory) -> Container:  # noqa: F811
    """A bench with socket and logs, and the program in it."""
    paths = tower.home.paths
    made = bench_factory(mounts={paths.state_dir: RUN, paths.logs_dir: str(paths.logs_dir)})
    tower.result("scan_containers")
    code, shown = full(tower, "client", "install", str(made.name))
    assert code == 0, shown
    assert shown["result"]["outcome"] == "installed"
    return made


def test_installing_again_changes_nothing(tower: Tower, bench: Container) -> None:  # noqa: F811
    for reference in (str(bench.id), str(bench.id)[:12], str(bench.id)[:5], f"/{bench.name}"):
        code, shown = full(tower, "client", "install", reference)
        assert (code, shown["result"]["outcome"]) == (0, "unchanged")
        assert shown["result"]["container_id"] == bench.id
        assert shown["result"]["usable"] is True
    listed = bench.exec_run(["stat", "-c", "%U:%G %a %F", DEFAULT_PATH]).output.decode()
    assert listed == "root:root 755 regular file\n"
    assert inside(bench, "--version")[1].startswith("agenttower ")


def test_an_older_one_is_replaced_and_nothing_is_left_over(
    tower: Tower,  # noqa: F811
    bench: Container,
) -> None:
    path = "/opt/agenttower"
    bench.exec_run(["sh", "-c", f"cp {DEFAULT_PATH} {path}; echo >>{path}"])
    code, shown = full(tower, "client", "install", str(bench.name), "--path", path)
    assert (code, shown["result"]["outcome"]) == (0, "updated")
    sums = bench.exec_run(["sha256sum", path, DEFAULT_PATH]).output.decode().split()
    assert sums[0] == sums[2]
    assert bench.exec_run(["ls", "-A", "/opt"]).output == b"agenttower\n"


def test_it_works_on_its_own_container(tower: Tower, bench: Container) -> None:  # noqa: F811
    code, said = inside(bench, "layout", "create", "1m+2s", "--session", "mine")
    assert code == 0, said
    assert "state=ready" in said.splitlines()
    (layout,) = answer(bench, "ls")["items"]
    assert layout["container_id"] == bench.id
    panes = answer(bench, "pane", "list", "--layout", layout["layout_id"][:8])["items"]
    assert [pane["label"] for pane in panes] == ["m1", "s1", "s2"]
    agents = answer(bench, "agent", "list", "--role", "slave")["agents"]
    assert {agent["label"] for agent in agents} == {"s1", "s2"}
    assert answer(bench, "pane", "remove", "s1")["state"] == "removed"
    assert answer(bench, "pane", "recreate", "s1")["chain_depth"] == 1
    assert "managed_pane_recreated" in inside(bench, "events")[1]
    assert inside(bench, "logs", "show", "m1")[0] == 0
    assert answer(bench, "queue", "list")["rows"] == []
    assert answer(bench, "status")["alive"] is True
    assert answer(bench, "layout", "remove", layout["layout_id"][:8])["state"] == "removed"


def test_it_stays_in_its_lane(
    tower: Tower,  # noqa: F811
    bench: Container,
    bench_factory: BenchFactory,  # noqa: F811
) -> None:
    other = bench_factory()
    tower.result("scan_containers")
    create = ("layout", "create", "1m+2s", "--session", "theirs", "--container")
    for name in (str(other.name), str(other.id), "nobody"):
        code, said = inside(bench, *create, name, environment={"HOSTNAME": str(other.id)[:12]})
        assert (code, said.splitlines()[-1]) == (3, "code: host_only")
    code, said = inside(bench, "call", "app.hello")
    assert (code, said.splitlines()[-1]) == (3, "code: host_only")
    assert inside(bench, "call", "shutdown")[0] == 3
    assert tower.result("ping") == {}


def test_its_doctor(tower: Tower, bench: Container) -> None:  # noqa: F811
    code, found = checks(bench)
    assert code == 0
    passed = {name for name, check in found.items() if check["status"] == "pass"}
    assert passed >= {
        "socket_resolved", "socket_reachable", "daemon_status", "container_identity", "identity",
        "uid", "versions", "app_contract", "worker", "mounts", "tmux_version",
    }  # fmt: skip
    assert found["socket_resolved"]["source"] == "mounted_default"
    assert found["container_identity"]["sub_code"] == "unique_match"
    assert found["container_identity"]["source"] in ("cgroup", "hostname")
    assert found["tmux_pane_match"]["sub_code"] == "not_in_tmux"


class Panes:
    """tmux panes of the bench, in which the program is typed."""

    OUT = "/tmp/said"

    def __init__(self, bench: Container) -> None:
        self._bench = bench

    def open(self, name: str) -> None:
        self._bench.exec_run(["tmux", "new-session", "-d", "-s", name, "-x", "200"])

    def run(self, name: str, command: str) -> tuple[str, list[str]]:
        """What the program ends with in a pane: exit code, and lines."""
        out, part = self.OUT, f"{self.OUT}.part"
        self._bench.exec_run(["rm", "-f", out])
        line = f"{DEFAULT_PATH} {command} >{part} 2>&1; echo $? >>{part}; mv {part} {out}"
        self._bench.exec_run(["tmux", "send-keys", "-t", name, line, "Enter"])
        wait_until(lambda: self._said() is not None, 30, f"{command} to end")
        *lines, code = (self._said() or "").splitlines()
        return code, lines

    def _said(self) -> str | None:
        done = self._bench.exec_run(["cat", self.OUT])
        return done.output.decode() if done.exit_code == 0 else None


def test_in_a_pane_it_registers_itself_and_sends(tower: Tower, bench: Container) -> None:  # noqa: F811
    """The pane is not known, registers itself, and then it is; its agent prompts another."""
    panes = Panes(bench)
    panes.open("own")
    code, rows = panes.run("own", "doctor")
    assert code == "5"
    assert any(row.startswith("tmux_pane_match\tfail\tthe daemon does not know") for row in rows)
    register = "register-self --role slave --capability codex --label"
    code, rows = panes.run("own", f"{register} own")
    assert code == "0", rows
    assert "label=own" in rows
    code, rows = panes.run("own", "doctor")
    assert code == "0", rows
    assert any(row.startswith("tmux_pane_match\tpass\t") for row in rows)

    panes.open("peer")
    assert panes.run("peer", f"{register} peer")[0] == "0"
    own = next(row for row in tower.result("list_agents")["agents"] if row["label"] == "own")
    master = {"agent_id": own["agent_id"], "role": "master", "confirm": True}
    tower.result("set_role", master)
    code, rows = panes.run("own", "send peer hello --no-wait")
    assert (code, "sender.label=own" in rows, "target.label=peer" in rows) == ("0", True, True)
    code, rows = panes.run("own", "queue list --target peer")
    assert rows[1].split("\t")[4:6] == ["own", "peer"]
    # Outside of a pane nobody speaks for an agent.
    code, said = inside(bench, "send", "peer", "hello")
    assert (code, said.splitlines()[-1]) == (3, "code: not_in_tmux")


def test_a_container_without_python_is_told_what_to_do(
    tower: Tower,  # noqa: F811
    bench_factory: BenchFactory,  # noqa: F811
) -> None:
    bare = bench_factory()
    bare.exec_run(["sh", "-c", "rm /usr/bin/python3*"])
    code, shown = full(tower, "client", "install", str(bare.name))
    assert (code, shown["error"]["code"]) == (3, "client_install_refused")
    assert "not python3-minimal" in shown["error"]["message"]
    old = "#!/bin/sh\necho 'AssertionError: it is older than 3.9'; exit 1\n"
    bare.exec_run(["sh", "-c", f'printf %s "{old}" >/usr/bin/python3; chmod +x /usr/bin/python3'])
    code, shown = full(tower, "client", "install", str(bare.name))
    assert "it is older than 3.9" in shown["error"]["message"]
    assert bare.exec_run(["test", "-e", DEFAULT_PATH]).exit_code == 1


def test_what_it_is_refused_for(tower: Tower, bench: Container) -> None:  # noqa: F811
    def refused(*words: str) -> str:
        code, shown = full(tower, "client", "install", *words)
        assert code == 3, shown
        return f"{shown['error']['code']}: {shown['error']['message']}"

    bench.exec_run(["sh", "-c", "echo echo mine >/opt/mine; mkdir /opt/dir"])
    assert "is another program" in refused(str(bench.name), "--path", "/opt/mine")
    assert bench.exec_run(["cat", "/opt/mine"]).output == b"echo mine\n"
    assert "no plain file" in refused(str(bench.name), "--path", "/opt/dir")
    assert "no directory /none" in refused(str(bench.name), "--path", "/none/agenttower")
    assert refused("").startswith("container_not_found")
    assert refused("no-such-container").startswith("container_not_found")
    left = bench.exec_run(["ls", "-A", "/opt"]).output.split()
    assert {*left} - {b"agenttower"} == {b"dir", b"mine"}


def test_installed_and_of_no_use(
    tower: Tower,  # noqa: F811
    bench_factory: BenchFactory,  # noqa: F811
) -> None:
    """Without the socket; as another user; in a container that is no bench; stopped."""
    alone = bench_factory()
    code, shown = full(tower, "client", "install", str(alone.name))
    found = shown["result"]["doctor"]["checks"]
    assert (code, shown["result"]["usable"]) == (5, False)
    assert found["socket_reachable"]["sub_code"] == "socket_missing"
    assert RUN in found["socket_reachable"]["actionable_message"]

    state = tower.home.paths.state_dir
    stranger = bench_factory(mounts={state: RUN}, name="stranger")
    code, shown = full(tower, "client", "install", str(stranger.name))
    found = shown["result"]["doctor"]["checks"]
    assert (code, found["identity"]["sub_code"]) == (5, "unknown")
    assert found["container_identity"]["sub_code"] == "no_match"

    stranger.exec_run(["chmod", "711", RUN])  # so that another user gets as far as the socket
    try:
        code, said = inside(stranger, "doctor", "--json", user="bench")
    finally:
        stranger.exec_run(["chmod", "700", RUN])
    found = json.loads(said)["checks"]
    assert (code, found["socket_reachable"]["sub_code"]) == (3, "permission_denied")
    assert found["uid"]["sub_code"] == "uid_differs"
    assert "--user 0" in found["uid"]["actionable_message"]

    alone.stop(timeout=1)
    code, shown = full(tower, "client", "install", str(alone.name))
    assert (code, shown["error"]["code"]) == (3, "container_inactive")


def test_the_host_sees_what_benches_lack(
    tower: Tower,  # noqa: F811
    bench: Container,
    bench_factory: BenchFactory,  # noqa: F811
) -> None:
    poor = bench_factory()
    poor.exec_run(["rm", "/usr/bin/tmux"])
    tower.result("scan_containers")
    code, shown = full(tower, "doctor")
    found = shown["checks"]
    assert code == 5
    assert found["docker"]["status"] == "pass"
    assert found["bench_tmux"]["sub_code"] == "tmux_missing"
    assert str(poor.name) in found["bench_tmux"]["details"]
    assert found["mounts"]["sub_code"] == "logs_not_mounted"
    poor.stop(timeout=1)
    wait_until(lambda: full(tower, "doctor")[1]["checks"]["bench_tmux"]["status"] == "pass", 30, "")


def test_what_is_installed_is_what_is_built_and_a_library(bench: Container) -> None:
    shown = bench.exec_run(["cat", DEFAULT_PATH]).output
    assert shown == builder.build()
    program = (
        f"import sys; sys.path.insert(0, {DEFAULT_PATH!r}); "
        "from agenttower.client import Client; print(Client().containers.own())"
    )
    assert bench.exec_run(["python3", "-c", program]).output.decode().strip() == bench.id


def test_when_the_worker_or_the_daemon_is_away(tower: Tower, bench: Container) -> None:  # noqa: F811
    tower.stop("worker")
    try:
        code, found = checks(bench)
        assert (code, found["worker"]["sub_code"]) == (5, "worker_unavailable")
        assert "agenttower worker" in found["worker"]["actionable_message"]
        tower.stop("serve")
        code, found = checks(bench)
        assert (code, found["socket_reachable"]["sub_code"]) == (2, "socket_missing")
        assert inside(bench, "ls")[0] == 6
    finally:
        tower.start(*[role for role in ("serve", "worker") if role not in tower.processes])
    assert checks(bench)[0] == 0
