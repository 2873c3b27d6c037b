"""`val_predictions.csv`, as `exaid-evals run-eval` and training scripts write it: each prediction is right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, number, numbered_epochs
from exaid_evals.runs.files.delimited import open_delimited
from exaid_evals.runs.files.predictions import Layout

_WORDS = (b"predict", b"pred", b"y_pred")


class RunEvalPredictions(LogFormat):
    """Reads predictions with their true labels; the system is the folder's name."""

    name = "run_eval"

    def claims(self, path: Path) -> bool:
        """Return whether a CSV file names predictions in its header."""
        if path.suffix != ".csv":
            return False
        header = first_bytes(path, 4096).split(b"\n")[0].lower()
        return any(word in header for word in _WORDS)

    def read(self, path: Path) -> Sequence[Log]:
        """Read predictions.

        Raises:
            DataError: a label's column is missing, a row is malformed, or there is none.
        """
        file = open_delimited(path)
        layout = Layout.of(file)
        rows = [row for _, row in file.rows()]
        if not rows:
            raise DataError("holds no prediction", where=str(path), remedy="write or copy it again")
        warnings = list(file.warnings)
        if layout.item is None:
            ids = [str(place) for place in range(1, len(rows) + 1)]
            warnings.append("has no ids: rows are matched by their order")
        else:
            ids = [row[layout.item].strip() for row in rows]
        kept = [index for index in range(len(file.columns)) if index not in layout.scores]
        items = []
        for row, id_, epoch in zip(rows, ids, numbered_epochs(ids), strict=True):
            true, guess = row[layout.true].strip(), row[layout.predicted].strip()
            items.append(_item(id_, epoch, true, guess, {file.columns[index]: row[index] for index in kept}))
        system = path.resolve().parent.name
        return [Log("", system, self.name, path.name, items, warnings=tuple(warnings))]


def _item(id_: str, epoch: int, true: str, guess: str, facts: Mapping[str, Any]) -> Item:
    missing = not true or not guess
    return Item(
        id=id_,
        epoch=epoch,
        scores={} if missing else {"correct": float(_label(true) == _label(guess))},
        content=digest(_label(true)),
        facts=facts,
        target=excerpt(true),
        answer=excerpt(guess),
        failure="has no label" if missing else None,
    )


def _label(text: str) -> str | float:
    """Return a label such that `1` and the `1.0` of data frames are one."""
    value = number(text) if text[:1].isdigit() or text[:1] in "+-" else None
    return text if value is None else value
