"""What every analysis of many runs is asked: which runs, where they lie, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.analysis.compare.collect import Collected, Run, collect, without_code_versions
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.runs.registry import USUAL_PLACES, chosen, runs_in


@dataclass(frozen=True)
class Asked:
    """The runs of an analysis.

    Attributes:
        runs: names, files, folders and patterns, with commas between them; or the project, a folder or one of W&B's
            (`entity/project`), whose runs are named later.
        places: files or folders in which names are looked for.
        source: only this one.
        config: thresholds of the anomalies, the metric that counts, directions.
        pool_code_versions: whether the version of the code (`git_hash`, …) counts for no setting.
    """

    runs: str | Path
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
        return collect(str(self.runs), self.places, self.source)

    def read_named(self, names: Sequence[str]) -> Collected:
        """Read runs of the project by their names.

        They are looked for in the project, where it is a folder; else in the usual places, and on W&B's server.

        Raises:
            ConfigError: no run is named, or several formats have one.
            DataError: a run is not there.
        """
        if Path(self.runs).is_dir():
            return collect(list(names), [Path(self.runs), *self.places], self.source)
        places = [*map(Path, USUAL_PLACES), *self.places]
        known = {name for place in places if place.exists() for _, name, _ in runs_in(place, chosen(self.source))}
        listed = [name if name in known or "/" in name else f"{self.runs}/{name}" for name in names]
        online = self.source or ("wandb" if any(name not in known for name in names) else None)
        return collect(listed, places, online)

    def alike(self, runs: tuple[Run, ...]) -> tuple[tuple[Run, ...], list[str]]:
        """Return the runs with the settings that count, and what is to be told of those that do not."""
        return without_code_versions(runs) if self.pool_code_versions else (runs, [])
