"""The ``[events]`` table: its bounds, and which keys must fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenttower.errors import ConfigInvalid
from agenttower.settings import EventRules, load_config


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("reader_cycle_wallclock_cap_seconds = 0", "reader_cycle_wallclock_cap_seconds"),
        ("reader_cycle_wallclock_cap_seconds = inf", "reader_cycle_wallclock_cap_seconds"),
        ("per_cycle_byte_cap_bytes = 1000", "per_event_excerpt_cap_bytes"),
        ("per_cycle_byte_cap_bytes = 70000.5", "per_cycle_byte_cap_bytes"),
        ("per_event_excerpt_cap_bytes = true", "per_event_excerpt_cap_bytes"),
        ("per_event_excerpt_cap_bytes = 10", "excerpt_truncation_marker"),
        ("debounce_activity_window_seconds = 5.1", "debounce_activity_window_seconds"),
        ("pane_exited_grace_seconds = 31", "pane_exited_grace_seconds"),
        ("default_page_size = 51", "default_page_size"),
        ("max_page_size = 20", "default_page_size"),
        ("follow_long_poll_max_seconds = 31", "follow_long_poll_max_seconds"),
        ("colour = 1", "colour"),
    ],
)
def test_what_is_refused(tmp_path: Path, lines: str, named: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[events]\n{lines}\n")
    with pytest.raises(ConfigInvalid, match=named):
        load_config(path, {})


def test_keys_and_their_twins(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[events]\nlong_running_grace_seconds = 90\n")
    twins = {"AGENTTOWER_EVENTS_DEFAULT_PAGE_SIZE": "20"}
    config = load_config(path, twins)
    assert config.events == EventRules(long_running_grace_seconds=90, default_page_size=20)
