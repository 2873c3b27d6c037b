"""What a follower is: it is asked again and again for what a history has gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from exaid_evals.analysis.history import Series


class Row(NamedTuple):
    """The metrics of one step. A value is None where it is missing, and text where it is no number."""

    step: float
    metrics: Mapping[str, float | str | None]


class Follower(Protocol):
    """Reads a history as far as it is written."""

    def poll(self) -> Sequence[Row]:
        """Return the steps that have come since the last call; none where there are none yet.

        Raises:
            DataError: the history cannot be read.
        """

    def finish(self) -> Sequence[Row]:
        """Return what is left when nothing more will come: a last line without an end."""

    @property
    def warnings(self) -> Sequence[str]:
        """What could not be read so far."""


def merged(series: Mapping[str, Series], seen: dict[str, int]) -> list[Row]:
    """Return the points beyond those that were seen, by step; of a step that comes twice, two rows.

    Args:
        series: metric → its points so far.
        seen: metric → points that were returned before; is brought up to date.
    """
    rows: dict[tuple[float, int], dict[str, float | str | None]] = {}
    for metric, one in series.items():
        at = min(seen.get(metric, 0), len(one.points))
        times: dict[float, int] = {}
        for point in one.points[at:]:
            again = times.get(point.step, 0)
            times[point.step] = again + 1
            rows.setdefault((point.step, again), {})[metric] = point.value
        seen[metric] = len(one.points)
    return [Row(step, rows[step, again]) for step, again in sorted(rows)]
