"""Finished runs of any tool, as DataFrames."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from exaid_evals.api.frames import write_parquet
from exaid_evals.artifacts.object_store import fetched
from exaid_evals.errors import DataError
from exaid_evals.export.reading import Reading
from exaid_evals.export.reading import read_runs as read_folders
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.registry import formats, runs_in

FRAMES = ("summaries", "per_class", "configs", "cases", "histories", "predictions")


def read_runs(*places: str | os.PathLike[str]) -> Runs:
    """Read the finished runs in some places, in any format that `export` reads.

    Args:
        places: files, folders, URLs of folders in an object store, or patterns such as `RUNS/**`; of a pattern, what
            no format claims is left out.

    Raises:
        DataError: there is no such place, a place that is named is of no known format, or a run is damaged.
    """
    known = formats()
    found: list[Path] = []
    for place in places:
        for path, required in _paths(fetched(os.fspath(place))):
            inside = any(one == path or one in path.parents for one in found)
            if required or (not inside and any(one.claims(path) for one in known)):
                found.append(path)
    if not found:
        raise DataError(
            "no finished run here", where=" ".join(os.fspath(place) for place in places), remedy="name folders of runs"
        )
    reading = read_folders(list(dict.fromkeys(found)))
    for failure in reading.failures:
        raise failure.error
    return Runs(reading)


class Runs:
    """Runs that were read; histories and predictions are read when asked for.

    Attributes:
        runs: the runs themselves, in order of their names.
    """

    def __init__(self, reading: Reading, settings: Settings | None = None) -> None:
        self.runs = list(reading.runs)
        self._sources = reading.sources
        self._formats = {form.name: form for form in formats(settings)}

    def __len__(self) -> int:
        return len(self.runs)

    def summaries(self) -> pd.DataFrame:
        """Return a row per run: what identifies it, then a column per metric, NaN where it has none.

        A metric called like a column before it, such as `group`, is `group_metric`.
        """
        fields = ("name", "format", "group", "seed", "fold", "trial", "stub")
        rows = [
            {field: getattr(run, field) for field in fields}
            | {f"{name}_metric" if name in fields else name: value for name, value in run.metrics.items()}
            for run in self.runs
        ]
        return pd.DataFrame(rows).set_index("name")

    def per_class(self) -> pd.DataFrame:
        """Return a row per run, class and metric, of formats that have metrics per class."""
        rows = [
            (run.name, name, metric, value)
            for run in self.runs
            for name, metrics in run.per_class.items()
            for metric, value in metrics.items()
        ]
        return pd.DataFrame(rows, columns=["name", "class", "metric", "value"])

    def configs(self) -> pd.DataFrame:
        """Return a row per run and a column per setting; one that is called `name` is `name_in_config`."""
        index = pd.Index([run.name for run in self.runs], name="name")
        frame = pd.DataFrame([dict(run.config) for run in self.runs], index=index)
        return frame.rename(columns={"name": "name_in_config"})

    def cases(self) -> pd.DataFrame:
        """Return a row per run, variant, case and measure, of runs that hold cases."""
        rows = [
            (run.name, variant, case_id, measure, value)
            for run in self.runs
            if run.cases is not None
            for variant, cases in run.cases().items()
            for case_id, measures in cases.items()
            for measure, value in measures.items()
        ]
        return pd.DataFrame(rows, columns=["name", "variant_id", "case_id", "measure", "value"])

    def histories(self) -> pd.DataFrame:
        """Return what the runs logged step by step: a row per run, metric and point; text that is not a number is NaN.

        Raises:
            DataError: a run of a format with histories is damaged.
        """
        rows = [
            (name, metric, point.step, point.value if isinstance(point.value, int | float) else None)
            for run in self.runs
            for name, form, one in self._histories(run)
            for metric, series in form.history(one, name).series.items()
            for point in series.points
        ]
        return pd.DataFrame(rows, columns=["name", "metric", "step", "value"])

    def predictions(self) -> pd.DataFrame:
        """Return what was predicted: a row per run and item, of runs beside which it lies.

        It is read from tables of predictions (`val_predictions.csv`: `true`, `predicted`, numbers for the scores of
        classes, and the table's other columns as text) and from logs of inspect-ai and lm-eval (`true`: the
        target's first 300 characters, `predicted`: the answer's, and a number a metric). `item` is the id as text, or
        without ids the place in the file from 1; what a file lacks is NaN. A table's own column `name` is
        `name_in_file`, and so are others that would be ours.

        Raises:
            DataError: a file of predictions is damaged.
        """
        frames = [
            frame.assign(name=run.name, file=path.name)
            for run in self.runs
            for path in _files_of_items(self._sources[run.name].path)
            for frame in ([_table(path)] if path.suffix == ".csv" else _logged(path))
        ]
        if not frames:
            return pd.DataFrame(columns=[*_OURS])
        joined = pd.concat(frames, ignore_index=True)
        return joined[[*_OURS, *(name for name in joined.columns if name not in _OURS)]]

    def to_parquet(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write every frame that has rows as a Parquet file, and return the files.

        Raises:
            DataError: a history or a file of predictions is damaged.
            MissingDependencyError: pyarrow is not installed.
        """
        frames = {name: getattr(self, name)() for name in FRAMES}
        return write_parquet({name: frame for name, frame in frames.items() if frame.size}, Path(folder))

    def _histories(self, run: Run) -> list[tuple[str, Format, Source]]:
        """Return the histories of a run: one, but for a campaign, which has one a variant."""
        form, source = self._formats[run.format], self._sources[run.name]
        if form.has_history:
            found = [(name, form, one) for name, one in form.named(source.path).items()]
            found = [one for one in found if one[2].part == source.part] or found
        else:  # a training run's summary is read by one format, and what lies beside it by that of its history
            asked = [one for one in self._formats.values() if one.has_history]
            found = [(name, other, one) for other, name, one in runs_in(source.path, asked)] if not source.part else []
        return [(run.name if len(found) == 1 else f"{run.name}/{name}", other, one) for name, other, one in found]

    def __repr__(self) -> str:
        kinds = sorted({run.format for run in self.runs})
        return f"<{len(self)} runs: {', '.join(kinds)}>"


