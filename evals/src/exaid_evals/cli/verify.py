"""`verify`: make a campaign again elsewhere, and compare every file, record and field."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, show_changed, shown
from exaid_evals.cli.verb import verb
from exaid_evals.config.campaign import Campaign, checkout_root
from exaid_evals.config.requests import VerifyRequest
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.verification.compare import Comparison, Difference
    from exaid_evals.verification.expected import Setting
    from exaid_evals.verification.sides import Side, Stage

_SHOWN_ROOTS = 10
_SHOWN_PER_STAGE = 1


@dataclass(frozen=True, slots=True)
class Reporting:
    """Compares, and prints what was found.

    Attributes:
        full: show every difference.
        packages: (distribution, expected version, installed version) of those that differ.
    """

    full: bool = False
    packages: Sequence[tuple[str, str, str]] = field(default=())

    def compare(self, expected: Side, found: Side, settings: Sequence[Setting] = ()) -> int:
        """Compare two sides and print the result; return the exit status: 0, or 1 where a file or setting differs."""
        from exaid_evals.verification.compare import compare

        comparison = compare(expected, found)
        labels = expected.label, found.label
        for setting in settings:
            click.echo(printable(_setting(setting, *labels)))
        if comparison.differences:
            for name, wanted, there in self.packages:
                click.echo(f"package {name}: {labels[0]} {wanted}, installed {there or 'not at all'}")
        for line in self._lines(comparison, *labels):
            click.echo(printable(line))
        n_differ = len(comparison.differences)
        verdict = f"{n_differ} differ" if n_differ else "all the same"
        if settings and not n_differ:
            # Without effect today, with this data: still not the configuration that the numbers are said to have.
            verdict += f", but {len(settings)} setting{'' if len(settings) == 1 else 's'} above"
        click.echo(f"{comparison.n_files} files compared by content: {verdict}")
        return 1 if n_differ or settings else 0

    def _lines(self, comparison: Comparison, expected: str, found: str) -> Iterator[str]:
        if comparison.introduced_by is None:
            return
        yield f"introduced by stage {comparison.introduced_by}"
        roots = comparison.roots
        for difference in roots if self.full else roots[:_SHOWN_ROOTS]:
            yield _line(difference, expected, found)
        if len(roots) > _SHOWN_ROOTS and not self.full:
            yield f"… and {len(roots) - _SHOWN_ROOTS} more that follow from no other; --full shows them"
        followers = [difference for difference in comparison.differences if difference.follows is not None]
        shown: Counter[str] = Counter()
        for difference in followers:
            shown[str(difference.stage)] += 1
            if self.full or shown[str(difference.stage)] <= _SHOWN_PER_STAGE:
                yield f"follows: {_line(difference, expected, found)}"
        left = {stage: n - _SHOWN_PER_STAGE for stage, n in shown.items() if n > _SHOWN_PER_STAGE}
        if left and not self.full:
            counts = ", ".join(f"{n} of stage {stage}" for stage, n in left.items())
            yield f"follow too: {counts}; --full shows them"


def _line(difference: Difference, expected: str, found: str) -> str:
    path, stage = difference.path, difference.stage
    match difference.kind:
        case "missing":
            return f"{path}: missing, it comes out of stage {stage}"
        case "extra":
            return f"{path}: extra, it does not come out of stage {stage}"
        case "damaged":
            return f"{path}: damaged ({difference.problem})"
    opening = f"{path}: differs from what stage {stage} makes"
    place = difference.place
    if place is None:
        of_picture = path.endswith((".png", ".pdf"))
        return (
            opening if of_picture else f"{opening}: no field differs, only the form (spaces, order, number of digits)"
        )
    named = ": ".join(part for part in (place.record, place.field) if part)
    more = f"; {place.n_records} records differ" if place.n_records > 1 else ""
    return f"{opening}: {named}: {expected} {place.expected}, {found} {place.found}{more}"


def _setting(setting: Setting, expected: str, found: str) -> str:
    key = f"{setting.key}: " if setting.key else ""
    values = f"{expected} {setting.expected}, {found} {setting.found}"
    return f"configuration, {setting.file}: {key}{values} (read from stage {setting.stage} on)"


def run(request: VerifyRequest) -> int:
    """Make a campaign again in a temporary folder, and compare every file with it, by content.

    By default, the campaign in --data-dir is made again with its own cases and seed and the current configuration. If
    there is none, the default stub campaign is made and compared with evals/expected.

    A difference is named by file, record and field with both values, and settings that changed are named first.
    Exit status: 0 all the same; 1 a file differs, is missing or is extra, with the stage that introduced it, or a
    report (of `view`, `calibrate`, `analyze`, `compare`, `impact`, `audit-images`, `compare-logs`) was changed since it
    was written. In a folder of such reports alone, only that is looked at.
    """
    from exaid_evals.artifacts.written import changed_in, written_in

    root = request.campaign.root
    alone = not _is_here(request.campaign) and request.against is None and not request.write_expected
    if alone and (reports := written_in(root)):
        click.echo(
            f"{shown(root)} holds no campaign; its {len(reports)} files of reports are held against their hashes"
        )
        status = 0
    else:
        status = _verify(request)
    if not request.write_expected:
        changed = changed_in(request.campaign.root)
        show_changed(changed, request.campaign)
        status = max(status, int(bool(changed)))
    return status


def _verify(request: VerifyRequest) -> int:
    from exaid_evals.artifacts.storage import packed
    from exaid_evals.verification.expected import is_expected

    against = request.against
    if against is not None and not request.write_expected and not against.is_dir():
        raise ConfigError("no such folder", where=f"--against {against}", remedy="name a campaign, or expected hashes")
    chosen = _chosen(request)
    request = request.change(jobs=request.jobs or os.cpu_count() or 1)
    if request.write_expected:
        return _write(request, chosen, against or _expected_dir())
    if request.with_expected or (against is None and not _is_here(request.campaign)):
        return _with_expected(request, chosen, against or _expected_dir())
    if against is not None and is_expected(against):
        return _with_expected(request, chosen, against)
    campaign = Campaign((against or request.campaign.root).resolve())
    if packed(campaign.traces):
        what, remedy = "is in shards, and files are compared", "run `exaid-evals unpack` first"
        raise ConfigError(what, where=str(campaign.root), remedy=remedy)
    return _with_campaign(request, chosen, campaign)


command = verb("verify", VerifyRequest, run)


def _chosen(request: VerifyRequest) -> tuple[Stage, ...]:
    """Return the stages to make again; none means all."""
    from exaid_evals.verification.sides import STAGES, chosen_stages

    if request.first is None:
        return chosen_stages(request.stages)
    [start] = chosen_stages([request.first])
    return STAGES[STAGES.index(start) :]


def _is_here(campaign: Campaign) -> bool:
    return campaign.manifest_file.is_file()


def _until_last(chosen: Iterable[Stage], stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Return the stages whose files are compared: what the chosen ones are made from belongs to it."""
    last = max((int(stage.number) for stage in chosen), default=9)
    return tuple(stage for stage in stages if int(stage.number) <= last)


