"""A lower learning rate on a plateau."""

from __future__ import annotations

from exaid_evals.monitor.recovery.base import Done, Scene, rates_text
from exaid_evals.monitor.wording import described


class ReduceLearningRate:
    """Multiplies every learning rate by `learning_rate_factor`, down to `min_learning_rate`."""

    name = "reduce_learning_rate"
    counted = True

    def proposes(self, scene: Scene) -> str | None:
        """Return the plateau in words, where a learning rate can still be lowered."""
        if scene.plateau is None or scene.severe is not None or not scene.actions_left:
            return None
        least = scene.config.min_learning_rate
        return described(scene.plateau) if any(rate.get() > least for rate in scene.trainee.rates()) else None

    def act(self, scene: Scene) -> Done | None:
        """Lower the rates; undoing multiplies them back, so that a schedule's own course stays."""
        before = [rate.get() for rate in scene.trainee.rates()]
        least, factor = scene.config.min_learning_rate, scene.config.learning_rate_factor
        factors = [max(factor, least / rate) if rate > least else 1.0 for rate in before]
        scene.trainee.scale_rates(factors)
        after = [rate.get() for rate in scene.trainee.rates()]
        return Done(
            {"learning_rate_before": rates_text(before), "learning_rate_after": rates_text(after)},
            lambda: scene.trainee.scale_rates([1 / one for one in factors]),
        )
