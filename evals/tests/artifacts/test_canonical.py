"""Canonical JSON: one text for one structure."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_structures import OBJECTS, STRUCTURES
from exaid_evals.artifacts.canonical import canonical_bytes, canonical_json, equal_as_rounded, rounded


@given(STRUCTURES)
def test_reading_and_writing_again_changes_nothing(value: Any) -> None:
    """Canonical text is a fixed point: parsed and written again it is the same, so hashes survive a round trip."""
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(STRUCTURES)
def test_it_is_what_json_dumps_writes_of_a_canonical_structure(value: Any) -> None:
    """The oracle is the standard library: sorted keys, `,` and `:`, non-ASCII as it is."""
    canonical = json.loads(canonical_json(value))
    expected = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_json(value) == expected


@given(OBJECTS, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], rng: random.Random) -> None:
    """Equal mappings have equal bytes, however they were built."""
    items = list(value.items())
    rng.shuffle(items)
    assert canonical_bytes(dict(items)) == canonical_bytes(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_have_six_decimals_or_digits_and_no_negative_zero(number: float) -> None:
    """A float keeps 6 decimals, and 6 significant digits where that is finer; zero has one sign."""
    written = json.loads(canonical_json(number))
    significant = float(f"{number:.5e}")
    assert written == (round(number, 6) if abs(number) >= 0.1 else significant)
    assert abs(written - number) <= min(5.1e-7, 5.1e-6 * abs(number)) or abs(number) > 1e9
    assert math.copysign(1, written) == (1 if written == 0 else math.copysign(1, number))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(number: float) -> None:
    """NaN and infinity never reach a file; the error says what to write."""
    with pytest.raises(ValueError, match="write None for what is undefined"):
        canonical_json({"mean": [number]})


def test_a_subclass_of_a_number_is_written_by_its_value() -> None:
    """Numpy's float64 is a float and rounds like one; what JSON has no form for is refused."""
    np = pytest.importorskip("numpy")
    assert canonical_json([np.float64(0.1) + np.float64(0.2), True]) == "[0.3,true]"
    with pytest.raises(TypeError):
        canonical_json(Decimal("1.5"))
    with pytest.raises(TypeError):
        canonical_json({1, 2})


def test_lone_surrogates_cannot_be_written() -> None:
    """A text that is not Unicode has no UTF-8 form, and is refused instead of mangled."""
    with pytest.raises(UnicodeEncodeError):
        canonical_bytes({"text": "\ud800"})


def test_keys_are_sorted_by_code_point_as_orjson_sorts_them() -> None:
    """Readers take a shortcut that needs both orders to agree, beyond the basic plane too."""
    orjson = pytest.importorskip("orjson")
    value = {"\uffff": 1, "\U0001f600": 2, "a": 3, "Z": 4, "é": 5, "\x7f": 6, 'q"\\\n\x01': 7}
    assert canonical_bytes(value) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(-12, 0))
def test_a_rounded_mean_is_that_of_rounded_terms(values: list[float], exponent: int) -> None:
    """Whatever their size; one that is wrong by a tenth of the largest term is not, but where all have six decimals."""
    exact = [value * 10.0**exponent for value in values]
    terms = [rounded(value) for value in exact]
    recorded, made = rounded(math.fsum(exact) / len(exact)), math.fsum(terms) / len(terms)
    assert equal_as_rounded(recorded, made, terms)
    wrong = recorded + max(map(abs, [*terms, recorded])) / 10
    assert not equal_as_rounded(wrong, made, terms) or abs(wrong - made) <= 2.1e-6
