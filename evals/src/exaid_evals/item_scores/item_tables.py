"""Results item by item that no harness wrote: MLflow's tables, predictions with true labels, promptfoo's JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, made_id, number, numbered_epochs
from exaid_evals.runs.files.delimited import open_delimited
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.predictions import Layout
from exaid_evals.runs.files.values import mapping_of, mappings_of
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import simple

_BEGINNING = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{\s*"(?:columns|index|data)"\s*:\s*\[')
_SCORE = re.compile(r"^(?P<metric>[^/]+)(?:/v\d+)?/(?:score|value)$")
_HEADER = re.compile(rb'(?:^|,)"?(?:inputs?(?:\.[\w ]{1,80})?|request|question)"?(?:,|\r?\n)')
_INPUTS = ("inputs", "input", "request", "question", "user_input", "prompt", "query")
_TARGETS = ("ground_truth", "reference", "targets", "target", "expectations", "expected_response", "label")
_OUTPUTS = ("outputs", "output", "response", "answer", "prediction", "predictions")
_OF_RAGAS = re.compile(rb'(?:^|,)"?(?:user_input|retrieved_contexts|reference_contexts|contexts)"?(?:,|\r?\n)')
_IDS = ("example_id", "item_id", "question_id", "id", "request_id", "row_id")
"""The first that is there: where an example has one, `id` is that of an answer, and matches none of another run."""
_SYSTEMS = ("system", "model", "model_name", "app_version", "app_id", "variant", "experiment_name", "provider")
_UNNAMED = ("index", "unnamed:_0", "", "repetition_number", "repetition", "token_count")
_RATED = "feedback."
"""How LangSmith's columns of scores begin."""
_USUAL = re.compile(r"(?:ragas[_-]?)?(?:results?|scores?|eval(?:uation)?|output|ragas)(?:[_-]results?)?", re.IGNORECASE)
"""What a file is called whoever was evaluated."""
_OUTER = re.compile(r"/(?:justification|rationale|error_message|error_code|metadata)$")


class MlflowTable(LogFormat):
    """Reads a table: its numbers per row, items distinguished by an id, else by their inputs."""

    name = "mlflow"

    def claims(self, path: Path) -> bool:
        """Return whether a JSON file begins as a data frame, or a CSV has a column of inputs."""
        beginning = first_bytes(path, 4096)
        if path.suffix == ".csv":
            return _HEADER.search(beginning.split(b"\n")[0] + b"\n") is not None
        return path.suffix == ".json" and _BEGINNING.match(beginning) is not None

    def read(self, path: Path) -> Sequence[Log]:
        """Read a table."""
        if path.suffix == ".csv":
            file = open_delimited(path)
            rows: list[dict[str, Any]] = [dict(zip(file.columns, row, strict=True)) for _, row in file.rows()]
        else:
            rows = _frame(path)
        if not rows:
            raise DataError("holds no row", where=str(path), remedy="wait for its end, or leave it out")
        named = next((one for one in _SYSTEMS if one in rows[0]), None)
        of_rows = [str(row[named]) for row in rows] if named else []
        systems = list(dict.fromkeys(of_rows))
        if "" in systems or len(systems) < 2:
            return [self._log(path, rows, next(filter(None, systems), self.system_of(path)))]
        return [
            self._log(path, [row for of, row in zip(of_rows, rows, strict=True) if of == one], one) for one in systems
        ]

    def _log(self, path: Path, rows: list[dict[str, Any]], system: str) -> Log:
        """Return the log of a system, of its rows."""
        columns = list(rows[0])
        asked, target, output = (_first(columns, names) for names in (_INPUTS, _TARGETS, _OUTPUTS))
        key = _unique(rows, columns)
        texts = {asked, target, output, key}
        metrics = {column: name for column in columns if (name := _metric(column, rows, texts)) is not None}
        if not metrics:
            raise DataError("has no column of scores", where=str(path), remedy=f"there are {', '.join(columns)[:120]}")
        if asked is None and key is None:
            raise DataError(
                "has nothing that distinguishes items", where=str(path), remedy=f"add a column {_INPUTS[0]} or id"
            )
        ids = [str(row[key]) if key else made_id(row.get(asked or "")) for row in rows]
        items = [
            Item(
                id=id_,
                epoch=epoch,
                scores={name: number(row[column]) for column, name in metrics.items()},
                content=digest(row[asked], row.get(target or "")) if asked else None,
                facts={column: row[column] for column in columns if column not in metrics},
                question=excerpt(row.get(asked or "")),
                target=excerpt(row.get(target or "")),
                answer=excerpt(row.get(output or "")),
            )
            for row, id_, epoch in zip(rows, ids, numbered_epochs(ids), strict=True)
        ]
        return Log(task="", system=system, format=self.name, file=path.name, items=items)

    def system_of(self, path: Path) -> str:
        """Return what was evaluated: a table does not say."""
        return ""