def _expected_dir() -> Path:
    root = checkout_root()
    if root is None:
        raise ConfigError(
            "no expected hashes here: they lie in a checkout, in evals/expected",
            where="verify",
            remedy="name a folder of them, or another campaign, with --against",
        )
    return root / "expected"


def _with_expected(request: VerifyRequest, chosen: tuple[Stage, ...], folder: Path) -> int:
    """Compare with what a folder expects; and the campaign in --data-dir too, where it is the same one."""
    from exaid_evals.cli.reproduce import default_build_spec, holds_cases_of, make_again, temporary_campaign
    from exaid_evals.verification.expected import (
        ExpectedSide,
        noted_configuration,
        read_expected,
        settings_that_differ,
        versions_that_differ,
    )
    from exaid_evals.verification.sides import FolderSide, stages_with_files

    expected = read_expected(folder)
    stages = _until_last(chosen, expected.stages)
    reference = ExpectedSide(expected, stages)
    reporting = Reporting(full=request.full, packages=versions_that_differ(expected.packages))
    if request.as_is:
        settings = settings_that_differ(expected.configuration, noted_configuration(request.campaign))
        return reporting.compare(reference, FolderSide(request.campaign.root, "here", stages), settings)
    with temporary_campaign() as again:
        make_again(again, default_build_spec(request), stages, None)
        noted = noted_configuration(again)
        click.echo(f"the default stub campaign, made again, against {shown(folder)}:")
        settings = settings_that_differ(expected.configuration, noted)
        status = reporting.compare(reference, FolderSide(again.root, "made again", stages), settings)
        if _is_here(request.campaign) and holds_cases_of(request.campaign, expected):
            present = _until_last(chosen, stages_with_files(request.campaign))
            click.echo(f"{shown(request.campaign.root)} against the same:")
            made, here = (
                FolderSide(again.root, "made again", present),
                FolderSide(request.campaign.root, "here", present),
            )
            settings = settings_that_differ(noted, noted_configuration(request.campaign))
            status = max(status, Reporting(full=request.full).compare(made, here, settings))
        elif _is_here(request.campaign):
            command = request.campaign.call("verify")
            click.echo(f"{shown(request.campaign.root)} holds another campaign, which {command} makes again")
    return status


