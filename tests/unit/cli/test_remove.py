"""``pane remove`` and ``layout remove``: when they ask, what they tell, and how they end."""

from __future__ import annotations

import json
import signal

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal

OTHER = "aaaa1111-0000-4000-8000-000000000001"
STUCK = "bbbb2222-0000-4000-8000-000000000002"
ADOPTED = "agt_0123456789ab"


@pytest.fixture
def benches(daemon: FakeDaemon) -> FakeDaemon:
    """Removes everything but ``STUCK`` and the adopted agent."""

    def remove_pane(params):
        if params["pane_id"] == ADOPTED:
            raise Refusal("managed_pane_protected_adopted", "never", agent_id=ADOPTED)
        if params["pane_id"] == STUCK:
            raise Refusal("internal_error", f"pane s1 ({STUCK}) could not be removed: it hangs")
        return {"pane_id": params["pane_id"], "state": "removed"}

    def remove_layout(params):
        panes = [{"pane_id": samples.PANE, "state": "removed"}]
        return {"layout_id": params["layout_id"], "state": "removed", "panes": panes}

    daemon.on("managed.pane.remove", remove_pane)
    daemon.on("managed.layout.remove", remove_layout)
    daemon.on("managed.pane.detail", lambda params: samples.done("s1", **params))
    daemon.on("list_containers", {"containers": [samples.container()]})
    return daemon


def layout_of(daemon: FakeDaemon, *labels: str) -> None:
    panes = [samples.done(label) for label in labels]
    daemon.on("managed.layout.detail", samples.layout("ready", panes))


def asked(daemon: FakeDaemon) -> list[str]:
    return [method for method, _ in daemon.requests]


def test_one_pane_is_one_request_and_no_question(cli, benches: FakeDaemon):
    ended = cli("pane", "remove", samples.PANE)
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines == ["PANE_ID\tSTATE\tCODE\tREASON", f"{samples.PANE}\tremoved\t-\t-"]
    assert benches.requests == [("managed.pane.remove", {"pane_id": samples.PANE})]
    shown = cli.on_terminal("--no-color", "pane", "remove", samples.PANE)
    assert (shown.code, shown.lines[1].split()) == (0, [samples.PANE, "removed"])
    ended = cli("pane", "remove", samples.PANE, "--json")
    result = {"panes": [{"pane_id": samples.PANE, "state": "removed"}]}
    assert (ended.code, json.loads(ended.out)) == (0, {"ok": True, "result": result})


def test_naming_a_pane_twice_removes_it_once(cli, benches: FakeDaemon):
    assert cli("pane", "remove", samples.PANE, samples.PANE.upper()).code == 0
    assert asked(benches) == ["managed.pane.remove"]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
def test_several_need_yes_where_nobody_can_be_asked(cli, benches: FakeDaemon, form):
    layout_of(benches, "m1", "s1")
    for arguments in (
        ("pane", "remove", samples.PANE, OTHER),
        ("layout", "remove", samples.LAYOUT, OTHER),
        ("layout", "remove", samples.LAYOUT),
    ):
        ended = cli(*arguments, *form)
        assert ended.code == ExitCode.USAGE
        assert "say --yes" in (ended.out if form else ended.err)
    assert "this removes 2 panes" in ended.out + ended.err
    assert set(asked(benches)) == {"managed.layout.detail"}
    for arguments in (
        ("pane", "remove", samples.PANE, OTHER, "--yes"),
        ("layout", "remove", samples.LAYOUT, OTHER, "-y"),
    ):
        assert cli(*arguments, *form).code == 0
    assert asked(benches)[1:] == ["managed.pane.remove"] * 2 + ["managed.layout.remove"] * 2


def test_json_on_a_terminal_does_not_ask_either(cli, benches: FakeDaemon):
    shown = cli.on_terminal("pane", "remove", samples.PANE, OTHER, "--json", typed="y\n")
    assert shown.code == ExitCode.USAGE
    assert not asked(benches)


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 8), ("\n", 8), ("\x04", 130)])
def test_several_panes_are_shown_and_asked_about(cli, benches: FakeDaemon, typed, code):
    shown = cli.on_terminal("--no-color", "pane", "remove", samples.PANE, OTHER, typed=typed)
    assert shown.code == code, shown.out
    plan = next(line for line in shown.lines if line.startswith(OTHER))
    assert plan.split()[1:] == ["s1", "slave", "ready", samples.LAYOUT, "work", "bench-1"]
    assert "Remove 2 panes, and end all that runs in them? [y/N]" in shown.out
    assert asked(benches).count("managed.pane.remove") == (2 if code == 0 else 0)
    assert ("nothing was removed" in shown.out) is (code == ExitCode.DECLINED)


def test_a_layout_with_several_panes_is_asked_about(cli, benches: FakeDaemon):
    layout_of(benches, "m1", "s1")
    shown = cli.on_terminal("--no-color", "layout", "remove", samples.LAYOUT, typed="n\n")
    assert shown.code == ExitCode.DECLINED == 8
    assert [line.split()[1] for line in shown.lines if line.startswith("pane-")] == ["m1", "s1"]
    assert "managed.layout.remove" not in asked(benches)
    shown = cli.on_terminal("layout", "remove", samples.LAYOUT, typed="y\n")
    assert shown.code == 0
    assert asked(benches)[-1] == "managed.layout.remove"


