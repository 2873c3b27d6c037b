"""The dashboard as its user meets it: in a browser, from a file, by mouse and by keys."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pages import Page
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from analysis.compare.runs import curve, run, write_search
from exaid_evals.analysis.compare.collect import Collected
from exaid_evals.analysis.compare.recommend import ExperimentComparator
from exaid_evals.analysis.compare.write import write_comparison
from exaid_evals.cli.main import run as cli

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
HOSTILE = (
    '</script><script>document.title="taken"</script>"\'><img src=x onerror="document.title=\'taken\'">\n\u202eé&amp;'
)
NAME, GROUP, SEED, ACCURACY = 1, 2, 3, 4


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dashboard of a search of twelve runs."""
    folder = tmp_path_factory.mktemp("search")
    write_search(folder / "runs")
    assert cli(["compare", "--runs", f"{folder}/runs/*", "--output-dir", str(folder / "out")]) == 0
    return folder / "out" / "dashboard.html"


def numbers(cells: list[str]) -> list[float]:
    """Return cells as numbers."""
    return [float(cell) for cell in cells]


def test_the_best_runs_stand_first_and_a_click_turns_the_order(open_page: Open, dashboard: Path) -> None:
    """At first the metric that counts orders the table; its heading turns the order, and says so to a screen reader."""
    page = open_page(dashboard)
    first = numbers(page.column(ACCURACY))
    assert len(first) == 12
    assert first == sorted(first, reverse=True)
    head = page.one("#heads th[data-key=m0]")
    assert head.get_attribute("aria-sort") == "descending"
    head.find_element("tag name", "button").click()
    assert numbers(page.column(ACCURACY)) == sorted(first)
    assert head.get_attribute("aria-sort") == "ascending"


def test_columns_are_sorted_by_keys_too(open_page: Open, dashboard: Path) -> None:
    """Enter on a heading sorts: names as text, in which numbers are numbers, and seeds as numbers."""
    page = open_page(dashboard)
    page.press(page.one("#heads th[data-key=name] button"), Keys.ENTER)
    names = [f"lr{rate}-{augment}-s{seed}" for rate in (0.01, 0.1) for augment in ("flip", "none") for seed in range(3)]
    assert page.column(NAME) == names
    page.press(page.one("#heads th[data-key=seed] button"), Keys.SPACE)
    assert numbers(page.column(SEED)) == sorted([0.0, 1.0, 2.0] * 4)


def test_text_filters_by_name_and_by_setting(open_page: Open, dashboard: Path) -> None:
    """Every word must fit; `setting=value` fits settings; what fits nothing leaves an empty table that says so."""
    page = open_page(dashboard)
    page.type("#text", "lr=0.01 flip")
    assert page.one("#count").text == "3 of 12 runs"
    assert all(name.startswith("lr0.01-flip") for name in page.column(NAME))
    page.type("#text", "no such run")
    assert page.one("#count").text == "0 of 12 runs"
    page.one("#reset").click()
    assert page.one("#count").text == "12 of 12 runs"


def test_settings_and_ranges_filter(open_page: Open, dashboard: Path) -> None:
    """A setting's value and a metric's range each keep what fits them, together what fits both."""
    page = open_page(dashboard)
    page.choose("#setting", "augment")
    page.choose("#value", "flip")
    assert page.one("#count").text == "6 of 12 runs"
    page.choose("#metric", "val_accuracy")
    page.type("#low", "0.85")
    assert page.one("#count").text == "3 of 12 runs"
    assert min(numbers(page.column(ACCURACY))) >= 0.85
    page.type("#low", "")
    page.type("#high", "0.85")
    assert max(numbers(page.column(ACCURACY))) <= 0.85


