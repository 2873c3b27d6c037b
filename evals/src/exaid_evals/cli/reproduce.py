"""All stages: `reproduce` and `paper` for one campaign or one a seed; again in another folder for `verify`."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.cli.display import SOME_FAILED, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.request import REPLAY
from exaid_evals.config.requests import (
    ExportRequest,
    MetricsRequest,
    PaperRequest,
    ReproduceRequest,
    RunsRequest,
    TracesRequest,
    ValidateRequest,
    VerifyRequest,
)
from exaid_evals.errors import ConfigError
from exaid_evals.files import copy_regular
from exaid_evals.verification.sides import STAGES, Stage

if TYPE_CHECKING:
    from exaid_evals.verification.expected import Expected


@alone
def run(request: ReproduceRequest) -> int:
    """Run every stage: validate, make-traces, run-variants, compute-metrics, export; then write `view`'s report.html.

    A stage whose inputs have not changed has nothing to do. With --seeds the campaigns are made one after the
    other, and the export consolidates them.
    """
    started = time.monotonic()
    campaign = request.campaign
    request = request.change(jobs=request.jobs or os.cpu_count() or 1)
    members = [_of_seed(request, seed) for seed in request.seeds] or [request]
    status = 0
    for member in members:
        if request.seeds:
            click.echo(f"\n=== seed {member.seed}: {shown(member.campaign.root)}")
        if request.dry_run:
            _plan(member)
            continue
        status = max(status, _campaign(member))
        if status not in (0, SOME_FAILED):
            return status
    if request.dry_run:
        _heading("04 export")
        several = f"{len(members)} campaigns" if len(members) > 1 else "the campaign"
        click.echo(f"would consolidate {several} into {shown(campaign.exports)}, and validate everything")
        for member in members:
            click.echo(f"would write {shown(member.campaign.root / 'report.html')}")
        return 0
    from exaid_evals.cli.explain import ViewRequest, run_view
    from exaid_evals.cli.export import run as export
    from exaid_evals.cli.validate import run_validate

    _heading("04 export")
    roots = [member.campaign.root for member in members]
    exported = ExportRequest(data_dir=campaign.root, jobs=1, log_file=False)
    if request.seeds:
        exported = exported.change(runs=tuple(roots), out=campaign.exports)
    status = max(status, export(exported))
    _heading("00 validate what was written")
    places = tuple(str(place) for place in [*roots, campaign.exports])
    status = max(status, run_validate(ValidateRequest(paths=places, brief=True)))
    click.echo("")
    for member in members:
        click.echo(f"tables   {shown(member.campaign.tables)}\nfigures  {shown(member.campaign.figures)}")
    click.echo(f"export   {shown(campaign.exports)}")
    for member in members:
        status = max(status, run_view(member.derive(ViewRequest)))
    click.echo(f"done in {time.monotonic() - started:.1f} s", err=True)
    return status


command = verb("reproduce", ReproduceRequest, run)


def _of_seed(request: ReproduceRequest, seed: int) -> ReproduceRequest:
    folder = request.campaign.of_seeds / f"seed-{seed}"
    return request.change(seeds=(), seed=seed, data_dir=folder, sources={"seed": "--seeds"})


def _later(request: ReproduceRequest) -> RunsRequest:
    """Return what stage 02 is asked to do: with every case that is frozen."""
    return request.derive(RunsRequest, cases=None, limit=None)


def _measured(request: ReproduceRequest) -> MetricsRequest:
    return request.derive(MetricsRequest, cases=None, limit=None)


def _plan(request: ReproduceRequest) -> None:
    """State what stages 01 to 03 would do: what is left to do of frozen traces, else everything."""
    from exaid_evals.cli.stages import run_traces
    from exaid_evals.replay.preflight import preflight
    from exaid_evals.traces.freeze import verify_frozen

    campaign = request.campaign
    _heading("01 make traces")
    run_traces(request.derive(TracesRequest))
    # Another freeze than the planned one would have been an error above.
    frozen = campaign.manifest_file.exists() and not request.force
    found = preflight(_later(request), traces_required=frozen)
    if found.problems:
        found.required()
    names = " ".join(variant.variant_id for variant in found.variants)
    n_runs = sum(len(work.variants) for work in found.plan.work) if frozen and found.plan else None
    n_cases = len(verify_frozen(campaign).entries) if frozen else None
    _heading("02 run variants")
    left = f"{n_runs} run logs" if n_runs is not None else "a run log a case"
    click.echo(f"would write {left} of {names} in {shown(campaign.runs)}")
    _heading("03 compute metrics")
    if n_runs == 0:
        from exaid_evals.cli.stages import run_metrics

        run_metrics(_measured(request))
    else:
        cases = "every case" if n_cases is None else f"{n_cases} cases"
        click.echo(f"would measure {cases} under {names}, and write tables and figures, in {shown(campaign.metrics)}")


def _campaign(request: ReproduceRequest) -> int:
    """Run stages 00 to 03 of one campaign."""
    from exaid_evals.cli.stages import run_metrics, run_runs, run_traces
    from exaid_evals.cli.validate import run_validate

    frozen = request.derive(ValidateRequest, paths=_frozen_part(request.campaign), brief=True)
    stages: list[tuple[str, Callable[[], int]]] = [
        ("00 validate", lambda: run_validate(frozen)),
        ("01 make traces", lambda: run_traces(request.derive(TracesRequest))),
        ("02 run variants", lambda: run_runs(_later(request))),
        ("03 compute metrics", lambda: run_metrics(_measured(request))),
    ]
    status = 0
    for number, (name, stage) in enumerate(stages):
        _heading(name)
        result = stage()
        # Damaged data of an earlier run is what --force is there to replace.
        if result == 1 and number == 0 and request.force:
            continue
        status = max(status, result)
        if result not in (0, SOME_FAILED):
            click.echo(f"stopped at stage {name}", err=True)
            return result
    return status


def _frozen_part(campaign: Campaign) -> tuple[str, ...]:
    """Return the folders whose problems stop everything; what later stages make of them is made again where stale."""
    return tuple(str(one) for one in (campaign.manifests, campaign.cases, campaign.traces) if one.is_dir())


def _heading(name: str) -> None:
    click.echo(f"\n--- {name}")


@alone
def run_paper(request: PaperRequest) -> int:
    """Run every stage, then write DATA/paper: tables and figures under their numbers, paper.md and paper.tex.

    Tables 1 to 4 and the figures show the campaign itself. With --seeds, one more campaign is made per seed, and table
    5 is computed over these.
    """
    status = 0
    if not request.assemble_only:
        for seeds in ((), request.seeds) if request.seeds else ((),):
            result = run(request.change(seeds=seeds))
            if result not in (0, SOME_FAILED):
                return result
            status = max(status, result)
    if request.dry_run:
        click.echo(f"would write {shown(request.campaign.root / 'paper')}")
        return status
    assemble(request.campaign)
    return status


paper = verb("paper", PaperRequest, run_paper)


def assemble(campaign: Campaign) -> None:
    """Write the folder from a campaign's metrics and exports, and say what it holds.

    Raises:
        DataError: nothing has been measured, what was measured has changed since, or a file is damaged.
    """
    from exaid_evals.errors import DataError
    from exaid_evals.provenance.reported import stale_metrics
    from exaid_evals.report.paper import FOLDER, INDEX_MD, write_paper
    from exaid_evals.report.results import measured_variants, read_results
    from exaid_evals.report.stage import write_report

    variants, primary = measured_variants(campaign)
    if stale := stale_metrics(campaign):
        raise DataError(
            f"the metrics are stale: {'; '.join(stale)}",
            where=shown(campaign.metrics),
            remedy=f"run {campaign.call('compute-metrics')}",
        )
    report = write_report(campaign, variants, primary=primary)
    results = read_results(campaign, variants)
    files, missing = write_paper(campaign, results, left_out=report.left_out)
    for item in missing:
        click.echo(f"{item.label} ({item.title}) was not made: {item.why_not}")
    click.echo(f"paper    {shown(campaign.root / FOLDER)}: {len(files)} files, begin with {INDEX_MD}")


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

    Raises:
        ConfigError: a note names a module.
    """
    from exaid_evals.verification.expected import noted_variant

    folders = dict.fromkeys((request.derive(RunsRequest).variants_folder, request.configs / "variants"))
    places = {name: [folder / f"{name}.yaml" for folder in folders] for name in variants}
    if all(paths[0].is_file() for paths in places.values()):
        return {}
    found = {}
    for name, paths in places.items():
        there = next((path for path in paths if path.is_file()), None)
        if there is not None:
            found[name] = there.read_bytes()
        elif (noted := noted_variant(campaign, name, lacking := shown(paths[0].parent))) is not None:
            found[name] = noted
            click.echo(f"{name}: no {name}.yaml in {lacking}; taken as its run logs were made")
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
