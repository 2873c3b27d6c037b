"""The stub language model: deterministic, extractive, and honest about being neither clever nor a model.

It decides and writes by stated rules over the concepts that it finds in the text that it is given. It invents
nothing: every sentence of a summary stands in the window, so what its runs measure is the middleware around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import ConceptReader, LLMRequest, LLMResponse, PlainClient, Usage
from exaid_evals.config.variant import LatencyConfig, StubLLMConfig, SummarizerConfig

# A sentence ends at . ? ! before white space and something that opens a sentence. Decimals and most abbreviations
# have no capital behind them; where one does, a cut too many shortens a quote and does no harm.
_END = re.compile(r"(?<=[.?!])[\"'”’)]*\s+(?=[\"'“‘(\[]*[A-Z0-9])")
_MARKUP = " \t\r#-•>\"'“”`{}[],;:_"
_NUMBERING = re.compile(r"^\(?\d{1,2}[.)]\s+")


def split_sentences(text: str) -> list[str]:
    r"""Return a text's sentences in order, without list marks, emphasis and JSON punctuation around them.

    >>> split_sentences('1. **Fever** of 39.5 °C. No rash!\n- {"Tests": "MRI"},')
    ['Fever of 39.5 °C.', 'No rash!', 'Tests": "MRI']
    """
    return [sentence for line in text.replace("**", "").splitlines() for sentence in _of_line(line)]


@lru_cache(maxsize=2000)  # the variants of a case read the same lines
def _of_line(line: str) -> tuple[str, ...]:
    parts = (part.strip(_MARKUP) for part in _END.split(_NUMBERING.sub("", line.lstrip(_MARKUP))))
    return tuple([part for part in parts if part])


def shorten(sentence: str, limit: int) -> str:
    """Return a sentence of at most `limit` characters, cut at a clause or else at a word, marked by an ellipsis.

    >>> shorten("Fever, cough and a large liver were seen", 24)
    'Fever, cough and a…'
    """
    if len(sentence) <= limit:
        return sentence
    head = sentence[: limit - 1]
    clause = max(head.rfind(mark) for mark in ("; ", ", ", " – "))
    cut = clause if clause > limit // 2 else head.rfind(" ")
    return f"{head[: cut if cut > 0 else limit - 1].rstrip(' ,;–')}…"


_CLOSING = "\"'”’)]}*_ \t\r\n"
_ENDS = (".", "?", "!", ":", "}", "]")


def decide(inputs: Mapping[str, Any], config: StubLLMConfig, read_concepts: ConceptReader) -> dict[str, bool]:
    """Answer the enabled filters.

    - completeness: the window ends a sentence or a line, or nothing more will come;
    - value: it states at least `min_concepts` concepts;
    - novelty: at least `min_new_concepts` of them stand in none of the summaries that it is shown.

    Args:
        inputs: `window` (text), `history` (rendered summaries), `filters` (names), `final` (bool).
        config: the thresholds.
        read_concepts: finds the concepts of texts.

    Returns:
        Filter name → answer, for the enabled filters alone.
    """
    window: str = inputs["window"]
    stated, *shown = read_concepts([window, *inputs["history"]])
    answers = {
        "completeness": bool(inputs["final"]) or _ends_a_thought(window),
        "value": len(stated) >= config.min_concepts,
        "novelty": len(stated.difference(*shown)) >= config.min_new_concepts,
    }
    return {name: answers[name] for name in inputs["filters"]}


def _ends_a_thought(window: str) -> bool:
    if window.endswith("\n"):
        return True
    return window.rstrip(_CLOSING).endswith(_ENDS) or window.rstrip().endswith(("}", "]"))


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


class _Candidate(NamedTuple):
    """A sentence, where it stood, and what it states."""

    order: int
    text: str
    concepts: frozenset[str]

    @property
    def field(self) -> str:
        """The field that it belongs to."""
        return _field_of(self.text)


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
    turns = [(agent, split_sentences(text)) for agent, text in inputs["turns"]]
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


def _candidates(turns: Sequence[tuple[str, list[str]]], limit: int, read_concepts: ConceptReader) -> list[_Candidate]:
    sentences = list(dict.fromkeys(shorten(sentence, limit) for _, said in turns for sentence in said))
    return [
        _Candidate(order, text, concepts)
        for order, (text, concepts) in enumerate(zip(sentences, read_concepts(sentences), strict=True))
    ]


def sentences_of(texts: Iterable[str], config: StubLLMConfig) -> list[str]:
    """Return the sentences of messages, as an update may quote them."""
    limit = config.max_field_chars
    return list(dict.fromkeys(shorten(sentence, limit) for text in texts for sentence in split_sentences(text)))


@lru_cache(maxsize=2000)  # the variants of a case read the same sentences
def _field_of(sentence: str) -> str:
    return next((field for field, cue in _CUES.items() if cue.search(sentence)), "key_findings")


def _choose(candidates: Sequence[_Candidate], known: frozenset[str], limit: int) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    room = dict.fromkeys(_FIELDS, limit)
    waiting = [(ctu(item.text), item) for item in candidates if item.concepts]
    left: list[tuple[float, int, int, _Candidate]] = []
    while True:
        if waiting:  # what is new in them, and in those left, has to be counted
            left = [
                (new / units, -item.order, units, item)
                for units, item in waiting
                if (new := len(item.concepts - known))
            ]
        if not left:
            return chosen
        found = max(left)
        left.remove(found)
        best = found[-1]
        waiting = []
        if len(best.text) <= room[best.field]:
            chosen.append(best)
            room[best.field] -= len(best.text) + 1
            known |= best.concepts
            waiting = [(units, item) for *_, units, item in left]


def _contributions(turns: Sequence[tuple[str, list[str]]], limit: int) -> str:
    counts: dict[str, int] = {}
    for agent, said in turns:
        counts[agent] = counts.get(agent, 0) + len(said)
    parts = [f"{agent}: {count} statement{'' if count == 1 else 's'}" for agent, count in counts.items()]
    return shorten("; ".join(parts) or NOTHING, limit)


class StubLLM(PlainClient):
    """Answers `trigger` and `summary` requests from their structured inputs.

    Latency, in ms, is `base + per_prompt_ctu · prompt CTU + per_completion_ctu · completion CTU`.
    """

    name = "stub"
    stub = True

    def __init__(self, config: SummarizerConfig, read_concepts: ConceptReader, reader_id: str) -> None:
        self._config = config.stub
        self._read_concepts = read_concepts
        self.model = config.stub.model
        settings = config.stub.model_dump(mode="json", exclude={"model"})
        self.parameters: Mapping[str, Any] = {**settings, "reader": reader_id}

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer a request.

        Raises:
            KeyError: the task is none that a middleware part of this package asks for.
        """
        tasks: dict[str, Callable[..., Mapping[str, Any]]] = {"trigger": decide, "summary": write_summary}
        answer = tasks[request.task](request.inputs, self._config, self._read_concepts)
        text = canonical_json(answer)
        usage = Usage(calls=1, prompt_ctu=request.prompt_ctu, completion_ctu=ctu(text))
        return LLMResponse(text, usage, latency_of(self._config.latency, usage))


def latency_of(model: LatencyConfig, usage: Usage) -> int:
    """Return the latency of a call in ms, rounded.

    >>> latency_of(LatencyConfig(base_ms=300, per_prompt_ctu_ms=0.1, per_completion_ctu_ms=10), Usage(1, 1000, 50))
    900
    """
    return round(
        model.base_ms + model.per_prompt_ctu_ms * usage.prompt_ctu + model.per_completion_ctu_ms * usage.completion_ctu
    )


def build(config: SummarizerConfig, *, read_concepts: ConceptReader, reader_id: str) -> StubLLM:
    """Build the client, as the registry asks."""
    return StubLLM(config, read_concepts, reader_id)
