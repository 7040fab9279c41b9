from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = (
    "tests.dataset_site",
    "tests.exchanged",
    "tests.learning_model",
    "tests.people",
    "tests.pixel_collection",
    "tests.visits",
    "tests.web_pages",
    "tests.worded",
)
"""Modules whose fixtures every test may ask for."""

os.environ["IMAGEKIN_DEVICE"] = "cpu"
"""What networks run on unless a test asks for another device: a trial of which is faster may end either way."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background job ignores Ctrl-C, and so would the programs that the tests start and interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pictures beside a developer's checkout; a user's clone has none."""
    if not SHARED.is_dir():
        pytest.skip("the real pictures (../shared/data) are not beside this clone")
    return SHARED


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests (``-n 2 --dist loadgroup``), one takes whole modules.

    What modules share once a session, the engines' trials in processes of their own, stays with one of them too.
    """
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            module = getattr(item, "module", None)
            group = "engines" if hasattr(module, "CHILDREN") else str(item.path)
            item.add_marker(pytest.mark.xdist_group(group))
