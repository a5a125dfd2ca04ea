"""The pictures of README and guides, made from the demo (``make pictures``): what they show has happened."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests import demo_process
from tests.browser import chromium, show
from tests.demo_page import Visit
from tests.demo_process import Demo
from tests.machine import REPOSITORY

MADE = REPOSITORY / "build" / "pictures"
KEPT = REPOSITORY / "docs" / "images"
LARGEST_BYTES = 400_000
"""Of all pictures together."""
LANGUAGES = {"en": "", "es": ".es", "pt": ".pt"}
SHARED = ("demo", "console", "notice")
EACH = ("chat", "limit", "offer")
NAMES = {f"{name}.webp" for name in SHARED} | {f"{name}{tag}.webp" for name in EACH for tag in LANGUAGES.values()}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all pictures."""
    with demo_process.demo(tmp_path_factory.mktemp("pictures")) as running:
        yield running


def picture(visit: Visit, name: str, css: str = "#customer .screen", scale: float = 1.15) -> None:
    """Keep what an element shows."""
    visit.driver.execute_script("document.activeElement.blur()")
    box: dict[str, Any] = visit.one(css).rect
    clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"], "scale": scale}
    asked = {"format": "webp", "quality": 70, "clip": clip}
    shot = visit.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
    MADE.mkdir(parents=True, exist_ok=True)
    (MADE / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))


def tall(driver: webdriver.Chrome) -> None:
    """A window in which the telephones have the shape of telephones."""
    size = {"width": 1280, "height": 990, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def pictures_shown(visit: Visit) -> bool:
    """Whether each picture and film of the customer's chat has something to show."""
    look = (
        "return [...document.querySelectorAll('#customer img, #customer video')]"
        ".every((each) => each.naturalWidth > 0 || each.readyState > 2)"
    )
    return bool(visit.driver.execute_script(look))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chat_a_limit_and_an_offer(demo: Demo, tmp_path: Path, language: str) -> None:
    tag = LANGUAGES[language]
    with chromium(tmp_path / "profile", flags=("--hide-scrollbars",)) as driver:
        tall(driver)
        driver.get(f"{demo.url}/?lang={language}")
        visit = Visit(driver).take_over()
        visit.shelf("album")
        visit.until(lambda: visit.count("img") == 4, "an album")
        visit.shelf("film1")
        visit.until(lambda: visit.count("video") == 1 and pictures_shown(visit), "a film")
        visit.settled()
        picture(visit, f"chat{tag}")
        for number in (2, 3):
            visit.shelf(f"film{number}")
            visit.until(lambda number=number: visit.count("video") == number, "a film")
        visit.shelf("film4")
        visit.press_data("⭐", first=True)
        visit.pay_stars()
        visit.until(lambda: visit.count("video") == 4 and pictures_shown(visit), "the film that was paid")
        visit.settled()
        visit.driver.execute_script("document.querySelector('#customer .toast').hidden = true")
        visit.look_at_offer()
        picture(visit, f"limit{tag}")
        visit.say("/premium")
        visit.press_data("$", first=True)
        visit.driver.switch_to.frame(visit.until(lambda: visit.one("#customer .sheet iframe"), "the shop's page"))
        visit.until(lambda: "Premium" in visit.one("h1").text, "the offer")
        visit.driver.switch_to.default_content()
        picture(visit, f"offer{tag}")


def test_the_console_a_notice_and_the_demo(demo: Demo, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", flags=("--hide-scrollbars",)) as driver:
        tall(driver)
        driver.get(demo.url)
        visit = Visit(driver)
        visit.follow_tour(9)
        assert "card" in visit.one("#measured").text
        visit.settled()
        picture(visit, "notice", "#operator .screen")
        visit.until(lambda: "Mini App" in visit.one("#measured").text, "the last step")
        driver.switch_to.frame(visit.one("#operator .sheet iframe"))
        visit.until(lambda: visit.one("h1").text == "Today", "the console")
        driver.switch_to.default_content()
        visit.until(lambda: pictures_shown(visit), "all pictures")
        picture(visit, "console", "#operator .screen")
        show(driver, 1280, "light")
        visit.settled()
        picture(visit, "demo", "body", 1.0)


def test_the_pictures_are_there_small_and_shown() -> None:
    kept = {file.name: file.stat().st_size for file in KEPT.iterdir()}
    assert kept.keys() == NAMES, "make pictures"
    assert sum(kept.values()) <= LARGEST_BYTES
    for language, tag in LANGUAGES.items():
        shown = set(re.findall(r"docs/images/([\w.]+)", (REPOSITORY / f"README{tag}.md").read_text("utf-8")))
        assert shown == {f"{name}.webp" for name in SHARED} | {f"{name}{tag}.webp" for name in EACH}, language
