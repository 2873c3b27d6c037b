"""Where conversation comes from: the seam between the stage and whoever makes a trace, simulated or live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from exaid_evals.cases.base import Case
from exaid_evals.traces.model import Trace


class TraceSource(Protocol):
    """Makes the trace of a case; the result depends on the case and the source's own settings alone."""

    def generate(self, case: Case) -> Trace:
        """Return the conversation about a case.

        Raises:
            CaseFailedError: there is none; the message's `what` is the reason.
        """

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """Return, as plain data, everything that the trace of a case depends on, for the ledger."""
