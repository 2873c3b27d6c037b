"""`calibrate`: choose the token gate's limits on cases that are not evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import Progress, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import campaign_of
from exaid_evals.config.requests import CalibrateRequest

if TYPE_CHECKING:
    from exaid_evals.calibration.simulate import Policy
    from exaid_evals.calibration.stage import Calibration
    from exaid_evals.config.variant import FrozenConfig

FOLDER = "calibration"


@alone
def run(request: CalibrateRequest) -> int:
    """Choose the token gate's limits on cases that are not evaluated.

    Tries every policy of calibration.yaml on the traces of --traces, and writes all numbers, a report and a figure
    into calibration/ of the evaluated campaign (--data-dir). With --write the choice and its provenance go into the
    files of the variants named here, or of those in calibration.yaml; without, they are printed.

    Take its traces from the cases that the evaluated campaign did not use, by the same seeded selection:

        exaid-evals make-traces --data-dir OTHER --exclude-from evals/data

    Campaigns that share a case are refused. So are traces without times, because silence and waiting would depend on an
    assumed speed.
    """
    from exaid_evals.artifacts.atomic import remove_leftovers
    from exaid_evals.artifacts.written import note_written
    from exaid_evals.calibration.stage import (
        calibrate,
        calibrated_text,
        current_policy,
        frozen_as_set,
        interval_gate,
        plan_calibration,
    )
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import CalibrationConfig
    from exaid_evals.config.variant import SummarizerConfig
    from exaid_evals.report.calibration import write_calibration

    variants_dir = request.variants_folder
    config = load_config(CalibrationConfig, request.configs / "calibration.yaml").value
    speed = load_config(SummarizerConfig, request.configs / "summarizer.yaml").value.stream.chars_per_second
    calibrated = request.variants or config.variants
    current, *_ = [current_policy(variants_dir / f"{name}.yaml") for name in calibrated]
    by_hand = {} if request.variants else config.set_by_hand
    frozen = {name: frozen_as_set(variants_dir / f"{name}.yaml", reason) for name, reason in by_hand.items()}
    plan = plan_calibration(
        request.campaign,
        campaign_of(request.traces),
        config,
        chars_per_second=speed,
        allow_assumed_time=request.allow_assumed_time,
    )
    with Progress("calibrate", len(plan.conversations)) as progress:
        result = calibrate(plan, jobs=request.jobs, cluster=request.cluster, on_case=progress.advance)
    frozen |= dict.fromkeys(calibrated, result.frozen())
    if request.intervals:
        frozen |= dict.fromkeys(request.intervals, result.frozen(interval_gate(plan, result.chosen)))
    # All files are composed before the first is written.
    texts = {name: calibrated_text(variants_dir / f"{name}.yaml", frozen[name]) for name in sorted(frozen)}
    folder = request.campaign.root / FOLDER
    remove_leftovers(folder, variants_dir)
    note_written(request.campaign.root, "calibrate", write_calibration(folder, result, current=current))
    _show(result, current, folder)
    if request.write:
        _write(variants_dir, texts)
    else:
        _show_frozen(frozen)
    return 0


command = verb("calibrate", CalibrateRequest, run)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    from exaid_evals.artifacts.atomic import write_text

    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        write_text(path, text)
        click.echo(f"{'wrote':<10} {shown(path)}")


def _show_frozen(frozen: Mapping[str, FrozenConfig]) -> None:
    from exaid_evals.calibration.stage import frozen_blocks

    click.echo("\nnothing was written; with --write they get")
    for names, provenance in _alike(frozen):
        click.echo(f"\n# {', '.join(names)}")
        click.echo("".join(frozen_blocks(provenance).values()), nl=False)


def _alike(frozen: Mapping[str, FrozenConfig]) -> list[tuple[list[str], FrozenConfig]]:
    """Return each provenance once, with the variants that get it."""
    found: list[tuple[list[str], FrozenConfig]] = []
    for name in sorted(frozen):
        same = next((names for names, provenance in found if provenance == frozen[name]), None)
        if same is None:
            found.append(([name], frozen[name]))
        else:
            same.append(name)
    return found


def _show(result: Calibration, current: Policy, folder: Path) -> None:
    plan, choice, tried = result.plan, result.choice, result.sweep
    left_out = plan.grid[1]
    survivors, front = int(choice.survivors.sum()), int(choice.front.sum())
    rows = [
        ("policies", f"{len(tried.policies)}" + (f" ({left_out} left out: min_words > max_words)" if left_out else "")),
        ("cases", f"{tried.n_cases}, none of the {plan.n_evaluated} evaluated"),
        ("survivors", f"{survivors}, of which {front} on the Pareto front"),
        ("until now", current.label),
        ("chosen", f"{result.chosen.label} ({'/'.join(result.chosen.settings)})"),
        ("time", plan.time_basis or "unknown"),
        ("stub", "yes" if plan.manifest.stub else "no"),
        ("report", shown(folder)),
    ]
    for name, value in rows:
        click.echo(f"{name:<10} {value}")
