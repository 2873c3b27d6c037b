"""Evaluation tools: inspect-ai's logs, `*.eval` or `*.json`, and lm-evaluation-harness' `results_*.json`.

Neither tool is needed. Of inspect-ai's archive only the header is read, never a sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import files_in, first_bytes, folders_in, open_regular
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.archives import member_names, read_member
from exaid_evals.runs.files.document import parsed_member, read_object
from exaid_evals.runs.files.summary import is_incidental, seed_in
from exaid_evals.runs.files.values import mapping_of, numbers_of, plain, undefined_warning
from exaid_evals.runs.history_files import leading_metric

_HEADER, _START = "header.json", "_journal/start.json"
_SUFFIX = ".eval"
# A log as JSON: its version, then the status, then the evaluation.
_INSPECT_BEGINNING = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:\s*"')


class InspectFormat(Format):
    """Reads a run a log; each score as `scorer.metric`."""

    name = "inspect_ai"

    def claims(self, folder: Path) -> bool:
        """Return whether a log lies here."""
        return bool(_logs_in(folder))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return a run a log; of one evaluation in both forms the archive."""
        logs = _logs_in(folder)
        archives = {path.stem for path in logs if path.suffix == _SUFFIX}
        return [Source(path) for path in logs if path.suffix == _SUFFIX or path.stem not in archives]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the log."""
        return [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a log."""
        data = header_of(source.path)
        evaluation, results = mapping_of(data.get("eval")), mapping_of(data.get("results"))
        scores, undefined = numbers_of(dict(_scores(results)))
        spread = {label: value for label, value in scores.items() if label.endswith(".stderr")}
        metrics = {label: value for label, value in scores.items() if label not in spread}
        status = str(data.get("status") or "unknown")
        if not metrics and status == "success":
            raise DataError("holds no score", where=str(source.path), remedy="wait for its end, or leave it out")
        settings = mapping_of(evaluation.get("model_generate_config")) | mapping_of(
            mapping_of(data.get("plan")).get("config")
        )
        revision = mapping_of(evaluation.get("revision"))
        warnings = undefined_warning([label for label in undefined if label not in spread])
        if status != "success":
            message = " ".join(str(mapping_of(data.get("error")).get("message") or "").split())[:120]
            warnings.append(f"the evaluation's status is {status}{f' ({message})' if message else ''}")
        total, completed = (results.get(key) for key in ("total_samples", "completed_samples"))
        if total != completed:
            warnings.append(f"{completed} of {total} samples were completed")
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                config={
                    "task": plain(evaluation.get("task")),
                    "model": plain(evaluation.get("model")),
                    "task_args": plain(mapping_of(evaluation.get("task_args"))),
                    "epochs": plain(mapping_of(evaluation.get("config")).get("epochs")),
                    **{str(key): plain(value) for key, value in sorted(settings.items()) if key != "seed"},
                },
                seed=seed_in(settings) if "seed" in settings else seed_in(mapping_of(evaluation.get("task_args"))),
                git_hash=str(revision["commit"]) if revision.get("commit") else None,
                git_dirty=revision["dirty"] if isinstance(revision.get("dirty"), bool) else None,
                attributes={
                    "inspect_status": status,
                    "task_id": plain(evaluation.get("task_id")),
                    "n_samples": plain(total),
                    "n_completed": plain(completed),
                    "stderr": spread,
                    "inspect_version": plain(mapping_of(evaluation.get("packages")).get("inspect_ai")),
                },
                default_primary=leading_metric(metrics, {}),
                warnings=tuple(warnings),
            ),
        )


def header_of(path: Path) -> Mapping[str, Any]:
    """Return the header of an archive, or the whole of a log as JSON.

    Raises:
        DataError: it is damaged.
    """
    if path.suffix != _SUFFIX:
        try:
            return read_object(path)
        except DataError as error:
            if "larger" not in error.what:
                raise
            remedy = "convert it with `inspect log convert --to eval`, of which only the header is read"
            raise DataError(error.what, where=error.where, remedy=remedy) from None
    names = member_names(path)
    if _HEADER not in names and _START in names:
        started = _parsed(read_member(path, _START), f"{path}: {_START}")
        return {"status": "started", "eval": started.get("eval"), "plan": started.get("plan")}
    return _parsed(read_member(path, _HEADER), f"{path}: {_HEADER}")


def _parsed(data: bytes, where: str) -> Mapping[str, Any]:
    value = parsed_member(data, where)
    if not isinstance(value, dict):
        raise DataError("holds no object", where=where, remedy="write or copy it again")
    return value


