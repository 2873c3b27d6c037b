"""What a calibration leaves to read: every policy as CSV, a report in Markdown, the Pareto figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exaid_evals.artifacts.atomic import write_bytes, write_text
from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.calibration.simulate import REASONS, Policy
from exaid_evals.calibration.stage import Calibration
from exaid_evals.calibration.sweep import TIE_ORDER, Choice
from exaid_evals.report.base import MISSING, STUB_NOTE
from exaid_evals.report.document import Block, Document, Grid, Items, Marked, Picture, Pictures, Section, to_markdown
from exaid_evals.report.figures.canvas import FAINT, INK, use_shipped_fonts
from exaid_evals.report.formats.csv_table import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "gate_pareto"
TITLE = "Policies of the token gate: promptness against interruptions and context"

_SIZE_IN = (6.3, 3.6)
_REFUSED, _SURVIVOR, _FRONT, _CHOSEN, _CURRENT = "#c9c9c9", "#7fb2d6", "#0072B2", "#D55E00", "#000000"
_PANELS = (
    (0.085, "flushes_per_case", "Flushes per case ↓"),
    (0.585, "chunk_words_p50", "Median chunk in words ↑"),
)
_FIRST = {
    "time_to_first_flush_ms": "First flush of the conversation ↓ (s, mean over cases)",
    "turn_to_first_flush_ms": "First flush of a turn ↓ (s, mean over turns)",
}


def draw_pareto(calibration: Calibration, current: Policy | None = None) -> Figure:
    """Draw the figure. Call it within `canvas.style`.

    Args:
        calibration: what came out.
        current: the policy in force until now; drawn where it is in the grid.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN)
    for left, measure, label in _PANELS:
        axes = figure.add_axes((left, 0.27, 0.405, 0.6))
        _panel(axes, calibration, current, measure)
        axes.set_ylabel(label)
    _legend(figure, calibration, current)
    _small_print(figure, calibration)
    use_shipped_fonts(figure)
    return figure


def _panel(axes: Axes, calibration: Calibration, current: Policy | None, measure: str) -> None:
    from matplotlib.ticker import MaxNLocator

    choice, tried = calibration.choice, calibration.sweep
    first = choice.objectives[0].measure
    x, y = choice.measures[first] / 1000.0, choice.measures[measure]
    groups = (
        (~choice.survivors, _REFUSED, "o", 7),
        (choice.survivors & ~choice.front, _SURVIVOR, "o", 11),
        (choice.front, _FRONT, "o", 15),
    )
    for zorder, (chosen, color, marker, size) in enumerate(groups, start=2):
        axes.scatter(
            x[chosen], y[chosen], s=size, c=color, marker=marker, linewidths=0.3, edgecolors="white", zorder=zorder
        )
    if current is not None and current in tried.policies:
        index = tried.policies.index(current)
        axes.scatter(x[index], y[index], s=34, c="white", marker="D", linewidths=1.0, edgecolors=_CURRENT, zorder=8)
    axes.scatter(
        x[choice.index], y[choice.index], s=120, c=_CHOSEN, marker="*", linewidths=0.5, edgecolors="white", zorder=9
    )
    axes.set_xlabel(_FIRST[first])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(length=3, width=0.6)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(0.06)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _legend(figure: Figure, calibration: Calibration, current: Policy | None) -> None:
    from matplotlib.lines import Line2D

    choice = calibration.choice
    refused, survivors, front = (int(np.sum(group)) for group in (~choice.survivors, choice.survivors, choice.front))
    entries = [
        ("*", _CHOSEN, _CHOSEN, 9.0, f"chosen: {calibration.chosen.label}"),
        ("o", _FRONT, _FRONT, 4.0, f"Pareto front ({front} policies)"),
        ("o", _SURVIVOR, _SURVIVOR, 4.0, f"keep the constraints ({survivors - front} more)"),
        ("o", _REFUSED, _REFUSED, 4.0, f"break a constraint ({refused})"),
    ]
    if current is not None and current in calibration.sweep.policies:
        entries.insert(1, ("D", "white", _CURRENT, 4.5, f"until now: {current.label}"))
    handles = [
        Line2D([], [], linestyle="none", marker=marker, markerfacecolor=fill, markeredgecolor=edge, markersize=size)
        for marker, fill, edge, size, _ in entries
    ]
    figure.legend(
        handles,
        [label for *_, label in entries],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        frameon=False,
        fontsize=6.8,
        handletextpad=0.2,
        columnspacing=1.6,
    )


def _small_print(figure: Figure, calibration: Calibration) -> None:
    plan, tried = calibration.plan, calibration.sweep
    note = (
        f"Each point a policy over {tried.n_cases} cases that are not evaluated; policies may coincide. "
        "Labels: min_words/max_words/silence_ms/max_wait_ms."
    )
    figure.text(0.01, 0.085, note, fontsize=6, color=INK, va="bottom")
    if plan.manifest.stub:
        figure.text(
            0.01, 0.042, "STUB DATA: simulated conversation", fontsize=6.5, fontweight="bold", color=INK, va="bottom"
        )
    figure.text(0.01, 0.03, str(plan.signature), fontsize=4.6, family="monospace", color=FAINT, va="top")


