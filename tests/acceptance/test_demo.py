"""The page of ``make demo``, in a browser: what plays by itself, and what somebody does who touches it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests import demo_process
from tests.browser import SIZES, chromium, complaints, faults, show
from tests.demo_page import Visit
from tests.demo_process import Demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all of them."""
    with demo_process.demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def visit(demo: Demo, tmp_path: Path) -> Iterator[Visit]:
    """Somebody new on the page, at a desk, with the tour playing; nothing may be complained about in the console."""
    with chromium(tmp_path / "profile") as driver:
        show(driver, 1280, "light")
        driver.get(demo.url)
        yield Visit(driver)
        assert complaints(driver) == []


def examine(visit: Visit) -> None:
    """Nothing may be wrong for who cannot see or point well, nor complained about before."""
    assert complaints(visit.driver) == []
    assert faults(visit.driver) == []
    complaints(visit.driver)  # of axe-core, which writes to frames of another origin


def fits(visit: Visit, width: int) -> bool:
    return bool(visit.driver.execute_script("return document.documentElement.scrollWidth") <= width)


def test_the_tour_plays_to_its_end(visit: Visit) -> None:
    visit.follow_tour(10)
    visit.until(lambda: "Now it is yours" in visit.one("#step").text or "stopped" in visit.one("#step").text, "the end")
    assert visit.one("#step").text == "Now it is yours"
    frame = visit.one("#operator .sheet iframe")
    visit.driver.switch_to.frame(frame)
    assert visit.until(lambda: visit.one("h1").text == "Today", "the console")
    visit.driver.switch_to.default_content()
    for width in SIZES:
        show(visit.driver, width, "light")
        visit.photograph(f"toured-{width}")
        assert fits(visit, width)
        examine(visit)