def _scores(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield `scorer.metric` and value; a scorer with several reducers has the reducer in its name."""
    scores = [score for score in results.get("scores") or () if isinstance(score, Mapping)]
    names = [str(score.get("name") or score.get("scorer") or "score") for score in scores]
    for score, name in zip(scores, names, strict=True):
        label = f"{name}@{score.get('reducer')}" if names.count(name) > 1 and score.get("reducer") else name
        for key, metric in mapping_of(score.get("metrics")).items():
            metric_name = str(key).rpartition("/")[2]
            yield f"{label}.{metric_name}", metric.get("value") if isinstance(metric, Mapping) else metric


def _logs_in(folder: Path, *, deep: bool = True) -> list[Path]:
    try:
        files = [folder] if folder.is_file() else files_in(folder)
    except OSError:
        return []
    found = [
        path
        for path in files
        if (path.suffix == _SUFFIX and _begins(path, re.compile(rb"^PK")))
        or (path.suffix == ".json" and _begins(path, _INSPECT_BEGINNING))
    ]
    # A folder of logs for each model or day.
    return found or [log for below in (folders_in(folder) if deep else ()) for log in _logs_in(below, deep=False)]


def _begins(path: Path, pattern: re.Pattern[bytes]) -> bool:
    return pattern.match(first_bytes(path, 256)) is not None


# The harness writes its results first, by task; a training script's results hold metrics and no task. Only old versions
# write no more than versions and config behind them, and their files bear any name.
_LM_EVAL_BEGINNING = re.compile(
    rb'^(?:\xef\xbb\xbf)?\s*\{\s*"(?:config_general"\s*:\s*\{|results"\s*:\s*\{(?:\s*\}|\s*"[^"]*"\s*:\s*[{\[]|\s*$|\s*"[^"]*$))'
)
_GENERAL = "config_general"
"""What lighteval, which writes the same results behind it, calls its settings."""
_END = re.compile(
    rb'"(?:lm_eval_version|model_args|num_fewshot|n-samples|n-shot|bootstrap_iters|configs|versions|config_tasks)"\s*:'
)
_USUAL_NAME = re.compile(r"(?:.*_)?results(?:_.*)?\.json")
_BELOW = 3
_TAIL_BYTES = 256 * 1024
_TIME = re.compile(r"_(\d{4}-\d{2}-\d{2}T[\d.:-]+)$")
_PRETRAINED = re.compile(r"(?:^|,)(?:pretrained|model|engine|path)=([^,]+)")
_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
_DEFAULT_SEEDS = (0, 1234, 1234, 1234)
"""What the harness takes where nobody names a seed: such a run has none."""
# What says where or on what a run was made, but not what was measured.
_PLACES = {"device", "use_cache", "batch_sizes", "bootstrap_iters", *_SEEDS}


class LmEvalFormat(Format):
    """Reads a run a results file: each task's metrics as `task.metric`, `task.metric@filter` where one was used."""

    name = "lm_eval"

    def claims(self, folder: Path) -> bool:
        """Return whether a results file lies here, or in a folder for each model below."""
        return bool(_results_in(folder))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return a run a file, called by its model, and by its task where there is but one."""
        return [Source(path, label=_label(path)) for path in _results_in(folder)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file."""
        return [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a file."""
        path = source.path
        twice: list[str] = []
        data = read_object(path, warnings=twice)
        tasks = mapping_of(data.get("results"))
        if not tasks:
            raise DataError("holds no task", where=f"{path}: results", remedy="wait for its end, or leave it out")
        metrics: dict[str, float | None] = {}
        spread: dict[str, float | None] = {}
        better: dict[bool, set[str]] = {False: set(), True: set()}
        for task, metric, label, value in _results(tasks):
            (spread if metric.endswith("_stderr") else metrics)[label] = value
            says = mapping_of(mapping_of(data.get("higher_is_better")).get(task)).get(metric)
            if isinstance(says, bool):
                better[says].add(label)
        undefined = [label for label, value in metrics.items() if value is None]
        config = mapping_of(data.get("config")) or _general(data)
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                config=_config(config, data),
                seed=_seed(config),
                git_hash=str(data["git_hash"]) if data.get("git_hash") else None,
                attributes={
                    "model": model_of(data) or plain(config.get("model")),
                    "n_samples": {task: plain(value) for task, value in mapping_of(data.get("n-samples")).items()},
                    "task_versions": {task: plain(value) for task, value in mapping_of(data.get("versions")).items()},
                    "stderr": spread,
                    "lm_eval_version": plain(data.get("lm_eval_version")),
                }
                | ({"samples_files": samples} if (samples := _samples(path)) else {}),
                lower_is_better=frozenset(better[False]),
                higher_is_better=frozenset(better[True]),
                warnings=(*twice, *undefined_warning(undefined), *_oddities(data)),
            ),
        )


def _config(config: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: plain(value) for key, value in sorted(config.items()) if key not in _PLACES}
    shots = {task: plain(value) for task, value in mapping_of(data.get("n-shot")).items()}
    return kept | ({"n_shot": shots} if shots else {})


def _general(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return lighteval's settings, without what names and times a run."""
    return {
        key: one for key, one in mapping_of(data.get(_GENERAL)).items() if not is_incidental(key) and "time" not in key
    }


def _oddities(data: Mapping[str, Any]) -> list[str]:
    found = []
    limit = mapping_of(data.get("config")).get("limit")
    if limit is not None:
        found.append(f"evaluated with --limit {limit}: its numbers are of part of each task")
    for task, counts in sorted(mapping_of(data.get("n-samples")).items()):
        original, effective = (mapping_of(counts).get(key) for key in ("original", "effective"))
        if original != effective and limit is None:
            found.append(f"{task}: {effective} of {original} samples were evaluated")
    return found


def _seed(config: Mapping[str, Any]) -> int | None:
    """Return the seed that somebody set; None for the harness' own defaults."""
    seed = config.get("random_seed")
    if not isinstance(seed, int) or isinstance(seed, bool):
        return None
    defaults = dict(zip(_SEEDS, _DEFAULT_SEEDS, strict=True))
    return None if all(config.get(name) in (None, value) for name, value in defaults.items()) else seed


def model_of(data: Mapping[str, Any]) -> str:
    """Return the model's name; empty where the file does not say."""
    config = mapping_of(data.get("config")) or mapping_of(data.get(_GENERAL))
    if isinstance(config.get("model_name"), str) and config["model_name"]:
        return str(config["model_name"])
    if isinstance(data.get("model_name"), str) and data["model_name"]:
        return str(data["model_name"])
    given = config.get("model_args")
    if isinstance(given, Mapping):
        return str(given.get("pretrained") or given.get("model") or "")
    found = _PRETRAINED.search(given) if isinstance(given, str) else None
    return found[1].strip() if found else ""


def _label(path: Path) -> str:
    """Return what a run is called: its model, and its task where it has one; empty where the file cannot be read."""
    try:
        data = read_object(path)
    except DataError:
        return ""  # reading the run tells what is wrong
    tasks = list(mapping_of(data.get("results")))
    model = model_of(data).rstrip("/").rpartition("/")[2]
    return " ".join(part for part in (model, tasks[0] if len(tasks) == 1 else "") if part) if model else ""


def _results(tasks: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float | None]]:
    """Yield task, metric, label and value of each number of a file's results."""
    for task, values in sorted(tasks.items()):
        for key, value in numbers_of(mapping_of(values))[0].items():
            metric, _, filtered = key.partition(",")
            if metric not in ("sample_len", "alias", "samples"):
                yield task, metric, f"{task}.{metric}" + (f"@{filtered}" if filtered not in ("", "none") else ""), value


def _samples(path: Path) -> list[str]:
    """Return the names of the files of samples that were written with a results file: they bear its time."""
    found = _TIME.search(path.stem)
    ends = (f"_{found[1]}.jsonl", f"_{found[1]}.json") if found else ()
    return [one.name for one in files_in(path.parent, lambda name: name.startswith("samples_") and name.endswith(ends))]


def _results_in(place: Path) -> list[Path]:
    """Return the results files: the place itself, those in a folder, else those just below it, by name."""
    if place.is_file():
        return [place] if place.suffix == ".json" and _is_results(place) else []
    found = [path for path in files_in(place, _is_json) if _is_results(path)]
    if found:
        return found
    level = folders_in(place)
    for _ in range(_BELOW):  # a folder for each model, and another for each evaluation
        found = [path for below in level for path in files_in(below, _is_json) if _is_results(path)]
        if found:
            return found
        level = [folder for below in level for folder in folders_in(below)]
    return []


def _is_json(name: str) -> bool:
    return name.endswith(".json")


def _is_results(path: Path) -> bool:
    """Recognise it by its beginning and end, whatever it is called; one that breaks off only by its usual name."""
    try:
        with open_regular(path) as stream:
            if _LM_EVAL_BEGINNING.match(stream.read(512)) is None:
                return False
            stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return _END.search(stream.read()) is not None or _USUAL_NAME.fullmatch(path.name) is not None
    except (DataError, OSError):
        return False