# measure → heading, decimals, factor from the record's unit to the shown one
_SHOWN = {
    "time_to_first_flush_ms": ("First flush (s)", 2, 1e-3),
    "turn_to_first_flush_ms": ("First flush of a turn (s)", 2, 1e-3),
    "flushes_per_case": ("Flushes per case", 1, 1.0),
    "chunk_words_p50": ("Words p50", 0, 1.0),
    "chunk_words_p90": ("p90", 0, 1.0),
    "chunk_words_p95": ("p95", 0, 1.0),
    "undersized_share": ("Undersized", 3, 1.0),
    "timer_share": ("By timer", 3, 1.0),
    "worst_wait_ms": ("Worst wait (s)", 1, 1e-3),
}
_POLICY = "min_words / max_words / silence_ms / max_wait_ms"


def write_calibration(folder: Path, calibration: Calibration, *, current: Policy | None = None) -> list[Path]:
    """Write everything; return the files.

    Args:
        folder: where to.
        calibration: what came out.
        current: the policy that the first variant has until now, for comparison.
    """
    from exaid_evals.report.figures.canvas import style, to_pdf, to_png

    signature = str(calibration.plan.signature)
    write_text(folder / "policies.csv", policies_csv(calibration))
    write_text(folder / "report.md", report(calibration, current))
    with style():
        for suffix, form in (("pdf", to_pdf), ("png", to_png)):
            figure = draw_pareto(calibration, current)
            data = form(figure, title=TITLE, signature=signature)
            write_bytes(folder / f"{NAME}.{suffix}", data)
    return [folder / name for name in ("policies.csv", "report.md", *(f"{NAME}.{s}" for s in ("pdf", "png")))]


def policies_csv(calibration: Calibration) -> str:
    """Return every policy with every number; what the figure shows, too."""
    choice, tried, plan = calibration.choice, calibration.sweep, calibration.plan
    signature, stub = str(plan.signature), plan.manifest.stub
    header = [*calibration.chosen.settings, "n_cases", "n_flushes", *choice.measures]
    header += [*(f"n_{reason}" for reason in REASONS), "broken_constraints", "survives", "on_front", "distance"]
    header += ["chosen", "stub", "signature"]
    rows: list[list[object]] = []
    for index, policy in enumerate(tried.policies):
        broken = " ".join(name for name, refused in choice.broken.items() if refused[index])
        rows.append(
            [
                *policy.settings.values(),
                tried.n_cases,
                int(tried.n_flushes[index]),
                *(_rounded(values[index]) for values in choice.measures.values()),
                *tried.reasons[index].tolist(),
                broken,
                bool(choice.survivors[index]),
                bool(choice.front[index]),
                _rounded(choice.distance[index]),
                index == choice.index,
                stub,
                signature,
            ]
        )
    return write_csv(header, rows)


def report(calibration: Calibration, current: Policy | None = None) -> str:
    """Return the report."""
    plan, choice = calibration.plan, calibration.choice
    made_of = (
        f"Calibration: `{plan.calibration_hash}`  \nTraces: `{plan.manifest.trace_dataset_hash}`, made "
        f"{plan.manifest.created_at}  \nCases: {', '.join(plan.manifest.generation.ordered_case_list)}"
    )
    figure = Pictures([Picture(TITLE, f"{NAME}.png")])
    parts: list[Block] = [
        *([Marked(f"**{STUB_NOTE}**")] if plan.manifest.stub else []),
        Items(_summary(calibration)),
        Section("The choice", [_policies_table(calibration, current), figure]),
        Section("Constraints", [_constraints_table(calibration)]),
        Section("Sensitivity to the threshold of undersize", [_sensitivity_table(calibration)]),
        Section("How it was chosen", [*_method(calibration, choice), Marked(made_of)]),
    ]
    return to_markdown(Document("Calibration of the token gate", parts, str(plan.signature)))


def edges(calibration: Calibration) -> list[str]:
    """Name the chosen settings that lie at an end of the grid, beyond which something better may lie."""
    found = []
    for name, value in calibration.chosen.settings.items():
        values = getattr(calibration.plan.config.grid, name)
        if len(values) > 1 and value in (values[0], values[-1]):
            found.append(f"{name} {value} ({'smallest' if value == values[0] else 'largest'} tried)")
    return found


def _summary(calibration: Calibration) -> list[str]:
    plan, choice, tried = calibration.plan, calibration.choice, calibration.sweep
    left_out = plan.grid[1]
    failed = len(plan.manifest.entries) - len(plan.conversations)
    notes = [
        f"{len(tried.policies)} policies ({left_out} combinations left out: min_words above max_words)",
        f"{tried.n_cases} cases ({failed} failed and {tried.n_wordless} without words left out), none of the "
        f"{plan.n_evaluated} evaluated ones",
        f"{int(choice.survivors.sum())} policies keep every constraint, {int(choice.front.sum())} are on the front",
    ]
    at_edge = edges(calibration)
    if at_edge:
        notes.append(f"at an end of the grid: {', '.join(at_edge)}")
    return notes


