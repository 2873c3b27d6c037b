"""`AutoRecoverySystem`: keeps checkpoints, acts on anomalies, and undoes what made things worse."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from exaid_evals.analysis.anomalies.base import SEVERITIES, Anomaly
from exaid_evals.analysis.directions import Direction, direction_of
from exaid_evals.config.base import load_config
from exaid_evals.config.override import Override
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.numbers import number_of
from exaid_evals.monitor.recovery.base import Details, Done, Scene
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.journal import Journal
from exaid_evals.monitor.recovery.judgement import Trial
from exaid_evals.monitor.recovery.persistence import is_over
from exaid_evals.monitor.recovery.ranking import Ranking
from exaid_evals.monitor.recovery.registry import STRATEGIES
from exaid_evals.monitor.recovery.trainee import Trainee
from exaid_evals.monitor.settings import AutoRecoveryConfig, StrategyName

_log = logging.getLogger("exaid_evals.monitor")
_ALL: tuple[StrategyName, ...] = ("rollback", "reduce_learning_rate", "early_stop")
OutcomeName = Literal["kept", "undone", "not_undoable", "superseded", "open"]


@dataclass(frozen=True, slots=True)
class Action:
    """What was done after a step, or undone.

    Attributes:
        index: of its record in the journal.
        step: after which it was done.
        strategy: that did it; `undo` for one that was taken back.
        reason: in words.
        details: as in the journal.
    """

    index: int
    step: float
    strategy: str
    reason: str
    details: Details


class AutoRecoverySystem:
    """Answers anomalies of a training; at most `max_actions` times, with a cool-down, each time in the journal.

    Example:
        >>> recovery = AutoRecoverySystem(folder, ["rollback"], metric="val_accuracy")  # doctest: +SKIP
        >>> recovery.attach(model, optimizer)  # doctest: +SKIP
        >>> recovery.observe(step, metrics, monitor.log_step(step, metrics))  # doctest: +SKIP
    """

    def __init__(
        self,
        checkpoint_dir: Path | str,
        strategies: Sequence[StrategyName] = _ALL,
        *,
        metric: str | None = None,
        direction: Direction | None = None,
        **settings: Any,
    ) -> None:
        """Open the folder; nothing is written before the first checkpoint or action.

        Args:
            checkpoint_dir: of checkpoints and journal.
            strategies: by name, in the order in which they are asked.
            metric: by which checkpoints are ranked and actions judged; None takes the first validation metric that
                comes and whose direction is known.
            direction: in which it improves; None takes it from the name.
            settings: other keys of `auto_recovery` in experiment_config.yaml.

        Raises:
            ConfigError: a setting is wrong, the direction is not known, or the folder holds another training's
                checkpoints.
            DataError: the folder's journal is damaged.
        """
        given = {"checkpoint_dir": Path(checkpoint_dir), "strategies": list(strategies), "metric": metric, **settings}
        overrides = {key: Override(value, "AutoRecoverySystem") for key, value in given.items()}
        self._config = config = load_config(AutoRecoveryConfig, None, overrides).value
        self._ranking = Ranking(metric, direction, resume=config.resume)
        folder = Path(checkpoint_dir)
        self.store = CheckpointStore(
            folder, config.keep_checkpoints, larger_is_worse=self._ranking.sign > 0, resume=config.resume
        )
        self._journal = Journal(folder)
        self._strategies = [STRATEGIES[name]() for name in config.strategies]
        self._trainee: Trainee | None = None
        self._recent: deque[float] = deque(maxlen=config.judge_after)
        self._latest: dict[str, float] = {}
        self._trial: Trial | None = None
        self._severe: Anomaly | None = None
        self._quiet_until = -math.inf
        self._counted = self._journal.n_counted
        self._should_stop = False
        self._latest_step = 0.0

    def attach(self, model: Any, optimizer: Any = None, scheduler: Any = None) -> Self:
        """Say what is trained; see `Trainee`.

        Raises:
            ConfigError: the model has no state that could be taken; no learning rate is found that could be lowered.
        """
        self._trainee = Trainee(model, optimizer, scheduler)
        if "reduce_learning_rate" in self._config.strategies and not self._trainee.rates():
            remedy = "attach the optimiser, or leave reduce_learning_rate out of strategies"
            raise ConfigError("no learning rate is found that could be lowered", where="strategies", remedy=remedy)
        return self

    @property
    def should_stop(self) -> bool:
        """Whether the training is to end; the loop has to ask."""
        return self._should_stop

    @property
    def journal_file(self) -> Path:
        """Where actions are written."""
        return self._journal.path

    def observe(self, step: float, metrics: Mapping[str, Any], anomalies: Sequence[Anomaly] = ()) -> Action | None:
        """Look at a step that was made, and act if there is need.

        Args:
            step: of the training.
            metrics: as logged.
            anomalies: that the monitor found at this step.

        Raises:
            ConfigError: nothing is attached, or its state holds what cannot be kept.
            OSError: the folder cannot be written.
        """
        if self._trainee is None:
            raise ConfigError("nothing is attached", where="AutoRecoverySystem", remedy="call attach(model, optimizer)")
        if self._should_stop:
            return None
        self._latest.update({name: value for name, given in metrics.items() if (value := number_of(given)) is not None})
        self._ranking.settle(self._latest)
        self.store.larger_is_worse = self._ranking.sign > 0
        metric = self._ranking.metric
        value = number_of(metrics.get(metric)) if metric is not None else None
        self._note_severe(anomalies)
        undone = self._judge(step, value)
        if undone is not None:
            return undone
        action = self._act(step, self._trainee, anomalies) if step >= self._quiet_until else None
        if value is not None and metric is not None:
            if action is None and math.isfinite(value):
                self._keep(step, metric, value, self._trainee, anomalies)
            self._recent.append(self._ranking.worse(value))
        return action

    def close(self) -> None:
        """Write what is not known yet of the last action."""
        if self._trial is not None:
            self._end_trial("open", self._latest_step)

    def _note_severe(self, anomalies: Sequence[Anomaly]) -> None:
        """Remember the worst anomaly that asks for an answer; forget one that has passed by itself."""
        if self._severe is not None and is_over(self._severe, self._latest):
            self._severe = None
        asking = [one for one in anomalies if self._is_severe(one)]
        if asking:
            self._severe = max(asking, key=lambda one: SEVERITIES.index(one.severity))

    def _is_severe(self, one: Anomaly) -> bool:
        """A drop of the ranking metric, or what is NaN or has diverged in any metric that measures the training.

        A norm of gradients that is infinite once is ordinary under mixed precision, so metrics without a direction
        ask for nothing.
        """
        if SEVERITIES.index(one.severity) < SEVERITIES.index(self._config.rollback_severity):
            return False
        if one.metric == self._ranking.metric:
            return one.kind in ("sudden_drop", "not_finite", "divergence")
        return one.kind in ("not_finite", "divergence") and direction_of(one.metric) is not None

    def _judge(self, step: float, value: float | None) -> Action | None:
        """Hold the metric since the last action against that before, once there are values enough."""
        self._latest_step = step
        trial = self._trial
        if trial is None or value is None:
            return None
        trial.after.append(self._ranking.worse(value))
        if len(trial.after) < self._config.judge_after:
            return None
        if not trial.worse(self._config.tolerance):
            self._end_trial("kept", step)
            return None
        undo = trial.undo
        if undo is None:
            self._end_trial("not_undoable", step)
            return None
        undo()
        self._end_trial("undone", step)
        self._quiet_until = step + self._config.cooldown_steps
        self._severe = None
        reason = f"{self._ranking.metric} is worse than before {trial.strategy}"
        return Action(trial.index, step, "undo", reason, {"strategy": trial.strategy})

    def _end_trial(self, outcome: OutcomeName, step: float) -> None:
        trial, self._trial = self._trial, None
        assert trial is not None  # noqa: S101 - callers have looked
        self._write_outcome(trial, outcome, step)

    def _write_outcome(self, trial: Trial, outcome: OutcomeName, step: float) -> None:
        before, after = trial.level_before(), trial.level_after()
        self._journal.write(
            "outcome", step=step, action=trial.index, outcome=outcome, metric=self._ranking.metric or "none",
            level_before=self._plain(before), level_after=self._plain(after), n_values=len(trial.after),
        )  # fmt: skip

    def _plain(self, level: float | None) -> float | None:
        return self._ranking.sign * level if level is not None and math.isfinite(level) else None

    def _act(self, step: float, trainee: Trainee, anomalies: Sequence[Anomaly]) -> Action | None:
        """Ask the strategies in their order; the first that does something is the action."""
        plateau = next((one for one in anomalies if one.kind == "plateau" and one.metric == self._ranking.metric), None)
        if self._severe is None and plateau is None:
            return None
        left = self._config.max_actions - self._counted
        scene = Scene(step, self._severe, plateau, left, trainee, self.store, self._config)
        for strategy in self._strategies:
            reason = strategy.proposes(scene)
            if reason is None:
                continue
            try:
                done = strategy.act(scene)
            except Exception as error:  # a state that does not fit raises whatever the model raises
                self._failed(step, strategy.name, reason, error)
                continue
            if done is not None:
                return self._done(step, strategy.name, reason, done)
        return None

    def _failed(self, step: float, strategy: str, reason: str, error: Exception) -> None:
        """Note an attempt; it uses up an action, or it would be made at every step."""
        _log.error("recovery: %s failed at step %g: %s: %s", strategy, step, type(error).__name__, error)
        self._counted += 1
        self._quiet_until = step + self._config.cooldown_steps
        details = {"error": type(error).__name__}
        self._journal.write(
            "action", step=step, strategy=strategy, reason=reason, counted=True, done=False, details=details
        )

    def _done(self, step: float, strategy: str, reason: str, done: Done) -> Action:
        superseded = self._trial if done.counted else None
        index = self._journal.n_records + (superseded is not None)
        # Before anything is written: a full disk must not make the same action come at every step.
        before = tuple(self._before())
        self._severe = None
        self._should_stop = self._should_stop or done.stop
        if done.counted:
            self._counted += 1
            self._quiet_until = step + self._config.cooldown_steps
            self._trial = Trial(index, strategy, before, done.undo)
        if superseded is not None:
            self._write_outcome(superseded, "superseded", step)
        details = dict(done.details)
        self._journal.write(
            "action", step=step, strategy=strategy, reason=reason, counted=done.counted, done=True, details=details
        )
        _log.warning("recovery: %s at step %g, since %s", strategy, step, reason)
        return Action(index, step, strategy, reason, details)

    def _before(self) -> list[float]:
        """Return what an action is held against: the values before it.

        Where there was a drop, that is the latest value alone: those before the drop are what one comes back to. Where
        another metric told of it, the ranking metric may not have been measured since, and says nothing.
        """
        if self._severe is None:
            return list(self._recent)
        latest = self._latest.get(self._severe.metric)
        if latest is None or self._severe.metric != self._ranking.metric:
            return []
        return [self._ranking.worse(latest)]

    def _keep(self, step: float, metric: str, value: float, trainee: Trainee, anomalies: Sequence[Anomaly]) -> None:
        """Keep a checkpoint of a state that is better than every one before, and sound."""
        if self._severe is not None or any(SEVERITIES.index(one.severity) >= 2 for one in anomalies):
            return
        ranked = self.store.ranked
        if ranked and self._ranking.worse(value) >= self._ranking.worse(ranked[0].value):
            return
        state = trainee.state()
        if trainee.finite():
            self.store.save(state, step, metric, value)
