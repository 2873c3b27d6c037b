"""The campaign's own export, made again from the metrics of the campaigns that it is of."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.config.campaign import EXPORTED_AS, Campaign
from exaid_evals.errors import DataError
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import Export, consolidate
from exaid_evals.export.writers import json_summary, over_seeds
from exaid_evals.export.writers.write import write_export
from exaid_evals.provenance.reported import Reference
from exaid_evals.report.base import Table

SUFFIXES = (".csv", ".json", ".md", ".tex")


@dataclass(frozen=True)
class Remade:
    """An export as the metrics give it now.

    Attributes:
        export: what it amounts to.
        members: run of the export → the campaign that it is.
    """

    export: Export
    members: Mapping[str, Campaign]


def summary_file(campaign: Campaign) -> Path:
    """Return the file that says what the export is of."""
    return campaign.exports / json_summary.NAME


def remake(campaign: Campaign) -> Remade | None:
    """Consolidate the runs of the campaign's export again, without writing anything.

    Returns:
        None where there is no export, or one of runs that are neither this campaign nor one a seed below it.

    Raises:
        DataError: the export's summary, or the metrics of one of its campaigns, is damaged.
    """
    if not summary_file(campaign).is_file():
        return None
    try:
        [summary] = read_jsonl(summary_file(campaign))
        names = [str(run["run"]) for run in summary["runs"]]
        primary, better, by = summary["primary_metric"], summary["primary_direction"], summary["group_by"]
    except (KeyError, TypeError, ValueError):
        remedy = f"run {campaign.call('export')}"
        raise DataError("is not a summary of an export", where=str(summary_file(campaign)), remedy=remedy) from None
    if any(Path(name).name != name for name in names):  # a path would lead out of the campaign
        return None
    members = {name: campaign if name == EXPORTED_AS else Campaign(campaign.of_seeds / name) for name in names}
    if not members or not all(one.metrics.is_dir() for one in members.values()):
        return None
    reading = read_runs([one.root for one in members.values()], list(members))
    return Remade(consolidate(reading.runs, primary, by=by, better=better, failures=reading.failures), members)


def exported_files(remade: Remade) -> dict[str, bytes]:
    """Return name → content of every file that the export has when it is written."""
    with tempfile.TemporaryDirectory(prefix="exaid-export-") as folder:
        out = Path(folder).resolve()
        write_export(remade.export, out)
        return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.suffix in SUFFIXES}


def with_export(campaign: Campaign, here: Mapping[str, Path], wanted: Reference) -> tuple[dict[str, Path], Reference]:
    """Add the files of the campaign's export, where there is one.

    Returns:
        The files here and those that are wanted, with the export's among both; an export that cannot be made again from
        what is here is named among what is left out.
    """
    if not summary_file(campaign).is_file():
        return dict(here), wanted
    found = {campaign.relative(path): path for path in sorted(campaign.exports.iterdir()) if path.suffix in SUFFIXES}
    remade = remake(campaign)
    # Without run logs the export would warn that it cannot tell whether they have changed, and so differ.
    complete = remade is not None and all(member.runs.is_dir() for member in remade.members.values())
    if remade is None or not complete:
        why = "it is of runs that do not lie in this campaign" if remade is None else "its run logs are not here"
        reasons = {Path(name).stem: why for name in found}
        return {**here, **found}, Reference(wanted.files, {**wanted.left_out, **reasons})
    content = {campaign.relative(campaign.exports / name): data for name, data in exported_files(remade).items()}
    return {**here, **found}, Reference({**wanted.files, **content}, wanted.left_out)


def call_of_export(campaign: Campaign) -> str:
    """Return the command that makes the campaign's export anew, of the same runs."""
    remade = remake(campaign)
    members = [] if remade is None else [one for one in remade.members.values() if one != campaign]
    return campaign.call(" ".join(["export", *(f"--run {shlex.quote(str(one.root))}" for one in members)]))


def seeds_table(campaign: Campaign) -> tuple[Table, Remade] | None:
    """Return the table over seeds and the campaigns behind it; None where the export is not of several."""
    remade = remake(campaign)
    table = over_seeds.build(remade.export) if remade is not None else None
    return None if remade is None or table is None else (table, remade)
