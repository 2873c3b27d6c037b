"""The thread that delivers alerts over one channel, so that no server can delay a training."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time

from exaid_evals.monitor.alerts.base import Alert, Channel, DeliveryError

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
