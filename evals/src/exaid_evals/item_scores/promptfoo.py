"""What promptfoo writes: the JSON of `promptfoo eval --output`, versions 2 and 3."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, made_id, number, numbered_epochs
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.values import mapping_of, mappings_of

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
