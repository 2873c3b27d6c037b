"""Optuna: a study in SQLite, in a journal, or as the CSV of `trials_dataframe`; Optuna itself is not needed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.runs.files.archives import is_database, opened_database, tables_of
from exaid_evals.runs.files.document import embedded, objects
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.rows import below
from exaid_evals.runs.tool_files import Entry, ManyRuns, file_in, head

_TABLES = ("studies", "trials", "trial_params", "trial_values", "trial_user_attributes")
_CSV = re.compile(rb"\A(?:\xef\xbb\xbf)?,?number,(?:value|values(?:_\w+)?|datetime_start)\b[^\n]*\bstate\b")
_JOURNAL = re.compile(rb'\A\s*\{[^\n]*"op_code"\s*:\s*\d')
_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_CREATE_STUDY, _STUDY_SYSTEM, _CREATE_TRIAL, _PARAM, _STATE, _INTERMEDIATE, _USER = 0, 3, 4, 5, 6, 7, 8


class OptunaFormat(ManyRuns):
    """Reads a run a finished trial, its parameters as settings; trials without a value are reported."""

    name = "optuna"

    def file_of(self, place: Path) -> Path | None:
        """Return the database, else the journal, else the table: a folder mostly holds one study in several forms."""
        return (
            file_in(place, (".db", ".sqlite", ".sqlite3"), lambda path: is_database(path, _TABLES))
            or file_in(place, (".log", ".jsonl", ".journal"), lambda path: bool(_JOURNAL.match(head(path))))
            or file_in(place, (".csv",), lambda path: bool(_CSV.match(head(path))), ("trials.csv",))
        )

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read every study of a file."""
        if _CSV.match(head(path)):
            studies = [("", _of_table(path))]
        elif _JOURNAL.match(head(path)):
            studies = list(_of_journal(path))
        else:
            studies = list(_of_database(path))
        several = len(studies) > 1
        found: dict[str, Entry] = {}
        for study, trials in studies:
            finished = [trial for trial in trials if trial.attributes["optuna_state"] == "COMPLETE" and trial.metrics]
            others = [trial for trial in trials if trial not in finished]
            for trial in finished:
                trial.group = study or path.stem
                found[f"{study}/{trial.trial}" if several else str(trial.trial)] = trial
            if finished and others:
                listed = first_few([f"{one.trial} ({one.attributes['optuna_state']})" for one in others], 8)
                what = "1 trial beside it has" if len(others) == 1 else f"{len(others)} trials beside it have"
                finished[0].warnings.append(f"{what} no value: {listed}")
        return found


def _of_database(path: Path) -> Iterator[tuple[str, list[Entry]]]:
    with opened_database(path, _TABLES, "Optuna's") as database:
        studies = database.execute("SELECT study_id, study_name FROM studies ORDER BY study_id").fetchall()
        for study_id, name in studies:
            query = "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective"
            if "study_directions" not in tables_of(database):  # before version 2.4
                query = "SELECT direction FROM studies WHERE study_id = ?"
            ways = [str(way).rpartition(".")[2] for (way,) in database.execute(query, (study_id,))]
            names = _objectives(len(ways), _metric_names(database, study_id))
            trials = database.execute(
                "SELECT trial_id, number, state FROM trials WHERE study_id = ? ORDER BY number", (study_id,)
            ).fetchall()
            yield str(name), [_trial(database, trial, names, ways) for trial in trials]


def _metric_names(database: Any, study_id: Any) -> Any:
    query = "SELECT value_json FROM study_system_attributes WHERE study_id = ? AND key = 'study:metric_names'"
    found = database.execute(query, (study_id,)).fetchone()
    return embedded(found[0]) if found else None


def _trial(database: Any, trial: tuple[Any, Any, Any], names: Sequence[str], ways: Sequence[str]) -> Entry:
    trial_id, number, state = trial
    params = database.execute(
        "SELECT param_name, param_value, distribution_json FROM trial_params WHERE trial_id = ? ORDER BY param_name",
        (trial_id,),
    ).fetchall()
    query = "SELECT objective, value FROM trial_values WHERE trial_id = ? ORDER BY objective"
    steps = "SELECT step, intermediate_value FROM trial_intermediate_values WHERE trial_id = ? ORDER BY step"
    if "trial_intermediate_values" not in tables_of(database):  # before version 2.4, of one objective
        query = "SELECT 0, value FROM trials WHERE trial_id = ? AND value IS NOT NULL"
        steps = "SELECT step, value FROM trial_values WHERE trial_id = ? ORDER BY step"
    values = database.execute(query, (trial_id,)).fetchall()
    query = "SELECT key, value_json FROM trial_user_attributes WHERE trial_id = ?"
    own = {str(key): embedded(value) for key, value in database.execute(query, (trial_id,))}
    rows = database.execute(steps, (trial_id,)).fetchall()
    return _entry(
        number,
        str(state),
        {str(name): _external(value, embedded(distribution)) for name, value, distribution in params},
        {names[int(at)] if int(at) < len(names) else f"values_{at}": value for at, value in values},
        own,
        [(step, value) for step, value in rows],
        (names, ways),
    )


