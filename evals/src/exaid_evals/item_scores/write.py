"""A comparison of two logs as a record (`exaid.log_comparison`), as sentences, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals import __version__
from exaid_evals.artifacts.atomic import write_text
from exaid_evals.artifacts.canonical import canonical_json, rounded
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.redaction import first_few, printable
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.artifacts.written import note_written
from exaid_evals.item_scores.base import Log
from exaid_evals.item_scores.compare import ITEM, NONE, Aligned, Comparison, Settings, read_first, score, unclustered
from exaid_evals.report.cells import Digits, PValue
from exaid_evals.report.document import Block, Document, Grid, Items, Section, to_markdown
from exaid_evals.report.formats.csv_table import inert, write_csv
from exaid_evals.stats.paired import RESAMPLES

SCHEMA = "exaid.log_comparison"
RECORD, REPORT, TABLE, ITEMS = "log_comparison.json", "log_comparison.md", "log_comparison.csv", "items.csv"
_COLUMNS: tuple[str, ...] = (
    *("task", "metric", "direction", "n", "n_clusters", "n_undefined", "mean_a", "mean_b", "difference"),
    *("ci95_low", "ci95_high", "se", "gained", "lost", "test", "p", "p_exact", "p_holm", "detectable", "better"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that is reported of two logs.

    Attributes:
        a, b: the logs of each side.
        aligned: their tasks.
        comparisons: in the order of tasks and metrics.
        settings: how they were compared.
        most: items to read first of each comparison.
        warnings: what is odd.
    """

    a: Sequence[Log]
    b: Sequence[Log]
    aligned: Sequence[Aligned]
    comparisons: Sequence[Comparison]
    settings: Settings
    most: int
    warnings: Sequence[str]

    @property
    def signature(self) -> str:
        """How the numbers were made."""
        cfg = {"metrics": sorted(self.settings.metrics), "cluster": self.settings.cluster, "seed": self.settings.seed}
        digests = [short(_digest(side)) for side in (self.a, self.b)]
        made = f"exaid-evals/{__version__}|log-comparison|a:{digests[0]}|b:{digests[1]}"
        return f"{made}|cfg:{short(sha256_structure(cfg))}|permutations:{RESAMPLES}/{self.settings.seed}"


def _digest(side: Sequence[Log]) -> str:
    return sha256_structure(
        [[log.task, [[item.id, item.epoch, dict(item.scores), item.content] for item in log.items]] for log in side]
    )


def record(report: Report) -> dict[str, Any]:
    """Return the record; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    found = {
        **header(SCHEMA),
        "record_type": "log_comparison",
        "signature": report.signature,
        "a": _side(report.a),
        "b": _side(report.b),
        "cluster": report.settings.cluster or "auto",
        "seed": report.settings.seed,
        "comparisons": [row(one) for one in report.comparisons],
        "read_first": [
            {"task": one.task, "metric": one.metric, "items": items}
            for one in report.comparisons
            if (items := _read_first(one, report.most))
        ],
        "kept_out": [
            {"task": one.task, "reason": reason, "n": len(keys), "items": [[id_, epoch] for id_, epoch in keys]}
            for one in report.aligned
            for reason, keys in sorted(one.kept_out.items())
        ],
        "warnings": list(report.warnings),
    }
    require_valid(found, RECORD)
    return found


def _side(logs: Sequence[Log]) -> dict[str, Any]:
    return {
        "system": logs[0].system,
        "format": sorted({log.format for log in logs}),
        "logs": [{"task": log.task, "file": log.file, "n_items": len(log.items)} for log in logs],
    }


def row(one: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data, by the names of the columns."""
    difference = one.difference
    return dict(
        zip(
            _COLUMNS,
            (
                *(one.task, one.metric, one.direction, difference.n, difference.n_clusters, one.undefined),
                *(one.mean_a, one.mean_b, difference.value, difference.low, difference.high, difference.error),
                *(one.gained, one.lost, one.test, one.p, one.p_exact, one.p_holm, difference.detectable, one.better),
            ),
            strict=True,
        )
    )


def _read_first(one: Comparison, most: int) -> list[dict[str, Any]]:
    return [
        {
            "id": pair.a.id,
            "epoch": pair.a.epoch,
            "a": score(pair.a, one.metric),
            "b": score(pair.b, one.metric),
            "question": pair.a.question,
            "target": pair.a.target,
            "answer_a": pair.a.answer,
            "answer_b": pair.b.answer,
        }
        for pair, _ in read_first(one, most)
    ]


def sentence(one: Comparison) -> str:
    """Return what a comparison says, in a sentence."""
    difference = one.difference
    name = f"{one.task}, {one.metric}" if one.task else one.metric
    if one.p is None or one.p_holm is None:
        return f"{name}: both score the same on each of {difference.n} items"
    if one.p_holm > 0.05:
        found = ""
        if difference.detectable:
            scores = [score(item, one.metric) for pair in one.pairs for item in (pair.a, pair.b)]
            largest = max(scores) - min(scores)
            which = f"{_shown(difference.detectable)} would" if difference.detectable <= largest else "none would"
            found = f"; with a chance of 80 % {which} have been found"
        return f"{name}: no difference is shown{found}"
    which, other = ("B", "A") if difference.value > 0 else ("A", "B")
    verdict = f"{which} scores higher than {other}" + (", which is worse" if one.better == other else "")
    return f"{name}: {verdict}, by {_shown(abs(difference.value))}"


