"""Back to the best checkpoint."""

from __future__ import annotations

import io
from collections import Counter

from exaid_evals.monitor.recovery.base import Details, Done, Scene, rates_text
from exaid_evals.monitor.recovery.state_file import all_finite, read_state, write_state
from exaid_evals.monitor.wording import described


class Rollback:
    """Answers a severe anomaly with the best checkpoint's weights and optimiser, its learning rate included.

    Coming back to the same checkpoint means that what went wrong goes wrong from there: each time after the first,
    the learning rate is lowered by a further factor.
    """

    name = "rollback"

    def __init__(self) -> None:
        self._times: Counter[int] = Counter()

    def proposes(self, scene: Scene) -> str | None:
        """Return the severe anomaly in words."""
        if scene.severe is None or not scene.actions_left or not scene.store.ranked:
            return None
        return described(scene.severe)

    def act(self, scene: Scene) -> Done | None:
        """Load the best checkpoint that can be believed; None where there is none."""
        found = scene.store.best()
        if found is None:
            return None
        checkpoint, state = found
        before = scene.trainee.state()
        rates = [rate.get() for rate in scene.trainee.rates()]
        again = self._times[checkpoint.number]
        factors = [scene.config.learning_rate_factor**again] * len(rates)
        held = io.BytesIO()
        write_state(held, before)  # a copy: what state_dict() returns is mostly the weights themselves

        def restore() -> None:
            scene.trainee.load(read_state(held.getvalue(), "the state before the rollback"))

        def undo() -> None:
            restore()
            scene.trainee.scale_schedule([1 / factor for factor in factors])

        sound = all_finite(before)  # what holds NaN is nothing to come back to
        try:
            scene.trainee.load(state)
        except Exception:
            restore()  # a state that does not fit may have been put in by half
            raise
        self._times[checkpoint.number] += 1
        scene.trainee.scale_rates(factors)
        details: Details = {
            "checkpoint_step": checkpoint.step,
            "checkpoint_value": checkpoint.value,
            "times_before": again,
            "learning_rate_before": rates_text(rates),
            "learning_rate_after": rates_text([rate.get() for rate in scene.trainee.rates()]),
        }
        return Done(details, undo if sound else None)
