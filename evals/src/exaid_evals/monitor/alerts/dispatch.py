"""From an anomaly to the channels that the configuration names."""

from __future__ import annotations

import atexit
import functools
import logging
import time
import weakref
from collections.abc import Callable

from exaid_evals.anomalies.base import SEVERITIES, Anomaly, Severity, evidence_of
from exaid_evals.artifacts.printable import printable
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.alerts.alert_sender import AlertSender
from exaid_evals.monitor.alerts.base import Alert, Channel
from exaid_evals.monitor.alerts.limiter import Limiter
from exaid_evals.monitor.alerts.mail import MailChannel
from exaid_evals.monitor.alerts.webhook import WebhookChannel
from exaid_evals.monitor.settings import AlertsConfig, ChannelConfig
from exaid_evals.monitor.wording import described

_log = logging.getLogger("exaid_evals.monitor")
_LEVELS = {"low": logging.INFO, "medium": logging.WARNING, "high": logging.ERROR, "critical": logging.CRITICAL}


CHANNELS = Kind("alert channel", "exaid_evals.channels", {})
"""Each part is `build(settings: Mapping, *, timeout_seconds: float) -> Channel`; those that ship have keys of their own
in the configuration."""

_OPEN: weakref.WeakSet[Alerts]


class Alerts:
    """Rate-limits alerts and hands them on: to the log at once, to servers in the background."""

    def __init__(self, config: AlertsConfig, run_name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare the channels; nothing is sent.

        Raises:
            ConfigError: names every channel that cannot be used as it is configured.
        """
        self._config, self._run_name = config, run_name
        self._limiter = Limiter(config.min_interval_seconds, clock)
        self._alert_senders = [AlertSender(channel, config.queue_size) for channel in channels(config)]
        self._closed = False
        # One that is forgotten leaves no thread behind, and one that is there at the end of the program is closed.
        weakref.finalize(self, _leave, self._alert_senders).atexit = False
        _OPEN.add(self)

    def anomaly(self, one: Anomaly) -> None:
        """Tell of an anomaly, if it is severe enough."""
        self._tell(one.kind, one.metric, one.severity, described(one), evidence_of(one))

    def notice(self, kind: str, metric: str, severity: Severity, text: str) -> None:
        """Tell of something that was done."""
        self._tell(kind, metric, severity, text, "")

    def _tell(self, kind: str, metric: str, severity: Severity, text: str, details: str) -> None:
        if self._closed or SEVERITIES.index(severity) < SEVERITIES.index(self._config.min_severity):
            return
        held = self._limiter.admit((kind, metric))
        if held is None:
            return
        self._deliver(Alert(self._run_name, kind, metric, severity, printable(text), printable(details), held))

    def _deliver(self, alert: Alert) -> None:
        if self._config.log:
            _log.log(_LEVELS[alert.severity], "%s: %s", printable(alert.run_name), alert.body.replace("\n", "; "))
        taken = [alert_sender.submit(alert) for alert_sender in self._alert_senders]
        if taken and not any(taken):
            self._limiter.give_back((alert.kind, alert.metric), 1 + alert.held_back)

    def close(self) -> None:
        """State how many alerts were held back, deliver what is queued until the deadline, and count what was lost."""
        if self._closed:
            return
        self._closed = True
        _OPEN.discard(self)
        held = self._limiter.held()
        if held:
            text = f"{held} alerts were held back since the last messages of their kind"
            self._deliver(Alert(self._run_name, "held_back", "", "low", text))
        # One deadline for all: each channel has its own thread.
        end = time.monotonic() + self._config.close_seconds
        for alert_sender in self._alert_senders:
            alert_sender.close(max(0.0, end - time.monotonic()))
            if alert_sender.failed or alert_sender.dropped:
                why = f" ({alert_sender.last_failure})" if alert_sender.last_failure else ""
                _log.warning(
                    "%s: %d alerts sent, %d failed%s, %d dropped",
                    alert_sender.channel.name, alert_sender.sent, alert_sender.failed, why, alert_sender.dropped,
                )  # fmt: skip


def _leave(alert_senders: list[AlertSender]) -> None:
    for alert_sender in alert_senders:
        alert_sender.leave()


@atexit.register
def _close_all() -> None:
    """Deliver what is queued where a program does not close its monitor: the last alert is the one that counts."""
    for alerts in list(_OPEN):
        alerts.close()


_OPEN = weakref.WeakSet()


def channels(config: AlertsConfig) -> list[Channel]:
    """Return the channels to servers that the configuration names.

    Raises:
        ConfigError: names every one that cannot be used.
    """
    found: list[Channel] = []
    problems: list[ConfigError] = []
    others = (functools.partial(_other, one=one, where=f"alerts.channels.{n}") for n, one in enumerate(config.channels))
    makers: list[Callable[[AlertsConfig], Channel | None]] = [_webhook, _mail, *others]
    for make in makers:
        try:
            channel = make(config)
        except ConfigError as error:
            problems.append(error)
        else:
            found += [channel] if channel is not None else []
    if problems:
        raise ConfigError.of(problems)
    return found


def _webhook(config: AlertsConfig) -> Channel | None:
    if not config.slack_webhook:
        return None
    private = config.allow_private_addresses
    return WebhookChannel(config.slack_webhook, config.timeout_seconds, allow_private=private)


def _mail(config: AlertsConfig) -> Channel | None:
    return MailChannel(config.email, config.timeout_seconds) if config.email else None


def _other(config: AlertsConfig, *, one: ChannelConfig, where: str) -> Channel:
    try:
        channel: Channel = CHANNELS.build(one.kind, one.settings, timeout_seconds=config.timeout_seconds)
    except ConfigError as error:
        raise ConfigError(error.what, where=error.where or where, remedy=error.remedy) from error
    return channel
