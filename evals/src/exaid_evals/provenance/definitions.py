"""A measure's docstring in its parts: what it is, its edge cases, its example."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.comparison_records import Comparison
from exaid_evals.metrics.registry import load_measures

_EDGE = re.compile(r"^Edge cases?:\s*")
_EXAMPLE = re.compile(r"^Example:\s*")
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a measure's docstring says.

    Attributes:
        formula: its first paragraph.
        remarks: the paragraphs that are neither formula, edge cases nor example.
        edge_cases: where it is undefined, and what counts how; empty where nothing is said.
        example: in words, with the lines of the doctest behind it; empty where there is none.
        code: the doctest's lines, with what they print; empty where there is none.
    """

    formula: str
    remarks: tuple[str, ...]
    edge_cases: str
    example: str
    code: str


def definition_of(docstring: str) -> Definition:
    """Take a docstring apart.

    The paragraph before a doctest explains the example, unless it says edge cases or is the formula itself.
    """
    blocks = [block for block in inspect.cleandoc(docstring).split("\n\n") if block.strip()]
    code = "\n\n".join(block for block in blocks if block.startswith(">>>"))
    words = [block for block in blocks if not block.startswith(">>>")]
    formula, *others = words or [""]
    edge_cases = " ".join(_joined(_EDGE.sub("", block)) for block in others if _EDGE.match(block))
    examples = [block for block in others if _EXAMPLE.match(block)]
    plain = [block for block in others if not _EDGE.match(block) and not _EXAMPLE.match(block)]
    if code and plain and blocks.index(plain[-1]) + 1 < len(blocks) and blocks[blocks.index(plain[-1]) + 1] in code:
        examples.append(plain.pop())
    told = [_split_example(_joined(_EXAMPLE.sub("", block))) for block in examples]
    edge_cases = " ".join([edge_cases, *(edge for _, edge in told)]).strip()
    return Definition(
        formula=_joined(formula),
        remarks=tuple(_joined(block) for block in plain),
        edge_cases=edge_cases,
        example=" ".join(example for example, _ in told),
        code=code,
    )


def measure_named(name: str, config: MetricsConfig | None = None) -> Measure | None:
    """Return the measure of a name under a configuration; None where that declares no such measure."""
    return next((measure for measure in load_measures(config or MetricsConfig()) if measure.name == name), None)


@cache
def comparison_fields() -> dict[str, str]:
    """Return field of a comparison → what it is, from the docstring that declares them."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(Comparison.__doc__ or "").partition("Attributes:")[2].splitlines():
        match = _ATTRIBUTE.match(line.strip())
        if match and line.startswith("    ") and not line.startswith("     "):
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}"
    told: dict[str, str] = {}
    before = ""
    for name, text in found.items():
        referred = re.match(r"see `(\w+)`", text)
        told[name] = told[referred[1]] if referred and referred[1] in told else text
        # `the same, adjusted …` and `its interval …` speak of the field before.
        told[name] = (
            f"{before.rstrip('.')}; {text}" if re.match(r"(the same|its|those of them)\b", text) else told[name]
        )
        before = text
    return told


def constants_of(measure: Measure) -> dict[str, Any]:
    """Return what a measure's function is called with besides the observation, such as its budget or threshold."""
    return dict(getattr(measure.compute, "keywords", {}))


def _joined(block: str) -> str:
    return " ".join(block.split())


def _split_example(text: str) -> tuple[str, str]:
    """Return an example, and the edge cases that stand in the same paragraph."""
    example, _, edge = text.partition(" Edge case: ")
    return example, edge
