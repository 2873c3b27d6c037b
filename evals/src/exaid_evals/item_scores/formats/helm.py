"""HELM: `per_instance_stats.json` of a run, with `run_spec.json`, `instances.json` and predictions beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, number
from exaid_evals.runs.files.document import read_document
from exaid_evals.runs.files.summary import mapping_of

_STATS, _SPEC, _INSTANCES = "per_instance_stats.json", "run_spec.json", "instances.json"
_PREDICTIONS = "display_predictions.json"
_MODEL = re.compile(r"(?:^|(?<=[,:]))(?:model|model_deployment)=[^,]*,?")
# What HELM counts of every run beside its quality.
_COUNTED = re.compile(
    r"^(?:num_|inference_|batch_size|finish_reason|prompt_truncated|training_|max_prob$|logprob|estimated_|predicted_index)"
)


class HelmInstances(LogFormat):
    """Reads a run a file; trials are epochs, and a perturbed instance is an item of its own."""

    name = "helm"

    def claims(self, path: Path) -> bool:
        """Return whether it has the name that HELM gives."""
        return path.name == _STATS

    def read(self, path: Path) -> Sequence[Log]:
        """Read the metrics of each instance, but for counts of tokens and time.

        Raises:
            DataError: it is damaged, or holds no instance.
        """
        rows = _list(read_document(path))
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
            scores.setdefault(key, {}).update(_means(_list(row.get("stats"))))
        if not scores:
            raise DataError("holds no instance", where=str(path), remedy="wait for its end, or leave it out")
        texts = {str(one.get("id")): one for one in _list(_beside(path, _INSTANCES))}
        answers = {
            (str(one.get("instance_id")), _perturbed(one.get("perturbation")), one.get("train_trial_index")): one
            for one in _list(_beside(path, _PREDICTIONS))
        }
        items = []
        for (id_, trial), values in scores.items():
            instance, perturbation = of_item[id_, trial]
            text = texts.get(instance, {})
            answer = answers.get((instance, _perturbed(perturbation), trial), {})
            items.append(_item(id_, trial, values, instance, text, answer))
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


def _item(
    id_: str,
    trial: int,
    scores: Mapping[str, float | None],
    instance: str,
    text: Mapping[str, Any],
    answer: Mapping[str, Any],
) -> Item:
    right = [
        mapping_of(one.get("output")).get("text")
        for one in _list(text.get("references"))
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
        if not _COUNTED.match(metric):
            found[metric] = number(stat.get("mean")) if stat.get("count") else None
    return found


def _perturbed(perturbation: Any) -> str:
    return json.dumps(perturbation, sort_keys=True) if perturbation else ""


def _beside(path: Path, name: str) -> Any:
    """Return a file of the same run; None where it is not there."""
    return read_document(path.with_name(name)) if path.with_name(name).is_file() else None


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
