"""Putting a state back, wholly or not at all."""

from __future__ import annotations

import io
import logging

from exaid_evals.monitor.recovery.checkpoints import Checkpoint, CheckpointStore
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.monitor.recovery.training_state import TrainingState

_log = logging.getLogger("exaid_evals.monitor")


class Held:
    """A copy of a trainee's state: what state_dict() returns is mostly the weights themselves."""

    def __init__(self, training_state: TrainingState) -> None:
        """Copy it.

        Raises:
            ConfigError: the state holds what cannot be kept.
        """
        self._training_state = training_state
        stream = io.BytesIO()
        write_state(stream, training_state.state())
        self._data = stream.getvalue()

    def restore(self) -> None:
        """Load the copy.

        Raises:
            Exception: whatever the model raises where the state does not fit it any more; it then is as it was.
        """
        now = Held(self._training_state)
        try:
            self._training_state.load(read_state(self._data, "the state before the action"))
        except Exception:
            now.restore_after_failure()
            raise

    def restore_after_failure(self) -> None:
        """Load the copy over what was loaded by half; a failure of this too is only told."""
        try:
            self._training_state.load(read_state(self._data, "the state before the action"))
        except Exception as error:  # whatever the model raises; the first failure is on its way already
            _log.error("recovery: the state before the failure cannot be put back (%s)", type(error).__name__)


def put_back_best(training_state: TrainingState, store: CheckpointStore, held: Held) -> Checkpoint | None:
    """Load the best checkpoint that can be believed and fits; None where there is none.

    One that does not fit is given up where a later one does: it is then no fault of the model's.

    Args:
        training_state: takes the state; it is as it was, where none fits.
        store: of the checkpoints.
        held: the trainee's state of now.

    Raises:
        Exception: whatever the model raised of the best, where none fits.
    """
    failed: list[tuple[Checkpoint, Exception]] = []
    for checkpoint, state in store.believed():
        try:
            training_state.load(state)
        except Exception as error:
            held.restore_after_failure()  # a state that does not fit may have been put in by half
            failed.append((checkpoint, error))
            continue
        for one, why in failed:
            store.give_up(one, f"the checkpoint of step {one.step:g} does not fit ({type(why).__name__}: {why})")
        return checkpoint
    if failed:
        raise failed[0][1]
    return None
