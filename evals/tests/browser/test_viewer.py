"""The viewer as its user meets it: in a browser, from a file, by mouse and by keys."""

from __future__ import annotations

import io
import json
import os
import random
import re
import threading
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from pages import Page
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from exaid_evals.concepts.registry import read_stop_entities
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.measurer import load_measuring_extractor
from exaid_evals.metrics.measures.coverage import coverage_at_budget
from exaid_evals.metrics.observe import observe_case
from exaid_evals.replay.run_log import read_run
from exaid_evals.traces.model import read_trace
from exaid_evals.viewer.page import pack
from exaid_evals.viewer.serve import Follower, Report, Server
from stub_campaigns import records_in, shared_campaign

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
VARIANTS = ("V0", "V1", "V2", "V3", "V4")
CELLS = 1000
HOSTILE = """</script><script>document.title="taken"</script>"'><img src=x onerror="document.title='taken'">&amp;<!--"""
_READ_CELLS = """
const [cells, done] = arguments, found = [], one = (selector) => document.querySelector(selector);
const wait = () => new Promise((go) => setTimeout(go, 5));
(async () => {
  for (const [id, variant, budget] of cells) {
    const drawn = () => one('.coverage[data-side=a]').dataset.variant;
    const there = () => one('.case h1')?.textContent === id && drawn() === variant;
    if (!there()) location.hash = `#/case/${id}?a=${variant}`;
    while (!there()) await wait();
    one('#exact').value = budget;
    one('#exact').dispatchEvent(new Event('input'));
    found.push(Number(one('.coverage[data-side=a]').dataset.value));
  }
  done(found);
})();
"""
_CHARS = """
return [...document.querySelectorAll(arguments[0])].reduce((sum, one) => sum + [...one.textContent].length, 0)
"""


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """Return a campaign with its page, which is only read."""
    return shared_campaign()


@pytest.fixture(scope="module")
def report(campaign: Campaign) -> Path:
    """Return the page's file."""
    return campaign.root / "report.html"


def visit(page: Page, fragment: str) -> None:
    """Follow a link within the page."""
    page.run("location.hash = arguments[0]", fragment)
    ready(page)


def ready(page: Page) -> None:
    """Wait until the page shows what its address asks for."""
    script = "return document.body.dataset.ready === 'yes' && !document.querySelector('.waiting')"
    WebDriverWait(page.driver, 60).until(lambda _: page.run(script))
    page.driver.execute_async_script("const done = arguments[0]; setTimeout(() => requestAnimationFrame(done), 30)")


def addressed(page: Page, holds: Callable[[str], bool]) -> None:
    """Wait until the address follows what is shown, which it does after a moment."""
    WebDriverWait(page.driver, 60).until(lambda _: holds(page.run("return location.hash")))


def opened(open_page: Open, report: Path, fragment: str = "", **how: object) -> Page:
    """Open the page at an address."""
    page = open_page(report, **how)
    ready(page)
    if fragment:
        visit(page, fragment)
    return page


def case_ids(campaign: Campaign) -> list[str]:
    """Return the cases."""
    return sorted(path.name.removesuffix(".jsonl.gz") for path in campaign.traces.glob("case-*.jsonl.gz"))


def test_a_number_leads_to_its_cases_and_to_where_it_comes_from(
    open_page: Open, campaign: Campaign, report: Path
) -> None:
    """A click on coverage of V3 lists its cases, the largest first, beside the lines of `explain`; one opens."""
    page = opened(open_page, report)
    page.one('#table-main tr.primary a[href="#/cell/main/V3/3"]').click()
    ready(page)
    assert page.one("h1").text == "Coverage of V3"
    values = [float(cell.text) for cell in page.all(".cell .numbers tbody td:nth-child(2)")]
    assert len(values) == 2
    assert values == sorted(values, reverse=True)
    assert "metrics/V3.metrics.jsonl:3" in page.one(".lines").text
    page.one(".cell .numbers tbody a").click()
    ready(page)
    assert page.one(".case h1").text in case_ids(campaign)
    page.driver.back()
    ready(page)
    assert page.one("h1").text == "Coverage of V3"


