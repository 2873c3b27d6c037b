"""How far the instrument can be trusted: the concept extractor against what simulated messages are known to state."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import STUB_NOTE, Column, Row, Table, cases_note
from exaid_evals.report.cells import Mean

NAME = "extractor_validity"
WHY_NOT = "it needs messages whose concepts are known, which only stub traces have"

_ALL = "all"
_STATED, _NOT_STATED = "Mentions that state a concept", "Mentions that state none"
# In the order of a reader's questions: is it said plainly, in other words, or not at all.
_KINDS = {
    _ALL: ("", "All"),
    "canonical": (_STATED, "preferred term"),
    "synonym": (_STATED, "synonym"),
    "inflected": (_STATED, "inflected"),
    "abbreviated": (_STATED, "abbreviated"),
    "negated": (_NOT_STATED, "denied"),
    "near_miss": (_NOT_STATED, "near miss"),
}
_COLUMNS = (
    Column("gold_mentions", "Mentions", decimals=1),
    Column("extractor_precision", "Precision", decimals=3),
    Column("extractor_recall", "Recall", decimals=3),
    Column("extractor_f1", "F1", decimals=3),
    Column("extractor_specificity", "Specificity", decimals=3),
)


def build(variants: Sequence[VariantMetrics], primary: str) -> Table | None:
    """Build the table: a row per kind of mention; None where no case has gold labels.

    Every variant hears the same conversation, so one of them speaks for all: the primary one where it is there.
    """
    judged = [one for one in variants if (found := one.measures.get("extractor_recall")) and found.n]
    if not judged:
        return None
    spoken = next((one for one in judged if one.variant_id == primary), judged[0])
    rows = tuple(row for kind in _KINDS if any((row := _row(spoken, kind)).cells))
    notes = [
        "The extractor against the labels of the generator that wrote the messages, per case: mean over cases with "
        "its 95 % bootstrap percentile interval. All: concepts of a message as a set, found or not; below, mention by "
        "mention. Specificity: share of such mentions at which nothing is taken for stated. A near miss names a "
        "finding of relatives, or one that is only possible.",
        _seen(spoken),
        cases_note([spoken]),
        *_undefined(rows),
        *([STUB_NOTE] if spoken.stub else []),
    ]
    return Table(
        NAME,
        "The concept extractor against gold labels",
        _COLUMNS,
        rows,
        tuple(notes),
        key_names=("kind",),
        row_heading="Kind of mention",
    )


def _row(variant: VariantMetrics, kind: str) -> Row:
    measures = tuple(column.measure if kind == _ALL else f"{column.measure}_{kind}" for column in _COLUMNS)
    found = [variant.measures.get(name) for name in measures]
    group, label = _KINDS[kind]
    return Row(
        (kind,),
        tuple(None if one is None else Mean(one) for one in found),
        variant.stub,
        variant.signature,
        label=label,
        group=group,
        measures=measures,
    )


def _seen(variant: VariantMetrics) -> str:
    """State whether this is a test on conversations that the extractor's authors had not seen."""
    made_from = variant.made_from
    if made_from is None or made_from.generation_seed is None:
        return "Which seed generated the conversations is not recorded."
    seed = f"Generator seed {made_from.generation_seed}"
    if made_from.extractor_held_out is None:
        return f"{seed}; the extractor does not say whether conversations of that seed were in view while it was built."
    if made_from.extractor_held_out:
        return f"{seed} was not used while the extractor was built: this is a held-out test."
    return (
        f"{seed} was in view while the extractor was built, so this is not a held-out test: a campaign of another seed "
        "makes one, and docs/extractor_validity.md has one over three seeds."
    )


def _undefined(rows: Sequence[Row]) -> list[str]:
    counts = {row.label: max(cell.estimate.n_undefined for cell in row.cells if isinstance(cell, Mean)) for row in rows}
    named = ", ".join(f"{label} {count}" for label, count in counts.items() if count)
    why = "nothing of it is mentioned, or nothing found"
    return [f"Cases for which some share of a kind is undefined, since {why}: {named}."] if named else []
