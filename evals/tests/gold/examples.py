"""Metrics written by hand: three variants with round numbers, a failed case, and something undefined."""

from __future__ import annotations

from exaid_evals.metrics.records import COVERAGE_CURVE, Curve, Estimate, VariantMetrics

SIGNATURE = (
    "exaid-evals/1.0|traces:aaaaaaaa|cfg:bbbbbbbb|concepts:lexicon-1:cccccccc|llm:stub/s_1|boot:10000/42|stub:yes"
)
BUDGETS = (0, 250, 500, 1000, 2000)


def estimate(mean: float | None, width: float = 0.02, *, n: int = 39, n_undefined: int = 0) -> Estimate:
    """Return an estimate of a given mean, with an interval around it."""
    if mean is None:
        return Estimate(None, None, None, None, None, None, None, 0, 39)
    low, high = round(mean - width, 6), round(mean + width, 6)
    return Estimate(mean, round(width * 3, 6), mean, low, high, low, high, n, n_undefined)


def variant(
    name: str, coverages: tuple[float, ...], *, stub: bool = True, signature: str = SIGNATURE
) -> VariantMetrics:
    """Return a variant whose coverage at 0, 250, 500, 1000 and 2000 CTU is given."""
    measures = {
        f"coverage_at_{budget}": estimate(value) for budget, value in zip(BUDGETS[1:], coverages[1:], strict=True)
    }
    measures |= {
        "coverage": estimate(coverages[-1]),
        "coverage_auc": estimate(round(sum(coverages) / 5, 6)),
        "update_count": estimate(9.25, 1),
        "output_ctu": estimate(1234.5, 100),
        "compression": estimate(0.25),
        "time_to_first_update_ms": estimate(2345.678, 120),
        "redundancy_0.85": estimate(0.5),
        "redundancy_0.90": estimate(0.125, n=36, n_undefined=3) if name == "V3" else estimate(None),
        "unsupported": estimate(0.0, 0),
        "concept_delay_ms_p50": estimate(-1.0, 1500),
        "llm_calls": estimate(0.0 if name == "V0" else 12, 0),
        "schema_failure_rate": estimate(0.0, 0),
    }
    curve = Curve(BUDGETS, coverages, [max(0, c - 0.05) for c in coverages], [min(1, c + 0.05) for c in coverages])
    return VariantMetrics(name, 40, 1, stub, signature, measures, {COVERAGE_CURVE: curve})


VARIANTS = [
    variant("V0", (0.0, 0.1, 0.2, 0.4, 0.7)),
    variant("V3", (0.0, 0.5, 0.75, 0.8, 0.825)),
    variant("V10_b", (0.0, 0.5, 0.7, 0.8, 0.825)),
]
