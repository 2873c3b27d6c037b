"""What each stage is asked to do. An option is a field here, and its use."""

from __future__ import annotations

import re
from pathlib import Path

from exaid_evals.config.campaign import Campaign
from exaid_evals.config.request import (
    OPENAI,
    REPLAY,
    STUB,
    AllCoresRequest,
    CampaignRequest,
    CasesRequest,
    ClusterRequest,
    ConfigRequest,
    DryRunRequest,
    ExtractorRequest,
    ForceRequest,
    JobsRequest,
    LiveRequest,
    Override,
    SelectionRequest,
    Shard,
    ShardRequest,
    SourceRequest,
    StubRequest,
    VariantsRequest,
    argument,
    campaign_of,
    flag,
    names_of,
    option,
)
from exaid_evals.errors import ConfigError


def _runs_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", text):
        raise ValueError("write 1 to 20 letters, digits, `-` or `_`, such as gpt-5")
    return text


def _seeds(text: str) -> tuple[int, ...]:
    parts = text.replace(",", " ").split()
    if not all(part.isdecimal() for part in parts):
        raise ValueError('write whole numbers, such as "42 43 44"')
    return tuple(dict.fromkeys(int(part) for part in parts))


class StageRequest(
    CasesRequest, JobsRequest, ForceRequest, DryRunRequest, ShardRequest, CampaignRequest, ConfigRequest
):
    """What is done to each case of a campaign."""


class TracesRequest(LiveRequest, SelectionRequest, StageRequest):
    """Stage 01."""

    llm: str | None = option(
        "Who answers MAC: its model, or the recording of it; `stub` is --stub.  [default: openai]",
        choices=(OPENAI, REPLAY, STUB),
    )
    mode: str | None = option(
        "A seeded subset, or every case.", choices=("fixed_subset", "all"), key="dataset.yaml:mode"
    )
    exclude_from: Path | None = option(
        "Select from the cases that this other campaign does not have.", metavar="DATA_DIR", path={"file_okay": False}
    )
    retry_failed: bool = flag("Make the failed cases again, and no others.")

    @property
    def simulated(self) -> bool:
        """Whether the conversation is simulated."""
        return self.stub or self.llm == STUB

    @property
    def replayed(self) -> bool:
        """Whether MAC's calls are answered from their recording alone."""
        return self.llm == REPLAY

    @property
    def excluded(self) -> Campaign | None:
        """A frozen campaign, none of whose cases may be selected."""
        return None if self.exclude_from is None else campaign_of(self.exclude_from)


class RunsRequest(VariantsRequest, LiveRequest, StageRequest):
    """Stage 02."""

    llm: str | None = option(
        "stub, openai (live), replay (from recordings), or your own; in place of the configured client.",
        metavar="CLIENT",
        key="summarizer.yaml:llm.client",
    )
    model: str | None = option("Live model, in place of the configured one.", key="summarizer.yaml:llm.model")
    trigger_model: str | None = option(
        "Live model of the trigger's calls, in place of the configured one.", key="summarizer.yaml:llm.trigger_model"
    )
    stub_concepts: str | None = option(
        "Concept extractor that the stub reads with, in place of the configured one; words: outside medicine.",
        metavar="NAME",
        key="summarizer.yaml:stub.concepts",
    )
    runs_name: str | None = option(
        "Keep these runs beside others of the same variants, as V3-NAME; later stages compare them in one table.",
        parse=_runs_name,
        metavar="NAME",
    )
    retry_failed: bool = flag("Ask a live model anew where a recorded answer fails its case.")

    @property
    def of_summarizer(self) -> dict[str, Override]:
        """What stands in the place of values of summarizer.yaml."""
        given = self.overrides("summarizer.yaml")
        return given | {"llm.client": Override(STUB, self.source_of("stub"))} if self.stub else given


class MetricsRequest(ExtractorRequest, StageRequest):
    """Stage 03."""

    variants: tuple[str, ...] = argument("[VARIANT]...")
    against: str | None = option(
        "Compare the others with it.  [default: the primary variant]",
        metavar="VARIANT",
        key="metrics.yaml:comparisons.against",
    )
    families: tuple[str, ...] | None = option(
        "Further families of measures, with commas between them, in place of the configured ones: decisive_step, an "
        "entry point or module:attribute.",
        "--measures",
        parse=names_of,
        metavar="NAMES",
        key="metrics.yaml:measures",
    )
    references: Path | None = option(
        "Clinicians' notes of cases, JSON Lines {case_id, reference}: measures updates against them.  "
        "[default: references.jsonl in the campaign folder, where it is]",
        path={"exists": True, "dir_okay": False},
    )
    labels: Path | None = option(
        "What people say of some cases, JSON Lines: corrects coverage and unsupported for the extractor's errors.",
        path={"exists": True, "dir_okay": False},
    )


