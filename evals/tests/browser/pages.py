"""A page in a browser: what it shows, and what it asked the machine or the network for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


class Page:
    """A file, or an address of this machine, that is open in a window.

    Attributes:
        driver: of the browser.
        messages: what the console said, so far.
        requested: addresses that were asked for, so far.
    """

    def __init__(self, driver: Chrome, place: Path | str, folder: Path, width: int, scheme: str) -> None:
        self.driver = driver
        self.address = place.resolve().as_uri() if isinstance(place, Path) else place
        self._folder = folder
        self._named = f"{place.stem if isinstance(place, Path) else 'served'}-{scheme}-{width}"
        self.messages: list[str] = []
        self.requested: list[str] = []
        driver.get("about:blank")
        self._drain()
        self.messages, self.requested = [], []
        height = 1400 if width > 600 else 900
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        driver.get(self.address)

    def one(self, selector: str) -> WebElement:
        """Return the first element that a selector names."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Return every element that a selector names."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def column(self, number: int) -> list[str]:
        """Return the cells of a column of the table of runs, from top to bottom."""
        script = "return [...document.querySelectorAll('#rows tr')].map((row) => row.cells[arguments[0]].textContent)"
        found: list[str] = self.driver.execute_script(script, number)
        return found

    def press(self, element: WebElement, *keys: str) -> None:
        """Press keys at an element, as a user who has no mouse does."""
        self.run("arguments[0].focus()", element)
        element.send_keys(*keys)

    def type(self, selector: str, text: str) -> None:
        """Replace what a field holds."""
        field = self.one(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.DELETE, text)

    def choose(self, selector: str, label: str) -> None:
        """Choose an option by its label."""
        from selenium.webdriver.support.select import Select

        Select(self.one(selector)).select_by_visible_text(label)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def picture(self) -> bytes:
        """Write what the window shows beside the test's files, and return it as PNG."""
        data: bytes = self.driver.get_screenshot_as_png()
        (self._folder / f"{self._named}.png").write_bytes(data)
        return data

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        width: int = self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def close(self) -> None:
        """Require that the page was quiet: no message on the console, no request but for itself, and no dialog."""
        self._drain()
        assert self.messages == []
        asked = {address for address in self.requested if not address.startswith("data:")}
        served = self.address.startswith("http:")
        assert all(address.startswith(self.address) if served else address == self.address for address in asked)

    def _drain(self) -> None:
        self.messages += [entry["message"] for entry in self.driver.get_log("browser")]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
