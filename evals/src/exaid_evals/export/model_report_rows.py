"""The rows that tables and figures of model reports are made of, a folder at a time, and how figures look."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exaid_evals import __version__
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.figures.canvas import LINE_STYLES, LineStyle, font_path
from exaid_evals.runs.base import Run
from exaid_evals.runs.model_names import ModelNamesConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.figure import Figure

NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One pair, for a figure.

    Attributes:
        model, prompt: what was asked how.
        accuracy: share; None where unknown.
        latency_s: mean time of an attempt in seconds, else of a call; None where neither is known.
        latency_of: which of the two, `execution_time` or `total_duration`.
        parameters_b: size in billions; None where the name does not say.
        counts: tp, tn, fp, fn; None without a confusion matrix.
    """

    model: str
    prompt: str
    accuracy: float | None
    latency_s: float | None
    latency_of: str | None
    parameters_b: float | None
    counts: tuple[int, int, int, int] | None


def row_of(run: Run) -> ReportRow:
    """Return what figures need of a run."""
    latency, of = run.metrics.get("execution_time_mean_s"), "execution_time"
    if latency is None and (call := run.metrics.get("total_duration_mean_ns")) is not None:
        latency, of = call / NS_PER_S, "total_duration"
    counts = [run.attributes.get(name) for name in ("tp", "tn", "fp", "fn")]
    whole = [count for count in counts if isinstance(count, int)]
    size = run.attributes.get("parameters_b")
    return ReportRow(
        str(run.attributes["model"]),
        str(run.attributes["prompt_type"]),
        run.metrics.get("accuracy"),
        latency,
        None if latency is None else of,
        float(size) if isinstance(size, int | float) else None,
        (whole[0], whole[1], whole[2], whole[3]) if len(whole) == 4 else None,
    )


def by_folder(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of each folder that a user named, by the folder's name as an output may bear it.

    Two folders of one name get as much of their paths as tells them apart.
    """
    groups: dict[Path, list[Run]] = defaultdict(list)
    together = _named_one_by_one(runs)
    for run in runs:
        origin = run.origin or Path(str(run.attributes["input_folder"]))
        groups[origin.parent if origin.parent in together else origin].append(run)
    depth, deepest = 1, max((len(origin.parts) for origin in groups), default=1)
    while True:
        names = {origin: _safe("_".join(origin.parts[-depth:])) for origin in groups}
        if len(set(names.values())) == len(names) or depth > deepest:
            break
        depth += 1
    ordered = sorted(groups, key=lambda origin: (names[origin], str(origin)))
    found: dict[str, list[Run]] = {}
    for origin in ordered:
        name = names[origin]
        number = 2
        while name in found:
            name, number = f"{names[origin]}_{number}", number + 1
        found[name] = sorted(
            groups[origin], key=lambda run: (_model(run), str(run.attributes["prompt_type"]), run.name)
        )
    return found


def _named_one_by_one(runs: Sequence[Run]) -> set[Path]:
    """Return the folders of models whose models a pattern named one by one: they make one table, not one each."""
    models: dict[Path, set[Path]] = defaultdict(set)
    for run in runs:
        if run.origin is not None and run.origin.name == run.attributes["model"]:
            models[run.origin.parent].add(run.origin)
    return {parent for parent, folders in models.items() if len(folders) > 1}


def signature_of(runs: Sequence[Run], patterns: ModelNamesConfig) -> str:
    """Return how the numbers were made: this version, what was read, the patterns; reports carry no signature."""
    read = [[run.name, dict(run.metrics), dict(run.attributes)] for run in runs]
    config = patterns.model_dump(mode="json")
    return (
        f"exaid-evals/{__version__}|model_reports:{short(sha256_structure(read))}|cfg:{short(sha256_structure(config))}"
    )


def _model(run: Run) -> str:
    return str(run.attributes["model"])


def _safe(name: str) -> str:
    r"""Return a name for a folder: no separators, no control characters, no leading dot.

    >>> _safe("my runs"), _safe("a/../b\n"), _safe("..")
    ('my runs', 'a_.._b_', '_.')
    """
    cleaned = re.sub(r"[/\\\x00-\x1f\x7f]", "_", name)
    return f"_{cleaned[1:]}" if cleaned.startswith(".") else cleaned or "_"


_MARKERS = "os^DvPX<>*ph"


def looks(rows: Sequence[ReportRow]) -> dict[str, LineStyle]:
    """Return how each prompt's marks look; colour and form repeat at different lengths, so that pairs differ."""
    prompts = sorted({row.prompt for row in rows})
    colors = [look.color for look in LINE_STYLES]
    return {
        prompt: LineStyle(colors[number % len(colors)], "solid", _MARKERS[number % len(_MARKERS)])
        for number, prompt in enumerate(prompts)
    }


def shown(name: str, most: int = 44) -> str:
    r"""Return a name as a figure bears it: short enough, and only characters that the shipped typeface has.

    >>> shown("a" * 50, 10), shown("x\ny")
    ('aaaaaa…aaa', 'x\\ny')
    """
    known = _characters()
    text = "".join(one if ord(one) in known else f"[U+{ord(one):04X}]" for one in printable(name))
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def legend(figure: Figure, styles: dict[str, LineStyle], top: float, *, others: Iterable[object] = ()) -> None:
    """Write above the plot area which mark stands for which prompt.

    Args:
        figure: where.
        styles: of the prompts.
        top: where the legend's upper edge stands, as a share of the figure's height.
        others: further handles, after the prompts.
    """
    from matplotlib.lines import Line2D

    handles: list[object] = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=look.marker,
            markersize=5,
            color=look.color,
            label=shown(prompt, 26),
            markeredgecolor="white",
            markeredgewidth=0.4,
        )
        for prompt, look in styles.items()
    ]
    made = figure.legend(
        handles=[*handles, *others],
        loc="upper center",
        bbox_to_anchor=(0.5, top),
        ncols=legend_columns(styles),
        frameon=False,
        fontsize=7,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def legend_columns(styles: dict[str, LineStyle]) -> int:
    """Return in how many columns the legend stands, by its longest name."""
    longest = max((len(shown(prompt, 26)) for prompt in styles), default=1)
    return max(1, min(len(styles) + 1, int(90 / (longest + 5))))


def legend_height(styles: dict[str, LineStyle], n_others: int = 0) -> float:
    """Return the height that the legend needs, in inches."""
    lines = -(-(len(styles) + n_others) // legend_columns(styles))
    return 0.1 + 0.16 * lines


@cache
def _characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_path())).get_charmap())
