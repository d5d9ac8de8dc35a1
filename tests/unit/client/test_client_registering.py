"""Where a client finds itself, and how it registers (legacy surfaces part 1, section 12)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agenttower.client.errors import ContainerUnresolved, NotInTmux, TmuxPaneMalformed
from agenttower.client.identity import container_id, in_container, own_pane
from agenttower.client.registering import given_of, register_self
from agenttower.errors import AgentTowerError

ONE, TWO = "1" * 64, "2" * 64
ENVIRON = {"TMUX": "/tmp/tmux-0/default,28,0", "TMUX_PANE": "%3"}


def root(tmp_path: Path, **files: str) -> Path:
    """A file system with these files; ``__`` in a name stands for ``/``."""
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def known(*ids: str, caller: str | None = None) -> dict[str, Any]:
    rows = [{"id": one, "name": f"n{one[0]}", "active": True} for one in ids]
    return {"containers": rows, "caller_container_id": caller}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({"proc__self__cgroup": "0::/user.slice"}, False),
        ({"run__.containerenv": ""}, True),
        ({"proc__self__cgroup": f"1:cpu:/\n0::/docker/{ONE}"}, True),
        ({"proc__self__cgroup": "0::/kubepods/burstable/x"}, True),
    ],
)
def test_am_i_in_a_container(tmp_path: Path, files: dict[str, str], expected: bool) -> None:
    assert in_container(root(tmp_path, **files)) is expected


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({"AGENTTOWER_CONTAINER_ID": ONE}, {"etc__hostname": TWO[:12]}),
        ({}, {"proc__self__cgroup": f"0::/kubepods/burstable/pod/{ONE}", "etc__hostname": "dev"}),
        ({}, {"proc__self__cgroup": f"0::/system.slice/docker-{ONE}.scope"}),
        ({}, {"proc__self__cgroup": "0::/", "etc__hostname": f"{ONE[:12]}\n"}),
        ({"HOSTNAME": ONE[:12]}, {}),
    ],
)
def test_which_container_by_what_is_found_in_it(
    tmp_path: Path, environ: dict[str, str], files: dict[str, str]
) -> None:
    assert container_id(known(ONE, TWO), environ, root(tmp_path, **files)) == ONE


def test_the_kernels_word_goes_first(tmp_path: Path) -> None:
    place = root(tmp_path, etc__hostname="dev")
    assert container_id(known(ONE, caller=ONE), {"AGENTTOWER_CONTAINER_ID": TWO}, place) == ONE
    with pytest.raises(ContainerUnresolved, match="not active"):
        container_id(known(TWO, caller=ONE), {}, place)


@pytest.mark.parametrize("name", ["dev", "n1", ONE[:11], ""])
def test_a_container_that_is_not_to_be_told(tmp_path: Path, name: str) -> None:
    """Also where the daemon knows a single one: that need not be ours."""
    with pytest.raises(ContainerUnresolved):
        container_id(known(ONE), {}, root(tmp_path, etc__hostname=name))


def test_two_containers_in_one_cgroup_are_not_told_apart(tmp_path: Path) -> None:
    place = root(tmp_path, proc__self__cgroup=f"1:cpu:/docker/{ONE}\n0::/docker/{TWO}")
    with pytest.raises(ContainerUnresolved, match="several"):
        container_id(known(ONE, TWO), {}, place)


def test_which_pane() -> None:
    assert own_pane(ENVIRON).socket_path == "/tmp/tmux-0/default"
    assert own_pane({**ENVIRON, "TMUX": "/tmp/a,b,28,0"}).socket_path == "/tmp/a,b"
    for missing in ("TMUX", "TMUX_PANE"):
        with pytest.raises(NotInTmux):
            own_pane({**ENVIRON, missing: ""})
    for broken in ({"TMUX": "/tmp/s"}, {"TMUX": ",,"}, {"TMUX_PANE": "3"}, {"TMUX_PANE": "%3x"}):
        with pytest.raises(TmuxPaneMalformed):
            own_pane({**ENVIRON, **broken})


class Daemon:
    """Answers as the daemon would; knows the pane before a scan, after one, or never."""

    def __init__(self, knows: str) -> None:
        self.knows = knows
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, method: str, params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        self.asked.append((method, dict(params)))
        if method == "list_containers":
            return known(ONE, caller=ONE)
        if method == "list_panes":
            there = self.knows == "before" or (self.knows == "after" and self.scanned())
            rows = [row("%4", "one"), row("%3", "shared"), row("%3", "two", agent_id="agt_1")]
            return {"panes": rows if there else rows[:1]}
        return {"agent_id": "agt_1"}

    def scanned(self) -> bool:
        return ("scan_panes", {"container": ONE}) in self.asked


def row(pane_id: str, session: str, agent_id: str | None = None) -> dict[str, Any]:
    return {
        "container_id": ONE, "tmux_socket_path": "/tmp/tmux-0/default",
        "tmux_session_name": session, "tmux_window_index": 0, "tmux_pane_index": 0,
        "tmux_pane_id": pane_id, "agent_id": agent_id, "pane_title": "t",
    }  # fmt: skip


@pytest.mark.parametrize("knows", ["before", "after", "never"])
def test_one_scan_where_the_pane_is_not_known(tmp_path: Path, knows: str) -> None:
    place = root(tmp_path, **{"run__.containerenv": ""})
    daemon = Daemon(knows)
    if knows == "never":
        with pytest.raises(AgentTowerError) as refused:
            register_self(daemon, {}, ENVIRON, place)
        assert refused.value.code == "pane_unknown_to_daemon"
        assert "register_agent" not in dict(daemon.asked)
        return
    assert register_self(daemon, {"role": "slave"}, ENVIRON, place) == {"agent_id": "agt_1"}
    assert daemon.scanned() is (knows == "after")
    method, params = daemon.asked[-1]
    assert method == "register_agent"
    assert params == {
        "container_id": ONE,
        "pane_composite_key": {
            name: row("%3", "two")[name] for name in params["pane_composite_key"]
        },
        "role": "slave",
    }
    assert len(params["pane_composite_key"]) == 6


def test_no_container_no_registration(tmp_path: Path) -> None:
    daemon = Daemon("before")
    with pytest.raises(AgentTowerError) as refused:
        register_self(daemon, {}, ENVIRON, tmp_path)
    assert refused.value.code == "host_context_unsupported"
    assert daemon.asked == []


def test_only_what_was_typed_is_sent() -> None:
    assert given_of({"role": None, "label": None, "attach_log": False}) == {}
    assert given_of({"label": "", "project": "/p", "parent": "agt_1", "attach_log": True}) == {
        "label": "",
        "project_path": "/p",
        "parent_agent_id": "agt_1",
        "attach_log": {},
    }
    assert given_of({"attach_log": False, "log": "/l"}) == {"attach_log": {"log_path": "/l"}}
