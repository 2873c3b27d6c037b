"""What a run would ask of a language model: counted by running the real engine with a client that asks nobody.

Gates are deterministic and latency never delays the stream, so the flushes of a frozen conversation, and with them the
trigger's decisions, are exact. How many decisions summarise, and how long summaries are, is up to the model:

- `high`: every decision summarises, and every summary is as long as its schema allows;
- `expected`: as the calls of this run that are recorded already, where there are any; else every decision summarises,
  with summaries half as long as allowed.

Every prompt is composed by the variant's own trigger and summarizer. What is recorded is answered from the recording.
Not counted are answers that are asked for once more because they break their form, requests that are sent again after
errors, and the longer prompts where a trigger holds text back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exaid_evals.clients.base import LLMClient
from exaid_evals.clients.cassette import Recorder, read_cassette
from exaid_evals.clients.completion import json_object
from exaid_evals.clients.replay import Assumption, Count, Counts, ForecastClient
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import CaseFailedError, LLMError
from exaid_evals.replay.eval_run import EvalRun, eval_run, run_case
from exaid_evals.replay.stage import Plan, Settings
from exaid_evals.traces.model import Trace, read_trace

HIGH = Assumption("high")
UNKNOWN = Assumption("expected", fill=0.5)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the recorded calls of a run tell.

    Attributes:
        n_calls: how many there are.
        yes_share: share of trigger answers that say yes to everything; None without any that can be read.
        summary_ctu: mean length of summaries; None without any.
        prompt_tokens_per_ctu, completion_tokens_per_ctu: the provider's tokens; None where it reported none.
    """

    n_calls: int = 0
    yes_share: float | None = None
    summary_ctu: float | None = None
    prompt_tokens_per_ctu: float | None = None
    completion_tokens_per_ctu: float | None = None

    @property
    def assumption(self) -> Assumption:
        """What is expected of the calls to come."""
        if self.yes_share is None and self.summary_ctu is None:
            return UNKNOWN
        yes_share = 1.0 if self.yes_share is None else self.yes_share
        return Assumption("expected", yes_share=yes_share, fill=UNKNOWN.fill, summary_ctu=self.summary_ctu)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one variant would ask.

    Attributes:
        variant_id: which.
        eval_run_id: names its cassette.
        n_current: run logs that need not be made again.
        n_to_do: run logs to be made, of cases without a conversation too.
        flushes: of the conversations to be done; exact.
        measured: what its recorded calls tell.
        recorded: calls of the run logs to be made that are answered from the recording.
        expected, high: calls to come.
        unusable: cases whose recorded answers cannot be used.
        problem: why nothing can be said (a part of the user's own that cannot be run like this); None where it can.
    """

    variant_id: str
    eval_run_id: str
    n_current: int
    n_to_do: int
    flushes: int = 0
    measured: Measured = Measured()
    recorded: Count = field(default_factory=Count)
    expected: Count = field(default_factory=Count)
    high: Count = field(default_factory=Count)
    unusable: tuple[str, ...] = ()
    problem: str | None = None


def forecast(campaign: Campaign, settings: Settings, plan: Plan, client: LLMClient) -> Iterator[Forecast]:
    """Yield what each variant would ask to do what is left to do.

    Raises:
        DataError: a trace or a cassette is damaged.
    """
    recorder = None if client.stub else Recorder(campaign.cassettes, read_only=True)
    traces: dict[str, Trace] = {}
    for variant in settings.variants:
        run = eval_run(variant, settings.summarizer, client, plan.manifest.trace_dataset_hash)
        entries = [item.entry for item in plan.work if variant in item.variants]
        for entry in entries:
            if entry.case_id not in traces:
                traces[entry.case_id] = read_trace(campaign.trace_file(entry.case_id))
        yield _of_variant(
            run,
            client,
            recorder,
            [(traces[entry.case_id], entry.sha256) for entry in entries],
            n_current=len(plan.entries) - len(entries),
            measured=_measured(campaign, run) if recorder else Measured(),
        )


def forecast_of_conversation(settings: Settings, client: LLMClient, traces: Sequence[Trace]) -> Iterator[Forecast]:
    """Yield what each variant would ask about conversations that are not frozen, such as simulated ones."""
    for variant in settings.variants:
        run = eval_run(variant, settings.summarizer, client, "")
        conversations = [(trace, "") for trace in traces]
        yield _of_variant(run, client, None, conversations, n_current=0, measured=Measured())


def _of_variant(
    run: EvalRun,
    client: LLMClient,
    recorder: Recorder | None,
    conversations: Sequence[tuple[Trace, str]],
    *,
    n_current: int,
    measured: Measured,
) -> Forecast:
    """Forecast a variant over conversations, each with the hash of its file."""
    found = Forecast(run.variant.variant_id, run.eval_run_id, n_current, len(conversations), measured=measured)
    expected, high = Counts(), Counts()
    unusable: list[str] = []
    flushes = 0
    for trace, sha256 in conversations:
        try:
            for assumption, counts in ((measured.assumption, expected), (HIGH, high)):
                log = run_case(run, trace, sha256, ForecastClient(client, recorder, assumption, counts))
        except LLMError:
            unusable.append(trace.case_id)
        except CaseFailedError as error:
            return replace(found, problem=str(error))
        else:
            flushes += len(log.flushes)
    return replace(
        found,
        flushes=flushes,
        recorded=expected.recorded,
        expected=expected.to_come,
        high=high.to_come,
        unusable=tuple(unusable),
    )


def _measured(campaign: Campaign, run: EvalRun) -> Measured:
    """Return what the cassette of a run tells."""
    path = campaign.cassette_file(run.eval_run_id)
    records = read_cassette(path)[0] if path.exists() else []
    said_yes = [answer for record in records if (answer := _yes(record)) is not None]
    lengths = [record["usage"]["completion_ctu"] for record in records if record["request"]["task"] == "summary"]
    return Measured(
        n_calls=len(records),
        yes_share=_mean(said_yes),
        summary_ctu=_mean(lengths),
        prompt_tokens_per_ctu=_ratio(records, "prompt"),
        completion_tokens_per_ctu=_ratio(records, "completion"),
    )


def _yes(record: Mapping[str, Any]) -> bool | None:
    if record["request"]["task"] != "trigger":
        return None
    try:
        return all(json_object(record["response_text"]).values())
    except ValueError:
        return None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _ratio(records: Sequence[Mapping[str, Any]], side: str) -> float | None:
    usages = [record["usage"] for record in records if record["usage"][f"provider_{side}_tokens"] is not None]
    n_ctu = sum(usage[f"{side}_ctu"] for usage in usages)
    return sum(usage[f"provider_{side}_tokens"] for usage in usages) / n_ctu if n_ctu else None
