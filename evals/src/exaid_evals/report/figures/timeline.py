"""One case as time goes by: the conversation above, and below it what each variant reported to the clinician when."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from exaid_evals.report.figures.canvas import FAINT, INK, PAGE_IN, LineStyle, line_styles, new_canvas
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.report.notes import signatures_of, time_note
from exaid_evals.report.results import RULE, ExampleCase, Lane, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "timeline"
TITLE = "One case under each variant"
CAPTION = (
    "One case under each variant, on the virtual clock. Above, the agents' messages while their text arrives; below, "
    "every update when it reaches the clinician, its height by its length."
)
_LANE_IN, _CONVERSATION_IN, _LEFT_IN, _RIGHT_IN = 0.42, 0.30, 0.62, 0.92
_AGENT_FILLS = ("#d9d9d9", "#bdbdbd", "#969696")
_SUPERVISOR = "supervisor"


def data_csv(results: Results) -> str:
    """Return what the figure shows: a row per message, update and decision against one."""
    rows: list[list[object]] = []
    example = results.example
    if example is not None:
        signed = {one.variant_id: (one.stub, one.signature) for one in results}
        first = (results[0].stub, results[0].signature) if len(results) else (None, None)
        rows += [
            [example.case_id, None, f"message:{turn.agent_id}", turn.start_ms, turn.end_ms, None, *first]
            for turn in example.turns
        ]
        for lane in example.lanes:
            made = signed.get(lane.variant_id, (lane.stub, None))
            rows += [
                [example.case_id, lane.variant_id, "update", one.t_ms, one.t_ms, one.ctu, *made] for one in lane.updates
            ]
            rows += [[example.case_id, lane.variant_id, "no_update", at, at, None, *made] for at in lane.held]
    return write_csv(["case_id", "variant", "event", "start_ms", "end_ms", "ctu", "stub", "signature"], rows)


def draw(results: Results, primary: str) -> Figure:
    """Draw the figure. Call it within `canvas.style`.

    Raises:
        ValueError: there is no example case.
    """
    example = results.example
    if example is None:
        raise ValueError("a timeline needs an example case")
    n_lanes = len(example.lanes)
    lanes_in = _LANE_IN * n_lanes
    chosen = f"Case {example.case_id.removeprefix('case-')}, {RULE} of {example.n_cases}."
    note = f"{chosen} Ticks below a line: the trigger decided against an update. {_scale_note(example)}"
    note = f"{note} {time_note(results)}".rstrip()
    stub = any(one.stub for one in results) or any(lane.stub for lane in example.lanes)
    plot_in = lanes_in + _CONVERSATION_IN + 0.66
    paper = new_canvas(PAGE_IN, plot_in, note=note, signatures=signatures_of(results), stub=stub)
    width = PAGE_IN - _LEFT_IN - _RIGHT_IN
    axes = paper.axes(_LEFT_IN, 0.42, width, lanes_in + _CONVERSATION_IN)
    ends = [turn.end_ms for turn in example.turns] + [one.t_ms for lane in example.lanes for one in lane.updates]
    end_s = max(ends, default=1000) / 1000
    looks = line_styles([lane.variant_id for lane in example.lanes])
    _conversation(axes, example, n_lanes, end_s)
    # Updates that broke the schema show nothing; where all did, no height has a scale.
    tallest = max((one.ctu for lane in example.lanes for one in lane.updates), default=0) or 1
    for place, lane in enumerate(example.lanes):
        base = n_lanes - 1 - place
        _lane(axes, lane, base, looks[lane.variant_id], tallest, bold=lane.variant_id == primary)
    _frame(axes, example, end_s, primary)
    return paper.finished()


def _scale_note(example: ExampleCase) -> str:
    tallest = max((one.ctu for lane in example.lanes for one in lane.updates), default=0)
    return f"Heights grow with the square root of an update's CTU; the tallest is {tallest:,} CTU."


def _conversation(axes: Axes, example: ExampleCase, floor: float, end_s: float) -> None:
    """Draw messages as blocks while their text arrives, the supervisor's dark, doctors' in greys.

    A message that is pasted at once gets a width that can be seen.
    """
    fills = _fills(example)
    height = _CONVERSATION_IN / _LANE_IN
    for turn in example.turns:
        axes.broken_barh(
            [(turn.start_ms / 1000, max((turn.end_ms - turn.start_ms) / 1000, 0.006 * end_s))],
            (floor + 0.25 * height, 0.6 * height),
            facecolor=fills[turn.agent_id],
            linewidth=0,
            zorder=3,
        )
        axes.axvline(turn.start_ms / 1000, color="#ececec", linewidth=0.5, zorder=0)


def _fills(example: ExampleCase) -> dict[str, str]:
    """Return the colour of each agent, the supervisor last."""
    agents = {turn.agent_id for turn in example.turns}
    fills = dict(zip(sorted(agents - {_SUPERVISOR}), itertools.cycle(_AGENT_FILLS), strict=False))
    return fills | ({_SUPERVISOR: "#4d4d4d"} if _SUPERVISOR in agents else {})


def _lane(axes: Axes, lane: Lane, base: int, look: LineStyle, tallest: int, *, bold: bool) -> None:
    axes.axhline(base + 0.2, color="#c4c4c4", linewidth=0.5, zorder=1)
    for one in lane.updates:
        height = 0.68 * (one.ctu / tallest) ** 0.5
        axes.plot(
            [one.t_ms / 1000] * 2,
            [base + 0.2, base + 0.2 + height],
            color=look.color,
            linewidth=2.0 if bold else 1.5,
            solid_capstyle="butt",
            zorder=4,
        )
    held = [at / 1000 for at in lane.held]
    axes.vlines(held, base + 0.06, base + 0.17, color=FAINT, linewidth=0.6, zorder=2)


def _frame(axes: Axes, example: ExampleCase, end_s: float, primary: str) -> None:
    from matplotlib.ticker import MaxNLocator

    n_lanes = len(example.lanes)
    axes.set_xlim(-0.01 * end_s, end_s * 1.01)
    axes.set_ylim(0, n_lanes + _CONVERSATION_IN / _LANE_IN)
    axes.xaxis.set_major_locator(MaxNLocator(8))
    axes.set_xlabel("Virtual time since the case began (s)")
    axes.spines["left"].set_visible(False)
    names = [lane.variant_id for lane in example.lanes]
    places = [n_lanes - 1 - place + 0.4 for place in range(n_lanes)]
    axes.set_yticks([*places, n_lanes + 0.55 * _CONVERSATION_IN / _LANE_IN], [*names, "agents"])
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == primary else "normal")
    axes.tick_params(axis="y", length=0)
    beside = axes.get_yaxis_transform()
    for lane, place in zip(example.lanes, places, strict=True):
        total = sum(one.ctu for one in lane.updates)
        count = len(lane.updates)
        text = f"{count} update{'' if count == 1 else 's'}\n{total:,} CTU"
        axes.text(1.012, place, text, transform=beside, va="center", fontsize=6.5, color=INK, linespacing=1.25)
    _agents(axes, example)


def _agents(axes: Axes, example: ExampleCase) -> None:
    from matplotlib.patches import Patch

    shown = _fills(example)
    axes.legend(
        [Patch(facecolor=fill, edgecolor="none") for fill in shown.values()],
        list(shown),
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=len(shown) or 1,
        frameon=False,
        fontsize=6.5,
        handlelength=1.0,
        handleheight=0.8,
        handletextpad=0.4,
        columnspacing=1.2,
        borderaxespad=0.1,
    )
