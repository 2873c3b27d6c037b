"""What `exaid-evals run-eval` writes: `metrics/val_metrics.json` with its predictions, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.reported import read_reported
from exaid_evals.runs.files.tracked import plain

_METRICS, _EVALUATION, _PREDICTIONS = "metrics/val_metrics.json", "metrics/evaluation.json", "val_predictions.csv"
_OF_TEXT = ("perplexity", "bits_per_byte")
"""What leads for a language model: kappa and accuracy over its tokens say little."""


class RunEvalFormat(Format):
    """Reads an evaluation; a training run that has one beside its history is a training run."""

    name = "run_eval"

    def claims(self, place: Path) -> bool:
        """Tell whether an evaluation without a training lies here."""
        return (place / _EVALUATION).is_file() and not (place / "summary.json").is_file()

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return both files."""
        return [source.path / name for name in (_METRICS, _EVALUATION, _PREDICTIONS)]

    def read(self, source: Source, name: str) -> Run:
        """Read the metrics.

        Raises:
            DataError: the metrics are missing or damaged.
        """
        reported = read_reported(source.path / _METRICS)
        warnings = [f"{_METRICS}: {one}" for one in reported.warnings]
        evaluation = read_object(source.path / _EVALUATION, warnings=warnings)
        if not reported.metrics:
            raise DataError("holds no metric", where=str(source.path / _METRICS), remedy="evaluate again")
        kept = ("task", "split", "n_items", "n_batches", "intervals", "label_order", "tokenizer")
        signature = evaluation.get("signature")
        seed = evaluation.get("seed")
        told = evaluation.get("warnings")
        leading = next((one for one in _OF_TEXT if one in reported.metrics), None)
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
            lower_is_better=frozenset(one for one in _OF_TEXT if one in reported.metrics),
            warnings=tuple(f"{name}: {one}" for one in [*warnings, *(told if isinstance(told, list) else [])]),
            origin=source.path,
        )
