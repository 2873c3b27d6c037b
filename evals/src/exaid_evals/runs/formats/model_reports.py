"""Paired model reports: `<model dir>/reports/metrics_X.json` with `report_X.txt`.

The files may also lie in the model's folder itself.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.config.campaign import configs_dir
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import first_bytes, folders_in, open_regular
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files.model_reports_json import read_metrics_json
from exaid_evals.runs.files.model_reports_numbers import ATTEMPTS, DURATIONS, Report, merge, metrics_of
from exaid_evals.runs.files.model_reports_txt import read_report_txt

if TYPE_CHECKING:  # what checks patterns is imported late: every worker has this reader, and few read such reports
    from exaid_evals.runs.model_names import ModelNamesConfig

FORMAT = "model_reports"
_LOWER = ("failure_rate", "timeout_rate", "execution_time_", *(f"{name}_" for name in DURATIONS))


class ModelReportsFormat(Format):
    """Reads a run a pair; an export writes tables and figures of its own for them."""

    name = FORMAT

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._patterns: ModelNamesConfig | None = None
        # What lies in a folder, found once: else each of its runs would look through all of it again.
        self._pairs: dict[Path, dict[str, Pair]] = {}
        self._lacking: dict[Path, dict[str, list[str]]] = {}

    def claims(self, folder: Path) -> bool:
        """Return whether a report lies in a folder `reports` not far below."""
        return folder.is_dir() and has_reports(folder)

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return a run a pair, but for models that lack a required prompt type.

        Raises:
            DataError: no model has all prompt types that are required.
        """
        pairs = list(self._pairs_in(folder).values())
        wanted = self.settings.require_prompts
        if not wanted:
            return [Source(folder, pair.part) for pair in pairs]
        lacking = self._lacking_in(folder)
        kept = [pair for pair in pairs if pair.model not in lacking]
        if not kept:
            nearest = min(lacking, key=lambda model: (len(lacking[model]), model))
            what = f"no model has reports for all of {', '.join(wanted)}"
            remedy = f"ask for fewer with --require-prompts: {nearest} lacks only {', '.join(lacking[nearest])}"
            raise DataError(what, where=str(folder), remedy=remedy)
        return [Source(folder, pair.part) for pair in kept]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return both files and the patterns; None where the pair hangs on what else lies in the folder."""
        from exaid_evals.runs.model_names import FILE_NAME

        pair = self._pair_of(source)
        if self.settings.require_prompts or pair.json is None or pair.txt is None or pair.note:
            return None
        own = self.settings.patterns
        return [pair.json, pair.txt, configs_dir() / FILE_NAME, *([own] if own else [])]

    def read(self, source: Source, name: str) -> Run:
        """Read a pair; a half that cannot be read is a warning as long as the other can."""
        pair = self._pair_of(source)
        report, warnings = read_pair(pair)
        metrics = metrics_of(report)
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                attributes=_attributes(source.path, pair, report, self.patterns, warnings),
                lower_is_better=frozenset(key for key in metrics if key.startswith(_LOWER)),
                default_primary="accuracy",
                warnings=(*warnings, *self._left_out(source)),
            ),
        )

    @property
    def patterns(self) -> ModelNamesConfig:
        """Return the patterns for models' names."""
        if self._patterns is None:
            from exaid_evals.runs.model_names import load_patterns

            self._patterns = load_patterns(self.settings.patterns)
        return self._patterns

    def _pairs_in(self, folder: Path) -> dict[str, Pair]:
        if folder not in self._pairs:
            self._pairs[folder] = {pair.part: pair for pair in find_pairs(folder)}
        return self._pairs[folder]

    def _pair_of(self, source: Source) -> Pair:
        pair = self._pairs_in(source.path).get(source.part)
        if pair is None:
            what = f"the report {source.part!r} is gone"
            raise DataError(what, where=str(source.path), remedy="restore it, or name another")
        return pair

    def _lacking_in(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._lacking:
            wanted = self.settings.require_prompts
            self._lacking[folder] = models_lacking(list(self._pairs_in(folder).values()), wanted)
        return self._lacking[folder]

    def _left_out(self, source: Source) -> list[str]:
        """State with the folder's first run which models were left out, since they have no run of their own."""
        lacking = self._lacking_in(source.path) if self.settings.require_prompts else {}
        first = next(part for part, pair in self._pairs_in(source.path).items() if pair.model not in lacking)
        if not lacking or source.part != first:
            return []
        listed = "; ".join(f"{model} (no {', '.join(prompts)})" for model, prompts in sorted(lacking.items()))
        return [f"{len(lacking)} models beside it lack a required prompt type and were left out: {listed}"]


REPORTS = "reports"
UNNAMED = "unnamed"
"""What a report is called whose files have nothing behind `metrics_` and `report_`."""

# How deep below the folder that a user names the model folders may lie, and how many folders are looked at.
_DEEPEST = 4
_MOST_FOLDERS = 50_000
_JSON = re.compile(r"metrics_(?P<label>.*)\.json", re.IGNORECASE | re.DOTALL)
_TXT = re.compile(r"report_(?P<label>.*)\.txt", re.IGNORECASE | re.DOTALL)
_BEGINNING = 1 << 16
_SIGN = re.compile(rb"prediction_accuracy|confusion_matrix|total_attempts|meta_?data|execution_time|\A(?!\s*\{)")
"""A field that only such reports have; what is no object is damaged, which reading says."""
# What a script appends to tell its files apart: 20241219_120000, 2024-12-19T12-00-00.
_TIME = re.compile(r"[_-]?\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2}[-_:]?\d{2}(?:[-_:]?\d{2})?)?$")


@dataclass(frozen=True, slots=True)
class Pair:
    """One report of one model, as JSON and as text; one of the two may be missing.

    Attributes:
        model: name of the model's folder.
        label: what stands behind `metrics_` and `report_`.
        json: the metrics.
        txt: the report.
        folder: of the model.
        note: how the two were brought together where their names differ.
    """

    model: str
    label: str
    json: Path | None
    txt: Path | None
    folder: Path
    note: str | None = None

    @property
    def prompt(self) -> str:
        """Return what the files' names say of the prompt: the label without the time at its end."""
        return _TIME.sub("", self.label) or self.label or UNNAMED

    @property
    def part(self) -> str:
        """Return what tells the pair apart within the folder that the user named."""
        return f"{self.model}/{self.label or UNNAMED}"


def has_reports(folder: Path) -> bool:
    """Return whether any report lies below a folder: a text by its name, a JSON by how it begins or ends too."""
    return any(
        _TXT.fullmatch(name) or (_JSON.fullmatch(name) and _is_report(place / name))
        for place in _places(folder)
        for name in _files(place)
    )


def _is_report(path: Path) -> bool:
    """Return whether a JSON has a field that only reports have, before or behind a list of all cases."""
    if _SIGN.search(first_bytes(path, _BEGINNING)):
        return True
    try:
        with open_regular(path) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _BEGINNING))
            return _SIGN.search(stream.read(_BEGINNING), 1) is not None
    except (DataError, OSError):
        return False


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs below a folder in the order of their models and labels; a lone file is a pair of one.

    Files of one label belong together. What is left over is paired where a model has exactly one JSON and one text
    left whose labels differ in the time at their ends alone.
    """
    found: list[Pair] = []
    for place in _places(folder):
        # `folder` may itself be a folder `reports`: its model is the folder around it.
        home = place.parent if place.name == REPORTS else place
        json_files = _labelled(place, _JSON)
        txt_files = _labelled(place, _TXT)
        both = sorted(json_files.keys() & txt_files.keys())
        found += [Pair(home.name, label, json_files.pop(label), txt_files.pop(label), home) for label in both]
        found += _by_stem(home, json_files, txt_files)
        found += [Pair(home.name, label, path, None, home) for label, path in json_files.items()]
        found += [Pair(home.name, label, None, path, home) for label, path in txt_files.items()]
    return _told_apart(folder, sorted(found, key=lambda pair: (pair.model, pair.label, str(pair.folder))))


def _by_stem(home: Path, json_files: dict[str, Path], txt_files: dict[str, Path]) -> list[Pair]:
    stems: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, files in enumerate((json_files, txt_files)):
        for label in files:
            stems[_TIME.sub("", label)][side].append(label)
    pairs = []
    for of_json, of_txt in stems.values():
        if len(of_json) == len(of_txt) == 1:
            metrics, report = json_files.pop(of_json[0]), txt_files.pop(of_txt[0])
            note = f"{metrics.name} was paired with {report.name}, the only ones that are left of their prompt"
            pairs.append(Pair(home.name, of_json[0], metrics, report, home, note))
    return pairs


def _told_apart(folder: Path, pairs: list[Pair]) -> list[Pair]:
    """Name models of one name, in different folders, by their paths below the folder that the user named."""
    homes: dict[str, set[Path]] = defaultdict(set)
    for pair in pairs:
        homes[pair.model].add(pair.folder)
    return [
        pair if len(homes[pair.model]) == 1 else replace(pair, model=pair.folder.relative_to(folder).as_posix())
        for pair in pairs
    ]


def _places(folder: Path) -> Iterator[Path]:
    """Yield the folders `reports`, and those of models that hold their reports themselves.

    Links to folders are not followed, so that no loop is.
    """
    if folder.name == REPORTS:
        yield folder
        return
    seen = 0
    level = [folder]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for place in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                return
            if any(_JSON.fullmatch(name) or _TXT.fullmatch(name) for name in _files(place)):
                yield place
            for child in folders_in(place):
                if child.name == REPORTS:
                    yield child
                else:
                    below.append(child)
        level = below


def _files(place: Path) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return sorted(entry.name for entry in entries if _is_file(entry))
    except OSError:
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Distinguish files, and links to files, from pipes and devices, of which reading might never end."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir() and not Path(entry.path).exists())
    except OSError:
        return True  # a link that leads nowhere is reported when it is read


def _labelled(place: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    matches = ((name, pattern.fullmatch(name)) for name in _files(place))
    return {match["label"]: place / name for name, match in matches if match}


def models_lacking(pairs: Sequence[Pair], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Return model → prompt types of which it has no report that can be read, for models that lack any.

    Raises:
        ConfigError: a prompt type is required of which no model has a report.
    """
    present: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        try:
            report, _ = read_pair(pair)
        except DataError:
            present[pair.model] |= set()
        else:
            present[pair.model].add(_same(_prompt(pair, report)))
    known = set().union(*present.values())
    nowhere = [prompt for prompt in wanted if _same(prompt) not in known]
    if nowhere and known:
        raise ConfigError(
            f"no model has a report for {', '.join(nowhere)}",
            where="--require-prompts",
            remedy=f"there are {', '.join(sorted(known))}",
        )
    lacking = {model: [one for one in wanted if _same(one) not in prompts] for model, prompts in present.items()}
    return {model: prompts for model, prompts in lacking.items() if prompts}


