"""Runs of every tracker in one comparison, from the files that the trackers themselves have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.trackers import script
from exaid_evals.cli.main import run as cli
from exaid_evals.config.campaign import Campaign

_WANDB = """
import wandb
for seed in (0, 1):
    run = wandb.init(project="p", name=f"wandb-s{seed}", config={"lr": 0.1, "seed": seed})
    for step in range(20):
        run.log({"val_accuracy": 0.9 - 0.5 / (step + 1) + 0.01 * seed}, step=step)
    run.finish()
"""
_MLFLOW = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("digits")
for seed in (0, 1):
    with mlflow.start_run(run_name=f"mlflow-s{seed}"):
        mlflow.log_params({"lr": 0.2, "seed": seed})
        for step in range(20):
            mlflow.log_metric("val_accuracy", 0.8 - 0.5 / (step + 1) + 0.01 * seed, step=step)
"""


def tensorboard(folder: Path) -> None:
    """Write a run with TensorBoard's own writer."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for step in range(20):
        summary = Summary(value=[Summary.Value(tag="val_accuracy", simple_value=0.7 - 0.5 / (step + 1))])
        writer.add_event(Event(step=step, wall_time=1.0, summary=summary))
    writer.close()


@pytest.mark.slow
def test_runs_of_all_trackers_are_held_against_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Offline runs of W&B, a store of MLflow and a log of TensorBoard: seeds are grouped, the order is right."""
    for module in ("wandb", "mlflow", "tensorboard"):
        pytest.importorskip(module)
    for name in ("w", "m"):
        (tmp_path / name).mkdir()
    script(_WANDB, tmp_path / "w", WANDB_MODE="offline", WANDB_SILENT="true")
    script(_MLFLOW, tmp_path / "m", (tmp_path / "m" / "mlruns").as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    tensorboard(tmp_path / "logs" / "tb")
    listed = f"{tmp_path}/w/wandb,{tmp_path}/m/mlruns,{tmp_path}/logs/tb"
    assert cli(["compare", "--runs", listed, "--output-dir", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert {one["source"] for one in record["runs"]} == {"wandb", "mlflow", "tensorboard"}
    ranking = next(one for one in record["metrics"] if one["metric"] == "val_accuracy")
    shown = [(sorted(one["values"]), one["basis"]) for one in ranking["performances"]]
    assert [names for names, _ in shown] == [["wandb-s0", "wandb-s1"], ["mlflow-s0", "mlflow-s1"], ["tb"]]
    assert shown[0][1] == "seeds"
    assert record["differing_settings"] == ["lr"]
    assert "TensorBoard" not in capsys.readouterr().err


@pytest.mark.slow
def test_variants_of_a_campaign_are_compared_over_their_cases(campaign: Campaign, tmp_path: Path) -> None:
    """Intervals are over cases; no divergence is looked for, since the order of cases means nothing."""
    assert cli(["compute-metrics", "--data-dir", str(campaign.root)]) in (0, 3)
    arguments = ["--primary-metric", "coverage", "--output-dir", str(tmp_path / "out")]
    assert cli(["compare", "--runs", str(campaign.root), "--source", "campaign", *arguments]) == 0
    record = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert {one["run"] for one in record["runs"]} == {"V0", "V3"}
    assert record["metrics"][0]["metric"] == "coverage"
    assert {one["basis"] for one in record["metrics"][0]["performances"]} <= {"cases", "none"}
    assert record["partings"] == []
    assert any("order means nothing" in note for note in record["notes"])
