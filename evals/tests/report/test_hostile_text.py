"""Text of others in every form that is written: it is shown as it is, and nothing that opens the file obeys it."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exaid_evals.artifacts.atomic import write_text
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.redaction import printable
from exaid_evals.report.base import Column, Row, Table
from exaid_evals.report.cells import Text
from exaid_evals.report.document import Document, Grid, Items, Section, page, to_html, to_markdown
from exaid_evals.report.formats import csv_table, latex, markdown
from exaid_evals.report.formats.csv_table import inert, write_csv
from exaid_evals.report.formats.markdown import escape, escape_paragraph

PIECES = [
    *("=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "\0", "\x1b[2J", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff"),
    *("|", "*", "`", "_", "[", "](", "]:", "<", ">", "#", "~~~", "---", "1. ", "&lt;", "&#60;", "&", "\\", "$", "%"),
    *("{", "}", "^", "~", '"', "'", "</script>", "<img src=x onerror=a()>", "<!--", "-->", "]]>", "javascript:a()"),
    *("\ud800", "\udfff", "\U0001f642", "\u6f22", "\uff1d", "\\input{x}", "cmd|' /C calc'!A0", "a", "0.5", " "),
]
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.characters()), max_size=8).map("".join)
_UNSEEN = re.compile(r"^[\s\x00-\x20\x7f-\xa0\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*")


def spreadsheet(text: str) -> list[list[str]]:
    """Return cells as what opens the file splits it: a carriage return, too, ends a row where it is not quoted."""
    return list(csv.reader(io.StringIO(text, newline="")))


def computes(cell: str) -> bool:
    """Return whether a spreadsheet may compute a cell: it begins, for who cuts off what is not seen, like a formula."""
    seen = _UNSEEN.sub("", cell)
    return seen.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))


def is_number(text: str) -> bool:
    """Return whether text is a number, which may begin with a sign."""
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=3))
@example([("x\r=1+1", "y")])
@example([("\ufeff=1+1", "\u200b@a")])
@example([("\0=1+1", "\uff1d1+1")])
def test_a_cell_of_csv_is_no_formula_and_no_row(rows: list[tuple[str, str]]) -> None:
    """Rows and cells are those that were given, with their text, and none begins a formula but for numbers."""
    read = spreadsheet(write_csv(["a", "b"], rows))
    assert [len(row) for row in read] == [2] * (len(rows) + 1)
    for given_row, row in zip(rows, read[1:], strict=True):
        for text, cell in zip(given_row, row, strict=True):
            assert cell in (text, f"'{text}")
            assert cell == inert(text)
            assert not computes(cell) or is_number(cell)


def named(text: str) -> Table:
    """Return a table that has a text wherever one stands."""
    columns = (Column("a", text, unit=text, holds=Text), Column("b", text, holds=Text))
    rows = (Row((text,), (Text(text), Text(text)), stub=False, signature=f"exaid-evals/1|{text}", group=text),)
    return Table("t", text, columns, rows, (text,), row_heading=text)


def cells_of(line: str) -> int:
    """Return how many cells a line of a table has: what stands between bars that nothing escapes."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) - 1


@given(HOSTILE)
@example("\\|")
@example("a\\")
def test_a_table_of_markdown_keeps_its_columns(text: str) -> None:
    """Whatever names, headings, groups and cells hold."""
    made = markdown.render(named(f"a{text}"))
    lines = [line for line in made.split("\n") if line.startswith("|")]
    assert {cells_of(line) for line in lines} == {3}
    assert len(lines) == 4
    grid = to_markdown(Document("T", [Grid([[text, "b"], [text, text]])]))
    assert {cells_of(line) for line in grid.split("\n") if line.startswith("|")} == {2}


_STARTS = re.compile(r"#{1,6}(\s|$)|>|[-+](\s|$)|-[-\s]*$|=+$|\d{1,9}[.)](\s|$)|\[[^\]]*\]:|~~~|```|\*")


