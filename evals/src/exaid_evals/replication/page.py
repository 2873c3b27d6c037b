"""The page of a replication, in Markdown: figures of ours beside the published ones, and no text of the publication."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from exaid_evals.calibration.simulate import Policy
from exaid_evals.replication.calibration import CalibrationFound, OurCalibration
from exaid_evals.replication.conclusions import Cell, Ordering, Validity, leaves
from exaid_evals.replication.gate import GateStep
from exaid_evals.replication.published import Publication
from exaid_evals.replication.stage import CANDIDATES, ConceptTable, Replication
from exaid_evals.report.cells import Digits, PValue
from exaid_evals.report.document import Block, Document, Grid, Items, Marked, Section, to_markdown
from exaid_evals.report.formats.markdown import escape

_CONCEPTS = (
    ("m3_redundancy.jaccard_mean", "Redundancy (M3)"),
    ("m3_redundancy.threshold_rates.tau_0.85", "Redundant at 0.85 (M3)"),
    ("m4_trace_coverage.mean", "Coverage (M4)"),
    ("m5_unsupported.global_rate_mean", "Unsupported (M5)"),
    ("m5_unsupported.per_summary_mean", "Unsupported per summary (M5)"),
    ("m6a.mean", "Not in its window (M6a)"),
    ("m6b.mean", "Nor in the last summary (M6b)"),
    ("m7b_coverage_by_budget_mean.ctu_500", "Coverage at 500 CTU (M7b)"),
)
_SHOWN = (
    ("m1_update_count_mean", "Updates (M1)"),
    ("m2_output_ctu_mean", "Output, CTU (M2)"),
    ("m8_latency_ms_mean.summary", "Latency, ms (M8)"),
    ("m9_usage_ctu_mean.total", "Usage, CTU (M9)"),
    ("m10_compliance.schema_failure_count", "Schema failures (M10)"),
)


def page(publication: Publication, found: Replication, *, main_table: str | None = None) -> str:
    """Return the whole page.

    Args:
        publication: the folder.
        found: what was recomputed.
        main_table: of a campaign in which variants of ours were replayed over the same conversations, in Markdown.
    """
    parts = [*_parts(publication, found), *([_replayed(main_table)] if main_table else [])]
    return to_markdown(Document("The published EXAIM evaluation, recomputed", parts))


def _replayed(main_table: str) -> Section:
    prose = (
        "V0 to V4 are those of this project and not the published ones; A0 to A4 leave out one thing at a time, as the "
        "published ones do. They were replayed over the published streams, at the recorded times, by "
        "`exaid-evals run-variants --stub --data-dir X`, once more with `--variants-dir evals/configs/ablation`, and "
        "measured by `compute-metrics`."
    )
    return Section("Variants of ours over the same conversations", [Marked(prose), Marked(main_table.strip())])


def _parts(publication: Publication, found: Replication) -> Iterator[Block]:
    yield Marked(
        "Written by `exaid-evals replicate DIR --annotated FILE --campaign X --page FILE`, where DIR is laid out as "
        "upstream lays out `evals/data`. The data are upstream's (AbemKW/EXAIM-MedGemma-Impact) and not part of this "
        "project; figures only are quoted."
    )
    variants = [
        (one.variant, one.policy, Marked(one.meaning), Marked(one.ours or "–"), f"{one.history_k}", f"{one.n_cases}")
        for one in found.recomputed.variants
    ]
    ids = "By the `trigger_policy` of its run logs: the ids mean something else here, where V0 is not a middleware."
    heading = ("published", "policy", "what it does", "ours", "summaries in view", "cases")
    yield Section("What each variant is", [Marked(ids), Grid([heading, *variants])])
    yield Section("Numbers that the records determine", list(_determined(found)))
    if found.concepts:
        yield Section("Numbers that rest on concepts", list(_concepts(publication, found)))
    if found.orderings:
        yield Section("Which orderings of variants survive", list(_conclusions(found)))
    if found.gate:
        yield Section("The token gate, replayed", list(_gate(found.gate)))
    if found.calibration:
        yield Section("The gate's calibration", list(_calibration(found.calibration)))
    if found.chunk_size:
        overall = {cell.measure: cell for cell in found.chunk_size}
        size = overall.get("chunk_size_ctu")
        yield Marked(
            f"The fixed chunks that stand in for the gate: {equal_of(found.chunk_size)} numbers of their report are "
            "recomputed, the median flush of each case and the median of these"
            + (f", rounded up to {_exact(size.recomputed)} CTU." if size else ".")
        )


def _determined(found: Replication) -> Iterator[Block]:
    cells, cases = found.recomputed.cells, found.recomputed.case_cells
    yield Marked(
        f"{equal_of(cells)} published numbers of variants and {equal_of(cases)} of cases are recomputed to the last "
        "digit: M1, M2, M8, M9 and M10, flushes, throughput and the shares of latency. "
        f"{found.recomputed.n_hashed} traces have the content whose hash was published."
    )
    yield Grid([("variant", *(heading for _, heading in _SHOWN)), *_rows(cells)])
    different = [cell for cell in (*cells, *cases) if not cell.equal]
    if different:
        yield "Different:"
        rows = [
            (cell.variant, cell.case_id or "", cell.measure, f"{cell.published}", f"{cell.recomputed}")
            for cell in different[:50]
        ]
        yield Grid([("variant", "case", "measure", "published", "recomputed"), *rows])


def _concepts(publication: Publication, found: Replication) -> Iterator[Block]:
    yield Marked(
        f"The published extractor (a spaCy model with a UMLS linker) cannot be had here; ours is `{found.extractor}`. "
        "The two are not the same instrument, so these numbers stand beside the published ones and are not held to be "
        "equal. The definitions are upstream's: M3 is the mean Jaccard index of the concepts of consecutive summaries, "
        "over all pairs of all cases, and the share of pairs whose index is at least 0.85; a summary that broke its "
        "schema is an empty set there. In the last row they are those of `docs/measures.md`: what counts as covered "
        "had been said before a summary stated it, budgets are filled to the last character, and means are over cases."
    )
    published = {variant: dict(leaves(values)) for variant, values in publication.aggregate.items()}
    ways = [
        ("published", published),
        *((_way(table), table.means) for table in found.concepts),
        ("ours, by our definition", found.by_our_definitions),
    ]
    for measure, heading in _CONCEPTS:
        yield Marked(f"**{heading}**")
        variants = [one.variant for one in found.recomputed.variants]
        rows = [(name, *(_share(means.get(variant, {}).get(measure)) for variant in variants)) for name, means in ways]
        yield Grid([("how the conversation is read", *variants), *rows])
    why = (
        "Upstream builds the text of a trace by joining its deltas with blanks. The deltas of these traces are pieces "
        "of words (tokens of the agents' model), so that most words of the joined text are torn, while summaries are "
        "read as they are. Read so, with our extractor and nothing else changed, the share of unsupported concepts is "
        "that of the row *torn*; read as it was said, it is that of the row *as said*. "
        f"The other explanation, up to {CANDIDATES} candidates of the linker for each mention, is simulated: the same "
        "words get the same wrong candidates in both texts, so that it raises the share only where a summary puts a "
        "concept in other words. The simulation cannot say what a linker does with a torn word that looks like another."
    )
    yield Section("Why more than half was counted as unsupported", [Marked(why)])
    if found.validity is not None:
        recall = list(_recall(publication, found, found.validity))
        yield Section("What the extractor's own recall leaves open", recall)


def _recall(publication: Publication, found: Replication, validity: Validity) -> Iterator[Block]:
    yield Marked(
        f"On {validity.n_documents} texts that people annotated, `{found.extractor}` has precision "
        f"{_interval(validity.precision)} and recall {_interval(validity.recall)} (95 % bootstrap over texts). "
        "A concept that was said and is not found in the conversation counts as unsupported, and one that is not found "
        "in a summary counts nowhere. *Corrected* is the share as Rogan and Gladen (1978) correct a prevalence, if "
        "misses in both texts were independent; since the same words are missed in both, it is too low. The interval "
        "goes from there, at the lower ends of recall and share, to the case in which all that was missed in summaries "
        "is unsupported. A published share outside it is explained by no misses of our extractor."
    )
    published = {variant: dict(leaves(values)) for variant, values in publication.aggregate.items()}
    rows = [
            (
                variant,
                _share(published.get(variant, {}).get("m5_unsupported.global_rate_mean")),
                _interval(bounds.observed),
                _share(bounds.corrected),
                f"{bounds.low:.3f}–{bounds.high:.3f}",
            )
            for variant, bounds in found.bounds.items() if bounds
        ]  # fmt: skip
    yield Grid([("variant", "published", "ours, as said", "corrected", "interval"), *rows])


def _interval(values: tuple[float, float, float]) -> str:
    value, low, high = values
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def _way(table: ConceptTable) -> str:
    text = "as said" if table.basis == "said" else "torn"
    return f"ours, {text}" + ("" if table.candidates == 1 else f", {table.candidates} candidates a mention")


def _conclusions(found: Replication) -> Iterator[Block]:
    n_surviving = sum(one.survives for one in found.orderings)
    yield Marked(
        f"{n_surviving} of {len(found.orderings)}. Each published ordering of two variants, tested over the same "
        "cases: paired mean difference with its 95 % bootstrap interval over cases, Wilcoxon's signed-rank p adjusted "
        "by Holm over the pairs of a measure, and the cases with which a paired t test finds such a difference with "
        "80 % power. "
        "Measures that rest on concepts are ours, over the conversation as it was said."
    )
    rows = [
        (Marked(f"`{one.measure}`"), f"{one.higher} > {one.lower}", *tested(one, _plain)) for one in found.orderings
    ]
    yield Grid([("measure", "ordering", "difference", "95 % interval", "p (Holm)", "cases needed", "survives"), *rows])


def tested(one: Ordering, shown: Callable[[float], str]) -> tuple[str, ...]:
    """Return an ordering's difference, its interval, p, the cases needed to find it, and whether it holds."""
    return (
        shown(one.difference),
        f"{shown(one.low)} … {shown(one.high)}",
        Marked(PValue(one.p_holm).shown(Digits())),
        "–" if one.n_needed is None else f"{one.n_needed:,}",
        "yes" if one.survives else "no",
    )


