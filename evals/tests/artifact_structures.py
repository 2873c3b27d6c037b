"""Hypothesis strategies for whatever JSON can hold."""

from __future__ import annotations

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
INTEGERS = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, TEXT, st.floats(allow_nan=False, allow_infinity=False))
STRUCTURES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXT, inner, max_size=5)),
    max_leaves=10,
)
OBJECTS = st.dictionaries(TEXT, STRUCTURES, max_size=4)
