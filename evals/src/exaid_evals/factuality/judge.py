"""A second judge of statements: a language model, asked through the clients, recorded, and answered from recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.clients.base import Budget, CallContext, ChatMessage, LLMClient, LLMRequest
from exaid_evals.clients.cassette import Recorder
from exaid_evals.clients.completion import json_object
from exaid_evals.clients.registry import build_client, check_client, equip_client
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.summarizer import SummarizerConfig
from exaid_evals.errors import CaseFailedError, ConfigError
from exaid_evals.factuality.support import Judged, Verdict
from exaid_evals.stats.agreement import Interval, bootstrap, kappa

TASK, VARIANT = "judge", "Judge"
_VERDICTS = [verdict.value for verdict in Verdict]
_INSTRUCTIONS = """\
You check statements of a clinical summary against what was said. Judge each statement by the text alone, not by what \
is likely. supported: the text says it, in whatever words. contradicted: the text says otherwise, such as another \
number, side, or a denial. not_found: the text says neither. Answer with JSON: {"verdicts": [{"number": 1, "verdict": \
"supported"}, ...]}, one entry for each statement."""
_SCHEMA = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"number": {"type": "integer"}, "verdict": {"enum": _VERDICTS}},
                "required": ["number", "verdict"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["verdicts"],
    "additionalProperties": False,
}


class ModelJudge:
    """Asks a model about all statements of a text at once.

    Args:
        client: equipped with recordings.
    """

    def __init__(self, client: LLMClient) -> None:
        self._client = client

    def __call__(self, statements: Sequence[str], texts: Sequence[str]) -> list[Verdict]:
        """Return the model's verdict on each statement.

        Raises:
            LLMError: no answer could be had, or none was recorded.
            CaseFailedError: the answer is not a verdict on every statement.
        """
        if not statements:
            return []
        numbered = "\n".join(f"{number}. {statement}" for number, statement in enumerate(statements, 1))
        said = "\n\n".join(texts)
        prompt = f"What was said:\n{said}\n\nStatements:\n{numbered}"
        messages = (ChatMessage("system", _INSTRUCTIONS), ChatMessage("user", prompt))
        digest = sha256_structure([list(statements), list(texts)]).removeprefix("sha256:")
        context = CallContext(self._run_id, VARIANT, f"case-{digest[:16]}")
        answer = self._client.bind(context).complete(LLMRequest(TASK, messages, _SCHEMA)).text
        return _verdicts(answer, len(statements), where=context.case_id)

    @property
    def _run_id(self) -> str:
        """One cassette for each model and wording of the task."""
        made_by = [self._client.name, self._client.model, dict(self._client.parameters), _INSTRUCTIONS]
        return f"eval-{sha256_structure(made_by).removeprefix('sha256:')[:16]}"


def _verdicts(answer: str, n: int, *, where: str) -> list[Verdict]:
    try:
        given = json_object(answer)["verdicts"]
        found = {one["number"]: Verdict(one["verdict"]) for one in given}
        return [found[number] for number in range(1, n + 1)]
    except (ValueError, KeyError, TypeError) as error:
        what = f"the model's answer is not a verdict on each of {n} statements ({type(error).__name__}: {error})"
        raise CaseFailedError(what, where=where, remedy="ask another model, or leave out --judge") from None


@contextmanager
def model_judge(config: SummarizerConfig, recordings: Campaign, *, max_calls: int | None) -> Iterator[ModelJudge]:
    """Yield a judge that records what a live client answers, or answers from the recordings alone.

    Args:
        config: names the client and its model.
        recordings: in whose `cassettes` the answers lie.
        max_calls: of a live model; None means any number.

    Raises:
        ConfigError: the client is simulated and cannot judge, or lacks something.
    """
    client = build_client(config, read_concepts=lambda texts: [frozenset() for _ in texts], reader_id="")
    if config.llm.client == "stub":
        raise ConfigError("the stub judges nothing", where="--judge", remedy="name openai, replay or your own client")
    check_client(config, client, recordings)
    with Recorder(recordings.cassettes) as recorder:
        budget = Budget(max_calls=max_calls)
        yield ModelJudge(equip_client(config, client, campaign=recordings, recorder=recorder, budget=budget))


def judges_agreement(pairs: Sequence[tuple[Judged, Verdict]], rng: Any) -> Interval:
    """Return Cohen's κ of the offline and the model's verdicts over statements, with its interval."""
    import numpy as np

    order = {verdict: number for number, verdict in enumerate(Verdict)}
    offline = np.array([order[judged.verdict] for judged, _ in pairs], dtype=np.int64)
    model = np.array([order[verdict] for _, verdict in pairs], dtype=np.int64)
    return bootstrap(kappa(offline, model), len(pairs), rng)
