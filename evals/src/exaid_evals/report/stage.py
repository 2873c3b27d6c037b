"""Stage 03, its tables and figures: made from the metrics files alone, and only when those have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.artifacts.atomic import remove_leftovers, write_bytes
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.config.campaign import Campaign
from exaid_evals.metrics.records import VariantMetrics, read_variant
from exaid_evals.report.base import Table, signature_lines
from exaid_evals.report.registry import FIGURES, FORMATS, TABLES, load

_FIGURE_SUFFIXES = ("csv", "pdf", "png")


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to read.

    Attributes:
        main: the main table, for the terminal.
        files: every table and figure.
        written: those of them that were not current.
    """

    main: Table
    files: tuple[Path, ...]
    written: tuple[Path, ...]


def write_report(campaign: Campaign, variants: Sequence[str], *, primary: str, force: bool = False) -> Report:
    """Write every table and figure that is not current.

    Args:
        campaign: where the metrics lie.
        variants: those to show, in order; each has a metrics file.
        primary: the variant that stands out.
        force: write also what is current.

    Raises:
        DataError: a metrics file is damaged.
    """
    measured = [read_variant(campaign.metrics_file(variant)) for variant in variants]
    hashes = [sha256_file(campaign.metrics_file(variant)) for variant in variants]
    inputs = fingerprint(metrics=hashes, variants=list(variants), primary=primary)
    outputs = _outputs(campaign)
    remove_leftovers(campaign.tables, campaign.figures)
    with Ledger(campaign.state / "report.jsonl") as ledger:
        for key in set(ledger.recorded()) - set(outputs):
            (campaign.root / key).unlink(missing_ok=True)
        ledger.keep_only(outputs)
        stale = {key: path for key, path in outputs.items() if force or not ledger.is_current(key, inputs, path)}
        for made in (_table_files(measured, primary, stale), _figure_files(measured, primary, stale)):
            for key, data in made.items():
                write_bytes(outputs[key], data)
                ledger.record(key, inputs, outputs[key])
    main: Table = load(TABLES["main"]).build(measured, primary)
    return Report(main, tuple(outputs.values()), tuple(stale.values()))


def _outputs(campaign: Campaign) -> dict[str, Path]:
    tables = [campaign.tables / f"{name}.{suffix}" for name in TABLES for suffix in FORMATS]
    figures = [campaign.figures / f"{name}.{suffix}" for name in FIGURES for suffix in _FIGURE_SUFFIXES]
    return {campaign.relative(path): path for path in (*tables, *figures)}


def _table_files(measured: Sequence[VariantMetrics], primary: str, stale: dict[str, Path]) -> dict[str, bytes]:
    made = {}
    for name, target in TABLES.items():
        for suffix, form in FORMATS.items():
            for key in _keys(stale, name, suffix, "tables"):
                made[key] = load(form).render(load(target).build(measured, primary)).encode()
    return made


def _figure_files(measured: Sequence[VariantMetrics], primary: str, stale: dict[str, Path]) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    wanted = {name: target for name, target in FIGURES.items() if any(Path(key).stem == name for key in stale)}
    if not wanted:
        return made
    from exaid_evals.report.figures.canvas import style, to_pdf, to_png

    signature = "; ".join(signature_lines({one.variant_id: one.signature for one in measured}))
    forms: dict[str, Callable[..., bytes]] = {"pdf": to_pdf, "png": to_png}
    for name, target in wanted.items():
        module = load(target)
        for key in _keys(stale, name, "csv", "figures"):
            made[key] = module.data_csv(measured).encode()
        with style():
            for suffix, form in forms.items():
                for key in _keys(stale, name, suffix, "figures"):
                    # A figure that has been drawn once keeps what the first canvas computed; each form gets its own.
                    figure = module.draw(measured, primary)
                    made[key] = form(figure, title=module.TITLE, signature=signature)
    return made


def _keys(stale: dict[str, Path], name: str, suffix: str, folder: str) -> list[str]:
    return [key for key, path in stale.items() if path.name == f"{name}.{suffix}" and path.parent.name == folder]
