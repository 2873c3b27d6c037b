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

from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import EXPORTED_AS, Campaign
from exaid_evals.config.override import Override
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.verification.origins import STAGES, Stage

if TYPE_CHECKING:
    from exaid_evals.verification.expected import Expected

_OF_SELECTION = {"n_cases": "n_cases", "mode": "mode"}
_PASSED_BY_REPLAY = ("openai", "replay")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a campaign is made of.

    Attributes:
        cases: the ordered case list; None takes the configured selection.
        variants: to run; empty means all.
        stub: whether the talk is simulated; else it is made again from its recording.
        replayed: whether the middleware's model answers from its recording; else it is the stub.
        dataset, generation, metrics: overrides of the configurations.
        config_dir, variants_dir, mac_dir: where things are read from.
        jobs: cases at the same time.
    """

    config_dir: Path
    cases: tuple[str, ...] | None = None
    variants: tuple[str, ...] = ()
    stub: bool = True
    replayed: bool = False
    dataset: Mapping[str, Override] = field(default_factory=dict)
    generation: Mapping[str, Override] = field(default_factory=dict)
    metrics: Mapping[str, Override] = field(default_factory=dict)
    variants_dir: Path | None = None
    mac_dir: Path | None = None
    jobs: int = 1


@contextlib.contextmanager
def temporary_campaign() -> Iterator[Campaign]:
    """Give a campaign in a folder that is gone behind the block."""
    with tempfile.TemporaryDirectory(prefix="exaid-verify-") as folder:
        yield Campaign(Path(folder).resolve())


def holds_cases_of(campaign: Campaign, expected: Expected) -> bool:
    """Tell whether a campaign is the expected one, or was to be: of the same cases, simulated with the same seed."""
    from exaid_evals.artifacts.manifest import read_manifest

    manifest = read_manifest(campaign.manifest_file)
    generation = manifest.generation
    found = (generation.ordered_case_list, generation.case_source, generation.generation_seed)
    return manifest.stub and found == (expected.cases, expected.case_source, expected.seed)


def recipe_of(
    campaign: Campaign,
    config_dir: Path,
    *,
    dataset: Mapping[str, Override],
    metrics: Mapping[str, Override],
    variants_dir: Path | None,
    mac_dir: Path | None,
    jobs: int,
) -> Recipe:
    """Read from a campaign what it takes to make it again: cases, seed and source; the rest is configuration.

    Raises:
        DataError: the campaign has no manifest, or a damaged one.
    """
    from exaid_evals.artifacts.manifest import read_manifest
    from exaid_evals.metrics.runs import any_case, present_variants, read_meta
    from exaid_evals.verification.configuration import noted_configuration

    manifest = read_manifest(campaign.manifest_file)
    generation = manifest.generation
    variants = present_variants(campaign)
    clients = {read_meta(campaign, variant, any_case(campaign, variant))["llm"]["client"] for variant in variants}
    # The selection is the campaign's own, as its cases are; its size and mode are part of the manifest's hash.
    noted = noted_configuration(campaign).get("01", {}).get("dataset.yaml", {})
    selection = {key: Override(noted[name], "the campaign") for key, name in _OF_SELECTION.items() if name in noted}
    source = {}
    if generation.case_source:
        source["source"] = Override(generation.case_source.removesuffix(" (modified)"), "the manifest")
    seed = generation.generation_seed
    return Recipe(
        config_dir=config_dir,
        cases=generation.ordered_case_list,
        variants=tuple(variants),
        stub=manifest.stub,
        replayed=any(client in _PASSED_BY_REPLAY for client in clients),
        dataset={**selection, **source, **dataset},
        generation={} if seed is None else {"seed": Override(seed, "the manifest")},
        metrics=metrics,
        variants_dir=variants_dir,
        mac_dir=mac_dir,
        jobs=jobs,
    )


def make_again(again: Campaign, recipe: Recipe, stages: Sequence[Stage], given: Campaign | None) -> None:
    """Run the chosen stages in another folder. Their reports are of no interest there, and are not shown.

    Args:
        again: an empty folder.
        recipe: what the campaign is made of.
        stages: those to run; what comes before the first and between them is copied from `given`.
        given: the campaign that has it; None where all is made anew.

    Raises:
        ConfigError: the talk is live and has no recording.
    """
    last = max(int(stage.number) for stage in stages)
    chosen = {stage.number for stage in stages}
    if given is not None and given.cassettes.is_dir():
        shutil.copytree(given.cassettes, again.cassettes)
    with contextlib.redirect_stdout(io.StringIO()):
        for stage in STAGES[:last]:
            if stage.number in chosen:
                _RUN[stage.number](again, recipe)
            elif given is not None:
                _copy(given, again, stage)
            else:
                raise ConfigError(
                    f"stage {stage} is left out, and there is no campaign to take its files from",
                    where="--stages",
                    remedy="name the campaign with --data-dir, or choose the stage too",
                )


def _copy(given: Campaign, again: Campaign, stage: Stage) -> None:
    for name in stage.folders:
        if (given.root / name).is_dir():
            shutil.copytree(given.root / name, again.root / name)


def _make_traces(again: Campaign, recipe: Recipe) -> None:
    from exaid_evals.cli.make_traces import run

    if not recipe.stub and not any(again.cassettes.glob("mac-*.jsonl.gz")):
        raise ConfigError(
            "live traces without a recording cannot be made again",
            where=shown(again.cassettes),
            remedy="verify what is made from them: --from 02",
        )
    run(
        again,
        stub=recipe.stub,
        replay=not recipe.stub,
        dataset=recipe.dataset,
        generation=recipe.generation,
        config_dir=recipe.config_dir,
        mac_dir=recipe.mac_dir,
        cases=recipe.cases,
        jobs=recipe.jobs,
    )


def _run_variants(again: Campaign, recipe: Recipe) -> None:
    from exaid_evals.cli.run_variants import run

    status = run(
        again,
        recipe.config_dir,
        variants=recipe.variants,
        variants_dir=recipe.variants_dir,
        stub=not recipe.replayed,
        overrides={"llm.client": Override("replay", "the recording")} if recipe.replayed else None,
        jobs=recipe.jobs,
    )
    if status:
        raise DataError(
            "some runs could not be made again",
            where="stage 02 run-variants",
            remedy="see above; a recorded model needs the folder cassettes/",
        )


def _compute_metrics(again: Campaign, recipe: Recipe) -> None:
    from exaid_evals.cli.compute_metrics import run

    run(again, recipe.config_dir, overrides=recipe.metrics, jobs=recipe.jobs)


def _export(again: Campaign, _: Recipe) -> None:
    from exaid_evals.cli.export import run

    run([again.root], again.exports, names=[EXPORTED_AS])


_RUN = {"01": _make_traces, "02": _run_variants, "03": _compute_metrics, "04": _export}
