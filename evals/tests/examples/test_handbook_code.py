"""The code of docs/handbook_code.md runs as it stands there, and does what the page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.analysis import (
    ExperimentComparator,
    HyperparameterAnalyzer,
    ImageQualityFilter,
    audit_image_quality,
    generate_comprehensive_report,
    log_batch_metrics,
    profile_validation_batches,
)
from exaid_evals.analysis.report.record import summary_record
from exaid_evals.analysis.stage import analyse
from exaid_evals.cli.main import run as run_command
from exaid_evals.errors import ConfigError
from exaid_evals.monitor import AutoRecoverySystem, TrainingMonitor, load_experiment_config
from exaid_evals.runs.registry import find_run
from monitor.training_states import Model, Optimizer

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "handbook"
PAGE = ROOT / "docs" / "handbook_code.md"


def picture(seed: int, size: int = 128) -> np.ndarray[Any, Any]:
    """Return a picture of sharp blocks, uint8."""
    blocks = np.random.default_rng(seed).integers(0, 256, (size // 8, size // 8), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8), dtype=np.uint8))


def blurred(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a picture out of focus."""
    import cv2

    return np.asarray(cv2.GaussianBlur(image, (0, 0), 9))


def saved(folder: Path, **images: np.ndarray[Any, Any]) -> Path:
    """Write pictures."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


def written_run(folder: Path, end: float, **config: Any) -> Path:
    """Write a run whose recall falls from .89 to `end` at step 2049, with its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    rows = []
    for at in range(40):
        level = 0.89 if at < 30 else end
        rows.append({
            "step": 1 + 68 * at if at < 30 else 2049 + 71 * (at - 30),
            "val/recall": level + float(rng.normal(0, 0.003)), "val/hmean": level + 0.005,
        })  # fmt: skip
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_every_snippet_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one process, in a folder that holds what the page says it needs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXAID_BATCH_LOG_DIR", raising=False)
    saved(tmp_path / "images", sharp=picture(1), soft=blurred(picture(2)))
    for seed, rate in enumerate((0.1, 0.01, 0.001)):
        written_run(tmp_path / "my-project" / f"run_{'abc'[seed]}", 0.74 + seed / 20, lr=rate, architecture="dbnet")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "experiment_config.yaml").write_text((EXAMPLE / "config/experiment_config.yaml").read_text())
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) == 8
    known: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec"), known)  # noqa: S102 - the page is ours
    assert known["monitor"].metric_history["val/recall"][-1] == 0.74
    assert known["comparison"]["best_performer"] == "run_c"
    assert known["state"]["weights"].tolist() == [1.0, 1.0, 1.0]


def test_a_value_beyond_its_threshold_is_reported_whatever_came_before() -> None:
    """The first value, each further one, and no value on the good side; where lower is better, larger is beyond."""
    monitor = TrainingMonitor(alert_thresholds={"val/recall": 0.75, "val/loss": 2.0}, watch_stalls=False)
    reported = [
        [(one["metric"], one["type"]) for one in monitor.log_step(step, {"val/recall": recall, "val/loss": loss})]
        for step, (recall, loss) in enumerate([(0.1, 1.0), (0.75, 2.0), (0.74, 1.0), (0.8, 2.5), (0.74, 2.5)])
    ]
    recall, loss = ("val/recall", "threshold"), ("val/loss", "threshold")
    assert reported == [[recall], [], [recall], [loss], [recall, loss]]


