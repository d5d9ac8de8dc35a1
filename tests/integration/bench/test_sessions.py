"""Whose session it is, and where further panes go when users move things about."""

from __future__ import annotations

import pytest

from agenttower.errors import SessionNameConflict
from tests.support.bench_box import Box, soon, token


def test_a_name_that_somebody_else_uses(box: Box) -> None:
    box.tmux("new-session", "-d", "-s", "theirs")
    before = box.tmux("list-panes", "-a", "-F", "#{session_name} #{pane_id}")
    with pytest.raises(SessionNameConflict) as caught:
        box.create(session="theirs")
    assert caught.value.details["tmux_session_name"] == "theirs"
    assert set(before.splitlines()) <= set(
        box.tmux("list-panes", "-a", "-F", "#{session_name} #{pane_id}").splitlines()
    )
    assert box.bench.find_panes(None, soon()) == {}


def test_a_name_of_another_layout_of_ours(box: Box) -> None:
    first = box.create()
    with pytest.raises(SessionNameConflict):
        box.create(owner=token())
    assert list(box.bench.find_panes(None, soon())) == [first.token]


def test_names_with_a_dot_are_compared_as_tmux_keeps_them(box: Box) -> None:
    first = box.create(session="a.b")
    assert first.session_name == "a_b"
    with pytest.raises(SessionNameConflict):
        box.create(session="a_b", owner=token())
    assert box.create(session="a.b", siblings=[first.token]).session_name == "a_b"


@pytest.mark.parametrize("name", ["-x", "0", "1.0", "--", "...", "x" * 64])
def test_strange_but_allowed_names(box: Box, name: str) -> None:
    box.create(session="xx", owner=token())
    view = box.create(session=name)
    assert view.session_name == name.replace(".", "_")
    assert box.create(session=name, siblings=[view.token]).session_name == view.session_name


def test_a_prefix_of_another_name_is_not_that_session(box: Box) -> None:
    other = box.create(session="longname", owner=token())
    view = box.create(session="long")
    assert view.session_name == "long"
    assert box.see(other.token).session_name == "longname"  # type: ignore[union-attr]


def test_a_renamed_session_is_still_the_layouts(box: Box) -> None:
    first = box.create()
    box.tmux("rename-session", "-t", f"={box.session}:", "renamed")
    second = box.create(siblings=[first.token])
    assert second.session_name == "renamed"


def test_a_pane_broken_out_into_its_own_window(box: Box) -> None:
    first, second = box.layout(2)
    box.tmux("break-pane", "-d", "-s", second.pane_id)
    moved = box.see(second.token)
    assert moved is not None
    assert moved.window_index != first.window_index
    third = box.create(siblings=[first.token, second.token])
    assert third.session_name == box.session
    for view in (first, second, third):
        assert box.bench.kill_pane(view.token, soon())


def test_a_pane_moved_into_a_users_session_draws_nothing_after_it(box: Box) -> None:
    first = box.create()
    box.tmux("new-session", "-d", "-s", "theirs", "-x", "200", "-y", "50")
    box.tmux("join-pane", "-d", "-s", first.pane_id, "-t", "=theirs:")
    second = box.create(siblings=[first.token])
    assert second.session_name == box.session
    assert box.see(first.token).session_name == "theirs"  # type: ignore[union-attr]


def test_a_session_emptied_of_ours_is_used_again(box: Box) -> None:
    first = box.create()
    theirs = box.tmux("split-window", "-P", "-F", "#{pane_id}", "-t", first.pane_id, "sleep 100")
    assert box.bench.kill_pane(first.token, soon())
    second = box.create(siblings=[first.token])
    assert second.session_name == box.session
    assert theirs in box.tmux("list-panes", "-a", "-F", "#{pane_id}").splitlines()


def test_a_session_that_is_gone_is_made_anew(box: Box) -> None:
    first = box.create()
    assert box.bench.kill_pane(first.token, soon())
    assert box.bench.session_names(soon()) == []
    assert box.create(siblings=[first.token]).session_name == box.session


def test_the_control_session_is_not_shown(box: Box) -> None:
    box.tmux("new-session", "-d", "-s", "user")
    assert set(box.bench.session_names(soon())) == {"user"}
    box.create()
    assert set(box.bench.session_names(soon())) == {"user", box.session}
    assert "agenttower-ctl" in box.tmux("list-sessions", "-F", "#{session_name}").splitlines()
