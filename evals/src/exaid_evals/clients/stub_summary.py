"""The stub's summary: sentences of the window, chosen by new concepts per CTU, sorted into the six fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import ConceptReader
from exaid_evals.clients.sentences import shorten, split_sentences
from exaid_evals.config.summarizer import StubLLMConfig

NOTHING = "None stated."

# A sentence goes to the first field whose cue it holds, and to the key findings without one. The order puts what
# asks for action before what weighs, since a sentence such as "MRI is recommended as the diagnosis is unclear" is
# read for its recommendation.
_CUES = {
    "recommendation_next_step": re.compile(
        r"\b(recommend\w*|suggest(?:ed)? (?:ordering|testing)|order(?:ing)?|should|next step|tests?|testing|imaging"
        r"|biopsy|sequencing|refer(?:ral)?|follow[- ]up|monitor\w*)\b",
        re.IGNORECASE,
    ),
    "uncertainty_confidence": re.compile(
        r"\b(uncertain\w*|unclear|unlikely|cannot (?:exclude|rule out)|not convinced|disagree\w*|doubt\w*|however"
        r"|confiden(?:t|ce)|less likely|atypical|object\w*)\b",
        re.IGNORECASE,
    ),
    "differential_rationale": re.compile(
        r"\b(differential\w*|diagnos[ei]s|likely|consistent with|suggestive|suggests?|points? to|explain\w*|favou?rs?"
        r"|compatible|syndrome|consider\w*)\b",
        re.IGNORECASE,
    ),
    "status_action": re.compile(
        r"\b(present(?:s|ed|ing)|admitted|underwent|treated|treatment|received|started|given|year[- ]old|agree[sd]?)\b",
        re.IGNORECASE,
    ),
}
_FIELDS = (
    "status_action",
    "key_findings",
    "differential_rationale",
    "uncertainty_confidence",
    "recommendation_next_step",
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence, where it stood, and what it states."""

    order: int
    text: str
    field: str
    concepts: frozenset[str]


def write_summary(inputs: Mapping[str, Any], config: StubLLMConfig, read_concepts: ConceptReader) -> dict[str, str]:
    """Fill the six fields.

    Greedy: of the sentences left, take the one with most new concepts per CTU (new: neither in the summaries
    shown nor already taken) that still fits its field; stop when none adds a concept. Ties go to the earlier
    sentence. A field keeps its sentences in the order in which they were said.

    Args:
        inputs: `window` as a list of `[agent_id, text]`, `history` (rendered summaries).
        config: the length of a field.
        read_concepts: finds the concepts of texts.

    Returns:
        The six fields, each 1 to `max_field_chars` characters.
    """
    turns: Sequence[tuple[str, str]] = [(agent, text) for agent, text in inputs["turns"]]
    candidates = _candidates(turns, config.max_field_chars, read_concepts)
    known = frozenset().union(*read_concepts(list(inputs["history"])))
    chosen = _choose(candidates, known, config.max_field_chars)
    content = {
        field: " ".join(item.text for item in sorted(chosen, key=lambda item: item.order) if item.field == field)
        or NOTHING
        for field in _FIELDS
    }
    content["agent_contributions"] = _contributions(turns, config.max_field_chars)
    return content


def _candidates(turns: Sequence[tuple[str, str]], limit: int, read_concepts: ConceptReader) -> list[_Candidate]:
    sentences = [shorten(sentence, limit) for _, text in turns for sentence in split_sentences(text)]
    sentences = list(dict.fromkeys(sentences))
    return [
        _Candidate(order, text, _field_of(text), concepts)
        for order, (text, concepts) in enumerate(zip(sentences, read_concepts(sentences), strict=True))
    ]


def _field_of(sentence: str) -> str:
    return next((field for field, cue in _CUES.items() if cue.search(sentence)), "key_findings")


def _choose(candidates: Sequence[_Candidate], known: frozenset[str], limit: int) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    room = dict.fromkeys(_FIELDS, limit)
    left = [item for item in candidates if item.concepts - known]
    while left:
        best = max(left, key=lambda item: (len(item.concepts - known) / ctu(item.text), -item.order))
        left.remove(best)
        if len(best.text) <= room[best.field]:
            chosen.append(best)
            room[best.field] -= len(best.text) + 1
            known |= best.concepts
        left = [item for item in left if item.concepts - known]
    return chosen


def _contributions(turns: Sequence[tuple[str, str]], limit: int) -> str:
    counts: dict[str, int] = {}
    for agent, text in turns:
        counts[agent] = counts.get(agent, 0) + len(split_sentences(text))
    parts = [f"{agent}: {count} statement{'' if count == 1 else 's'}" for agent, count in counts.items()]
    return shorten("; ".join(parts) or NOTHING, limit)
