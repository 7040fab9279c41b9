"""Tabs on the views of a site, as many as a test opens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.browser import started
from tests.served import Site
from tests.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

Opener: TypeAlias = "Callable[..., Page]"
"""``opened(site, "#/map", width=1280, height=800, touch=False)``."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chromium]:
    with started() as browser:
        yield browser


@pytest.fixture
def opened(chrome: Chromium) -> Iterator[Opener]:
    """Opens tabs; the only faults at the end may be that something was not there (404) or refused (422)."""
    with ExitStack() as tabs:

        def opener(site: Site, hash: str, *, width: int = 1280, height: int = 800, touch: bool = False) -> Page:
            how: dict[str, Any] = {"viewport": {"width": width, "height": height}, "has_touch": touch}
            visit = tabs.enter_context(visiting(chrome, site, **how))
            tabs.callback(forgive, visit)
            visit.go(hash)
            return visit.page

        yield opener


def forgive(visit: Visit) -> None:
    visit.tab.faults[:] = [fault for fault in visit.tab.faults if not re.search("status of (404|422)", fault)]


def until(page: Page, script: str) -> None:
    """Wait until an expression is true on a page."""
    page.wait_for_function(f"() => ({script})")
