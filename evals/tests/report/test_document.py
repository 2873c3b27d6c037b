"""The document model: one content, two forms, and text of others obeyed by neither."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.report.document import (
    Block,
    Document,
    Grid,
    Items,
    Marked,
    Picture,
    Pictures,
    Section,
    fill,
    page,
    to_html,
    to_markdown,
)

TEXT = st.text(min_size=1, max_size=30)


class Read(HTMLParser):
    """Elements and words of a page's body, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.words = ""
        self.feed(page[page.index("<main>") :])

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def everything(text: str) -> Document:
    """Return a document in which a text stands at every place that takes one."""
    picture = Picture(text, "plots/01.png", b"\x89PNG")
    blocks: list[Block] = [text, Items([text], numbered=True), Grid([[text], [text]]), Pictures([picture])]
    return Document(text, [Section(text, [*blocks, Section(text, [Items([text])])])], lead=True)


def test_markdown_is_what_it_has_always_been() -> None:
    """Each kind of block has its form, blocks stand apart by one empty line, and prose of ours keeps its signs."""
    blocks: list[Block] = [
        Section("One", ["a *b*", Marked("a *b*"), Items(["x|y"]), Items(["z"], numbered=True)]),
        Section("Two", [Section("Three", [Grid([["h", "n"], ["r", "1"]], figures=True), Grid([["h"], ["r"]])])]),
        Pictures([Picture("p", "p.png")]),
    ]
    assert to_markdown(Document("T", blocks, "exaid-evals/1")) == (
        "# T\n\n## One\n\na \\*b\\*\n\na *b*\n\n- x\\|y\n\n1. z\n\n## Two\n\n### Three\n\n"
        "| h | n |\n| :-- | --: |\n| r | 1 |\n\n| h |\n| --- |\n| r |\n\n![p](p.png)\n\n`exaid-evals/1`\n"
    )


def test_what_is_empty_leaves_nothing_behind() -> None:
    """An empty paragraph, list or table is not an element and no line."""
    document = Document("T", ["", Items([]), Grid([]), Section("S", [])])
    assert to_markdown(document) == "# T\n\n## S\n"
    assert Read(to_html(document)).elements == ["main", "h1", "h2"]


@given(TEXT)
def test_no_text_becomes_an_element(text: str) -> None:
    """Whatever a name holds, the page has the elements of one whose texts are harmless."""
    assert Read(to_html(everything(text))).elements == Read(to_html(everything("x"))).elements


@given(TEXT)
def test_no_text_becomes_a_line_of_markdown(text: str) -> None:
    """Whatever a name holds, the report has the lines of one whose texts are harmless, and no picture of others."""
    made, plain = to_markdown(everything(f"a{text}b")), to_markdown(everything("x"))
    assert made.count("\n") == plain.count("\n")
    assert made.count("![") - made.count("\\![") - made.count("!\\[") <= 1


def test_a_page_holds_its_script_and_no_other() -> None:
    """Data cannot end its element, and the policy names the hashes of style and script."""
    body = fill("report/templates/document.html.jinja", document=Document("T", []))
    made = page("T", body, "sig", script="f()", data='{"a": "</script><script>"}', packed=["QQ==", "Qg=="])
    assert made.count("<script") == 4
    assert '"\\u003c/script>\\u003cscript>"' in made
    assert "default-src 'none'" in made
    assert made.index("block-0") < made.index("f()") < made.index("block-1")
