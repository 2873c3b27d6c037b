"""inspect-ai: logs of evaluations, `*.eval` or `*.json`; of an archive its summaries are read, where it has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, number
from exaid_evals.runs.files.containers import read_members
from exaid_evals.runs.files.document import parsed
from exaid_evals.runs.files.summary import mapping_of
from exaid_evals.runs.formats.evaluations import InspectFormat, header_of

_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Correct, partially correct, incorrect, no answer: what the tool's own accuracy makes of them."""

_COMPARED = 1000
"""Characters of a text that tell whether two samples are the same: summaries hold at least so many."""


class InspectLogs(LogFormat):
    """Reads a log a file; a score that is a mapping is a metric for each key."""

    name = "inspect_ai"

    def claims(self, path: Path) -> bool:
        """Return whether it is a log."""
        return InspectFormat().claims(path)

    def read(self, path: Path) -> Sequence[Log]:
        """Read a log.

        Raises:
            DataError: it is damaged, or holds no sample.
        """
        header = header_of(path)
        evaluation = mapping_of(header.get("eval"))
        samples = header.get("samples") if path.suffix == ".json" else list(_samples(path))
        items = [_item(mapping_of(sample)) for sample in samples or ()]
        if not items:
            raise DataError(
                "holds no sample", where=str(path), remedy="write the log with its samples: without --no-log-samples"
            )
        status = header.get("status")
        unread = sorted({metric for item in items for metric, value in item.scores.items() if value is None})
        warnings = [f"the evaluation's status is {status}"] if status != "success" else []
        if header.get("invalidated"):
            warnings.append("the log is marked as invalidated")
        return [
            Log(
                task=str(evaluation.get("task") or ""),
                system=str(evaluation.get("model") or ""),
                format=self.name,
                file=path.name,
                items=items,
                made=str(evaluation.get("created") or ""),
                warnings=(*warnings, *(f"{metric} has values that are no number" for metric in unread[:5])),
            )
        ]


def _samples(path: Path) -> Iterator[Any]:
    """Yield the samples of an archive: its summaries, in one or more members, else the samples themselves."""
    names = read_members(path, lambda name: name == "summaries.json" or name.startswith("_journal/summaries/"))
    members = dict(names)
    chosen = {"summaries.json": members["summaries.json"]} if "summaries.json" in members else members
    if not chosen:
        chosen = dict(read_members(path, lambda name: name.startswith("samples/") and name.endswith(".json")))
    for name, data in sorted(chosen.items()):
        try:
            value = parsed(data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"not valid JSON ({error})", where=f"{path}: {name}", remedy="write or copy it again"
            ) from None
        yield from value if isinstance(value, list) else [value]


def _item(sample: Mapping[str, Any]) -> Item:
    scores: dict[str, float | None] = {}
    answer: Any = None
    for name, score in mapping_of(sample.get("scores")).items():
        given = mapping_of(score).get("value") if isinstance(score, Mapping) else score
        answer = answer or mapping_of(score).get("answer")
        if isinstance(given, Mapping):
            scores.update({f"{name}/{key}": _grade(value) for key, value in given.items()})
        else:
            scores[str(name)] = _grade(given)
    answer = answer or mapping_of(sample.get("output")).get("completion")
    return Item(
        id=str(sample.get("id")),
        epoch=int(number(sample.get("epoch")) or 1),
        scores=scores,
        content=digest(_asked(sample.get("input")), _asked(sample.get("target"))),
        facts=mapping_of(sample.get("metadata")),
        question=excerpt(sample.get("input")),
        target=excerpt(sample.get("target")),
        answer=excerpt(answer),
        failure="failed" if sample.get("error") else None if scores else "was not scored",
    )


def _asked(value: Any) -> str:
    """Return the beginning of a text, or of messages': their ids are of one run, and summaries cut what is long."""
    if isinstance(value, list):
        return "\n".join(_asked(one) for one in value)[:_COMPARED]
    if isinstance(value, Mapping):
        return _asked(value.get("content") or value.get("text"))
    return value[:_COMPARED] if isinstance(value, str) else ""


def _grade(value: Any) -> float | None:
    return _GRADES.get(value, number(value)) if isinstance(value, str) else number(value)
