"""`TrainingMonitor`: what a training loop gives its metrics, step by step."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from exaid_evals.anomalies.base import Anomaly, Severity
from exaid_evals.anomalies.watches import MOST_METRICS, Watches
from exaid_evals.artifacts.redaction import printable
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.alerts import Alerts
from exaid_evals.monitor.history_log import evidence_with, history_log, log_batch, number_of, row_of
from exaid_evals.monitor.recovery.system import Action, AutoRecoverySystem
from exaid_evals.monitor.settings import ExperimentConfig, MonitoringConfig, monitoring_of
from exaid_evals.monitor.stall import StallWatch, Thresholds, with_thresholds

_log = logging.getLogger("exaid_evals.monitor")
_REMEMBERED = 1000
"""Anomalies, and values of each metric, that are remembered; `counts` has all anomalies."""


class TrainingMonitor:
    """Returns anomalies as they happen, alerts about them, and lets the recovery act, if there is one.

    Nothing that a training loop hands over, and nothing that happens to a disk or a server, makes `log_step` raise:
    what goes wrong is counted in `problems` and logged once. Only the constructor and `attach` raise, before
    any work. Memory is bounded per metric, whatever the number of steps.

    Attributes:
        anomalies: the last thousand.
        counts: (kind, severity) → anomalies so far.
        problems: what → how often: `not a number: <metric>`, `history: …`, `recovery: …`.
        last_action: of the recovery.
    """

    def __init__(
        self,
        config: MonitoringConfig | ExperimentConfig | Mapping[str, Any] | Path | str | None = None,
        *,
        alert_thresholds: Mapping[str, float] | None = None,
        run_name: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        watch_stalls: bool = True,
    ) -> None:
        """Prepare; nothing is written or sent before the first step.

        Args:
            config: settings, the path of experiment_config.yaml, or a mapping as `monitoring_of` takes it; None takes
                the defaults.
            alert_thresholds: metric → the limit beyond which a value is reported, besides those of the configuration.
            run_name: in alerts, and of the history's folder; None takes the configuration's, else `run`.
            clock: seconds, monotonic.
            watch_stalls: whether a daemon thread looks for a training that has stopped making steps.

        Raises:
            ConfigError: names everything that is wrong: keys, values, variables of secrets that are not set; or another
                training goes on in the history that is to be resumed.
        """
        self.config, named = monitoring_of(config)
        if alert_thresholds:
            self.config = with_thresholds(self.config, alert_thresholds)
        self.run_name = run_name = run_name or named or "run"
        self._alerts = Alerts(self.config.alerts, run_name, clock=clock)
        self._lock = threading.RLock()
        self._watches = Watches(self.config.anomaly_detection, metrics=self.config.anomaly_detection.metrics)
        self._thresholds = Thresholds(self.config.anomaly_detection)
        self._recent: dict[str, array[float]] = {}
        self._latest_step = 0.0
        self.anomalies: deque[Anomaly] = deque(maxlen=_REMEMBERED)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.problems: Counter[str] = Counter()
        self.last_action: Action | None = None
        self._recovery: AutoRecoverySystem | None = None
        self._stalls: deque[Anomaly] = deque(maxlen=_REMEMBERED)
        self._history = history_log(self.config, run_name)
        self._n_calls = 0
        self._closed = self._finished = False
        self._stall = StallWatch(self.config.anomaly_detection, clock, weakref.WeakMethod(self._stalled))
        self._watches_stalls = watch_stalls and self.config.enable_real_time_analysis

    def attach(
        self, model: Any, optimizer: Any = None, scheduler: Any = None, parts: Mapping[str, Any] | None = None
    ) -> Self:
        """Let the recovery act on this training, as far as `auto_recovery.enable` says so.

        Args:
            model: has state_dict() and load_state_dict().
            optimizer: as PyTorch's, or with a learning rate as an attribute.
            scheduler: of the learning rate.
            parts: name → what else a rollback puts back: a gradient scaler, generators of random numbers.

        Raises:
            ConfigError: something has no state that could be taken, the folder of checkpoints is another training's, or
                it is not known how the ranking metric improves.
        """
        settings = self.config.auto_recovery
        if settings.enable:
            self._close_recovery()  # what was attached before has the folder
            self._recovery = None
            given = settings.model_dump(exclude={"enable", "checkpoint_dir", "strategies", "metric"})
            self._recovery = AutoRecoverySystem(
                self._checkpoint_dir(), settings.strategies, metric=settings.metric,
                directions=self.config.anomaly_detection.directions, **given,
            ).attach(model, optimizer, scheduler, parts)  # fmt: skip
            self._report_actions_of(self._recovery)
        return self

    def _checkpoint_dir(self) -> Path:
        configured = self.config.auto_recovery.checkpoint_dir
        if configured is not None or self._history is None:
            return configured or Path("checkpoints")
        try:
            self._history.reserve()  # another training of this name must not take the same folder
        except OSError as error:
            remedy = "name a folder that can be written, as auto_recovery.checkpoint_dir or reporting.log_dir"
            raise ConfigError(
                f"cannot be made ({error.strerror})", where=str(self._history.path), remedy=remedy
            ) from None
        return self._history.path.parent / "checkpoints"

    @property
    def should_stop(self) -> bool:
        """Whether the recovery asks for the end of the training."""
        return self._recovery is not None and self._recovery.should_stop

    @property
    def history_file(self) -> Path | None:
        """The history that is written; None where there is none."""
        return self._history.path if self._history is not None else None

    @property
    def reported_problems(self) -> list[str]:
        """What went wrong, with counts, as lines."""
        return [f"{what} ({count} times)" for what, count in self.problems.items()]

    def log_step(
        self, step: float, metrics: Mapping[str, Any], batch_info: Mapping[str, Any] | None = None
    ) -> list[Anomaly]:
        """Take the metrics of a step, and return the anomalies that they make certain, and stalls since the last call.

        Args:
            step: of the training. What is not a number is replaced by the count of calls, and counted.
            metrics: name → number, tensor of one element, …; what is not a number is left out, and counted.
            batch_info: `batch_idx`, `items`, `profile`, `phase`, as `log_batch_metrics` takes them: they stand in the
                evidence of the anomalies, and in the batch log beside the history.
        """
        try:
            with self._lock:  # an evaluation may have a thread of its own
                return self._logged(step, metrics, batch_info)
        except Exception as error:  # a monitor must never be what ends a training
            self._problem(f"monitor: {type(error).__name__}: {error}")
            return []

    def _logged(self, step: float, metrics: Mapping[str, Any], batch_info: Mapping[str, Any] | None) -> list[Anomaly]:
        at = number_of(step)
        if at is None or at - at != 0:  # NaN and infinity differ from themselves
            self._problem("step: not a number")
            at = float(self._n_calls)
        self._n_calls += 1
        self._stall.step(at)
        if self._watches_stalls:
            self._stall.start()
        if batch_info is not None and not isinstance(batch_info, Mapping):
            self._problem(f"batch_info: a {type(batch_info).__name__} is not a mapping")
            batch_info = None
        row = row_of(metrics, self._problem)
        self._latest_step = at
        for name, value in row.items():
            self._remember(name, value)
        found = self.detect_real_time_anomalies(row)
        while self._stalls:
            found.append(self._stalls.popleft())
        if batch_info is not None and found:
            found = self._named(batch_info, found)
        self._write(at, row, batch_info)
        if found:
            self.handle_anomalies(at, found, batch_info)
        if self._recovery is not None:
            self._recover(self._recovery, at, row, found)
        return found

    def detect_real_time_anomalies(self, current_metrics: Mapping[str, float]) -> list[Anomaly]:
        """Return what the values of the step that is being logged make certain; a subclass may add to that.

        Args:
            current_metrics: metric → number; each is taken into account, so that `log_step` calls this once a step.
        """
        if not self.config.enable_real_time_analysis:
            return []
        found = self._watches.update(self._latest_step, current_metrics, self._problem)
        return found + self._thresholds.beyond(self._latest_step, current_metrics)

    def handle_anomalies(
        self, step: float, anomalies: Sequence[Anomaly], batch_info: Mapping[str, Any] | None = None
    ) -> None:
        """Count the anomalies of a step, and alert about them; a subclass may do more.

        Args:
            step: that was logged.
            anomalies: that `log_step` is about to return; of a stall the alert has gone out already.
            batch_info: as logged.
        """
        for one in anomalies:
            if one.kind != "stall":
                self.report(one)

    @property
    def metric_history(self) -> dict[str, list[float]]:
        """The last thousand values of each metric, as they were logged."""
        return defaultdict(list, {name: list(values[-_REMEMBERED:]) for name, values in self._recent.items()})

    def _remember(self, name: str, value: float) -> None:
        if name not in self._recent:
            if len(self._recent) >= MOST_METRICS:
                return
            self._recent[name] = array("d")
        values = self._recent[name]
        values.append(value)
        if len(values) >= 2 * _REMEMBERED:
            del values[:_REMEMBERED]

    def _named(self, batch_info: Mapping[str, Any], found: list[Anomaly]) -> list[Anomaly]:
        try:
            return [evidence_with(batch_info, one) for one in found]
        except Exception as error:  # an item of any form; the anomalies are there all the same
            self._problem(f"batch_info: {type(error).__name__}")
            return found

    def report(self, one: Anomaly) -> None:
        """Count an anomaly, and alert about it."""
        self.anomalies.append(one)
        self.counts[one.kind, one.severity] += 1
        self._alerts.anomaly(one)

    def _stalled(self, one: Anomaly) -> None:
        """Report a stall at once, from the watching thread; the next step returns it too."""
        self.report(one)
        self._stalls.append(one)

    def _write(self, step: float, row: Mapping[str, float], batch_info: Mapping[str, Any] | None) -> None:
        if self._history is None:
            return
        try:
            self._history.write(step, {name: value for name, value in row.items() if name != "step"})
            if batch_info is not None:
                log_batch(self._history.path.parent, step, row, batch_info)
        except Exception as error:  # a full disk, or a batch_info of any form
            self._problem(f"history: {error}")

    def _recover(
        self, recovery: AutoRecoverySystem, step: float, row: Mapping[str, float], found: list[Anomaly]
    ) -> None:
        try:
            action = recovery.observe(step, row, found)
        except Exception as error:  # a checkpoint that cannot be written must not end a training
            self._problem(f"recovery: {error}")
            return
        finally:
            self._report_actions_of(recovery)
        if action is not None:
            self.last_action = action
            severity: Severity = "critical" if recovery.should_stop else "high"
            text = f"{action.strategy.replace('_', ' ')} at step {step:g}, since {action.reason}"
            self._alerts.notice(f"recovery {action.strategy}", "", severity, text)

    def _report_actions_of(self, recovery: AutoRecoverySystem) -> None:
        for what in recovery.new_problems():
            self._problem(f"recovery: {what}", logged=True)

    def _problem(self, what: str, *, logged: bool = False) -> None:
        if what not in self.problems and len(self.problems) >= _REMEMBERED:
            what = "others"
        self.problems[what] += 1
        if self.problems[what] == 1 and not logged:
            _log.warning("%s: %s; further ones are only counted", printable(self.run_name), printable(what))

    def finish(self) -> list[Anomaly]:
        """Return what the end of the training makes certain: a fall that no further value can confirm."""
        with self._lock:
            if self._finished or not self.config.enable_real_time_analysis:
                return []
            self._finished = True
            found = self._watches.finish()
            for one in found:
                self.report(one)
            return found

    def close(self) -> None:
        """End the watch, deliver what is queued (until the deadline), and write the report if that is configured."""
        if self._closed:
            return
        self._closed = True
        self._stall.stop()
        for part, end in (
            ("monitor", self.finish),
            ("recovery", self._close_recovery),
            ("history", self._close_history),
            ("alerts", self._alerts.close),
        ):
            try:
                end()
            except Exception as error:  # nor may closing end a program that has trained for days
                self._problem(f"{part}: {error}")

    def _close_recovery(self) -> None:
        if self._recovery is not None:
            self._recovery.close()
            self._report_actions_of(self._recovery)

    def _close_history(self) -> None:
        if self._history is None:
            return
        self._history.close()
        if self.config.reporting.auto_generate_reports and self._n_calls:
            from exaid_evals.monitor.history_log import write_run_report

            folder = write_run_report(self._history.path, self.config)
            _log.info("%s: wrote %s", self.run_name, folder)

    def __enter__(self) -> Self:
        """Return the monitor."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
