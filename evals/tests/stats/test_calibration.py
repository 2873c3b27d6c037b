"""The statistics keep their promises on simulated data, and docs/statistics.md says what comes out."""

from __future__ import annotations

from types import ModuleType

import pytest

from scripts import script_module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return the script that makes the page."""
    return script_module("evals/bench/calibrate_statistics.py")


@pytest.mark.slow
def test_promises_are_kept_and_the_page_is_current(script: ModuleType) -> None:
    """At n = 40 intervals cover 93–97 % and tests err in 4–6 %; where they do not, the page says so by name."""
    results = script.simulate()
    for population in script.POPULATIONS:
        covered = results.intervals[population.name][0]
        assert population.mild == (93 <= round(covered, 1) <= 97), f"{population.name}: {covered}"
    tested = {name: share for name, share in results.false_positives.items() if "n = 12" not in name}
    assert all(4 <= share <= 6 for share in tested.values()), tested
    assert results.false_positives.keys() - tested.keys()
    assert all(93 <= results.bands[n][0] <= 97.5 for n in (40, 100)), results.bands
    assert all(band > pointwise for band, pointwise in results.bands.values())
    assert results.detected[0] == pytest.approx(80, abs=1)
    assert all(crossed > pooled for crossed, _, pooled, _ in results.seeds.values())
    assert all(92 <= crossed <= 97 for (n, _), (crossed, *_) in results.seeds.items() if n >= 5), results.seeds
    assert script.page(results) == script.PAGE.read_text(encoding="utf-8")
