"""What a run of MAC needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exaid_evals.clients.endpoint import Endpoint
from exaid_evals.config.mas_generation import LiveConfig, MacConfig, MacModelConfig


@dataclass(frozen=True, slots=True)
class MacSettings:
    """What a run of MAC needs to know.

    Attributes:
        mac: the settings of MAC's run.
        live: how it is run.
        model: its language model.
        mac_dir: its folder, verified.
        endpoint: where its model answers; None for a replay, which asks nobody.
        recording: the file of its recorded calls.
        command: what makes such a recording, as a remedy names it.
    """

    mac: MacConfig
    live: LiveConfig
    model: MacModelConfig
    mac_dir: Path
    endpoint: Endpoint | None
    recording: Path
    command: str = "--llm openai"
