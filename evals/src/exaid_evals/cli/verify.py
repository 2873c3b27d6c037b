"""`verify`: make a campaign again elsewhere, and compare every file, record and field."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.options import (
    campaign_of,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    extractor_option,
    mac_dir_option,
    option,
    overrides_of,
    source_option,
    variants_dir_option,
)
from exaid_evals.cli.showing import shown
from exaid_evals.cli.telling import Telling
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override
from exaid_evals.config.resources import checkout_root
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.cli.remaking import Recipe
    from exaid_evals.verification.origins import Stage


def _numbers(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command("verify")
@option(
    "--expected",
    "with_expected",
    is_flag=True,
    help="Make the default stub campaign, and compare it with what the checkout expects (evals/expected).",
)
@option(
    "--against",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Compare with this other campaign, or another folder of expected hashes.",
)
@option(
    "--stages",
    callback=_numbers,
    default=None,
    metavar="NN,NN",
    help="Make only these again (01, 02, 03, 04); what comes before is taken from the campaign.  [default: those that "
    "it has]",
)
@option("--from", "first", metavar="NN", default=None, help="Make this stage and all behind it again.")
@option("--as-is", is_flag=True, help="Make nothing again: compare the campaign as it stands.")
@option(
    "--write-expected",
    is_flag=True,
    help="Make the default stub campaign, and write evals/expected (or the folder of --against).",
)
@option("--full", is_flag=True, help="Show every difference, those that follow from others too.")
@option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="Cases processed at the same time.  [default: number of cores]",
)
@data_dir_option
@config_dir_option
@variants_dir_option
@extractor_option
@mac_dir_option
@source_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    with_expected: bool,
    against: Path | None,
    stages: tuple[str, ...],
    first: str | None,
    as_is: bool,
    write_expected: bool,
    full: bool,
    jobs: int | None,
    data_dir: Path | None,
    config_dir: Path | None,
    variants_dir: Path | None,
    mac_dir: Path | None,
    **_overridden: str | None,
) -> int:
    """Make a campaign again in a temporary folder, and compare every file with it, by content.

    Without more it is the campaign in --data-dir, compared with itself: cases and seed are its own, the rest is the
    configuration's. Where there is none, the default stub campaign is made and compared with evals/expected.

    A difference is named by file, record and field with both values, and settings that changed are named first.
    Exit status: 0 all the same; 1 a file differs, is missing or is extra, with the stage that introduced it.
    """
    from exaid_evals.verification.expected import is_expected
    from exaid_evals.verification.origins import STAGES, chosen_stages

    if write_expected and (with_expected or as_is):
        raise click.UsageError("--write-expected excludes --expected and --as-is")
    if as_is and against is None and not with_expected:
        raise click.UsageError("--as-is needs something to compare with: --expected, or --against FOLDER")
    if stages and first is not None:
        raise click.UsageError("--stages and --from exclude each other")
    if against is not None and not write_expected and not against.is_dir():
        raise ConfigError("no such folder", where=f"--against {against}", remedy="name a campaign, or expected hashes")
    chosen: tuple[Stage, ...] = chosen_stages(stages)
    if first is not None:
        [start] = chosen_stages([first])
        chosen = STAGES[STAGES.index(start) :]
    asked = _Asked(
        campaign_of(data_dir),
        config_dir_of(config_dir),
        chosen,
        dataset=overrides_of(ctx, {"source": "source"}),
        metrics=overrides_of(ctx, {"extractor": "extractor.name"}),
        variants_dir=variants_dir,
        mac_dir=mac_dir,
        jobs=jobs or os.cpu_count() or 1,
        as_is=as_is,
        full=full,
    )
    if write_expected:
        return _write(asked, against or _expected_dir())
    if with_expected or (against is None and not asked.has_campaign):
        return _with_expected(asked, against or _expected_dir())
    if against is not None and is_expected(against):
        return _with_expected(asked, against)
    return _with_campaign(asked, Campaign((against or asked.campaign.root).resolve()))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for."""

    campaign: Campaign
    config_dir: Path
    stages: tuple[Stage, ...]
    dataset: dict[str, Override]
    metrics: dict[str, Override]
    variants_dir: Path | None
    mac_dir: Path | None
    jobs: int
    as_is: bool
    full: bool

    @property
    def has_campaign(self) -> bool:
        """Whether there is a campaign in --data-dir."""
        return self.campaign.manifest_file.is_file()

    @property
    def last(self) -> int:
        """The number of the last stage that was asked for; of all of them where none was."""
        return max((int(stage.number) for stage in self.stages), default=9)

    def until_last(self, stages: Iterable[Stage]) -> tuple[Stage, ...]:
        """Return the stages whose files are compared: what the chosen ones are made from belongs to it."""
        return tuple(stage for stage in stages if int(stage.number) <= self.last)


def _expected_dir() -> Path:
    root = checkout_root()
    if root is None:
        raise ConfigError(
            "no expected hashes here: they lie in a checkout, in evals/expected",
            where="verify",
            remedy="name a folder of them, or another campaign, with --against",
        )
    return root / "expected"


