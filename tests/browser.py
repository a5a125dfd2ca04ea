"""Headless Chromium, as the tests of the pages use it.

Screenshots go to ``build/screenshots``, to be looked at.
"""

import contextlib
import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests import machine

SCREENSHOTS = machine.REPOSITORY / "build" / "screenshots"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
SIZES = {390: 844, 1280: 800}
AXE = machine.REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
SMALLEST_TARGET = 44
PATIENCE_S = 10


@contextlib.contextmanager
def chromium(profile: Path, *, scripts: bool = True, flags: Sequence[str] = ()) -> Iterator[webdriver.Chrome]:
    """One Chromium with a profile of its own; without *scripts*, it runs none."""
    machine.need_command("chromium", "chromedriver", packages="chromium chromium-driver")
    options = Options()
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the console has said since the last time; that the local PayPal has no icon is none of our business."""
    said = [str(entry["message"]) for entry in driver.get_log("browser")]
    return [message for message in said if "/favicon.ico" not in message]


def show(driver: webdriver.Chrome, width: int, scheme: str) -> None:
    """A telephone or a desk, by day or by night."""
    size = {"width": width, "height": SIZES[width], "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)


def photograph(driver: webdriver.Chrome, name: str) -> None:
    """The page at both sizes, light and dark; it must fit, and what can be pressed must be large enough."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for width, scheme in itertools.product(SIZES, ("light", "dark")):
        show(driver, width, scheme)
        driver.save_screenshot(str(SCREENSHOTS / f"{name}-{width}-{scheme}.png"))
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        for target in driver.find_elements(By.CSS_SELECTOR, ".button"):
            assert target.size["height"] >= SMALLEST_TARGET
        assert cut_off(driver) == [], name
    show(driver, 390, "light")


def faults(driver: webdriver.Chrome) -> list[str]:
    """What axe-core says about the page. The page's own policy lets no script in: the browser's protocol does."""
    driver.execute_script(AXE.read_text("utf-8") + "; window.axe = axe;")
    found: dict[str, Any] = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done);"
    )
    return [
        f"{each['id']}: {each['help']} {[node['html'][:120] for node in each['nodes']]}" for each in found["violations"]
    ]


def inspect(driver: webdriver.Chrome, name: str) -> None:
    """Photograph the page, and have it examined at both sizes, by day and by night."""
    photograph(driver, name)
    for width, scheme in itertools.product(SIZES, ("light", "dark")):
        show(driver, width, scheme)
        assert faults(driver) == [], (name, width, scheme)
    show(driver, 390, "light")


def cut_off(driver: webdriver.Chrome) -> list[str]:
    """What can be pressed and does not show its words whole."""
    found: list[str] = driver.execute_script(
        "return [...document.querySelectorAll('.button, nav a, button')]"
        ".filter(each => each.clientWidth && each.scrollWidth > each.clientWidth).map(each => each.textContent.trim())"
    )
    return found


def heading(driver: webdriver.Chrome) -> str:
    return str(driver.find_element(By.TAG_NAME, "h1").text)


def press(driver: webdriver.Chrome, button: str) -> None:
    """Press a button by its id, and wait until another page has come."""
    before = driver.find_element(By.TAG_NAME, "html").id
    driver.find_element(By.ID, button).click()
    WebDriverWait(driver, PATIENCE_S).until(lambda it: it.find_element(By.TAG_NAME, "html").id != before)
