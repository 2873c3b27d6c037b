"""The documentation's site is whole, and works without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

import exaid_evals
from docs.console import ROOT
from exaid_evals.api.campaign import OpenCampaign
from exaid_evals.api.runs import Runs
from exaid_evals.cli.main import root

pytestmark = pytest.mark.docs
_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Links(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's links."""
        given = {name: value for name, value in attrs if value is not None}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif _LOADED.get(tag) in given:
            self.loaded.append(given[_LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; any warning of Sphinx is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", "docs"]
    done = subprocess.run([*command, ".", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    """Read every page."""
    return {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere(pages: dict[Path, Links]) -> None:
    """Files exist, and so do the anchors behind `#`; those of other hosts are only looked at by their readers."""
    assert len(pages) > 30
    broken = []
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].anchors if target in pages else None
            if not target.is_file() or (parts.fragment and known is not None and unquote(parts.fragment) not in known):
                broken.append((path.name, link))
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Links]) -> None:
    """No font, script, style or picture of another host, in pages and in styles: a reader's address stays here."""
    from_elsewhere = [one for page in pages.values() for one in page.loaded if urlsplit(one).netloc]
    for style in site.rglob("*.css"):
        used = re.findall(r"(?:@import|url\()\s*['\"]?([^'\")\s;]+)", style.read_text(encoding="utf-8"))
        from_elsewhere += [one for one in used if urlsplit(one).netloc]
    assert from_elsewhere == []


def test_the_command_line_is_there_whole(site: Path) -> None:
    """Every verb with every option that it shows."""
    shown = Links((site / "docs" / "reference" / "command_line.html").read_text(encoding="utf-8")).anchors
    context = click.Context(root)
    for verb in root.list_commands(context):
        command = root.get_command(context, verb)
        assert command is not None
        missing = [
            option.opts[-1]
            for option in command.params
            if isinstance(option, click.Option) and not option.hidden
            if f"cmdoption-exaid-evals-{verb}-{option.opts[0].lstrip('-')}" not in shown
        ]
        assert missing == [], verb


def test_the_python_reference_has_what_users_call(site: Path) -> None:
    """The names of the package, and the methods of what they return."""
    shown = Links((site / "docs" / "reference" / "python.html").read_text(encoding="utf-8")).anchors
    assert {f"exaid_evals.{name}" for name in exaid_evals.__all__} <= shown
    for kind in (OpenCampaign, Runs):
        names = {f"{kind.__module__}.{kind.__name__}.{name}" for name in vars(kind) if not name.startswith("_")}
        assert names <= shown
