"""Whether run_eval and the libraries of the field agree on random and adversarial input: docs/run_eval_agreement.md.

`python evals/bench/bench_agreement.py` prints the page's table; `--write` writes it. A library that is not installed
has no rows. Each check is one metric of one set, computed by run_eval over batches of a random size, and by the library
over the whole set at once.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run_eval_agreement.md"
_MARK = "<!-- made by evals/bench/bench_agreement.py -->\n"
APART = 2e-6
"""Libraries that compute in single precision differ by less."""
SEEDS = range(6)
ONE_OF_SEVERAL = {
    "loss": "loss",
    "accuracy": "accuracy",
    "top3_accuracy": "accuracy",
    "f1_macro": "f1",
    "balanced_accuracy": "balanced",
    "mcc": "mcc",
    "kappa": "kappa",
    "auroc": "auroc",
    "average_precision": "ap",
    "ece": "ece",
}


def sets(seed: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, logits (N, C) and labels (N,) of sets with six classes, some made to be difficult."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(150, 6, generator=generator) * 2
    labels = (logits + 3 * torch.randn(150, 6, generator=generator)).argmax(dim=1)
    yield "random", logits, labels
    yield "sure of everything", logits * 40, labels
    yield "ties", logits.round(), labels
    yield "all logits equal", torch.zeros_like(logits), labels
    missing = labels.clone()
    missing[missing == 4] = 5
    yield "a class that does not occur", logits, missing
    masked = logits.clone()
    masked[torch.arange(150), (labels + 1) % 6] = -math.inf
    yield "masked classes (−∞)", masked, labels
    yield "half precision", logits.half(), labels
    yield "ten examples", logits[:10], labels[:10]


def ours(logits: Any, labels: Any, names: list[str], seed: int) -> dict[str, float]:
    """Return run_eval's metrics over batches of a random size."""
    import torch

    from exaid_evals.run_eval import EvalConfig, TaskSpec, VisionClassificationAdapter, run_eval

    size = 1 + seed * 17 % 60
    loader = list(zip(logits.split(size), labels.split(size), strict=True))
    config = EvalConfig(loader=loader, progress=False, metrics=names)
    spec = TaskSpec("vision", "image_classification", {}, {"num_classes": logits.shape[1]})
    return run_eval(torch.nn.Identity(), VisionClassificationAdapter(), config, spec)


def torchmetrics_of(logits: Any, labels: Any) -> dict[str, Callable[[], float]]:
    """Return what torchmetrics computes; its macro averages are over all classes that occur on either side."""
    import torch
    from torchmetrics import classification as of

    probabilities = logits.float().softmax(dim=1)
    occur = {"num_classes": logits.shape[1]}
    metrics = {
        "accuracy": of.MulticlassAccuracy(**occur, average="micro"),
        "top3_accuracy": of.MulticlassAccuracy(**occur, average="micro", top_k=3),
        "f1_macro": of.MulticlassF1Score(**occur, average="macro"),
        "mcc": of.MulticlassMatthewsCorrCoef(**occur),
        "kappa": of.MulticlassCohenKappa(**occur, weights="quadratic"),
        "auroc": of.MulticlassAUROC(**occur),
        "average_precision": of.MulticlassAveragePrecision(**occur),
        "ece": of.MulticlassCalibrationError(**occur, n_bins=15),
    }
    found = {name: (lambda metric=metric: float(metric(probabilities, labels))) for name, metric in metrics.items()}
    return found | {"loss": lambda: float(torch.nn.functional.cross_entropy(logits.float(), labels))}


