"""Stage 02 with a live model on a loopback server, as tests run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conversations import conversation, failed_conversation, freeze
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.variant import LLMConfig, RetryConfig, StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.errors import ConfigError
from exaid_evals.replay.stage import Outcome, Settings, part_problems, plan_runs, run_variants
from requested import changed

CONVERSATIONS = [
    conversation("A young patient with recurrent seizures.", "Likely encephalitis.", "I agree.", case_id="case-1"),
    conversation("A woman with hepatomegaly.", "Gaucher disease is likely. We should order imaging.", case_id="case-2"),
    failed_conversation("case-3"),
    conversation(*(f"Further evidence number {number}: splenomegaly." for number in range(8)), case_id="case-4"),
]
LIVE = LLMConfig(client="openai", model="m-1", retry=RetryConfig(max_attempts=2, base_s=0.01))
TOY = StubLLMConfig(concepts="conversations:build_words")
VARIANTS = load_variants(configs_dir() / "variants")


def settings(**changes: Any) -> Settings:
    """Return settings for all variants with the live client; `llm` changes its settings."""
    llm = LIVE.model_copy(update=changes.pop("llm", {}))
    return changed(Settings(VARIANTS, SummarizerConfig(llm=llm, stub=TOY), frozenset()), **changes)


def do(campaign: Campaign, wanted: Settings, *, on_case: Callable[[str], None] = lambda _: None) -> Outcome:
    """Check, plan and run."""
    if problems := part_problems(wanted.summarizer, wanted.variants, campaign):
        raise ConfigError.of(problems)
    return run_variants(campaign, wanted, plan_runs(campaign, wanted), on_case=on_case)


def replayed(folder: Path, recorded: Campaign, **changes: Any) -> tuple[Campaign, Outcome]:
    """Replay a campaign's recordings in a fresh campaign of the same traces."""
    campaign = freeze(folder, CONVERSATIONS)
    for path in recorded.cassettes.iterdir():
        campaign.cassettes.mkdir(exist_ok=True)
        (campaign.cassettes / path.name).write_bytes(path.read_bytes())
    return campaign, do(campaign, settings(**{"llm": {"client": "replay"}, **changes}))
