"""docs/time.md shows what the code measures."""

from __future__ import annotations

import pytest

from docs.time_page import (
    COMMAND,
    EXTERNAL,
    TARGET,
    kept_section,
    recorded_section,
    recorded_traces,
    rows,
    stub_traces,
    table,
    without_times,
)


@pytest.mark.slow
def test_the_page_is_current() -> None:
    """Its first table is of conversations that anybody can make; the second is checked where the streams are."""
    page = TARGET.read_text(encoding="utf-8")
    assert table(stub_traces()) in page, f"run `{COMMAND}`"
    if EXTERNAL.is_dir():
        assert kept_section(page) == recorded_section(recorded_traces()), f"run `{COMMAND}`"


@pytest.mark.slow
def test_assumed_speed_decides_what_recorded_time_does_not() -> None:
    """Without times the same conversation is delayed by the setting; with them it is not."""
    [trace, *_] = stub_traces()
    assert (trace.time_basis, without_times(trace).time_basis) == ("recorded", "assumed")
    delays = {(known, variant): case[1] for known, variant, [case] in rows([trace])}
    assert delays["assumed, 40 a second", "V0"] > 5 * delays["assumed, 1000 a second", "V0"]
