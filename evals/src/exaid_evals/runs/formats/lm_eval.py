"""lm-evaluation-harness: `results_*.json` of a run; the harness itself is not needed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.tracked import numbers_of, plain, undefined_warning

_FILE = re.compile(r"(?:.*_)?results(?:_.*)?\.json")
# The harness writes its results first. A training script's results.json has no task within.
_BEGINNING = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{\s*"results"\s*:\s*\{')
_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
# What says where or on what a run was made, but not what was measured.
_PLACES = {"device", "use_cache", "batch_sizes", "bootstrap_iters", *_SEEDS}


class LmEvalFormat(Format):
    """Reads a run a results file: each task's metrics as `task.metric`, `task.metric@filter` where one was used."""

    name = "lm_eval"

    def claims(self, folder: Path) -> bool:
        """Tell whether a results file lies here, or in a folder for each model below."""
        return bool(_results_in(folder))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return a run a file: a model that was evaluated twice has two."""
        found = _results_in(folder)
        alone = len(found) == 1 and found[0].parent == folder
        return [Source(folder if alone else path) for path in found]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file."""
        return _results_in(source.path) if source.path.is_dir() else [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a file.

        Raises:
            DataError: it is not JSON, or holds no task.
        """
        path = _results_in(source.path)[0] if source.path.is_dir() else source.path
        twice: list[str] = []
        data = read_object(path, warnings=twice)
        tasks = _mapping(data.get("results"))
        if not tasks:
            raise DataError("holds no task", where=f"{path}: results", remedy="did the evaluation end?")
        better = _mapping(data.get("higher_is_better"))
        metrics: dict[str, float | None] = {}
        spread: dict[str, float | None] = {}
        lower: set[str] = set()
        higher: set[str] = set()
        for task, values in sorted(tasks.items()):
            for key, value in numbers_of(_mapping(values))[0].items():
                metric, _, filtered = key.partition(",")
                if metric in ("sample_len", "alias", "samples"):
                    continue
                label = f"{task}.{metric}" + (f"@{filtered}" if filtered not in ("", "none") else "")
                (spread if metric.endswith("_stderr") else metrics)[label] = value
                says = _mapping(better.get(task)).get(metric)
                if isinstance(says, bool):
                    (higher if says else lower).add(label)
        undefined = [label for label, value in metrics.items() if value is None]
        config = _mapping(data.get("config"))
        seed = config.get("random_seed")
        return Run(
            name=name,
            format=self.name,
            metrics=metrics,
            config=_config(config, data),
            seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
            git_hash=str(data["git_hash"]) if data.get("git_hash") else None,
            attributes={
                "model": plain(data.get("model_name") or config.get("model")),
                "n_samples": {task: plain(value) for task, value in _mapping(data.get("n-samples")).items()},
                "task_versions": {task: plain(value) for task, value in _mapping(data.get("versions")).items()},
                "stderr": spread,
                "lm_eval_version": plain(data.get("lm_eval_version")),
            },
            lower_is_better=frozenset(lower),
            higher_is_better=frozenset(higher),
            warnings=tuple(
                f"{name}: {warning}" for warning in [*twice, *undefined_warning(undefined), *_oddities(data)]
            ),
            origin=source.path,
        )


def _config(config: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: plain(value) for key, value in sorted(config.items()) if key not in _PLACES}
    shots = {task: plain(value) for task, value in _mapping(data.get("n-shot")).items()}
    return kept | ({"n_shot": shots} if shots else {})


def _oddities(data: Mapping[str, Any]) -> list[str]:
    found = []
    limit = _mapping(data.get("config")).get("limit")
    if limit is not None:
        found.append(f"evaluated with --limit {limit}: its numbers are of part of each task")
    for task, counts in sorted(_mapping(data.get("n-samples")).items()):
        original, effective = (_mapping(counts).get(key) for key in ("original", "effective"))
        if original != effective and limit is None:
            found.append(f"{task}: {effective} of {original} samples were evaluated")
    return found


def _results_in(folder: Path) -> list[Path]:
    """Return the results files in a folder and in those just below it, by name, which has the time in it."""
    found = [path for path in _files(folder) if _begins_so(path)]
    if found:
        return found
    return [path for below in _folders(folder) for path in _files(below) if _begins_so(path)]


def _files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if _FILE.fullmatch(entry.name) and entry.is_file())
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _begins_so(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return _BEGINNING.match(stream.read(256)) is not None
    except OSError:
        return False


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
