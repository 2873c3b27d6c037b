"""What a check finds, and what a check is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from exaid_evals.config.campaign import Campaign

State = Literal["ok", "missing", "problem"]
Purpose = Literal["stub", "live", "paper", "docker", "analysis", "run-eval"]

PURPOSES: dict[Purpose, str] = {
    "stub": "simulated conversations and model, offline",
    "live": "MAC's own conversation, or a live model behind the middleware",
    "paper": "the paper's extractor, scispaCy, and MAC's cases",
    "docker": "the container",
    "analysis": "analyses of experiments",
    "run-eval": "models of vision and text, with PyTorch",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: what kind of thing it is: `python`, `packages`, `extractor` …
        name: which one.
        state: `ok`, `missing`, or `problem` where it is there and not right.
        what: version, place or reason.
        remedy: what to do; empty where all is well.
        needed_for: purposes that fail without it.
    """

    topic: str
    name: str
    state: State
    what: str = ""
    remedy: str = ""
    needed_for: frozenset[Purpose] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Environment:
    """What is examined.

    Attributes:
        campaign: the data folder.
        config_dir: the configurations.
        mac_dir: the folder of MAC; None where none is known.
        environment: the variables.
        timeout_s: how long another program may take to answer.
    """

    campaign: Campaign
    config_dir: Path
    mac_dir: Path | None
    environment: Mapping[str, str]
    timeout_s: float = 20.0


Check = Callable[[Environment], Iterable[Finding]]

STUB: frozenset[Purpose] = frozenset({"stub"})
"""What stub mode needs, everything needs."""


def fails(findings: Iterable[Finding], purposes: Iterable[Purpose]) -> list[Finding]:
    """Return the findings that keep one of the purposes from working."""
    wanted = {*purposes, "stub"}
    return [finding for finding in findings if finding.state != "ok" and finding.needed_for & wanted]
