"""The part of W&B's GraphQL that its public Api speaks for one run: parsed by wandb's own parser, and no field more.

Names of types, fields and arguments are those of wandb 0.26's queries; one that W&B does not have is refused, as a
server refuses it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import wandb  # noqa: F401 - puts its parser on the path
from wandb_graphql.language import ast  # type: ignore[import-not-found]
from wandb_graphql.language.parser import parse  # type: ignore[import-not-found]

_SCALARS: dict[str, tuple[str, ...]] = {
    "PageInfo": ("endCursor", "hasNextPage"),
    "User": ("id", "name", "username", "email", "admin", "flags", "entity", "deletedAt"),
    "Run": (
        "id", "name", "displayName", "tags", "state", "config", "group", "jobType", "commit", "readOnly", "createdAt",
        "heartbeatAt", "description", "notes", "systemMetrics", "summaryMetrics", "historyLineCount", "eventsLineCount",
        "historyKeys", "sweepName", "projectId",
    ),
}  # fmt: skip
_ARGUMENTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Query", "viewer"): (),
    ("Query", "project"): ("name", "entityName"),
    ("Project", "run"): ("name",),
    ("Project", "runs"): ("first", "after"),
    ("RunConnection", "edges"): (),
    ("RunConnection", "pageInfo"): (),
    ("RunEdge", "node"): (),
    ("Run", "user"): (),
    ("User", "teams"): (),
    ("User", "apiKeys"): (),
    ("Run", "history"): ("minStep", "maxStep", "samples"),
    ("Run", "sampledHistory"): ("specs",),
    ("Run", "events"): ("samples",),
}


class GraphQLError(Exception):
    """A server's refusal of a question."""