@pytest.mark.parametrize("labels", [(), ("m1",)])
def test_a_layout_with_one_pane_or_none_is_not(cli, benches: FakeDaemon, labels):
    layout_of(benches, *labels)
    ended = cli("layout", "remove", samples.LAYOUT)
    assert ended.lines == ["LAYOUT_ID\tSTATE\tCODE\tREASON", f"{samples.LAYOUT}\tremoved\t-\t-"]
    document = json.loads(cli("layout", "remove", samples.LAYOUT, "--json").out)
    assert document["result"]["layouts"][0]["panes"][0]["state"] == "removed"


def test_a_layout_that_is_not_there_is_refused_before_any_effect(cli, benches: FakeDaemon):
    def refuse(_params):
        raise Refusal("managed_layout_not_found", "no layout")

    benches.on("managed.layout.detail", refuse)
    assert cli("layout", "remove", samples.LAYOUT).code == ExitCode.REFUSED
    assert asked(benches) == ["managed.layout.detail"]


def test_a_refusal_says_why(cli, benches: FakeDaemon):
    ended = cli("pane", "remove", STUCK)
    assert (ended.code, ended.out) == (ExitCode.REFUSED, "")
    assert ended.err == (
        f"error: pane s1 ({STUCK}) could not be removed: it hangs\ncode: internal_error\n"
    )
    benches.on("managed.pane.list", {"items": [], "next": None})
    ended = cli("pane", "remove", ADOPTED, "--json")
    assert json.loads(ended.out)["error"]["code"] == "managed_pane_protected_adopted"


def test_one_that_is_refused_does_not_hold_up_the_others(cli, benches: FakeDaemon):
    names = (samples.PANE, STUCK, OTHER)
    ended = cli("pane", "remove", *names, "--yes")
    assert ended.code == ExitCode.REFUSED
    assert ended.lines[1:] == [
        f"{samples.PANE}\tremoved\t-\t-",
        f"{OTHER}\tremoved\t-\t-",
        f"{STUCK}\t-\tinternal_error\tpane s1 ({STUCK}) could not be removed: it hangs",
    ]
    assert "1 of 3 panes could not be removed" in ended.err
    error = json.loads(cli("pane", "remove", *names, "--yes", "--json").out)["error"]
    assert error["details"]["removed"] == [samples.PANE, OTHER]
    assert [row["pane_id"] for row in error["details"]["refused"]] == [STUCK]
    shown = cli.on_terminal("--no-color", "pane", "remove", *names, typed="y\n").out
    assert f"{STUCK}: pane s1 ({STUCK}) could not be removed: it hangs" in shown


def test_a_layout_names_every_pane_that_is_left(cli, benches: FakeDaemon):
    def refuse(_params):
        raise Refusal("internal_error", "pane m1 (pane-m1) could not be removed: it hangs")

    stuck = {"failed_stage": "tmux_kill", "failure_reason": "it hangs"}
    panes = [samples.done("m1", **stuck), samples.done("s1", **stuck), samples.done("s2")]
    benches.on("managed.layout.detail", samples.layout("ready", panes))
    benches.on("managed.layout.remove", refuse)
    ended = cli("layout", "remove", samples.LAYOUT, "--yes")
    assert ended.code == ExitCode.REFUSED
    assert ended.err.splitlines()[0] == (
        "error: pane m1 (pane-m1) could not be removed: it hangs; "
        "also left: pane s1 (pane-s1): it hangs"
    )
    error = json.loads(cli("layout", "remove", samples.LAYOUT, "--yes", "--json").out)["error"]
    assert [pane["label"] for pane in error["details"]["panes_left"]] == ["m1", "s1"]


def test_a_lost_answer_shows_what_was_done_and_what_is_not_known(cli, benches: FakeDaemon):
    answer = benches.answers["managed.pane.remove"]

    def hang_up(params):
        if params["pane_id"] == OTHER:
            raise HangUp
        return answer(params)

    benches.on("managed.pane.remove", hang_up)
    ended = cli("pane", "remove", samples.PANE, OTHER, STUCK, "--yes")
    assert ended.code == ExitCode.UNREACHABLE
    assert ended.lines[1:] == [f"{samples.PANE}\tremoved\t-\t-"]
    assert f"the removal of pane {OTHER} goes on if it was accepted" in ended.err
    assert len(benches.requests) == 2, "a daemon that is gone is not asked about the rest"


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
def test_ctrl_c_says_that_the_removal_goes_on(cli, benches: FakeDaemon, form):
    benches.on("managed.pane.remove", lambda _params: benches.hold())
    process = cli.start("pane", "remove", samples.PANE, *form)
    benches.wait_for("managed.pane.remove")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    words = f"the removal of pane {samples.PANE} goes on"
    assert words in (json.loads(out)["error"]["message"] if form else err)
