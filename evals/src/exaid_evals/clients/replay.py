"""Clients over cassettes: one records a live model, one answers from recordings, one also estimates what is missing."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.text_units import CHARS_PER_CTU, ctu
from exaid_evals.clients.base import (
    BoundClient,
    Budget,
    CallContext,
    LLMClient,
    LLMRequest,
    LLMResponse,
    UnboundClient,
    Usage,
)
from exaid_evals.clients.cassette import (
    SUFFIX,
    CallKey,
    CallKeys,
    Recorder,
    canonical_request,
    read_cassette,
)
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, LLMError

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


_ORDER = ("task", "model", "parameters", "response_schema", "messages")
_ABSENT = object()
_AROUND = 30


def first_difference(asked: Mapping[str, Any], recorded: Iterable[Mapping[str, Any]]) -> str | None:
    """Describe the first field in which a request differs from the nearest of others; None where there are none.

    Fields come in the order task, model, parameters, response schema, messages. The nearest request is the one with
    the fewest fields that differ; of those, the one that agrees with the most text before it first differs.
    """
    best: tuple[tuple[int, int], str] | None = None
    for other in recorded:
        differing = [one for name in _ORDER for one in _below(name, asked.get(name, _ABSENT), other.get(name, _ABSENT))]
        if not differing:
            continue
        path, ours, theirs = differing[0]
        distance = (len(differing), -_common(ours, theirs))
        if best is None or distance < best[0]:
            best = distance, _described(path, ours, theirs)
    return best[1] if best else None


def _below(path: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}, key=lambda key: (key != "role", key)):
            yield from _below(f"{path}.{key}", ours.get(key, _ABSENT), theirs.get(key, _ABSENT))
    elif _is_list(ours) and _is_list(theirs):
        for number in range(max(len(ours), len(theirs))):
            yield from _below(f"{path}[{number}]", _item(ours, number), _item(theirs, number))
    elif ours != theirs:
        yield path, ours, theirs


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _item(items: Sequence[Any], number: int) -> Any:
    return items[number] if number < len(items) else _ABSENT


def _common(ours: Any, theirs: Any) -> int:
    """Return how many characters two texts share from the start; 0 for what is not text."""
    if not (isinstance(ours, str) and isinstance(theirs, str)):
        return 0
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(ours), len(theirs)))


def _described(path: str, ours: Any, theirs: Any) -> str:
    at = _common(ours, theirs)
    if isinstance(ours, str) and isinstance(theirs, str) and at > _AROUND:
        return f"{path} from character {at} on: {_excerpt(theirs, at)} was recorded, {_excerpt(ours, at)} is asked"
    return f"{path}: {_value(theirs)} was recorded, {_value(ours)} is asked"


def _excerpt(text: str, at: int) -> str:
    start, end = max(at - _AROUND // 2, 0), at + _AROUND
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _value(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = canonical_json(value)
    return text if len(text) <= 2 * _AROUND else f"{text[: 2 * _AROUND]}…"


class RecordingClient(UnboundClient):
    """Wraps a live client. It is asked through `bind`, for a call belongs to a case.

    Args:
        inner: the live client.
        recorder: keeps the answers.
        budget: what the calls may cost.
        ask_again: whether the model is asked anew, once, where what it answered before could not be used.
    """

    def __init__(self, inner: LLMClient, recorder: Recorder, budget: Budget, *, ask_again: bool = False) -> None:
        super().__init__(inner)
        self._recorder = recorder
        self._budget = budget
        self.ask_again = ask_again

    def check(self) -> None:
        """Check the live client."""
        self._client.check()

    def bind(self, context: CallContext) -> _BoundRecording:
        """Return the client as one case under one variant uses it: its calls are numbered from the first."""
        return _BoundRecording(self, self._client, self._recorder, replace(context, budget=self._budget))


class _BoundRecording(BoundClient):
    def __init__(self, outer: RecordingClient, inner: LLMClient, recorder: Recorder, context: CallContext) -> None:
        super().__init__(outer)
        self._outer = outer
        self._inner = inner.bind(context)
        self._recorder = recorder
        self._budget = context.budget
        self._keys = CallKeys(context)
        self._asked_now: set[str] = set()

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Return the recorded answer, or make the call and record it.

        Raises:
            StoppedError: no more calls may be made.
            LLMError: no answer could be had.
        """
        key = self._keys.next(canonical_request(request, self))
        known = self._recorder.find(key)
        if known is not None:
            return known
        self._asked_now.add(key.key.request_sha256)
        self._recorder.prepare(key)
        self._budget.charge(request.prompt_ctu)
        response = self._inner.complete(request)
        # Recorded first: should the process die now, the answer has been paid for.
        self._recorder.add(key, response)
        self._budget.settle(response.usage.completion_ctu)
        return response

    def may_ask_again(self, request: LLMRequest) -> bool:
        """Return whether a request whose answers could not be used has been answered once more, or may be asked so."""
        key = self._keys.peek(canonical_request(request, self))
        if self._recorder.find(key) is not None:
            return True
        return self._outer.ask_again and key.key.request_sha256 not in self._asked_now