_RULES = """\
Each line of the table adds one rule in which upstream's gate is another than ours, and counts the published flushes
that come out with the same index, end and reason (in brackets: at whatever index). The rules, in words of ours:

- **a buffer for each agent, over its turns.** The end of a turn lets nothing go: what is left waits for the agent's
  next turn, and goes at the end of the conversation (`end_of_trace`). Where turns overlap, text is heard as it came.
  Turns that say no more than the name of an agent, `TERMINATE` or nothing are not heard.
- **timers noticed when the agent speaks.** No clock runs beside the stream. Silence is noticed when the same agent's
  next delta arrives, which then opens the next buffer without being looked at; its flush has the number and the time
  of the last delta before the silence. Waiting is noticed by the delta that comes too late, and takes it along.
- **decided at each delta.** Not at the ends of words: `3.` of `3.5` is an end, and half a word counts as one.
- **closing quotes and brackets behind a cue.** `.)` and `."` end a sentence, and a line end counts only where nothing
  but blanks follows it.
- **waiting measured in an agent's first chunk.** The clock of `max_wait` is started once for each agent."""


def _gate(steps: Sequence[GateStep]) -> Iterator[Block]:
    yield Marked(_RULES.replace("\n  ", " ").replace("\nt", " t"))
    variants = list(dict.fromkeys(step.variant for step in steps))
    by_rule: dict[str, list[str]] = {}
    for step in steps:
        shown = f"{step.n_equal:,} of {step.n_published:,} ({step.n_anywhere:,})"
        by_rule.setdefault(step.rule, []).append(shown)
    yield Grid([("rule added", *variants), *((Marked(rule), *counts) for rule, counts in by_rule.items())])
    differences = [Marked(f"{escape(step.variant)}, {text}") for step in steps[-len(variants) :] for text in step.first]
    if differences:
        yield "By all rules together, these still differ first:"
        yield Items(differences)


