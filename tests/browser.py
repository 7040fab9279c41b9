"""A headless Chromium that tests look at pages with, steered by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--force-color-profile=srgb",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


class Browser:
    """One tab.  ``faults`` are errors of the pages in it, ``asked`` the addresses that they asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.asked: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._note)
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path, *, dark: bool = False, width: int = 1280, height: int = 800, hash: str = "") -> None:
        """Load a file and wait until it is there."""
        self.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.goto("about:blank")
        self.faults.clear()
        self.asked.clear()
        self.page.goto(path.as_uri() + hash, wait_until="load")

    def run(self, script: str) -> Any:
        """The value of an expression, or of what it promises."""
        return self.page.evaluate(script)

    def until(self, script: str, seconds: float = 20) -> Any:
        """Wait until an expression is true."""
        return self.page.wait_for_function(f"() => ({script})", timeout=1000 * seconds).json_value()

    def move(self, x: float, y: float) -> None:
        """Put the pointer somewhere."""
        self.page.mouse.move(x, y)

    def click(self, x: float, y: float) -> None:
        """Press and let go."""
        self.page.mouse.click(x, y)

    def wheel(self, x: float, y: float, by: float) -> None:
        """Turn the wheel; towards the hand is positive."""
        self.page.mouse.move(x, y)
        self.page.mouse.wheel(0, by)

    def press(self, key: str) -> None:
        """Press a key by its name."""
        self.page.keyboard.press(key)

    def shot(self, path: Path) -> Path:
        """Write what is seen as PNG."""
        self.page.screenshot(path=path)
        return path

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)


@contextmanager
def started() -> Iterator[Chromium]:
    """A browser for as long as the block lasts; the test is skipped where none is installed.

    While it runs no event loop can be started in this thread: let it end with the module that uses it.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with one tab."""
    with started() as browser:
        yield Browser(browser.new_page())