def test_histories_are_chosen_by_mouse_and_by_keys(open_page: Open, dashboard: Path) -> None:
    """A box draws its run's history, the legend takes it out again; the chart of another metric has other axes."""
    page = open_page(dashboard)
    page.one("#clear").click()
    assert page.all("#chart path") == []
    boxes = page.all("#rows input")
    boxes[0].click()
    page.press(boxes[1], Keys.SPACE)
    assert len(page.all("#chart path.line")) == 2
    before = page.run("return document.querySelector('#chart path').getAttribute('d')")
    page.choose("#drawn", "train_loss")
    assert page.run("return document.querySelector('#chart path').getAttribute('d')") != before
    page.one("#legend button").click()
    assert len(page.all("#chart path.line")) == 1
    assert sum(box.is_selected() for box in page.all("#rows input")) == 1
    page.one("#all").click()
    assert len(page.all("#chart path.line")) == 12


def test_values_are_read_off_by_mouse_and_by_keys(open_page: Open, dashboard: Path) -> None:
    """The pointer and the arrow keys say step and value of each drawn run."""
    page = open_page(dashboard)
    chart = page.one("#chart")
    page.run("arguments[0].scrollIntoView({block: 'center'})", chart)
    ActionChains(page.driver).move_to_element(chart).perform()
    assert "step " in page.one("#readout").text
    assert "lr0.01-none-s0 0." in page.one("#readout").text
    page.press(chart, Keys.HOME)
    assert page.one("#readout").text.startswith("step 0 ")
    page.press(chart, Keys.ARROW_RIGHT)
    assert page.one("#readout").text.startswith("step 1 ")
    page.press(chart, Keys.END)
    assert page.one("#readout").text.startswith("step 79 ")