def _calibration(found: CalibrationFound) -> Iterator[Block]:
    yield Marked(
        f"{equal_of(found.cells)} published numbers of the calibration are recomputed to the last digit, by upstream's "
        "grid, constraints, quantiles (order statistics) and rule of choice (Pareto front, nearest to utopia, then "
        "fewest flushes), over flushes of our simulator with the rules above; here the end of a turn lets go."
    )
    rows = [(Marked(f"`{cell.measure}`"), _exact(cell.published), _exact(cell.recomputed)) for cell in found.cells]
    yield Grid([("number", "published", "recomputed"), *rows])
    if found.chosen is None:
        return
    yield Marked(
        f"{found.n_same} policies cannot be told from the chosen one by any measure, and the first of the grid is "
        f"taken: {found.n_timed} flushes of all policies were a timer's, so that `silence` and `max_wait` were chosen "
        "by the order of the grid alone."
    )
    for what, ours in (("all that was said", found.ours), ("the turns that upstream hears", found.ours_heard)):
        if ours is not None:
            yield Marked(_our_calibration(what, ours, found.chosen))


def _our_calibration(what: str, ours: OurCalibration, published: Policy) -> str:
    opening = f"Our `calibrate` over {what}, with the same grid and the same constraints on our measures, "
    if ours.chosen is None:
        return (
            f"{opening}finds no policy: the smallest share of small flushes is {ours.small_share:.3f}, and 0.1 is "
            "allowed. Turns that only name the next speaker are flushes of one word."
        )
    if ours.chosen == published:
        return f"{opening}chooses {ours.chosen.label} as well ({ours.n_survivors} policies keep the constraints)."
    differ = [
        f"`{name}` {_plain(chosen)} against {_plain(other)}"
        for name, (chosen, other) in ours.measures.items() if chosen != other
    ]  # fmt: skip
    return (
        f"{opening}keeps {ours.n_survivors} policies and chooses {ours.chosen.label}, not {published.label}. It takes "
        "the mean time to the first flush over cases, where upstream takes the median, cuts at the ends of words, and "
        f"runs its timers in every chunk: {'; '.join(differ)}."
    )


def _exact(value: float | None) -> str:
    return "–" if value is None else f"{value:,.10g}"


def _rows(cells: Sequence[Cell]) -> Iterator[tuple[str, ...]]:
    by_key = {(cell.variant, cell.measure): cell for cell in cells}
    for variant in dict.fromkeys(cell.variant for cell in cells):
        shown = [by_key.get((variant, measure)) for measure, _ in _SHOWN]
        yield (
            variant,
            *(
                "–"
                if cell is None
                else f"{_plain(cell.published)} {'=' if cell.equal else '≠'} {_plain(cell.recomputed)}"
                for cell in shown
            ),
        )


def equal_of(cells: Sequence[Cell]) -> str:
    """Return how many numbers are equal, of how many."""
    return f"{sum(cell.equal for cell in cells):,} of {len(cells):,}"


def _plain(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
