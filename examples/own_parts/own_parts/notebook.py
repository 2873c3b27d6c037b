"""A channel of alerts: a file of one's own. `alerts: {channels: [{kind: notebook, path: alerts.txt}]}` adds it."""

from pathlib import Path

from exaid_evals.monitor.alert_channels import DeliveryError


class Notebook:
    """Appends each alert; it is called from a thread of its own, and may be slow."""

    name = "notebook"

    def __init__(self, settings, *, timeout_seconds):
        """Take what stands beside `kind`; whatever is raised here is reported before the training begins."""
        self._path = Path(settings["path"])

    def send(self, alert):
        """Deliver an alert, or say why not."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{alert.subject}\n")
        except OSError as error:
            raise DeliveryError(error.strerror) from None
