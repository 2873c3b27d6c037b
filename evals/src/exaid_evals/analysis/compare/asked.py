"""What every analysis of many runs is asked: which runs, where they lie, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.analysis.compare.collect import Collected, Run, collect, without_code_versions
from exaid_evals.analysis.settings import AnalysisConfig


@dataclass(frozen=True)
class Asked:
    """The runs of an analysis.

    Attributes:
        runs: names, files, folders and patterns, with commas between them.
        places: files or folders in which names are looked for.
        source: only this one.
        config: thresholds of the anomalies, the metric that counts, directions.
        pool_code_versions: whether the version of the code (`git_hash`, …) counts for no setting.
    """

    runs: str
    places: Sequence[Path] = (Path(),)
    source: str | None = None
    config: AnalysisConfig = field(default_factory=AnalysisConfig)
    pool_code_versions: bool = False

    def read(self) -> Collected:
        """Read the runs.

        Raises:
            ConfigError: wrong usage.
            DataError: a run is not there, or none can be read.
        """
        return collect(self.runs, self.places, self.source)

    def alike(self, runs: tuple[Run, ...]) -> tuple[tuple[Run, ...], list[str]]:
        """Return the runs with the settings that count, and what is to be told of those that do not."""
        return without_code_versions(runs) if self.pool_code_versions else (runs, [])
