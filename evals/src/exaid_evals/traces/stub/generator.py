"""The stub as a source of traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.cases.base import Case, content_of
from exaid_evals.config.mas_generation import MasGenerationConfig, Stage
from exaid_evals.errors import CaseFailedError
from exaid_evals.traces.model import Provenance, Trace
from exaid_evals.traces.stub.discussion import discuss
from exaid_evals.traces.stub.failures import planted_failure
from exaid_evals.traces.stub.labels import gold_mentions
from exaid_evals.traces.stub.sampler import Sampler
from exaid_evals.traces.stub.timing import schedule

_MAX_RIVALS = 12


class StubSource:
    """Simulates MAC's group chat about a case.

    Args:
        config: seed, epoch and distributions.
        provenance: what every record says about its making.
        every_case: all cases of the data set, selected or not: the differentials are diagnoses of other cases
            of the same category, and must not depend on the selection.
    """

    def __init__(self, config: MasGenerationConfig, provenance: Provenance, every_case: Sequence[Case]) -> None:
        self._config = config
        self._provenance = provenance
        self._diagnoses: dict[str, list[str]] = {}
        for case in sorted(every_case, key=lambda case: case.case_id):
            self._diagnoses.setdefault(case.category, []).append(case.diagnosis)
        self._all_diagnoses = sorted({case.diagnosis for case in every_case})

    def generate(self, case: Case) -> Trace:
        """Return the simulated conversation about a case.

        Raises:
            CaseFailedError: a failure was planted.
        """
        stub = self._config.stub
        reason = planted_failure(self._sampler(case, "failure"), stub.failure_rate)
        if reason is not None:
            raise CaseFailedError(reason, where=case.case_id)
        presentation = (
            case.initial_presentation if self._config.mac.stage is Stage.INITIAL else case.follow_up_presentation
        )
        sampler = self._sampler(case, "talk")
        turns = discuss(case, presentation, self._rivals(case), stub.talk, self._config.mac.n_round, sampler)
        said = [(turn.agent_id, turn.content) for turn in turns]
        scheduled = schedule(said, stub.timing, self._sampler(case, "timing"))
        messages = tuple(message.labelled(gold_mentions(turn)) for message, turn in zip(scheduled, turns, strict=True))
        return Trace(case.case_id, self._config.epoch, messages, self._provenance)

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """Return everything that the trace of a case depends on."""
        provenance = self._provenance
        return {
            "case": content_of(case),
            "rivals": self._rivals(case),
            "config": self._config.for_stub(),
            "provenance": [provenance.mas_run_id, provenance.mac_commit, provenance.model, provenance.stub],
        }

    def _sampler(self, case: Case, purpose: str) -> Sampler:
        return Sampler(self._config.seed, case.case_id, purpose)

    def _rivals(self, case: Case) -> list[str]:
        """Other diagnoses that a doctor might think of: of the case's category, else of any."""
        own = case.diagnosis.casefold()
        rivals = dict.fromkeys(name for name in self._diagnoses.get(case.category, ()) if name.casefold() != own)
        if len(rivals) < 4:
            # A data set with few cases, or a category with hardly any.
            rivals |= dict.fromkeys(name for name in self._all_diagnoses if name.casefold() != own)
        sampler = self._sampler(case, "rivals")
        return sorted(sampler.sample(list(rivals), _MAX_RIVALS))