REPLAY = "replay"
Record = Mapping[str, Any]


def live_run(campaign: Campaign) -> str:
    """Return the command that records calls, as a remedy names it."""
    return campaign.call("run-variants --llm openai")


class ReplayClient(UnboundClient):
    """Speaks for a recorded client: same name, model and parameters, hence the same run ids and run logs.

    The recorded client describes itself and is never asked, so no key is needed and the network is never touched.
    """

    def __init__(self, recorded: LLMClient, campaign: Campaign) -> None:
        super().__init__(recorded)
        self._folder = campaign.cassettes
        self._remedy = f"replay with the configuration that was recorded, or record the rest with {live_run(campaign)}"
        self._recorder = Recorder(self._folder, read_only=True)
        self._lock = threading.Lock()
        self._by_case: dict[str, list[Record]] | None = None

    def bind(self, context: CallContext) -> _BoundReplay:
        """Return the client as one case under one variant uses it."""
        return _BoundReplay(self, context)

    def answer(self, key: CallKey) -> LLMResponse:
        """Return the recorded answer to a call.

        Raises:
            LLMError: it was not recorded; names the call, and how it differs from the nearest that was.
            DataError: the cassette is damaged.
        """
        known = self._recorder.find(key)
        if known is None:
            raise LLMError(self._missing(key), remedy=self._remedy)
        return known

    def knows(self, key: CallKey) -> bool:
        """Return whether a call was recorded."""
        return self._recorder.find(key) is not None

    def _missing(self, key: CallKey) -> str:
        case = key.context
        call = f"{case.case_id} under {case.variant_id}, call {key.call_index + 1} ({key.request['task']})"
        of_case = self._recorded_of(case)
        same_variant = [record["request"] for record in of_case if record["variant_id"] == case.variant_id]
        nearest = first_difference(key.request, same_variant or [record["request"] for record in of_case])
        if nearest is None:
            why = "no call of this case was recorded" if not of_case else "it was made less often when it was recorded"
        else:
            why = f"it differs from the nearest recorded request in {nearest}"
        return f"{call} was not recorded: {why}"

    def _recorded_of(self, case: CallContext) -> list[Record]:
        """Return the recorded calls of a case: of its own run where there are any, else of every other."""
        with self._lock:
            if self._by_case is None:
                self._by_case = _by_case(self._folder)
        of_case = self._by_case.get(case.case_id, [])
        return [record for record in of_case if record["eval_run_id"] == case.eval_run_id] or of_case


def _by_case(folder: Path) -> dict[str, list[Record]]:
    """Read every cassette whole, requests included: only when something is missing, to say what comes nearest."""
    found: dict[str, list[Record]] = {}
    for path in sorted(folder.glob(f"eval-*{SUFFIX}")):
        try:
            records, _ = read_cassette(path)
        except DataError:  # stage 00 says what is wrong with it
            continue
        for record in records:
            found.setdefault(record["case_id"], []).append(record)
    return found


class _BoundReplay(BoundClient):
    def __init__(self, outer: ReplayClient, context: CallContext) -> None:
        super().__init__(outer)
        self._outer = outer
        self._keys = CallKeys(context)

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Return the recorded answer."""
        return self._outer.answer(self._keys.next(canonical_request(request, self)))

    def may_ask_again(self, request: LLMRequest) -> bool:
        """Return whether a request whose answers could not be used was answered once more."""
        return self._outer.knows(self._keys.peek(canonical_request(request, self)))
