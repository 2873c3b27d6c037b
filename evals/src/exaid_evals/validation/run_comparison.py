"""Comparisons of runs: groups, values and rankings must agree with each other."""

from __future__ import annotations

import math

from exaid_evals.validation.base import Record
from exaid_evals.validation.single import SingleRecordCheck, number_of


class RunComparisonCheck(SingleRecordCheck):
    """Holds each group's value against its runs' values, and each verdict against the intervals."""

    schema = "exaid.run_comparison"
    remedy = "compare the runs again with `exaid-evals compare`"
    noun = "a comparison"

    def only(self, line: int, record: Record) -> None:
        """Check the comparison."""
        runs = [one["run"] for one in record["runs"]]
        grouped = [name for group in record["groups"] for name in group["runs"]]
        if sorted(runs) != sorted(grouped) or len(set(runs)) != len(runs):
            self.found(line, "the groups do not hold every run once")
        for metric in record["metrics"]:
            self._metric(line, metric)

    def _metric(self, line: int, metric: Record) -> None:
        name, performances = metric["metric"], metric["performances"]
        for one in performances:
            values = [number_of(value) for value in one["values"].values() if value is not None]
            if len(values) != one["n_runs"] or len(one["values"]) - len(values) != one["n_missing"]:
                self.found(line, f"{name:.80}: {one['group']:.80} does not have {one['n_runs']} values")
            # Values are rounded to 6 decimals each; those of a single run are the run's own.
            elif len(values) > 1 and abs(math.fsum(values) / len(values) - number_of(one["value"])) > min(
                2e-6, 2e-3 * max(map(abs, values))
            ):
                self.found(line, f"{name:.80}: {one['group']:.80} is {one['value']}, and its runs make another mean")
        if metric["direction"] is None:
            return
        sign = 1 if metric["direction"] == "lower" else -1
        ranked = [sign * number_of(one["value"]) for one in performances]
        if ranked != sorted(ranked):
            self.found(line, f"{name:.80}: the groups are not in order of their values")
        if metric["verdict"] in ("better", "ahead") and metric["tied"]:
            self.found(line, f"{name:.80}: the verdict is {metric['verdict']}, and some are tied with the first")
        for one in performances[1:]:
            apart, lead = one["group"] not in metric["tied"], one.get("behind_first")
            if lead is not None:
                self._lead(line, f"{name:.80}: {one['group']:.80}", lead, apart)
            elif apart and metric["verdict"] != "alone" and not _apart(performances[0], one):
                self.found(line, f"{name:.80}: the intervals of the first and of {one['group']:.80} overlap untold")

    def _lead(self, line: int, name: str, lead: Record, apart: bool) -> None:
        if lead["low"] is None or lead["high"] is None:
            if apart:
                self.found(line, f"{name} counts as told apart, and its difference has no interval")
            return
        low, value, high = (number_of(lead[bound]) for bound in ("low", "value", "high"))
        if not low <= value <= high:
            self.found(line, f"{name}: the difference lies outside its interval")
        # At 0 to six decimals either is right.
        if low != 0 and apart != (low > 0):
            told = "told apart, and its interval holds 0" if apart else "tied, and its interval is above 0"
            self.found(line, f"{name} counts as {told}")


def _apart(one: Record, other: Record) -> bool:
    if None in (one["low"], one["high"], other["low"], other["high"]):
        return False
    bounds = [number_of(each[name]) for each in (one, other) for name in ("low", "high")]
    rounding = min(2e-6, 2e-3 * max(map(abs, bounds)))
    return bounds[0] > bounds[3] - rounding or bounds[2] > bounds[1] - rounding
