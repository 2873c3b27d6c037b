"""Anything else: runs whose id, seed and metrics a user's YAML file says where to find (`--mapping FILE`).

Of what lies in a folder that no format knows a draft of such a file is made: a start, for its user to correct.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import files_in
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files.document import document_of, rows_of
from exaid_evals.runs.files.summary import is_seed
from exaid_evals.runs.files.values import plain
from exaid_evals.runs.metric_names import direction_of, role_of_column

if TYPE_CHECKING:
    from exaid_evals.runs.files.mapping_lookup import Each, Folder, MappingConfig


_MOST_RUNS = 200_000
_OF = "::"
"""Between a run's folder and its name in a file that holds several."""


class MappingFormat(Format):
    """Reads what the mapping says; without a mapping it claims nothing."""

    name = "mapping"

    def __init__(self, settings: Settings | None = None) -> None:
        """Load the mapping, so that its mistakes are found before any run is read.

        Raises:
            ConfigError: names every problem of the mapping.
        """
        super().__init__(settings)
        self._mapping: MappingConfig | None = None
        if self.settings.mapping:
            from exaid_evals.runs.files.mapping_lookup import load_mapping

            self._mapping = load_mapping(self.settings.mapping)

    def claims(self, folder: Path) -> bool:
        """Return whether any file that the mapping names lies in a run below; who gives a mapping means it."""
        if self._mapping is None:
            return False
        if folder.is_file():
            return self._mapping.runs == "." and folder.name in self._names()
        return folder.is_dir() and bool(self._runs(folder, most=1))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the runs, by their paths."""
        folder = folder.parent if folder.is_file() else folder
        runs = self._runs(folder)
        if len(runs) > _MOST_RUNS:
            raise DataError(f"more than {_MOST_RUNS:,} runs", where=str(folder), remedy="narrow `runs` in the mapping")
        each = self._required().each
        if each is not None:
            return [share for run in runs for share in self._shares(folder, run, each)]
        if len(runs) == 1 and runs[0] == folder:
            return [Source(folder)]
        return [Source(folder, run.relative_to(folder).as_posix()) for run in runs]

    def _shares(self, folder: Path, run: Path, each: Each) -> list[Source]:
        from exaid_evals.runs.files.mapping_lookup import Folder

        below = "" if run == folder else run.relative_to(folder).as_posix()
        names = Folder(run, below or folder.name).shares(each)
        return [Source(folder, f"{below}{_OF}{name}", label=f"{below}/{name}".strip("/")) for name in names]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files that the mapping names, and the mapping; None where it names them by patterns."""
        names = self._names()
        if any(sign in name for name in names for sign in "*?["):
            return None
        path = self.settings.mapping
        below = source.part.partition(_OF)[0]
        return [*(source.path / below / name for name in sorted(names)), *([path] if path else [])]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        from exaid_evals.runs.files.mapping_lookup import Folder, Share

        mapping = self._required()
        below, _, share = source.part.partition(_OF)
        place_of_run = source.path / below
        of_each = Share(mapping.each, share) if mapping.each is not None else None
        folder = Folder(place_of_run, below or source.path.name, of_each)
        found = _looked_up(folder, mapping, f"{place_of_run}{f' ({share})' if share else ''}")
        metrics = {key: found[f"metrics.{key}"] for key in sorted(mapping.metrics)}
        run_id, seed, git_hash = (found.get(key) for key in ("run_id", "seed", "git_hash"))
        lacking = [key for key, value in metrics.items() if value is None]
        undefined = [f"{', '.join(lacking)}: no number (NaN, empty or missing)"] if lacking else []
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                config={key: plain(found[f"config.{key}"]) for key in sorted(mapping.config)},
                seed=None if seed is None else int(seed),
                git_hash=None if git_hash is None else str(git_hash),
                attributes={
                    "mapping_format": mapping.format,
                    "run_id": plain(run_id) if run_id is not None else share or below or source.path.name,
                },
                lower_is_better=frozenset(mapping.lower_is_better),
                higher_is_better=frozenset(mapping.higher_is_better),
                default_primary=mapping.primary_metric,
                warnings=(*folder.warnings, *undefined),
            ),
        )

    def _required(self) -> MappingConfig:
        if self._mapping is None:
            raise DataError("no mapping was given", where="--mapping", remedy="name a YAML file")
        return self._mapping

    def _names(self) -> set[str]:
        mapping = self._required()
        names = {place.file for place in mapping.places.values() if place.file is not None}
        return names | ({mapping.each.file} if mapping.each is not None else set())

    def _runs(self, folder: Path, most: int | None = None) -> list[Path]:
        """Return the folders that fit `runs` and hold a file that the mapping names, each once, links passed over."""
        mapping = self._required()
        found = [folder] if mapping.runs == "." else sorted(folder.glob(mapping.runs))
        names = sorted(self._names())
        runs: list[Path] = []
        seen: set[str] = set()
        for path in found:
            real = os.path.realpath(path)
            if real in seen or not path.is_dir() or (path.is_symlink() and path != folder):
                continue
            if not names or any(_has(path, name) for name in names):
                seen.add(real)
                runs.append(path)
                if most is not None and len(runs) >= most:
                    break
        return runs


def _looked_up(folder: Folder, mapping: MappingConfig, where: str) -> dict[str, Any]:
    """Return each dotted key of the mapping → what lies at its place.

    Raises:
        DataError: names the file and the key of everything that is missing or wrong, at once.
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for key, place in mapping.places.items():
        is_number = key == "seed" or key.startswith("metrics.")
        try:
            found[key] = folder.number(place) if is_number else folder.value(place)
        except DataError as error:
            problems.append(f"{error} (`{key}` of the mapping)")
    if (seed := found.get("seed")) is not None and not float(seed).is_integer():
        problems.append(f"{seed:g} is not a whole number (`seed` of the mapping)")
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        what = problems[0] if len(problems) == 1 else f"{len(problems)} values cannot be read:{lines}"
        raise DataError(what, where=where)
    return found


def _has(folder: Path, name: str) -> bool:
    if any(sign in name for sign in "*?["):
        return next(folder.glob(name), None) is not None
    return (folder / name).exists()


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
