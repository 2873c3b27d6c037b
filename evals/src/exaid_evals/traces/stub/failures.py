"""Planted failures, worded as live ones are."""

from __future__ import annotations

from exaid_evals.traces.stub.sampler import Sampler

_REASONS = (
    "timeout: the model gave no answer within 300 s (round {round})",
    "rate limit: the provider answered 429 to five attempts (round {round})",
    "no termination: 13 rounds without TERMINATE",
    "malformed answer: the supervisor's summary is no JSON (round {round})",
)


def planted_failure(sampler: Sampler, rate: float) -> str | None:
    """Return why the case fails, or None for one that does not; `rate` is the probability of failing."""
    if not sampler.chance(rate):
        return None
    return sampler.pick(_REASONS).format(round=2 + sampler.below(11))
