"""lm-evaluation-harness: `samples_<task>_<date>.jsonl` of a run with `--log_samples`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, number, numbered_epochs
from exaid_evals.runs.files.document import objects, read_document, read_object
from exaid_evals.runs.formats.evaluations import model_of

_NAME = re.compile(r"^(?:samples_)?(?P<task>.+?)(?:_(?P<date>\d{4}-\d{2}-\d{2}T[\d.:-]+))?$")
_BEGINNING = re.compile(rb'^(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"doc_id"\s*:\s*\d')
_NO_METRICS = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}
_NO_METRICS |= {"doc_hash", "prompt_hash", "target_hash", "schema_version"}


class LmEvalSamples(LogFormat):
    """Reads a task a file; the system is its model."""

    name = "lm_eval"

    def claims(self, path: Path) -> bool:
        """Return whether its first line is a sample."""
        if path.suffix not in (".jsonl", ".json"):
            return False
        return _BEGINNING.match(first_bytes(path, 256)) is not None

    def read(self, path: Path) -> Sequence[Log]:
        """Read the samples of a task; a metric under a filter is `metric@filter`.

        Raises:
            DataError: it is damaged.
        """
        warnings: list[str] = []
        if path.suffix == ".json":
            value = read_document(path)
            samples = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
        else:
            samples = list(objects(path, warnings))
        by_document: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
        keys = [f"{sample.get('doc_id')}\0{sample.get('filter', 'none')}" for sample in samples]
        for sample, epoch in zip(samples, numbered_epochs(keys), strict=True):
            by_document.setdefault((str(sample.get("doc_id")), epoch), []).append(sample)
        if not by_document:
            raise DataError("holds no sample", where=str(path), remedy="write or copy it again")
        skipped: dict[str, None] = {}
        items = [_item(id_, epoch, of_one, skipped) for (id_, epoch), of_one in by_document.items()]
        warnings += [f"{metric} is no number per item, and is left out" for metric in skipped]
        name = _NAME.match(path.stem)
        return [
            Log(
                task=name["task"] if name else path.stem,
                system=_system(path, name["date"]) if name and name["date"] else "",
                format=self.name,
                file=path.name,
                items=items,
                made=(name["date"] or "") if name else "",
                warnings=tuple(warnings),
            )
        ]


def _system(path: Path, date: str) -> str:
    """Return the model that the results of the same date name, else the folder that the harness names after it."""
    results = path.with_name(f"results_{date}.json")
    model = model_of(read_object(results)) if results.is_file() else ""
    return model or path.resolve().parent.name


def _item(id_: str, epoch: int, samples: Sequence[Mapping[str, Any]], skipped: dict[str, None]) -> Item:
    scores: dict[str, float | None] = {}
    for sample in samples:
        filtered = str(sample.get("filter", "none"))
        metrics = sample.get("metrics")
        names = (
            [str(one) for one in metrics] if isinstance(metrics, list) else [k for k in sample if k not in _NO_METRICS]
        )
        for metric in names:
            value = sample.get(metric)
            if isinstance(value, list | dict | str):
                skipped[metric] = None
                continue
            scores[metric if filtered == "none" else f"{metric}@{filtered}"] = number(value)
    first = samples[0]
    doc = first.get("doc")
    return Item(
        id=id_,
        epoch=epoch,
        scores=scores,
        content=digest(doc) if doc is not None else first.get("doc_hash"),
        facts=doc if isinstance(doc, Mapping) else {},
        question=excerpt(doc),
        target=excerpt(first.get("target")),
        answer=excerpt(first.get("filtered_resps")),
        failure=None if scores else "was not scored",
    )
