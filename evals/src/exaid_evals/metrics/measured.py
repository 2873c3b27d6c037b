"""Cases as they are measured, on disk: nothing of them stays in memory, and an interrupted stage goes on from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import overload

import orjson

from exaid_evals.artifacts.atomic import Appended, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.jsonl import parse_line, scan_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.metrics.records import CaseMetrics, case_fields


class Measured:
    """The measured cases of some variants, in a file of each; those of other inputs are discarded.

    Args:
        campaign: in whose ledgers' folder the files lie.
        inputs: variant → fingerprint of all that its measures depend on.
    """

    def __init__(self, campaign: Campaign, inputs: Mapping[str, str]) -> None:
        folder = campaign.state / "measured"
        self._paths = {variant: folder / f"{variant}.jsonl" for variant in inputs}
        self._files = {variant: Appended(path) for variant, path in self._paths.items()}
        known = [self._opened(path, inputs[variant]) for variant, path in self._paths.items()]
        self.known: frozenset[str] = frozenset.intersection(*known) if known else frozenset()
        """Ids of the cases that are measured under each variant."""

    @staticmethod
    def _opened(path: Path, inputs: str) -> frozenset[str]:
        opening = canonical_bytes({"inputs": inputs}) + b"\n"
        lines = scan_jsonl(path) if path.exists() else iter(())
        first = next(lines, None)
        if first is None or first.value != {"inputs": inputs}:
            write_bytes(path, opening)
            return frozenset()
        found = [line.value["case_id"] if line.value else None for line in lines]
        if None in found:  # the end of a killed one's
            whole = [line.value for line in scan_jsonl(path) if line.value is not None]
            write_bytes(path, b"".join(canonical_bytes(value) + b"\n" for value in whole))
        return frozenset(case_id for case_id in found if case_id is not None)

    def add(self, cases: Iterable[CaseMetrics]) -> None:
        """Note what a case measures under each variant."""
        for case in cases:
            self._files[case.variant_id].append(canonical_bytes(case_fields(case)) + b"\n")

    def read(self, variant: str) -> Sequence[CaseMetrics]:
        """Return a variant's cases by id, each once; each is read when it is asked for."""
        return _OnDisk(self._paths[variant])


class _OnDisk(Sequence[CaseMetrics]):
    """The measured cases in a file, by id as metrics have them: resample b then draws the same cases in each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        starts: dict[str, int] = {}
        start = 0
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                value = parse_line(line.rstrip(b"\n"), number).value
                if value and "case_id" in value:
                    starts[value["case_id"]] = start
                start += len(line)
        self._starts = [starts[case_id] for case_id in sorted(starts)]

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> CaseMetrics: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CaseMetrics]: ...
    def __getitem__(self, index: int | slice) -> CaseMetrics | Sequence[CaseMetrics]:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        with self._path.open("rb") as stream:
            stream.seek(self._starts[index])
            return CaseMetrics(**orjson.loads(stream.readline()))


def discard_measured(campaign: Campaign, variants: Iterable[str]) -> None:
    """Remove the cases of variants whose metrics are written, those that a stage killed at its very end left too."""
    folder = campaign.state / "measured"
    for variant in variants:
        (folder / f"{variant}.jsonl").unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