def warnings_of(aligned: Sequence[Aligned], comparisons: Sequence[Comparison], settings: Settings) -> list[str]:
    """Return what a reader of the numbers must know."""
    notes = []
    key = settings.cluster
    for one in comparisons:
        name = f"{one.task}, {one.metric}" if one.task else one.metric
        if key not in (None, ITEM, NONE) and (n := unclustered(one.pairs, key)):
            notes.append(f"{name}: {n} items have no {key!r}, and belong to no other")
        if one.clusters is not None and one.p is not None and one.difference.n_clusters < 10:
            notes.append(f"{name}: with {one.difference.n_clusters} clusters neither test nor interval can be trusted")
    for task in aligned:
        total = sum(len(keys) for keys in task.kept_out.values())
        if total > len(task.pairs):
            notes.append(f"{task.task or 'the logs'}: {total} items are kept out, and {len(task.pairs)} are compared")
    return notes


def table(report: Report) -> list[list[str]]:
    """Return the table for people: heading and rows."""
    rows = [["task", "metric", "n", "A", "B", "B − A", "95 % interval", "B wins", "A wins", "p", "p (Holm)"]]
    for one in report.comparisons:
        difference = one.difference
        interval = "–" if difference.low is None else f"[{_shown(difference.low)}, {_shown(difference.high)}]"
        n = str(difference.n) if one.clusters is None else f"{difference.n} in {difference.n_clusters}"
        wins = (one.gained, one.lost) if one.direction != "lower" else (one.lost, one.gained)
        scores = [_shown(one.mean_a), _shown(one.mean_b), _shown(difference.value), interval]
        rows.append([one.task, one.metric, n, *scores, *map(str, wins), _p(one.p), _p(one.p_holm)])
    return [line if any(one.task for one in report.comparisons) else line[1:] for line in rows]


def write(report: Report, out: Path) -> Path:
    """Write the record, the report, its table and all items; return the report's path."""
    found = record(report)
    write_text(out / RECORD, canonical_json(found) + "\n")
    signed = [*_COLUMNS, "signature"]
    rows = [[_cell(value) for value in one.values()] for one in found["comparisons"]]
    write_text(out / TABLE, write_csv(signed, [[*cells, report.signature] for cells in rows]))
    write_text(
        out / ITEMS, write_csv(["task", "metric", "id", "epoch", "cluster", "a", "b", "difference"], _items(report))
    )
    write_text(out / REPORT, _markdown(report, found))
    note_written(out, "compare-logs", map(out.joinpath, (RECORD, TABLE, ITEMS, REPORT)))
    return out / REPORT


def _items(report: Report) -> list[list[object]]:
    lines: list[list[object]] = []
    for one in report.comparisons:
        clusters = [None] * len(one.pairs) if one.clusters is None else one.clusters.tolist()
        for pair, cluster in zip(one.pairs, clusters, strict=True):
            a, b = score(pair.a, one.metric), score(pair.b, one.metric)
            numbers = [rounded(a), rounded(b), rounded(b - a)]
            lines.append([_cell(one.task), _cell(one.metric), _cell(pair.a.id), pair.a.epoch, cluster, *numbers])
    return lines


def _cell(value: object) -> object:
    """Return a cell: numbers rounded as in records, text that no spreadsheet takes for a formula."""
    if isinstance(value, float):
        return rounded(value)
    return inert(printable(value)) if isinstance(value, str) else value


def _markdown(report: Report, found: Mapping[str, Any]) -> str:
    tests = sorted({one.test for one in report.comparisons})
    units = sorted({"items" if one.clusters is None else "clusters" for one in report.comparisons})
    notes = (
        f"Differences are B less A. Intervals are Student's t over {' or '.join(units)}. Tests: {', '.join(tests)}; "
        f"p is adjusted by Holm over {sum(one.p is not None for one in report.comparisons)} comparisons."
    )
    groups: list[Block] = []
    for group in found["read_first"]:
        rows = [["item", "A", "B", "question", "target", "answer of A", "answer of B"]]
        for one in group["items"]:
            texts = [one["question"][:160], one["target"][:80], one["answer_a"][:160], one["answer_b"][:160]]
            rows.append([_key((one["id"], one["epoch"])), _shown(one["a"]), _shown(one["b"]), *texts])
        groups.append(Section(", ".join(filter(None, (group["task"], group["metric"]))), [Grid(rows)]))
    kept = kept_out(report)
    parts: list[Block] = [
        Items([f"{name}: {_named(side)}" for name, side in (("A", report.a), ("B", report.b))]),
        Items([sentence(one) for one in report.comparisons]),
        Section("Differences", [Grid(table(report)), notes]),
        Section("Items to read first", groups or ["None: no item differs."]),
        Section("What kept items out", [Items(kept) if kept else "Nothing."]),
        *([Section("Warnings", [Items(report.warnings)])] if report.warnings else []),
    ]
    return to_markdown(Document("Comparison of two logs", parts, report.signature))


def kept_out(report: Report) -> list[str]:
    """Return a line for each reason that kept items out."""
    return [
        f"{one.task + ': ' if one.task else ''}{len(keys)} {reason} ({first_few(list(map(_key, keys)), 5, ' …')})"
        for one in report.aligned
        for reason, keys in sorted(one.kept_out.items())
    ]


def _key(key: tuple[str, int]) -> str:
    return printable(key[0]) + (f" of epoch {key[1]}" if key[1] > 1 else "")


def _named(side: Sequence[Log]) -> str:
    logs = first_few([log.file for log in side], 5, " …")
    return f"{side[0].system} ({logs})" if side[0].system else logs


def _p(p: float | None) -> str:
    return PValue(p).shown(Digits())


def _shown(value: float | None) -> str:
    """Return a number with three decimals, or three significant digits where that is finer."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) >= 0.1 or not value else f"{value:.3g}"
