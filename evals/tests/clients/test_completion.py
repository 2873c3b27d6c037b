"""Taking JSON out of what a model says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.clients.completion import json_object

objects = st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=20), st.booleans(), st.none()), max_size=4)
prose = st.text(alphabet="abc .,:!\n[]()", max_size=40)


@given(value=objects, before=prose, after=prose, indent=st.sampled_from([None, 2]))
def test_an_object_is_found_bare_in_prose_and_in_a_fence(
    value: dict[str, object], before: str, after: str, indent: int | None
) -> None:
    """The one object of an answer is found, whatever stands around it."""
    text = json.dumps(value, indent=indent)
    for answer in (text, f"{before} {text} {after}", f"{before}\n```json\n{text}\n```\n{after}", f"~~~\n{text}\n~~~"):
        assert json_object(answer) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("yes", "not JSON"),
        ("[1]", "a list where an object must stand"),
        ('"text"', "a str where"),
        ("null", "a NoneType where"),
        ('{"a": 1', "not JSON"),
        ('{"a": 1, "a": 2}', "a key is a duplicate"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('First {"a": 1}, or rather {"a": 2}', "2 JSON objects"),
        ('```\n{"a": 1}\n```\n```\n{"a": 2}\n```', "2 JSON objects"),
        ('{"a": "\\ud800"}', "half a character"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_single_object_is_refused(text: str, problem: str) -> None:
    """Nothing is repaired or guessed: the reason is reported."""
    with pytest.raises(ValueError, match=problem):
        json_object(text)


def test_the_same_object_twice_is_one() -> None:
    """A draft in prose and the same object in a fence agree; a fence goes before the prose around it."""
    assert json_object('{"a": 1} again: {"a": 1}') == {"a": 1}
    assert json_object('Not {"a": 0} but\n```json\n{"a": 1}\n```') == {"a": 1}
