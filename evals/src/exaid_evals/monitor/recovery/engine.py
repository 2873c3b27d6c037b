"""The recovery that looks at each step: keeps checkpoints, acts on anomalies, and undoes what made things worse."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.config.base import load_config
from exaid_evals.config.request import Override
from exaid_evals.errors import ConfigError, ExaidError
from exaid_evals.monitor.history_log import number_of
from exaid_evals.monitor.locking import FolderLock
from exaid_evals.monitor.recovery.alarm import Alarm, Ranking
from exaid_evals.monitor.recovery.checkpoints import CheckpointPolicy, CheckpointStore
from exaid_evals.monitor.recovery.journal import Records
from exaid_evals.monitor.recovery.strategies import Action, ActionOutcome, Context, Done, OutcomeName, Strategy
from exaid_evals.monitor.recovery.training_state import TrainingState, attached
from exaid_evals.monitor.settings import STRATEGIES, AutoRecoveryConfig
from exaid_evals.runs.metric_names import Direction

_log = logging.getLogger("exaid_evals.monitor")


class RecoveryEngine:
    """Answers anomalies of a training; at most `max_actions` times, with a cool-down, each time in the journal."""

    def __init__(
        self,
        checkpoint_dir: Path | str,
        strategies: Sequence[str] = tuple(STRATEGIES),
        *,
        metric: str | None = None,
        direction: Direction | None = None,
        directions: Mapping[str, Direction] | None = None,
        **settings: Any,
    ) -> None:
        """Open the folder; nothing is written before the first checkpoint or action.

        Args:
            checkpoint_dir: of checkpoints and journal.
            strategies: by name, in the order in which they are asked.
            metric: by which checkpoints are ranked and actions judged; None takes the first validation metric that
                comes and whose direction is known.
            direction: in which it improves; None takes it from `directions` or the name.
            directions: of metrics whose name does not tell, or tells wrongly.
            settings: other keys of `auto_recovery` in experiment_config.yaml.

        Raises:
            ConfigError: a setting is wrong, the direction is not known, or the folder is another training's: one that
                goes on, or one that left checkpoints or a journal.
            DataError: the folder's journal is damaged.
        """
        given = {"checkpoint_dir": Path(checkpoint_dir), "strategies": list(strategies), "metric": metric, **settings}
        overrides = {key: Override(value, "AutoRecoverySystem") for key, value in given.items()}
        self._config = config = load_config(AutoRecoveryConfig, None, overrides).value
        known = {**(directions or {}), **({metric: direction} if metric and direction else {})}
        self._ranking = Ranking(metric, known, resume=config.resume)
        folder = Path(checkpoint_dir)
        self._folder_lock = FolderLock(folder)
        self._folder_lock.take(make=False)
        try:
            self.store = CheckpointStore(
                folder, config.keep_checkpoints, larger_is_worse=self._ranking.sign > 0, resume=config.resume,
                metric=metric,
            )  # fmt: skip
            self._records = Records(folder, self.store, resume=config.resume)
        except ExaidError:
            self._folder_lock.release()  # whoever holds the exception holds this object, and with it the folder
            raise
        self._strategies: list[Strategy] = [STRATEGIES.build(name) for name in config.strategies]
        self._training_state: TrainingState | None = None
        self._recent: deque[float] = deque(maxlen=config.judge_after)
        self._alarm = Alarm(config, self._ranking, known)
        self._checkpoint_policy = CheckpointPolicy(config, self._ranking, self.store, self._folder_lock)
        self._trial: ActionOutcome | None = None
        self._quiet_until = -math.inf
        self._counted = self._records.journal.n_counted
        self._should_stop = False
        self._latest_step = -math.inf
        self._closed = False

    def attach(
        self, model: Any, optimizer: Any = None, scheduler: Any = None, parts: Mapping[str, Any] | None = None
    ) -> Self:
        """State what is trained; see `TrainingState`.

        Args:
            model: has state_dict() and load_state_dict().
            optimizer: as PyTorch's, or with a learning rate as an attribute.
            scheduler: of the learning rate.
            parts: name → what else is to be in a checkpoint: a gradient scaler, generators of random numbers.

        Raises:
            ConfigError: something has no state that could be taken, or one that cannot be kept; no learning rate is
                found that could be lowered, or the scheduler would undo that.
        """
        try:
            self._training_state = attached(self._config, self._records.problem, model, optimizer, scheduler, parts)
        except ConfigError:
            self._folder_lock.release()  # whoever holds the exception holds this object, and with it the folder
            raise
        return self

    @property
    def should_stop(self) -> bool:
        """Whether the training is to end; the loop has to ask."""
        return self._should_stop

    @property
    def journal_file(self) -> Path:
        """Where actions are written."""
        return self._records.journal.path

    def new_problems(self) -> list[str]:
        """Return what went wrong since the last call, and ended nothing; the log has it too."""
        return self._records.new_problems()

    def observe(self, step: float, metrics: Mapping[str, Any], anomalies: Sequence[Anomaly] = ()) -> Action | None:
        """Look at a step that was made, and act if there is need.

        Args:
            step: of the training; one that is smaller than the last begins to count anew.
            metrics: as logged.
            anomalies: that the monitor found at this step.

        Raises:
            ConfigError: nothing is attached, its state holds what cannot be kept, or the folder is another training's.
            OSError: a checkpoint cannot be written.
        """
        if self._training_state is None:
            raise ConfigError("nothing is attached", where="AutoRecoverySystem", remedy="call attach(model, optimizer)")
        if self._should_stop or self._closed:
            return None
        row = {name: value for name, given in metrics.items() if (value := number_of(given)) is not None}
        self._alarm.take(row)
        self._ranking.settle(self._alarm.latest)
        self.store.larger_is_worse = self._ranking.sign > 0
        metric = self._ranking.metric
        value = row.get(metric) if metric is not None else None
        if step < self._latest_step:  # steps are counted anew in each epoch, or since a restart
            self._quiet_until = step + max(0.0, self._quiet_until - self._latest_step)
        self._latest_step = step
        self._alarm.note(anomalies, self._training_state.finite)
        undone = self._judge(step, value)
        if undone is not None:
            return undone
        action = self._act(step, self._training_state, anomalies) if step >= self._quiet_until else None
        if value is not None and metric is not None:
            self._recent.append(self._ranking.worse(value))
            if action is None and math.isfinite(value):
                self._checkpoint_policy.look(step, value, self._training_state, spoiled=self._alarm.spoils(anomalies))
        return action

    def close(self) -> None:
        """Write what is not known yet of the last action, and give the folder back; nothing is done after that."""
        self._closed = True
        trial, self._trial = self._trial, None
        if trial is not None:
            self._write_outcome(trial, "open", self._latest_step)
        self._folder_lock.release()

    def _judge(self, step: float, value: float | None) -> Action | None:
        """Hold the metric since the last action against that before, once there are values enough."""
        trial = self._trial
        if trial is None or value is None:
            return None
        trial.after.append(self._ranking.worse(value))
        if len(trial.after) < self._config.judge_after:
            return None
        return self._conclude(step, "kept")

    def _conclude(self, step: float, otherwise: OutcomeName) -> Action | None:
        """End the trial of the last action: undo the action if it made things worse, and return that.

        Args:
            step: that was just made.
            otherwise: the outcome of an action that did no harm, as far as is known.
        """
        trial, self._trial = self._trial, None  # first: an undo that fails must not be tried at every step
        if trial is None:
            return None
        if not trial.worse(self._config.tolerance):
            known = trial.level_before() is not None
            self._write_outcome(trial, otherwise if known or otherwise != "kept" else "not_judged", step)
            return None
        if not self._undone(trial):
            self._write_outcome(trial, "not_undoable", step)
            return None
        _log.warning("recovery: %s of step %g is undone at step %g", trial.strategy, trial.step, step)
        self._quiet_until = step + self._config.cooldown_steps
        self._recent = deque(trial.before, maxlen=self._config.judge_after)
        # What another metric showed may still be there: it is answered after the cool-down, unless it has passed.
        ranks = trial.cause is None or trial.cause.metric == self._ranking.metric
        self._alarm.pending = None if ranks else trial.cause
        self._write_outcome(trial, "undone", step)
        reason = f"{self._ranking.metric} is worse than before {trial.strategy}"
        return Action(trial.index, step, "undo", reason, {"strategy": trial.strategy})

    def _undone(self, trial: ActionOutcome) -> bool:
        if trial.undo is None:
            return False
        try:
            trial.undo()
        except Exception as error:  # a model or an optimiser that has changed its form since
            self._records.problem(f"{trial.strategy} cannot be undone: {type(error).__name__}: {error}")
            return False
        return True

    def _write_outcome(self, trial: ActionOutcome, outcome: OutcomeName, step: float) -> None:
        levels = [self._ranking.plain(level) for level in (trial.level_before(), trial.level_after())]
        self._records.outcome(trial, outcome, step, self._ranking.metric, levels)

    def _act(self, step: float, training_state: TrainingState, anomalies: Sequence[Anomaly]) -> Action | None:
        """Ask the strategies in order; the first that does something is the action."""
        plateau = next((one for one in anomalies if one.kind == "plateau" and one.metric == self._ranking.metric), None)
        if self._alarm.pending is None and plateau is None:
            return None
        self._folder_lock.take()
        for strategy in self._strategies:
            severe = self._alarm.pending
            left = max(0, self._config.max_actions - self._counted)
            context = Context(step, severe, plateau, left, training_state, self.store, self._config)
            reason = strategy.proposes(context)
            if reason is None:
                continue
            if strategy.counted:
                # What is not judged yet must not stay for good: now is the last time to undo it.
                undone = self._conclude(step, "superseded")
                if undone is not None and severe is None:
                    return undone
                self._alarm.pending = severe  # still waits for its answer, if this strategy has none
            before = tuple(self._before(severe))
            try:
                done = strategy.act(context)
            except Exception as error:  # a state that does not fit raises whatever the model raises
                self._failed(step, strategy, reason, error)
                continue
            finally:
                self._records.refused()
            if done is not None:
                index = self._records.journal.n_records
                return self._done(ActionOutcome(index, step, strategy.name, severe, before, done.undo), reason, done)
        return None

    def _failed(self, step: float, strategy: Strategy, reason: str, error: Exception) -> None:
        """Note an attempt; it uses up an action, or it would be made at every step."""
        self._records.problem(f"{strategy.name} failed: {type(error).__name__}: {error}")
        self._counted += strategy.counted
        self._quiet_until = step + self._config.cooldown_steps
        self._records.write(
            "action", step=step, strategy=strategy.name, reason=reason, counted=strategy.counted, done=False,
            details={"error": type(error).__name__},
        )  # fmt: skip

    def _done(self, trial: ActionOutcome, reason: str, done: Done) -> Action:
        """Take note of an action. The log comes first, and a full disk takes nothing back."""
        _log.warning("recovery: %s at step %g, since %s", trial.strategy, trial.step, reason)
        self._alarm.pending = None
        self._should_stop = self._should_stop or done.stop
        if done.counted:
            self._counted += 1
            self._quiet_until = trial.step + self._config.cooldown_steps
            self._trial = trial
        details = dict(done.details)
        self._records.write(
            "action", step=trial.step, strategy=trial.strategy, reason=reason, counted=done.counted, done=True,
            details=details,
        )  # fmt: skip
        return Action(trial.index, trial.step, trial.strategy, reason, details)

    def _before(self, severe: Anomaly | None) -> list[float]:
        """Return what an action is held against: the values of the ranking metric before it.

        Where that metric dropped, it is the latest value alone: those before the drop are what one comes back to.
        """
        latest = self._alarm.latest.get(severe.metric) if severe is not None else None
        if severe is None or severe.metric != self._ranking.metric or latest is None:
            return list(self._recent)
        return [self._ranking.worse(latest)]
