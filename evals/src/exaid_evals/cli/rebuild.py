"""Making a campaign again in another folder, for `verify`: the chosen stages anew, what they start from copied."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.cli.display import shown
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.request import REPLAY
from exaid_evals.config.requests import ExportRequest, MetricsRequest, RunsRequest, TracesRequest, VerifyRequest
from exaid_evals.errors import ConfigError
from exaid_evals.files import copy_regular
from exaid_evals.verification.sides import STAGES, Stage

if TYPE_CHECKING:
    from exaid_evals.verification.expected import Expected

_OF_SELECTION = ("n_cases", "mode")
_PASSED_BY_REPLAY = ("openai", REPLAY)


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What stages 01 to 03 are asked to do, but for the folder.

    Attributes:
        traces, runs, metrics: the requests.
        variants: id → its file's content, where no one folder holds all of them.
    """

    traces: TracesRequest
    runs: RunsRequest
    metrics: MetricsRequest
    variants: Mapping[str, bytes] = field(default_factory=dict)


@contextlib.contextmanager
def temporary_campaign() -> Iterator[Campaign]:
    """Give a campaign in a folder that is gone behind the block."""
    with tempfile.TemporaryDirectory(prefix="exaid-verify-") as folder:
        yield Campaign(Path(folder).resolve())


def holds_cases_of(campaign: Campaign, expected: Expected) -> bool:
    """Return whether a campaign is the expected one, or was to be: of the same cases, simulated with the same seed."""
    from exaid_evals.artifacts.manifest import read_manifest

    manifest = read_manifest(campaign.manifest_file)
    generation = manifest.generation
    found = (generation.ordered_case_list, generation.case_source, generation.generation_seed)
    return manifest.stub and found == (expected.cases, expected.case_source, expected.seed)


def default_build_spec(request: VerifyRequest) -> BuildSpec:
    """Return what the default stub campaign is made of: synthetic cases, whatever else could be had here."""
    synthetic = {} if request.source else {"source": "synthetic", "sources": {"source": "verify"}}
    return BuildSpec(
        request.derive(TracesRequest, stub=True, **synthetic),
        request.derive(RunsRequest, stub=True),
        request.derive(MetricsRequest, against=None),
    )


def build_spec_of(campaign: Campaign, request: VerifyRequest) -> BuildSpec:
    """Read from a campaign what it takes to make it again: cases, seed and source; the rest is configuration.

    Raises:
        DataError: the campaign has no manifest, or a damaged one.
    """
    from exaid_evals.artifacts.manifest import read_manifest
    from exaid_evals.metrics.runs import any_case, present_variants, read_meta
    from exaid_evals.verification.expected import noted_configuration

    manifest = read_manifest(campaign.manifest_file)
    generation = manifest.generation
    variants = present_variants(campaign)
    clients = {read_meta(campaign, variant, any_case(campaign, variant))["llm"]["client"] for variant in variants}
    # The selection is the campaign's own, as its cases are; its size and mode are part of the manifest's hash.
    noted = noted_configuration(campaign).get("01", {}).get("dataset.yaml", {})
    chosen = {name: noted[name] for name in _OF_SELECTION if name in noted}
    sources = dict.fromkeys(chosen, "the campaign")
    if generation.generation_seed is not None:
        chosen["seed"] = generation.generation_seed
    if generation.case_source and not request.source:
        chosen["source"] = generation.case_source.removesuffix(" (modified)")
    sources = {name: sources.get(name, "the manifest") for name in chosen}
    live = {"stub": True} if manifest.stub else {"llm": REPLAY}
    replayed = any(client in _PASSED_BY_REPLAY for client in clients)
    answers = {"llm": REPLAY, "sources": {"llm": "the recording"}} if replayed else {"stub": True}
    return BuildSpec(
        request.derive(TracesRequest, cases=generation.ordered_case_list, **live, **chosen, sources=sources),
        request.derive(RunsRequest, variants=tuple(variants), **answers),
        request.derive(MetricsRequest, variants=(), against=None),
        _definitions(campaign, request, variants),
    )


