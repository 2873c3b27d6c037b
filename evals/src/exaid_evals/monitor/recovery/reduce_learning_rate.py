"""A lower learning rate on a plateau."""

from __future__ import annotations

from exaid_evals.monitor.recovery.base import Context, Done, rates_text
from exaid_evals.monitor.wording import described


class ReduceLearningRate:
    """Multiplies every learning rate by `learning_rate_factor`, down to `min_learning_rate`."""

    name = "reduce_learning_rate"
    counted = True

    def proposes(self, context: Context) -> str | None:
        """Return the plateau in words, where a learning rate can still be lowered."""
        if context.plateau is None or context.severe is not None or not context.actions_left:
            return None
        least = context.config.min_learning_rate
        return (
            described(context.plateau) if any(rate.get() > least for rate in context.training_state.rates()) else None
        )

    def act(self, context: Context) -> Done | None:
        """Lower the rates; undoing multiplies them back, so that a schedule's own course stays."""
        before = [rate.get() for rate in context.training_state.rates()]
        least, factor = context.config.min_learning_rate, context.config.learning_rate_factor
        factors = [max(factor, least / rate) if rate > least else 1.0 for rate in before]
        context.training_state.scale_rates(factors)
        after = [rate.get() for rate in context.training_state.rates()]
        return Done(
            {"learning_rate_before": rates_text(before), "learning_rate_after": rates_text(after)},
            lambda: context.training_state.scale_rates([1 / one for one in factors]),
        )
