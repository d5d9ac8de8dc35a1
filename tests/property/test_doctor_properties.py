"""The doctor's report: whatever the rows say, it keeps its form and its exit codes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agenttower.client.doctor.row import NOBODY_THERE, REQUIRED, Row, document, exit_code, lines

STATUSES = st.sampled_from(["pass", "warn", "fail", "info"])
TEXT = st.text(max_size=3000)
NAMES = (*REQUIRED, "container_identity", "worker", "config")


@st.composite
def reports(draw: st.DrawFn) -> list[Row]:
    return [
        Row(
            name,
            draw(STATUSES),
            draw(TEXT),
            draw(st.none() | st.sampled_from([*NOBODY_THERE, "protocol_error", "no_match"])),
            draw(st.none() | TEXT),
        )
        for name in NAMES
    ]


@given(reports())
def test_the_exit_code_is_of_the_first_required_check_that_is_not_well(rows: list[Row]) -> None:
    resolved, reachable, status, *others = rows
    code = exit_code(rows)
    assert code in (0, 1, 2, 3, 5)
    if resolved.status == "fail":
        assert code == 1
    elif reachable.status == "fail":
        assert code == (2 if reachable.sub_code in NOBODY_THERE else 3)
    elif status.status in ("warn", "fail"):
        assert code == 3
    else:
        failed = any(row.status == "fail" for row in (reachable, status, *others))
        assert code == (5 if failed else 0)


@given(reports())
def test_text_has_its_columns_whatever_the_details_are(rows: list[Row]) -> None:
    told = lines(rows)
    checks = [line for line in told if not line.startswith("    ")]
    hints = [line for line in told if line.startswith("    ")]
    assert [line.split("\t")[0] for line in checks] == [*NAMES, "summary"]
    assert {len(line.split("\t")) for line in checks} == {3}
    assert len(hints) == sum(row.hint is not None for row in rows)
    for line in told:
        assert len(line.splitlines() or [""]) == 1
        line.encode()
        assert max(map(len, line.split("\t"))) <= 2052


@given(reports())
def test_the_summary_counts_every_row_once(rows: list[Row]) -> None:
    found = document(rows)
    summary = found["summary"]
    counted = sum(summary[name] for name in ("passed", "warned", "failed", "info"))
    assert counted == summary["total"] == len(rows) == len(found["checks"])
    assert summary["exit_code"] == exit_code(rows)
    for row, shown in zip(rows, found["checks"].values(), strict=True):
        assert {"status", "details"} <= shown.keys()
        assert ("actionable_message" in shown) is (row.hint is not None)
        assert all(len(text) <= 2048 for text in shown.values() if isinstance(text, str))
