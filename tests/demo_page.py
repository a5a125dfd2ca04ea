"""The page of the demo in a browser, and the hands of who is in front of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import SCREENSHOTS

PATIENCE_S = 40


@dataclass
class Visit:
    """Somebody in front of the page."""

    driver: webdriver.Chrome

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Look until there is something to see, and return it."""
        waiting = WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.1, ignored_exceptions=[Exception])
        try:
            return waiting.until(lambda _: look())
        except TimeoutException:
            raise AssertionError(f"waited in vain for {what}: {self.texts()[-4:]}") from None

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def take_over(self) -> "Visit":
        """Stop the tour, and wait until it has."""
        self.until(lambda: "Stop" in self.one("#play").text, "the tour")
        self.driver.execute_script("document.getElementById('play').click()")
        self.until(lambda: "Play" in self.one("#play").text, "the end of the tour")
        return self

    def follow_tour(self, to: int) -> None:
        """Wait for each step of the tour in its turn, until what happened in the step *to* is told."""
        for number in range(1, to + 1):
            told = self.until(lambda number=number: self._told(number), f"step {number}")
            assert "stopped" not in told, (number, self.texts()[-4:])
        self.until(lambda: self.one("#measured").text != "…", f"the end of step {to}")

    def _told(self, number: int) -> str | None:
        """What the page tells of the tour, where that is this step, a later one, or its end."""
        told = self.one("#step").text
        at = told.partition(" of ")[0]
        return told if told and (not at.isdigit() or int(at) >= number) else None

    def shows(self, phone: str) -> None:
        """Look at one telephone; where both are on the screen, nothing changes."""
        self.driver.execute_script(f"show('{phone}')")

    def say(self, text: str, phone: str = "customer") -> None:
        """Type and send."""
        self.shows(phone)
        self.one(f"#{phone} .write input").send_keys(text)
        self.one(f"#{phone} .send").click()

    def shelf(self, name: str) -> str:
        """Press an example on the shelf; the text that it sends."""
        button = self.one(f'.shelf [data-name="{name}"]')
        self.driver.execute_script("arguments[0].click()", button)
        return str(button.get_attribute("title")).rpartition(": ")[2]

    def address(self, name: str) -> str:
        """What an example of the shelf sends."""
        return str(self.one(f'.shelf [data-name="{name}"]').get_attribute("title")).partition(": ")[2]

    def texts(self, phone: str = "customer") -> list[str]:
        """What the chat says, message by message."""
        said = f"return [...document.querySelectorAll('#{phone} .chat .msg')].map((each) => each.textContent)"
        found: list[str] = self.driver.execute_script(said)
        return found

    def count(self, css: str, phone: str = "customer") -> int:
        return len(self.all(f"#{phone} .chat {css}"))

    def hears(self, part: str, phone: str = "customer", after: int = 0) -> None:
        """Wait until a message behind the first *after* holds *part*."""
        self.until(lambda: any(part in text for text in self.texts(phone)[after:]), part)

    def press(self, label: str, phone: str = "customer") -> None:
        """Press the newest key whose label holds *label*."""
        self.shows(phone)

        def key() -> WebElement | None:
            return next((each for each in reversed(self.all(f"#{phone} .keys button")) if label in each.text), None)

        found = self.until(key, f"the key {label}")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def press_data(self, label: str, *, first: bool) -> None:
        """Press the first or last key of the newest keyboard, whose label holds *label* in whatever language."""

        def key() -> WebElement | None:
            keyboards = self.all("#customer .msg:has(.keys)")
            keys = keyboards[-1].find_elements(By.CSS_SELECTOR, ".keys button") if keyboards else []
            found = [each for each in keys if label in each.text]
            return found[0 if first else -1] if found else None

        self.until(key, f"a key with {label}").click()

    def settled(self) -> None:
        """Wait until nothing moves any more: what came in is at the end of the chat."""
        still = "return document.getAnimations().every((each) => each.playState === 'finished')"
        self.until(lambda: self.driver.execute_script(still), "rest")
        down = "for (const chat of document.querySelectorAll('.chat')) chat.scrollTop = chat.scrollHeight"
        self.driver.execute_script(down)

    def look_at_offer(self) -> None:
        """Scroll the customer's chat to where the offer at the limit stands on top."""
        offer = (
            "[...document.querySelectorAll('#customer .msg')].findLast((it) => it.querySelectorAll('.keys').length > 2)"
        )
        self.driver.execute_script(f"{offer}.scrollIntoView({{block: 'start'}})")

    def pay_stars(self) -> None:
        """Press the invoice's key, and confirm in the sheet."""
        self.press("Pay ⭐")
        self.until(lambda: self.one("#customer .sheet .pay").is_displayed(), "the sheet")
        self.one("#customer .sheet .pay").click()
        self.until(lambda: not self.all("#customer .sheet .pay"), "the sheet to close")

    def switch(self, name: str) -> None:
        self.driver.execute_script(f"document.getElementById('switch-{name}').click()")

    def photograph(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"demo-{name}.png"))