def test_the_intervals_say_what_the_record_says(open_page: Open, dashboard: Path) -> None:
    """The groups of the chosen metric stand in order, and the sentence below is the verdict."""
    page = open_page(dashboard)
    page.choose("#ranked", "train_loss")
    verdict = page.one("#verdict").text
    assert verdict.startswith("train_loss: ")
    assert len(page.all("#forest circle.dot")) == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_readable_at_every_width_in_both_schemes(
    open_page: Open, dashboard: Path, width: int, scheme: str
) -> None:
    """Nothing is wider than the window, letters stand out from the paper by 7 to 1, and the picture is kept."""
    from PIL import Image

    page = open_page(dashboard, width, scheme)
    assert page.overflow() <= 0
    ink, paper = page.run("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
    assert contrast(ink, paper) >= 7
    with Image.open(io.BytesIO(page.picture())) as picture:
        corner = picture.convert("L").getpixel((2, 2))
    assert isinstance(corner, int)
    assert corner > 200 if scheme == "light" else corner < 60


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, `rgb(r, g, b)`, as WCAG 2.1 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_hostile_names_are_text(open_page: Open, tmp_path: Path) -> None:
    """Names, settings and metrics with markup, quotes and line ends run nothing, break nothing, and are shown."""
    rng = np.random.default_rng(1)
    metric = f"val_accuracy{HOSTILE}"
    runs = tuple(
        run(f"{HOSTILE}{seed}", {metric: curve(rng)}, {HOSTILE: f"{HOSTILE}{seed % 2}", "seed": seed})
        for seed in range(4)
    )
    comparison = ExperimentComparator("").of(Collected(runs, ()))
    page = open_page(write_comparison(comparison, tmp_path / "out"))
    assert page.run("return document.title") == "Comparison of 4 runs"
    assert page.all("main img") == []
    assert len(page.all("script")) == 2
    assert all(name.startswith("</script><script>") for name in page.column(NAME))
    page.one("#rows input").click()
    page.press(page.one("#chart"), Keys.HOME)
    assert "</script>" in page.one("#readout").text
    assert page.run("return document.title") == "Comparison of 4 runs"


def test_the_policy_is_in_force(open_page: Open, dashboard: Path) -> None:
    """A script that something had smuggled in would not run, and no request could leave: the browser refuses both."""
    page = open_page(dashboard)
    page.run("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))")
    page.run("fetch('http://127.0.0.1:9/').catch(() => { document.body.dataset.refused = 'yes' })")
    assert page.run("return document.title") == "Comparison of 12 runs"
    verdict = [entry["message"] for entry in page.driver.get_log("browser")]
    assert len([line for line in verdict if "Content Security Policy" in line]) >= 2


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dashboard of runs of which one diverged, one was cut, and one is logged at other steps."""
    rng = np.random.default_rng(7)
    gone = curve(rng, 100)
    gone[60:] = np.nan
    long = {"lr": "a value that is very long " * 6}
    runs = (
        run("whole", {"val_accuracy": curve(rng, 100), "lr": [0.1] * 100}, {"lr": 1}),
        run("gone", {"val_accuracy": gone, "lr": [0.1] * 100}, {"lr": 2}),
        run("cut", {"val_accuracy": curve(rng, 30), "lr": [0.1] * 30}, long),
        run("long", {"val_accuracy": curve(rng, 3000)[::30], "lr": [0.1] * 100}, {"lr": 3}),
        run("dense", {"val_accuracy": curve(rng, 3000)}, {"lr": 4}),
    )
    comparison = ExperimentComparator("").of(Collected(runs[:4], ()))
    dense = ExperimentComparator("").of(Collected((runs[0], runs[4]), ()))
    folder = tmp_path_factory.mktemp("odd")
    write_comparison(dense, folder / "dense")
    return write_comparison(comparison, folder / "out")


def test_a_line_that_ends_early_says_why(open_page: Open, odd: Path) -> None:
    """NaN or a shorter run: the legend and the readout tell which, and a cross stands at the end."""
    page = open_page(odd)
    page.one("#all").click()
    legend = " ".join(one.text for one in page.all("#legend li"))
    assert "gone (is NaN or infinite after step 59)" in legend
    assert "cut (ends at step 29)" in legend
    assert len(page.all("#chart path.end")) == 2
    page.press(page.one("#chart"), Keys.END)
    assert "cut ends at step 29" in page.one("#readout").text


def test_a_metric_and_a_setting_of_one_name_are_distinguished(open_page: Open, odd: Path) -> None:
    """Both columns are called `lr`, and each says what it is."""
    page = open_page(odd)
    heads = [one.text.strip(" ↑↓") for one in page.all("#heads th button")]
    assert "lr (metric)" in heads
    assert "lr (setting)" in heads


def test_the_last_part_of_the_steps_can_be_looked_at(open_page: Open, odd: Path) -> None:
    """Curves that start at 0 are flat at their end until only that end is drawn."""
    page = open_page(odd)
    page.one("#all").click()
    page.choose("#part", "the last fifth")
    chart = page.one("#chart")
    page.press(chart, Keys.HOME)
    assert float(page.one("#readout").text.split()[1]) >= 79


def test_every_line_is_read_off_at_its_nearest_point(open_page: Open, odd: Path) -> None:
    """A history that was thinned has no point at most steps, and is read off all the same."""
    page = open_page(odd.parent.parent / "dense" / "dashboard.html")
    page.one("#all").click()
    chart = page.one("#chart")
    page.press(chart, Keys.HOME, *[Keys.ARROW_RIGHT] * 30)
    verdict = page.one("#readout").text
    assert "whole 0." in verdict
    assert "dense 0." in verdict


def test_nothing_is_wider_than_a_phone(open_page: Open, odd: Path) -> None:
    """Long values of settings widen no field, and a table with more columns says so."""
    page = open_page(odd, 390)
    page.choose("#setting", "lr")
    assert page.overflow() <= 0
    width = page.run(
        "return Math.max(...[...document.querySelectorAll('select')].map((e) => e.getBoundingClientRect().right))"
    )
    assert width <= 390
    assert page.one("#wide").is_displayed()
    page.picture()
