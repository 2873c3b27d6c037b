"""Batches: how they are logged, and that the items and images which harm are named."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from analysis.histories import simulated
from exaid_evals.analysis.batches.log import BatchLog, log_batch_metrics
from exaid_evals.analysis.batches.profile import bad_images, correlations, measure
from exaid_evals.analysis.batches.suspect_items import affected_batches, bad_in_affected, concentration
from exaid_evals.analysis.stage import analyse
from exaid_evals.errors import DataError
from exaid_evals.runs.history import BatchRow


def batches(harm: float, n: int = 80, seed: int = 0) -> list[BatchRow]:
    """Return batches of 8 of 100 items, ten of which raise a batch's loss by `harm` each."""
    rng = np.random.default_rng(seed)
    rows = []
    for step in range(n):
        items = rng.choice(100, 8, replace=False)
        n_bad = int((items < 10).sum())
        loss = 1.0 + harm * n_bad + float(rng.normal(0, 0.1))
        profile = {"brightness": 100.0 - 10 * n_bad + float(rng.normal(0, 3)), "constant": 1.0}
        rows.append(BatchRow(float(step), step, {"loss": loss}, tuple(f"{item:03d}.png" for item in items), profile))
    return rows


def test_a_logged_batch_is_read_as_it_was_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the function writes the JSONL source reads: NaN is null, the phase stays, lines are whole."""
    monkeypatch.setenv("EXAID_BATCH_LOG_DIR", str(tmp_path))
    log_batch_metrics(3, 7, {"loss": 0.5, "acc": float("nan")}, ["a.png"], profile={"brightness": 9.0})
    log_batch_metrics(0, 8, {"loss": 0.25}, ["b.png"], phase="eval")
    lines = [json.loads(line) for line in (tmp_path / "batch_metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {
        "batch_idx": 3, "step": 7.0, "metrics": {"loss": 0.5, "acc": None}, "items": ["a.png"],
        "profile": {"brightness": 9.0}, "phase": "train",
    }  # fmt: skip
    assert lines[1]["phase"] == "eval"


def test_an_active_run_of_wandb_gets_the_metrics_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metrics go to the run of the process, without a step of their own; where none is active, to none."""
    sent: list[tuple[dict[str, Any], bool]] = []
    run = SimpleNamespace(log=lambda values, commit: sent.append((values, commit)))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=run))
    with BatchLog(tmp_path) as log:
        log.log_batch_metrics(3, 7, {"loss": 0.5, "acc": None})
    assert sent == [({"batch/train/loss": 0.5, "batch/train/index": 3}, False)]
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=None))
    with BatchLog(tmp_path) as log:
        log.log_batch_metrics(4, 8, {"loss": 0.5})
    assert len(sent) == 1


def test_items_that_make_batches_bad_are_named() -> None:
    """Ten harmful items among a hundred are found; nearly all of the first ten named are such."""
    found = concentration(batches(1.0, n=160), -1, 200)
    assert found is not None
    assert found.p < 1e-3
    assert sum(int(item[:3]) < 10 for item, _, _ in found.items[:10]) >= 8


def test_where_no_item_harms_the_test_keeps_its_level() -> None:
    """Of 60 data sets without a harmful item at most a tenth is significant at 5 %: no choice is tested on itself."""
    p = [found.p for seed in range(60) if (found := concentration(batches(0.0, seed=seed), -1, 100))]
    assert len(p) == 60
    assert np.mean(np.array(p) < 0.05) <= 0.1


def test_a_trend_makes_no_batch_bad() -> None:
    """Losses that only rise are as often above as below the running mean."""
    rows = [BatchRow(float(step), step, {"loss": 0.1 * step}, ()) for step in range(100)]
    assert affected_batches(rows)[10:90].mean() < 0.6


def test_bad_images_in_bad_batches_is_fishers_exact_test() -> None:
    """Oracle: the p value is the hypergeometric tail, summed by hand."""
    from scipy.stats import hypergeom

    rows = batches(0.5)
    bad = {f"{item:03d}.png": "blurred" for item in range(10)}
    found = bad_in_affected(rows, bad, -1, 100)
    assert found is not None
    affected = affected_batches(rows)
    in_bad = sum(sum(item in bad for item in row.items) for row, one in zip(rows, affected, strict=True) if one)
    every = sum(sum(item in bad for item in row.items) for row in rows)
    tail = hypergeom.sf(in_bad - 1, 8 * len(rows), every, 8 * int(affected.sum()))
    assert found.p == pytest.approx(tail, rel=1e-6)
    assert found.share_affected > found.share_others


def test_correlations_are_spearmans_and_say_n() -> None:
    """What moves with badness has a high ρ, a constant has none; p values are Holm-adjusted."""
    from scipy.stats import spearmanr

    rows = batches(0.5)
    brightness, constant = correlations(rows)
    wanted = spearmanr([row.profile["brightness"] for row in rows], [row.metrics["loss"] for row in rows])
    assert brightness.rho == pytest.approx(wanted.statistic)
    assert (constant.rho, constant.p, constant.n) == (None, None, 80)


def images(folder: Path, n: int = 40) -> None:
    """Write images with structure; three are black, blank and cut in half."""
    rng = np.random.default_rng(0)
    for number in range(n):
        pixels = rng.integers(0, 255, (32, 32), dtype=np.uint8)
        if number == 3:
            pixels[:] = 0
        if number == 4:
            pixels[:] = 128
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    cut = folder / "005.png"
    if cut.exists():
        cut.write_bytes(cut.read_bytes()[:100])


def test_bad_images_are_named_with_the_reason(tmp_path: Path) -> None:
    """Black, blank and cut images are bad, the others are not, and files outside the folder are not opened."""
    images(tmp_path)
    statistics, unreadable = measure([f"{number:03d}.png" for number in range(40)] + ["../secret.png"], tmp_path)
    bad = bad_images(statistics, unreadable)
    assert sorted(bad) == ["003.png", "004.png", "005.png"]
    assert "cannot be read" in bad["005.png"]
    assert "../secret.png" not in statistics


def test_an_item_of_another_folder_is_another_image(tmp_path: Path) -> None:
    """`val/003.png` is not `train/003.png`; a longer path ends in the file's, and a bare name must be unique."""
    for folder in ("train", "extra"):
        (tmp_path / folder).mkdir()
        images(tmp_path / folder, 10 if folder == "train" else 1)
    items = ["train/003.png", "val/003.png", "/data/images/train/006.png", "007", "000.png"]
    statistics, _ = measure(items, tmp_path)
    assert sorted(statistics) == ["/data/images/train/006.png", "007", "train/003.png"]


def test_an_empty_folder_of_images_is_an_error(tmp_path: Path) -> None:
    """Where no batch names images the folder is audited by itself, and this one has none."""
    from exaid_evals.runs.history import History, Series
    from analysis.histories import series  # isort: skip

    history = History("r", "csv", {"loss": Series("loss", series([1.0, 2.0]).points)})
    with pytest.raises(DataError, match="holds no image"):
        analyse(history, None, tmp_path)


def test_the_analysis_names_batches_that_carry_the_drop() -> None:
    """In a run whose shard got wrong labels the worst batches lie after the onset, and the items are tested."""
    analysis = analyse(simulated("wrong_labels", 1004))
    assert analysis.batches is not None
    assert analysis.diagnosis is not None
    assert analysis.batches.worst
    assert min(row.step for row in analysis.batches.worst) > analysis.diagnosis.onset.interval[0]
    assert {one.name for one in analysis.batches.correlations} >= {"contrast", "brightness"}
