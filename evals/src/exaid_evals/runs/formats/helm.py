"""HELM: a run's `stats.json` beside its `run_spec.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes, folders_in
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.document import read_document, read_object
from exaid_evals.runs.files.values import mapping_of, mappings_of, numbers_of, plain, undefined_warning

STATS, SPEC = "stats.json", "run_spec.json"
COUNTED = re.compile(
    r"^(?:num_|inference_|batch_size|finish_reason|prompt_truncated|training_|max_prob$|logprob|estimated_|predicted_index)"
)
"""Metrics that HELM counts of every run beside its quality."""
_BEGINNING = re.compile(rb'\A\s*\[\s*\{\s*"name"\s*:\s*\{\s*"name"\s*:')
_BELOW, _FOLDERS_AT_MOST = 3, 500


class HelmFormat(Format):
    """Reads a run a folder: each metric's mean as `split/metric`, of perturbed instances `split/metric@perturbation`.

    Parts of a split stand behind it: `split/part/metric`.

    Of a perturbation that is computed on several instances the kind is named too: `@robustness.worst`.
    """

    name = "helm"

    def claims(self, place: Path) -> bool:
        """Return whether such a run lies here, or a few folders below."""
        return bool(_runs_in(place))

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs, by the names of their folders."""
        return [Source(path) for path in _runs_in(place)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return both files."""
        return [source.path / STATS, source.path / SPEC]

    def read(self, source: Source, name: str) -> Run:
        """Read a run; splits on which nothing was counted have no metric."""
        stats = [one for one in mappings_of(read_document(source.path / STATS)) if one.get("count")]
        spec = read_object(source.path / SPEC) if (source.path / SPEC).is_file() else {}
        names = [mapping_of(one.get("name")) for one in stats]
        means = {_label(one): stat.get("mean") for one, stat in zip(names, stats, strict=True) if one.get("name")}
        metrics, undefined = numbers_of({label: one for label, one in means.items() if not _is_counted(label)})
        if not metrics:
            raise DataError(
                "holds no metric", where=str(source.path / STATS), remedy="wait for its end, or leave it out"
            )
        adapter = mapping_of(spec.get("adapter_spec"))
        scenario = mapping_of(mapping_of(spec.get("scenario_spec")).get("args"))
        settings = {**{f"scenario.{key}": one for key, one in scenario.items()}, **adapter}
        config = {key: plain(one) for key, one in sorted(settings.items()) if isinstance(one, str | int | float)}
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                config=config,
                attributes={"helm_run": plain(spec.get("name"))},
                warnings=tuple(undefined_warning(undefined)),
            ),
        )


def _label(name: Mapping[str, Any]) -> str:
    perturbation = mapping_of(name.get("perturbation"))
    parts = [str(perturbation[key]) for key in ("name", "computed_on") if perturbation.get(key)]
    place = "/".join(str(name[key]) for key in ("split", "sub_split", "name") if name.get(key))
    return place + (f"@{'.'.join(parts)}" if parts else "")


def _is_counted(label: str) -> bool:
    return COUNTED.match(label.rpartition("/")[2]) is not None


def _runs_in(place: Path) -> list[Path]:
    for depth in range(_BELOW + 1 if place.is_dir() else 0):
        if any(map(_is_run, _folders_at(place, depth, _FOLDERS_AT_MOST))):
            return [folder for folder in _folders_at(place, depth) if _is_run(folder)]
    return []


def _is_run(folder: Path) -> bool:
    return _BEGINNING.match(first_bytes(folder / STATS, 256)) is not None


def _folders_at(place: Path, depth: int, most: int | None = None) -> list[Path]:
    """Return the folders so far below a place, looking into so many of each depth at most."""
    level = [place]
    for _ in range(depth):
        level = [below for folder in level[:most] for below in folders_in(folder)]
    return level
