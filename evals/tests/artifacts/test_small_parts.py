"""Ids, units of text, time stamps and the signature."""

from __future__ import annotations

import doctest
import importlib
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.hashing import Signature
from exaid_evals.artifacts.ids import (
    at_offset,
    case_id_of,
    format_timestamp,
    parse_timestamp,
    summary_event_id,
    trace_id,
)
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.errors import DataError


@pytest.mark.parametrize("name", ["canonical", "hashing", "ids", "text_units"])
def test_the_examples_in_the_documentation_hold(name: str) -> None:
    """Every doctest of the package passes, and there is one."""
    result = doctest.testmod(importlib.import_module(f"exaid_evals.artifacts.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@given(st.text(max_size=50))
def test_ctu_is_the_ceiling_of_a_quarter_of_the_code_points(text: str) -> None:
    """DESIGN.md section 5.1, with the formula written out."""
    assert ctu(text) == math.ceil(len(text) / 4)


@pytest.mark.parametrize("value", [None, 7, b"bytes", ["a"], float("nan")])
def test_ctu_of_what_is_no_text_is_zero(value: object) -> None:
    """Nothing but text has units."""
    assert ctu(value) == 0


@pytest.mark.parametrize(
    ("raw", "case_id"),
    [
        (37470964, "case-37470964"),
        (" PMC9 ", "case-pmc9"),
        ("case-a_b.c-d", "case-a_b.c-d"),
        ("x" * 100, "case-" + "x" * 100),
    ],
)
def test_a_case_is_named_after_its_name_in_the_data_set(raw: object, case_id: str) -> None:
    """Lower case, prefixed once."""
    assert case_id_of(raw) == case_id


@pytest.mark.parametrize(
    "raw", ["", "a/b", "../x", "a..b", ".hidden", "é", "x" * 101, "a b", "a\nb", "-x", None, "case-"]
)
def test_a_name_that_no_file_should_have_is_refused(raw: object) -> None:
    """Ids become file names, so their alphabet is closed; `None` is a name like any other."""
    if raw is None:
        assert case_id_of(raw) == "case-none"
        return
    with pytest.raises(DataError, match="makes no case id"):
        case_id_of(raw)


def test_ids_count_on_beyond_three_digits() -> None:
    """The width is a minimum: message 1000 has an id of its own."""
    assert trace_id("case-7", 1000) == "trc-7-1000"
    assert summary_event_id("case-7", "V3", 1000) == "case-7-V3-se-1000"


def test_time_stamps_are_utc_whatever_their_offset() -> None:
    """An offset is resolved, Z is written, and milliseconds are shown on demand."""
    moment = parse_timestamp("2024-12-19T14:00:00.250+02:00")
    assert moment == datetime(2024, 12, 19, 12, 0, 0, 250_000, tzinfo=UTC)
    assert format_timestamp(moment) == "2024-12-19T12:00:00Z"
    assert format_timestamp(moment, milliseconds=True) == "2024-12-19T12:00:00.250Z"


@pytest.mark.parametrize("text", ["2024-12-19T12:00:00", "yesterday", "", "2024-13-01T00:00:00Z", "2024-12-19"])
def test_a_time_without_offset_is_no_moment(text: str) -> None:
    """What names no moment is refused with an example of what does."""
    with pytest.raises(DataError, match="write it like 2024-12-19T12:00:00Z"):
        parse_timestamp(text)


@given(st.integers(0, 10**10))
def test_an_offset_is_exact_to_the_millisecond(t_ms: int) -> None:
    """Writing and reading a moment of a trace loses nothing."""
    epoch = "2024-12-19T12:00:00Z"
    assert parse_timestamp(at_offset(epoch, t_ms)) - parse_timestamp(epoch) == timedelta(milliseconds=t_ms)


def test_every_field_of_a_signature_shows() -> None:
    """Two numbers made differently never carry one line: changing any field changes it."""
    fields = {
        "trace_dataset_hash": "sha256:" + "a" * 64,
        "config_hash": "sha256:" + "b" * 64,
        "extractor_id": "lexicon-1",
        "llm_id": "stub-1",
        "bootstrap_resamples": 10000,
        "bootstrap_seed": 42,
        "stub": True,
        "version": "1.0",
    }
    others = ["sha256:" + "c" * 64, "sha256:" + "d" * 64, "scispacy", "gpt", 100, 1, False, "1.1"]
    line = str(Signature(**fields))
    changed = {str(Signature(**fields | {name: other})) for name, other in zip(fields, others, strict=True)}
    assert len(changed - {line}) == len(fields)
