"""Stage 04: what runs amount to, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from exaid_evals.artifacts.redaction import first_few, printable
from exaid_evals.errors import ConfigError
from exaid_evals.export.aggregate import Aggregate, Ranked, aggregate_all, aggregate_classes, best_and_worst, grouped
from exaid_evals.export.diagnosis import HIGHER, LOWER, diagnose, direction_of
from exaid_evals.export.grouping import (
    BY,
    FOLD,
    LEADERBOARDS,
    NONE,
    SEED,
    TRIAL,
    Group,
    comparable,
    groups_of,
    holder_of,
    resolve,
)
from exaid_evals.export.reading import Failure
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.reported import standard_name

# What ranks runs whose formats propose nothing.
_USUAL = ("balanced_accuracy_adjusted", "accuracy", "macro_f1", "loss")


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that the writers write.

    Attributes:
        runs: in order of their names.
        aggregated: metric → aggregate over runs.
        primary_metric: what ranks the runs; None where no format names one.
        best, worst: by the primary metric; None where no run defines it, and no worst one where all are equal.
        warnings: for the reader of the export.
        by: what the runs differ in.
        lower: whether the primary metric improves downwards; None without one, or where searches differ in it.
        per_class: class → metric → aggregate over runs.
        folds: cross-validations.
        trials: searches over hyper-parameters.
        failures: runs that were named and cannot be read.
        groups: runs that differ in seed or fold alone, by the name of their group; one without a name where all do.
    """

    runs: tuple[Run, ...]
    aggregated: dict[str, Aggregate]
    primary_metric: str | None
    best: Ranked | None
    worst: Ranked | None
    warnings: tuple[str, ...]
    by: str = SEED
    lower: bool | None = None
    per_class: dict[str, dict[str, Aggregate]] = field(default_factory=dict)
    folds: tuple[Group, ...] = ()
    trials: tuple[Group, ...] = ()
    failures: tuple[Failure, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def signatures(self) -> tuple[str, ...]:
        """The distinct signatures of the runs."""
        return tuple(sorted({signature for run in self.runs for signature in run.signatures.values()}))

    @property
    def is_of_like_runs(self) -> bool:
        """Whether a mean over all runs is that of something: no trials of a search, and not several models."""
        unlike = self.by == TRIAL or all(run.format in LEADERBOARDS for run in self.runs)
        return len(self.runs) == 1 or (len(self.groups) < 2 and not unlike)

    @property
    def stub(self) -> bool:
        """Whether any number is simulated."""
        return any(run.stub for run in self.runs)


def consolidate(
    runs: Sequence[Run],
    primary_metric: str | None = None,
    *,
    by: str | None = None,
    better: str | None = None,
    failures: Sequence[Failure] = (),
    notes: Sequence[str] = (),
) -> Export:
    """Aggregate runs.

    Args:
        runs: at least one.
        primary_metric: ranks the runs; None takes what their format proposes.
        by: what the runs differ in; None finds out.
        better: `higher` or `lower`, for a primary metric whose direction is not known; None finds out.
        failures: runs that cannot be read, to be reported.
        notes: what the reading left out, to be reported.

    Raises:
        ConfigError: no run has the metric that was asked for, its direction is not known, or the runs cannot be
            grouped as was asked for.
    """
    aggregated = aggregate_all(runs)
    by = resolve(by, runs)
    primary, lower = _primary(runs, aggregated, primary_metric, better)
    best, worst = None, None
    if primary is not None and lower is not None:
        best, worst = best_and_worst(runs, primary, lower=lower)
    elif primary is not None:
        notes = [*notes, f"{primary} improves upwards in some runs and downwards in others: no run is best of all"]
    folds = groups_of(runs, FOLD, failures) if by not in (NONE, TRIAL) else []
    return Export(
        runs=tuple(runs),
        aggregated=aggregated,
        primary_metric=primary,
        best=best,
        worst=worst,
        # What files hold may be anything; a warning is one line of text.
        warnings=tuple(
            dict.fromkeys(
                printable(line) for line in (*notes, *diagnose(runs, aggregated, by if by in BY else NONE, folds))
            )
        ),
        by=by,
        lower=lower,
        per_class=aggregate_classes(runs),
        folds=tuple(folds),
        trials=tuple(groups_of(runs, TRIAL, failures)) if by not in (NONE, FOLD) else (),
        failures=tuple(failures),
        groups=tuple(
            Group(name, tuple(members), aggregated if len(members) == len(runs) else aggregate_all(members))
            for name, members in comparable(runs, by)
        ),
    )


def _primary(
    runs: Sequence[Run], aggregated: dict[str, Aggregate], asked: str | None, better: str | None
) -> tuple[str | None, bool | None]:
    """Return the metric that ranks the runs, and whether it improves downwards; None where searches differ in that."""
    if asked and asked not in aggregated and standard_name(asked) in aggregated:
        asked = standard_name(asked)  # `acc` and `val/qwk` are asked for by the names that files give them
    if asked and asked not in aggregated:
        known = sorted(aggregated)
        raise ConfigError(
            f"no run has the metric {asked!r}",
            where="--primary-metric",
            remedy=f"there are {first_few(known, 8, ' …')}" if known else "leave it out: no run holds a number",
        )
    counted = Counter(run.default_primary for run in runs if run.default_primary)
    proposed = max(counted, key=counted.__getitem__, default=None)
    usual = next((name for name in _USUAL if name in aggregated), None)
    only = next(iter(aggregated)) if better and len(aggregated) == 1 else None
    primary = asked or (proposed if proposed in aggregated else usual) or only
    if primary is None and better:
        raise ConfigError(
            "says how the metric that ranks the runs improves, and none does",
            where=f"--better {better}",
            remedy=f"name it with --primary-metric: there are {first_few(sorted(aggregated), 8, ' …') or 'none'}",
        )
    if primary is None:
        return None, None
    searches = [held for held in grouped(runs, holder_of).values() if all(run.trial is not None for run in held)]
    if better is None and asked is None and sum(map(len, searches)) == len(runs) > 0 and len(searches) > 1:
        ways = {direction_of(primary, held) for held in searches}
        if ways == {HIGHER, LOWER}:
            return primary, None
    way = better or direction_of(primary, runs)
    if way is None:
        raise ConfigError(
            f"nothing says whether {primary} improves upwards or downwards",
            where="--primary-metric",
            remedy="say it with --better higher or --better lower",
        )
    return primary, way == LOWER