def _default_recipe(asked: _Asked) -> Recipe:
    """Return what the default stub campaign is made of: synthetic cases, whatever else could be had here."""
    from exaid_evals.cli.remaking import Recipe

    return Recipe(
        config_dir=asked.config_dir,
        dataset={"source": Override("synthetic", "verify"), **asked.dataset},
        metrics=asked.metrics,
        variants_dir=asked.variants_dir,
        mac_dir=asked.mac_dir,
        jobs=asked.jobs,
    )


def _with_expected(asked: _Asked, folder: Path) -> int:
    """Compare with what a folder expects; and the campaign in --data-dir too, where it is the same one."""
    from exaid_evals.cli.remaking import holds_cases_of, make_again, temporary_campaign
    from exaid_evals.verification.configuration import noted_configuration, settings_that_differ
    from exaid_evals.verification.expected import ExpectedSide, read_expected
    from exaid_evals.verification.packages import versions_that_differ
    from exaid_evals.verification.sides import FolderSide, stages_with_files

    expected = read_expected(folder)
    stages = asked.until_last(expected.stages)
    reference = ExpectedSide(expected, stages)
    told = Telling(full=asked.full, packages=versions_that_differ(expected.packages))
    if asked.as_is:
        settings = settings_that_differ(expected.configuration, noted_configuration(asked.campaign))
        return told.compare(reference, FolderSide(asked.campaign.root, "here", stages), settings)
    with temporary_campaign() as again:
        make_again(again, _default_recipe(asked), stages, None)
        noted = noted_configuration(again)
        click.echo(f"the default stub campaign, made again, against {shown(folder)}:")
        settings = settings_that_differ(expected.configuration, noted)
        status = told.compare(reference, FolderSide(again.root, "made again", stages), settings)
        if asked.has_campaign and holds_cases_of(asked.campaign, expected):
            present = asked.until_last(stages_with_files(asked.campaign))
            click.echo(f"{shown(asked.campaign.root)} against the same:")
            made, here = FolderSide(again.root, "made again", present), FolderSide(asked.campaign.root, "here", present)
            settings = settings_that_differ(noted, noted_configuration(asked.campaign))
            status = max(status, Telling(full=asked.full).compare(made, here, settings))
        elif asked.has_campaign:
            command = asked.campaign.call("verify")
            click.echo(f"{shown(asked.campaign.root)} holds another campaign, which {command} makes again")
    return status


def _with_campaign(asked: _Asked, other: Campaign) -> int:
    """Make the campaign of --data-dir again, and compare it with itself or with another one."""
    from exaid_evals.cli.remaking import make_again, recipe_of, temporary_campaign
    from exaid_evals.verification.configuration import noted_configuration, settings_that_differ
    from exaid_evals.verification.sides import FolderSide, holds_export_of_others, stages_with_files

    # Where the other campaign is all there is, it is made again itself, as if it were the one of --data-dir.
    given = asked.campaign if asked.has_campaign else other
    itself = given.root == other.root
    present = stages_with_files(other)
    stages = asked.until_last(present)
    if holds_export_of_others(other):
        what = f"{shown(other.exports)} consolidates other runs, and is not compared"
        if any(stage.verb == "export" for stage in asked.stages):
            raise ConfigError(what, where="--stages", remedy="verify each of the runs, and export them again")
        click.echo(what)
    told = Telling(full=asked.full)
    if asked.as_is:
        settings = settings_that_differ(noted_configuration(other), noted_configuration(given))
        sides = FolderSide(other.root, shown(other.root), stages), FolderSide(given.root, "here", stages)
        return told.compare(*sides, settings)
    recipe = recipe_of(
        given,
        asked.config_dir,
        dataset=asked.dataset,
        metrics=asked.metrics,
        variants_dir=asked.variants_dir,
        mac_dir=asked.mac_dir,
        jobs=asked.jobs,
    )
    with temporary_campaign() as again:
        make_again(again, recipe, asked.stages or present, given)
        made = FolderSide(again.root, "made again", stages)
        there = FolderSide(other.root, "here" if itself else shown(other.root), stages)
        now, then = noted_configuration(again), noted_configuration(other)
        if itself:
            return told.compare(made, there, settings_that_differ(now, then))
        return told.compare(there, made, settings_that_differ(then, now))


def _write(asked: _Asked, folder: Path) -> int:
    from exaid_evals.artifacts.manifest import read_manifest
    from exaid_evals.cli.remaking import make_again, temporary_campaign
    from exaid_evals.metrics.runs import present_variants
    from exaid_evals.verification.configuration import noted_configuration
    from exaid_evals.verification.expected import write_expected
    from exaid_evals.verification.origins import STAGES
    from exaid_evals.verification.packages import installed_versions
    from exaid_evals.verification.sides import FolderSide

    with temporary_campaign() as again:
        make_again(again, _default_recipe(asked), asked.until_last(STAGES), None)
        generation = read_manifest(again.manifest_file).generation
        n_files = write_expected(
            folder,
            FolderSide(again.root, "made again", STAGES),
            cases=generation.ordered_case_list,
            case_source=generation.case_source or "",
            seed=generation.generation_seed or 0,
            variants=present_variants(again),
            configuration=noted_configuration(again),
            packages=installed_versions(),
        )
    click.echo(f"{n_files} files of the default stub campaign are now expected, in {shown(folder)}")
    return 0
