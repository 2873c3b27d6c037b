"""The pages without a script: whole, quiet and readable in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pages import Page

from analysis.compare.runs import write_search
from analysis.histories import simulated
from exaid_evals.analysis.report.write import write_report
from exaid_evals.analysis.stage import analyse
from exaid_evals.cli.main import run as cli

pytestmark = pytest.mark.browser
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the report of an analysis and of an impact analysis."""
    folder = tmp_path_factory.mktemp("reports")
    write_search(folder / "runs")
    assert cli(["impact", "--runs", f"{folder}/runs/*", "--output-dir", str(folder / "impact")]) == 0
    analysed = write_report(analyse(simulated("corrupt_images", 11)), folder)
    return {"analyze": analysed / "report.html", "impact": folder / "impact" / "impact.html"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["analyze", "impact"])
def test_reports_are_readable(open_page: Open, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    """Nothing is wider than the window, every picture is there, and headings are in order."""
    page = open_page(pages[name], width, scheme)
    assert page.overflow() <= 0
    assert page.run("return [...document.images].every((image) => image.complete && image.naturalWidth > 100)")
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) >= 4
    assert len(page.picture()) > 10_000


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the contact sheet of three images, two of which are bad, one of them of a hostile name."""
    from PIL import Image
    from skimage import data

    folder = tmp_path_factory.mktemp("audit")
    images = folder / "images"
    images.mkdir()
    Image.fromarray(data.astronaut()).save(images / "good.png")
    Image.new("RGB", (256, 256)).save(images / "<img src=x onerror=document.title='taken'>.png")
    (images / "truncated.png").write_bytes((images / "good.png").read_bytes()[:4000])
    assert cli(["audit-images", str(images), "--output-dir", str(folder / "out")]) in (0, 3)
    (page,) = (folder / "out").rglob("*.html")
    return page


def test_the_contact_sheet_filters_without_a_script(open_page: Open, sheet: Path) -> None:
    """A click on a finding leaves its images alone, in the window's width; a hostile name is text."""
    for width in (1280, 390):
        page = open_page(sheet, width, "dark")
        assert page.overflow() <= 0
        assert page.all("script") == []
        every = [one for one in page.all("figure") if one.is_displayed()]
        assert len(every) >= 2
        page.all("label")[-1].click()
        left = [one for one in page.all("figure") if one.is_displayed()]
        assert 0 < len(left) < len(every)
        assert page.run("return document.title") != "taken"
        page.picture()