def _of_journal(path: Path) -> Iterator[tuple[str, list[Entry]]]:
    studies: list[dict[str, Any]] = []
    trials: list[dict[str, Any]] = []
    for row in objects(path, []):
        code = row.get("op_code")
        number = row.get("trial_id")
        trial = trials[number] if isinstance(number, int) and 0 <= number < len(trials) else None
        if code == _CREATE_STUDY:
            studies.append({"name": row.get("study_name"), "directions": row.get("directions") or [], "system": {}})
        elif code == _STUDY_SYSTEM and isinstance(row.get("study_id"), int) and row["study_id"] < len(studies):
            studies[row["study_id"]]["system"].update(row.get("system_attr") or {})
        elif code == _CREATE_TRIAL:
            trials.append(
                {"study": row.get("study_id", 0), "state": 0, "params": {}, "own": {}, "rows": [], **_finished(row)}
            )
        elif trial is None:
            continue
        elif code == _PARAM:
            trial["params"][row.get("param_name")] = _external(
                row.get("param_value_internal"), embedded(row.get("distribution"))
            )
        elif code == _STATE:
            trial["state"], trial["values"] = row.get("state", 0), row.get("values")
        elif code == _INTERMEDIATE:
            trial["rows"].append((row.get("step"), row.get("intermediate_value")))
        elif code == _USER:
            trial["own"].update(row.get("user_attr") or {})
    for study_id, study in enumerate(studies):
        ways = ["MAXIMIZE" if way in (2, "MAXIMIZE", "maximize") else "MINIMIZE" for way in study["directions"]]
        names = _objectives(len(ways), study["system"].get("study:metric_names"))
        mine = [trial for trial in trials if trial["study"] == study_id]
        yield (
            str(study["name"] or ""),
            [
                _entry(
                    number,
                    _STATES[trial["state"]] if trial["state"] in range(len(_STATES)) else str(trial["state"]),
                    trial["params"],
                    dict(zip(names, trial.get("values") or [], strict=False)),
                    trial["own"],
                    trial["rows"],
                    (names, ways),
                )
                for number, trial in enumerate(mine)
            ],
        )


def _finished(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial has that was finished before it was written."""
    found: dict[str, Any] = {}
    if isinstance(row.get("state"), int):
        found["state"] = row["state"]
    values = row.get("values") or ([row["value"]] if row.get("value") is not None else None)
    distributions = row.get("distributions") or {}
    if values:
        found["values"] = values
    if isinstance(row.get("params"), dict):
        found["params"] = {
            name: _external(value, embedded(distributions.get(name))) for name, value in row["params"].items()
        }
    if isinstance(row.get("user_attrs"), dict):
        found["own"] = dict(row["user_attrs"])
    return found


def _of_table(path: Path) -> list[Entry]:
    trials = []
    warnings: list[str] = []
    for at, row in enumerate(csv_rows(path, warnings)):
        values = {name: value for name, value in row.items() if name == "value" or name.startswith("values_")}
        trials.append(
            _entry(
                row.get("number", at),
                str(row.get("state") or "COMPLETE").rpartition(".")[2],
                below("params_", row),
                {name: value for name, value in values.items() if value is not None},
                below("user_attrs_", row),
                [],
                ((), ()),
            )
        )
    if trials:
        trials[0].warnings += warnings
    return trials


def _entry(
    number: Any,
    state: str,
    params: dict[str, Any],
    values: dict[str, Any],
    own: dict[str, Any],
    rows: Sequence[tuple[Any, Any]],
    study: tuple[Sequence[str], Sequence[str]],
) -> Entry:
    names, ways = study
    figures = {
        name: value for name, value in own.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }
    others = {name: value for name, value in own.items() if name not in figures and value is not None}
    objective = names[0] if names else "value"
    return Entry(
        metrics={**figures, **values} if values else {},
        config={name: value for name, value in params.items() if value is not None},
        trial=str(int(number)) if isinstance(number, int | float) else str(number),
        rows=[{"step": step, objective: value} for step, value in rows],
        step="step",
        attributes={"optuna_state": state} | ({"user_attrs": others} if others else {}),
        lower=tuple(name for name, way in zip(names, ways, strict=False) if way == "MINIMIZE"),
        higher=tuple(name for name, way in zip(names, ways, strict=False) if way == "MAXIMIZE"),
    )


def _objectives(n: int, given: Any) -> list[str]:
    if isinstance(given, list) and len(given) == n:
        return [str(name) for name in given]
    return ["value"] if n == 1 else [f"values_{at}" for at in range(n)]


def _external(value: Any, distribution: Any) -> Any:
    """Return a parameter as the program saw it: of a choice the choice, of a whole number one."""
    if not isinstance(distribution, dict) or not isinstance(value, int | float):
        return value
    kind, of = str(distribution.get("name")), distribution.get("attributes") or {}
    choices = of.get("choices")
    if isinstance(choices, list) and 0 <= value < len(choices):
        return choices[int(value)]
    return int(value) if kind.startswith("Int") and math.isfinite(value) else value
