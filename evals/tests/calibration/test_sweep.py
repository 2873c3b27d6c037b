"""Numbers of a policy, against the real gate's chunks and NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import conversation, freeze
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.calibration.simulate import Policy
from exaid_evals.calibration.sweep import Sweep, percentile, sweep
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.traces.model import Trace
from policies import SPEED, real_chunks

POLICIES = (Policy(2, 4, 300, 900), Policy(3, 5, 50, 2000), Policy(5, 5, 9000, 9000))
CONVERSATIONS = [
    conversation("one two three. four five", "six seven. eight nine ten eleven twelve.", case_id="case-1"),
    conversation("a b", "c d e f g h i j.", "k", case_id="case-2"),
    conversation("  ", case_id="case-3"),
    conversation("alpha beta gamma delta\nepsilon", case_id="case-4"),
]
UNDERSIZE = 3


def swept(campaign: Campaign, *, jobs: int = 1) -> Sweep:
    """Sweep a campaign."""
    entries = read_manifest(campaign.manifest_file).entries
    return sweep(campaign, entries, POLICIES, chars_per_second=SPEED, jobs=jobs)


def slow(traces: list[Trace], policy: Policy) -> dict[str, float]:
    """Compute a policy's measures the long way."""
    by_case = [chunks for trace in traces if (chunks := real_chunks(trace, policy))]
    every = [chunk for chunks in by_case for chunk in chunks]
    words = [len(chunk.pieces) for chunk in every]
    waits = [chunk.t_ms - chunk.pieces[0].t_ms for chunk in every]
    opening = {
        (index, chunk.pieces[0].seq): wait
        for index, chunks in enumerate(by_case)
        for chunk, wait in reversed([(chunk, chunk.t_ms - chunk.pieces[0].t_ms) for chunk in chunks])
    }
    return {
        "time_to_first_flush_ms": float(np.mean([chunks[0].t_ms for chunks in by_case])),
        "turn_to_first_flush_ms": float(np.mean(list(opening.values()))),
        "flushes_per_case": len(every) / len(by_case),
        **{f"chunk_words_p{q}": float(np.percentile(words, q)) for q in (50, 90, 95)},
        "undersized_share": float(np.mean([n < UNDERSIZE for n in words])),
        "timer_share": float(np.mean([chunk.reason in ("silence", "max_wait") for chunk in every])),
        "worst_wait_ms": float(max(waits)),
    }


def test_measures_are_those_of_the_gates_chunks(tmp_path: Path) -> None:
    """Every measure of every policy, computed from the chunks of the real gate; a wordless case enters no mean."""
    tried = swept(freeze(tmp_path, CONVERSATIONS))
    measures = tried.measures(UNDERSIZE)
    assert (tried.n_cases, tried.n_wordless) == (3, 1)
    for index, policy in enumerate(POLICIES):
        actual = {name: float(values[index]) for name, values in measures.items()}
        assert actual == pytest.approx(slow(CONVERSATIONS, policy), abs=1e-9)


def test_processes_change_no_number(tmp_path: Path) -> None:
    """One process or two: the same counts."""
    campaign = freeze(
        tmp_path, [conversation("one two. three", "four five six.", case_id=f"case-{n}") for n in range(8)]
    )
    one, two = swept(campaign), swept(campaign, jobs=2)
    assert np.array_equal(one.sizes, two.sizes)
    assert np.array_equal(one.reasons, two.reasons)
    assert (
        one.measures(UNDERSIZE)["turn_to_first_flush_ms"].tolist()
        == two.measures(UNDERSIZE)["turn_to_first_flush_ms"].tolist()
    )


def test_silence_is_no_data(tmp_path: Path) -> None:
    """Conversations without a word give an error, and no numbers."""
    with pytest.raises(DataError, match="no word to calibrate on"):
        swept(freeze(tmp_path, [conversation(" \n ")]))


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=30), min_size=1, max_size=4), st.integers(0, 100))
def test_percentiles_are_numpys(rows: list[list[int]], q: int) -> None:
    """Of a histogram as of the values themselves."""
    sizes = np.stack([np.bincount(row, minlength=10) for row in rows])
    assert percentile(sizes, q) == pytest.approx([np.percentile(row, q) for row in rows], abs=1e-9)
