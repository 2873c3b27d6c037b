"""Back to the best checkpoint."""

from __future__ import annotations

from collections import Counter

from exaid_evals.monitor.recovery.base import Context, Details, Done, rates_text
from exaid_evals.monitor.recovery.restoring import Held, put_back_best
from exaid_evals.monitor.wording import described


class Rollback:
    """Answers a severe anomaly with the best checkpoint's weights and optimiser, its learning rate included.

    Coming back to the same checkpoint means that what went wrong goes wrong from there: each time after the first,
    the learning rate is lowered by a further factor.
    """

    name = "rollback"
    counted = True

    def __init__(self) -> None:
        self._times: Counter[int] = Counter()

    def proposes(self, context: Context) -> str | None:
        """Return the severe anomaly in words."""
        if context.severe is None or not context.actions_left or not context.store.ranked:
            return None
        return described(context.severe)

    def act(self, context: Context) -> Done | None:
        """Load the best checkpoint that can be believed and fits; None where there is none."""
        rates = [rate.get() for rate in context.training_state.rates()]
        sound = context.training_state.sound()  # what holds NaN is nothing to come back to
        held = Held(context.training_state)
        checkpoint = put_back_best(context.training_state, context.store, held)
        if checkpoint is None:
            return None
        again = self._times[checkpoint.number]
        if again:
            try:
                factor = context.config.learning_rate_factor**again
                context.training_state.scale_rates([factor] * len(context.training_state.rates()))
            except Exception:
                held.restore_after_failure()
                raise
        self._times[checkpoint.number] += 1
        details: Details = {
            "checkpoint_step": checkpoint.step,
            "checkpoint_value": checkpoint.value,
            "times_before": again,
            "learning_rate_before": rates_text(rates),
            "learning_rate_after": rates_text([rate.get() for rate in context.training_state.rates()]),
        }
        return Done(details, held.restore if sound else None)
