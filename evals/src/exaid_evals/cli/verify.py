"""`verify`: make a campaign again elsewhere, and compare."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from exaid_evals.cli.options import (
    campaign_of,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    mac_dir_option,
    option,
    overrides_of,
    source_option,
)
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override
from exaid_evals.errors import ConfigError

STAGES = {
    "cases": "01 make-traces",
    "manifests": "01 make-traces",
    "traces": "01 make-traces",
    "runs": "02 run-variants",
    "metrics": "03 compute-metrics",
}


@click.command("verify")
@option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="Cases processed at the same time.  [default: number of cores]",
)
@data_dir_option
@config_dir_option
@mac_dir_option
@source_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    jobs: int | None,
    data_dir: Path | None,
    config_dir: Path | None,
    mac_dir: Path | None,
    source: str | None,  # noqa: ARG001 - read from the context, where it comes from included
) -> int:
    """Make a stub campaign again in a temporary folder and compare every file with it, by content.

    The same cases and seed are taken from the campaign's manifest, everything else from the configuration. Exit
    status: 0 all the same; 1 a file differs, is missing or is extra, with the stage that introduced it.
    """
    return run(
        campaign_of(data_dir),
        config_dir_of(config_dir),
        jobs=jobs or os.cpu_count() or 1,
        mac_dir=mac_dir,
        dataset=overrides_of(ctx, {"source": "source"}),
    )


def run(
    campaign: Campaign,
    config_dir: Path,
    *,
    jobs: int,
    mac_dir: Path | None = None,
    dataset: Mapping[str, Override] | None = None,
) -> int:
    """Verify a campaign and report it; return the exit status.

    Raises:
        ConfigError: the campaign holds live traces, which nobody can make again.
    """
    from exaid_evals.artifacts.manifest import read_manifest

    manifest = read_manifest(campaign.manifest_file)
    if not manifest.stub:
        raise ConfigError(
            "live traces cannot be made again", where=shown(campaign.root), remedy="verify checks stub campaigns"
        )
    with tempfile.TemporaryDirectory(prefix="exaid-verify-") as folder:
        again = Campaign(Path(folder).resolve())
        variants = sorted(path.name for path in campaign.runs.iterdir()) if campaign.runs.is_dir() else []
        # The stages' own reports are of no interest here: only whether the files are the same.
        with contextlib.redirect_stdout(io.StringIO()):
            _make_again(
                again,
                config_dir,
                manifest.generation.ordered_case_list,
                manifest.generation.generation_seed,
                variants,
                measured=any(campaign.metrics.glob("*.metrics.jsonl")),
                jobs=jobs,
                mac_dir=mac_dir,
                dataset=dataset,
            )
        problems, n_same = _differences(campaign.root, again.root)
    for line in problems:
        click.echo(line)
    verdict = f"{len(problems)} differ" if problems else "all the same"
    click.echo(f"{n_same + len(problems)} files compared by content: {verdict}")
    return 1 if problems else 0


def _make_again(
    again: Campaign,
    config_dir: Path,
    cases: tuple[str, ...],
    seed: int | None,
    variants: list[str],
    *,
    measured: bool,
    jobs: int,
    mac_dir: Path | None,
    dataset: Mapping[str, Override] | None,
) -> None:
    from exaid_evals.cli.compute_metrics import run as compute_metrics
    from exaid_evals.cli.make_traces import run as make_traces
    from exaid_evals.cli.run_variants import run as run_variants

    generation = {} if seed is None else {"seed": Override(seed, "the manifest")}
    make_traces(
        again,
        stub=True,
        dataset=dataset,
        generation=generation,
        config_dir=config_dir,
        mac_dir=mac_dir,
        cases=cases,
        jobs=jobs,
    )
    if variants:
        run_variants(again, config_dir, variants=variants, stub=True, jobs=jobs)
    if measured:
        compute_metrics(again, config_dir, jobs=jobs)


def _differences(campaign: Path, again: Path) -> tuple[list[str], int]:
    """Return a line per file that is not the same in both folders, by stage, and the number of those that are."""
    from exaid_evals.artifacts.hashing import sha256_file

    old, new = _files(campaign), _files(again)
    lines = []
    for name in sorted(old | new, key=lambda name: (STAGES[name.split("/")[0]], name)):
        stage = STAGES[name.split("/")[0]]
        if name not in new:
            lines.append(f"{name}: extra, it does not come out of stage {stage}")
        elif name not in old:
            lines.append(f"{name}: missing, it comes out of stage {stage}")
        elif sha256_file(campaign / name) != sha256_file(again / name):
            lines.append(f"{name}: differs from what stage {stage} makes")
    return lines, len(old | new) - len(lines)


def _files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for folder in STAGES
        for path in (root / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