def read_pair(pair: Pair) -> tuple[Report, list[str]]:
    """Read both halves and bring them together; return also what is odd.

    Raises:
        DataError: neither half can be read.
    """
    halves: dict[str, Report | None] = {"json": None, "txt": None}
    warnings = [pair.note] if pair.note else []
    problems: list[DataError] = []
    for kind, path, read in (("json", pair.json, read_metrics_json), ("txt", pair.txt, read_report_txt)):
        if path is None:
            other, word = (pair.txt, "metrics_*.json") if kind == "json" else (pair.json, "report_*.txt")
            warnings.append(f"{other.name if other else pair.label} has no {word} beside it")
            continue
        try:
            halves[kind] = read(path)
        except DataError as error:
            problems.append(error)
            warnings.append(f"{path.name}: {error.what}, so that it was not read")
    if halves["json"] is None and halves["txt"] is None:
        raise problems[0]
    report = merge(halves["json"], halves["txt"])
    return report, warnings + report.warnings + _other_model(pair, report)


def _other_model(pair: Pair, report: Report) -> list[str]:
    """State that a report names another model than its folder: a copy in the wrong folder shows in nothing else."""
    folder, said = (re.sub(r"[^a-z0-9]+", "", one.lower()) for one in (pair.folder.name, report.model or ""))
    last = re.sub(r"[^a-z0-9]+", "", (report.model or "").lower().rpartition("/")[2]).removesuffix("latest")
    if not said or any(one and (one in folder or folder in one) for one in (said, last)):
        return []
    return [
        f"model_name is {report.model!r}, and the folder is {pair.folder.name!r}: look whether it lies in the wrong one"
    ]


