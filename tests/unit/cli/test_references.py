"""Naming a layout or a pane: whole ids, beginnings of ids, and labels."""

from __future__ import annotations

import json

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon

FIRST = "aaaa1111-0000-4000-8000-000000000001"
SECOND = "aaaa2222-0000-4000-8000-000000000002"
THIRD = "bbbb3333-0000-4000-8000-000000000003"


def panes(daemon: FakeDaemon, *rows: dict[str, object]) -> None:
    """These are the panes that there are, a page each."""

    def page(params):
        place = int(params.get("after", "0"))
        following = str(place + 1) if place + 1 < len(rows) else None
        return {"items": rows[place : place + 1], "next": following}

    daemon.on("managed.pane.list", page)
    daemon.on("managed.pane.detail", lambda params: {**rows[0], **params})


def shown(daemon: FakeDaemon) -> list[str]:
    return [params["pane_id"] for params in daemon.params_of("managed.pane.detail")]


@pytest.mark.parametrize("name", [samples.PANE, samples.PANE.upper()])
def test_a_whole_id_is_not_looked_up(cli, daemon: FakeDaemon, name):
    daemon.on("managed.pane.detail", samples.done("m1"))
    assert cli("pane", "show", name).code == 0
    assert [method for method, _ in daemon.requests] == ["managed.pane.detail"]
    assert shown(daemon) == [samples.PANE]


@pytest.mark.parametrize("name", ["aaaa2", "AAAA2", SECOND[:-1], "s2"])
def test_the_beginning_of_an_id_or_a_label(cli, daemon: FakeDaemon, name):
    panes(
        daemon,
        samples.done("m1", pane_id=FIRST),
        samples.done("s1", pane_id=THIRD),
        samples.done("s2", pane_id=SECOND),
    )
    assert cli("pane", "show", name).code == 0
    assert shown(daemon) == [SECOND]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
def test_an_ambiguous_name_lists_the_candidates(cli, daemon: FakeDaemon, form):
    panes(
        daemon,
        samples.done("m1", pane_id=FIRST),
        samples.pane("s1", "removed", pane_id=SECOND),
    )
    ended = cli("pane", "show", "aaaa", *form)
    assert ended.code == ExitCode.USAGE
    assert not shown(daemon)
    if form:
        error = json.loads(ended.out)["error"]
        assert error["code"] == "usage"
        assert [row["pane_id"] for row in error["details"]["candidates"]] == [FIRST, SECOND]
    else:
        assert "'aaaa' fits 2 panes; give more of the id:" in ended.err
        assert f"  {FIRST}  m1  ready  {samples.LAYOUT}  {samples.CONTAINER}\n" in ended.err
        assert f"  {SECOND}  s1  removed  " in ended.err


@pytest.mark.parametrize("name", ["aaa", "", "m", "cccc", "%1"])
def test_a_name_that_fits_nothing_is_refused(cli, daemon: FakeDaemon, name):
    panes(daemon, samples.done("m1", pane_id=FIRST))
    ended = cli("pane", "show", name)
    assert ended.code == ExitCode.REFUSED
    assert f"no managed pane {name!r}; see 'agenttower pane list'" in ended.err
    assert ended.err.endswith("code: managed_pane_not_found\n")


def test_a_label_means_the_newest_of_its_slot(cli, daemon: FakeDaemon):
    panes(
        daemon,
        samples.pane("m1", "removed", pane_id=FIRST),
        samples.pane("m1", "failed", pane_id=SECOND, predecessor_id=FIRST),
    )
    assert cli("pane", "show", "m1").code == 0
    assert shown(daemon) == [SECOND]


def test_a_label_means_what_is_there_before_what_was_removed(cli, daemon: FakeDaemon):
    panes(
        daemon,
        samples.done("m1", pane_id=FIRST),
        samples.pane("m1", "removed", pane_id=SECOND, layout_id="other"),
    )
    cli("pane", "show", "m1")
    assert shown(daemon) == [FIRST]
    daemon.on("managed.pane.recreate", lambda _params: {"pane_id": THIRD})
    cli("pane", "recreate", "m1", "--detach")
    assert daemon.params_of("managed.pane.recreate") == [{"predecessor_pane_id": SECOND}]


def test_a_label_in_two_containers_is_ambiguous(cli, daemon: FakeDaemon):
    panes(
        daemon,
        samples.done("m1", pane_id=FIRST),
        samples.done("m1", pane_id=THIRD, container_id="cd" * 32),
    )
    ended = cli("pane", "remove", "m1")
    assert ended.code == ExitCode.USAGE
    assert f"{THIRD}  m1  ready  {samples.LAYOUT}  {'cd' * 32}\n" in ended.err
    assert not daemon.params_of("managed.pane.remove")


def test_an_id_that_begins_like_a_label_is_ambiguous(cli, daemon: FakeDaemon):
    panes(
        daemon,
        {**samples.done("s1", pane_id=FIRST), "label": "bbbb"},
        samples.done("s2", pane_id=THIRD),
    )
    assert cli("pane", "remove", "bbbb").code == ExitCode.USAGE


def test_layouts(cli, daemon: FakeDaemon):
    rows = [{"layout_id": FIRST, "state": "ready"}, {"layout_id": SECOND, "state": "removed"}]
    daemon.on("managed.layout.list", {"items": rows, "next": None})
    daemon.on("managed.layout.detail", samples.layout("ready", []))
    assert cli("layout", "show", "aaaa2").code == 0
    assert daemon.params_of("managed.layout.detail")[0]["layout_id"] == SECOND
    ended = cli("layout", "show", "aaaa")
    assert (ended.code, "fits 2 layouts" in ended.err) == (ExitCode.USAGE, True)
    ended = cli("layout", "show", "bbbb")
    assert (ended.code, ended.err.splitlines()[-1]) == (3, "code: managed_layout_not_found")


def test_filters_take_names_too(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.list", {"items": [{"layout_id": SECOND}], "next": None})
    panes(daemon, samples.done("m1", pane_id=FIRST))
    daemon.on("managed.event.list", {"events": [], "next": 0})
    assert cli("pane", "list", "--layout", "aaaa2").code == 0
    assert daemon.params_of("managed.pane.list")[0]["layout_id"] == SECOND
    assert cli("events", "--layout", "aaaa2", "--pane", "m1").code == 0
    asked = daemon.params_of("managed.event.list")[0]
    assert (asked["layout_id"], asked["pane_id"]) == (SECOND, FIRST)
