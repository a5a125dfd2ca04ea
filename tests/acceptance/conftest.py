"""A browser, and the mark that keeps everything in this folder out of ``make test``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser import chromium, complaints, show

FOLDER = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before the marks are selected by
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what this folder holds."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.acceptance)


@pytest.fixture(scope="session")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One Chromium for all tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def browser(open_browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser without cookies; at the end nothing may have been complained about in its console.

    What breaks the Content-Security-Policy is complained about there.
    """
    open_browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    show(open_browser, 390, "light")
    complaints(open_browser)
    yield open_browser
    assert complaints(open_browser) == []
