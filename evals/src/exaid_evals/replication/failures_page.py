"""The page on failed runs: what each variant reports of the step at which they went wrong, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import CaseMetrics, Estimate, VariantMetrics, read_variant_and_cases
from exaid_evals.replication.conclusions import Ordering, orderings
from exaid_evals.replication.failures import FailedRun
from exaid_evals.replication.page import tested
from exaid_evals.report.document import Block, Document, Grid, Marked, Section
from exaid_evals.report.render import to_markdown

MEASURE = "told_by_step"
REMEDY = "run `compute-metrics --extractor words --measures decisive_step` on it"
Measured = tuple[VariantMetrics, list[CaseMetrics]]

_INTRODUCTION = """\
Not only clinicians read along with agents. Here several agents work on a question, fail, and somebody has marked the
step at which they went wrong (Who-and-When, AG2; figures only are quoted). Whoever follows them through a middleware
wants to hear of that step: does an update report it, how soon, and after how much reading?

Nothing here is medical. Concepts are words (`--extractor words`), and of the decisive step those count that nobody had
said before it. `--extractor module:attribute` names an extractor of your own."""

_COMMANDS = """\
    exaid-evals import-campaign DIR --data-dir X
    exaid-evals run-variants --stub --stub-concepts words --data-dir X
    exaid-evals compute-metrics --extractor words --measures decisive_step --data-dir X
    exaid-evals replicate DIR --campaign X --page FILE"""

_READING = """\
*Reported* is the share of the step's new words that some update repeats after they were said; *within* a budget, of
what is read from the beginning of the step on. *Half of it after* is the Kaplan–Meier median of the time until they
are reported, and the CTU until half of them is read (4 characters each); both are means over the logs in which it
comes to that, whose number stands behind. In brackets: 95 % bootstrap intervals over logs."""


def read_measured(campaign: Campaign, runs: Sequence[FailedRun]) -> dict[str, Measured]:
    """Return variant → its measures and those of its cases.

    Raises:
        DataError: nothing was measured there, or not on these logs, or not this.
    """
    files = sorted(campaign.metrics.glob("*.metrics.jsonl"))
    found = {
        path.name.removesuffix(".metrics.jsonl"): path for path in files if not path.name.startswith("comparisons")
    }
    measured = {variant: read_variant_and_cases(path) for variant, path in found.items()}
    if not measured:
        raise DataError("holds no measures", where=str(campaign.root), remedy=REMEDY)
    case_ids = {run.case_id for run in runs}
    for variant, (means, cases) in measured.items():
        if {case.case_id for case in cases} != case_ids:
            raise DataError(f"{variant} is of other cases than these logs", where=str(campaign.metrics), remedy=REMEDY)
        if MEASURE not in means.measures:
            raise DataError(f"{variant} has no {MEASURE}", where=str(found[variant]), remedy=REMEDY)
    return measured


def failures_page(folder: Path, runs: Sequence[FailedRun], measured: dict[str, Measured]) -> str:
    """Return the whole page."""
    title = "Is the decisive error reported? An example outside medicine"
    return to_markdown(Document(title, list(_parts(folder, runs, measured))))


def step_orderings(measured: dict[str, Measured]) -> list[Ordering]:
    """Test each ordering of two variants by the share that they report."""
    means = {variant: of_variant.measures[MEASURE].mean for variant, (of_variant, _) in measured.items()}
    per_case = {
        variant: {case.case_id: case.measures.get(MEASURE) for case in cases}
        for variant, (_, cases) in measured.items()
    }
    return orderings(MEASURE, means, per_case)


def _parts(folder: Path, runs: Sequence[FailedRun], measured: dict[str, Measured]) -> Iterator[Block]:
    yield Marked(_INTRODUCTION)
    yield Marked(_COMMANDS)
    times = (
        "Means over logs. No log says when anything was said, so that times are those of an assumed speed. The step is "
        "counted from 0; where another speaks in it than the agent who is named responsible, the step counts."
    )
    yield Section("The logs", [origins(folder, runs), times])
    yield Section("What is reported of the decisive step", list(_reported(measured)))
    tests = (
        "Paired over logs: mean difference with its 95 % bootstrap interval, Wilcoxon's signed-rank p adjusted by "
        "Holm, and the logs with which a paired t test finds such a difference with 80 % power."
    )
    heading = ("more is reported by", "difference", "95 % interval", "p (Holm)", "logs needed", "holds")
    rows = [(f"{one.higher} than {one.lower}", *tested(one, "{:.3f}".format)) for one in step_orderings(measured)]
    yield Section("Which differences hold", [tests, Grid([heading, *rows])])


def _reported(measured: dict[str, Measured]) -> Iterator[Block]:
    yield Marked(_READING)
    budgets = sorted(
        int(name.rpartition("_")[2]) for name in next(iter(measured.values()))[0].measures if f"{MEASURE}_at_" in name
    )
    within = (f"within {budget:,} CTU" for budget in budgets)
    heading = ("variant", "reported", *within, "half of it after (s)", "after CTU")
    yield Grid([heading, *(_row(variant, means, budgets) for variant, (means, _) in measured.items())])
    some = next(iter(measured.values()))[0]
    yield Marked(f"`{some.signature}`")
    if some.stub:
        yield Marked(
            "The middleware's model is the stub here, which copies sentences with new words: the numbers show how "
            "gate, trigger and budget work on such logs, and nothing of a real model. A live one goes the same way, by "
            "`run-variants --llm openai`."
        )


def origins(folder: Path, runs: Sequence[FailedRun]) -> Grid:
    """Return a row for each folder of logs: how many, their means over logs, and where their decisive steps are."""
    rows: list[tuple[str, ...]] = [
        ("origin", "logs", "messages", "characters", "decisive step, of all", "said by another")
    ]
    origins = Counter(run.path.parent.relative_to(folder).as_posix() for run in runs)
    for origin in sorted(origins):
        of_origin = [run for run in runs if run.path.parent.relative_to(folder).as_posix() == origin]
        lengths = [sum(len(text) for _, _, text in run.messages) for run in of_origin]
        n_messages = [len(run.messages) + run.n_empty for run in of_origin]
        known = [(run.step, n) for run, n in zip(of_origin, n_messages, strict=True) if run.step is not None]
        places = [step / max(n - 1, 1) for step, n in known]
        others = sum(run.speaker is not None and run.speaker != run.agent for run in of_origin)
        rows.append(
            (
                origin if origin != "." else "–",
                f"{len(of_origin)}",
                f"{sum(n_messages) / len(of_origin):.1f}",
                f"{sum(lengths) / len(of_origin):,.0f}",
                f"{median(step for step, _ in known):g} (median), {sum(places) / len(places):.0%} of the way"
                if known
                else "–",
                f"{others}",
            )
        )
    return Grid(rows)


def _row(variant: str, means: VariantMetrics, budgets: Sequence[int]) -> tuple[str, ...]:
    shares = (MEASURE, *(f"{MEASURE}_at_{budget}" for budget in budgets))
    return (
        variant,
        *(_cell(means.measures[name], 1, 3) for name in shares),
        _cell(means.measures[f"{MEASURE}_delay_ms"], 1e-3, 1, counted=True),
        _cell(means.measures[f"{MEASURE}_ctu"], 1, 0, counted=True),
    )


def _cell(estimate: Estimate, scale: float, decimals: int, *, counted: bool = False) -> str:
    if estimate.mean is None:
        return "–"
    texts = [
        "–" if value is None else f"{value * scale:,.{decimals}f}"
        for value in (estimate.mean, estimate.ci95_low, estimate.ci95_high)
    ]
    n = f", {estimate.n}" if counted else ""
    return f"{texts[0]} [{texts[1]}, {texts[2]}]{n}"
