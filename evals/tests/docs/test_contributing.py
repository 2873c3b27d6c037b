"""What CONTRIBUTING.md says of the structure is so: its drawing, and the places that it names."""

from __future__ import annotations

import re

import pytest

from docs import imports

TEXT = imports.PAGE.read_text("utf-8")
CHANGES = re.findall(r"^\| \d+ \| (.+?) \| `(.+?)` \|$", TEXT, re.MULTILINE)


def test_the_drawing_is_current() -> None:
    """`make drawing` changes nothing."""
    assert imports.with_drawing(TEXT, imports.drawing()) == TEXT


def test_there_are_twelve_changes() -> None:
    """The table is read; a change of its form would leave nothing to check."""
    assert len(CHANGES) == 12


@pytest.mark.parametrize(("change", "place"), CHANGES)
def test_each_change_has_a_place_that_exists(change: str, place: str) -> None:
    """The place is a file or folder of the checkout."""
    assert (imports.PAGE.parent / place).exists(), change
