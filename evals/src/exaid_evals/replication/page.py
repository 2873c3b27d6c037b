"""The page of a replication, in Markdown: figures of ours beside the published ones, and no text of the publication."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from exaid_evals.replication.compare import Cell, leaves
from exaid_evals.replication.published import Publication
from exaid_evals.replication.stage import CANDIDATES, ConceptTable, Replication
from exaid_evals.report.formats.markdown import escape

_CONCEPTS = (
    ("m4_trace_coverage.mean", "Coverage"),
    ("m5_unsupported.global_rate_mean", "Unsupported"),
    ("m5_unsupported.per_summary_mean", "Unsupported per summary"),
    ("m6a.mean", "Not in its window (M6a)"),
    ("m6b.mean", "Nor in the last summary (M6b)"),
    ("m7b_coverage_by_budget_mean.ctu_500", "Coverage at 500 CTU"),
)
_SHOWN = (
    ("m1_update_count_mean", "Updates (M1)"),
    ("m2_output_ctu_mean", "Output, CTU (M2)"),
    ("m8_latency_ms_mean.summary", "Latency, ms (M8)"),
    ("m9_usage_ctu_mean.total", "Usage, CTU (M9)"),
    ("m10_compliance.schema_failure_count", "Schema failures (M10)"),
)


def page(publication: Publication, found: Replication) -> str:
    """Return the whole page."""
    return "\n\n".join(_parts(publication, found)) + "\n"


def _parts(publication: Publication, found: Replication) -> Iterator[str]:
    cells, cases = found.recomputed.cells, found.recomputed.case_cells
    yield "# The published EXAIM evaluation, recomputed"
    yield (
        "Written by `exaid-evals replicate DIR --page FILE`, where DIR is laid out as upstream lays out `evals/data`. "
        "The data are upstream's (AbemKW/EXAIM-MedGemma-Impact) and not part of this project; figures only are quoted."
    )
    yield "## What each variant is"
    yield "By the `trigger_policy` of its run logs: the ids mean something else here, where V0 is no middleware at all."
    yield _table(
        ("published", "policy", "what it does", "ours", "summaries in view", "cases"),
        [
            (
                escape(one.variant),
                escape(one.policy),
                one.meaning,
                one.ours or "–",
                f"{one.history_k}",
                f"{one.n_cases}",
            )
            for one in found.recomputed.variants
        ],
    )
    yield "## Numbers that the records determine"
    yield (
        f"{_equal(cells)} published numbers of variants and {_equal(cases)} of cases are recomputed to the last digit: "
        "M1, M2, M8, M9 and M10, flushes, throughput and the shares of latency. "
        f"{found.recomputed.n_hashed} traces have the content whose hash was published."
    )
    yield _table(("variant", *(heading for _, heading in _SHOWN)), _rows(cells))
    different = [cell for cell in (*cells, *cases) if not cell.equal]
    if different:
        yield "Different:"
        yield _table(
            ("variant", "case", "measure", "published", "recomputed"),
            [
                (
                    *map(
                        escape,
                        (cell.variant, cell.case_id or "", cell.measure, f"{cell.published}", f"{cell.recomputed}"),
                    ),
                )
                for cell in different[:50]
            ],
        )
    if found.concepts:
        yield from _concepts(publication, found)
    if found.orderings:
        yield from _conclusions(found)


def _concepts(publication: Publication, found: Replication) -> Iterator[str]:
    yield "## Numbers that rest on concepts"
    yield (
        f"The published extractor (a spaCy model with a UMLS linker) cannot be had here; ours is `{found.extractor}`. "
        "The two are not the same instrument, so these numbers stand beside the published ones and are not held to be "
        "equal. The definitions are upstream's."
    )
    published = {variant: dict(leaves(values)) for variant, values in publication.aggregate.items()}
    ways = [("published", published), *((_way(table), table.means) for table in found.concepts)]
    for measure, heading in _CONCEPTS:
        yield f"**{heading}**"
        variants = [one.variant for one in found.recomputed.variants]
        yield _table(
            ("how the conversation is read", *map(escape, variants)),
            [(name, *(_share(means.get(variant, {}).get(measure)) for variant in variants)) for name, means in ways],
        )
    yield "### Why more than half was counted as unsupported"
    yield (
        "Upstream builds the text of a trace by joining its deltas with blanks. The deltas of these traces are pieces "
        "of words (tokens of the agents' model), so that most words of the joined text are torn, while summaries are "
        "read as they are. Read so, with our extractor and nothing else changed, the share of unsupported concepts is "
        "that of the row *torn*; read as it was said, it is that of the row *as said*. "
        f"The other explanation, up to {CANDIDATES} candidates of the linker for each mention, is simulated: the same "
        "words get the same wrong candidates in both texts, so that it raises the share only where a summary puts a "
        "concept in other words. The simulation cannot say what a linker does with a torn word that looks like another."
    )


def _way(table: ConceptTable) -> str:
    text = "as said" if table.basis == "said" else "torn"
    return f"ours, {text}" + ("" if table.candidates == 1 else f", {table.candidates} candidates a mention")


def _conclusions(found: Replication) -> Iterator[str]:
    n_surviving = sum(one.survives for one in found.orderings)
    yield "## Which orderings of variants survive"
    yield (
        f"{n_surviving} of {len(found.orderings)}. Each published ordering of two variants, tested over the same "
        "cases: paired mean difference with its 95 % bootstrap interval over cases, Wilcoxon's signed-rank p adjusted "
        "by Holm over the pairs of a measure, and the cases with which a paired t test finds such a difference with "
        "80 % power. "
        "Measures that rest on concepts are ours, over the conversation as it was said."
    )
    yield _table(
        ("measure", "ordering", "difference", "95 % interval", "p (Holm)", "cases needed", "survives"),
        [
            (
                f"`{one.measure}`",
                escape(f"{one.higher} > {one.lower}"),
                _plain(one.difference),
                f"{_plain(one.low)} … {_plain(one.high)}",
                "–" if one.p_holm is None else "< 0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}",
                "–" if one.n_needed is None else f"{one.n_needed:,}",
                "yes" if one.survives else "no",
            )
            for one in found.orderings
        ],
    )


def _rows(cells: Sequence[Cell]) -> Iterator[tuple[str, ...]]:
    by_key = {(cell.variant, cell.measure): cell for cell in cells}
    for variant in dict.fromkeys(cell.variant for cell in cells):
        shown = [by_key.get((variant, measure)) for measure, _ in _SHOWN]
        yield (
            escape(variant),
            *(
                "–"
                if cell is None
                else f"{_plain(cell.published)} {'=' if cell.equal else '≠'} {_plain(cell.recomputed)}"
                for cell in shown
            ),
        )


def _equal(cells: Sequence[Cell]) -> str:
    return f"{sum(cell.equal for cell in cells):,} of {len(cells):,}"


def _plain(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
