"""The folder `paper/`: every table and figure under its number in the paper, with one page that shows them all.

`paper.md` is for reading as it lies there, `paper.tex` compiles with `pdflatex paper.tex`. Both only bring together
what stage 03 and the export have written; the files are copied, so that the folder can be sent as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.artifacts.atomic import remove_leftovers, write_bytes
from exaid_evals.artifacts.hashing import sha256_bytes
from exaid_evals.artifacts.ledger import Ledger
from exaid_evals.config.campaign import Campaign
from exaid_evals.files import inside
from exaid_evals.report.document import Block, Document, Items, Marked, Picture, Pictures, Section, to_markdown
from exaid_evals.report.formats.latex import CHARACTER, DEFINITION, breakable
from exaid_evals.report.formats.latex import escape as tex_text
from exaid_evals.report.formats.markdown import escape as markdown_text
from exaid_evals.report.notes import STUB_NOTE, cases_note, signatures_of, time_note
from exaid_evals.report.registry import FIGURES, FORMATS, load
from exaid_evals.report.results import Results

FOLDER = "paper"
INDEX_MD, INDEX_TEX = "paper.md", "paper.tex"
OVER_SEEDS = "over_seeds"

# Name → what it is called where it is missing. The place is the number in the paper, whatever else is missing.
TABLES = {
    "data_set": "The frozen conversations",
    "main": "Main results per variant",
    "coverage_at_budget": "Coverage at a reading budget",
    "comparisons": "Differences between variants",
    OVER_SEEDS: "Results over seeds",
    "extractor_validity": "The concept extractor against gold labels",
    "coverage_gold": "Coverage by the extractor and by gold labels",
    "delays": "How long concepts wait, and how far the clinician lags behind",
}
_TABLE_FORMS, _FIGURE_FORMS = tuple(reversed(FORMATS)), ("pdf", "png", "csv")
_OF_TIME = ("concept_delay", "timeline")


@dataclass(frozen=True, slots=True)
class Item:
    """A table or figure of the paper.

    Attributes:
        kind: `table` or `figure`.
        number: in the paper.
        name: of its files where they come from.
        title: short.
        files: suffix → file to copy; empty where there is none.
        why_not: why there is none.
    """

    kind: str
    number: int
    name: str
    title: str
    files: Mapping[str, Path] = field(default_factory=dict)
    why_not: str = ""

    @property
    def stem(self) -> str:
        """Return the name of its files in the folder."""
        return f"{self.kind}-{self.number}-{self.name.replace('_', '-')}"

    @property
    def label(self) -> str:
        """Return `Table 1` or `Figure 1`."""
        return f"{self.kind.capitalize()} {self.number}"


def numbered_copies(campaign: Campaign) -> dict[str, str]:
    """Return the name of a file in the folder → the path inside the campaign of what it is a copy of."""
    return {
        f"{item.stem}.{suffix}": campaign.relative(path)
        for item in _items(campaign, {})
        for suffix, path in item.files.items()
    }


def write_paper(campaign: Campaign, results: Results, *, left_out: Mapping[str, str]) -> tuple[list[Path], list[Item]]:
    """Write the folder; return its files, and the items that it lacks.

    Args:
        campaign: whose tables and figures are current.
        results: what they were made from.
        left_out: table or figure → why there is none.
    """
    folder = campaign.root / FOLDER
    items = _items(campaign, left_out)
    content = {
        f"{item.stem}.{suffix}": path.read_bytes() for item in items for suffix, path in sorted(item.files.items())
    }
    content[INDEX_MD] = _index_md(items, results).encode()
    content[INDEX_TEX] = _index_tex(items, results).encode()
    outputs = {f"{FOLDER}/{name}": folder / name for name in content}
    remove_leftovers(folder)
    with Ledger(campaign.state / f"{FOLDER}.jsonl") as ledger:
        ledger.keep_only(outputs, lambda key: inside(folder, key.removeprefix(f"{FOLDER}/")))
        for name, data in content.items():
            key, inputs = f"{FOLDER}/{name}", sha256_bytes(data)
            if not ledger.is_current(key, inputs, outputs[key]):
                write_bytes(outputs[key], data)
                ledger.record(key, inputs, outputs[key])
    return list(outputs.values()), [item for item in items if not item.files]


def _items(campaign: Campaign, left_out: Mapping[str, str]) -> list[Item]:
    items = []
    for number, (name, title) in enumerate(TABLES.items(), start=1):
        stem = (campaign.exports if name == OVER_SEEDS else campaign.tables) / name
        why_not = left_out.get(name, "it is made of several seeds" if name == OVER_SEEDS else "there is no such table")
        items.append(_item("table", number, name, title, stem, _TABLE_FORMS, why_not))
    for number, name in enumerate(FIGURES, start=1):
        title = load(FIGURES[name]).TITLE
        why_not = left_out.get(name, "there is no such figure")
        items.append(_item("figure", number, name, title, campaign.figures / name, _FIGURE_FORMS, why_not))
    return items


def _item(kind: str, number: int, name: str, title: str, stem: Path, forms: Sequence[str], why_not: str) -> Item:
    paths = {suffix: stem.with_name(f"{stem.name}.{suffix}") for suffix in forms}
    if not all(path.is_file() for path in paths.values()):
        return Item(kind, number, name, title, why_not=why_not)
    return Item(kind, number, name, title, paths)


def _opening(results: Results) -> list[str]:
    """Return what stands above everything: what this is made of, and how."""
    return [
        f"Variants {', '.join(one.variant_id for one in results)}. {cases_note(results)}",
        *([STUB_NOTE] if any(one.stub for one in results) else []),
    ]


def _index_md(items: Sequence[Item], results: Results) -> str:
    parts: list[Block] = [
        " ".join(_opening(results)),
        Marked("\n".join(f"`{line}`  " for line in signatures_of(results)).rstrip()),
        Marked(f"To typeset all of it: `pdflatex {INDEX_TEX}`."),
        Items([Marked(_entry(item)) for item in items]),
    ]
    for item in items:
        if item.kind == "table" and item.files:
            parts.append(Section(item.label, [Marked(item.files["md"].read_text(encoding="utf-8").strip())]))
        elif item.files:
            figure = Pictures([Picture(item.title, f"{item.stem}.png")])
            parts.append(Section(item.label, [figure, _figure_caption(item, results)]))
    return to_markdown(Document("Tables and figures", parts))


def _entry(item: Item) -> str:
    """Return an item in the list of contents."""
    if not item.files:
        return markdown_text(f"{item.label}: {item.title}: not made, {item.why_not}")
    links = ", ".join(f"[{suffix}]({item.stem}.{suffix})" for suffix in item.files)
    return f"{markdown_text(f'{item.label}: {item.title}')} ({links})"


def _figure_caption(item: Item, results: Results) -> str:
    notes = [load(FIGURES[item.name]).CAPTION, cases_note(results)]
    notes += [time_note(results)] if item.name in _OF_TIME else []
    return " ".join([*filter(None, notes), *([STUB_NOTE] if any(one.stub for one in results) else [])])


def _index_tex(items: Sequence[Item], results: Results) -> str:
    missing = [item for item in items if not item.files]
    lines = [
        "% Made by exaid-evals; do not edit. Compile with pdflatex in this folder.",
        r"\documentclass[10pt]{article}",
        r"\usepackage[margin=1in]{geometry}",
        r"\usepackage{booktabs}",
        r"\usepackage{graphicx}",
        "% The same sources give the same file: no date, no id. Other engines than pdfTeX know none of this.",
        r"\ifdefined\pdfinfoomitdate\pdfinfoomitdate=1 \pdftrailerid{}\pdfsuppressptexinfo=-1 \fi",
        r"\title{Tables and figures}",
        r"\author{}",
        r"\date{}",
        r"\begin{document}",
        r"\maketitle",
        r"\noindent " + " ".join(map(tex_text, _opening(results))),
        *(
            rf"\par\noindent{{\raggedright\scriptsize\ttfamily {breakable(line)}\par}}"
            for line in signatures_of(results)
        ),
        *(
            rf"\par\noindent {item.label} ({tex_text(item.title)}) was not made: {tex_text(item.why_not)}."
            for item in missing
        ),
        r"\listoftables",
        r"\listoffigures",
        r"\clearpage",
    ]
    for item in items:
        if item.files:
            # The number is the paper's, also where one before it is missing.
            lines += [rf"\setcounter{{{item.kind}}}{{{item.number - 1}}}"]
            lines += [rf"\input{{{item.stem}}}"] if item.kind == "table" else _figure_tex(item, results)
    if any(CHARACTER in one for one in lines):
        lines.insert(lines.index(r"\begin{document}"), DEFINITION)
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def _figure_tex(item: Item, results: Results) -> list[str]:
    signatures = " ".join(rf"{{\scriptsize\ttfamily {breakable(line)}}}" for line in signatures_of(results))
    return [
        r"\begin{figure}[tp]",
        r"\centering",
        rf"\includegraphics{{{item.stem}.pdf}}",
        rf"\caption[{{{tex_text(item.title)}}}]{{{tex_text(_figure_caption(item, results))} Signature: {signatures}}}",
        rf"\label{{fig:exaid-{item.name.replace('_', '-')}}}",
        r"\end{figure}",
    ]
