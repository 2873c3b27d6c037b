"""Make the golden training runs: scikit-learn trains on its digits, measures, and writes what training scripts write.

    python evals/tests/gold/export/training_runs/make.py

Needs scikit-learn (in the test environment) and, for `hpo_runs`, optuna (not in it: `pip install optuna`). The metrics
are scikit-learn's, so that what our reader computes from the predictions has a foreign oracle. The folders differ in
their layout on purpose: nested and flat JSON, CSV, other names, metrics that are left out.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold, train_test_split

EPOCHS = 8
GIT_HASH = "3f1c2ab94d5e6f708192a3b4c5d6e7f8091a2b3c"
N_ITEMS = 600
N_VALIDATED = 100


def train(
    seed: int, train_x: Any, train_y: Any, val_x: Any, val_y: Any, alpha: float
) -> tuple[Any, list[dict[str, float]]]:
    """Train for some epochs; return the scores on the validation set, and the history."""
    model = SGDClassifier(loss="log_loss", alpha=alpha, random_state=seed)
    order = np.random.default_rng(seed)
    history = []
    for epoch in range(1, EPOCHS + 1):
        rows = order.permutation(len(train_x))
        model.partial_fit(train_x[rows], train_y[rows], classes=np.arange(10))
        losses = [
            metrics.log_loss(y, model.predict_proba(x), labels=np.arange(10))
            for x, y in ((train_x, train_y), (val_x, val_y))
        ]
        accuracy = metrics.accuracy_score(val_y, model.predict(val_x))
        history.append(
            {
                "epoch": epoch,
                "train_loss": round(losses[0], 5),
                "val_loss": round(losses[1], 5),
                "val_acc": round(accuracy, 4),
            }
        )
    return _scores(model, val_x), history


def _scores(model: SGDClassifier, x: Any) -> Any:
    scores = np.round(model.predict_proba(x), 4)
    return np.clip(scores, 1e-4, None)


def measured(true: Any, scores: Any) -> dict[str, Any]:
    """Return the metrics as scikit-learn has them."""
    predicted = scores.argmax(axis=1)
    by_class = metrics.precision_recall_fscore_support(true, predicted, labels=np.arange(10), zero_division=0)
    areas = [metrics.roc_auc_score(true == one, scores[:, one]) for one in range(10)]
    return {
        "accuracy": round(metrics.accuracy_score(true, predicted), 6),
        "balanced_accuracy_adjusted": round(metrics.balanced_accuracy_score(true, predicted, adjusted=True), 6),
        "kappa": round(metrics.cohen_kappa_score(true, predicted, weights="quadratic"), 6),
        "macro_f1": round(metrics.f1_score(true, predicted, average="macro"), 6),
        "auc_ovr": round(float(np.mean(areas)), 6),
        "per_class": {
            str(one): {
                name: round(float(by_class[row][one]), 6) for row, name in enumerate(("precision", "recall", "f1"))
            }
            for one in range(10)
        },
    }


def write_run(
    folder: Path,
    ids: Any,
    true: Any,
    scores: Any,
    history: list[dict[str, float]],
    summary: dict[str, Any],
    layout: str,
) -> None:
    """Write a run's folder.

    The layout is `nested` (JSON), `flat` (JSON, other names, JSON history) or `lacking` (CSV with accuracy alone).
    """
    (folder / "metrics").mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    found = measured(true, scores)
    if layout == "flat":
        (folder / "train_history.json").write_text(json.dumps(history, indent=1) + "\n")
        flat = {
            "val_acc": found["accuracy"],
            "qwk": found["kappa"],
            "f1_macro": found["macro_f1"],
            "roc_auc_ovr": found["auc_ovr"],
        }
        flat["balanced_acc_adj"] = found["balanced_accuracy_adjusted"]
        flat |= {
            f"{name}_class_{one}": value for one, values in found["per_class"].items() for name, value in values.items()
        }
        (folder / "metrics" / "val_metrics.json").write_text(json.dumps(flat, indent=1) + "\n")
    else:
        _write_csv(folder / "train_history.csv", history)
        if layout == "nested":
            (folder / "metrics" / "val_metrics.json").write_text(json.dumps(found, indent=1) + "\n")
        else:
            _write_csv(folder / "metrics" / "val_metrics.csv", [{"metric": "accuracy", "value": found["accuracy"]}])
    rows = [
        {"image_id": f"digit-{one:04d}", "true_label": int(label), "predicted_label": int(line.argmax())}
        | {f"prob_{index}": f"{value:.4f}" for index, value in enumerate(line)}
        for one, label, line in zip(ids, true, scores, strict=True)
    ]
    _write_csv(folder / "val_predictions.csv", rows)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def summary_of(seed: int, alpha: float, **more: Any) -> dict[str, Any]:
    """Return a summary as training scripts write it."""
    return {
        "seed": seed,
        "git_hash": GIT_HASH,
        "hyperparameters": {"model": "sgd", "alpha": alpha, "epochs": EPOCHS, "loss": "log_loss"},
    } | more


def main() -> None:
    """Write `digits/results_4 … 6`, `cv/sgd/fold_0 … 2/results` and `hpo_runs/trial_0 … 3`."""
    out = Path(__file__).resolve().parent
    for name in ("digits", "cv", "hpo_runs"):
        shutil.rmtree(out / name, ignore_errors=True)
    x, y = load_digits(return_X_y=True)
    x, y, ids = x[:N_ITEMS] / 16, y[:N_ITEMS], np.arange(N_ITEMS)
    train_rows, val_rows = train_test_split(ids, test_size=N_VALIDATED, random_state=0, stratify=y)

    def one(seed: int, rows: Any, held_out: Any, alpha: float) -> tuple[Any, list[dict[str, float]]]:
        return train(seed, x[rows], y[rows], x[held_out], y[held_out], alpha)

    for seed, layout in ((4, "nested"), (5, "flat"), (6, "lacking")):
        scores, history = one(seed, train_rows, val_rows, 1e-3)
        write_run(
            out / "digits" / f"results_{seed}", val_rows, y[val_rows], scores, history, summary_of(seed, 1e-3), layout
        )
    np.save(out / "digits" / "results_4" / "embeddings_val.npy", x[val_rows].astype(np.float32)[:, :4])
    folds = StratifiedKFold(3, shuffle=True, random_state=0).split(x[:300], y[:300])
    for fold, (rows, held_out) in enumerate(folds):
        scores, history = one(1, rows, held_out, 1e-3)
        folder = out / "cv" / "sgd" / f"fold_{fold}" / "results"
        write_run(folder, held_out, y[held_out], scores, history, summary_of(1, 1e-3), "nested")
    _search(out / "hpo_runs", one, train_rows, val_rows, y)


def _search(out: Path, one: Any, train_rows: Any, val_rows: Any, y: Any) -> None:
    """Let optuna choose alpha, and write each trial as a run with its `optuna_trial.json`."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: Any) -> float:
        alpha = trial.suggest_float("alpha", 1e-4, 1.0, log=True)
        scores, history = one(1, train_rows, val_rows, alpha)
        folder = out / f"trial_{trial.number}"
        write_run(folder, val_rows, y[val_rows], scores, history, summary_of(1, alpha), "nested")
        return float((scores.argmax(axis=1) == y[val_rows]).mean())

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(objective, n_trials=4)
    for trial in study.trials:
        record = {"number": trial.number, "value": trial.value, "params": trial.params, "state": trial.state.name}
        (out / f"trial_{trial.number}" / "optuna_trial.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
