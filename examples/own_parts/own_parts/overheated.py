"""A cause: the GPU was hot when the drop began. `root_cause: {causes: [overheated]}` weighs it beside the others."""

from exaid_evals.analysis.causes.base import Evidence, Hypothesis

LIMIT = 95.0


class Overheated:
    """Looks at `system/gpu_temperature`; weights are about the logarithm of how much more often this is then seen."""

    family = "system"

    def weigh(self, context):
        """Return the hypothesis with what speaks for it, or against."""
        log = context.history.system.get("gpu_temperature")
        hot = [point.step for point in log.points if point.value > LIMIT and context.near(point.step)] if log else []
        found = (
            Evidence(f"the GPU was above {LIMIT:g} °C", 9.0, hot[0]) if hot else Evidence("no heat was logged", -2.0)
        )
        remedy = "Cool the GPU, or lower its power limit, and repeat the run."
        return Hypothesis(
            self.family, "The GPU overheated.", remedy, (found,), () if log else ("the GPU's temperature",)
        )
