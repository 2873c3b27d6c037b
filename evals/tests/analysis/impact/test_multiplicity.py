"""All tests of one analysis are one family, and versions of the code are pooled only where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.compare.runs import curve, run, write_run
from exaid_evals.analysis.compare.collect import Collected, Run
from exaid_evals.analysis.compare.recommend import ExperimentComparator
from exaid_evals.analysis.impact.associations import (
    CategoryRates,
    Parameter,
    RankCorrelation,
    adjusted_together,
    category_rates,
    rank_correlations,
)
from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import DataError


def test_holm_goes_over_both_tables() -> None:
    """Of p values 0.01, 0.02 and 0.04 the adjusted ones are 0.03, 0.04 and 0.04; what was not tested has none."""
    correlations = [
        RankCorrelation("a", "level", 20, 0.6, 0.2, 0.8, 0.01),
        RankCorrelation("b", "level", 4),
        RankCorrelation("c", "level", 20, 0.4, 0.0, 0.7, 0.04),
    ]
    rates = [CategoryRates("k", (), 0, 0.02), CategoryRates("l", (), 0)]
    found, also = adjusted_together(correlations, rates)
    assert [one.p_adjusted for one in found] == [pytest.approx(0.03), None, pytest.approx(0.04)]
    assert [one.p_adjusted for one in also] == [pytest.approx(0.04), None]


@pytest.mark.slow
def test_numbers_and_categories_together_err_in_one_of_twenty_searches() -> None:
    """Of 150 searches in which nothing matters hardly more than 5 % name anything; two families would in 10 %."""
    rng = np.random.default_rng(21)
    together = apart = 0
    for _ in range(150):
        n = 40
        number = Parameter("x", True, tuple(rng.normal(size=n).tolist()))
        kind = Parameter("k", False, tuple(rng.choice(["a", "b"], n).tolist()))
        found = rank_correlations([number], {"level": rng.normal(size=n).tolist()})
        rates = category_rates([kind], (rng.random(n) < 0.5).tolist(), [None] * n)
        both = adjusted_together(found, rates)
        together += any((one.p_adjusted or 1) <= 0.05 for each in both for one in each)
        apart += any((one.p or 1) <= 0.05 for each in (found, rates) for one in each)
    assert together <= stats.binom.ppf(0.99, 150, 0.05)
    assert apart > together


def versioned(rng: np.random.Generator, configurations: int = 12) -> tuple[Run, ...]:
    """Return configurations with three seeds, each seed made by another version of the code."""
    runs = []
    for at in range(configurations):
        for seed in range(3):
            config = {"lr": 0.01 * (at + 1), "seed": seed, "git_hash": f"{seed}{at % 2}abc"}
            runs.append(run(f"c{at}s{seed}", {"val_accuracy": curve(rng, 30, 0.7 + 0.02 * at)}, config))
    return tuple(runs)


@pytest.mark.slow
def test_versions_of_the_code_are_pooled_where_asked() -> None:
    """36 runs of 12 learning rates: each is its own configuration by its version, and one of 12 without; it says so."""
    collected = Collected(versioned(np.random.default_rng(22)), ())
    apart = HyperparameterAnalyzer("").of(collected)
    pooled = HyperparameterAnalyzer("", pool_code_versions=True).of(collected)
    assert (apart.n_configurations, pooled.n_configurations) == (36, 12)
    assert {one.n for one in pooled.correlations} == {12}
    assert "git_hash" not in [one.name for one in pooled.parameters.varying]
    assert not any("pooled" in note for note in apart.notes)
    (note,) = [note for note in pooled.notes if "pooled" in note]
    assert "00abc" in note
    compared = ExperimentComparator("", pool_code_versions=True).of(collected)
    assert len(compared.groups) == 12
    assert compared.runs[0].settings["git_hash"] == "00abc"  # the record still has it
    assert len(ExperimentComparator("").of(collected).groups) == 36


def test_the_files_say_whether_versions_were_pooled(tmp_path: Path) -> None:
    """Record and signature differ; without the option nothing is said of pooling."""
    for one in versioned(np.random.default_rng(23), 2):
        write_run(tmp_path / "runs" / one.name, {"val_accuracy": [0.5, 0.6, 0.7]}, one.history.config)
    for verb, name in (("compare", "comparison.json"), ("impact", "impact.json")):
        signatures = []
        for extra in ([], ["--pool-code-versions"]):
            out = tmp_path / f"{verb}{len(extra)}"
            assert cli([verb, "--runs", f"{tmp_path}/runs/*", "--output-dir", str(out), *extra]) == 0
            assert cli(["validate", str(out / name)]) == 0
            record = json.loads((out / name).read_text(encoding="utf-8"))
            assert record["code_versions_pooled"] is bool(extra)
            signatures.append(record["signature"])
        assert len(set(signatures)) == 2


def test_where_no_run_has_a_level_nothing_is_analysed() -> None:
    """All runs diverged: an error that says so, and no report of `the others, which went better`."""
    runs = tuple(run(f"r{at}", {"val_accuracy": [float("nan")] * 20}, {"lr": at, "seed": 0}) for at in range(3))
    with pytest.raises(DataError, match="no run has a level of val_accuracy"):
        HyperparameterAnalyzer("").of(Collected(runs, ()))


def test_warnings_of_the_readers_and_oddities_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged configuration, steps out of order or twice and text among numbers are named by both verbs."""
    for name in ("a", "b", "c"):
        write_run(tmp_path / name, {"val_accuracy": [0.1, 0.2, 0.3, 0.4]}, {"seed": 1})
    (tmp_path / "a" / "config.json").write_text("{broken", encoding="utf-8")
    rows = [{"step": step, "val_accuracy": 0.1 * step} for step in (3, 1, 2, 2, 4)]
    (tmp_path / "b" / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    texts = [{"step": step, "val_accuracy": "n/a" if step == 2 else 0.5, "f1": None} for step in range(4)]
    (tmp_path / "c" / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in texts), encoding="utf-8")
    for verb in ("compare", "impact"):
        assert cli([verb, "--runs", f"{tmp_path}/*", "--output-dir", str(tmp_path / "out" / verb)]) == 0
        reported = capsys.readouterr().err
        assert "config.json" in reported
        assert "in 1 run steps came out of order and are put in order: b" in reported
        assert "in 1 run a step came more than once, and its last value counts: b" in reported
        assert "in 1 run some values are text and no numbers, and are left out: c" in reported
