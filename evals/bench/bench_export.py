"""Export of many training runs against its yardstick: a pandas loop that reads the same files, in the same run.

    python evals/bench/bench_export.py [--runs 10000] [--jobs 2]

The yardsticks are what such scripts look like. The first reads the four files of each run with `pandas.read_json` and
`pandas.read_csv` into one row, and takes means over the rows; it checks nothing and writes nothing. The second also
has scikit-learn compute the metrics from the predictions, as ours does to check what is reported. Ours diagnoses and
writes every table besides. All are processes of their own over the same folders; the yardsticks read a share of them
and are scaled up, for they take minutes for all. CPU time stands beside wall time, since what else the machine does is
not ours.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

N_ITEMS, N_CLASSES, N_EPOCHS = 100, 5, 20

YARDSTICK = """
import sys
from pathlib import Path
import pandas as pd
rows = []
for folder in map(Path, sys.stdin.read().split("\\n")):
    summary = pd.read_json(folder / "summary.json", typ="series")
    metrics = pd.read_json(folder / "metrics" / "val_metrics.json", typ="series")
    history = pd.read_csv(folder / "train_history.csv")
    predictions = pd.read_csv(folder / "val_predictions.csv")
    row = {"run": folder.name, "seed": summary["seed"], "n": len(predictions), "epochs": len(history)}
    row |= {name: value for name, value in metrics.items() if name != "per_class"}
    rows.append(row)
pd.DataFrame(rows).drop(columns="run").agg(["mean", "std", "min", "max"])
"""

# What the second one does besides, for each run.
MEASURING = """
    true, guess = predictions["true_label"], predictions["predicted_label"]
    scores = predictions.filter(like="prob_").to_numpy()
    sk.accuracy_score(true, guess), sk.balanced_accuracy_score(true, guess, adjusted=True)
    sk.cohen_kappa_score(true, guess, weights="quadratic"), sk.f1_score(true, guess, average="macro")
    [sk.roc_auc_score(true == one, scores[:, one]) for one in range(scores.shape[1])]
    sk.precision_recall_fscore_support(true, guess, zero_division=0)
"""
MEASURING_YARDSTICK = YARDSTICK.replace("import pandas as pd", "import pandas as pd, sklearn.metrics as sk").replace(
    "    row = {", MEASURING + "    row = {"
)


def write_runs(root: Path, n: int) -> None:
    """Write runs whose reported metrics are those of their predictions, as the export itself computes them."""
    import json

    from exaid_evals.runs.files import classification
    from exaid_evals.runs.files.predictions import count_predictions

    history = "epoch,train_loss,val_loss,val_acc\n" + "".join(
        f"{epoch},{2 / epoch:.5f},{2.2 / epoch:.5f},{1 - 1 / (epoch + 1):.4f}\n" for epoch in range(1, N_EPOCHS + 1)
    )
    for number in range(n):
        folder = root / f"results_{number}"
        (folder / "metrics").mkdir(parents=True)
        dice = random.Random(number)  # noqa: S311 - test data
        lines = ["image_id,true_label,predicted_label," + ",".join(f"prob_{one}" for one in range(N_CLASSES))]
        for item in range(N_ITEMS):
            scores = [dice.random() for _ in range(N_CLASSES)]
            scores[item % N_CLASSES] += 0.6
            total = sum(scores)
            best = scores.index(max(scores))
            shares = ",".join(f"{score / total:.4f}" for score in scores)
            lines.append(f"image-{item:05d},{item % N_CLASSES},{best},{shares}")
        (folder / "val_predictions.csv").write_text("\n".join(lines) + "\n")
        (folder / "train_history.csv").write_text(history)
        counted = count_predictions(folder / "val_predictions.csv")
        metrics = {**classification.from_counts(counted.counts), "auc_ovr": counted.area_ovr(scikit_learn=False)}
        by_class = classification.per_class_from_counts(counted.counts)
        metrics["per_class"] = classification.as_records(counted.classes, by_class)  # type: ignore[assignment]
        (folder / "metrics" / "val_metrics.json").write_text(json.dumps(metrics))
        config = {"lr": 0.001, "batch_size": 32, "epochs": N_EPOCHS, "model": "resnet18", "weight_decay": 0.01}
        summary = {"seed": number, "git_hash": "3f1c2ab9", "hyperparameters": config}
        (folder / "summary.json").write_text(json.dumps(summary))


class Cost(NamedTuple):
    """What a command took.

    Attributes:
        wall: seconds.
        cpu: seconds of all its processes.
        memory: of the largest process so far, in MB.
    """

    wall: float
    cpu: float
    memory: float


def cost_of(command: list[str], stdin: str = "") -> Cost:
    """Run a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=stdin)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, cpu, after.ru_maxrss / 1024)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--share", type=int, default=10, help="the yardstick reads one run in so many")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root, out = Path(name) / "runs", Path(name) / "out"
        write_runs(root, arguments.runs)
        export = [sys.executable, "-m", "exaid_evals", "export", "--runs", f"{root}/results_*", "--out", str(out)]
        export += ["--jobs", str(arguments.jobs), "--log-level", "error"]
        first = cost_of(export)
        again = cost_of(export)
        write_runs(Path(name) / "new", 1)
        (Path(name) / "new" / "results_0").rename(root / "results_new")
        one_more = cost_of(export)
        folders = [str(folder) for folder in sorted(root.iterdir())]
        loops = {
            "pandas loop that reads": _scaled(YARDSTICK, folders, arguments.share),
            "pandas loop with scikit-learn": _scaled(MEASURING_YARDSTICK, folders, arguments.share * 5),
        }
    print(f"{arguments.runs:,} runs of {N_ITEMS} items and {N_CLASSES} classes, {arguments.jobs} processes at most")
    rows = [("export", first), ("export again, nothing changed", again), ("export again, one new run", one_more)]
    for label, cost in [*rows, *loops.items()]:
        print(f"{label:<34}{cost.wall:9.2f} s {cost.cpu:9.2f} s of CPU")
    for label, cost in loops.items():
        print(f"{f'ratio to the {label}':<46}{cost.wall / first.wall:6.1f} × {cost.cpu / first.cpu:6.1f} × of CPU")
    print(f"{'largest process of the export':<34}{first.memory:9.0f} MB")


def _scaled(script: str, folders: list[str], share: int) -> Cost:
    """Return what a loop takes for all folders, from one in so many; its start is not scaled."""
    part = folders[::share]
    start, some = (cost_of([sys.executable, "-c", script], "\n".join(names)) for names in (part[:1], part))
    factor = (len(folders) - 1) / (len(part) - 1)
    wall, cpu = (one + (two - one) * factor for one, two in zip(start[:2], some[:2], strict=True))
    return Cost(wall, cpu, some.memory)


if __name__ == "__main__":
    main()