class ExportRequest(ClusterRequest, DryRunRequest, CampaignRequest):
    """Stage 04."""

    runs: tuple[Path, ...] = option("Finished run, its folder, or one above several; repeatable.", "--run", default=())
    pattern: str | None = option("Finished runs, folders or files, as a quoted pattern.", "--runs", metavar="GLOB")
    out: Path | None = option(
        "Folder to write.  [default: RUN/export for one --run, its main table in RUN itself; else DATA/exports]",
        path={"file_okay": False},
    )
    primary_metric: str | None = option("Metric that ranks the runs, such as V3.coverage.", metavar="NAME")
    better: str | None = option(
        "Which way the primary metric improves, where its name does not say.", choices=("higher", "lower")
    )
    group_by: str | None = option(
        "What the runs differ in: seed, fold, trial, none, or any setting.  [default: found out]", metavar="KEY"
    )
    metric_value: str = option(
        "Which of a metric's logged values counts, in runs that are read from their histories.",
        default="last",
        choices=("last", "best", "min", "max"),
    )
    mapping: Path | None = option("YAML: where metrics lie.", path={"dir_okay": False})
    draft_mapping: bool = flag("Print a draft of such a file, made from what lies in --run.")
    patterns: Path | None = option("YAML: names of models.", path={"dir_okay": False})
    require_prompts: tuple[str, ...] = option(
        "Only models with reports for all these prompts.", default=(), metavar="A,B", parse=names_of
    )
    on_failure: str = option(
        "Export the others when a run cannot be read, or nothing.", default="skip", choices=("skip", "raise")
    )
    log_level: str = option(
        "From which level on messages go to the terminal; the log file has all.",
        default="info",
        choices=("debug", "info", "warning", "error", "critical"),
    )
    jobs: int | None = option("Processes at most.  [default: number of cores]", "-j", "--jobs", minimum=1)
    force: bool = flag("Read also runs that have not changed since the last export.")
    parquet: bool = flag(
        "Write all that the runs hold as Parquet too, into OUT/parquet: a campaign's measures, updates, concepts, …; "
        "else summaries, settings, histories, predictions, …"
    )
    log_file: bool = True


class PlanRequest(RunsRequest, TracesRequest):
    """Stages 01 and 02, only reported."""

    stage: str | None = option(
        "The stage to plan.  [default: run-variants, and make-traces too where no traces are frozen yet]",
        choices=("make-traces", "run-variants"),
    )
    llm: str | None = option("As for make-traces and run-variants.", metavar="CLIENT", key="summarizer.yaml:llm.client")
    price_input: float | None = option("Price of a million tokens of prompts.", minimum=0)
    price_output: float | None = option("Price of a million tokens of answers.", minimum=0)
    retry_failed: bool = flag("As for make-traces and run-variants.")
    as_json: bool = flag("Print everything as one line of JSON.", "--json")
    dry_run: bool = True
    shard: Shard | None = None
    into: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        super().__post_init__()
        if (self.price_input is None) != (self.price_output is None):
            raise ConfigError("one price alone", where="--price-input, --price-output", remedy="give both, or none")

    def require_macs_client(self) -> None:
        """Refuse a client that does not answer MAC."""
        if self.llm not in (None, OPENAI, REPLAY, STUB):
            remedy = f"take one of {', '.join((OPENAI, REPLAY, STUB))}"
            raise ConfigError("does not answer MAC", where=f"--llm {self.llm}", remedy=remedy)


class ReproduceRequest(
    SelectionRequest,
    CasesRequest,
    StubRequest,
    ExtractorRequest,
    AllCoresRequest,
    ForceRequest,
    DryRunRequest,
    CampaignRequest,
    ConfigRequest,
):
    """All stages."""

    seeds: tuple[int, ...] = option(
        "One campaign a seed, in DATA/campaigns/seed-N.", default=(), parse=_seeds, metavar="'N N …'"
    )

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.seeds and self.seed is not None:
            where = "--seed and --seeds (EXAID_SEED and EXAID_SEEDS)"
            raise ConfigError("exclude each other", where=where, remedy="give one of them")


