"""What runs are called: what tells their paths apart, and what fold, trial or seed a path says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from exaid_evals.artifacts.redaction import printable
from exaid_evals.runs.base import Source

Found = TypeVar("Found")


def run_names(sources: Sequence[Source]) -> list[str]:
    """Return the shortest trailing parts of the paths, with the part of a file, that tell the runs apart.

    >>> from pathlib import Path
    >>> run_names([Source(Path("/a/seed-1")), Source(Path("/a/seed-2"))])
    ['seed-1', 'seed-2']
    >>> run_names([Source(Path("/a/x/results"), "7"), Source(Path("/a/y/results"), "7")])
    ['x/results/7', 'y/results/7']
    >>> run_names([Source(Path("/a/results_1.json"), label="small"), Source(Path("/a/results_2.json"), label="large")])
    ['small', 'large']
    """
    counts = Counter(source.label for source in sources)
    own = {
        at: printable(source.label) for at, source in enumerate(sources) if counts[source.label] == 1 and source.label
    }
    others = _by_paths([source for at, source in enumerate(sources) if at not in own])
    # Of runs that call themselves alike the path tells which is which.
    names = iter(others)
    found = [own[at] if at in own else next(names) for at in range(len(sources))]
    return found if len(set(found)) == len(found) else _by_paths(sources)


def distinct(found: Sequence[tuple[str, str, Found]]) -> dict[str, Found]:
    """Return each thing by its label, with its id behind where a label is a duplicate.

    >>> distinct([("a", "1", 10), ("b", "2", 20), ("a", "3", 30)])
    {'a-1': 10, 'b': 20, 'a-3': 30}
    """
    counts = Counter(label for label, *_ in found)
    return {label if counts[label] == 1 else f"{label}-{id_}": one for label, id_, one in found}


def _by_paths(sources: Sequence[Source]) -> list[str]:
    if not sources:
        return []
    depth, deepest = 1, max(len(source.path.parts) for source in sources)
    while True:
        names = [
            "/".join([*source.path.parts[-depth:], source.part][: None if source.part else -1]) for source in sources
        ]
        names = [printable(name.lstrip("/")) or "/" for name in names]
        if len(set(names)) == len(names):
            return names
        if depth >= deepest:  # names that differ in what cannot be printed alone
            seen: Counter[str] = Counter()
            for number, name in enumerate(names):
                seen[name] += 1
                names[number] = f"{name} ({seen[name]})" if seen[name] > 1 else name
            return names
        depth += 1


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
    """Return whether a folder's name is that of a fold."""
    return _FOLD.match(name) is not None


def is_trial(name: str) -> bool:
    """Return whether a folder's name is that of a trial."""
    return _TRIAL.match(name) is not None
