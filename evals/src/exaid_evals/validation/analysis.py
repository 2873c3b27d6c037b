"""Analyses of experiments: what they say of drops, shares and the named cause must agree with each other."""

from __future__ import annotations

import math

from exaid_evals.validation.base import Record
from exaid_evals.validation.single import SingleRecordCheck

# Shares are each rounded to 6 decimals.
_TOLERANCE = 1e-5


class AnalysisCheck(SingleRecordCheck):
    """Holds the named cause against the ranking, and drops against best and final values."""

    schema = "exaid.analysis"
    remedy = "analyse the run again with `exaid-evals analyze`"
    noun = "an analysis"

    def only(self, line: int, record: Record) -> None:
        """Check the analysis."""
        cause = record["root_cause"]
        if cause is not None:
            self._cause(line, cause)
        for name, one in record["performance_metrics"].items():
            if one["drop"] is not None and one["best"] is not None:
                lost = one["final"] - one["best"]
                lost = lost if one["direction"] == "lower" else -lost
                if abs(lost - one["drop"]) > 2e-6 + 1e-9 * abs(one["best"]):
                    self.found(line, f"{name:.80}: drop is {one['drop']}, and best and final make {lost:.6f}")

    def _cause(self, line: int, cause: Record) -> None:
        ranked = cause["hypotheses"]
        if cause["named"] != ranked[0]["family"]:
            self.found(line, f"named is {cause['named']}, and the first hypothesis {ranked[0]['family']}")
        shares = [one["share"] for one in ranked]
        if shares != sorted(shares, reverse=True):
            self.found(line, "the hypotheses are not in order of their shares")
        if abs(math.fsum(shares) - 1) > _TOLERANCE:
            self.found(line, f"the shares of the hypotheses add up to {math.fsum(shares):.6f}")
        for one in ranked:
            weights = math.fsum(part["weight"] for part in one["evidence"])
            if abs(weights - one["score"]) > _TOLERANCE and one["evidence"]:
                self.found(line, f"{one['family']}: score is {one['score']}, and its evidence makes {weights:.6f}")
        low, high = cause["interval"]
        if low > high:
            self.found(line, "the interval of the cause ends before it begins")
