"""Putting a state back, wholly or not at all."""

from __future__ import annotations

import io
import logging
from typing import Any

from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.monitor.recovery.trainee import Trainee

_log = logging.getLogger("exaid_evals.monitor")


class Held:
    """A copy of a trainee's state: what state_dict() returns is mostly the weights themselves."""

    def __init__(self, trainee: Trainee) -> None:
        """Copy it.

        Raises:
            ConfigError: the state holds what cannot be kept.
        """
        self._trainee = trainee
        stream = io.BytesIO()
        write_state(stream, trainee.state())
        self._data = stream.getvalue()

    def restore(self) -> None:
        """Load the copy.

        Raises:
            Exception: whatever the model raises where the state does not fit it any more; it then is as it was.
        """
        put_back(self._trainee, read_state(self._data, "the state before the action"))

    def restore_after_failure(self) -> None:
        """Load the copy over what was loaded by half; a failure of this too is only told."""
        try:
            self._trainee.load(read_state(self._data, "the state before the action"))
        except Exception as error:  # whatever the model raises; the first failure is on its way already
            _log.error("recovery: the state before the failure cannot be put back (%s)", type(error).__name__)


def put_back(trainee: Trainee, state: Any) -> None:
    """Load a state; one that does not fit leaves the trainee as it was.

    Raises:
        Exception: whatever the model raises where the state does not fit it.
    """
    held = Held(trainee)
    try:
        trainee.load(state)
    except Exception:
        held.restore_after_failure()
        raise
