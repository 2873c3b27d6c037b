"""The fixed interval that stands in for a token gate: the median size of the gate's flushes, in CTU."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.calibration.policy import GATE_KIND, Policy
from exaid_evals.calibration.stage import Plan
from exaid_evals.config.variant import PartConfig
from exaid_evals.errors import DataError
from exaid_evals.middleware.gates.token_gate import TokenGate, TokenGateSettings
from exaid_evals.replay.engine import stream_chunks
from exaid_evals.traces.model import Trace, read_trace

INTERVAL_KIND = "fixed_ctu"


def interval_gate(plan: Plan, policy: Policy) -> PartConfig:
    """Return the gate that lets go as much text at a time as a policy does in the median, whatever the text says.

    Args:
        plan: of the calibration, on whose conversations the flushes are taken.
        policy: of the token gate.

    Raises:
        DataError: a trace is damaged, or holds no word.
    """
    traces = (read_trace(plan.traces.trace_file(entry.case_id)) for entry in plan.conversations)
    size = round(median_flush_ctu(traces, policy, chars_per_second=plan.chars_per_second))
    return PartConfig.model_validate({"kind": INTERVAL_KIND, "threshold_ctu": max(size, 1)})


def median_flush_ctu(traces: Iterable[Trace], policy: Policy, *, chars_per_second: float) -> float:
    """Return the median size of the flushes of all conversations together, in CTU.

    Raises:
        DataError: there is none.
    """
    sizes = [
        ctu("".join(piece.text for piece in chunk.pieces))
        for trace in traces
        for chunk in stream_chunks(trace, TokenGate(TokenGateSettings(**policy.settings)), chars_per_second)
    ]
    if not sizes:
        raise DataError(
            f"{GATE_KIND} lets nothing go: the conversations hold no word", remedy="calibrate on other traces"
        )
    return float(median(sizes))
