"""How often histories of one configuration are said to part, and how often a planted divergence is found.

Pairs of groups of simulated curves with noise at each point (σ 0.01), an offset of each run (σ 0.006) and, in every
second pair, four times that offset in one group; in others the accuracy of one group falls at half of the run. Then
searches of ten groups, of which the best, as in a comparison, is held against the nine others: of one configuration any
of the nine that parts counts; else one of the others falls, and is found or not. Prints the table, and writes it into
docs/comparing.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import Run
from exaid_evals.analysis.compare.divergence_point import part
from exaid_evals.analysis.compare.groups import Group
from exaid_evals.analysis.compare.performance import rank
from exaid_evals.runs.history import History, Point, Series

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "comparing.md"
BEGIN, END = "<!-- divergence: begin (bench_divergence_point.py writes this) -->", "<!-- parting: end -->"
METRIC, POINTS, NOISE, OFFSET = "val_accuracy", 100, 0.01, 0.006
FALLS = (0.03, 0.1)
RELATED = (0.0, 0.8, 0.9)
GROUPS = 10


def curve(rng: np.random.Generator, related: float, offset: float, fall: float) -> NDArray[np.float64]:
    """Return one history; neighbouring points correlate by `related`."""
    noise = rng.normal(0, NOISE, POINTS)
    for at in range(1, POINTS):
        noise[at] = related * noise[at - 1] + np.sqrt(1 - related**2) * noise[at]
    share = np.arange(POINTS) / POINTS
    values: NDArray[np.float64] = 0.9 - 0.6 * np.exp(-6 * share) + noise + rng.normal(0, offset) - fall * (share >= 0.5)
    return values


def group(rng: np.random.Generator, name: str, n: int, related: float, offset: float, fall: float = 0.0) -> Group:
    """Return a group of runs."""
    runs = []
    for number in range(n):
        values = curve(rng, related, offset, fall)
        points = tuple(Point(float(step), float(value)) for step, value in enumerate(values))
        runs.append(Run(f"{name}{number}", History(name, "csv", {METRIC: Series(METRIC, points)}), {}, None))
    return Group(name, tuple(runs), {})


def share_parted(n: int, related: float, fall: float, pairs: int) -> float:
    """Return the share of pairs that part."""
    rng = np.random.default_rng([n, round(10 * related), round(1000 * fall)])
    found = 0
    for number in range(pairs):
        wide = OFFSET * (4 if number % 2 and not fall else 1)
        one, other = group(rng, "a", n, related, OFFSET), group(rng, "b", n, related, wide, fall)
        found += part(METRIC, one, other, [one, other]).step is not None
    return found / pairs


def share_of_searches(n: int, related: float, fall: float, searches: int) -> float:
    """Return the share of searches of ten groups in which the best one parts from another, or from the one that falls.

    The best is chosen by its level first, as a comparison does: what is held against the others is not a random group.
    """
    rng = np.random.default_rng([GROUPS, n, round(10 * related), round(1000 * fall)])
    found = 0
    for _ in range(searches):
        planted = [0.0] * (GROUPS - 1) + [fall]
        groups = [group(rng, f"g{at} ", n, related, OFFSET, one) for at, one in enumerate(planted)]
        ranking = rank(groups, METRIC, "higher")
        if ranking is None:
            raise RuntimeError("a group without values")
        best = next(one for one in groups if one.name == ranking.first.group)
        others = [one for one in groups if one is not best]
        held = [one for one in others if not fall or one is groups[-1]]
        found += any(part(METRIC, best, other, groups, len(others)).step is not None for other in held)
    return found / searches


def table(pairs: int) -> str:
    """Return the table as Markdown."""
    heads = "".join(f" falls by {fall:g} |" for fall in FALLS)
    lines = [
        f"| groups | runs a group | neighbours correlate by | one configuration |{heads}",
        "| --: | --: | --: | --: |" + " --: |" * len(FALLS),
    ]
    for groups, measured, sizes in ((2, share_parted, (1, 2, 3, 5, 10)), (GROUPS, share_of_searches, (1, 3, 5, 10))):
        for n in sizes:
            for related in RELATED:
                shares = [measured(n, related, fall, pairs) for fall in (0.0, *FALLS)]
                lines.append(f"| {groups} | {n} | {related:g} | " + " | ".join(f"{one:.1%}" for one in shares) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    found = table(pairs)
    print(found)
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
