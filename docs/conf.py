"""The documentation as a site that opens from disk: `make docs-site` writes build/site/README.html.

Sphinx, since the site must last as the paper does: Material for MkDocs ends in 2027 and MkDocs has had no release since
2024. Pages lie in the site as in the checkout, so the links that work there work here; the theme asks for no
font, script or style of another host.
"""

import re
from importlib.metadata import version as version_of
from pathlib import Path

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).resolve().parents[1]

project = "exaid-evals"
author = "The EXAID evaluation authors"
project_copyright = author
version = release = version_of("exaid-evals")
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "evals/README.md", "docs/reference/*.rst"]
exclude_patterns = [".*", "build", "third_party", "evals/[a-z]*"]
html_theme = "furo"
html_title = f"{project} {version}"
html_copy_source = html_show_sourcelink = html_show_sphinx = False
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

myst_heading_anchors = 4
myst_enable_extensions = ["strikethrough"]
default_role = "code"
smartquotes = False  # they would make one dash of the two before an option
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_mock_imports = ["torch"]
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # else the fields of named tuples, which describe themselves, are described twice
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

_CONTENTS = {
    "": "docs/README",
    "Tutorials": "docs/tutorials/own_summarizer docs/tutorials/reviewer docs/tutorials/own_runs"
    " docs/tutorials/own_model",
    "Handbook": "evals/README",
    "Numbers": "docs/measures docs/time docs/extractor_validity docs/human_agreement docs/statistics docs/replication"
    " docs/outside_medicine",
    "Experiments": "docs/export docs/analysis docs/comparing docs/comparing_logs docs/monitoring docs/image_audit"
    " docs/run_eval docs/run_eval_agreement docs/success docs/handbook_code",
    "Reference": "docs/python_api docs/reference/python docs/reference/command_line",
    "Operation": "docs/scale docs/reliability SECURITY CHANGELOG CONTRIBUTING",
}
_FOLDER = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)\)")


def _adapted(_app, name, source):
    """Give the first page the contents, and leave text where a page links to a folder: the site has none."""
    folder = (ROOT / name).parent
    source[0] = _FOLDER.sub(lambda link: link[1] if (folder / link[2]).is_dir() else link[0], source[0])
    if name == root_doc:
        for caption, pages in _CONTENTS.items():
            listed = "\n".join(pages.split())
            options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
            source[0] += f"\n```{{toctree}}\n{options}\n{listed}\n```\n"


def setup(app):
    """Register what adapts the pages."""
    app.connect("source-read", _adapted)
    app.add_lexer("mermaid", TextLexer)  # shown as written: what draws it would be a script of another host