def _with_campaign(request: VerifyRequest, chosen: tuple[Stage, ...], other: Campaign) -> int:
    """Make the campaign of --data-dir again, and compare it with itself or with another one."""
    from exaid_evals.cli.reproduce import build_spec_of, make_again, temporary_campaign
    from exaid_evals.verification.expected import noted_configuration, settings_that_differ
    from exaid_evals.verification.sides import FolderSide, holds_export_of_others, stages_with_files

    if request.as_is and not _is_here(request.campaign):
        raise ConfigError(
            "no campaign is here to compare",
            where=str(request.campaign.root),
            remedy="name one with --data-dir, or leave out --as-is to make the one of --against again",
        )
    # Where the other campaign is all there is, it is made again itself, as if it were the one of --data-dir.
    given = request.campaign if _is_here(request.campaign) else other
    itself = given.root == other.root
    present = stages_with_files(other)
    stages = _until_last(chosen, present)
    if holds_export_of_others(other):
        what = f"{shown(other.exports)} consolidates other runs, and is not compared"
        if any(stage.verb == "export" for stage in chosen):
            raise ConfigError(what, where="--stages", remedy="verify each of the runs, and export them again")
        click.echo(what)
    reporting = Reporting(full=request.full)
    if request.as_is:
        settings = settings_that_differ(noted_configuration(other), noted_configuration(given))
        sides = FolderSide(other.root, shown(other.root), stages), FolderSide(given.root, "here", stages)
        return reporting.compare(*sides, settings)
    spec = build_spec_of(given, request)
    with temporary_campaign() as again:
        make_again(again, spec, chosen or present, given)
        made = FolderSide(again.root, "made again", stages)
        there = FolderSide(other.root, "here" if itself else shown(other.root), stages)
        now, then = noted_configuration(again), noted_configuration(other)
        if itself:
            return reporting.compare(made, there, settings_that_differ(now, then))
        return reporting.compare(there, made, settings_that_differ(then, now))


def _write(request: VerifyRequest, chosen: tuple[Stage, ...], folder: Path) -> int:
    from exaid_evals.artifacts.manifest import read_manifest
    from exaid_evals.cli.reproduce import default_build_spec, make_again, temporary_campaign
    from exaid_evals.metrics.runs import present_variants
    from exaid_evals.verification.expected import installed_versions, noted_configuration, write_expected
    from exaid_evals.verification.sides import STAGES, FolderSide

    with temporary_campaign() as again:
        make_again(again, default_build_spec(request), _until_last(chosen, STAGES), None)
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