def _files_of_items(place: Path) -> list[Path]:
    """Return the files that hold a run's items: of a folder those in it, of lm-eval's results the samples beside."""
    if place.is_dir():
        return sorted(place.glob("*predictions.csv"))
    stamp = place.stem.removeprefix("results_")
    return sorted(place.parent.glob(f"samples_*_{glob.escape(stamp)}.jsonl")) if stamp != place.stem else [place]


_OURS = ("name", "file", "item", "true", "predicted")


def _table(path: Path) -> pd.DataFrame:
    """Return a table of predictions, each column once; one called as a column of ours is `…_in_file`."""
    from exaid_evals.runs.files.delimited import number, open_delimited
    from exaid_evals.runs.files.predictions import Layout

    file = open_delimited(path)
    layout = Layout.of(file)
    known = {layout.item: "item", layout.true: "true", layout.predicted: "predicted"}
    columns: dict[str, list[str] | list[float]] = {}
    for index, (name, cells) in enumerate(zip(file.columns, file.cells(), strict=True)):
        try:
            own = f"{name}_in_file" if name in _OURS and index not in known else name
            columns.setdefault(known.get(index, own), list(map(number, cells)) if index in layout.scores else cells)
        except ValueError as error:
            raise DataError(str(error), where=f"{path}, column {name}", remedy="write or copy it again") from None
    frame = pd.DataFrame(columns)
    if layout.item is None:
        frame["item"] = [str(place) for place in range(1, len(frame) + 1)]
    return frame


def _logged(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the items of each log in a file; a file of no known format has none."""
    from exaid_evals.item_scores.registry import FORMATS

    forms = (FORMATS.build(name) for name in FORMATS.names())
    form = next((one for one in forms if one.claims(path)), None)
    for log in form.read(path) if form else ():
        rows = [
            {"task": log.task, "item": one.id, "epoch": one.epoch, "true": one.target, "predicted": one.answer}
            | {"failure": one.failure, **one.scores}
            for one in log.items
        ]
        yield pd.DataFrame(rows)


def _paths(place: str) -> list[tuple[Path, bool]]:
    """Return what a place names, and whether it must be a run: what a pattern finds need not be."""
    path = Path(place)
    if not glob.has_magic(place) or path.exists():
        return [(path, True)]
    fixed = next(number for number, part in enumerate(path.parts) if glob.has_magic(part))
    below = Path(*path.parts[:fixed]).glob(str(Path(*path.parts[fixed:])))
    return [(one, False) for one in sorted(below)]
