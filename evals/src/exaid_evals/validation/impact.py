"""Analyses of hyper-parameters: counts, rates and intervals must agree with each other."""

from __future__ import annotations

from exaid_evals.validation.base import Record
from exaid_evals.validation.single import SingleRecordCheck, number_of


class ImpactCheck(SingleRecordCheck):
    """Holds rates against their counts, estimates against their intervals, and importance against what withholds it."""

    schema = "exaid.impact"
    remedy = "analyse the runs again with `exaid-evals impact`"
    noun = "an analysis"

    def only(self, line: int, record: Record) -> None:
        """Check the analysis."""
        n = len(record["runs"])
        for one in record["correlations"]:
            name = f"{one['parameter']:.80} and {one['outcome']}"
            if one["n"] > n:
                self.found(line, f"{name}: n is {one['n']}, and there are {n} runs")
            if one["low"] is not None and not number_of(one["low"]) <= number_of(one["rho"]) <= number_of(one["high"]):
                self.found(line, f"{name}: ρ lies outside its interval")
            if one["p_adjusted"] is not None and number_of(one["p_adjusted"]) < number_of(one["p"]) * (1 - 1e-3) - 1e-6:
                self.found(line, f"{name}: the adjusted p is less than p")
        for rates in record["rates"]:
            for one in rates["categories"]:
                name = f"{rates['parameter']:.80}, {one['value']:.80}"
                if one["n_anomalous"] > one["n"] or abs(one["n_anomalous"] / one["n"] - number_of(one["rate"])) > 1e-6:
                    self.found(line, f"{name}: the rate is {one['rate']}, of {one['n_anomalous']} in {one['n']}")
                elif not number_of(one["low"]) - 1e-6 <= number_of(one["rate"]) <= number_of(one["high"]) + 1e-6:
                    self.found(line, f"{name}: the rate lies outside its interval")
            if sum(one["n"] for one in rates["categories"]) + rates["n_missing"] != n:
                self.found(line, f"{rates['parameter']:.80}: the categories do not make {n} runs")
        if record["importance"]["withheld"] is not None and record["importance"]["parameters"]:
            self.found(line, "importance is withheld, and is given")
