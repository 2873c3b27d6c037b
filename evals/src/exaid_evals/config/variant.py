"""The middleware's settings: a variant's gate, trigger, summarizer and history; the language model behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from exaid_evals.config.base import Config, load_config
from exaid_evals.errors import ConfigError


class RetryConfig(Config):
    """When a request that failed for a passing reason is sent again.

    Attributes:
        max_attempts: how often one request is sent at most, the first time included.
        max_total_s: after so many seconds, waiting included, it is not sent again.
        base_s: the first wait; each further one is twice as long.
        max_wait_s: no wait is longer, unless the server asks for it.
    """

    max_attempts: int = Field(default=6, ge=1, le=100)
    max_total_s: float = Field(default=300.0, gt=0)
    base_s: float = Field(default=0.5, gt=0)
    max_wait_s: float = Field(default=30.0, gt=0)


class LLMConfig(Config):
    """Which client answers the middleware, and with which model. Keys and base URLs come from the environment alone.

    Attributes:
        client: `stub`, `openai`, `replay`, or one of the user's own.
        recorded: whose recorded answers `replay` gives.
        model: the live model; the stub's stands in its own settings.
        trigger_model: the live model of the trigger's calls; None takes `model` for them too.
        provider: whose key and base URL are taken from the environment.
        temperature: None sends none, for models that refuse it.
        response_format: how JSON is asked for; `auto` takes the strictest that the server supports.
        stream: whether answers are streamed. They are the same, so this is no part of a run's identity.
        timeout_s: how long one request may take.
        retry: when it is sent again.
    """

    client: str = "stub"
    recorded: str = "openai"
    model: str = Field(default="gpt-4o-mini", min_length=1)
    trigger_model: str | None = Field(default=None, min_length=1)
    provider: Literal["openai", "google"] = "openai"
    temperature: float | None = Field(default=0.0, ge=0.0, le=2.0)
    max_completion_tokens: int = Field(default=800, ge=1)
    response_format: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    stream: bool = True
    timeout_s: float = Field(default=60.0, gt=0)
    retry: RetryConfig = RetryConfig()


class LatencyConfig(Config):
    """The stub's latency in ms: base + per CTU read + per CTU written."""

    base_ms: float = Field(default=350.0, ge=0, le=1e9)
    per_prompt_ctu_ms: float = Field(default=0.15, ge=0, le=1e9)
    per_completion_ctu_ms: float = Field(default=12.0, ge=0, le=1e9)


class StubLLMConfig(Config):
    """How the stub decides and writes; see `exaid_evals.clients.stub`.

    Attributes:
        model: what it calls itself.
        min_concepts: concepts that a window must state to be of value.
        min_new_concepts: concepts not in the history that make a window novel.
        max_field_chars: length of a field; the schema allows 300.
        latency: the latency model.
        concepts: the extractor by which it reads, by name, and its settings.
    """

    model: str = Field(default="stub-extractive-1", min_length=1)
    min_concepts: int = Field(default=1, ge=0)
    min_new_concepts: int = Field(default=1, ge=0)
    max_field_chars: int = Field(default=300, ge=40, le=300)
    latency: LatencyConfig = LatencyConfig()
    concepts: str = "lexicon"
    concepts_settings: dict[str, Any] = Field(default_factory=dict)


class StreamConfig(Config):
    """How fast text arrives where a trace does not say: a chat model's typing speed."""

    chars_per_second: float = Field(default=120.0, ge=0.01, le=1e6)


class SummarizerConfig(Config):
    """The whole file."""

    MOVED: ClassVar[Mapping[str, str]] = {
        "history_k": "write `history_k` into the variant's file, such as configs/variants/V3.yaml"
    }
    llm: LLMConfig = LLMConfig()
    stub: StubLLMConfig = StubLLMConfig()
    stream: StreamConfig = StreamConfig()


VARIANT_ID_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,31}$"


class PartConfig(Config):
    """A gate, trigger or summarizer: its kind, and settings that the part itself checks."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = Field(min_length=1)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings beside the kind."""
        return dict(self.model_extra or {})


Hash = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]


class Basis(StrEnum):
    """How a frozen gate was settled."""

    CALIBRATED = "calibrated"
    SET = "set"


class FrozenConfig(Config):
    """Where a gate that is frozen comes from; `exaid-evals calibrate --write` writes it.

    Attributes:
        gate: as it was settled. A variant's own `gate` says what is run, and a run says where the two differ.
        basis: `calibrated` on traces, or `set` by whoever designed the evaluation.
        calibration_hash: of everything that the choice depends on; where it was set, of the gate itself.
        version: of the package that wrote this.
        reason: why a gate that was set is what it is.
        trace_dataset_hash: of the frozen traces that were calibrated on; None where the gate was set.
        cases: of these traces; none of them may be evaluated.
        date: of these traces, on their own clock.
        stub: whether the conversation was simulated.
    """

    gate: PartConfig
    basis: Basis = Basis.CALIBRATED
    calibration_hash: Hash
    version: str
    reason: str | None = None
    trace_dataset_hash: Hash | None = None
    cases: tuple[str, ...] = ()
    date: str | None = None
    stub: bool | None = None

    @model_validator(mode="after")
    def _says_what_its_basis_needs(self) -> Self:
        of_traces: dict[str, object] = {
            "trace_dataset_hash": self.trace_dataset_hash,
            "date": self.date,
            "stub": self.stub,
            "cases": self.cases or None,
        }
        if self.basis is Basis.CALIBRATED:
            missing = [name for name, value in of_traces.items() if value is None]
            if missing:
                raise ValueError(f"what was calibrated says on what, and {', '.join(missing)} is missing")
        elif not self.reason or any(value is not None for value in of_traces.values()):
            raise ValueError("what was set has a reason, and comes from no traces")
        return self

    @model_serializer(mode="wrap")
    def _what_there_is(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None and value != []}


class VariantConfig(Config):
    """One YAML file of configs/variants.

    Attributes:
        variant_id: its name in files and tables.
        description: what it is for, in a sentence.
        gate: when a chunk of the stream leaves the buffer.
        trigger: whether to summarise now.
        summarizer: what is made of the window.
        history_k: how many earlier summaries trigger and summarizer are shown.
        frozen: where the gate's settings come from; None where nobody froze them.
    """

    variant_id: str = Field(pattern=VARIANT_ID_PATTERN)
    description: str = ""
    gate: PartConfig
    trigger: PartConfig
    summarizer: PartConfig
    history_k: int = Field(ge=0, le=1000)
    frozen: FrozenConfig | None = None

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return re.sub(r"\s+", " ", value).strip()

    @model_serializer(mode="wrap")
    def _without_an_absent_block(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A variant that was never calibrated keeps the hash it had before calibrations were recorded.
        return {key: value for key, value in handler(self).items() if key != "frozen" or value is not None}


def load_variants(folder: Path, wanted: Iterable[str] = ()) -> list[VariantConfig]:
    """Read the variants of a folder, sorted by id.

    Args:
        folder: holds one YAML file a variant, named after it.
        wanted: ids to read; none means all.

    Raises:
        ConfigError: every malformed file, every file not named after its variant, every unknown id, at once.
    """
    variants, problems = read_variants(folder, wanted)
    if problems:
        raise ConfigError.of(problems)
    return variants


def read_variants(folder: Path, wanted: Iterable[str] = ()) -> tuple[list[VariantConfig], list[ConfigError]]:
    """Read the variants of a folder, sorted by id; return those that are sound, and every problem with the others."""
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    wanted = list(dict.fromkeys(wanted))
    if not paths:
        remedy = "add a YAML file, or name another --config-dir or --variants-dir"
        return [], [ConfigError("no variant here", where=str(folder), remedy=remedy)]
    problems = [
        ConfigError(f"no variant is called {name!r}", where=str(folder), remedy=f"known are {', '.join(paths)}")
        for name in wanted
        if name not in paths
    ]
    variants = []
    for name in sorted(name for name in (wanted or paths) if name in paths):
        try:
            variant = load_config(VariantConfig, paths[name]).value
        except ConfigError as error:
            problems.append(error)
            continue
        if variant.variant_id == name:
            variants.append(variant)
        else:
            what = f"holds the variant {variant.variant_id!r}"
            remedy = f"name the file {variant.variant_id}.yaml"
            problems.append(ConfigError(what, where=str(paths[name]), remedy=remedy))
    return variants, problems
