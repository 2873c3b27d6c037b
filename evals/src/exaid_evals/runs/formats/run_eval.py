"""What `exaid-evals run-eval` writes: `metrics/SPLIT_metrics.json` with its predictions, and what they rest on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.reported import read_reported
from exaid_evals.runs.files.standard_names import standard_name
from exaid_evals.runs.files.summary import plain

_EVALUATION = "evaluation.json"
"""Of the split `val`; that of another one begins with its name."""
_OF_TEXT = ("perplexity", "bits_per_byte")
"""What leads for a language model: kappa and accuracy over its tokens say little."""
_LEADING = (*_OF_TEXT, "map", "mean_iou", "accuracy")
"""The first of them leads where no task says which metric does."""


class RunEvalFormat(Format):
    """Reads an evaluation; a training run that has one beside its history is a training run."""

    name = "run_eval"

    def claims(self, place: Path) -> bool:
        """Return whether an evaluation without a training lies here."""
        return not os.path.isfile(f"{place}/summary.json") and bool(_splits(place))  # noqa: PTH113 - of many folders

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files."""
        return _files(source.path, (_splits(source.path) or ["val"])[0])

    def read(self, source: Source, name: str) -> Run:
        """Read the metrics; of several splits in one folder those of `val`, else of the first by name.

        Raises:
            DataError: the metrics are missing or damaged.
        """
        split, *others = _splits(source.path) or ["val"]
        metrics_file, evaluation_file, _ = _files(source.path, split)
        reported = read_reported(metrics_file)
        warnings = [f"{metrics_file.name}: {one}" for one in reported.warnings]
        if others:
            warnings.append(f"{split} is read, and {', '.join(others)} is not: evaluate each into a folder of its own")
        evaluation = read_object(evaluation_file, warnings=warnings)
        if not reported.metrics:
            raise DataError("holds no metric", where=str(metrics_file), remedy="evaluate again")
        kept = ("task", "split", "n_items", "n_batches", "intervals", "label_order", "tokenizer")
        signature = evaluation.get("signature")
        seed = evaluation.get("seed")
        told = evaluation.get("warnings")
        said, down = evaluation.get("primary_metric"), evaluation.get("lower_is_better")
        own = standard_name(said) if isinstance(said, str) else ""
        leading = next((one for one in (own, *_LEADING) if one in reported.metrics), None)
        lower = {*_OF_TEXT, *([own] if down is True else [])} & reported.metrics.keys()
        higher = {own if down is False else ""} & reported.metrics.keys()
        return Run(
            name=name,
            format=self.name,
            metrics=dict(sorted(reported.metrics.items())),
            per_class=reported.per_class,
            seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
            attributes={key: plain(evaluation[key]) for key in kept if evaluation.get(key) is not None}
            | ({"beside_metrics": reported.others} if reported.others else {}),
            signatures={"run": signature} if isinstance(signature, str) else {},
            default_primary=leading,
            lower_is_better=frozenset(lower),
            higher_is_better=frozenset(higher),
            warnings=tuple(f"{name}: {one}" for one in [*warnings, *(told if isinstance(told, list) else [])]),
            origin=source.path,
        )


def _splits(place: Path) -> list[str]:
    """Return the splits whose evaluations lie in a folder, `val` first."""
    folder = place / "metrics"
    found = sorted(path.name.removesuffix(f"_{_EVALUATION}") for path in folder.glob(f"*_{_EVALUATION}"))
    return ["val", *found] if (folder / _EVALUATION).is_file() else found


def _files(place: Path, split: str) -> list[Path]:
    beside = _EVALUATION if split == "val" else f"{split}_{_EVALUATION}"
    return [
        place / "metrics" / f"{split}_metrics.json",
        place / "metrics" / beside,
        place / f"{split}_predictions.csv",
    ]
