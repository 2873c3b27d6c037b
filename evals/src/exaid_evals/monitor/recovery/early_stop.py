"""The end of a training that nothing here can mend."""

from __future__ import annotations

from exaid_evals.monitor.recovery.base import Context, Done
from exaid_evals.monitor.recovery.restoring import Held, put_back_best
from exaid_evals.monitor.wording import described


class EarlyStop:
    """Stops when a severe anomaly comes after the last action, or when the weights are NaN and no checkpoint helps.

    The best checkpoint is put back, if there is one: what the training then returns is the best that it had.
    """

    name = "early_stop"
    counted = False

    def proposes(self, context: Context) -> str | None:
        """Return why the training cannot go on."""
        if context.severe is None:
            return None
        if not context.actions_left:
            return f"{described(context.severe)}, and all {context.config.max_actions} actions are used up"
        rolls_back = "rollback" in context.config.strategies
        if (not rolls_back or not context.store.ranked) and not context.training_state.finite():
            return f"{described(context.severe)}, the weights are not finite, and no checkpoint can be put back"
        return None

    def act(self, context: Context) -> Done | None:
        """Ask for the end, also where the weights cannot be put back."""
        try:
            checkpoint = put_back_best(context.training_state, context.store, Held(context.training_state))
            if checkpoint is None:
                return Done({"restored_step": None}, stop=True, counted=False)
        except Exception as error:  # whatever a model raises: it would go on training what is broken
            return Done({"restored_step": None, "error": type(error).__name__}, stop=True, counted=False)
        return Done({"restored_step": checkpoint.step}, stop=True, counted=False)