def test_the_slider_shows_the_measure_of_the_tables(open_page: Open, campaign: Campaign, report: Path) -> None:
    """In 1,000 random cells of case, variant and budget the browser's number is that of Python's measure."""
    config = load_config(MetricsConfig, configs_dir() / "metrics.yaml").value
    extractor = load_measuring_extractor(config, read_stop_entities(configs_dir() / config.stop_entities))
    observed = {}
    for case_id in case_ids(campaign):
        logs = [read_run(campaign.run_file(variant, case_id)) for variant in VARIANTS]
        seen = observe_case(read_trace(campaign.trace_file(case_id)), logs, extractor)
        observed |= {(case_id, variant): one for variant, one in zip(VARIANTS, seen, strict=True)}
    rng = random.Random(20)  # noqa: S311 - a seeded choice of cells
    cells = [(*rng.choice(list(observed)), rng.randint(0, 2500)) for _ in range(CELLS)]
    cells.sort()  # so that a pair is drawn once, and the budget then moved
    expected = [
        coverage_at_budget(observed[case, variant], budget, config.budget_policy) for case, variant, budget in cells
    ]
    page = opened(open_page, report)
    page.driver.set_script_timeout(300)
    shown = page.driver.execute_async_script(_READ_CELLS, cells)
    assert len(shown) == CELLS
    assert shown == pytest.approx(expected, abs=1e-12)
    assert len({round(value, 6) for value in shown}) >= 20


def test_the_budget_greys_out_what_would_not_be_read(open_page: Open, campaign: Campaign, report: Path) -> None:
    """At 40 CTU 160 characters of each variant's output stand ungreyed; with all of it nothing is grey."""
    page = opened(open_page, report, f"#/case/{case_ids(campaign)[0]}?a=V0&b=V3&budget=40")
    in_all, grey = (page.run(_CHARS, f".side-a .words {one}") for one in ("p > span", ".unread"))
    # Words that say a mark's kind to a screen reader are no text of the update.
    hidden, hidden_grey = (page.run(_CHARS, f".side-a .words {one}.hidden") for one in ("", ".unread "))
    assert (in_all - hidden) - (grey - hidden_grey) == 160
    page.one('button[data-budget="all"]').click()
    assert page.run(_CHARS, ".side-a .words .unread") == 0


def test_time_hides_what_had_not_been_said_or_stated(open_page: Open, campaign: Campaign, report: Path) -> None:
    """Keys on the slider move the moment: at 0 no update is there; at the end every one is."""
    page = opened(open_page, report, f"#/case/{case_ids(campaign)[0]}?a=V3&b=V1")
    slider = page.one("#time")
    page.press(slider, Keys.HOME)
    addressed(page, lambda address: address.endswith("t=0"))
    assert len(page.all(".update:not(.later)")) == 0
    assert page.one(".coverage[data-side=a]").text == "0.000"
    page.press(slider, Keys.END)
    assert len(page.all(".update.later")) == 0
    addressed(page, lambda address: "t=" not in address)


def test_keys_walk_through_cases_and_updates(open_page: Open, campaign: Campaign, report: Path) -> None:
    """The keys j and k choose updates and show what they cover; the arrows change the case and keep the pair."""
    first, second = case_ids(campaign)[:2]
    page = opened(open_page, report, f"#/case/{first}?a=V3&b=V1")
    body = page.one("body")
    for key in "jjk":
        body.send_keys(key)
    addressed(page, lambda address: "u=a1" in address)
    assert page.one(".update.chosen header .name").text == "1"
    assert page.all(".conversation .window")
    body.send_keys(Keys.ARROW_RIGHT)
    ready(page)
    assert page.one(".case h1").text == second
    addressed(page, lambda address: "b=V1" in address)
    body.send_keys(Keys.ARROW_LEFT)
    ready(page)
    assert page.one(".case h1").text == first


def test_search_marks_and_counts(open_page: Open, campaign: Campaign, report: Path) -> None:
    """What is typed is found in conversation and updates alike; Escape clears it."""
    page = opened(open_page, report, f"#/case/{case_ids(campaign)[0]}?a=V0&b=V3")
    page.one("body").send_keys("/")
    page.driver.switch_to.active_element.send_keys("patient")
    addressed(page, lambda address: "q=patient" in address)
    hits = page.all(".columns .hit")
    assert hits
    assert all(hit.text.lower() == "patient" for hit in hits if hit.is_displayed())
    page.one("#q").send_keys(Keys.ESCAPE)
    assert page.all(".columns .hit") == []


