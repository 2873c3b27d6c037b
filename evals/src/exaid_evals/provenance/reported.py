"""Tables and figures as the metrics give them, made elsewhere, to be held against those on disk."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.artifacts.schemas import require_valid
from exaid_evals.config.campaign import EXPORTED_AS, Campaign
from exaid_evals.errors import DataError
from exaid_evals.export import over_seeds
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import Export, consolidate
from exaid_evals.export.write import SUMMARY, write_export
from exaid_evals.files import copy_regular, holds, read_regular
from exaid_evals.metrics.records import read_variant
from exaid_evals.metrics.runs import measured_variants
from exaid_evals.provenance.tables import (
    primary_variant,
    stale_comparisons,
    stale_runs,
    stale_traces,
)
from exaid_evals.report.base import Table
from exaid_evals.report.paper import FOLDER, numbered_copies
from exaid_evals.report.registry import FORMATS, load
from exaid_evals.report.results import read_results
from exaid_evals.report.stage import build_tables, write_report

_READ_ONLY = ("manifests", "cases", "traces", "runs")
_PICTURES = {".png": "other pixels", ".pdf": "another drawing"}
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with a table or figure on disk.

    Attributes:
        path: inside the campaign.
        what: `missing`, `extra`, `differs`, or `damaged`.
        detail: the first line that differs, with both texts; empty where there is none.
    """

    path: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the metrics give.

    Attributes:
        files: path inside the campaign → content.
        left_out: table or figure → why it cannot be made from what is here.
    """

    files: Mapping[str, bytes]
    left_out: Mapping[str, str]


def reference_tables(campaign: Campaign) -> Reference:
    """Make every table, in every form.

    Raises:
        DataError: there are no metrics, or they are damaged.
    """
    primary = primary_variant(campaign)
    tables, left_out = build_tables(read_results(campaign, measured_variants(campaign)), primary)
    files = {
        campaign.relative(campaign.tables / f"{name}.{suffix}"): load(form).render(table).encode()
        for name, table in tables.items()
        for suffix, form in FORMATS.items()
    }
    return Reference(files, left_out)


def reference_report(campaign: Campaign) -> Reference:
    """Make every table and figure, in a temporary campaign that reads traces and runs of the real one.

    Raises:
        DataError: there are no metrics, or they are damaged.
    """
    variants, primary = measured_variants(campaign), primary_variant(campaign)
    with tempfile.TemporaryDirectory(prefix="exaid-report-") as folder:
        elsewhere = Campaign(Path(folder).resolve())
        elsewhere.metrics.mkdir()
        for path in sorted(campaign.metrics.glob("*.jsonl")):
            copy_regular(path, elsewhere.metrics / path.name)
        for name in _READ_ONLY:
            if (campaign.root / name).is_dir():
                (elsewhere.root / name).symlink_to(campaign.root / name, target_is_directory=True)
        report = write_report(elsewhere, variants, primary=primary, force=True)
        files = {elsewhere.relative(path): path.read_bytes() for path in report.files}
    return Reference(files, report.left_out)


def with_copies(campaign: Campaign, here: Mapping[str, Path], wanted: Reference) -> tuple[dict[str, Path], Reference]:
    """Add the numbered copies of tables and figures in the paper's folder, where there is one.

    Returns:
        The files here and those that are wanted, with the copies among both.
    """
    folder = campaign.root / FOLDER
    if not folder.is_dir():
        return dict(here), wanted
    copies = {name: path for name, path in numbered_copies(campaign).items() if path in wanted.files}
    found = {f"{FOLDER}/{name}": folder / name for name in copies if (folder / name).is_file()}
    content = {f"{FOLDER}/{name}": wanted.files[path] for name, path in copies.items()}
    return {**here, **found}, Reference({**wanted.files, **content}, wanted.left_out)


def files_below(campaign: Campaign, *folders: Path) -> dict[str, Path]:
    """Return path inside the campaign → file, of the files in these folders that are not hidden."""
    found = (path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()))
    return {campaign.relative(path): path for path in found if path.is_file() and not path.name.startswith(".")}


def defects(here: Mapping[str, Path], wanted: Reference) -> list[Defect]:
    """Return what is wrong with the files here, given those that the metrics give; by content, never by time.

    Args:
        here: path inside the campaign → file on disk.
        wanted: what the metrics give; of what they leave out nothing can be said.
    """
    found = []
    for name in sorted(here.keys() | wanted.files.keys()):
        if name not in here:
            found.append(Defect(name, "missing"))
        elif name in wanted.files:
            defect = _defect(name, here[name], wanted.files[name])
            found += [defect] if defect else []
        elif here[name].stem not in wanted.left_out:
            found.append(Defect(name, "extra"))
    return found


def is_same(path: Path, content: bytes) -> bool:
    """Return whether a file holds some content: byte for byte, or a PNG with the same pixels, however packed.

    Raises:
        DataError: the file is a damaged PNG.
    """
    if holds(path, content):
        return True
    if path.suffix != ".png":
        return False
    with tempfile.TemporaryDirectory(prefix="exaid-report-") as folder:
        other = Path(folder) / path.name
        other.write_bytes(content)
        return sha256_file(path) == sha256_file(other)


def stale_metrics(campaign: Campaign) -> list[str]:
    """Return what has changed since the metrics were made: traces, run logs, or metrics that were compared."""
    found = []
    for variant in measured_variants(campaign):
        made_from = read_variant(campaign.metrics_file(variant)).made_from
        if made_from is not None:
            found += [stale_traces(campaign, made_from), stale_runs(campaign, variant, made_from)]
    return list(dict.fromkeys([*(reason for reason in found if reason), *stale_comparisons(campaign)]))


def _defect(name: str, here: Path, wanted: bytes) -> Defect | None:
    try:
        if is_same(here, wanted):
            return None
    except DataError as error:
        return Defect(name, "damaged", error.what)
    if here.suffix in _PICTURES:
        return Defect(name, "differs", _PICTURES[here.suffix])
    is_now = read_regular(here, _MOST_BYTES)
    old, new = (content.decode("utf-8", "replace").splitlines() for content in (is_now, wanted))
    for number in range(max(len(old), len(new))):
        left, right = (lines[number] if number < len(lines) else None for lines in (old, new))
        if left != right:
            detail = f"line {number + 1} is {_shown(left, right)}, and must be {_shown(right, left)}"
            return Defect(name, "differs", detail)
    return Defect(name, "differs", "only its line ends")


def _shown(line: str | None, other: str | None) -> str:
    """Return a line, cut around the first character that differs where it is long."""
    if line is None:
        return "nothing"
    if len(line) <= 100:
        return repr(line)
    pairs = zip(line, other or "", strict=False)
    at = next((number for number, (one, two) in enumerate(pairs) if one != two), min(len(line), len(other or "")))
    start = max(0, at - 30)
    return f"…{line[start : at + 50]!r}…"


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
    return campaign.exports / SUMMARY


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
        require_valid(summary, str(summary_file(campaign)), "exaid.export")
        names = [str(run["run"]) for run in summary["runs"]]
        primary, better, by = summary["primary_metric"], summary["primary_direction"], summary["group_by"]
    except (KeyError, TypeError, ValueError):
        remedy = f"run {campaign.call('export')}"
        raise DataError("is not a summary of an export", where=str(summary_file(campaign)), remedy=remedy) from None
    if any(Path(name).name != name or name in ("", "..") for name in names):  # a path would lead out of the campaign
        return None
    members = {name: campaign if name == EXPORTED_AS else Campaign(campaign.of_seeds / name) for name in names}
    if not members or not all(one.metrics.is_dir() for one in members.values()):
        return None
    reading = read_runs([one.root for one in members.values()], list(members))
    for failure in reading.failures:  # it could be read when it was exported
        raise failure.error
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
