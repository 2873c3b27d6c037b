"""What stage 02 needs, checked before anything is spent: for `run-variants`, and for `plan`, which only reports it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from exaid_evals.artifacts.manifest import TraceEntry
from exaid_evals.clients.base import LLMClient
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.clients.endpoint import secrets_hidden
from exaid_evals.clients.registry import build_client
from exaid_evals.clients.replay import REPLAY, ReplayClient
from exaid_evals.concepts.registry import read_stop_entities
from exaid_evals.config.base import Loaded, Problems, joined, load_config
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.requests import RunsRequest
from exaid_evals.config.variant import VARIANT_ID_PATTERN, SummarizerConfig, VariantConfig, read_variants
from exaid_evals.errors import CaseFailedError, ConfigError, ExaidError, LLMError
from exaid_evals.replay.eval_run import EvalRun, eval_run, remarks, run_case
from exaid_evals.replay.stage import Plan, Settings, part_problems, plan_runs
from exaid_evals.replay.working import SHIPPED_READER, make_client, read_nothing
from exaid_evals.traces.model import read_trace

STUB = "stub"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before a run.

    Attributes:
        config: the client's configuration with the source of each value; None where it cannot be read.
        variants: those that could be read.
        settings: what the stage would be asked to do; None where the configuration has a problem.
        plan: what there is to do; None where that cannot be known.
        client: describes itself as in the run; None where it cannot be built.
        remarks: what is not a problem, and must be known.
        problems: everything that keeps the stage from its work.
    """

    config: Loaded[SummarizerConfig] | None
    variants: tuple[VariantConfig, ...]
    settings: Settings | None
    plan: Plan | None
    client: LLMClient | None
    remarks: tuple[str, ...]
    problems: tuple[ExaidError, ...]

    def required(self) -> tuple[Settings, Plan]:
        """Return what is needed to run.

        Raises:
            ConfigError: names every problem, one of the configuration at least.
            DataError: names every problem of the data.
        """
        error = joined(self.problems)
        if error is not None:
            raise error
        assert self.settings is not None  # noqa: S101 - for the type checker: whatever is missing is a problem
        assert self.plan is not None  # noqa: S101
        return self.settings, self.plan


def preflight(request: RunsRequest, *, traces_required: bool = True) -> Preflight:
    """Check everything that a run needs, without asking a model and without writing anything.

    Args:
        request: what the user asks for.
        traces_required: whether it is a problem that no traces are frozen yet.
    """
    campaign = request.campaign
    problems = Problems()
    config = problems.checked(partial(_load_hiding_secrets, request))
    variants, unsound = read_variants(request.variants_folder, request.variants)
    variants, misnamed = _under_name(variants, request.runs_name)
    problems.add(*misnamed)
    problems.add(*unsound)
    stop_entities = problems.checked(lambda: read_stop_entities(request.configs / "stop_entities.txt"))
    problems.add(*part_problems(config.value if config else SummarizerConfig(), variants, campaign))
    settings = None
    if config is not None and stop_entities is not None and variants:
        settings = Settings(variants, config.value, stop_entities, request)
    wanted = settings or Settings(variants, SummarizerConfig(), frozenset(), request)
    plan = None
    if traces_required or campaign.manifest_file.exists():
        # The traces are checked also where the configuration is not sound; what there is to do is then not known.
        plan = problems.checked(lambda: plan_runs(campaign, wanted))
    client = None
    if settings is not None and (plan is None or plan.work):
        client = problems.checked(partial(_described, settings))
    if settings is not None and plan is not None and client is not None and not problems.found:
        problems.add(*_unrecorded(campaign, settings, plan, client))
    notes = (
        tuple(remarks(variants, [e.case_id for e in plan.entries], stub_conversation=plan.manifest.stub))
        if plan
        else ()
    )
    sound = settings is not None and not unsound
    return Preflight(config, tuple(variants), settings, plan if sound else None, client, notes, problems.found)


def _under_name(variants: Sequence[VariantConfig], name: str | None) -> tuple[list[VariantConfig], list[ConfigError]]:
    """Return variants under the name that keeps their runs beside others of the same variants."""
    if name is None:
        return list(variants), []
    named = [variant.model_copy(update={"variant_id": f"{variant.variant_id}-{name}"}) for variant in variants]
    long = [one.variant_id for one in named if not re.fullmatch(VARIANT_ID_PATTERN, one.variant_id)]
    what = f"{', '.join(long)}: longer than the 32 characters of a variant's name"
    return named, [ConfigError(what, where="--runs-name", remedy="choose a shorter one")] if long else []


def _load_hiding_secrets(request: RunsRequest) -> Loaded[SummarizerConfig]:
    # A key that was written into a configuration must not be shown with what is wrong there.
    with secrets_hidden():
        return load_config(SummarizerConfig, request.configs / "summarizer.yaml", request.of_summarizer)


def _described(settings: Settings) -> LLMClient:
    """Return the client as it describes itself in the run, and make sure that what it reads with can be loaded."""
    stub = settings.summarizer.stub
    if settings.summarizer.llm.client == STUB and stub.concepts == SHIPPED_READER:
        # Loading the vocabulary takes seconds, and the workers load it for themselves. A stub's calls are recorded
        # nowhere, so its exact description is not needed here.
        return build_client(settings.summarizer, read_concepts=read_nothing, reader_id="")
    return make_client(settings.summarizer, settings.stop_entities)


def _unrecorded(campaign: Campaign, settings: Settings, plan: Plan, client: LLMClient) -> Iterator[ExaidError]:
    """Yield what is wrong with the cassettes that a run would read: damaged, or not there for a replay."""
    if client.stub:
        return
    replays = settings.summarizer.llm.client == REPLAY
    for variant in settings.variants:
        entries = [work.entry for work in plan.work if variant in work.variants and not work.entry.failed]
        if not entries:
            continue
        run = eval_run(variant, settings.summarizer, client, plan.manifest.trace_dataset_hash)
        path = campaign.cassette_file(run.eval_run_id)
        problems = Problems()
        if path.exists():
            problems.checked(partial(read_cassette, path))
        elif replays:
            problems.checked(partial(_probe, campaign, run, client, entries[0]))
        yield from problems.found


def _probe(campaign: Campaign, run: EvalRun, client: LLMClient, entry: TraceEntry) -> None:
    """Replay a case of a run of which nothing was recorded, as far as it goes: to the first call, if it makes any.

    Raises:
        ConfigError: it makes one; says in what it differs from what was recorded.
    """
    try:
        run_case(run, read_trace(campaign.trace_file(entry.case_id)), entry.sha256, ReplayClient(client, campaign))
    except LLMError as error:
        raise ConfigError(error.what, where=str(campaign.cassettes), remedy=error.remedy) from None
    except CaseFailedError:
        return  # a part of the user's own, which the run will tell of