def sklearn_of(logits: Any, labels: Any) -> dict[str, Callable[[], float]]:
    """Return what scikit-learn computes."""
    import numpy as np
    from sklearn import metrics as of

    p = logits.double().softmax(dim=1).float().numpy()
    y, guess, all_classes = labels.numpy(), logits.float().numpy().argmax(axis=1), list(range(logits.shape[1]))
    kept = [one for one in all_classes if 0 < (y == one).sum() < len(y)]
    one_hot = np.eye(len(all_classes))[y]
    exact = logits.double().softmax(dim=1).numpy()
    return {
        "loss": lambda: float(of.log_loss(y, np.clip(exact, 1e-300, 1), labels=all_classes)),
        "accuracy": lambda: float(of.accuracy_score(y, guess)),
        "top3_accuracy": lambda: float(of.top_k_accuracy_score(y, logits.float().numpy(), k=3, labels=all_classes)),
        "f1_macro": lambda: float(of.f1_score(y, guess, average="macro", zero_division=0)),
        "balanced_accuracy": lambda: float(of.recall_score(y, guess, average="macro", labels=np.unique(y))),
        "mcc": lambda: float(of.matthews_corrcoef(y, guess)),
        "kappa": lambda: float(of.cohen_kappa_score(y, guess, weights="quadratic")),
        "auroc": lambda: float(of.roc_auc_score(one_hot[:, kept], p[:, kept], average="macro")),
        "average_precision": lambda: float(of.average_precision_score(one_hot[:, kept], p[:, kept], average="macro")),
    }


def timm_of(logits: Any, labels: Any) -> dict[str, Callable[[], float]]:
    """Return what `timm validate` computes."""
    from timm.utils import accuracy

    top = [lambda k=k: float(accuracy(logits.float(), labels, topk=(k,))[0]) / 100 for k in (1, 3)]
    return {"accuracy": top[0], "top3_accuracy": top[1]}


def transformers_of(logits: Any, labels: Any) -> dict[str, Callable[[], float]]:
    """Return the loss as Trainer.evaluate has it of one batch."""
    from transformers.loss.loss_utils import ForSequenceClassificationLoss

    class Config:
        problem_type, num_labels = "single_label_classification", logits.shape[1]

    return {"loss": lambda: float(ForSequenceClassificationLoss(labels, logits.float(), Config()))}


LIBRARIES = {
    "torchmetrics": torchmetrics_of,
    "sklearn": sklearn_of,
    "timm": timm_of,
    "transformers": transformers_of,
}


def compared() -> dict[tuple[str, str], dict[str, Any]]:
    """Return by library and metric: checks, those that agree and by how much, and where they do not."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    here = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    for seed in SEEDS:
        for kind, logits, labels in sets(seed):
            own = ours(logits, labels, list(ONE_OF_SEVERAL), seed)
            for library in here:
                for metric, compute in LIBRARIES[library](logits, labels).items():
                    row = found.setdefault((library, metric), _nothing())
                    row["checks"] += 1
                    try:
                        theirs = compute()
                    except ValueError:
                        row["refused"].add(kind)
                        row["n_refused"] += 1
                        continue
                    apart = abs(own[metric] - theirs)
                    both_undefined = math.isnan(own[metric]) and math.isnan(theirs)
                    if apart <= APART * max(1.0, abs(theirs)) or both_undefined:
                        row["n_agree"] += 1
                        row["apart"] = max(row["apart"], 0.0 if both_undefined else apart)
                    else:
                        row["kinds"][kind] = max(row["kinds"].get(kind, 0.0), apart)
    return found


def _nothing() -> dict[str, Any]:
    return {"checks": 0, "n_agree": 0, "n_refused": 0, "apart": 0.0, "kinds": {}, "refused": set()}


def table() -> str:
    """Return the rows in Markdown."""
    lines = ["| library | metric | checks | agree | greatest difference | differs on |", "|---|---|---|---|---|---|"]
    for (library, metric), row in compared().items():
        reported = [f"{kind} (up to {apart:.2g})" for kind, apart in row["kinds"].items()]
        reported += [f"{kind} (refused)" for kind in sorted(row["refused"])]
        counts = f"{row['checks']} | {row['n_agree']}"
        lines.append(f"| {library} | `{metric}` | {counts} | {row['apart']:.1e} | {', '.join(reported)} |")
    return "\n".join(lines)


def main() -> int:
    """Print or write the table."""
    if importlib.util.find_spec("torch") is None:
        print("agreement: not measured, PyTorch is not installed (make torch-setup)")
        return 0
    import warnings

    warnings.simplefilter("ignore")
    made = table()
    print(made)
    if "--write" in sys.argv:
        before, mark, _ = PAGE.read_text(encoding="utf-8").partition(
            "<!-- made by evals/bench/bench_agreement.py -->\n"
        )
        PAGE.write_text(f"{before}{mark}{made}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