@pytest.mark.parametrize(
    ("config", "threshold", "limits"),
    [
        ({"val/recall": 0.75}, 0.05, {"val/recall": 0.75}),
        ({"performance_drop_threshold": 0.2}, 0.2, {}),
        ({"performance_drop_threshold": 0.2, "alert_thresholds": {"acc": 0.5}}, 0.2, {"acc": 0.5}),
        ({"anomaly_detection": {"performance_drop_threshold": 0.3}}, 0.3, {}),
        ({"experiment_monitoring": {"anomaly_detection": {"performance_drop_threshold": 0.4}}}, 0.4, {}),
        ({}, 0.05, {}),
    ],
)
def test_a_dictionary_of_any_level_configures(config: Any, threshold: float, limits: dict[str, float]) -> None:
    """Thresholds alone, one section, the monitoring, or the whole file; what is given stays as it was."""
    before = json.dumps(config)
    detection = TrainingMonitor(config, watch_stalls=False).config.anomaly_detection
    assert (detection.performance_drop_threshold, detection.alert_thresholds) == (threshold, limits)
    assert json.dumps(config) == before


@pytest.mark.parametrize(
    ("config", "reported"),
    [
        ({"experiment_monitorin": {}}, "unknown key"),
        ({"performance_drop_treshold": 0.1, "drop_window": 8}, "did you mean `performance_drop_threshold`"),
        ({"reporting": {}, "trainr": {}}, "unknown key"),
        ({"flux": 0.5}, "how 'flux' improves"),
        (7, "a int is not a configuration"),
    ],
)
def test_what_is_no_configuration_is_refused(config: Any, reported: str) -> None:
    """Misspelt keys on every level, and a metric whose direction nobody knows."""
    with pytest.raises(ConfigError, match=re.escape(reported)):
        TrainingMonitor(config)


def test_what_a_subclass_adds_is_reported_with_the_rest() -> None:
    """`detect_real_time_anomalies` and `handle_anomalies` are called by `log_step`, once a step."""
    handled = []

    class Mine(TrainingMonitor):
        def detect_real_time_anomalies(self, current_metrics: Any) -> Any:
            return super().detect_real_time_anomalies(current_metrics)

        def handle_anomalies(self, step: float, anomalies: Any, batch_info: Any = None) -> None:
            super().handle_anomalies(step, anomalies, batch_info)
            handled.append((step, [one.kind for one in anomalies], batch_info))

    monitor = Mine(alert_thresholds={"acc": 0.5}, watch_stalls=False)
    monitor.log_step(1, {"acc": 0.4}, {"items": ["a"]})
    monitor.log_step(2, {"acc": 0.6})
    assert handled == [(1.0, ["threshold"], {"items": ["a"]})]
    assert monitor.counts == {("threshold", "high"): 1}
    assert monitor.metric_history == {"acc": [0.4, 0.6]}
    assert monitor.metric_history["never logged"] == []


def test_the_history_of_a_metric_is_bounded() -> None:
    """The last thousand values, in order."""
    monitor = TrainingMonitor({"enable_real_time_analysis": False}, watch_stalls=False)
    for step in range(5000):
        monitor.log_step(step, {"loss": float(step)})
    assert monitor.metric_history["loss"] == [float(step) for step in range(4000, 5000)]


def test_a_severe_drop_is_rolled_back_in_place(tmp_path: Path) -> None:
    """The very arrays that `state_dict()` gave are written to, so that the model has the weights of the best step."""
    model = Model(1.0, 2.0)
    recovery = AutoRecoverySystem(tmp_path / "c", ["rollback_on_severe_drop", "adjust_lr_on_plateau"])
    recovery.keep_checkpoint(10, {"val/recall": 0.8}, model.state_dict())
    model.weights += 1
    recovery.keep_checkpoint(20, {"val/recall": 0.9}, model.state_dict())
    model.weights[:] = 100
    recovery.keep_checkpoint(30, {"val/recall": 0.2}, model.state_dict())
    drop = {"type": "sudden_drop", "severity": "high", "metric": "val/recall", "step": 30, "drop_magnitude": 0.7}
    action = recovery.implement_recovery_strategy(drop, model.state_dict())
    assert action is not None
    assert (action.strategy, action.details["checkpoint_step"]) == ("rollback", 20.0)
    assert model.weights.tolist() == [2.0, 3.0]
    assert not recovery.should_stop
    journal = [json.loads(line) for line in recovery.journal_file.read_text().splitlines()]
    assert [one["strategy"] for one in journal] == ["rollback"]