class RagasTable(MlflowTable):
    """Reads the data frame of Ragas' results as CSV, such a table, of the system that its file or folder names."""

    name = "ragas"

    def claims(self, path: Path) -> bool:
        """Return whether a CSV has the columns of contexts that it is given."""
        return path.suffix == ".csv" and _OF_RAGAS.search(first_bytes(path, 4096).split(b"\n")[0] + b"\n") is not None

    def system_of(self, path: Path) -> str:
        """Return the file's name, or its folder's where any file of results is called so."""
        return path.resolve().parent.name if _USUAL.fullmatch(path.stem) else path.stem


def _metric(column: str, rows: Sequence[Mapping[str, Any]], texts: set[str | None]) -> str | None:
    """Return the name of a column of scores; None where it is none."""
    values = [row[column] for row in rows if row[column] not in (None, "")]
    counted = simple(column) in _UNNAMED or role_of_column(column) in ("system", "counter", "schedule")
    rated = not any(name.startswith(_RATED) for name in rows[0]) or column.startswith(_RATED)
    if column in texts or counted or not rated or _OUTER.search(column) or not values:
        return None
    if any(number(value) is None for value in values):
        return None
    found = _SCORE.match(column)
    return found["metric"] if found else column.removeprefix(_RATED)


def _unique(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str | None:
    """Return the column of ids; a request's own id is of this run alone, and serves no comparison."""
    names = [name for name in _IDS if name in columns and name != "request_id"]
    return next((name for name in names if all(row[name] not in (None, "") for row in rows)), None)


def _frame(path: Path) -> list[dict[str, Any]]:
    data = read_object(path)
    columns, values = data.get("columns"), data.get("data")
    if not isinstance(columns, list) or not isinstance(values, list):
        raise DataError("is not a table", where=str(path), remedy="it must hold `columns` and `data`")
    names = [str(column) for column in columns]
    for number_, row in enumerate(values):
        if not isinstance(row, list) or len(row) != len(names):
            raise DataError(
                f"does not have {len(names)} cells", where=f"{path}: data[{number_}]", remedy="write or copy it again"
            )
    return [dict(zip(names, row, strict=True)) for row in values]


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    below = (name for one in names for name in columns if name.startswith(f"{one}."))
    return next((name for name in names if name in columns), next(below, None))


_PREDICTION_WORDS = (b"predict", b"pred", b"y_pred")


class RunEvalPredictions(LogFormat):
    """Reads predictions with their true labels; the system is the folder's name."""

    name = "run_eval"

    def claims(self, path: Path) -> bool:
        """Return whether a CSV file names predictions in its header."""
        if path.suffix != ".csv":
            return False
        header = first_bytes(path, 4096).split(b"\n")[0].lower()
        return any(word in header for word in _PREDICTION_WORDS)

    def read(self, path: Path) -> Sequence[Log]:
        """Read predictions."""
        file = open_delimited(path)
        layout = Layout.of(file)
        rows = [row for _, row in file.rows()]
        if not rows:
            raise DataError("holds no prediction", where=str(path), remedy="write or copy it again")
        warnings = list(file.warnings)
        if layout.item is None:
            ids = [str(place) for place in range(1, len(rows) + 1)]
            warnings.append("has no ids: rows are matched by their order")
        else:
            ids = [row[layout.item].strip() for row in rows]
        kept = [index for index in range(len(file.columns)) if index not in layout.scores]
        items = []
        for row, id_, epoch in zip(rows, ids, numbered_epochs(ids), strict=True):
            true, guess = row[layout.true].strip(), row[layout.predicted].strip()
            items.append(_item(id_, epoch, true, guess, {file.columns[index]: row[index] for index in kept}))
        system = path.resolve().parent.name
        return [Log("", system, self.name, path.name, items, warnings=tuple(warnings))]


def _item(id_: str, epoch: int, true: str, guess: str, facts: Mapping[str, Any]) -> Item:
    missing = not true or not guess
    return Item(
        id=id_,
        epoch=epoch,
        scores={} if missing else {"correct": float(_label(true) == _label(guess))},
        content=digest(_label(true)),
        facts=facts,
        target=excerpt(true),
        answer=excerpt(guess),
        failure="has no label" if missing else None,
    )


def _label(text: str) -> str | float:
    """Return a label such that `1` and the `1.0` of data frames are one."""
    value = number(text) if text[:1].isdigit() or text[:1] in "+-" else None
    return text if value is None else value


_SIGNS = re.compile(rb'"(?:evalId|promptIdx|testIdx|promptId|shareableUrl)"\s*:')
_BYTES = 64 * 1024
_OTHER_SCORE = "score decides what passes and is compared only where --metric names it"
_ERROR = 2
"""`failureReason` of an answer that could not be had."""


class PromptfooOutput(LogFormat):
    """Reads a log for each provider and prompt; items are distinguished by their variables, repetitions are epochs."""

    name = "promptfoo"

    def claims(self, path: Path) -> bool:
        """Return whether it is an object that begins as such a file."""
        if path.suffix != ".json":
            return False
        beginning = first_bytes(path, _BYTES)
        return beginning.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and _SIGNS.search(beginning) is not None

    def read(self, path: Path) -> Sequence[Log]:
        """Read the results."""
        data = read_object(path)
        results = data.get("results")
        results = results.get("results") if isinstance(results, Mapping) else results
        rows = mappings_of(results)
        if not rows:
            raise DataError(
                "holds no result", where=f"{path}: results.results", remedy="wait for its end, or leave it out"
            )
        by_system: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows:
            by_system.setdefault((_provider(row), _prompt(row)), []).append(row)
        prompts = {prompt for _, prompt in by_system}
        providers = {provider for provider, _ in by_system}
        config = mapping_of(data.get("config"))
        return [
            Log(
                task=str(config.get("description") or ""),
                system=" | ".join(
                    part
                    for part, others in ((provider, providers), (prompt, prompts))
                    if part and (others is providers or len(others) > 1)
                ),
                format=self.name,
                file=path.name,
                items=_items(of_system),
                made=str(mapping_of(data.get("results")).get("timestamp") or ""),
                restates={"score": "pass"},  # an answer passes by its score, or scores by what it passes
                warnings=(_OTHER_SCORE,) if any(_differ(row) for row in of_system) else (),
            )
            for (provider, prompt), of_system in by_system.items()
        ]


def _items(rows: Sequence[Mapping[str, Any]]) -> list[Item]:
    # Answers are written as they arrive; the tests' own order numbers repetitions.
    rows = sorted(rows, key=lambda row: number(row.get("testIdx")) or 0.0)
    tests = [mapping_of(row.get("testCase")) for row in rows]
    variables = [
        mapping_of(row.get("vars")) or mapping_of(test.get("vars")) for row, test in zip(rows, tests, strict=True)
    ]
    keys = [
        made_id(asked) if asked else f"test {row.get('testIdx', place)}"
        for place, (row, asked) in enumerate(zip(rows, variables, strict=True))
    ]
    return [
        Item(
            id=key,
            epoch=epoch,
            scores=_scores(row),
            content=digest(asked, test.get("assert")),
            facts={**asked, **mapping_of(test.get("metadata"))},
            question=excerpt(test.get("description") or asked or mapping_of(row.get("prompt")).get("raw")),
            target=excerpt([one.get("value") for one in mappings_of(test.get("assert"))]),
            answer=excerpt(mapping_of(row.get("response")).get("output")),
            failure="failed" if row.get("failureReason") == _ERROR or _no_answer(row) else None,
        )
        for row, test, asked, key, epoch in zip(rows, tests, variables, keys, numbered_epochs(keys), strict=True)
    ]


def _no_answer(row: Mapping[str, Any]) -> bool:
    # Version 2 has no reason; its error is the assertion's where there is an answer to judge.
    return "failureReason" not in row and bool(row.get("error")) and not mapping_of(row.get("response")).get("output")


def _scores(row: Mapping[str, Any]) -> dict[str, float | None]:
    named = {str(name): number(value) for name, value in mapping_of(row.get("namedScores")).items()}
    return {"pass": number(row.get("success")), "score": number(row.get("score")), **named}


def _differ(row: Mapping[str, Any]) -> bool:
    return number(row.get("score")) not in (None, number(row.get("success")))


def _provider(row: Mapping[str, Any]) -> str:
    provider = row.get("provider")
    if isinstance(provider, Mapping):
        return str(provider.get("label") or provider.get("id") or "")
    return str(provider or "")


def _prompt(row: Mapping[str, Any]) -> str:
    prompt = mapping_of(row.get("prompt"))
    return excerpt(prompt.get("label") or prompt.get("display") or prompt.get("raw") or row.get("promptId"))[:80]
