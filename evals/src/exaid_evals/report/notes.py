"""Sentences that stand beside numbers: how many cases, what is undefined, what is simulated, how it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exaid_evals.artifacts.ids import ASSUMED, RECORDED, together
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.metrics.records import VariantMetrics

STUB_NOTE = "Stub data: conversation or language model is simulated; the numbers say nothing about a real middleware."
TIME_MEASURES = (
    "time_to_first_update_ms",
    "concept_delay",
    "lag_",
    "silence_",
    "flush_interval_",
    "flush_share_silence",
    "flush_share_max_wait",
    "updates_per_minute",
    "output_ctu_per_minute",
)
"""How the names of measures begin that rest on when the text arrived."""
MIXED = "Mixed signatures: rows were made differently and must not be compared."


def signature_lines(made: Iterable[tuple[str, str]]) -> list[str]:
    """Return the one signature, or a warning and each signature with what was made so.

    Args:
        made: name and signature, of rows or variants.
    """
    groups: dict[str, list[str]] = {}
    for name, signature in made:
        groups.setdefault(signature, []).append(name)
    if len(groups) <= 1:
        return list(groups)
    return [MIXED, *(f"{', '.join(names)}: {signature}" for signature, names in groups.items())]


def signatures_of(variants: Iterable[VariantMetrics]) -> list[str]:
    """Return the signature of variants, or the warning and each of several."""
    return signature_lines((variant.variant_id, variant.signature) for variant in variants)


def cases_note(variants: Iterable[VariantMetrics]) -> str:
    """Return how many cases the means are over, where they came from, how many failed, and whose replay did."""
    groups: dict[tuple[int, int, tuple[str, ...], str | None], list[str]] = {}
    for variant in variants:
        key = variant.n_cases, variant.n_failed, tuple(variant.failed_runs), variant.case_source
        groups.setdefault(key, []).append(variant.variant_id)
    parts = []
    for (n_cases, n_failed, failed_runs, source), names in groups.items():
        failed = f"; {n_failed} of {n_cases} failed and {'is' if n_failed == 1 else 'are'} left out" if n_failed else ""
        failed += f" (in the replay {first_few(failed_runs)})" if failed_runs else ""
        from_source = f" ({source})" if source else ""
        of = f" ({', '.join(names)})" if len(groups) > 1 else ""
        parts.append(f"n = {n_cases - n_failed} cases{from_source}{failed}{of}")
    return ". ".join(parts) + "." if parts else "No case."


def rests_on_time(measure: str) -> bool:
    """Return whether a measure rests on when the text of the conversation arrived.

    >>> rests_on_time("concept_delay_ms_p50"), rests_on_time("coverage")
    (True, False)
    """
    return measure.startswith(TIME_MEASURES)


def time_note(variants: Iterable[VariantMetrics]) -> str:
    """Return what is to be said of assumed times; empty where all were recorded, or nothing is known of it."""
    basis = together(variant.time_basis for variant in variants)
    if basis in (None, RECORDED):
        return ""
    of = "no message" if basis == ASSUMED else "only some messages"
    return (
        f"Time is {'assumed' if basis == ASSUMED else 'partly assumed'}: of {of} it is recorded when the text arrived; "
        "the rest arrives at the configured speed, on which delays, first updates and timer flushes depend."
    )


def models_note(variants: Iterable[VariantMetrics]) -> str:
    """Return which language model each variant asked, where they asked different ones."""
    by_model: dict[str, list[str]] = {}
    for variant in variants:
        if variant.made_from is not None and variant.made_from.llm:
            by_model.setdefault(variant.made_from.llm, []).append(variant.variant_id)
    if len(by_model) < 2:
        return ""
    text = "; ".join(f"{llm} ({', '.join(names)})" for llm, names in by_model.items())
    return f"Language models: {text}."


def undefined_note(measures: Iterable[tuple[str, str]], variants: Sequence[VariantMetrics]) -> str:
    """Return for how many cases measures are undefined; empty where all are defined.

    Args:
        measures: heading and name.
        variants: whose measures.
    """
    undefined = []
    for heading, measure in measures:
        counts = [
            f"{variant.variant_id} {estimate.n_undefined}"
            for variant in variants
            if (estimate := variant.measures.get(measure)) is not None and estimate.n_undefined
        ]
        if counts:
            undefined.append(f"{heading} ({', '.join(counts)})")
    if not undefined:
        return ""
    return f"Cases for which a measure is undefined, left out of its mean: {'; '.join(undefined)}."