def test_what_follows_from_the_type_of_an_anomaly(tmp_path: Path) -> None:
    """A plateau lowers the rate by half; what is not severe, or for people to judge, is left; the rest ends it."""
    model, optimizer = Model(), Optimizer(0.4)
    recovery = AutoRecoverySystem(tmp_path, ["rollback_on_severe_drop", "adjust_lr_on_plateau"])
    recovery.attach(model, optimizer)
    lowered = recovery.implement_recovery_strategy({"type": "loss_plateau", "severity": "low"}, model.state_dict())
    assert lowered is not None
    assert (lowered.strategy, optimizer.rates) == ("reduce_learning_rate", [0.2])
    for left in ({"type": "sudden_drop", "severity": "medium"}, {"type": "threshold"}, {"type": "outlier"}):
        assert recovery.implement_recovery_strategy(left, model.state_dict()) is None
    assert recovery.implement_recovery_strategy({"type": "sudden_drop", "severity": "high"}, model.state_dict()) is None
    assert "nothing can be put back" in recovery.new_problems()[-1]
    assert not recovery.should_stop
    ended = recovery.implement_recovery_strategy({"type": "gradients_lost", "severity": "critical"})
    assert ended is not None
    assert (ended.strategy, recovery.should_stop) == ("early_stop", True)


def test_single_actions_of_a_recovery(tmp_path: Path) -> None:
    """Rollback, another rate, the end; a training of which nothing is known is an error that says what to do."""
    recovery = AutoRecoverySystem(tmp_path, ["rollback"])
    for call in (recovery.rollback_to_checkpoint, recovery.adjust_learning_rate):
        with pytest.raises(ConfigError, match="attach"):
            call()
    model, optimizer = Model(1.0), Optimizer(0.1, 0.2)
    recovery.attach(model, optimizer)
    assert recovery.rollback_to_checkpoint() is None
    recovery.keep_checkpoint(1, {"val_accuracy": 0.5})
    model.weights[:] = np.nan
    assert recovery.rollback_to_checkpoint() is not None
    assert model.weights.tolist() == [1.0]
    assert recovery.adjust_learning_rate(factor=0.5) is not None
    assert optimizer.rates == pytest.approx([0.05, 0.1])
    assert recovery.adjust_learning_rate(factor=4) is not None
    assert optimizer.rates == pytest.approx([0.2, 0.4])
    with pytest.raises(ConfigError, match="above 0"):
        recovery.adjust_learning_rate(factor=0)
    assert recovery.trigger_early_stopping().strategy == "early_stop"
    assert recovery.should_stop


