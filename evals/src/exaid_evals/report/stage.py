"""Stage 03, its tables and figures: made from the metrics files alone, and only when those have changed.

The timeline needs more, the conversation and the run logs of one case; where they are not here it is left out, and said
so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.atomic import remove_leftovers, write_bytes
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.plugins import build_part
from exaid_evals.errors import ConfigError
from exaid_evals.execution.local import without_cycle_search
from exaid_evals.files import inside
from exaid_evals.report.base import Table
from exaid_evals.report.notes import signatures_of
from exaid_evals.report.registry import FIGURES, FORMATS, TABLES, load
from exaid_evals.report.results import Results, chosen_case, read_example, read_results

_FIGURE_SUFFIXES = ("csv", "pdf", "png")
_NEEDS_EXAMPLE = "timeline"


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to read.

    Attributes:
        main: the main table, for the terminal.
        files: every table and figure.
        written: those of them that were not current.
        left_out: table or figure → why there is none.
    """

    main: Table | None
    files: tuple[Path, ...]
    written: tuple[Path, ...]
    left_out: dict[str, str]


def write_report(campaign: Campaign, variants: Sequence[str], *, primary: str, force: bool = False) -> Report:
    """Write every table and figure that is not current.

    Args:
        campaign: where the metrics lie.
        variants: those to show, in order; each has a metrics file.
        primary: the variant that stands out.
        force: write also what is current.

    Raises:
        DataError: a metrics file, or a file of the timeline's case, is damaged.
    """
    example, case_files, why_not = _example(campaign, variants)  # reads the cases, and with them what follows
    results = read_results(campaign, variants)
    tables, left_out = build_tables(results, primary)
    if why_not:
        left_out[_NEEDS_EXAMPLE] = why_not
    sources = [campaign.metrics_file(variant) for variant in variants]
    sources += [campaign.comparisons_file] if campaign.comparisons_file.is_file() else []
    hashes = [sha256_file(path) for path in sources]
    inputs = fingerprint(metrics=hashes, variants=list(variants), primary=primary)
    inputs_of = {_NEEDS_EXAMPLE: fingerprint(metrics=inputs, case=[sha256_file(path) for path in case_files])}
    for kind in (TABLES, FIGURES):
        inputs_of |= {name: fingerprint(metrics=inputs, part=kind.source_hash(name)) for name in kind.others()}
    outputs = _outputs(campaign, tables, [name for name in FIGURES.names() if name not in left_out])
    remove_leftovers(campaign.tables, campaign.figures)
    with Ledger(campaign.state / "report.jsonl") as ledger:
        ledger.keep_only(outputs, lambda key: _own(campaign, key))
        stale = {
            key: path
            for key, path in outputs.items()
            if force or not ledger.is_current(key, inputs_of.get(path.stem, inputs), path)
        }
        if any(path.stem == _NEEDS_EXAMPLE for path in stale.values()) and example is not None:
            results = replace(results, example=read_example(campaign, example[0], variants, example[1]))
        for made in (_table_files(tables, stale), _figure_files(results, primary, stale)):
            for key, data in made.items():
                write_bytes(outputs[key], data)
                ledger.record(key, inputs_of.get(outputs[key].stem, inputs), outputs[key])
    return Report(tables.get("main"), tuple(outputs.values()), tuple(stale.values()), left_out)


def build_tables(results: Results, primary: str) -> tuple[dict[str, Table], dict[str, str]]:
    """Return every table that the results give, by name, and why the others are missing."""
    parts = {name: TABLES.find(name) for name in TABLES.names()}
    built = {name: _built(name, part, results, primary) for name, part in parts.items()}
    missing = {
        name: getattr(parts[name], "WHY_NOT", "it gives none, and does not say why")
        for name, table in built.items()
        if table is None
    }
    return {name: table for name, table in built.items() if table is not None}, missing


def _built(name: str, part: Any, results: Results, primary: str) -> Table | None:
    table = build_part(TABLES.noun, name, lambda: part.build(results, primary))
    if table is not None and not isinstance(table, Table):
        what = f"the table {name!r} builds a {type(table).__name__}"
        raise ConfigError(what, remedy="return an exaid_evals.report.base.Table, or None")
    return table


def _example(campaign: Campaign, variants: Sequence[str]) -> tuple[tuple[str, int] | None, list[Path], str]:
    """Return the timeline's case with the number of cases, its files, and why there is none."""
    chosen = chosen_case(campaign, variants)
    if chosen is None:
        return None, [], "no case with a conversation has been measured under every variant"
    files = [campaign.trace_file(chosen[0]), *(campaign.run_file(variant, chosen[0]) for variant in variants)]
    absent = [campaign.relative(path) for path in files if not is_stored(path)]
    if absent:
        return None, [], f"it needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not here"
    return chosen, files, ""


def _outputs(campaign: Campaign, tables: Sequence[str] | dict[str, Table], figures: Sequence[str]) -> dict[str, Path]:
    paths = [campaign.tables / f"{name}.{suffix}" for name in tables for suffix in FORMATS]
    paths += [campaign.figures / f"{name}.{suffix}" for name in figures for suffix in _FIGURE_SUFFIXES]
    return {campaign.relative(path): path for path in paths}


def _own(campaign: Campaign, key: str) -> Path | None:
    """Return the table or figure that a key of the ledger names; None for whatever else."""
    path = inside(campaign.root, key)
    return path if path.parent in (campaign.tables, campaign.figures) else None


def _table_files(tables: dict[str, Table], stale: dict[str, Path]) -> dict[str, bytes]:
    made = {}
    for name, table in tables.items():
        for suffix, form in FORMATS.items():
            for key in _keys(stale, name, suffix, "tables"):
                made[key] = load(form).render(table).encode()
    return made


def _figure_files(results: Results, primary: str, stale: dict[str, Path]) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    wanted = [
        name
        for name in FIGURES.names()
        if any(path.stem == name and path.parent.name == "figures" for path in stale.values())
    ]
    if not wanted:
        return made
    from exaid_evals.report.figures.canvas import style, to_pdf, to_png

    signature = "; ".join(signatures_of(results))
    forms: dict[str, Callable[..., bytes]] = {"pdf": to_pdf, "png": to_png}
    for name in wanted:
        module = FIGURES.find(name)
        for key in _keys(stale, name, "csv", "figures"):
            made[key] = module.data_csv(results).encode()
        forms_of = {key: form for suffix, form in forms.items() for key in _keys(stale, name, suffix, "figures")}
        if forms_of:
            with style(), without_cycle_search():
                figure = module.draw(results, primary)
                for key, form in forms_of.items():
                    made[key] = form(figure, title=module.TITLE, signature=signature)
    return made


def _keys(stale: dict[str, Path], name: str, suffix: str, folder: str) -> list[str]:
    return [key for key, path in stale.items() if path.name == f"{name}.{suffix}" and path.parent.name == folder]
