"""Which hyper-parameters a model needs to predict how a run ends: permutation importance on runs that it has not seen.

Source: L. Breiman, "Random forests", *Machine Learning* 45 (2001), 5–32; on held-out data, since on the data of the
fit a forest finds importance in noise. It is withheld where the model predicts nothing: then it would describe the
model's mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.impact.associations import Parameter
from exaid_evals.analysis.report.sentences import counted

LEAST_RUNS = 20
RUNS_PER_PARAMETER = 4
LEAST_R2 = 0.2
"""Cross-validated, and in at least three of four repetitions."""
_FOLDS, _REPEATS, _PERMUTATIONS, _TREES = 5, 4, 10, 100


@dataclass(frozen=True, slots=True)
class ParameterImportance:
    """A hyper-parameter's importance.

    Attributes:
        parameter: its name.
        mean: by how much the model's R² falls when its values are shuffled among held-out runs, over all folds.
        sd: between the means of the repetitions of the cross-validation.
    """

    parameter: str
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Importance:
    """What a model can predict, and from what.

    Attributes:
        n: configurations with a level.
        r2: cross-validated, of each repetition; empty where n is too small.
        parameters: the most important first; empty where it is withheld.
        withheld: why; None where it is not.
    """

    n: int
    r2: tuple[float, ...]
    parameters: tuple[ParameterImportance, ...]
    withheld: str | None


def importance(parameters: Sequence[Parameter], final_means: Sequence[float | None], seed: int = 42) -> Importance:
    """Fit random forests in a repeated cross-validation, and shuffle each parameter among the held-out runs.

    Args:
        parameters: of configurations; what one lacks is a value of its own.
        final_means: of the metric, of each configuration (not of each run: a fold would hold seeds of what the model
            has seen); those without are left out.
        seed: of folds, forests and shuffles.
    """
    at = [index for index, level in enumerate(final_means) if level is not None]
    n, needed = len(at), max(LEAST_RUNS, RUNS_PER_PARAMETER * len(parameters))
    if not parameters:
        return Importance(n, (), (), "no parameter varies")
    if n < needed:
        return Importance(
            n,
            (),
            (),
            f"{counted(n, 'configuration')} {'is' if n == 1 else 'are'} too few for "
            f"{counted(len(parameters), 'parameter')}: {needed} are needed",
        )
    y = np.array([final_means[index] for index in at], dtype=np.float64)
    if float(y.std()) == 0:
        return Importance(n, (), (), "the metric is the same in all configurations")
    x = np.array([_column(one, at) for one in parameters], dtype=np.float64).T
    scores, falls = [], []
    for repeat in range(_REPEATS):
        score, fall = _cross_validated(x, y, seed + repeat)
        scores.append(score)
        falls.append(fall)
    told = tuple(scores)
    if sorted(scores)[1] < LEAST_R2:
        return Importance(
            n, told, (), f"the model does not predict: cross-validated R² {np.mean(scores):.2f}, under {LEAST_R2:g}"
        )
    table = np.array(falls)
    found = [
        ParameterImportance(one.name, float(table[:, column].mean()), float(table[:, column].std(ddof=1)))
        for column, one in enumerate(parameters)
    ]
    return Importance(n, told, tuple(sorted(found, key=lambda one: (-one.mean, one.parameter))), None)


def _column(parameter: Parameter, at: Sequence[int]) -> list[float]:
    """Return a parameter as numbers: categories by their rank among values, what is missing far below all."""
    held = [parameter.values[index] for index in at]
    if parameter.numeric:
        known = [float(value) for value in held if value is not None]
        low = min(known, default=0.0) - (max(known, default=0.0) - min(known, default=0.0)) - 1
        return [low if value is None else float(value) for value in held]
    values = sorted({str(value) for value in held if value is not None})
    return [-1.0 if value is None else float(values.index(str(value))) for value in held]


def _cross_validated(x: NDArray[np.float64], y: NDArray[np.float64], seed: int) -> tuple[float, list[float]]:
    """Return the R² over all held-out predictions, and by how much shuffling each column lowers it.

    Both against the same Σ(y − ȳ)²: the mean of R² over folds of four runs would swing wildly.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import KFold

    rng = np.random.default_rng(seed)
    total = float(((y - y.mean()) ** 2).sum())
    lost, shuffled = 0.0, np.zeros(x.shape[1])
    for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(x):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed, n_jobs=1).fit(x[train], y[train])
        # One call predicts all: each costs a hundred trees their overhead, and the test rows are few.
        blocks = [x[test]]
        for column in range(x.shape[1]):
            for _ in range(_PERMUTATIONS):
                block = x[test].copy()
                block[:, column] = rng.permutation(block[:, column])
                blocks.append(block)
        errors = ((y[test] - forest.predict(np.concatenate(blocks)).reshape(-1, len(test))) ** 2).sum(axis=1)
        lost += float(errors[0])
        shuffled += errors[1:].reshape(x.shape[1], _PERMUTATIONS).mean(axis=1) - errors[0]
    return 1 - lost / total, [float(value) / total for value in shuffled]
