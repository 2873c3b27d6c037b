"""What frameworks for tests of applications keep, item by item: OpenAI Evals' records, DeepEval's test runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, made_id, number, numbered_epochs
from exaid_evals.runs.files.document import objects, read_object
from exaid_evals.runs.files.values import mapping_of, mappings_of

_SPEC = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{\s*"spec"\s*:\s*\{[^\n]*"(?:eval_name|completion_fns)"\s*:')
_NO_ANSWER = "error"


class OpenaiEvalsRecord(LogFormat):
    """Reads a record: a line for the run, one for each event of a sample, and one for the report."""

    name = "openai_evals"

    def claims(self, path: Path) -> bool:
        """Return whether its first line describes such a run."""
        return path.suffix == ".jsonl" and _SPEC.match(first_bytes(path, 16384)) is not None

    def read(self, path: Path) -> Sequence[Log]:
        """Read the events that judge: `match` gives `correct`, `metrics` each of its numbers."""
        warnings: list[str] = []
        spec: Mapping[str, Any] = {}
        events: dict[str, list[Mapping[str, Any]]] = {}
        for record in objects(path, warnings):
            spec = mapping_of(record.get("spec")) or spec
            if record.get("sample_id") is not None:
                events.setdefault(str(record["sample_id"]), []).append(record)
        if not events:
            raise DataError("holds no sample", where=str(path), remedy="wait for its end, or leave it out")
        functions = spec.get("completion_fns")
        return [
            Log(
                task=str(spec.get("eval_name") or spec.get("base_eval") or ""),
                system=", ".join(map(str, functions)) if isinstance(functions, list) else "",
                format=self.name,
                file=path.name,
                items=[_of_events(id_, of_one) for id_, of_one in events.items()],
                made=str(spec.get("created_at") or ""),
                warnings=tuple(warnings),
            )
        ]


def _of_events(id_: str, events: Sequence[Mapping[str, Any]]) -> Item:
    scores: dict[str, float | None] = {}
    asked = answer = expected = None
    failed = False
    for event in events:
        data = mapping_of(event.get("data"))
        if event.get("type") == "sampling":
            asked, answer = asked or data.get("prompt"), data.get("sampled")
        elif event.get("type") == "match":
            scores["correct"] = number(data.get("correct"))
            expected = data.get("expected")
        elif event.get("type") == "metrics":
            scores |= {str(name): found for name, one in data.items() if (found := number(one)) is not None}
        failed |= event.get("type") == _NO_ANSWER
    return Item(
        id=id_,
        scores=scores,
        content=digest(asked, expected) if asked is not None else None,
        question=excerpt(asked),
        target=excerpt(expected),
        answer=excerpt(answer),
        failure=None if scores else "failed" if failed else "was not scored",
    )


_BYTES = 64 * 1024
_RUN = "testRunData"


class DeepevalRun(LogFormat):
    """Reads a test run; items are distinguished by their inputs, and each metric's score is one."""

    name = "deepeval"

    def claims(self, path: Path) -> bool:
        """Return whether its beginning holds test cases with metrics."""
        beginning = first_bytes(path, _BYTES) if path.suffix == ".json" else b""
        return b'"testCases"' in beginning and b'"metricsData"' in beginning

    def read(self, path: Path) -> Sequence[Log]:
        """Read the test cases, single ones and conversations."""
        data = read_object(path)
        data = mapping_of(data.get(_RUN)) or data
        cases = [*mappings_of(data.get("testCases")), *mappings_of(data.get("conversationalTestCases"))]
        if not cases:
            raise DataError("holds no test case", where=str(path), remedy="wait for its end, or leave it out")
        settings = mapping_of(data.get("hyperparameters"))
        asked = [case.get("input") or case.get("turns") or case.get("name") for case in cases]
        ids = [made_id(one) for one in asked]
        return [
            Log(
                task=str(data.get("datasetAlias") or data.get("testFile") or ""),
                system=str(data.get("identifier") or settings.get("model") or path.resolve().parent.name),
                format=self.name,
                file=path.name,
                items=[
                    _of_case(id_, epoch, one, case)
                    for id_, epoch, one, case in zip(ids, numbered_epochs(ids), asked, cases, strict=True)
                ],
                made=path.name,  # it is called by the time
            )
        ]


def _of_case(id_: str, epoch: int, asked: Any, case: Mapping[str, Any]) -> Item:
    measured = mappings_of(case.get("metricsData"))
    scores = {str(one.get("name")): None if one.get("error") else number(one.get("score")) for one in measured}
    expected = case.get("expectedOutput") or case.get("expectedOutcome")
    return Item(
        id=id_,
        epoch=epoch,
        scores={"pass": number(case.get("success")), **scores} if scores else {},
        content=digest(asked, expected),
        facts=mapping_of(case.get("additionalMetadata")),
        question=excerpt(asked),
        target=excerpt(expected),
        answer=excerpt(case.get("actualOutput")),
        failure=None if scores else "was not scored",
    )
