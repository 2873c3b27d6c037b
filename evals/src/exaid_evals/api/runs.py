"""Finished runs of any tool, as DataFrames."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.registry import format_of, formats

if TYPE_CHECKING:
    import pandas as pd


def read_runs(*places: str | os.PathLike[str]) -> Runs:
    """Read the finished runs in some places, in any format that `export` reads.

    Args:
        places: files, folders, or patterns such as `RUNS/**`; of a pattern, what no format claims is left out.

    Raises:
        DataError: there is no such place, a place that is named is of no known format, or a run is damaged.
    """
    known = formats()
    found: dict[Source, Format] = {}
    for place in places:
        for path, required in _paths(os.fspath(place)):
            form = format_of(path, known) if required else next((one for one in known if one.claims(path)), None)
            inside = any(source.path in path.parents for source in found)
            if form is not None and not (inside and not required):
                found.update((source, form) for source in form.sources(path) if source not in found)
    if not found:
        raise DataError(
            "no finished run here", where=" ".join(os.fspath(place) for place in places), remedy="name folders of runs"
        )
    names = _names(list(found))
    return Runs(tuple((form, source, form.read(source, names[source])) for source, form in found.items()))


@dataclass(frozen=True)
class Runs:
    """Runs that were read; histories are read when asked for."""

    _read: tuple[tuple[Format, Source, Run], ...]

    def __len__(self) -> int:
        return len(self._read)

    @property
    def runs(self) -> list[Run]:
        """The runs themselves."""
        return [run for *_, run in self._read]

    def summaries(self) -> pd.DataFrame:
        """Return a row per run: what identifies it, then a column per metric, NaN where it has none."""
        import pandas as pd

        fields = ("name", "format", "group", "seed", "fold", "trial", "stub")
        rows = [{**{field: getattr(run, field) for field in fields}, **run.metrics} for run in self.runs]
        return pd.DataFrame(rows).set_index("name")

    def per_class(self) -> pd.DataFrame:
        """Return a row per run, class and metric, of formats that have metrics per class."""
        import pandas as pd

        rows = [
            (run.name, name, metric, value)
            for run in self.runs
            for name, metrics in run.per_class.items()
            for metric, value in metrics.items()
        ]
        return pd.DataFrame(rows, columns=["name", "class", "metric", "value"])

    def configs(self) -> pd.DataFrame:
        """Return a row per run and a column per setting."""
        import pandas as pd

        return pd.DataFrame([dict(run.config) for run in self.runs], index=pd.Index([r.name for r in self.runs]))

    def cases(self) -> pd.DataFrame:
        """Return a row per run, variant, case and measure, of runs that hold cases."""
        import pandas as pd

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
        """Return what the runs logged step by step: a row per run, metric and point; text that is no number is NaN.

        Raises:
            DataError: a run of a format with histories is damaged.
        """
        import pandas as pd

        rows = [
            (name, metric, point.step, point.value if isinstance(point.value, int | float) else None)
            for form, source, run in self._read
            for name, one in _histories(form, source, run)
            for metric, series in form.history(one, name).series.items()
            for point in series.points
        ]
        return pd.DataFrame(rows, columns=["name", "metric", "step", "value"])

    def predictions(self) -> pd.DataFrame:
        """Return, per run that has predictions, how many items were predicted and digests of items and answers."""
        import pandas as pd

        rows = [
            (run.name, run.predictions.n, run.predictions.items, run.predictions.digest)
            for run in self.runs
            if run.predictions is not None
        ]
        return pd.DataFrame(rows, columns=["name", "n", "items", "digest"])

    def __repr__(self) -> str:
        kinds = sorted({run.format for run in self.runs})
        return f"<{len(self)} runs: {', '.join(kinds)}>"


def _histories(form: Format, source: Source, run: Run) -> list[tuple[str, Source]]:
    """Return the histories of a run: one, but for a campaign, which has one a variant."""
    named = form.named(source.path)
    mine = {name: one for name, one in named.items() if one.part == source.part} or named
    return [(run.name if len(mine) == 1 else f"{run.name}/{name}", one) for name, one in mine.items()]


def _paths(place: str) -> list[tuple[Path, bool]]:
    """Return what a place names, and whether it must be a run: what a pattern finds need not be."""
    path = Path(place)
    if not glob.has_magic(place) or path.exists():
        return [(path, True)]
    fixed = next(number for number, part in enumerate(path.parts) if glob.has_magic(part))
    below = Path(*path.parts[:fixed]).glob(str(Path(*path.parts[fixed:])))
    return [(one, False) for one in sorted(below)]


def _names(sources: Sequence[Source]) -> dict[Source, str]:
    """Return a name of its own for each run: its last folders, as many as tell it from the others, and its part."""
    named: dict[Source, str] = {}
    for depth in range(1, 12):
        names = {
            one: "/".join([*one.path.resolve().parts[-depth:], *([one.part] if one.part else [])]) for one in sources
        }
        counts = list(names.values())
        named |= {one: name for one, name in names.items() if one not in named and counts.count(name) == 1}
        if len(named) == len(sources):
            break
    return {one: named.get(one, f"{one.path}/{one.part}") for one in sources}