class PaperRequest(ReproduceRequest):
    """All stages, then the paper's folder."""

    assemble_only: bool = flag("Run no stage: only bring together what has been measured.")


class CalibrateRequest(VariantsRequest, JobsRequest, CampaignRequest):
    """The choice of the gate's limits."""

    traces: Path = option(
        "Campaign frozen for calibration; shares no case with the evaluated one.",
        required=True,
        metavar="DATA_DIR",
        path={"file_okay": False},
    )
    intervals: tuple[str, ...] = option(
        "Give this variant a fixed interval of the median size of the chosen gate's flushes; repeatable.",
        "--interval",
        default=(),
        metavar="VARIANT",
    )
    write: bool = flag("Write the choice into the variants' files.")
    allow_assumed_time: bool = flag(
        "Choose limits of silence and waiting even where the traces do not say when text arrived."
    )


class ReplicateRequest(ExtractorRequest, ConfigRequest):
    """A published evaluation, recomputed."""

    folder: Path = argument("DIR", required=True, path={"file_okay": False, "exists": True})
    concepts: bool = option("Compute what rests on concepts too.", "--concepts/--no-concepts", default=True)
    annotated: Path | None = option(
        "Texts that people annotated, lines of {id, text, gold: [[start, end, id], …]}: the extractor's recall on them "
        "goes into the interval of what is unsupported.",
        metavar="FILE",
        path={"exists": True, "dir_okay": False},
    )
    campaign: Path | None = option(
        "What import-campaign made of DIR, after run-variants and compute-metrics: its table goes into the page.",
        metavar="DATA",
        path={"exists": True, "file_okay": False},
    )
    page: Path | None = option("Write the comparison as a page in Markdown.", metavar="FILE", path={"dir_okay": False})
    as_json: bool = flag("Write one JSON document to stdout.", "--json")


class ImportCampaignRequest(CampaignRequest):
    """A published evaluation, taken as a campaign."""

    folder: Path = argument("DIR", required=True, path={"file_okay": False, "exists": True})


class ValidateRequest(ClusterRequest, CampaignRequest):
    """Stage 00."""

    paths: tuple[str, ...] = argument("[FILE, FOLDER OR GLOB]...")
    verbose: bool = flag("Show up to 1000 problems a file, not 5.")
    as_json: bool = flag("Write one JSON document to stdout.", "--json")
    jobs: int | None = option(
        "Processes that check run logs.  [default: number of cores; 1 below 1500 logs]", "-j", "--jobs", minimum=1
    )
    trust_ledger: bool = flag(
        "Pass traces and run logs whose content is, by its hash, what their stage wrote: they are counted, and neither "
        "their records (of a run log: behind the first, which says of which traces it is) nor what a manifest says of "
        "a trace's status and CTU is checked. The rest is checked whole."
    )
    brief: bool = False


class VerifyRequest(VariantsRequest, SourceRequest, ExtractorRequest, AllCoresRequest, CampaignRequest):
    """A campaign made again."""

    variants: tuple[str, ...] = ()
    with_expected: bool = flag(
        "Make the default stub campaign, and compare it with what the checkout expects (evals/expected).", "--expected"
    )
    against: Path | None = option(
        "Compare with this other campaign, or another folder of expected hashes.",
        metavar="FOLDER",
        path={"file_okay": False},
    )
    stages: tuple[str, ...] = option(
        "Make only these again (01, 02, 03, 04); what comes before is taken from the campaign.  "
        "[default: those that it has]",
        default=(),
        parse=names_of,
        metavar="NN,NN",
    )
    first: str | None = option("Make this stage and all behind it again.", "--from", metavar="NN")
    as_is: bool = flag("Make nothing again: compare the campaign as it stands.")
    write_expected: bool = flag(
        "Make the default stub campaign, and write evals/expected (or the folder of --against)."
    )
    full: bool = flag("Show every difference, those that follow from others too.")

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.write_expected and (self.with_expected or self.as_is):
            raise ConfigError("excludes --expected and --as-is", where="--write-expected", remedy="leave them out")
        if self.as_is and self.against is None and not self.with_expected:
            remedy = "add --expected, or --against FOLDER"
            raise ConfigError("needs something to compare with", where="--as-is", remedy=remedy)
        if self.stages and self.first is not None:
            raise ConfigError("exclude each other", where="--stages and --from", remedy="give one of them")
