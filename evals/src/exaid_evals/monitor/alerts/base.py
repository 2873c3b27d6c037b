"""What an alert is, and what a channel is that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from exaid_evals.anomalies.base import Severity


@dataclass(frozen=True, slots=True)
class Alert:
    """One message.

    Attributes:
        run_name: of the training.
        kind: of the anomaly, or `recovery`, `test`.
        metric: that it is about.
        severity: of the anomaly.
        text: what happened, in one line.
        details: the numbers behind it, in one line; may be empty.
        held_back: alerts of this kind about this metric since the last one, which were not sent.
    """

    run_name: str
    kind: str
    metric: str
    severity: Severity
    text: str
    details: str = ""
    held_back: int = 0

    @property
    def subject(self) -> str:
        """The message as a title."""
        return f"[{self.severity}] {self.run_name}: {self.text}"

    @property
    def body(self) -> str:
        """The message as lines."""
        lines = [self.text]
        if self.details:
            lines.append(self.details)
        if self.held_back:
            lines.append(f"{self.held_back} more of these were held back since the last message")
        return "\n".join(lines)


class DeliveryError(Exception):
    """An alert did not arrive. The message says why, and holds neither address nor password."""

    def __init__(self, why: str, *, lasting: bool = False) -> None:
        """Say why."""
        super().__init__(why)
        self.lasting = lasting


class Channel(Protocol):
    """Carries alerts to one place. It may be slow, and may fail: it is called from a thread of its own."""

    @property
    def name(self) -> str:
        """As in messages: `slack_webhook`, `email`."""

    def send(self, alert: Alert) -> None:
        """Deliver an alert within the configured time-out.

        Raises:
            DeliveryError: it did not arrive.
        """