def _prompt(pair: Pair, report: Report) -> str:
    return report.prompt_type or pair.prompt


def _same(prompt: str) -> str:
    """Return a prompt type as it is compared: of a member of an enumeration (`PromptType.SYSTEM1`) the member."""
    member = re.sub(r"^[A-Za-z_]\w*\.(?=\w)", "", prompt.strip())
    return member.lower().replace("-", "_").replace(" ", "_")


def _attributes(
    folder: Path, pair: Pair, report: Report, patterns: ModelNamesConfig, warnings: Sequence[str]
) -> dict[str, Any]:
    """Return what identifies the pair, its counts, and what the table says of it beside the metrics."""
    from exaid_evals.runs.model_names import UNKNOWN, parse_model_name

    # `deepseek-r1:1.5b` says what `deepseek_r1_1_5b` leaves to be guessed.
    named = parse_model_name(pair.folder.name, patterns)
    own = parse_model_name(report.model or "", patterns)
    if report.model and re.search(r"[:.]", report.model):
        if own.billions is not None:
            named = replace(named, billions=own.billions, rule=own.rule)
        named = replace(named, quantisation=named.quantisation or own.quantisation)
    matrix = report.confusion
    return {
        "model": pair.model,
        "model_name": report.model,
        "prompt_type": _prompt(pair, report),
        "parameters_b": UNKNOWN if named.billions is None else named.billions,
        "parameters_rule": named.rule,
        "quantisation": named.quantisation or UNKNOWN,
        **{f"{name}_attempts": report.attempts.get(name) for name in ATTEMPTS},
        **{name: None if matrix is None else getattr(matrix, name) for name in ("tp", "tn", "fp", "fn")},
        **{f"{name}_n": report.durations[name].n if name in report.durations else None for name in DURATIONS},
        "input_folder": folder.resolve().name or "root",
        "metrics_file": pair.json.name if pair.json else None,
        "report_file": pair.txt.name if pair.txt else None,
        "report_warnings": list(warnings),
    }
