"""The live client with a latency of 250 ms whatever the wall clock says, so that two live runs give the same bytes."""

from __future__ import annotations

import itertools
import threading
from typing import Any

from exaid_evals.clients.endpoint import Clock, endpoint_of
from exaid_evals.clients.openai_client import OpenAIClient
from exaid_evals.config.variant import SummarizerConfig

_TICK_S = 0.25
_ticks = threading.local()


def _monotonic() -> float:
    """Advance by a tick at every reading, in each thread for itself."""
    if not hasattr(_ticks, "count"):
        _ticks.count = itertools.count()
    return float(next(_ticks.count)) * _TICK_S


def build(config: SummarizerConfig, **_concepts: Any) -> OpenAIClient:
    """Build the client; `--llm servers.steady_client:build`."""
    return OpenAIClient(config.llm, endpoint_of(config.llm.provider), Clock(monotonic=_monotonic))
