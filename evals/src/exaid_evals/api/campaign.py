"""A campaign in a notebook: what it holds as DataFrames, and what a variant would make of its traces."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from exaid_evals.api import frames
from exaid_evals.artifacts.jsonl import written_records
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, select_entries
from exaid_evals.artifacts.object_store import fetched
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.concepts.base import AnnotatingExtractor, Extractor
from exaid_evals.concepts.registry import read_stop_entities
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import DataError
from exaid_evals.metrics.measurer import load_measuring_extractor
from exaid_evals.metrics.noted import read_references, with_references
from exaid_evals.metrics.observe import observe_case
from exaid_evals.metrics.records import CaseMetrics, VariantMetrics, read_comparisons, read_variant_and_cases
from exaid_evals.metrics.runs import measured_variants, present_variants
from exaid_evals.replay.run_log import RunLog, read_run
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import Trace, read_trace

if TYPE_CHECKING:
    from exaid_evals.api.replays import Replay

FRAMES = ("measures", "updates", "messages", "concepts", "decisions", "flushes", "comparisons")


def open_campaign(folder: str | os.PathLike[str], *, config_dir: str | os.PathLike[str] | None = None) -> OpenCampaign:
    """Open a data folder whose traces are frozen.

    Args:
        folder: the campaign, as `--data-dir` names it; a URL of an object store too, of which a copy is made.
        config_dir: folder of configurations; None takes those that ship.

    Raises:
        DataError: nothing is frozen there, or the traces differ from their manifest.
    """
    campaign = Campaign(Path(fetched(os.fspath(folder))).expanduser().resolve())
    return OpenCampaign(campaign, verify_frozen(campaign), Path(config_dir) if config_dir else configs_dir())


class OpenCampaign:
    """A campaign whose traces were found to be those that were frozen. Reading it changes no file.

    Attributes:
        folder: where it lies.
        manifest: of its traces.
        configs: folder of the configurations that `concepts` and `replay` use.
    """

    def __init__(self, campaign: Campaign, manifest: Manifest, configs: Path) -> None:
        self._campaign = campaign
        self.folder = campaign.root
        self.manifest = manifest
        self.configs = configs

    @property
    def variants(self) -> list[str]:
        """The variants that have runs, in natural order."""
        return present_variants(self._campaign)

    @property
    def cases(self) -> list[str]:
        """The ids of the cases, those included that have no conversation."""
        return sorted(entry.case_id for entry in self.manifest.entries)

    def measures(self, *variants: str) -> frames.Measures:
        """Return the measures of every case: a row per case, variant and measure; `.wide()` has a column a measure.

        Args:
            variants: those wanted; none means all that are measured.

        Raises:
            DataError: there are no metrics of a variant, or they are damaged.
        """
        read = self._measured(variants)
        signature = " ; ".join(dict.fromkeys(variant.signature for variant, _ in read))
        stub = any(variant.stub for variant, _ in read)
        return frames.measures_frame((case for _, cases in read for case in cases), signature=signature, stub=stub)

    def estimates(self, *variants: str) -> pd.DataFrame:
        """Return each measure over cases: mean, sd, median, range, 95 % bootstrap interval, n and n undefined.

        Raises:
            DataError: as `measures`.
        """
        fields = ("mean", "sd", "median", "min", "max", "ci95_low", "ci95_high", "n", "n_undefined")
        rows = [
            {"variant_id": variant.variant_id, "measure": name, **{field: getattr(one, field) for field in fields}}
            for variant, _ in self._measured(variants)
            for name, one in variant.measures.items()
        ]
        return pd.DataFrame(rows, columns=["variant_id", "measure", *fields])

    def comparisons(self) -> pd.DataFrame:
        """Return the paired comparisons of variants: a row per variant and measure.

        Raises:
            DataError: there are none, or they are damaged.
        """
        path = self._campaign.comparisons_file
        if not path.is_file():
            remedy = f"run `exaid-evals {self._campaign.call('compute-metrics').strip('`')}` with several variants"
            raise DataError("no comparisons here", where=str(path), remedy=remedy)
        return frames.comparisons_frame(read_comparisons(path))

    def updates(self, *variants: str, cases: Sequence[str] | None = None) -> pd.DataFrame:
        """Return what the middleware emitted: a row per update.

        Args:
            variants: those wanted; none means all that have runs.
            cases: ids of the cases wanted; None means all.

        Raises:
            DataError: a run is missing or damaged.
            ConfigError: a case is not in the campaign.
        """
        return frames.updates_frame(self._logs(variants, cases))

    def decisions(self, *variants: str, cases: Sequence[str] | None = None) -> pd.DataFrame:
        """Return what the triggers decided: a row per decision. Arguments and errors are those of `updates`."""
        return frames.decisions_frame(self._logs(variants, cases))

    def flushes(self, *variants: str, cases: Sequence[str] | None = None) -> pd.DataFrame:
        """Return what left the gates: a row per chunk. Arguments and errors are those of `updates`."""
        return frames.flushes_frame(self._logs(variants, cases))

    def messages(self, *, cases: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the conversations: a row per message, in order."""
        return frames.messages_frame(trace for entry, trace in self.traces(cases) if not entry.failed)

    def concepts(self, *variants: str, cases: Sequence[str] | None = None) -> pd.DataFrame:
        """Return, for each case and variant, which concepts were said, stated, never stated, and made up.

        They are extracted anew, by the extractor of `metrics.yaml`. Arguments and errors are those of `updates`.

        Raises:
            ConfigError: the extractor cannot be loaded.
        """
        wanted = self._wanted(variants)
        seen = []
        for entry, trace in self.traces(cases):
            logs = [log for variant in wanted if (log := self._log(variant, entry)) and log.meta["status"] == "ok"]
            observed = observe_case(trace, logs, self.extractor) if logs and not entry.failed else []
            ids = [(entry.case_id, str(log.meta["variant_id"])) for log in logs]
            seen += [(*names, one) for names, one in zip(ids, observed, strict=bool(observed))]
        known = {concept for *_, one in seen for concept in one.trace_concepts | one.output_concepts}
        naming = self.extractor if isinstance(self.extractor, AnnotatingExtractor) else None
        return frames.concepts_frame(seen, {concept: naming.name_of(concept) for concept in known} if naming else {})

    def replay(self, variant: Any, *, cases: Sequence[str] | None = None, stub: bool | None = None) -> Replay:
        """Replay the traces through one variant, in memory.

        Args:
            variant: the id of a variant of `configs`, a `VariantConfig`, a mapping of its keys, or a summarizer of
                one's own as `exaid_evals.evaluate` takes it, behind gate and trigger of the primary variant.
            cases: ids of the cases wanted; None means all.
            stub: simulate the language model; None does so where the traces are simulated.

        Raises:
            ConfigError: the variant or a part of it is unknown or misconfigured.
            CaseFailedError: a part of one's own raised, or gave back what it should not.
        """
        from exaid_evals.api.replays import replay_campaign

        return replay_campaign(self, variant, cases=cases, stub=stub)

    def to_parquet(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write every frame that the campaign has as a Parquet file, and return the files.

        Raises:
            DataError: a record is damaged.
        """
        compared = self._campaign.comparisons_file.is_file()
        names = [name for name in FRAMES if name != "comparisons" or compared]
        return frames.write_parquet({name: getattr(self, name)() for name in names}, Path(folder))

    @cached_property
    def metrics_config(self) -> MetricsConfig:
        """What is measured, from `metrics.yaml`, and against clinicians' notes where the campaign has some."""
        return with_references(load_config(MetricsConfig, self.configs / "metrics.yaml").value, self.references)

    @cached_property
    def references(self) -> Mapping[str, str]:
        """Case → its clinician's note, of cases that have one."""
        path = self._campaign.references
        return read_references(written_records(path), str(path)) if path.is_file() else {}

    @cached_property
    def stop_entities(self) -> frozenset[str]:
        """Names that are never concepts."""
        return read_stop_entities(self.configs / self.metrics_config.stop_entities)

    @cached_property
    def extractor(self) -> Extractor:
        """The concept extractor that `metrics.yaml` names."""
        return load_measuring_extractor(self.metrics_config, self.stop_entities)

    def traces(self, cases: Sequence[str] | None = None) -> Iterator[tuple[TraceEntry, Trace]]:
        """Yield the frozen conversations, by case id.

        Raises:
            ConfigError: a case is not in the campaign.
        """
        for entry in select_entries(self.manifest, cases, None):
            yield entry, read_trace(self._campaign.trace_file(entry.case_id))

    def measured_cases(self, variant: str) -> tuple[VariantMetrics, list[CaseMetrics]]:
        """Return a variant's means and its cases, as stage 03 wrote them.

        Raises:
            DataError: it has not measured the variant.
        """
        path = self._campaign.metrics_file(variant)
        if not path.is_file():
            self._wanted([variant])  # of a variant that has no runs either there is more to say
            raise DataError(
                f"no metrics of {variant} here", where=str(path), remedy=f"run {self._campaign.call('compute-metrics')}"
            )
        return read_variant_and_cases(path)

    def _measured(self, variants: Sequence[str]) -> list[tuple[VariantMetrics, list[CaseMetrics]]]:
        present = measured_variants(self._campaign)
        if not variants and not present:
            remedy = f"run {self._campaign.call('compute-metrics')}"
            raise DataError("no metrics here", where=str(self._campaign.metrics), remedy=remedy)
        return [self.measured_cases(variant) for variant in dict.fromkeys(variants or present)]

    def _wanted(self, variants: Sequence[str]) -> Sequence[str]:
        absent = sorted(set(variants) - set(self.variants))
        if absent or not self.variants:
            what = f"no runs of {', '.join(absent)}" if absent else "no runs here"
            remedy = (
                f"run {self._campaign.call('run-variants')}; there are runs of {', '.join(self.variants) or 'none'}"
            )
            raise DataError(what, where=str(self._campaign.runs), remedy=remedy)
        return list(dict.fromkeys(variants or self.variants))

    def _log(self, variant: str, entry: TraceEntry) -> RunLog | None:
        path = self._campaign.run_file(variant, entry.case_id)
        return read_run(path) if is_stored(path) else None

    def _logs(self, variants: Sequence[str], cases: Sequence[str] | None) -> Iterator[RunLog]:
        for variant in self._wanted(variants):
            for entry in select_entries(self.manifest, cases, None):
                if (log := self._log(variant, entry)) is not None:
                    yield log

    def __repr__(self) -> str:
        stub = ", simulated" if self.manifest.stub else ""
        return f"<campaign {self.folder}: {len(self.cases)} cases{stub}; runs of {', '.join(self.variants) or 'none'}>"

    def _repr_html_(self) -> str:
        from exaid_evals.report.document import Document, Grid, to_fragment

        rows = (
            ("campaign", str(self.folder)),
            ("cases", f"{len(self.cases)}{', simulated' if self.manifest.stub else ''}"),
            ("runs of", ", ".join(self.variants) or "none"),
            ("traces", self.manifest.trace_dataset_hash),
        )
        return str(to_fragment(Document("", [Grid(rows)])))


def evaluate(
    summarizer: Any,
    traces: str | os.PathLike[str] | OpenCampaign,
    *,
    against: str = "V3",
    cases: Sequence[str] | None = None,
    name: str | None = None,
    stub: bool | None = None,
) -> pd.DataFrame:
    """Compare a summarizer of one's own with a variant, over the same frozen traces.

    Both are replayed in memory, behind the gate and the trigger of that variant, and measured with the same extractor;
    no file is written.

    Args:
        summarizer: a function `(text, history) -> text`, or `-> mapping` of the six fields, where `text` is what was
            said since the last update, one line a message, and `history` the earlier updates, oldest first; an object
            with `summarize(request) -> Update`; or a class of such objects, built with `(settings, client)`.
        traces: a campaign, or its folder.
        against: the variant to compare with.
        cases: ids of the cases wanted; None means all.
        name: what to call the summarizer; None takes its own.
        stub: simulate the language model; None does so where the traces are simulated.

    Returns:
        A row per measure: `mean` and `mean_against`, the paired `mean_difference` with its 95 % bootstrap interval
        over cases, Wilcoxon and Holm-adjusted p, rank-biserial effect, n and smallest detectable difference. `attrs`
        hold `stub`.

    Raises:
        ConfigError: the variant is unknown, or the summarizer is none of these.
        CaseFailedError: the summarizer raised, or gave back what it should not; names the case.
    """
    from exaid_evals.api.replays import own_variant, replay_campaign
    from exaid_evals.config.variant import load_variants
    from exaid_evals.metrics.comparison_stage import Side, compare, compared_measures

    campaign = traces if isinstance(traces, OpenCampaign) else open_campaign(traces)
    base = load_variants(campaign.configs / "variants", [against])[0]
    mine = replay_campaign(campaign, own_variant(summarizer, base, name), cases=cases, stub=stub)
    other = replay_campaign(campaign, base, cases=cases, stub=stub)
    config = campaign.metrics_config
    better = compared_measures(config)
    sides = [Side(better, one.cases()).of(one.variant.variant_id, "") for one in (mine, other)]
    found = compare([sides[0]], sides[1], better, config.bootstrap, stub=mine.stub or other.stub, signature="")
    frame = frames.comparisons_frame(found)
    means = [one.measures().groupby("measure")["value"].mean() for one in (mine, other)]
    frame.insert(3, "mean", frame["measure"].map(means[0]))
    frame.insert(4, "mean_against", frame["measure"].map(means[1]))
    frame.attrs = {"stub": mine.stub or other.stub}
    return frame