def _definitions(campaign: Campaign, request: VerifyRequest, variants: Sequence[str]) -> dict[str, bytes]:
    """Return the variants' files, from wherever they are; none where the request's own folder holds all of them.

    Variants may have come out of several folders, a call each. What no folder holds is taken as `run-variants` noted
    it, and said: a later edit of its file cannot be noticed then.
    """
    from exaid_evals.verification.expected import noted_configuration

    folders = dict.fromkeys((request.derive(RunsRequest).variants_folder, request.configs / "variants"))
    places = {name: [folder / f"{name}.yaml" for folder in folders] for name in variants}
    if all(paths[0].is_file() for paths in places.values()):
        return {}
    noted = noted_configuration(campaign).get("02", {})
    found = {}
    for name, paths in places.items():
        there = next((path for path in paths if path.is_file()), None)
        if there is not None:
            found[name] = there.read_bytes()
        elif f"variants/{name}.yaml" in noted:  # JSON is YAML
            found[name] = canonical_bytes(noted[f"variants/{name}.yaml"])
            click.echo(f"{name}: no {name}.yaml in {shown(paths[0].parent)}; taken as its run logs were made")
    return found


def make_again(again: Campaign, spec: BuildSpec, stages: Sequence[Stage], given: Campaign | None) -> None:
    """Run the chosen stages in another folder. Their reports are of no interest there, and are not shown.

    Args:
        again: an empty folder.
        spec: what the campaign is made of.
        stages: those to run, from the first on where nothing is given; what comes before the first and between them
            is copied from `given`.
        given: the campaign that has it; None where all is made anew.

    Raises:
        ConfigError: the conversation is live and has no recording.
    """
    last = max(int(stage.number) for stage in stages)
    chosen = {stage.number for stage in stages}
    if given is not None and given.cassettes.is_dir():
        shutil.copytree(given.cassettes, again.cassettes, copy_function=copy_regular)
    with contextlib.redirect_stdout(io.StringIO()):
        for stage in STAGES[:last]:
            if stage.number in chosen:
                _RUN[stage.number](again, spec)
            elif given is not None:
                _copy(given, again, stage)


def _copy(given: Campaign, again: Campaign, stage: Stage) -> None:
    for name in stage.folders:
        if (given.root / name).is_dir():
            shutil.copytree(given.root / name, again.root / name, copy_function=copy_regular)


def _make_traces(again: Campaign, spec: BuildSpec) -> None:
    from exaid_evals.cli.stages import run_traces

    if not spec.traces.simulated and not any(again.cassettes.glob("mac-*.jsonl.gz")):
        raise ConfigError(
            "live traces without a recording cannot be made again",
            where=shown(again.cassettes),
            remedy="verify what is made from them: --from 02",
        )
    run_traces(spec.traces.change(data_dir=again.root))


def _run_variants(again: Campaign, spec: BuildSpec) -> None:
    from exaid_evals.cli.stages import run_runs

    # Cases that fail are said on stderr, and their run logs say it too: whether they did so before is compared.
    folder = {}
    for name, content in spec.variants.items():
        folder = {"variants_dir": again.root / "variants"}
        write_bytes(again.root / "variants" / f"{name}.yaml", content)
    run_runs(spec.runs.change(data_dir=again.root, **folder))


def _compute_metrics(again: Campaign, spec: BuildSpec) -> None:
    from exaid_evals.cli.stages import run_metrics

    # By force: what is verified owes nothing to what an extractor was once found to say.
    run_metrics(spec.metrics.change(data_dir=again.root, force=True))


def _export(again: Campaign, _: BuildSpec) -> None:
    from exaid_evals.cli.export import run

    run(ExportRequest(data_dir=again.root, jobs=1, log_file=False))


_RUN = {"01": _make_traces, "02": _run_variants, "03": _compute_metrics, "04": _export}
