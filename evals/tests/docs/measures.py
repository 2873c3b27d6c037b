"""docs/measures.md, made from the docstrings of the measures.

`make docs` writes it; a test holds it against them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from docs.measure_texts import COMPARED, TEXTS
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.registry import MEASURES, ON_REQUEST
from exaid_evals.provenance.lineage import comparison_fields, definition_of

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / "docs" / "measures.md"
COMMAND = "make docs"
_BETTER = {"higher": "higher is better", "lower": "lower is better", "neither": "describes"}
_INTRODUCTION = f"""\
<!-- Made by `{COMMAND}` from the docstrings in evals/src/exaid_evals/metrics/measures/; do not edit. -->

# Measures

What each number of the tables is, in the words of the code that computes it. `exaid-evals explain TABLE ROW COLUMN`
prints the same beside a number of yours.

For one case and one variant: T are the trace's successful messages; W_i is the text of the window of update i, s_i its
semantics and f_i its rendered text; K(x) are the concepts of a text, of several texts their union. An `Observation`
holds all of that. Lengths are in CTU, ceil(code points / 4); times are virtual milliseconds. What is undefined is
`null` in the records, counted, and left out of means.

The definitions hold for any conversation; how well a number means what its name says is measured elsewhere, on texts
and judgements of other people: the concepts that are found in [extractor_validity](extractor_validity.md), agreement
with people in [human_agreement](human_agreement.md), and what assumed times change in [time](time.md). Examples are
made up.

Measures with a parameter are listed as `configs/metrics.yaml` has them by default."""


def render() -> str:
    """Return the whole page."""
    config = MetricsConfig()
    parts = [_INTRODUCTION, *_contents(config)]
    parts += list(_texts())
    for family in (*MEASURES, *ON_REQUEST):
        parts += list(_family(family, config))
    parts += list(_comparisons())
    return "\n\n".join(parts) + "\n"


def _families(config: MetricsConfig) -> Iterator[tuple[str, str, str, list[list[Measure]]]]:
    """Yield each family: name, title and text of its declaration, and its measures by their functions."""
    for family, target in (*MEASURES.items(), *ON_REQUEST.items()):
        module_name, _, attribute = target.partition(":")
        module = import_module(module_name)
        groups: dict[str, list[Measure]] = {}
        declare = getattr(module, attribute)
        for measure in declare(config):
            groups.setdefault(measure.definition, []).append(measure)
        title, _, more = inspect.cleandoc(declare.__doc__ or "").partition("\n")
        yield family, title, more.strip(), list(groups.values())


def _contents(config: MetricsConfig) -> Iterator[str]:
    lines = ["| family | measures | |", "|---|---|---|"]
    for family, title, _, groups in _families(config):
        names = ", ".join(f"`{measure.name}`" for group in groups for measure in group)
        lines.append(f"| [{family}](#{family.replace('_', '-')}) | {names} | {title} |")
    lines.append("| [comparisons](#comparisons) | | differences between two variants |")
    yield "\n".join(lines)


def _texts() -> Iterator[str]:
    yield "## Which text is compared with which"
    yield "\n".join(["| text | |", "|---|---|", *(f"| {symbol} | {text} |" for symbol, text in TEXTS.items())])
    rows = [f"| `{one.pattern}` | {', '.join(one.texts) or 'gold labels'} | {one.how} |" for one in COMPARED]
    yield "\n".join(["| measures | texts | what is compared |", "|---|---|---|", *rows])
    yield "The first row that matches counts. A measure that is in no row compares no two texts."


def _family(name: str, config: MetricsConfig) -> Iterator[str]:
    family, title, more, groups = next(found for found in _families(config) if found[0] == name)
    yield f"## {family.replace('_', '-')}\n\n{title}"
    if more:
        yield more
    for group in groups:
        yield from _measures(group)


def _measures(group: list[Measure]) -> Iterator[str]:
    definition = definition_of(group[0].definition)
    yield "### " + ", ".join(f"`{measure.name}`" for measure in group)
    kinds: dict[str, list[str]] = {}
    for one in group:
        kinds.setdefault(f"{one.unit}; {_BETTER[one.better]}", []).append(f"`{one.name}`")
    units = (
        next(iter(kinds)) if len(kinds) == 1 else "; ".join(f"{kind} ({', '.join(of)})" for kind, of in kinds.items())
    )
    facts = [f"- unit: {units}", f"- formula: {definition.formula}"]
    if any(constants_of(measure) for measure in group):
        called = "; ".join(f"`{measure.name}` {_called(measure)}" for measure in group)
        facts.append(f"- parameters: {called}")
    reported = "as the formula says" if "ndefined" in definition.formula else "none, it is always defined"
    facts.append(f"- edge cases: {definition.edge_cases or reported}")
    yield "\n".join(facts)
    yield from definition.remarks
    yield f"Example: {definition.example}".strip()
    if definition.code:
        yield f"```python\n{definition.code}\n```"


def _called(measure: Measure) -> str:
    return ", ".join(f"{name} = {value}" for name, value in constants_of(measure).items())


def _comparisons() -> Iterator[str]:
    reported = "A record of `comparisons.metrics.jsonl`: one measure under one variant, less the same under another."
    yield f"## comparisons\n\n{reported}"
    rows = [f"| `{name}` | {text.replace('|', chr(92) + '|')} |" for name, text in comparison_fields().items()]
    yield "\n".join(["| field | |", "|---|---|", *rows])


def constants_of(measure: Measure) -> dict[str, object]:
    """Return what a measure's function is called with besides the observation, such as its budget or threshold."""
    return dict(getattr(measure.compute, "keywords", {}))


def main() -> None:
    """Write the page."""
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(), encoding="utf-8")
    print(f"updated {TARGET.relative_to(ROOT)}")  # noqa: T201 - a script's report


if __name__ == "__main__":
    sys.exit(main())
