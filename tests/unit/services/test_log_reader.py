"""The reader over real files and a real database: what is told, from where, exactly once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttower.settings import EventRules
from agenttower.store.models import Agent, LogAttachment, LogOffset
from agenttower.store.models.panes import Pane
from tests.support.reading import CONTAINER, Desk, agent_id, desk


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        yield one


def pane_row(here: Desk, number: int, *, active: bool) -> None:
    Pane.insert(
        container_id=CONTAINER,
        tmux_socket_path="/tmp/tmux-1000/default",
        tmux_session_name="work",
        tmux_window_index=0,
        tmux_pane_index=number,
        tmux_pane_id=f"%{number}",
        tmux_server="1",
        container_user="",
        pane_pid=1,
        pane_tty="",
        pane_current_command="",
        pane_current_path="",
        pane_title="",
        token="",
        pane_active=True,
        active=active,
        first_seen_at=here.now,
        last_scanned_at=here.now,
        last_seen_at=here.now,
    ).on_conflict_replace().execute()


# --- reading -------------------------------------------------------------------------------------


def test_lines_become_events_with_their_places(here: Desk) -> None:
    here.attach()
    here.write("Error: no such file\r\nFAILED tests/a.py::b - x\nthe rest of a li")
    [look] = here.read_all()
    error, failed = here.events()
    assert error == {
        "event_id": 1,
        "event_type": "error",
        "agent_id": agent_id(1),
        "attachment_id": "atc_000000000001",
        "log_path": str(here.log()),
        "byte_range_start": 0,
        "byte_range_end": 21,
        "line_offset_start": 0,
        "line_offset_end": 1,
        "observed_at": "2026-09-21T14:13:20.000000+00:00",
        "record_at": None,
        "excerpt": "Error: no such file",
        "classifier_rule_id": "error.line.v1",
        "debounce": {
            "window_id": None,
            "collapsed_count": 1,
            "window_started_at": None,
            "window_ended_at": None,
        },
        "schema_version": 1,
    }
    assert (failed["byte_range_start"], failed["line_offset_start"]) == (21, 1)
    assert (look.lag_bytes, here.rung) == (16, 1)
    offset = here.offset()
    assert (offset.byte_offset, offset.line_offset, offset.last_event_offset) == (46, 2, 21)
    assert offset.file_size_seen == here.log().stat().st_size
    here.write("ne: DONE\n")
    here.read_all()
    assert here.types() == ["error", "test_failed", "completed"]


def test_activity_is_one_event_a_window(here: Desk) -> None:
    here.attach()
    reader = here.reader()
    here.write("one\ntwo\n")
    look = reader.look()
    assert here.events() == []
    assert look.due_in_s == 5.0
    here.later(3)
    here.write("three\n")
    reader.look()
    here.later(1.9)
    assert reader.look().due_in_s == pytest.approx(0.1)
    here.later(0.1)
    reader.look()
    [event] = here.events()
    assert (event["byte_range_start"], event["byte_range_end"]) == (0, 14)
    assert (event["line_offset_start"], event["line_offset_end"]) == (0, 3)
    assert event["excerpt"] == "three"
    window = event["debounce"]
    assert window["collapsed_count"] == 3
    assert window["window_started_at"] == "2026-09-21T14:13:20.000000+00:00"
    assert window["window_ended_at"] == event["observed_at"] == "2026-09-21T14:13:23.000000+00:00"
    reader.look()
    assert len(here.events()) == 1


def test_a_line_past_the_deadline_closes_the_window_and_opens_the_next(here: Desk) -> None:
    here.attach()
    reader = here.reader()
    here.write("one\n")
    reader.look()
    here.later(5)
    here.write("two\nDONE\n")
    reader.look()
    assert [event["excerpt"] for event in here.events()] == ["one", "DONE"]
    here.later(5)
    reader.look()
    assert [event["excerpt"] for event in here.events()] == ["one", "DONE", "two"]


def test_an_open_window_outlives_the_reader(here: Desk) -> None:
    here.attach()
    here.write("one\n")
    here.reader().look()
    here.write("two\n")
    here.later(1)
    here.reader().look()
    here.later(5)
    here.reader().look()
    [event] = here.events()
    assert event["debounce"]["collapsed_count"] == 2


@pytest.mark.parametrize("status", ["detached", "superseded", "stale"])
def test_a_window_is_told_when_its_attachment_ends(here: Desk, status: str) -> None:
    here.attach()
    here.write("one\n")
    reader = here.reader()
    reader.look()
    LogAttachment.update(status=status).execute()
    reader.look()
    assert here.types() == ["activity"]
    reader.look()
    assert here.types() == ["activity"]


def test_a_log_is_read_piece_by_piece_and_starves_no_other(here: Desk) -> None:
    here.attach(1)
    here.attach(2)
    here.write("Error: one\n" * 30_000, 1)
    here.write("Error: two\n", 2)
    reader = here.reader()
    look = reader.look()
    assert (look.more, len(here.events(2))) == (True, 1)
    assert len(here.events(1)) == 65_536 // 11
    here.read_all(reader)
    assert len(here.events(1)) == 30_000
    ends = [event["byte_range_end"] for event in here.events(1)]
    assert ends == list(range(11, 330_001, 11))


def test_a_line_longer_than_a_piece_is_cut_and_counted(here: Desk) -> None:
    here.attach()
    here.write("x" * 200_000)
    reader = here.reader()
    here.read_all(reader)
    assert reader.cut_lines == 3
    assert here.offset().byte_offset == 196_608
    assert here.offset().line_offset == 0
    here.write("\nError: y\n")
    here.read_all(reader)
    assert here.offset().line_offset == 2
    [error] = here.events()
    assert (error["line_offset_start"], error["byte_range_end"]) == (1, 200_010)


def test_secrets_are_gone_before_anything_is_stored(here: Desk) -> None:
    here.attach()
    secret = "sk-abcdefghijklmnopqrstuvwxyz"
    here.write(f"Error: \x1b[32m{secret}\x1b[0m\n{'x' * 2000} {secret}\n")
    here.read_all()
    here.later(6)
    here.read_all()
    with closing(sqlite3.connect(here.root / "state.sqlite3")) as database:
        dump = "\n".join(database.iterdump())
    assert "<redacted:openai-key>" in dump
    assert secret not in dump
    assert secret[:12] not in dump


# --- what becomes of files -----------------------------------------------------------------------


def test_a_truncated_file_is_read_from_its_beginning(here: Desk) -> None:
    here.attach()
    reader = here.reader()
    here.write("Error: a\nworking\n")
    here.read_all(reader)
    os.truncate(here.log(), 0)
    here.write("Error: b\n")
    here.read_all(reader)
    assert [event["excerpt"] for event in here.events()] == ["Error: a", "working", "Error: b"]
    assert here.events()[2]["byte_range_start"] == 0
    assert here.offset().byte_offset == 9


def test_another_file_of_that_name_is_read_from_its_beginning(
    here: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    here.attach()
    reader = here.reader()
    here.write("Error: a\n")
    here.read_all(reader)
    here.log().rename(here.log().with_suffix(".1"))
    here.write("Error: b, in a longer file than before\n")
    with caplog.at_level("INFO"):
        here.read_all(reader)
    assert here.types() == ["error", "error"]
    assert here.offset().file_inode.endswith(f":{here.log().stat().st_ino}")
    assert caplog.text.count("log_rotation_detected") == 1


def test_a_missing_file_makes_an_attachment_stale_and_its_return_is_said_once(
    here: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    here.attach()
    reader = here.reader()
    here.write("one\n")
    reader.look()
    here.log().unlink()
    with caplog.at_level("INFO"):
        reader.look()
        reader.look()
        assert (here.status(), here.types()) == ("stale", ["activity"])
        [line] = here.audit()
        assert line["type"] == "log_attachment_change"
        assert (line["prior_status"], line["new_status"]) == ("active", "stale")
        here.write("Error: two\n")
        reader.look()
        reader.look()
    assert here.status() == "stale"
    assert here.types() == ["activity"]
    assert here.offset().byte_offset == 4
    assert caplog.text.count("log_file_missing") == 1
    assert caplog.text.count("log_file_returned") == 1


def test_a_managed_log_that_is_missing_waits_for_its_pane_to_be_piped_again(here: Desk) -> None:
    here.attach(source="managed", offset=False)
    reader = here.reader()
    here.write("Error: a\n")
    here.read_all(reader)
    here.log().unlink()
    reader.look()
    [trouble] = reader.troubles.reading.values()
    assert (here.status(), trouble.error_class) == ("active", "log_file_missing")
    here.write("Error: b\n")
    here.read_all(reader)
    assert here.types() == ["error", "error"]
    assert reader.troubles.reading == {}


def test_an_offset_is_never_invented_for_a_log_that_others_began(here: Desk) -> None:
    here.attach(offset=False)
    here.write("Error: a\n")
    reader = here.reader()
    reader.look()
    [trouble] = reader.troubles.reading.values()
    assert trouble.error_class == "offset_row_missing"
    assert LogOffset.select().count() == 0


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_only_regular_files_are_read(here: Desk, kind: str) -> None:
    here.attach(1)
    here.attach(2)
    here.log(1).unlink()
    secret = here.root / "secret"
    secret.write_text("Error: secret\n")
    if kind == "link":
        here.log(1).symlink_to(secret)
    elif kind == "directory":
        here.log(1).mkdir()
    else:
        os.mkfifo(here.log(1))
    here.write("Error: fine\n", 2)
    reader = here.reader()
    here.read_all(reader)
    assert [event["agent_id"] for event in here.events()] == [agent_id(2)]
    [trouble] = reader.troubles.reading.values()
    assert (trouble.agent_id, trouble.error_class) == (agent_id(1), "log_unreadable")
    assert here.status(1) == "active"


def test_no_directory_that_is_a_link_is_passed(here: Desk) -> None:
    here.attach()
    elsewhere = here.root / "elsewhere"
    here.log().parent.rename(elsewhere)
    here.log().parent.symlink_to(elsewhere)
    here.write("Error: a\n")
    reader = here.reader()
    reader.look()
    assert here.events() == []
    assert len(reader.troubles.reading) == 1


# --- the database ---------------------------------------------------------------------------------


def test_a_locked_database_loses_nothing(here: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    here.attach()
    here.write("Error: a\nworking\n")
    here.store.execute("PRAGMA busy_timeout = 0")
    reader = here.reader()
    with closing(sqlite3.connect(here.root / "state.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        look = reader.look()
        assert look.more
        [waiting] = reader.troubles.writing.values()
        assert (waiting.error_class, waiting.events) == ("database_locked", 1)
        other.rollback()
    here.read_all(reader)
    assert reader.troubles.writing == {}
    here.later(5)
    here.read_all(reader)
    assert here.types() == ["error", "activity"]


def test_somebody_else_moving_the_offset_undoes_a_visit(here: Desk) -> None:
    here.attach()
    here.write("Error: a\n")

    class Meddling:
        via = "pipe"

        def __init__(self) -> None:
            self.real = here.reader()._source

        def facts(self, reading):
            return self.real.facts(reading)

        def read(self, reading, facts, limit):
            LogOffset.update(updated_at=here.now + 5).execute()
            return self.real.read(reading, facts, limit)

    look = here.reader(Meddling()).look()
    assert look.more
    assert (here.events(), here.offset().byte_offset) == ([], 0)


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["detached", "superseded", "stale"])
def test_last_words_are_read_though_the_attachment_has_ended(here: Desk, status: str) -> None:
    here.attach()
    here.write("working\n")
    reader = here.reader()
    reader.look()
    here.write("working\n" * 20_000 + "Error: out of memory\nand a rest")
    LogAttachment.update(status=status, last_status_at=here.now).execute()
    here.read_all(reader)
    assert here.types() == ["error", "activity"]
    assert here.lines_told() == 20_002
    here.write(" of a line\nError: printed by somebody else\n")
    here.read_all(reader)
    assert here.types() == ["error", "activity"]
    LogAttachment.update(status="active").execute()
    here.read_all(reader)
    assert here.types()[2:] == ["error"]


def test_last_words_are_read_by_the_next_worker_too(here: Desk) -> None:
    here.attach(1)
    here.attach(2)
    here.write("Error: now\n", 1)
    here.write("Error: long ago\n", 2)
    old = here.now - 700 * 1_000_000
    LogAttachment.update(status="stale", last_status_at=here.now).execute()
    LogAttachment.update(last_status_at=old).where(LogAttachment.agent_id == agent_id(2)).execute()
    here.read_all()
    here.read_all()
    assert [event["excerpt"] for event in here.events()] == ["Error: now"]


def test_no_last_words_of_another_file(here: Desk) -> None:
    here.attach()
    here.write("working\n")
    reader = here.reader()
    reader.look()
    here.log().rename(here.log().with_suffix(".1"))
    here.write("Error: of another file, which is longer\n")
    LogAttachment.update(status="stale", last_status_at=here.now).execute()
    here.read_all(reader)
    assert here.types() == ["activity"]


# --- silence --------------------------------------------------------------------------------------


def test_long_running_is_told_once_a_task(here: Desk) -> None:
    here.attach()
    here.write("Error: a\n")
    here.reader().look()
    here.later(29)
    here.reader().look()
    assert here.types() == ["error"]
    here.later(2)
    here.reader().look()
    for _ in range(3):
        here.later(60)
        here.reader().look()
    assert here.types() == ["error", "long_running"]
    event = here.events()[1]
    assert (event["excerpt"], event["classifier_rule_id"]) == ("", "long_running.synth.v1")
    assert event["byte_range_start"] == event["byte_range_end"] == 9
    assert event["line_offset_start"] == event["line_offset_end"] == 1
    here.write("working\n")
    here.reader().look()
    here.later(6)
    here.reader().look()
    here.later(30)
    here.reader().look()
    assert here.types() == ["error", "long_running", "activity", "long_running"]


@pytest.mark.parametrize("line", ["DONE", "all tests passed", "Go on?", ""])
def test_no_long_running_after_what_ends_a_task(here: Desk, line: str) -> None:
    here.attach()
    if line:
        here.write(f"{line}\n")
    reader = here.reader()
    reader.look()
    here.later(100)
    reader.look()
    assert "long_running" not in here.types()


def test_pane_exited_is_told_once_in_an_attachments_life(here: Desk) -> None:
    here.attach()
    pane_row(here, 1, active=True)
    here.write("DONE\n")
    here.reader().look()
    here.later(40)
    here.reader().look()
    assert here.types() == ["completed"]
    pane_row(here, 1, active=False)
    LogAttachment.update(status="stale").execute()  # as discovery does in the same step
    for _ in range(3):
        here.later(3)
        here.reader().look()
    assert here.types() == ["completed", "pane_exited"]
    assert here.events()[1]["byte_range_start"] == 5
    here.later(10)
    LogAttachment.update(status="active", attached_at=here.now).execute()
    reader = here.reader()
    for _ in range(3):
        here.later(40)
        reader.look()
    assert here.types() == ["completed", "pane_exited", "pane_exited"]


def test_no_pane_exited_while_output_is_fresh_or_the_pane_has_only_moved(here: Desk) -> None:
    here.attach(1)
    here.attach(2)
    pane_row(here, 1, active=False)
    pane_row(here, 2, active=False)
    Pane.update(tmux_window_index=5).where(Pane.tmux_pane_id == "%2").execute()
    here.write("DONE\n", 1)
    reader = here.reader()
    reader.look()
    here.later(29)
    pane_row(here, 2, active=True)
    reader.look()
    assert here.types() == ["completed"]
    here.later(2)
    reader.look()
    here.later(2)
    reader.look()
    assert here.types(1) == ["completed", "pane_exited"]
    assert here.types(2) == []


def test_an_agent_whose_server_was_replaced_has_exited(here: Desk) -> None:
    here.attach()
    Agent.update(tmux_server="0").execute()
    pane_row(here, 1, active=True)
    here.reader().look()
    here.later(40)
    here.reader().look()
    assert here.types() == ["pane_exited"]


# --- settings -------------------------------------------------------------------------------------


def test_excerpts_are_cut_between_characters(tmp_path: Path) -> None:
    rules = EventRules(per_event_excerpt_cap_bytes=20, per_cycle_byte_cap_bytes=64)
    with desk(tmp_path, rules) as here:
        here.attach()
        here.write("Error: ääääääääää\n")
        here.read_all()
        [event] = here.events()
    assert event["excerpt"] == "Error:…[truncated]"
    assert len(event["excerpt"].encode()) <= 20
