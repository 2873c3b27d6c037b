"""In which direction a metric improves: as the user says, or as the export tells it from the name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from exaid_evals.export.directions import direction_of_name

Direction = Literal["higher", "lower"]


def direction_of(metric: str, known: Mapping[str, Direction] | None = None) -> Direction | None:
    """Return how a metric improves; None where its name does not tell.

    Args:
        metric: its name, as logged.
        known: metric → direction, as the user says; goes before the name.

    >>> direction_of("val/balanced_accuracy"), direction_of("Loss/train"), direction_of("valAcc"), direction_of("lr")
    ('higher', 'lower', 'higher', None)
    """
    if known and metric in known:
        return known[metric]
    return cast("Direction | None", direction_of_name(metric))
