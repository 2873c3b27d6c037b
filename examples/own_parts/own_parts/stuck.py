"""A detector: a metric that says the same thing over and over. `anomaly_detection: {detectors: [stuck]}` adds it."""

from exaid_evals.anomalies.base import Anomaly

ENOUGH = 10


class Stuck:
    """Each metric has one of its own, which is reported every value; it says once what it makes certain."""

    name = "stuck"

    def __init__(self, settings):
        self._last, self._since, self._n = None, 0.0, 0

    def update(self, stream, step, worse):
        """Look at the next value; larger is worse."""
        if worse != self._last:
            self._last, self._since, self._n = worse, step, 0
        self._n += 1
        if self._n != ENOUGH:
            return None
        evidence = {"values": ENOUGH}
        return Anomaly(stream.metric, "plateau", self._since, None, "medium", self.name, evidence, (self._since, step))