@given(HOSTILE)
@example("# a")
@example("[a]: http://x")
@example("~~~")
@example("1. a")
def test_a_paragraph_of_markdown_is_one(text: str) -> None:
    """It begins no heading, list, quotation, code, rule or definition, and holds no element, link or entity."""
    shown = escape_paragraph(text)
    assert not _STARTS.match(shown)
    assert "\n" not in shown
    plain = re.sub(r"\\[\\`*|<\]&~_]", "", shown)
    assert not re.search(r"<|\]\(|\]\[|&#?\w+;|~~|`|\*", plain)
    assert re.sub(r"\\([\\`*|<\]&~_])", r"\1", escape(text)) == " ".join(text.split())


class Parsed(HTMLParser):
    """A page as a browser takes it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def document(text: str) -> Document:
    """Return a document with a text as title, heading, paragraph, item and cell."""
    return Document(text, [Section(text, [text, Items([text]), Grid([[text], [text]])])], signature=text)


@given(HOSTILE.filter(str.strip))
def test_html_says_the_same_text_and_has_no_element_of_its_own(text: str) -> None:
    """Read back it is the text, what cannot be seen by its code; elements and their attributes are ours alone."""
    made, plain = Parsed(to_html(document(f"a{text}b"))), Parsed(to_html(document("x")))
    assert made.elements == plain.elements
    assert not [names for _, names in made.elements if any(name.startswith("on") for name in names)]
    assert "".join(made.texts).count(printable(f"a{text}b")) >= 6


@given(HOSTILE)
def test_data_of_a_page_stay_data(text: str) -> None:
    """JSON in a script element reads back as it was, and ends no element."""
    data = json.dumps({"a": text})
    made = page("T", to_html(Document("T", [])), "s", script="f()", data=data)  # type: ignore[arg-type]
    assert made.count("</script>") == 2
    inside = re.search(r"<script[^>]*json[^>]*>(.*?)</script>", made, re.DOTALL)
    assert inside is not None
    assert json.loads(inside[1]) == {"a": text}


_OURS = re.compile(
    r"\\exaidchar\{.\}\{[0-9A-F]+\}|\\[&%$#_{}]|\\[A-Za-z]+\{\}|\$\\\w+\$|\$-\$|\\[^\w\s]\{\w\}|\\\w\{\w\}"
)


@given(HOSTILE)
def test_latex_obeys_no_text(text: str) -> None:
    """Of what TeX obeys only our own commands are left, braces are even, and all is one line of what it can read."""
    shown = latex.escape(text)
    assert "\n" not in shown
    left = _OURS.sub("", shown)
    assert not re.search(r"[\\%#$&_^~\0]", left), (shown, left)
    unescaped = re.sub(r"\\[{}]", "", shown)
    assert unescaped.count("{") == unescaped.count("}")
    assert latex.render(named(text)).count(r"\begin{") == latex.render(named("x")).count(r"\begin{")


@given(HOSTILE)
def test_every_form_can_be_written(text: str) -> None:
    """Half of a character, too: the file is UTF-8 all the same."""
    for made in (
        canonical_json({text: [text]}),
        csv_table.render(named(text)),
        markdown.render(named(text)),
        latex.render(named(text)),
        to_html(document(text)),
        to_markdown(document(text)),
    ):
        made.encode("utf-8", "replace").decode("utf-8")


def test_half_of_a_character_stops_no_file(tmp_path: Path) -> None:
    """It becomes a question mark, as elsewhere."""
    write_text(tmp_path / "a.csv", write_csv(["a"], [["x\ud800y"]]))
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "a\nx?y\n"


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb", '"', "a,b"])
def test_a_line_end_within_a_cell_is_quoted(text: str) -> None:
    """RFC 4180: also a carriage return alone."""
    assert spreadsheet(write_csv(["h"], [[text]])) == [["h"], [text]]
