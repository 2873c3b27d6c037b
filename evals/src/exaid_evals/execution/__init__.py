"""Work done on many items, in processes or threads: what comes out does not depend on where it was done."""

SEARCH_FOR_CYCLES = (50_000, 20, 100)
"""Thresholds of the search for objects that refer to each other. With Python's own, a process spends a seventh of its
time in looking through half a million names of concepts, among which there are none."""
