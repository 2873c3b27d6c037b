"""`ExperimentComparator`: runs compared from Python, by names, with findings as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exaid_evals.analysis.compare.performance import Ranking
from exaid_evals.analysis.compare.recommend import recommendations, verdicts
from exaid_evals.analysis.compare.stage import Comparator


class ExperimentComparator(Comparator):
    """Compares runs of any experiments: of a list, or of a project by their names."""

    def compare_runs(self, run_names: Sequence[str]) -> dict[str, Any]:
        """Compare runs of the project by their names, and return the findings as plain data.

        Returns:
            `best_performer`: the name of the run that has the best value of the metric that counts, in the best group;
            None where no metric's direction is known. `key_differences`: setting → run → value, of those that differ.
            `performance`: metric → run → value. `stability`: run → anomalies by severity. `recommendations`: sentences,
            which say how sure all this is.

        Raises:
            ConfigError: wrong usage.
            DataError: a run is not there, or fewer than two are named.
        """
        found = self.of(self.read_named(run_names))
        key = found.key_ranking
        differing = found.grouping.differing
        return {
            "best_performer": None if key is None else _best_run(key),
            "key_differences": {key: {run.name: run.settings.get(key) for run in found.runs} for key in differing},
            "performance": {
                one.metric: {run: value for group in one.performances for run, value in group.values.items()}
                for one in found.rankings
            },
            "stability": {one.run: dict(one.anomalies) for one in found.stabilities},
            "recommendations": [*verdicts([key] if key is not None else []), *recommendations(found)],
        }


def _best_run(ranking: Ranking) -> str | None:
    """Return the best run of the best group."""
    sign = 1.0 if ranking.direction == "lower" else -1.0
    values = {run: value for run, value in ranking.first.values.items() if value is not None}
    return min(values, key=lambda run: (sign * values[run], run), default=None)
