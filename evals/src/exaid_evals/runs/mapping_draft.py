"""A draft of a mapping, made from what lies in a folder that no format knows: a start, for its user to correct."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import files_in
from exaid_evals.runs.files.document import document_of, rows_of
from exaid_evals.runs.files.summary import is_seed
from exaid_evals.runs.metric_names import direction_of, role_of_column

DOCUMENTS = (".json", ".yaml", ".yml")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".log", ".txt")
_SETTINGS = re.compile(
    r"(?:^|[_.-])(?:config|configs|args|hparams|params|settings|options|hyperparameters)(?:[_.-]|$)", re.I
)
_NO_METRICS = ("counter", "schedule", "system")
_FILES_AT_MOST = 12
_VALUES_AT_MOST = 60
_BYTES_AT_MOST = 16 * 1024 * 1024
_RUN_COLUMNS = ("run", "run_id", "run_name", "name", "model", "model_name", "experiment", "trial", "id")


@dataclass
class Draft:
    """What a mapping may say.

    Attributes:
        runs: pattern of the runs' folders.
        each: how a file holds several runs; None where a folder is one.
        seed, metrics, config: where values lie.
    """

    runs: str = "."
    each: dict[str, str] | None = None
    seed: dict[str, Any] | None = None
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    config: dict[str, dict[str, Any]] = field(default_factory=dict)

    def text(self, place: str) -> str:
        """Return the draft as YAML, with what to do with it."""
        lower = [name for name in self.metrics if direction_of(name) == "lower"]
        content = {
            "runs": self.runs,
            **({"each": self.each} if self.each else {}),
            **({"seed": self.seed} if self.seed else {}),
            "metrics": self.metrics,
            **({"config": self.config} if self.config else {}),
            **({"lower_is_better": lower} if lower else {}),
        }
        lines = [
            f"# A draft, made from what lies in {place}. Remove what is not a metric, correct what is wrong, then:",
            "#   exaid-evals export --run FOLDER --mapping THIS_FILE",
            "# A place may also have `scale: 0.01`, `optional: true`, and `row: first|last|last non-empty|only`.",
        ]
        dumped = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
        return "\n".join(lines) + "\n" + dumped


def draft_mapping(place: Path) -> Draft | None:
    """Return a draft for a file or folder; None where nothing that a mapping reads holds a number."""
    if place.is_file():
        return _of_run(place.parent, [place], ".")
    for pattern in (".", "*", "*/*"):
        folders = [place] if pattern == "." else _folders(place, pattern)
        for folder in folders[:_FILES_AT_MOST]:
            files = _files(folder)
            if pattern != ".":  # a run's own folder may have folders; what lies below the named one may be runs
                files += [path for one in _folders(folder, "*") for path in _files(one)]
            drafted = _of_run(folder, files, pattern)
            if drafted is not None:
                return drafted
    return None


def _folders(place: Path, pattern: str) -> list[Path]:
    """Return the folders that fit; a hidden one, such as this program's `.state`, holds no results."""
    found = sorted(path for path in place.glob(pattern) if path.is_dir())
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(place).parts)]


def _files(folder: Path) -> list[Path]:
    found = files_in(folder, lambda name: Path(name).suffix.lower() in (*DOCUMENTS, *TABLES))
    return [path for path in found if path.stat().st_size <= _BYTES_AT_MOST][:_FILES_AT_MOST]


def _of_run(folder: Path, files: Sequence[Path], pattern: str) -> Draft | None:
    draft = Draft(runs=pattern)
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix.lower() in DOCUMENTS:
                _take_document(draft, name, document_of(path), is_settings=bool(_SETTINGS.search(path.stem)))
            else:
                _take_table(draft, name, rows_of(path))
        except (DataError, ConfigError, UnicodeDecodeError):
            continue  # what cannot be read has nothing to offer
    if not draft.metrics:
        return None
    if draft.each is not None:  # a share has its file's values alone
        draft.metrics = {key: value for key, value in draft.metrics.items() if value["file"] == draft.each["file"]}
    return draft


def _take_document(draft: Draft, name: str, document: Any, *, is_settings: bool) -> None:
    runs = list(document.values()) if isinstance(document, Mapping) else document
    if isinstance(runs, list) and len(runs) > 1 and all(_has_numbers(run) for run in runs) and draft.each is None:
        draft.each = {"file": name, "key": "/"}
        document = runs[0]
    for key, value in leaves(document):
        where = {"file": name, "key": key}
        last = key.rpartition("/")[2]
        if is_seed(last) and isinstance(value, int):
            draft.seed = draft.seed or where
        elif is_settings:
            if len(draft.config) < _VALUES_AT_MOST:
                draft.config[_unused(draft.config, last, name)] = where
        elif isinstance(value, int | float) and role_of_column(last) not in _NO_METRICS:
            _add_metric(draft, key.strip("/").replace("/", "."), where)


def _take_table(draft: Draft, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    columns = list(dict.fromkeys(column for row in rows[:50] for column in row))
    numeric = [column for column in columns if any(_number(row.get(column)) is not None for row in rows)]
    steps = [column for column in numeric if role_of_column(column) == "counter" and not is_seed(column)]
    which = next((column for column in columns if column.lower() in _RUN_COLUMNS and column not in steps), None)
    if which is not None and draft.each is None and len({str(row.get(which)) for row in rows}) > 1:
        draft.each = {"file": name, "column": which}
    for column in numeric:
        if column == which or column in steps:
            continue
        where = {"file": name, "column": column, **({"row": "last non-empty"} if len(rows) > 1 else {})}
        if is_seed(column):
            draft.seed = draft.seed or where
        elif role_of_column(column) not in _NO_METRICS:
            _add_metric(draft, column, where)


def _add_metric(draft: Draft, metric: str, where: dict[str, Any]) -> None:
    if len(draft.metrics) < _VALUES_AT_MOST:
        draft.metrics[_unused(draft.metrics, metric, where["file"])] = where


def _unused(taken: Mapping[str, Any], name: str, file: str) -> str:
    return name if name not in taken else f"{Path(file).stem}.{name}"


def leaves(value: Any, path: str = "", deep: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield JSON pointer and value of each number, text and truth value in a document; of those in lists none."""
    if isinstance(value, Mapping) and deep < 8:
        for key, inner in value.items():
            part = str(key).replace("~", "~0").replace("/", "~1")
            yield from leaves(inner, f"{path}/{part}", deep + 1)
    elif isinstance(value, str | int | float | bool) and path:
        yield path, value


def _has_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(leaf, float) for _, leaf in leaves(value))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
