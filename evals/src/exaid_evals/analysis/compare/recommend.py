"""What to do, as far as the numbers say: each sentence names the number that it follows from."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.compare.configuration import setting_text
from exaid_evals.analysis.compare.performance import Performance, Ranking
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.sentences import number

ENOUGH = 3
"""Repetitions below which no configuration is recommended."""
_AFFORDABLE = 200
"""Runs a group beyond which "repeat it" is no advice: the difference is too small to matter."""


def verdict(ranking: Ranking) -> str:
    """Return a sentence on who is best by a metric, and whether that can be told."""
    first = ranking.first
    if ranking.verdict == "direction_unknown":
        return f"{ranking.metric}: which way it improves is not known; nothing is ranked by it."
    if ranking.verdict == "alone":
        return f"{ranking.metric}: only {first.group} has it ({interval(first)})."
    second = ranking.rival or first
    both = f"{interval(first)} against {interval(second)} of {second.group}"
    if ranking.verdict == "better":
        over = "cases" if first.basis == "cases" else "runs"
        return f"{ranking.metric}: {first.group} is best, {both} ({_counts(first, second)} {over})."
    if ranking.verdict == "ahead":
        return (
            f"{ranking.metric}: {first.group} is ahead, {both}, by more than the noise within the runs; what another "
            "seed would give is not known."
        )
    names = _named(ranking.tied)
    return (
        f"{ranking.metric}: {first.group} comes first, and cannot be told apart from {names} with n = "
        f"{_counts(first, second)} ({both})."
    )


def interval(one: Performance) -> str:
    """Return a level with its interval, or with why there is none."""
    if one.level.low is None or one.level.high is None:
        return f"{number(one.level.value)} (no interval: n = {len(one.values) - one.n_missing})"
    return f"{number(one.level.value)} [{number(one.level.low)}, {number(one.level.high)}]"


def recommendations(comparison: Comparison) -> list[str]:
    """Return what to do now, the most pressing first; nothing that the numbers do not bear."""
    found = _choice(comparison) + _repeat(comparison) + _where_to_look(comparison) + _unsteady(comparison)
    return found or [
        "Nothing follows from these numbers: no difference can be told from noise, and no run was unsteady."
    ]


def _choice(comparison: Comparison) -> list[str]:
    ranking = comparison.key_ranking
    if ranking is None:
        return ["Say which metric counts with --primary-metric and --better: no name tells which way it improves."]
    if ranking.verdict != "better" or ranking.first.basis != "seeds":
        return []
    first, second = ranking.first, ranking.performances[1]
    n = min(len(one.values) - one.n_missing for one in (first, second))
    if n < ENOUGH:
        return []
    gap = abs(first.level.value - second.level.value)
    return [
        f"Take {first.group}: its {ranking.metric} is better by {number(gap)}, {interval(first)} against "
        f"{interval(second)} over {_counts(first, second)} runs.{_set_apart(comparison, first.group, second.group)}"
    ]


def _set_apart(comparison: Comparison, one: str, other: str) -> str:
    """Say in which settings two groups differ, and that several at once tell nothing about each."""
    groups = {group.name: group for group in comparison.groups}
    a, b = groups[one].settings, groups[other].settings
    keys = [key for key in comparison.grouping.differing if setting_text(a, key) != setting_text(b, key)]
    if not keys:
        return ""
    listed = ", ".join(f"{key} ({setting_text(a, key)}, {setting_text(b, key)})" for key in keys[:4])
    if len(keys) == 1:
        return f" They differ in {listed} alone."
    more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
    return f" They differ in {len(keys)} settings, {listed}{more}: which of them did it is not told by this."


def _repeat(comparison: Comparison) -> list[str]:
    ranking = comparison.key_ranking
    if ranking is None or ranking.rival is None:
        return []
    first, second = ranking.first, ranking.rival
    few = [one for one in ranking.performances if one.basis in ("within_run", "none") or len(one.values) < ENOUGH]
    if few and first.basis != "cases":
        least = min(len(one.values) - one.n_missing for one in few)
        return [
            f"Repeat with other seeds before choosing: {len(few)} of {len(ranking.performances)} groups have fewer "
            f"than {ENOUGH} repetitions (the least has {least}), and the variation between seeds is not known."
        ]
    if ranking.needed is not None:
        gap = number(abs(first.level.value - second.level.value))
        if ranking.needed > _AFFORDABLE:
            return [
                f"Choose between {first.group} and {second.group} by cost: to tell a difference of {gap} in "
                f"{ranking.metric} apart would take about {ranking.needed} runs of each."
            ]
        return [
            f"For telling {first.group} and {second.group} apart, if their {ranking.metric} really differs by {gap}, "
            f"about {ranking.needed} runs of each are needed (there are {_counts(first, second)})."
        ]
    return []


def _where_to_look(comparison: Comparison) -> list[str]:
    ranking = comparison.key_ranking
    if ranking is None:
        return []
    parted = [one for one in comparison.partings if one.metric == ranking.metric and one.step is not None]
    earliest = sorted(parted, key=lambda one: one.step or 0.0)[:3]
    found = []
    for one in earliest:
        others = [
            other.metric
            for other in comparison.partings
            if other.second == one.second and other.step is not None and other.step < (one.step or 0.0)
        ]
        before = f" Parted before that: {', '.join(others[:3])}." if others else ""
        found.append(
            f"Look at steps {one.not_before:g} to {one.step:g}: there {one.metric} of {one.first} and {one.second} "
            f"parts for good.{before}"
        )
    return found


def _unsteady(comparison: Comparison) -> list[str]:
    found: list[tuple[float, str]] = []
    for one in comparison.stabilities:
        lasting = [drop for drop in one.recoveries if drop.steps_to_recover is None]
        if lasting:
            drop = max(lasting, key=lambda each: each.watched)
            found.append(
                (
                    -drop.watched,
                    f"Analyse {one.run} on its own (exaid-evals analyze): {drop.metric} lost {number(drop.lost)} at "
                    f"step {drop.step:g} and had not won it back after {drop.watched:g} steps.",
                )
            )
        elif one.not_finite:
            found.append((0.0, f"Analyse {one.run} on its own: {one.not_finite} of its values are NaN or infinite."))
    return [text for _, text in sorted(found)[:3]]


def _counts(first: Performance, second: Performance) -> str:
    counts = [one.level.n if one.basis == "cases" else len(one.values) - one.n_missing for one in (first, second)]
    return str(counts[0]) if counts[0] == counts[1] else f"{counts[0]} and {counts[1]}"


def _named(names: Sequence[str]) -> str:
    listed = "; ".join(names[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed
