"""How the agents' conversation is made: MAC's frozen settings, and the distributions of the stub that simulates it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator

from exaid_evals.config.base import Config


class SelectionMode(StrEnum):
    """How many of the available cases are selected."""

    FIXED_SUBSET = "fixed_subset"
    ALL = "all"


class OnFailure(StrEnum):
    """What a case that fails does to the others."""

    LOG_STUB = "log_stub"
    RAISE = "raise"


class DatasetConfig(Config):
    """configs/dataset.yaml.

    Attributes:
        source: `auto` (MAC's cases where they are present, else synthetic ones), `mac`, `synthetic`, the name of
            an entry point, or `module:attribute`.
        mode: a seeded subset of fixed size, or every case.
        seed: of the selection.
        n_cases: size of the subset; ignored when all cases are taken.
        on_failure: `log_stub` freezes a failure trace in the case's place and goes on; `raise` stops at the
            first failure and freezes nothing.
        synthetic_seed: of the synthetic cases themselves.
    """

    source: str = Field(default="auto", min_length=1)
    mode: SelectionMode = SelectionMode.FIXED_SUBSET
    seed: int = 42
    n_cases: int = Field(default=40, ge=1)
    on_failure: OnFailure = OnFailure.LOG_STUB
    synthetic_seed: int = Field(default=42, ge=0)


_MAX_MS = 1e9
_EPOCH = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


class Stage(StrEnum):
    """Which presentation of the case the agents are given."""

    INITIAL = "initial"
    FOLLOW_UP = "follow_up"


class LogNormal(Config):
    """A log-normal distribution, cut off at both ends (values beyond an end are moved to it).

    Attributes:
        median: half of the values lie below it.
        sigma: standard deviation of the logarithm; about two thirds lie within a factor of e^sigma.
        low: least value.
        high: greatest value.
    """

    median: float = Field(gt=0)
    sigma: float = Field(ge=0, le=3)
    low: float = Field(ge=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.median <= self.high:
            raise ValueError("must satisfy low ≤ median ≤ high")
        return self


class ConversationConfig(Config):
    """What the simulated agents say.

    Attributes:
        doctor_messages_low, doctor_messages_high, doctor_messages_p: messages of the doctors number
            low + Binomial(high − low, p).
        second_interjection: probability that the supervisor interjects twice; there is room for it only while
            the whole conversation stays within MAC's 13 rounds.
        message_chars: length that a doctor's message aims at, in code points.
        leads_with_truth: probability that a doctor's first hypothesis is the case's diagnosis.
        wrong_consensus: probability that the conversation settles on another diagnosis.
        quote, paraphrase: probability that a piece of evidence is quoted, or put in other words, rather than
            named by its phrase in the case.
        abbreviate: probability that a phrase with a usual short form is abbreviated (spelled out first).
        repeat: probability that a doctor takes up evidence that was already named.
        negate: probability that a doctor's message weighs what the patient does not have.
        markdown: probability that a message is laid out with bold labels and numbered lists.
    """

    doctor_messages_low: int = Field(default=6, ge=6, le=13)
    doctor_messages_high: int = Field(default=10, ge=6, le=13)
    doctor_messages_p: float = Field(default=0.5, ge=0, le=1)
    second_interjection: float = Field(default=0.4, ge=0, le=1)
    message_chars: LogNormal = LogNormal(median=1150, sigma=0.3, low=650, high=1900)
    leads_with_truth: float = Field(default=0.55, ge=0, le=1)
    wrong_consensus: float = Field(default=0.2, ge=0, le=1)
    quote: float = Field(default=0.3, ge=0, le=1)
    paraphrase: float = Field(default=0.45, ge=0, le=1)
    abbreviate: float = Field(default=0.6, ge=0, le=1)
    repeat: float = Field(default=0.35, ge=0, le=1)
    negate: float = Field(default=0.5, ge=0, le=1)
    markdown: float = Field(default=0.45, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.doctor_messages_low > self.doctor_messages_high:
            raise ValueError("doctor_messages_low must not exceed doctor_messages_high")
        return self


class TimingConfig(Config):
    """When the simulated text arrives. Times in ms, speeds in code points a second.

    Attributes:
        presentation_speed: of the supervisor's opening, which is pasted.
        reading_ms: between the opening's end and the first answer.
        first_token_ms: between the end of a message and the first character of the next.
        typing_speed: drawn once a message.
        pause_probability: of a pause before a chunk (a clause or a line) of a message.
        pause_ms: length of such a pause.
    """

    presentation_speed: float = Field(default=4000, ge=0.01, le=1e6)
    reading_ms: LogNormal = LogNormal(median=6000, sigma=0.4, low=2000, high=20000)
    first_token_ms: LogNormal = LogNormal(median=1800, sigma=0.5, low=400, high=15000)
    typing_speed: LogNormal = LogNormal(median=80, sigma=0.35, low=25, high=240)
    pause_probability: float = Field(default=0.05, ge=0, le=1)
    pause_ms: LogNormal = LogNormal(median=5000, sigma=0.4, low=2000, high=20000)

    @model_validator(mode="after")
    def _within_reason(self) -> Self:
        for name in ("reading_ms", "first_token_ms", "pause_ms"):
            if getattr(self, name).high > _MAX_MS:
                raise ValueError(f"{name}.high must not exceed {_MAX_MS:g} ms")
        if not 0.01 <= self.typing_speed.low <= self.typing_speed.high <= 1e6:
            raise ValueError("typing_speed must lie between 0.01 and 1e6 characters a second")
        return self


class StubConfig(Config):
    """The stub generator.

    Attributes:
        model: what traces name as their model. A change of the generator that changes its traces changes this.
        failure_rate: share of cases in which a failure is planted.
        conversation: what is said.
        timing: when it is said.
    """

    model: str = Field(default="stub-groupchat-2", pattern="^stub-")
    failure_rate: float = Field(default=0.0, ge=0, le=1)
    conversation: ConversationConfig = Field(
        default=ConversationConfig(),
        validation_alias=AliasChoices("conversation", "talk"),  # as it was once called
    )
    timing: TimingConfig = TimingConfig()


class MacConfig(Config):
    """MAC itself, which a live conversation runs and the stub imitates.

    Attributes:
        commit: of MAC's repository.
        stage: which presentation the agents are given.
        num_doctors: agents beside the supervisor.
        n_round: most messages of a conversation.
        model_config_file: the language model's frozen settings, beside this file; used by a live conversation only.
    """

    commit: str = Field(default="896a5deb4d6db7a2c872630a6638da4da3b0f4d4", pattern="^[0-9a-f]{40}$")
    stage: Stage = Stage.INITIAL
    num_doctors: int = Field(default=3, ge=3, le=3)
    n_round: int = Field(default=13, ge=10)
    model_config_file: str = "mac_model_config.json"


class Passing(StrEnum):
    """A failure that a second try at the same conversation may not meet again."""

    PROVIDER = "provider"
    TIMEOUT = "timeout"
    CRASH = "crash"


class RetryConfig(Config):
    """When a live case is tried again. Calls that were answered are answered from the recording then.

    Attributes:
        attempts: tries at a case, the first included.
        again_after: failures that are worth another try: `provider` (429, 5xx, no connection), `timeout` (the
            case's time limit), `crash` (MAC's process died). What MAC itself raises about an answer is never tried
            again: the recorded answer would raise it again, and another answer would be another conversation, paid for
                twice.
        backoff_s: wait before the second try; doubled before each further one, and scattered by half.
        backoff_max_s: longest wait, also where the provider's Retry-After asks for more.
    """

    attempts: int = Field(default=3, ge=1, le=20)
    again_after: tuple[Passing, ...] = (Passing.PROVIDER, Passing.TIMEOUT, Passing.CRASH)
    backoff_s: float = Field(default=10, ge=0)
    backoff_max_s: float = Field(default=120, ge=0)


class LiveConfig(Config):
    """How MAC is run for a live conversation; nothing here reaches the agents' prompts.

    Attributes:
        time_limit_s: of one try at a case, after which MAC's process is killed.
        retry: when a case is tried again.
        report_required: whether a case fails when MAC cannot read the diagnosis out of a conversation that is complete
            and written. Off, since the conversation is what is evaluated, never the diagnosis.
        stream: whether answers are asked for chunk by chunk where the service can, so that it is known when text came.
    """

    time_limit_s: float = Field(default=1800, gt=0)
    retry: RetryConfig = RetryConfig()
    report_required: bool = False
    stream: bool = True


class MasGenerationConfig(Config):
    """configs/mas_generation.yaml; how answers are sampled stands in the file of the model.

    Attributes:
        seed: of the stub generator.
        epoch: time stamp of every stub trace's first message and of a stub manifest.
        mac: the multi-agent system.
        live: how it is run.
        stub: its simulation.
    """

    MOVED: ClassVar[Mapping[str, str]] = {
        "mac.decoding": "write `temperature` and the like into configs/mac_model_config.json"
    }
    seed: int = Field(default=42, ge=0)
    epoch: str = "2024-12-19T12:00:00Z"
    mac: MacConfig = MacConfig()
    live: LiveConfig = LiveConfig()
    stub: StubConfig = StubConfig()

    def for_stub(self) -> dict[str, Any]:
        """Return what a simulated conversation depends on, as plain data."""
        return self.model_dump(mode="json", exclude={"live"})

    def for_live(self) -> dict[str, Any]:
        """Return what a live conversation depends on, as plain data."""
        return self.model_dump(mode="json", include={"mac", "live"})

    @field_validator("epoch")
    @classmethod
    def _is_a_moment(cls, value: str) -> str:
        if not _EPOCH.fullmatch(value):
            raise ValueError("must look like 2024-12-19T12:00:00Z")
        if not 1970 <= datetime.fromisoformat(value).year <= 9000:
            raise ValueError("its year must lie between 1970 and 9000")
        return value

    @model_validator(mode="after")
    def _fits_the_rounds(self) -> Self:
        # Beside the doctors: the opening, one interjection and the summary.
        if self.stub.conversation.doctor_messages_high + 3 > self.mac.n_round:
            raise ValueError("stub.conversation.doctor_messages_high + 3 must not exceed mac.n_round")
        return self


class MacModelConfig(Config):
    """configs/mac_model_config.json: the language model's frozen settings, as MAC hands them to autogen.

    Attributes:
        model: name of the model.
        temperature: of sampling.
        cache_seed: None, since a cached answer is not a measurement.
        timeout: of one call, in s.
        provider: whose key and base URL are taken from the environment; None goes by the model's name.
    """

    model: str = Field(default="gpt-4o-mini", min_length=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    cache_seed: None = None
    timeout: float = Field(default=300, gt=0)
    provider: Literal["openai", "google"] | None = None

    @property
    def asked_of(self) -> Literal["openai", "google"]:
        """The provider: Google for a model called `gemini…`, else OpenAI or whatever OPENAI_BASE_URL names."""
        return self.provider or ("google" if self.model.removeprefix("models/").startswith("gemini") else "openai")
