"""A recovery strategy: a loss that diverges ends the training. `strategies: [stop_on_divergence, rollback]` asks it."""

from exaid_evals.monitor.recovery.strategies import Done


class StopOnDivergence:
    """Proposes to stop where the severe anomaly is a divergence; it uses up none of the actions."""

    name = "stop_on_divergence"
    counted = False

    def proposes(self, context):
        """Return the reason to act now; None where there is none."""
        if context.severe is None or context.severe.kind != "divergence":
            return None
        return f"{context.severe.metric} diverges"

    def act(self, context):
        """Ask the loop to end; nothing is put back."""
        return Done({"at_step": context.step}, stop=True, counted=False)
