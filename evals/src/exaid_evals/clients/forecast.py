"""A client that asks nobody: it answers from the recordings, else with a text of assumed length, and keeps count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.text_units import CHARS_PER_CTU, ctu
from exaid_evals.clients.base import BoundClient, CallContext, LLMClient, LLMRequest, LLMResponse, UnboundClient, Usage
from exaid_evals.clients.cassette import CallKeys, Recorder, canonical_request

_NEVER_SHORTER = 1
_UNBOUNDED_CHARS = 300


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is assumed of the answers to come.

    Attributes:
        name: `expected` or `high`.
        yes_share: share of trigger answers that say yes to everything; the others say no to the last question.
        fill: how long a text is, as a share of its greatest length in the schema.
        summary_ctu: length of a whole summary, which goes before `fill`; None where nothing is known.
    """

    name: str
    yes_share: float = 1.0
    fill: float = 1.0
    summary_ctu: float | None = None


@dataclass(slots=True)
class Count:
    """Calls and their CTU, by task."""

    calls: dict[str, int] = field(default_factory=dict)
    prompt_ctu: int = 0
    completion_ctu: int = 0

    @property
    def n_calls(self) -> int:
        """Calls of all tasks."""
        return sum(self.calls.values())

    def add(self, task: str, usage: Usage) -> None:
        """Count one call."""
        self.calls[task] = self.calls.get(task, 0) + 1
        self.prompt_ctu += usage.prompt_ctu
        self.completion_ctu += usage.completion_ctu


@dataclass(slots=True)
class Counts:
    """What a run would ask: what is `recorded` costs nothing, and the rest is `to_come`."""

    recorded: Count = field(default_factory=Count)
    to_come: Count = field(default_factory=Count)


class ForecastClient(UnboundClient):
    """Stands in for a client in a run that is only forecast.

    A call that was recorded is answered as it was, so a run that was interrupted is forecast from where it stopped.

    Args:
        real: the client that would be asked; it only describes itself.
        recorder: the recordings; None where nothing is ever recorded.
        assumption: what the other answers are like.
        counts: where calls are counted.
    """

    def __init__(self, real: LLMClient, recorder: Recorder | None, assumption: Assumption, counts: Counts) -> None:
        super().__init__(real)
        self.recorder = recorder
        self.assumption = assumption
        self.counts = counts

    def bind(self, context: CallContext) -> _Bound:
        """Return the client as one case under one variant uses it."""
        return _Bound(self, context)


class _Bound(BoundClient):
    def __init__(self, outer: ForecastClient, context: CallContext) -> None:
        super().__init__(outer)
        self._outer = outer
        self._keys = CallKeys(context)
        self._n_decisions = 0

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Return the recorded answer, else an assumed one."""
        recorder, counts = self._outer.recorder, self._outer.counts
        known = recorder.find(self._keys.next(canonical_request(request, self))) if recorder else None
        if known is not None:
            counts.recorded.add(request.task, known.usage)
            return known
        text = canonical_json(self._answer(request))
        usage = Usage(calls=1, prompt_ctu=request.prompt_ctu, completion_ctu=ctu(text))
        counts.to_come.add(request.task, usage)
        return LLMResponse(text, usage, latency_ms=0)

    def may_ask_again(self, request: LLMRequest) -> bool:
        """Return whether a request whose answers could not be used was answered once more."""
        recorder = self._outer.recorder
        return recorder is not None and recorder.find(self._keys.peek(canonical_request(request, self))) is not None

    def _answer(self, request: LLMRequest) -> dict[str, Any]:
        """Return an answer of the form that is asked for: yes to every question, and texts of the assumed length."""
        properties: Mapping[str, Any] = request.response_schema.get("properties", {})
        questions = [name for name, schema in properties.items() if schema.get("type") == "boolean"]
        texts = {name: schema for name, schema in properties.items() if schema.get("type") == "string"}
        answer: dict[str, Any] = dict.fromkeys(questions, True)
        if questions and not self._says_yes():
            answer[questions[-1]] = False
        names = canonical_json(dict.fromkeys(texts, ""))
        for name, schema in texts.items():
            answer[name] = "x" * self._length(schema, len(texts), len(names))
        return answer

    def _says_yes(self) -> bool:
        """Spread the yeses evenly: after n decisions, the n-th included, ⌊n · share⌋ of them say yes."""
        share = self._outer.assumption.yes_share
        self._n_decisions += 1
        n = self._n_decisions
        return int(n * share + 1e-9) > int((n - 1) * share + 1e-9)

    def _length(self, schema: Mapping[str, Any], n_texts: int, n_chars_of_names: int) -> int:
        assumed = self._outer.assumption
        longest = schema.get("maxLength", _UNBOUNDED_CHARS)
        length = round(longest * assumed.fill)
        if assumed.summary_ctu is not None:
            length = round((assumed.summary_ctu * CHARS_PER_CTU - n_chars_of_names) / n_texts)
        return int(max(min(length, longest), schema.get("minLength", _NEVER_SHORTER)))
