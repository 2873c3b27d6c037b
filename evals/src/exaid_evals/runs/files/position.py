"""Where a run stands in a cross-validation or a search, as the names of its folders say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_FOLD = re.compile(r"^(?:cv[_-]?)?fold[_\- ]?(\d+)$", re.I)
_TRIAL = re.compile(r"^(?:trial|run_trial|hpo_trial|ray_trial|_?train_fn)[_\- ]?([0-9A-Za-z_\-.]+)$", re.I)


class Position(NamedTuple):
    """A run's place; None where its folders do not say.

    Attributes:
        fold: number of the fold.
        trial: id of the trial, `0` and `00007` as written.
        group: the folder that holds the folds or trials.
    """

    fold: int | None = None
    trial: str | None = None
    group: str | None = None


def position_of(folder: Path) -> Position:
    """Return the place of a run from its folder or the one above: `fold_3/results`, `fold_3`, `hpo_runs/trial_7`.

    >>> position_of(Path("/a/resnet/fold_3/results"))
    Position(fold=3, trial=None, group='resnet')
    >>> position_of(Path("/a/hpo_runs/trial_0007"))
    Position(fold=None, trial='0007', group='hpo_runs')
    >>> position_of(Path("/a/results_4"))
    Position(fold=None, trial=None, group=None)
    """
    for place in (folder, folder.parent):
        if match := _FOLD.match(place.name):
            return Position(fold=int(match[1]), group=place.parent.name or None)
        if match := _TRIAL.match(place.name):
            return Position(trial=match[1], group=place.parent.name or None)
    return Position()


def is_fold(name: str) -> bool:
    """Tell whether a folder's name is that of a fold."""
    return _FOLD.match(name) is not None


def is_trial(name: str) -> bool:
    """Tell whether a folder's name is that of a trial."""
    return _TRIAL.match(name) is not None