@dataclass
class StoredRun:
    """A run as the server holds it.

    Attributes:
        rows: of history; a row that is a text is served as it stands.
        events: of system metrics.
        config: JSON as W&B keeps it, `{key: {value: …, desc: …}}`.
        overrides: of the run's own fields, as `historyLineCount`.
        most_samples: that the server gives at once, whatever it is asked for.
        keeps_to_steps: whether pages keep to the steps that they are asked for.
    """

    rows: Sequence[Mapping[str, Any] | str] = ()
    events: Sequence[Mapping[str, Any]] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    most_samples: int = 10**9
    keeps_to_steps: bool = True

    def scalar(self, name: str) -> Any:
        """Return a field of the run."""
        steps = self._steps()
        fields = {
            "id": "UnVuOjE=", "name": "r1", "displayName": "brisk-tide-1", "tags": [], "state": "finished",
            "config": json.dumps(self.config), "summaryMetrics": "{}", "systemMetrics": "{}", "projectId": "1",
            "historyLineCount": len(self.rows), "eventsLineCount": len(self.events),
            "historyKeys": {"lastStep": max(steps, default=-1)}, "readOnly": False,
        }  # fmt: skip
        return self.overrides[name] if name in self.overrides else fields.get(name)

    def listed(self, name: str, given: Mapping[str, Any]) -> list[Any]:
        """Return history, events or sampled history."""
        if name == "sampledHistory":
            return [self._sampled(json.loads(spec)) for spec in given["specs"]]
        rows: list[Any] = list(self.rows if name == "history" else self.events)
        if name == "history" and self.keeps_to_steps:
            low, high = given.get("minStep", 0), given.get("maxStep", math.inf)
            steps = self._steps()
            rows = [row for row, step in zip(rows, steps, strict=True) if low <= step < high]
        chosen = _sample(rows, min(given.get("samples") or 500, self.most_samples))
        return [row if isinstance(row, str) else as_wandb_writes(row) for row in chosen]

    def _steps(self) -> list[int]:
        """Return the step of each row; what is not JSON stands at the step before it."""
        steps: list[int] = []
        for row in self.rows:
            try:
                steps.append((json.loads(row) if isinstance(row, str) else row)["_step"])
            except ValueError:
                steps.append(steps[-1] if steps else 0)
        return steps

    def _sampled(self, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        having = [row for row in self.rows if isinstance(row, Mapping) and all(key in row for key in spec["keys"])]
        low, high = spec.get("minStep", 0), spec.get("maxStep", math.inf)
        having = [{key: row[key] for key in spec["keys"]} for row in having if low <= row["_step"] < high]
        return _sample(having, spec["samples"])


def as_wandb_writes(row: Mapping[str, Any]) -> str:
    """Return a row as W&B keeps it: JSON, in which what is not a number stands as text."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value

    return json.dumps(plain(row))


def execute(
    document: str, variables: Mapping[str, Any], runs: Mapping[str, StoredRun], entity: str | None
) -> dict[str, Any]:
    """Return the data that answers a question.

    Raises:
        GraphQLError: it is malformed, or asks for what W&B does not have.
    """
    try:
        parsed = parse(document)
    except Exception as error:  # whatever the parser raises
        raise GraphQLError(f"Syntax Error: {error}") from None
    fragments = {one.name.value: one for one in parsed.definitions if isinstance(one, ast.FragmentDefinition)}
    (operation,) = (one for one in parsed.definitions if isinstance(one, ast.OperationDefinition))
    declared = {one.variable.name.value for one in operation.variable_definitions or ()}
    return _Execution(fragments, {name: variables.get(name) for name in declared}, runs, entity).of(
        operation.selection_set, "Query", None
    )


@dataclass
class _Execution:
    fragments: Mapping[str, Any]
    variables: Mapping[str, Any]
    runs: Mapping[str, StoredRun]
    entity: str | None

    def of(self, selection: Any, kind: str, value: Any) -> dict[str, Any]:
        """Answer a selection on a value of a type."""
        answer: dict[str, Any] = {}
        for one in selection.selections:
            if isinstance(one, ast.FragmentSpread):
                answer |= self.of(self.fragments[one.name.value].selection_set, kind, value)
            else:
                answer[one.alias.value if one.alias else one.name.value] = self._field(one, kind, value)
        return answer

    def _field(self, one: Any, kind: str, value: Any) -> Any:
        name = one.name.value
        if name == "__typename":
            return kind
        if name in _SCALARS.get(kind, ()):
            return value.scalar(name) if isinstance(value, StoredRun) else value.get(name)
        if (kind, name) not in _ARGUMENTS:
            raise GraphQLError(f'Cannot query field "{name}" on type "{kind}".')
        given = {argument.name.value: self._value(argument.value) for argument in one.arguments}
        unknown = set(given) - set(_ARGUMENTS[kind, name])
        if unknown:
            raise GraphQLError(f'Unknown argument "{min(unknown)}" on field "{name}" of type "{kind}".')
        if kind == "Query" and name == "project":
            prefix = f"{given['entityName']}/{given['name']}/"
            inside = {path: run for path, run in self.runs.items() if path.startswith(prefix)}
            return self.of(one.selection_set, "Project", (prefix, inside)) if inside else None
        if kind == "Project" and name == "runs":
            names = sorted(path.removeprefix(value[0]) for path in value[1])
            begin, n = int(given.get("after") or 0), min(given["first"], 2)
            page = {"endCursor": str(begin + n), "hasNextPage": begin + n < len(names)}
            return self.of(one.selection_set, "RunConnection", (names[begin : begin + n], page))
        if kind == "RunConnection":
            if name == "pageInfo":
                return self.of(one.selection_set, "PageInfo", value[1])
            return [self.of(one.selection_set, "RunEdge", {"name": run}) for run in value[0]]
        if kind == "RunEdge":
            return self.of(one.selection_set, "Run", value)
        if kind == "Project":
            run = value[1].get(value[0] + given["name"])
            return self.of(one.selection_set, "Run", run) if run is not None else None
        if name in ("viewer", "user"):
            user = {"id": "VXNlcjox", "username": self.entity, "name": self.entity, "entity": self.entity}
            return self.of(one.selection_set, "User", user)
        if kind == "User":
            return {"edges": []}
        return value.listed(name, given)

    def _value(self, node: Any) -> Any:
        if isinstance(node, ast.Variable):
            if node.name.value not in self.variables:
                raise GraphQLError(f'Variable "${node.name.value}" is not defined.')
            return self.variables[node.name.value]
        if isinstance(node, ast.ListValue):
            return [self._value(item) for item in node.values]
        return int(node.value) if isinstance(node, ast.IntValue) else node.value


def _sample(rows: list[Any], n: int) -> list[Any]:
    """Return n rows spread evenly, the first and the last among them; all where there are no more."""
    if len(rows) <= n or n < 2:
        return rows[:n]
    return [rows[round(at * (len(rows) - 1) / (n - 1))] for at in range(n)]
