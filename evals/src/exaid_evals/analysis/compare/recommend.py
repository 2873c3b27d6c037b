"""What to do, as far as the numbers say: each sentence names the number that it follows from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exaid_evals.analysis.compare.collect import setting_text
from exaid_evals.analysis.compare.final_means import FinalMean, Performance, ends_differ
from exaid_evals.analysis.compare.performance import Ranking
from exaid_evals.analysis.compare.stage import Comparator, Comparison
from exaid_evals.analysis.report.sentences import counted, number
from exaid_evals.artifacts.redaction import first_few

ENOUGH = 3
"""Repetitions below which no configuration is recommended."""
_AFFORDABLE = 200
"""Runs a group beyond which "repeat it" is not advice: the difference is too small to matter."""


def verdict(ranking: Ranking) -> str:
    """Return who is best by a metric, whether that is significant, and what speaks against believing it."""
    return " ".join([_verdict(ranking), *_against(ranking)])


def _verdict(ranking: Ranking) -> str:
    first = ranking.first
    if ranking.verdict == "direction_unknown":
        return f"{ranking.metric}: which way it improves is not known; nothing is ranked by it."
    if ranking.verdict == "alone":
        if not ranking.missing:
            return f"{ranking.metric}: {interval(first)} of the one configuration there is."
        n = len(ranking.missing) + 1
        if len(ranking.diverged) == len(ranking.missing):
            return f"{ranking.metric}: {first.group} is best at {interval(first)}, since all others diverged."
        return f"{ranking.metric}: of {n} groups only {first.group} has a level, {interval(first)}."
    second = ranking.rival or first
    both = f"{interval(first)} against {interval(second)} of {second.group}{paired(ranking, second)}"
    if ranking.verdict == "better":
        over = "cases" if first.basis == "cases" else "runs"
        return f"{ranking.metric}: {first.group} is best, {both} ({_counts(first, second)} {over})."
    if ranking.verdict == "ahead":
        return (
            f"{ranking.metric}: {first.group} is ahead, {both}, by more than the noise within the runs; what another "
            "seed would give is not known."
        )
    if first.level.value == second.level.value:
        return f"{ranking.metric}: {first.group} and {second.group} have the same level, {interval(first)}."
    unknown = [
        one.group
        for one in ranking.performances
        if one.group in ranking.tied and one.group not in ranking.leads and None in (first.level.low, one.level.low)
    ]
    alike = [name for name in ranking.tied if name not in unknown]
    names = first_few(alike or unknown, 3, between="; ")
    why = _without_interval(ranking, unknown)
    if not alike:
        return (
            f"{ranking.metric}: {first.group} comes first, but whether it is really better than {names} is not known, "
            f"{why}: {both}."
        )
    second = next(one for one in ranking.performances if one.group == alike[0])
    both = f"{interval(first)} against {interval(second)} of {second.group}{paired(ranking, second)}"
    rest = f" Whether it is better than {first_few(unknown, 3, between='; ')} is not known, {why}." if unknown else ""
    return (
        f"{ranking.metric}: {first.group} comes first, and cannot be told apart from {names} with n = "
        f"{_counts(first, second)}: {both}.{rest}"
    )


def _without_interval(ranking: Ranking, unknown: Sequence[str]) -> str:
    """Return why nothing is known of the first and others: which of them have no interval, from how many runs."""
    lacking = [
        one for one in ranking.performances if one.level.low is None and (one is ranking.first or one.group in unknown)
    ]
    counts = sorted({len(one.values) - one.n_missing for one in lacking})
    runs = "one run each" if counts == [1] else f"n = {' and '.join(map(str, counts))}"
    return f"since there is no interval of {first_few([one.group for one in lacking], 4, between='; ')} ({runs})"


def verdicts(rankings: Sequence[Ranking]) -> list[str]:
    """Return the verdicts about several metrics: those with one verdict about the same groups are one sentence."""
    lines: list[str] = []
    alike: dict[tuple[object, ...], list[str]] = {}
    for ranking in rankings:
        key = (ranking.verdict, ranking.first.group, ranking.tied, ranking.diverged, ranking.missing)
        if key in alike:
            alike[key].append(ranking.metric)
        else:
            alike[key] = []
            lines.append(verdict(ranking))
    same = [(line, names) for line, names in zip(lines, alike.values(), strict=True)]
    return [f"{line} The same goes for {first_few(names, 8)}." if names else line for line, names in same]


def _against(ranking: Ranking) -> list[str]:
    """State what makes numbers doubtful: runs that diverged, and runs that end at other steps."""
    lines = []
    if ranking.diverged:
        lines.append(
            f"Without a level: {first_few(ranking.diverged)}; all their runs end in NaN, infinite or exploded values."
        )
    first, second = ranking.first, ranking.rival
    lines += [
        f"{len(one.diverged)} of {counted(len(one.values), 'run')} of {one.group} "
        f"{'ends' if len(one.diverged) == 1 else 'end'} in NaN, infinite or exploded values and count for nothing."
        for one in (first, second)
        if one is not None and one.diverged
    ]
    if ranking.verdict in ("better", "ahead", "not_told_apart") and second is not None and uneven(first, second):
        lines.append(
            f"Their runs end at different steps ({_ends(first)} and {_ends(second)}), which may be all that differs."
        )
    return lines


def uneven(one: Performance, other: Performance) -> bool:
    """Return whether runs of two groups end at different steps, so that training for longer may be all that differs."""
    ends = (*one.last_step, *other.last_step)
    return one.basis != "cases" and ends_differ(ends)


def _ends(one: Performance) -> str:
    low, high = one.last_step
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def interval(one: Performance) -> str:
    """Return a level with its interval, or with why there is none."""
    if one.level.low is None or one.level.high is None:
        n = len(one.values) - one.n_missing
        why = f"the {n} repetitions are identical" if one.identical else f"n = {n}"
        return f"{number(one.level.value)} (no interval: {why})"
    return f"{number(one.level.value)} [{number(one.level.low)}, {number(one.level.high)}]"


def paired(ranking: Ranking, other: Performance) -> str:
    """Return by how much the first is better than another group over what both have, behind a comma; else nothing."""
    lead = ranking.leads.get(other.group)
    return "" if lead is None else f", better by {spanned(lead)} over {lead.n} pairs"


def spanned(level: FinalMean) -> str:
    """Return a number with its interval, where it has one."""
    if level.low is None or level.high is None:
        return f"{number(level.value)} (no interval: all are the same)"
    return f"{number(level.value)} [{number(level.low)}, {number(level.high)}]"


def recommendations(comparison: Comparison) -> list[str]:
    """Return what to do now, the most pressing first; nothing that the numbers do not bear."""
    found = _choice(comparison) + _repeat(comparison) + _where_to_look(comparison) + _unsteady(comparison)
    if found:
        return found
    if len(comparison.groups) == 1:
        return ["There is one configuration, held against no other, and none of its runs was unsteady."]
    return ["Nothing follows from these numbers: no difference can be told from noise, and no run was unsteady."]


def _choice(comparison: Comparison) -> list[str]:
    ranking = comparison.key_ranking
    if ranking is None:
        return ["Say how a metric improves with --better NAME=higher or NAME=lower: no name tells."]
    if ranking.verdict != "better" or ranking.first.basis != "seeds":
        return []
    first, second = ranking.first, ranking.performances[1]
    n = min(len(one.values) - one.n_missing for one in (first, second))
    if n < ENOUGH:
        return []
    if first.diverged:
        return [
            f"Do not take {first.group} for its {ranking.metric}: {len(first.diverged)} of its "
            f"{counted(len(first.values), 'run')} diverged. Find out why in {first_few(first.diverged, 3)} first."
        ]
    if uneven(first, second):
        return [
            f"Let {first.group} and {second.group} run to the same step before choosing: {first.group} leads in "
            f"{ranking.metric}, but their runs end at {_ends(first)} and {_ends(second)}."
        ]
    gap = abs(first.level.value - second.level.value)
    return [
        f"Take {first.group}: its {ranking.metric} is better by {number(gap)}, {interval(first)} against "
        f"{interval(second)} over {_counts(first, second)} runs{paired(ranking, second)}."
        f"{_set_apart(comparison, first.group, second.group)}"
    ]


def _set_apart(comparison: Comparison, one: str, other: str) -> str:
    """State in which settings two groups differ, and that several at once tell nothing about each."""
    groups = {group.name: group for group in comparison.groups}
    a, b = groups[one].settings, groups[other].settings
    keys = [key for key in comparison.grouping.differing if setting_text(a, key) != setting_text(b, key)]
    if not keys:
        return ""
    shown = first_few([f"{key} ({setting_text(a, key)}, {setting_text(b, key)})" for key in keys], 4)
    if len(keys) == 1:
        return f" They differ in {shown} alone."
    return f" They differ in {len(keys)} settings, {shown}: which of them did it is not told by this."


def _repeat(comparison: Comparison) -> list[str]:
    ranking = comparison.key_ranking
    if ranking is None or ranking.rival is None:
        return []
    first, second = ranking.first, ranking.rival
    known = {one.group: len(one.values) - one.n_missing for one in ranking.performances}
    few = [name for name, n in known.items() if n < ENOUGH]
    if few and first.basis != "cases":
        least = min(known.values())
        return [
            f"Repeat with other seeds before choosing: {len(few)} of {counted(len(known), 'group')} "
            f"{'has' if len(few) == 1 else 'have'} fewer than {ENOUGH} repetitions (the least has {least}), and the "
            "variation between seeds is not known."
        ]
    same = [one.group for one in ranking.performances if one.identical]
    if same and first.basis != "cases":
        return [
            f"See whether the seed has any effect: the repetitions are identical in {ranking.metric} in "
            f"{first_few(same, 3)}, and such values have no interval."
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
    parted = [one for one in comparison.divergence_points if one.metric == ranking.metric and one.step is not None]
    earliest = sorted(parted, key=lambda one: one.step or 0.0)[:3]
    found = []
    for one in earliest:
        others = [
            other.metric
            for other in comparison.divergence_points
            if other.second == one.second and other.step is not None and other.step < (one.step or 0.0)
        ]
        before = f" Parted before that: {', '.join(others[:3])}." if others else ""
        low, high = f"{one.not_before:g}", f"{one.step:g}"
        where = f"step {high}" if low == high else f"steps {low} to {high}"
        found.append(f"Look at {where}: there {one.metric} of {one.first} and {one.second} parts for good.{before}")
    return found


def _unsteady(comparison: Comparison) -> list[str]:
    """Name the run of each configuration that most needs a look, and how many more there are."""
    group_of = {run.name: group.name for group in comparison.groups for run in group.runs}
    found: dict[str, list[tuple[float, str]]] = {}
    for one in comparison.stabilities:
        lasting = [drop for drop in one.recoveries if drop.steps_to_recover is None and drop.watched > 0]
        if lasting:
            drop = max(lasting, key=lambda each: each.watched)
            why = (
                f"{drop.metric} got worse by {number(drop.lost)} at step {drop.step:g} and was not back after "
                f"{drop.watched:g} step{'' if drop.watched == 1 else 's'}"
            )
            weight = -drop.watched
        elif one.not_finite:
            why = f"{one.not_finite} of its values {'is' if one.not_finite == 1 else 'are'} NaN or infinite"
            weight = 0.0
        else:
            continue
        line = f"Analyse {one.run} on its own (exaid-evals analyze): {why}"
        found.setdefault(group_of[one.run], []).append((weight, line))
    notes = []
    for lines in found.values():
        weight, line = min(lines)
        more = len(lines) - 1
        runs = f"{counted(more, 'run')} of its configuration {'is' if more == 1 else 'are'}"
        notes.append((weight, f"{line}; {runs} unsteady too." if more else f"{line}."))
    return [line for _, line in sorted(notes)[:3]]


def _counts(first: Performance, second: Performance) -> str:
    counts = [one.level.n if one.basis == "cases" else len(one.values) - one.n_missing for one in (first, second)]
    return str(counts[0]) if counts[0] == counts[1] else f"{counts[0]} and {counts[1]}"


class ExperimentComparator(Comparator):
    """Compares runs of any experiments: of a list, or of a project by their names."""

    def compare_runs(self, run_names: Sequence[str]) -> dict[str, Any]:
        """Compare runs of the project by their names, and return the findings as plain data.

        Returns:
            `best_performer`: the name of the run that has the best value of the metric that counts, in the best group;
            None where no metric's direction is known. `key_differences`: setting → run → value, of those that differ.
            `performance`: metric → run → value. `stability`: run → anomalies by severity. `recommendations`: sentences,
            which say how sure all this is.

        Raises:
            ConfigError: wrong usage.
            DataError: a run is not there, or fewer than two are named.
        """
        found = self.of(self.read_named(run_names))
        key = found.key_ranking
        differing = found.grouping.differing
        return {
            "best_performer": None if key is None else _best_run(key),
            "key_differences": {key: {run.name: run.settings.get(key) for run in found.runs} for key in differing},
            "performance": {
                one.metric: {run: value for group in one.performances for run, value in group.values.items()}
                for one in found.rankings
            },
            "stability": {one.run: dict(one.anomalies) for one in found.stabilities},
            "recommendations": [*verdicts([key] if key is not None else []), *recommendations(found)],
        }


def _best_run(ranking: Ranking) -> str | None:
    """Return the best run of the best group."""
    sign = 1.0 if ranking.direction == "lower" else -1.0
    values = {run: value for run, value in ranking.first.values.items() if value is not None}
    return min(values, key=lambda run: (sign * values[run], run), default=None)
