"""Memory of a validation: what is kept of a case is small, wherever its files lie."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from exaid_evals.artifacts.storage import pack
from exaid_evals.config.campaign import Campaign
from exaid_evals.validation.scan import check_files
from exaid_evals.validation.targets import campaign_targets
from factories import write_campaign

_MOST_BYTES_A_CASE = 3000
"""Two files, their hashes, the manifest's entry: at 100,000 cases 300 MB with what the program itself takes."""


def peak_of(campaign: Campaign) -> int:
    """Validate a sound campaign and return the most memory that was held at once, in bytes."""
    tracemalloc.start()
    try:
        assert not any(report.n_findings for report in check_files(campaign_targets(campaign), keep=5, jobs=1))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("layout", ["files", "shards"])
def test_little_is_kept_of_each_case(tmp_path: Path, layout: str) -> None:
    """Of 160 cases more, under one variant, no more than 3 kB each: paths, hashes and numbers, no records."""
    peaks = []
    for n_cases in (80, 80, 240):  # the first call also loads modules and schemas
        campaign = write_campaign(tmp_path / f"{len(peaks)}", n_cases=n_cases, variants=("V0",), n_messages=2)
        for folder in (campaign.traces, campaign.runs / "V0") if layout == "shards" else ():
            pack(folder, "case-*")
        peaks.append(peak_of(campaign))
    assert (peaks[2] - peaks[1]) / 160 < _MOST_BYTES_A_CASE
