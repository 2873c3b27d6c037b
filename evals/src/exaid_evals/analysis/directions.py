"""In which direction a metric improves: as the user says, or as the export tells it from the name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

from exaid_evals.export import directions

Direction = Literal["higher", "lower"]


def direction_of(metric: str, known: Mapping[str, Direction] | None = None) -> Direction | None:
    """Return how a metric improves; None where its name does not tell.

    The name is asked as a whole first, then its parts: TensorBoard's users write `Loss/train`, Keras' `valAccuracy`.

    Args:
        metric: its name, as logged.
        known: metric → direction, as the user says; goes before the name.

    >>> direction_of("val/balanced_accuracy"), direction_of("Loss/train"), direction_of("valAcc"), direction_of("lr")
    ('higher', 'lower', 'higher', None)
    """
    if known and metric in known:
        return known[metric]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric)
    for name in (spaced, *reversed(re.split(r"[./:|]", spaced))):
        found = directions.direction_of(name)
        if found is not None:
            return cast("Direction", found)
    return None
