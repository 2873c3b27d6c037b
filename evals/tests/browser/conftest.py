"""A real browser without a network: Chromium with the driver that its package brings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pages import Page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVERS = ("chromedriver", "chromium-driver")


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """Start the machine's browser; skip, with the reason, where there is none, and fail where one is required."""
    browser, chromedriver = _first(_BROWSERS), _first(_DRIVERS)
    if browser is None or chromedriver is None:
        missing = "no Chromium with its driver; on Debian: apt-get install chromium chromium-driver"
        if os.environ.get("EXAID_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Both paths are given, so that selenium looks for nothing on the network.
    chrome = Chrome(options=options, service=Service(executable_path=chromedriver))
    yield chrome
    chrome.quit()


@pytest.fixture
def open_page(driver: Chrome, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Return what opens a file in a window of a width and a colour scheme, and check at the end that it was quiet."""
    opened: list[Page] = []

    def open_(path: Path | str, width: int = 1280, scheme: str = "light") -> Page:
        page = Page(driver, path, tmp_path, width, scheme)
        opened.append(page)
        return page

    yield open_
    for page in opened:
        page.close()


def _first(names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)