def test_a_state_of_another_form_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written before all of it is known to fit, and the training goes on."""
    recovery = AutoRecoverySystem(tmp_path, ["rollback"], metric="val_loss")
    recovery.keep_checkpoint(1, {"val_loss": 1.0}, {"a": np.ones(2), "b": np.ones(3)})
    state = {"a": np.zeros(2), "b": np.zeros(4)}
    assert recovery.implement_recovery_strategy({"type": "sudden_drop"}, state) is None
    assert not state["a"].any()
    assert "another shape" in " ".join(recovery.new_problems())


def test_the_published_configuration_is_read(tmp_path: Path) -> None:
    """Its own keys, strategies by their published names, an example of an address; anything else is refused."""
    path = tmp_path / "experiment_config.yaml"
    path.write_text((EXAMPLE / "config" / "experiment_config.yaml").read_text(encoding="utf-8"))
    config = load_experiment_config(path).value
    assert (config.project_name, config.trainer["max_epochs"], config.validation_interval) == ("digits", 12, 20)
    assert config.monitoring.auto_recovery.checkpoint_dir == Path("checkpoints")
    assert config.monitoring.auto_recovery.strategies == ["rollback", "reduce_learning_rate"]
    assert config.monitoring.alerts.slack_webhook is None
    assert TrainingMonitor(path, watch_stalls=False).run_name == "softmax_lr_0.5"
    for wrong in ("experiment_nam: x", "validation_interval: 0", "model: {}"):
        path.write_text(wrong)
        with pytest.raises(ConfigError):
            load_experiment_config(path)
    path.write_text("experiment_monitoring: {alerts: {slack_webhook: 'https://hooks.slack.com/services/T0/B0/key'}}")
    with pytest.raises(ConfigError, match="a secret has no place") as caught:
        load_experiment_config(path)
    assert "T0/B0" not in str(caught.value)


def test_batches_are_logged_with_the_paths_of_their_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the folder of a monitor's run, unless another is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXAID_BATCH_LOG_DIR", raising=False)
    metrics = {"recall": 0.5, "precision": 0.6, "hmean": 0.55}
    log_batch_metrics(3, 2049, metrics, images_paths=[Path("a.jpg"), "b.jpg"])
    row = json.loads((tmp_path / "runs" / "run" / "batch_metrics.jsonl").read_text())
    assert (row["batch_idx"], row["step"], row["items"], row["metrics"]) == (3, 2049, ["a.jpg", "b.jpg"], metrics)
    with pytest.raises(ConfigError, match="two names"):
        log_batch_metrics(3, 2049, metrics, ["a.jpg"], images_paths=["a.jpg"])


def test_an_audit_lists_what_is_wrong_by_path_and_issue(tmp_path: Path) -> None:
    """A cut file is corruption; a good one is not listed."""
    folder = saved(tmp_path, good=picture(1), soft=blurred(picture(2)), small=picture(3)[:16, :16])
    whole = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    found = {(one["path"].name, one["issue"]) for one in audit_image_quality(folder)}
    assert found == {("cut.png", "corruption"), ("small.png", "corruption"), ("soft.png", "blurred")}


def test_the_filter_answers_as_a_dictionary_and_a_list() -> None:
    """With the published thresholds: pixels a side, degrees, and a variance of the Laplacian."""
    sharp, soft = picture(1), blurred(picture(2))
    chosen = ImageQualityFilter(min_resolution=(100, 100), max_rotation=15, blur_threshold=100)
    assert chosen.assess_image_quality(sharp)["is_acceptable"]
    judged = chosen.assess_image_quality(soft)
    assert not judged["is_acceptable"]
    assert list(judged["issues"]) == ["blurred"]
    assert judged["metrics"]["laplacian"] < 100
    kept = chosen.filter_batch([sharp, soft, sharp[:50, :50]])
    assert isinstance(kept, list)
    assert len(kept) == 1
    assert kept[0] is sharp
    assert sorted(kept.rejected) == [1, 2]


class Brightness:
    """Tells light pictures (class 1) from dark ones, surely."""

    def predict_proba(self, images: Any) -> Any:
        """Return probabilities, shape (n, 2)."""
        light = np.asarray(images).reshape(len(images), -1).mean(axis=1) > 128
        return np.where(light[:, None], [0.1, 0.9], [0.9, 0.1])


def test_each_batch_of_a_loader_is_profiled() -> None:
    """Images, targets, confidence and performance; against sums by hand."""
    dark, light = picture(1) // 3, 255 - picture(2) // 3
    batches = [(np.stack([dark, light]), np.array([0, 1])), (np.stack([light, light]), np.array([0, 1]))]
    first, second = profile_validation_batches(batches, Brightness())
    assert first["performance"] == pytest.approx({"accuracy": 1.0, "loss": -np.log(0.9)})
    assert second["performance"]["accuracy"] == 0.5
    assert first["prediction_confidence"] == pytest.approx({"mean": 0.9, "min": 0.9})
    assert first["target_complexity"] == {"n_classes": 2.0, "entropy": 1.0}
    assert second["image_stats"]["brightness"] == pytest.approx(light.mean(), abs=0.01)


def test_runs_of_a_project_are_compared_and_their_settings_weighed(tmp_path: Path) -> None:
    """The best by name, the settings that differ, and correlations; few runs are said to be too few."""
    for name, rate, end in (("a", 0.1, 0.70), ("b", 0.01, 0.86), ("c", 0.001, 0.80)):
        written_run(tmp_path / name, end, lr=rate, architecture="dbnet" if name == "a" else "craft")
    comparison = ExperimentComparator(tmp_path).compare_runs(["a", "b"])
    assert comparison["best_performer"] == "b"
    assert comparison["key_differences"]["lr"] == {"a": 0.1, "b": 0.01}
    assert set(comparison["performance"]["val/recall"]) == {"a", "b"}
    assert comparison["recommendations"]
    impact = HyperparameterAnalyzer(tmp_path).analyze_hyperparameter_impact()
    assert impact["correlations"] == {"lr": None}
    assert impact["anomaly_rates"]["architecture"]["dbnet"] == 1.0


def test_a_summary_has_the_published_keys(tmp_path: Path) -> None:
    """Beside its own; `generate_comprehensive_report` takes it, and plain values, too."""
    run = written_run(tmp_path / "r", 0.74, architecture="dbnetpp")
    summary = summary_record(analyse(find_run(str(run), [])))
    performance = summary["performance_metrics"]
    assert performance["best_hmean"] == pytest.approx(0.895)
    assert performance["final_recall"] == pytest.approx(0.74, abs=0.02)
    assert performance["performance_drop_step"] == 2049
    drops = [one for one in summary["anomalies"] if one["metric"] == "val/recall" and one["kind"] == "sudden_drop"]
    assert drops[0]["drop_magnitude"] == pytest.approx(0.15, abs=0.02)
    assert "suspected_cause" in drops[0]
    assert summary["data_insights"]["suspected_bad_images"] is None
    report = generate_comprehensive_report(summary)
    assert report.startswith("# Experiment Analysis: r\n")
    assert "| hmean | 0.895 | 0.745 | 0.15 |" in report
    given = generate_comprehensive_report({"run_name": "x", "best_recall": 0.898, "root_cause": "rotated images"})
    assert "| recall | 0.898 | – | – |" in given
    assert "Primary Cause: rotated images" in given
    assert "Evidence: not given" in given


def test_images_that_no_batch_names_are_audited_by_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--data-dir` says how many have something wrong, and that nothing ties them to the drop."""
    run = written_run(tmp_path / "run", 0.74)
    folder = saved(tmp_path / "images", good=picture(1), soft=blurred(picture(2)))
    out = tmp_path / "out"
    assert run_command(["analyze", "--run-name", str(run), "--data-dir", str(folder), "--output-dir", str(out)]) == 0
    assert "1 of 2 have something wrong" in capsys.readouterr().out
    (summary,) = out.rglob("summary.json")
    insights = json.loads(summary.read_text())["data_insights"]
    assert (insights["total_images"], insights["suspected_bad_images"]) == (2, 1)
    assert "nothing ties images to what the metrics did" in (summary.parent / "report.md").read_text()


@pytest.mark.slow
def test_the_complete_script_recovers(tmp_path: Path) -> None:
    """Its weights are turned round at step 180, and it ends well all the same. W&B is a stand-in."""
    shutil.copytree(EXAMPLE / "config", tmp_path / "config")
    (tmp_path / "wandb.py").write_text("run = None\ninit = log = finish = lambda *a, **k: None\n")
    path = os.pathsep.join(map(str, (tmp_path, EXAMPLE, ROOT / "evals" / "src")))
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "complete_training_script.py")],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "step 180: rollback, since val/" in done.stdout
    assert float(re.findall(r"'val/hmean': ([0-9.]+)", done.stdout)[-1]) > 0.9
    assert done.stdout.endswith("finished, weights are finite\n")
