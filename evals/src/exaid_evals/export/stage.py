"""Stage 04: read runs, aggregate them, write the consolidated files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.aggregate import (
    Aggregate,
    Ranked,
    aggregate_all,
    best_and_worst,
    comparability_warnings,
)
from exaid_evals.export.base import ExportedRun
from exaid_evals.export.registry import reader_of


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that the writers write.

    Attributes:
        runs: in order of their names.
        aggregated: metric → aggregate over runs.
        primary_metric: what ranks the runs; None where no format names one.
        best, worst: by the primary metric; None where no run defines it.
        warnings: for the reader of the export.
    """

    runs: tuple[ExportedRun, ...]
    aggregated: dict[str, Aggregate]
    primary_metric: str | None
    best: Ranked | None
    worst: Ranked | None
    warnings: tuple[str, ...]

    @property
    def signatures(self) -> tuple[str, ...]:
        """The distinct signatures of the runs."""
        return tuple(sorted({signature for run in self.runs for signature in run.signatures.values()}))

    @property
    def stub(self) -> bool:
        """Whether any number is simulated."""
        return any(run.stub for run in self.runs)


def read_runs(folders: Sequence[Path], names: Sequence[str] | None = None) -> list[ExportedRun]:
    """Read every folder with the reader that claims it.

    Args:
        folders: finished runs.
        names: what the runs are called; None takes what tells their paths apart.

    Raises:
        ConfigError: no folder is given, or one is given twice.
        DataError: names every folder that holds no readable run, at once.
    """
    resolved = [folder.resolve() for folder in folders]
    if not resolved:
        raise ConfigError("no run to export", remedy="name folders with --run")
    repeated = [str(folder) for folder, count in Counter(resolved).items() if count > 1]
    if repeated:
        raise ConfigError(f"given twice: {', '.join(repeated)}", where="--run", remedy="name each run once")
    runs, problems = [], []
    for folder, name in zip(resolved, names or run_names(resolved), strict=True):
        try:
            runs.append(reader_of(folder).read(folder, name))
        except DataError as error:
            problems.append(error)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise problems[0] if len(problems) == 1 else DataError(f"{len(problems)} runs cannot be read:\n{lines}")
    return sorted(runs, key=lambda run: run.name)


def consolidate(runs: Sequence[ExportedRun], primary_metric: str | None = None) -> Export:
    """Aggregate runs.

    Args:
        runs: at least one.
        primary_metric: ranks the runs; None takes what their format proposes.

    Raises:
        ConfigError: no run has the metric that was asked for.
    """
    aggregated = aggregate_all(runs)
    primary = primary_metric or next((run.default_primary for run in runs if run.default_primary), None)
    if primary_metric and primary_metric not in aggregated:
        raise ConfigError(
            f"no run has the metric {primary_metric!r}",
            where="--primary-metric",
            remedy=f"there are {', '.join(sorted(aggregated)[:8])} …",
        )
    best, worst = best_and_worst(runs, primary) if primary else (None, None)
    warnings = [warning for run in runs for warning in run.warnings] + comparability_warnings(runs)
    return Export(tuple(runs), aggregated, primary, best, worst, tuple(warnings))


def run_names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest trailing parts of the paths that tell the folders apart.

    >>> run_names([Path("/a/seed-1"), Path("/a/seed-2")])
    ['seed-1', 'seed-2']
    >>> run_names([Path("/a/x/results"), Path("/a/y/results")])
    ['x/results', 'y/results']
    """
    depth = 1
    deepest = max(len(folder.parts) for folder in folders)
    while True:
        names = ["/".join(folder.parts[-depth:]).lstrip("/") for folder in folders]
        if len(set(names)) == len(names) or depth >= deepest:
            return names
        depth += 1
