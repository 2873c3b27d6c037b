"""From an anomaly to the channels: how often it is reported, and the threads that deliver it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Hashable

from exaid_evals.anomalies.base import SEVERITIES, Anomaly, Severity, described, evidence_of
from exaid_evals.artifacts.redaction import printable
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.alert_channels import Alert, Channel, DeliveryError, MailChannel, WebhookChannel
from exaid_evals.monitor.settings import AlertsConfig, ChannelConfig


class Limiter:
    """Lets the first of its key pass, and the next only after an interval; counts those between."""

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        """Make a limiter.

        Args:
            interval: seconds.
            clock: seconds, monotonic.
        """
        self._interval, self._clock = interval, clock
        self._sent: dict[Hashable, float] = {}
        self._held: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def admit(self, key: Hashable) -> int | None:
        """Return how many of this key were held back since the last that passed; None where this one is too."""
        now = self._clock()
        with self._lock:
            last = self._sent.get(key)
            if last is not None and now - last < self._interval:
                self._held[key] = self._held.get(key, 0) + 1
                return None
            self._sent[key] = now
            return self._held.pop(key, 0)

    def give_back(self, key: Hashable, count: int) -> None:
        """Count what had passed and could not be sent all the same."""
        with self._lock:
            self._held[key] = self._held.get(key, 0) + count

    def held(self) -> int:
        """Return how many are held back now."""
        with self._lock:
            return sum(self._held.values())


_log = logging.getLogger("exaid_evals.monitor")
_PAUSES = (0.5, 2.0)
"""Seconds before the second and the third attempt."""


class AlertSender:
    """A bounded queue and a daemon thread. `submit` never waits; `close` waits until its deadline and no longer.

    The thread begins with the first alert, also in a forked process, which has none of its parent's threads.
    """

    def __init__(self, channel: Channel, size: int) -> None:
        self.channel = channel
        self.sent = self.failed = self.dropped = 0
        self.last_failure: str | None = None
        self._size = size
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._queue: queue.Queue[Alert | None] = queue.Queue(self._size)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, alert: Alert) -> bool:
        """Take an alert for delivery; False where the queue is full, and the alert is counted as dropped."""
        if self._owner != os.getpid():
            self._begin()  # a lock of the parent's queue may be held for ever here
        try:
            self._queue.put_nowait(alert)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name=f"exaid-alerts-{self.channel.name}", daemon=True
                )
                self._thread.start()
        except (queue.Full, RuntimeError):  # no thread begins while the interpreter ends
            self.dropped += 1
            return False
        return True

    def close(self, seconds: float) -> None:
        """Deliver what is queued, as far as the time goes; what is left then is counted as dropped."""
        thread = self._thread
        if thread is None or self._owner != os.getpid():
            return
        deadline = time.monotonic() + seconds
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=seconds)
        # Pauses between attempts are cut short now: a last attempt is worth more than a polite one.
        self._closing.set()
        if thread.ident is not None:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            self.dropped += max(1, self._queue.qsize())

    def leave(self) -> None:
        """Let the thread deliver what is queued, and end; nobody waits for it."""
        if self._thread is not None and self._owner == os.getpid():
            self._closing.set()
            if self._queue.full():
                with contextlib.suppress(queue.Empty):
                    self._queue.get_nowait()
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(None)

    def _work(self) -> None:
        while (alert := self._queue.get()) is not None:
            try:
                self._deliver(alert)
            except Exception as error:  # a channel's bug must not end the thread
                self._failed(type(error).__name__)

    def _deliver(self, alert: Alert) -> None:
        for pause in (*_PAUSES, None):
            try:
                self.channel.send(alert)
            except DeliveryError as error:
                if error.lasting or pause is None:
                    self._failed(str(error))
                    return
                self._closing.wait(pause)
            else:
                self.sent += 1
                return

    def _failed(self, why: str) -> None:
        self.failed += 1
        self.last_failure = why
        if self.failed == 1:
            _log.warning("an alert did not reach %s: %s; further ones are only counted", self.channel.name, why)


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
        """Alert about an anomaly, if it is severe enough."""
        self._alert(one.kind, one.metric, one.severity, described(one), evidence_of(one))

    def notice(self, kind: str, metric: str, severity: Severity, text: str) -> None:
        """Alert about something that was done."""
        self._alert(kind, metric, severity, text, "")

    def _alert(self, kind: str, metric: str, severity: Severity, text: str, details: str) -> None:
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
