"""Tables of results under columns of their own: which tools write them, and what the same columns are called here.

Weka's experimenter, mlr3 and tidymodels call the learner, the data and the fold as nobody else does; OpenCompass has a
row a data set and a column a model; spreadsheets merge cells, and end with rows that sum up the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.runs.formats.summary_rows import summary_rows
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import ROW_NAMES, RUN_NAMES, STEP_NAMES, Row, Table, simple

REPETITIONS = ("seed", "fold", "trial", "resample")
"""What tells runs of one name apart; the last is what caret calls a fold."""
VALUES = ("value", "metric_value", "score")
"""What the column of values is called in a table with a row a metric."""
_TIDY = {".metric": "metric", ".config": "run", "id": "resample"}
_OF_SET = {"wflow_id": "run", ".config": "trial"}
"""In a set of workflows, whose configurations are called alike."""
_DIALECTS: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...] = (
    (("key_scheme",), {"key_scheme": "model", "key_dataset": "dataset", "key_run": "seed", "key_fold": "fold"}),
    (("learner_id", "resampling_id"), {"learner_id": "model", "task_id": "dataset", "iteration": "fold", "nr": ""}),
    (("wflow_id", ".metric", ".estimate"), {**_TIDY, **_OF_SET, ".estimate": "value"}),
    (("wflow_id", ".metric", "mean"), {**_TIDY, **_OF_SET, "mean": "value"}),
    ((".metric", ".estimate"), {**_TIDY, ".estimate": "value"}),
    ((".metric", "mean"), {**_TIDY, "mean": "value"}),
)
"""Columns by which a table is known, and what some of its columns are called here; empty for one that says nothing."""
_OF_MODELS = frozenset(("dataset", "version", "metric", "mode"))
"""Columns of OpenCompass's summary beside those of models."""
_SPREAD = "SD"
"""With which the names of caret's columns end that hold the deviation of the metric of the same name."""


def has_dialect(names: Iterable[str]) -> bool:
    """Return whether the columns are those of a tool that calls them as nobody else does."""
    columns = [*names]
    simply = {*map(simple, columns)}
    of_models = simply >= _OF_MODELS and not _say_more(simply)
    return of_models or any(simply.issuperset(sign) for sign, _ in _DIALECTS) or bool(settings_of_rows(columns))


def _say_more(names: Iterable[str]) -> bool:
    """Return whether a column is none of a model's: it counts steps, names runs or holds the values of all."""
    return any(one in (*STEP_NAMES, *RUN_NAMES, *ROW_NAMES, *REPETITIONS, *VALUES) for one in names)


def standard(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a table under the columns that other tables have, a row a model where it had a column each."""
    names = {simple(name): name for name in rows[0]} if rows else {}
    if names.keys() >= _OF_MODELS and not _say_more(names):
        return _of_models(rows, names)
    called = next((called for sign, called in _DIALECTS if all(one in names for one in sign)), {})
    if not called:
        return list(rows)
    ours = {name: called.get(one, name) for one, name in names.items()}
    return [
        {ours[name]: value.strip("'") if isinstance(value, str) else value for name, value in row.items() if ours[name]}
        for row in rows
    ]


def _of_models(rows: Sequence[Row], names: Mapping[str, str]) -> list[Row]:
    """Return OpenCompass's summary with a row a value; a data set that was not scored has none."""
    models = [name for one, name in names.items() if one not in _OF_MODELS]
    return [
        {"model": model, "metric": f"{row[names['dataset']]}/{row[names['metric']]}", "value": row[model]}
        for model in models
        for row in rows
        if _is_number(row.get(model))
    ]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


_LEARNT, _EVALUATED = "training_exp", "eval_exp"


def by_experience(table: Table) -> Table:
    """Return Avalanche's evaluations, a row each of all experiences after each, with a column an experience.

    The last row is of the last experience alone, and no result of the training.
    """
    names = {simple(name): name for name in table.columns}
    if not names.keys() >= {_LEARNT, _EVALUATED}:
        return table
    learnt, evaluated = names[_LEARNT], names[_EVALUATED]
    rows: dict[Any, dict[str, Any]] = {}
    for row in ({name: column.at(at) for name, column in table.columns.items()} for at in range(table.n_rows)):
        step, of = row.pop(learnt), row.pop(evaluated)
        part = f"exp{of:g}" if isinstance(of, float) else str(of)
        rows.setdefault(step, {}).update({f"{name}/{part}": one for name, one in row.items()})
    return Table.of_rows({"step": step, **row} for step, row in rows.items())


def settings_of_rows(names: Sequence[str]) -> list[str]:
    """Return the columns of settings of a table with a row for each of their combinations, as caret tunes; else none.

    >>> settings_of_rows(["", "mtry", "Accuracy", "Kappa", "AccuracySD", "KappaSD"])
    ['mtry']
    """
    spread = [name for name in names if name.endswith(_SPREAD) and name.removesuffix(_SPREAD) in names]
    measured = {*spread, *(name.removesuffix(_SPREAD) for name in spread)}
    return [name for name in names if name and name not in measured] if len(spread) > 1 else []


def without_summaries(rows: list[Row], columns: Sequence[str], warnings: list[str]) -> list[Row]:
    """Return rows without those that sum up the others, which are reported.

    A name that stands in the first of merged cells is that of the rows below it which name a seed, a fold or a trial.

    Args:
        rows: of the table.
        columns: that tell runs apart, the name of a run first.
        warnings: gets what was left out.
    """
    filled: list[Row] = []
    last: Any = None
    repeated = [name for name in rows[0] if simple(name) in REPETITIONS]
    for row in rows:
        own = row.get(columns[0])
        if own is None and last is not None and any(row.get(one) is not None for one in repeated):
            row = {**row, columns[0]: last}
        last = last if own is None else own
        filled.append(row)
    summed = summary_rows(filled, columns)
    if not summed or len(summed) == len(rows):
        return filled
    called = ", ".join(dict.fromkeys(summed.values()))
    warnings.append(f"{len(summed)} rows that sum up others are left out ({called})")
    return [row for at, row in enumerate(filled) if at not in summed]


_COUNTS_AND_ERRORS = frozenset(("n", "std_err", "stderr", "se", "sd", "std", *VALUES))
"""With values, none of which is a setting even where it is constant."""


def is_setting_of_long(name: str) -> bool:
    """Return whether a column that is constant in a run of rows of metrics is a setting."""
    return role_of_column(name) == "unknown" and simple(name) not in _COUNTS_AND_ERRORS
