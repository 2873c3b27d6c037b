"""`calibrate`: choose the token gate's limits on cases that are not evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.options import (
    campaign_of,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    jobs_option,
    option,
)
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import Campaign

if TYPE_CHECKING:
    from exaid_evals.calibration.policy import Policy
    from exaid_evals.calibration.stage import Calibration

FOLDER = "calibration"


@click.command("calibrate")
@option(
    "--traces",
    required=True,
    metavar="DATA_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Campaign frozen for calibration; shares no case with the evaluated one.",
)
@data_dir_option
@config_dir_option
@option(
    "--variants-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of variants.  [default: CONFIG/variants]",
)
@option("--write", is_flag=True, help="Write the choice into the variants' files.")
@jobs_option
@debug_option
def command(
    traces: Path,
    data_dir: Path | None,
    config_dir: Path | None,
    variants_dir: Path | None,
    write: bool,
    jobs: int,
) -> int:
    """Choose the token gate's limits on cases that are not evaluated.

    Tries every policy of calibration.yaml on the traces of --traces, and writes all numbers, a report and a figure
    into calibration/ of the evaluated campaign (--data-dir). With --write the choice and its provenance go into the
    variants' files; without, they are printed.

    Traces for it come from the cases that the evaluated campaign left over, by the same seeded selection:

        exaid-evals make-traces --data-dir OTHER --exclude-from evals/data

    Campaigns that share a case are refused.
    """
    configs = config_dir_of(config_dir)
    return run(
        campaign_of(data_dir),
        campaign_of(traces),
        configs,
        variants_dir=variants_dir or configs / "variants",
        write=write,
        jobs=jobs,
    )


def run(
    evaluated: Campaign, traces: Campaign, config_dir: Path, *, variants_dir: Path, write: bool = False, jobs: int = 1
) -> int:
    """Calibrate and report it.

    Args:
        evaluated: the campaign whose evaluation must stay clean; the results go there.
        traces: the campaign frozen for calibration.
        config_dir: holds calibration.yaml and summarizer.yaml.
        variants_dir: holds the variants' files.
        write: put the choice into them.
        jobs: cases at the same time.

    Raises:
        ExaidError: the campaigns share cases, something is damaged, or no policy keeps every constraint.
    """
    from exaid_evals.artifacts.atomic import write_text
    from exaid_evals.calibration.stage import calibrate, plan_calibration
    from exaid_evals.calibration.variant_file import calibrated_blocks, calibrated_text, current_policy
    from exaid_evals.cli.progress import Progress
    from exaid_evals.config.base import load_config
    from exaid_evals.config.calibration import CalibrationConfig
    from exaid_evals.config.summarizer import SummarizerConfig
    from exaid_evals.report.calibration import write_calibration

    config = load_config(CalibrationConfig, config_dir / "calibration.yaml").value
    speed = load_config(SummarizerConfig, config_dir / "summarizer.yaml").value.stream.chars_per_second
    files = [variants_dir / f"{name}.yaml" for name in config.variants]
    current, *_ = [current_policy(path) for path in files]
    plan = plan_calibration(evaluated, traces, config, chars_per_second=speed)
    with Progress("calibrate", len(plan.talks)) as progress:
        result = calibrate(plan, jobs=jobs, on_case=progress.advance)
    # All files are composed before the first is written.
    texts = {path: calibrated_text(path, result.frozen) for path in files}
    folder = evaluated.root / FOLDER
    write_calibration(folder, result, current=current)
    _tell(result, current, folder)
    if write:
        for path, text in texts.items():
            write_text(path, text)
            click.echo(f"{'wrote':<10} {shown(path)}")
        return 0
    click.echo(f"\nnothing was written into {', '.join(config.variants)}; with --write each gets\n")
    click.echo("".join(calibrated_blocks(result.frozen).values()), nl=False)
    return 0


def _tell(result: Calibration, current: Policy, folder: Path) -> None:
    plan, choice, tried = result.plan, result.choice, result.sweep
    left_out = plan.grid[1]
    survivors, front = int(choice.survivors.sum()), int(choice.front.sum())
    rows = [
        ("policies", f"{len(tried.policies)}" + (f" ({left_out} left out: min_words > max_words)" if left_out else "")),
        ("cases", f"{tried.n_cases}, none of the {plan.n_evaluated} evaluated"),
        ("survivors", f"{survivors}, of which {front} on the Pareto front"),
        ("until now", current.label),
        ("chosen", f"{result.chosen.label} ({'/'.join(result.chosen.settings)})"),
        ("stub", "yes" if plan.manifest.stub else "no"),
        ("report", shown(folder)),
    ]
    for name, value in rows:
        click.echo(f"{name:<10} {value}")
