"""The signature: one line, beside every number, that says how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from exaid_evals import __version__
from exaid_evals.artifacts.hashing import short


@dataclass(frozen=True, slots=True)
class Signature:
    """What a number depends on. Hashes are of whole structures, so no setting can be forgotten.

    Attributes:
        trace_dataset_hash: of the frozen traces.
        config_hash: of the whole resolved configuration (variants, clients, metrics).
        extractor_id: of the concept extractor.
        llm_id: of the language-model client.
        bootstrap_resamples: number of resamples.
        bootstrap_seed: seed of the resamples.
        stub: whether traces or language model were simulated.
        time_basis: whether the times of the text were recorded: `recorded`, `partly`, `assumed`; None where no case has
            a conversation, or none is involved.
        version: of this package.
    """

    trace_dataset_hash: str
    config_hash: str
    extractor_id: str
    llm_id: str
    bootstrap_resamples: int
    bootstrap_seed: int
    stub: bool
    time_basis: str | None = None
    version: str = __version__

    def __str__(self) -> str:
        """Return the line.

        >>> hashes = "sha256:" + "a" * 64, "sha256:" + "b" * 64
        >>> str(Signature(*hashes, "lexicon-1", "stub-1", 10000, 42, True, "recorded", "1.0"))
        'exaid-evals/1.0|traces:aaaaaaaa|cfg:bbbbbbbb|concepts:lexicon-1|llm:stub-1|boot:10000/42|time:recorded|stub:yes'
        """
        return "|".join(
            (
                f"exaid-evals/{self.version}",
                f"traces:{short(self.trace_dataset_hash)}",
                f"cfg:{short(self.config_hash)}",
                f"concepts:{self.extractor_id}",
                f"llm:{self.llm_id}",
                f"boot:{self.bootstrap_resamples}/{self.bootstrap_seed}",
                *([f"time:{self.time_basis}"] if self.time_basis else []),
                f"stub:{'yes' if self.stub else 'no'}",
            )
        )
