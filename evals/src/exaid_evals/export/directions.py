"""Which way a metric improves: as its run says, or as its name is used everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from exaid_evals.errors import ConfigError
from exaid_evals.runs.base import Run
from exaid_evals.runs.metric_names import direction_of_name

HIGHER = "higher"
LOWER = "lower"


def direction_of(metric: str, runs: Iterable[Run] = ()) -> str | None:
    """Return `higher` or `lower`; None where neither the runs nor the name say.

    >>> direction_of("val_loss"), direction_of("V3.coverage"), direction_of("top5_accuracy"), direction_of("alpha")
    ('lower', 'higher', 'higher', None)
    >>> direction_of("Train Loss"), direction_of("Loss/train"), direction_of("valAcc"), direction_of("acc,none")
    ('lower', 'lower', 'higher', 'higher')

    Raises:
        ConfigError: some runs say this and some that.
    """
    runs = list(runs)
    said = {
        way
        for way, named in ((LOWER, "lower_is_better"), (HIGHER, "higher_is_better"))
        if any(metric in getattr(run, named) for run in runs)
    }
    if len(said) > 1:
        raise ConfigError(
            f"some runs say that {metric} improves upwards, and some downwards",
            where="--primary-metric",
            remedy="say which with --better higher or --better lower",
        )
    if said:
        return said.pop()
    return direction_of_name(metric)
