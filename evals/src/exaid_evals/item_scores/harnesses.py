"""Logs of evaluation harnesses, item by item: inspect-ai, lm-evaluation-harness, HELM.

inspect-ai writes `*.eval` or `*.json`, of which the summaries are read where there are any; lm-evaluation-harness
`samples_<task>_<date>.jsonl` with `--log_samples`; HELM `per_instance_stats.json` of a run, with `run_spec.json`,
`instances.json` and predictions beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, number, numbered_epochs
from exaid_evals.runs.files.archives import read_members
from exaid_evals.runs.files.document import objects, parsed_member, read_document, read_object
from exaid_evals.runs.files.values import mapping_of, mappings_of
from exaid_evals.runs.formats.evaluations import InspectFormat, header_of, model_of
from exaid_evals.runs.formats.helm import COUNTED

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
        """Read a log."""
        header = header_of(path)
        evaluation = mapping_of(header.get("eval"))
        samples = header.get("samples") if path.suffix == ".json" else list(_samples(path))
        items = [_inspect_item(mapping_of(sample)) for sample in samples or ()]
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
                warnings=(*warnings, *(f"{metric} has values that are not numbers" for metric in unread[:5])),
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
        value = parsed_member(data, f"{path}: {name}")
        yield from value if isinstance(value, list) else [value]


def _inspect_item(sample: Mapping[str, Any]) -> Item:
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
        """Read the samples of a task; a metric under a filter is `metric@filter`."""
        warnings: list[str] = []
        samples = mappings_of(read_document(path)) if path.suffix == ".json" else list(objects(path, warnings))
        by_document: dict[tuple[str, int], list[dict[str, Any]]] = {}
        keys = [f"{sample.get('doc_id')}\0{sample.get('filter', 'none')}" for sample in samples]
        for sample, epoch in zip(samples, numbered_epochs(keys), strict=True):
            by_document.setdefault((str(sample.get("doc_id")), epoch), []).append(sample)
        if not by_document:
            raise DataError("holds no sample", where=str(path), remedy="write or copy it again")
        skipped: dict[str, None] = {}
        items = [_lm_eval_item(id_, epoch, of_one, skipped) for (id_, epoch), of_one in by_document.items()]
        warnings += [f"{metric} is not a number per item, and is left out" for metric in skipped]
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


def _lm_eval_item(id_: str, epoch: int, samples: Sequence[Mapping[str, Any]], skipped: dict[str, None]) -> Item:
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


_STATS, _SPEC, _INSTANCES = "per_instance_stats.json", "run_spec.json", "instances.json"
_PREDICTIONS = "display_predictions.json"
_MODEL = re.compile(r"(?:^|(?<=[,:]))(?:model|model_deployment)=[^,]*,?")


class HelmInstances(LogFormat):
    """Reads a run a file; trials are epochs, and a perturbed instance is an item of its own."""

    name = "helm"

    def claims(self, path: Path) -> bool:
        """Return whether it has the name that HELM gives."""
        return path.name == _STATS

    def read(self, path: Path) -> Sequence[Log]:
        """Read the metrics of each instance, but for counts of tokens and time."""
        rows = mappings_of(read_document(path))
        spec = _beside(path, _SPEC)
        spec = spec if isinstance(spec, Mapping) else {}
        adapter = spec.get("adapter_spec")
        name = str(spec.get("name") or path.resolve().parent.name)
        scores: dict[tuple[str, int], dict[str, float | None]] = {}
        of_item: dict[tuple[str, int], tuple[str, Any]] = {}
        for row in rows:
            instance, perturbation = str(row.get("instance_id")), row.get("perturbation")
            id_ = f"{instance} {_perturbed(perturbation)}".strip()
            key = id_, int(number(row.get("train_trial_index")) or 0)
            of_item[key] = instance, perturbation
            scores.setdefault(key, {}).update(_means(mappings_of(row.get("stats"))))
        if not scores:
            raise DataError("holds no instance", where=str(path), remedy="wait for its end, or leave it out")
        texts = {str(one.get("id")): one for one in mappings_of(_beside(path, _INSTANCES))}
        answers = {
            (str(one.get("instance_id")), _perturbed(one.get("perturbation")), one.get("train_trial_index")): one
            for one in mappings_of(_beside(path, _PREDICTIONS))
        }
        items = []
        for (id_, trial), values in scores.items():
            instance, perturbation = of_item[id_, trial]
            text = texts.get(instance, {})
            answer = answers.get((instance, _perturbed(perturbation), trial), {})
            items.append(_helm_item(id_, trial, values, instance, text, answer))
        model = adapter.get("model") if isinstance(adapter, Mapping) else None
        return [
            Log(
                task=_MODEL.sub("", name).strip(",:"),
                system=str(model or (found[0].strip(",") if (found := _MODEL.search(name)) else "")),
                format=self.name,
                file=f"{path.resolve().parent.name}/{path.name}",
                items=items,
            )
        ]


def _helm_item(
    id_: str,
    trial: int,
    scores: Mapping[str, float | None],
    instance: str,
    text: Mapping[str, Any],
    answer: Mapping[str, Any],
) -> Item:
    right = [
        mapping_of(one.get("output")).get("text")
        for one in mappings_of(text.get("references"))
        if "correct" in (one.get("tags") or ())
    ]
    return Item(
        id=id_,
        epoch=trial,
        scores=scores,
        content=digest(text.get("input"), text.get("references")) if text else None,
        facts={**mapping_of(text.get("extra_data")), **text, "instance": instance},
        question=excerpt(text.get("input")),
        target=excerpt(right),
        answer=excerpt(answer.get("predicted_text")),
        failure=None if scores else "was not scored",
    )


def _means(stats: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for stat in stats:
        name = stat.get("name")
        metric = str(name.get("name")) if isinstance(name, Mapping) else str(name)
        if not COUNTED.match(metric):
            found[metric] = number(stat.get("mean")) if stat.get("count") else None
    return found


def _perturbed(perturbation: Any) -> str:
    return json.dumps(perturbation, sort_keys=True) if perturbation else ""


def _beside(path: Path, name: str) -> Any:
    """Return a file of the same run; None where it is not there."""
    return read_document(path.with_name(name)) if path.with_name(name).is_file() else None
