"""What the viewer's page weighs, and how soon it is there: size, first paint, overview, and a case in Chromium.

Run: ``python evals/bench/bench_viewer.py [CAMPAIGN…]`` measures the pages of campaigns; without one it makes campaigns
of 40 and of 302 synthetic cases under V0 to V4. Limits are those of 40 × 5 and 302 × 5 cases and variants: what has
more than 40 cases may have the larger size. Exit status 1 where one is broken. A case's limit applies to the processor
time of the page's thread, which a busy machine does not change, in every case; the time until it is seen stands beside
it.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from exaid_evals.cli.main import run as cli

SMALL_CASES, LARGE_CASES, SMALL_MB, LARGE_MB = 40, 302, 3.0, 25.0
PAINT_MS, CASE_MS = 1000.0, 200.0
N_CASES = 25
_OPEN = """
const [id, done] = arguments, from = performance.now();
location.hash = `#/case/${id}`;
const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - from)));
const look = () => {
  if (document.querySelector('.case h1')?.textContent === id) painted();
  else setTimeout(look, 1);
};
look();
"""


def main() -> int:
    """Measure every page and print a table."""
    given = [Path(one) for one in sys.argv[1:] if not one.startswith("-")]
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        print("no Chromium with its driver; on Debian: apt-get install chromium chromium-driver")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        if not given:
            given = [Path(folder) / str(n_cases) for n_cases in (SMALL_CASES, LARGE_CASES)]
            for campaign in given:
                made = ["reproduce", "--stub", "--source", "synthetic", "--n-cases", campaign.name]
                if cli([*made, "--data-dir", str(campaign)]) != 0:
                    return 1
        of_cases = f"{'case CPU ms, median':>21}{'slowest':>9}{'case seen ms, median':>22}{'slowest':>9}"
        print(f"{'cases':>6}{'MB':>8}{'first paint ms':>16}{'overview ms':>13}{of_cases}")
        return max(_measured(one / "report.html") for one in given)


def _measured(page: Path) -> int:
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    with Chrome(options=options, service=Service(executable_path=shutil.which("chromedriver"))) as driver:
        paints, drawn = [], []
        for _ in range(3):
            driver.get("about:blank")
            driver.get(page.resolve().as_uri())
            WebDriverWait(driver, 120).until(lambda d: d.execute_script("return document.body.dataset.ready === 'yes'"))
            time.sleep(0.3)
            entries = "return performance.getEntriesByType('paint').map((one) => [one.name, one.startTime])"
            paints.append(dict(driver.execute_script(entries))["first-contentful-paint"])
            drawn.append(driver.execute_script("return performance.getEntriesByName('drawn')[0].startTime"))
        driver.execute_script("location.hash = '#/cases'")
        WebDriverWait(driver, 60).until(
            lambda d: d.execute_script("return document.querySelectorAll('tbody th a').length")
        )
        ids = driver.execute_script("return [...document.querySelectorAll('tbody th a')].map((one) => one.textContent)")
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        took, computed = [], []
        for one in ids[:: max(1, len(ids) // N_CASES)]:
            before = _computed_ms(driver)
            took.append(driver.execute_async_script(_OPEN, one))
            computed.append(_computed_ms(driver) - before)
    size, paint, overview = page.stat().st_size / 1e6, statistics.median(paints), statistics.median(drawn)
    of_cases = (
        f"{statistics.median(computed):>21.0f}{max(computed):>9.0f}{statistics.median(took):>22.0f}{max(took):>9.0f}"
    )
    print(f"{len(ids):>6}{size:>8.2f}{paint:>16.0f}{overview:>13.0f}{of_cases}")
    most = SMALL_MB if len(ids) <= SMALL_CASES else LARGE_MB
    return int(size > most or max(paint, overview) > PAINT_MS or max(computed) > CASE_MS)


def _computed_ms(driver: Chrome) -> float:
    """Return the processor time that the page's main thread has taken so far."""
    metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


if __name__ == "__main__":
    sys.exit(main())