def test_the_tour_plays_for_a_customer_who_speaks_spanish(demo: Demo, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as driver:
        show(driver, 390, "light")
        driver.get(f"{demo.url}/?lang=es")
        visit = Visit(driver)
        visit.follow_tour(10)
        assert any("Recibo:" in text for text in visit.texts())
        visit.until(lambda: visit.one("#step").text == "Now it is yours", "the end")
        visit.photograph("toured-es-390")


def test_a_limit_is_paid_and_the_film_follows(visit: Visit) -> None:
    visit.take_over()
    show(visit.driver, 390, "light")
    for number in (1, 2, 3):
        visit.shelf(f"film{number}")
        visit.until(lambda number=number: visit.count("video") == number, f"film {number}")
    visit.say(visit.address("film4"))
    visit.press("This video")
    visit.pay_stars()
    visit.until(lambda: visit.count("video") == 4, "the film that was paid")
    playing = "const film = document.querySelectorAll('#customer video')[3]; return film.videoWidth > 0 && !film.error"
    visit.until(lambda: visit.driver.execute_script(playing), "the film to be played")
    assert fits(visit, 390)
    examine(visit)
    visit.photograph("paid-390")


def test_a_plan_is_bought_with_paypal(visit: Visit) -> None:
    visit.take_over().say("/premium")
    visit.press("$5")
    visit.driver.switch_to.frame(visit.until(lambda: visit.one("#customer .sheet iframe"), "the shop's page"))
    visit.until(lambda: visit.one("form button, .button").is_displayed(), "the offer")
    visit.photograph("offer-1280")
    visit.one("form button, .button").click()
    visit.until(lambda: visit.one("#approve").is_displayed(), "PayPal's page")
    visit.photograph("paypal-1280")
    visit.one("#approve").click()
    visit.until(lambda: "paypal" not in visit.one("h1").text.lower(), "the way back")
    visit.one("a.button, .button").click()
    visit.driver.switch_to.default_content()
    visit.until(lambda: not visit.all("#customer .sheet iframe"), "the way back into the chat")
    visit.hears("Receipt:")
    visit.hears("PayPal", "operator")


def buy_premium(visit: Visit) -> None:
    """With Stars; then the account joins the club."""
    visit.say("/premium")
    visit.press("500")
    visit.pay_stars()
    visit.hears("Receipt:")
    visit.shelf("invited")
    visit.until(lambda: visit.count("img") == 1, "the post of the club")


@pytest.fixture
def slow(visit: Visit) -> Iterator[Visit]:
    """Somebody who has bought Premium, on a slow network; it is quick again at the end."""
    visit.take_over()
    buy_premium(visit)
    visit.switch("slow")
    yield visit
    visit.switch("slow")
    visit.until(
        lambda: not visit.driver.execute_script("return document.getElementById('switch-slow').checked"), "speed"
    )


def ask_for_much(visit: Visit) -> None:
    """Ask for twenty megabytes, and wait until they are on their way."""
    before = len(visit.texts())
    visit.shelf("large")
    visit.hears("%", after=before)


def files(visit: Visit) -> list[str]:
    """The large files that have arrived."""
    return [text for text in visit.texts() if "timetable.pdf" in text]


def test_cancel_stops_what_is_on_its_way(slow: Visit) -> None:
    ask_for_much(slow)
    slow.say("/cancel")
    slow.hears("ancelled")
    assert not files(slow)


def test_a_killed_daemon_delivers_once(slow: Visit) -> None:
    ask_for_much(slow)
    slow.switch("daemon")
    slow.until(lambda: "all is well" in slow.one("#measured").text, "the daemon")
    slow.until(lambda: files(slow), "the file")
    slow.say("/plan")
    slow.hears("Your plan: Premium")
    assert len(files(slow)) == 1


def test_the_network_goes_and_comes_back(visit: Visit) -> None:
    visit.take_over().switch("network")
    before = len(visit.texts())
    visit.say("/premium")
    visit.until(lambda: len(visit.texts()) == before + 1, "what was said")
    visit.switch("network")
    visit.hears("Premium", after=before + 1)


def test_the_account_is_revoked_and_restored(visit: Visit) -> None:
    visit.take_over().switch("account")
    visit.hears("account", "operator", after=len(visit.texts("operator")))
    visit.until(lambda: "has ended" in visit.one("#step").text, "what is to be done")
    before = visit.count(".keys", "operator")
    visit.press("Log in an account", "operator")
    visit.until(lambda: visit.count(".keys", "operator") > before, "the way into the console")
    visit.press("Open it here", "operator")
    visit.driver.switch_to.frame(visit.until(lambda: visit.one("#operator .sheet iframe"), "the console"))
    visit.until(lambda: "Accounts" in visit.one("h1").text, "the accounts")
    visit.driver.switch_to.default_content()
    visit.photograph("accounts-1280")
    visit.one("#operator .sheet .close").click()
    visit.switch("account")
    visit.hears("🟢", "operator")


def focused(visit: Visit) -> str:
    """What the keyboard is on, in words."""
    return str(visit.driver.execute_script("const it = document.activeElement; return it.textContent || it.ariaLabel"))


def keys_of(visit: Visit, label: str) -> list[WebElement]:
    return [each for each in visit.all("#customer .keys button") if label in each.text]


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    visit.take_over()
    visit.one("#customer .write input").send_keys("/premium", Keys.ENTER)
    for label in ("Premium · 500", "Pay ⭐"):
        key = visit.until(lambda label=label: keys_of(visit, label)[0], label)
        key.send_keys(Keys.ENTER)
    visit.until(lambda: focused(visit) == "Confirm and pay ⭐ 500", "the sheet, entered")
    visit.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    visit.until(lambda: "Pay ⭐" in focused(visit) and not visit.all("#customer .sheet .pay"), "the way back")
    visit.driver.switch_to.active_element.send_keys(Keys.ENTER)
    visit.until(lambda: focused(visit).startswith("Confirm"), "the sheet again")
    visit.driver.switch_to.active_element.send_keys(Keys.ENTER)
    visit.hears("Receipt:")
    visit.one("#customer .commands").send_keys(Keys.ENTER)
    listed = "const it = document.activeElement; return it.closest('#customer .list') && it.textContent"
    visit.until(lambda: visit.driver.execute_script(listed), "the list of commands, entered")


def test_a_changed_message_keeps_the_keyboard(visit: Visit) -> None:
    visit.take_over().say("/start")
    key = visit.until(lambda: visit.one("#customer .msg:last-child .keys button"), "an answer")
    # Which message that is, is asked: what the tour said before it was stopped may be answered meanwhile
    place = "return [...document.querySelectorAll('#customer .chat .msg')].indexOf(arguments[0].closest('.msg'))"
    number = visit.driver.execute_script(place, key)
    shown = visit.texts()[number]
    key.send_keys(Keys.ENTER)
    visit.until(lambda: visit.texts()[number] != shown, "another screen in the same message")
    assert visit.driver.execute_script("return document.activeElement.closest('#customer .msg') !== null")


def test_every_example_is_in_view_at_a_desk(visit: Visit) -> None:
    visit.take_over()
    edge = visit.one("#customer .screen").rect["x"] + visit.one("#customer .screen").rect["width"]
    for each in visit.all("#customer .shelf button"):
        assert each.rect["x"] + each.rect["width"] <= edge, each.text


def test_underneath_shows_rows_calls_and_log(visit: Visit) -> None:
    visit.take_over()
    visit.one("#open-under").click()
    assert visit.one("#rows").get_attribute("data-empty")
    visit.until(lambda: "daemon" in visit.one("#health").text, "the programs")
    visit.shelf("photo")
    for part, word in (("rows", "job"), ("calls", "messages.sendMedia"), ("log", "job.delivered")):
        visit.until(lambda part=part, word=word: word in visit.one(f"#{part}").text, part)
    visit.photograph("underneath-1280")
    examine(visit)


def test_two_visitors_do_not_see_each_others_customer(visit: Visit, demo: Demo, tmp_path: Path) -> None:
    visit.take_over().say("/start")
    with chromium(tmp_path / "another") as driver:
        show(driver, 390, "light")
        driver.get(demo.url)
        other = Visit(driver).take_over()
        assert other.one("#customer-who").get_attribute("textContent") != visit.one("#customer-who").text
        other.shows("under")
        other.until(lambda: "daemon" in other.one("#health").text, "the programs")
        foreign = visit.shelf("photo").partition("://")[2]
        visit.until(lambda: visit.count("img") >= 1, "a photo")
        own = other.shelf("film1").partition("://")[2]
        other.until(lambda: own in other.one("#rows").text, "one's own link")
        other.until(lambda: "job.delivered" in other.one("#log").text, "what became of it")
        seen = "".join(other.texts()) + other.one("#rows").text + other.one("#log").text
        assert not re.search(rf"{re.escape(foreign)}\b", seen)


def test_it_starts_anew(visit: Visit) -> None:
    visit.take_over().say("/start")
    visit.driver.execute_script("window.old = true")
    visit.one("#anew").click()
    visit.until(lambda: not visit.driver.execute_script("return window.old"), "the page anew")
    visit.take_over()
    visit.say("/start")
    visit.hears("Hello, ")


def test_a_page_that_was_open_joins_the_next_demo(tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as driver:
        with demo_process.demo(tmp_path / "one") as first:
            driver.get(first.url)
            visit = Visit(driver).take_over()
        visit.until(lambda: "make demo" in visit.one("#away").text, "what to do")
        with demo_process.demo(tmp_path / "two", DEMO_PORT=first.url.rpartition(":")[2]) as again:
            assert again.url == first.url
            visit.until(lambda: not visit.one("#away").is_displayed(), "the new demo")
            visit.take_over().say("/start")
            visit.hears("Hello, ")