def _policies_table(calibration: Calibration, current: Policy | None) -> Grid:
    choice, tried = calibration.choice, calibration.sweep
    rows = [("chosen", choice.index)]
    if current is not None and current in tried.policies and current != calibration.chosen:
        rows.append(("until now", tried.policies.index(current)))
    rows += [("next on the front", index) for index in _others_on_front(choice)[:5]]
    header = ["", _POLICY, *(heading for heading, _, _ in _SHOWN.values()), "Distance", "Breaks"]
    lines = []
    for name, index in rows:
        broken = ", ".join(constraint for constraint, refused in choice.broken.items() if refused[index])
        distance = MISSING if np.isnan(choice.distance[index]) else f"{choice.distance[index]:.4f}"
        lines.append([name, _settings(tried.policies[index]), *_numbers(choice, index), distance, broken or MISSING])
    return Grid([header, *lines], figures=True)


def _others_on_front(choice: Choice) -> list[int]:
    """Return the front's further points, nearest to utopia first; of policies with the same numbers, the first."""
    seen = {_point(choice, choice.index)}
    found = []
    for index in sorted(np.flatnonzero(choice.front).tolist(), key=lambda i: (choice.distance[i], i)):
        if _point(choice, index) not in seen:
            seen.add(_point(choice, index))
            found.append(index)
    return found


def _point(choice: Choice, index: int) -> tuple[float, ...]:
    return tuple(float(choice.measures[aim.measure][index]) for aim in choice.objectives)


def _ranges_table(choice: Choice) -> Grid:
    lines = [["Objective", "As good as 0", "As bad as 1", "Chosen"]]
    for aim, ends in zip(choice.objectives, choice.ranges, strict=True):
        heading, decimals, scale = _SHOWN[aim.measure]
        values = (*ends, float(choice.measures[aim.measure][choice.index]))
        lines.append([heading, *(f"{value * scale:,.{decimals}f}" for value in values)])
    return Grid(lines, figures=True)


def _constraints_table(calibration: Calibration) -> Grid | str:
    choice, limits = calibration.choice, calibration.plan.config.constraints.limits
    n_broken = np.sum(list(choice.broken.values()), axis=0)
    lines = [
        [name, f"{limits[name]:g}", str(int(refused.sum())), str(int(np.sum(refused & (n_broken == 1))))]
        for name, refused in choice.broken.items()
    ]
    heading = ["Measure", "At most", "Refuses", "Only this one refuses"]
    return Grid([heading, *lines], figures=True) if lines else "None."


def _sensitivity_table(calibration: Calibration) -> Grid:
    lines = [["Below so many words", "Survivors", _POLICY, *(shown[0] for shown in _SHOWN.values())]]
    for words, choice in calibration.sensitivity.items():
        name = f"{words} (configured)" if words == calibration.choice.undersize_words else str(words)
        if choice is None:
            lines.append([name, "0", "no policy survives", *[MISSING] * len(_SHOWN)])
            continue
        policy = _settings(calibration.sweep.policies[choice.index])
        lines.append([name, str(int(choice.survivors.sum())), policy, *_numbers(choice, choice.index)])
    return Grid(lines, figures=True)


def _method(calibration: Calibration, choice: Choice) -> list[Block]:
    config = calibration.plan.config
    low, high = config.normalise_percentiles
    aims = ", ".join(f"`{aim.measure}` {'↑' if aim.larger_is_better else '↓'}" for aim in choice.objectives)
    how = (
        f"Every policy of the grid was run over every case as the gate itself would, word by word on the virtual "
        f"clock. Of the policies that keep every constraint, the Pareto front over {aims} was taken; the objectives "
        f"were normalised by the survivors' {low}th and {high}th percentile and clipped, and the point of the front "
        f"nearest to utopia (Euclidean) was chosen. Ties: {TIE_ORDER}."
    )
    return [
        Marked(how),
        _ranges_table(choice),
        "An objective counts fully however narrow its range is: look whether the differences above matter.",
        f"Times to a first flush and flushes per case are means over cases (turns); sizes and shares are of all "
        f"flushes together; the worst wait is from a chunk's first word to its flush, in any case. A flush of fewer "
        f"than {config.undersize_words} words is undersized.",
    ]


def _numbers(choice: Choice, index: int) -> list[str]:
    return [
        f"{float(choice.measures[measure][index]) * scale:,.{decimals}f}"
        for measure, (_, decimals, scale) in _SHOWN.items()
    ]


def _settings(policy: Policy) -> str:
    return " / ".join(f"{value:,}" for value in policy.settings.values())


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), FLOAT_DECIMALS) + 0.0
