"""The bench without a container: this machine's tmux on a private socket, off unless asked for."""

from __future__ import annotations

import subprocess

from tests.support.layouts import log_of, refusal, settled, write_profile
from tests.support.tower import Tower


def test_it_is_off_unless_configured(tower: Tower) -> None:
    assert refusal(tower, "scan_containers", {})["code"] == "docker_unavailable"
    assert tower.result("list_containers")["containers"] == []


def test_a_layout_in_the_local_bench(tower: Tower) -> None:
    tower.stop()
    tower.home.write_config("[local]\nenabled = true\n")
    tower.start()
    scan = tower.result("scan_containers")
    assert scan["status"] == "degraded", "Docker is not there, and that is told"
    [bench] = tower.result("list_containers")["containers"]
    assert (bench["name"], bench["provider"], bench["active"]) == ("local", "local", True)

    write_profile(tower, "greets", ["/bin/sh", "-c", "echo hello; exec sleep 600"])
    made = tower.result(
        "managed.layout.create",
        {
            "container_id": "local",
            "template_name": "1m+2s",
            "tmux_session_name": "work",
            "launch_command_overrides": {"master:m1": "greets"},
        },
    )
    detail = settled(tower, made["layout_id"])
    assert detail["state"] == "ready", detail
    assert log_of(tower, detail["panes"][0]).read_bytes() == b"hello\r\n"

    socket = tower.home.paths.state_dir / "local-tmux.sock"
    listed = subprocess.run(
        ["tmux", "-S", str(socket), "list-panes", "-s", "-t", "=work:", "-F", "#{pane_title}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(listed.stdout.split()) == ["m1", "s1", "s2"]
