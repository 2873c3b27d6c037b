"""What a run is to the aggregator, whatever format it was read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """One finished run: a campaign of this pipeline, a training run, a fold, a trial.

    Attributes:
        name: unique among the runs of one export.
        format: the reader's name.
        metrics: name → value; None where a metric is undefined.
        attributes: whatever else identifies the run (seed, number of cases), as plain data.
        signatures: part of the run (a variant) → how its numbers were made; empty for a format that carries none.
        stub: whether the numbers are simulated; None where the format cannot say.
        lower_is_better: names of the metrics that improve downwards.
        default_primary: the metric that ranks runs of this format unless another is named.
        warnings: what is odd about the run, for the reader of the export.
    """

    name: str
    format: str
    metrics: Mapping[str, float | None]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)
    stub: bool | None = None
    lower_is_better: frozenset[str] = frozenset()
    default_primary: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def signature(self) -> str | None:
        """How the numbers were made, in one line; None for a format that carries none."""
        return merged_signature(self.signatures.values()) if self.signatures else None


def merged_signature(signatures: Iterable[str]) -> str:
    """Return one line for several signatures: one where they differ in their traces alone, else all of them.

    >>> merged_signature(["v/1|traces:b|cfg:1", "v/1|traces:a|cfg:1"])
    'v/1|traces:a+b|cfg:1'
    >>> merged_signature(["v/1|traces:a|cfg:1", "v/1|traces:a|cfg:2"])
    'v/1|traces:a|cfg:1 ; v/1|traces:a|cfg:2'
    """
    groups: dict[str, set[str]] = {}
    for signature in signatures:
        parts = signature.split("|")
        traces = {part.removeprefix("traces:") for part in parts if part.startswith("traces:")}
        rest = "|".join("traces:{}" if part.startswith("traces:") else part for part in parts)
        groups.setdefault(rest, set()).update(*(one.split("+") for one in traces))
    return " ; ".join(rest.replace("traces:{}", f"traces:{'+'.join(sorted(groups[rest]))}") for rest in sorted(groups))


class Reader(Protocol):
    """Reads one format."""

    @property
    def name(self) -> str:
        """The format's name."""

    def claims(self, folder: Path) -> bool:
        """Tell by looking whether the folder is a run of this format; reads no more than that needs."""

    def read(self, folder: Path, name: str) -> ExportedRun:
        """Read a run.

        Raises:
            DataError: the folder is of this format but damaged.
        """