def test_compare_lists_where_two_variants_differ_most(open_page: Open, report: Path) -> None:
    """Cases stand by the size of their difference; what one variant alone states is counted, and leads to the case."""
    overview, *_ = records_in(report.read_text("utf-8"))
    alone = {
        (a, b): sum(
            mine == "1" and other == "0"
            for case in overview["cases"]
            for mine, other in zip(case["stated"][a], case["stated"][b], strict=True)
        )
        for a, b in permutations(VARIANTS, 2)
    }
    (a, b), n_alone = max(alone.items(), key=lambda item: item[1])
    assert n_alone > 0
    page = opened(open_page, report, f"#/compare?a={a}&b={b}&m=compression")
    values = [abs(float(one.text.replace("−", "-"))) for one in page.all("section:first-child tbody td:nth-child(2)")]
    assert len(values) == 2
    assert values == sorted(values, reverse=True)
    assert f"{a} alone states {n_alone}, {b} alone {alone[b, a]}." in page.one("#h-only + p").text
    page.one("td.cases a").click()
    ready(page)
    assert page.all("mark.focus")
    page.choose("#b", a)
    ready(page)
    assert page.run("return [...document.querySelectorAll('.coverage')].map((one) => one.dataset.variant)") == [b, a]


@pytest.mark.parametrize("fragment", ["", "#/cell/main/V3/3", "#/cases", "#/compare", "case"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_it_is_readable_and_has_no_barrier(
    open_page: Open, campaign: Campaign, report: Path, fragment: str, width: int, scheme: str
) -> None:
    """Nothing is wider than the window, and axe-core finds no violation in any view, light or dark, wide or narrow."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core is in the test group of the lock").__file__
    script = Path(axe).with_name("axe.min.js")
    where = f"#/case/{case_ids(campaign)[0]}?budget=250&t=60000&u=a2" if fragment == "case" else fragment
    page = opened(open_page, report, where, width=width, scheme=scheme)
    assert page.overflow() <= 0
    page.run(script.read_text("utf-8"))
    result = page.driver.execute_async_script("axe.run(document).then(arguments[0])")
    assert [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in result["violations"]] == []
    page.picture()


@pytest.mark.parametrize(
    ("name", "fragment"), [("overview", ""), ("case", "case"), ("compare", "#/compare?m=restated")]
)
def test_it_looks_as_agreed(open_page: Open, campaign: Campaign, report: Path, name: str, fragment: str) -> None:
    """Made small and grey, each view is its gold picture but for what other fonts may move; UPDATE_GOLD writes it."""
    from PIL import Image, ImageChops, ImageStat

    where = f"#/case/{case_ids(campaign)[0]}?a=V3&b=V1&budget=250&t=90000&u=a3" if fragment == "case" else fragment
    page = opened(open_page, report, where)
    with Image.open(io.BytesIO(page.picture())) as picture:
        small = picture.convert("L").resize((320, 350), Image.Resampling.BOX)
    path = Path(__file__).parents[1] / "gold" / "viewer" / f"{name}.png"
    if os.environ.get("UPDATE_GOLD"):
        small.save(path, optimize=True)
    with Image.open(path) as agreed:
        difference = ImageChops.difference(small, agreed.convert("L"))
    assert ImageStat.Stat(difference).mean[0] < 4
    # No region of the page has gone or come: 16 by 14 fields of 20 by 25 pixels.
    fields = difference.resize((16, 14), Image.Resampling.BOX)
    assert fields.getextrema()[1] < 48


def changed(report: Path, folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Path:
    """Write a page whose records are others."""
    text = report.read_text("utf-8")
    for number, record in enumerate(change(records_in(text))):
        text = re.sub(rf'(?<=id="block-{number}">)[^<]*', pack(record), text)
    (folder / "changed.html").write_text(text, "utf-8")
    return folder / "changed.html"


def test_hostile_text_stays_text(open_page: Open, campaign: Campaign, report: Path, tmp_path: Path) -> None:
    """Markup in a message, an update, an agent and a concept is shown as it was written; none of it runs."""

    def poison(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        overview, first, *_ = records
        first["messages"][0]["text"] += HOSTILE
        first["messages"][0]["agent"] = HOSTILE
        first["runs"]["V3"]["updates"][0]["text"] += HOSTILE
        overview["concepts"] = [[concept, HOSTILE] for concept, _ in overview["concepts"]]
        return records

    case_id, hostile = case_ids(campaign)[0], changed(report, tmp_path, poison)
    page = opened(open_page, hostile, f"#/case/{case_id}?a=V3&b=V1")
    assert page.driver.title == f"{case_id} · exaid-evals"
    shown = page.run("return document.querySelector('.case').textContent")
    assert shown.count(HOSTILE) >= 4
    assert page.all("img, #view script") == []


def test_long_names_of_variants_are_cut_and_cover_nothing(
    open_page: Open, campaign: Campaign, report: Path, tmp_path: Path
) -> None:
    """A variant's long name stays within the time axis, the gauges and the chart, whole in its title."""
    name = "no_token_gate_and_ten_summaries"
    named = changed(report, tmp_path, lambda records: json.loads(json.dumps(records).replace('"V3"', f'"{name}"')))
    page = opened(open_page, named, f"#/case/{case_ids(campaign)[0]}?a={name}&b=V1")
    lane = page.run("const l = document.querySelectorAll('.lane')[1]; return [l.getBBox().x, l.textContent]")
    assert lane[0] >= 0
    assert lane[1].endswith(name)  # the title
    assert page.one(".gauge b").size["height"] < 30
    assert page.one(".gauge b").get_attribute("title") == name
    visit(page, "#/")
    rights = "[...document.querySelectorAll(arguments[0])].map((e) => e.getBoundingClientRect().right)"
    right = f"return Math.max(...{rights})"
    assert page.run(right, ".chart .end") <= page.run(right, ".chart") + 1


def test_a_failed_replay_says_so_where_its_numbers_would_be(
    open_page: Open, campaign: Campaign, report: Path, tmp_path: Path
) -> None:
    """The case's view gives the reason, and the list of cases says `failed` rather than a dash."""

    def fail(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        overview, first, *_ = records
        first["runs"]["V1"] = {"status": "failed", "reason": "the model did not answer"}
        overview["cases"][0]["status"]["V1"] = "failed"
        for values in overview["values"]["V1"].values():
            values[0] = None
        return records

    case_id = case_ids(campaign)[0]
    page = opened(open_page, changed(report, tmp_path, fail), f"#/case/{case_id}?a=V3&b=V1")
    assert "the model did not answer" in page.one(".side-b .empty").text
    assert page.all(".gauge .faint")[1].text == "the replay failed"
    visit(page, "#/cases")
    (row,) = (one for one in page.all("tbody tr") if case_id in one.text)
    assert row.text.split().count("failed") == 1


@pytest.mark.parametrize("fragment", ["", "#/compare", "case"])
def test_print_cuts_nothing_off(open_page: Open, campaign: Campaign, report: Path, fragment: str) -> None:
    """On paper no table or column scrolls: each is as high and, on a landscape page, as wide as what it holds."""
    where = f"#/case/{case_ids(campaign)[0]}" if fragment == "case" else fragment
    page = opened(open_page, report, where, width=1030)
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    boxes = "[...document.querySelectorAll('.scroll, .body')]"
    hidden = "[e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth]"
    found = page.run(f"return {boxes}.map((e) => {hidden})")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert found
    assert max(max(one) for one in found) <= 4  # pixels: borders, and rounding


def test_a_running_campaign_is_followed(open_page: Open, campaign: Campaign) -> None:
    """The page of progress asks its own server, tells what is there, has no barrier, and leads to the report."""
    from axe_playwright_python import __file__ as axe

    report = Report(lambda: "same", (campaign.root / "report.html").read_text)
    with Server(0, "a campaign", Follower(campaign, VARIANTS, (1.0, 4.0)), report) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page = open_page(server.address)
            WebDriverWait(page.driver, 60).until(lambda _: page.all("#variants tr"))
            reported = page.run(
                "return [...document.querySelectorAll('#variants th, #stage')].map((one) => one.textContent)"
            )
            assert reported == ["Done.", *VARIANTS]
            page.run(Path(axe).with_name("axe.min.js").read_text("utf-8"))
            result = page.driver.execute_async_script("axe.run(document).then(arguments[0])")
            assert [one["id"] for one in result["violations"]] == []
            page.picture()
            page.run("document.querySelector('#facts a').click()")
            WebDriverWait(page.driver, 60).until(lambda _: page.all("#table-main"))
        finally:
            server.shutdown()
            thread.join()
