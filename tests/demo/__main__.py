"""The page with two telephones; with ``ONCE`` a conversation on the terminal: one customer's way from the first
``/start`` to the fourth video, a second one's through PayPal, and what the operator hears of both."""

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import requests
from pyrogram.types import Message

from tests.demo import installation, opening
from tests.demo.bubbles import is_receipt
from tests.demo.customer import Customer, Disappointed, url_button
from tests.demo.installation import Installation, NotHealthy
from tests.sandbox_process import REPOSITORY, SandboxFailed

PLACE = Path(os.environ.get("DEMO_PLACE") or REPOSITORY / "build" / "demo").resolve()
ENGLISH, SPANISH, OPERATOR = 1, 2, None


def tell(line: str = "") -> None:
    """Write a line to the terminal at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Show the page until Ctrl-C; where ``ONCE`` is set, tell the conversation and end. 0, or 1 and the reason."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal stops it as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    with installation.claimed(PLACE) as place:
        if place != PLACE:
            tell(f"Another demo is running in {opening.shown(PLACE)}; this one keeps to {opening.shown(place)}.")
        return once(place) if os.environ.get("ONCE") else asyncio.run(opening.opened(place, tell))


def once(place: Path) -> int:
    """The conversation, and the end. 0, or 1 and the reason."""
    started = time.monotonic()
    tell("Starting a local Telegram, a local PayPal and the programs…")
    try:
        running = installation.start(place, alone=True)
    except (NotHealthy, SandboxFailed) as error:
        tell(f"It did not come up: {error}")
        return 1
    except KeyboardInterrupt:
        return 1
    try:
        asyncio.run(tour(running))
        tell(f"\nEverything arrived as it was posted. {time.monotonic() - started:.0f} s in all.")
    except Disappointed as error:
        tell(f"\nThe tour failed: {error}. The programs' log is {opening.shown(running.console)}.")
        return 1
    except KeyboardInterrupt:
        tell()
    finally:
        code = running.stop()
        tell(f"Stopped; the launcher's exit code is {code}.")
    return 0 if code == 0 else 1


async def tour(running: Installation) -> None:
    """Everything that people do. Raises Disappointed where something does not come as it should."""
    scenario = running.sandbox.scenario
    heard: list[str] = []
    async with Customer(scenario, OPERATOR, heard.append) as operator:
        await operator.say("/language en")
        await operator.hear(is_answer, "an answer to /language")
        heard.clear()
        await of_customers(scenario)
        await of_the_operator(operator)
    tell("\n--- and the operator, meanwhile\n")
    for line in heard:
        tell(line)
    check_honesty(running)


async def of_customers(scenario: dict[str, Any]) -> None:
    """One who pays in Stars, and one who pays with PayPal."""
    links = scenario["links"]
    async with Customer(scenario, ENGLISH, tell) as customer:
        tell(f"\n--- {customer.name}, free, pays in Stars\n")
        await greet(customer)
        await fetch(customer, links["photo1"])
        await fetch_album(customer, links["album1"])
        for name in ("video1", "video2", "video3"):
            await fetch(customer, links[name])
        await customer.say(links["video4"]["url"])
        refusal = await customer.hear(lambda message: bool(message.reply_markup), "the refusal of a fourth video")
        await buy_at_the_limit(customer, refusal)
        await customer.check(await customer.hear(has_file, "the video that was bought"), links["video4"])
        await buy_with_stars(customer)
    async with Customer(scenario, SPANISH, tell) as customer:
        tell(f"\n--- {customer.name}, en español, paga con PayPal\n")
        await greet(customer)
        await buy_with_paypal(customer)
        await fetch(customer, links["music1"])


async def of_the_operator(operator: Customer) -> None:
    """The notices of the sales, and the card of who bought the first."""
    sales = [await operator.hear(is_sale, "the notice of a sale") for _ in range(3)]
    await operator.press(sales[0], "new:card:")
    await operator.hear(is_answer, "the card of a customer")


async def greet(customer: Customer) -> None:
    """``/start`` and its answer."""
    await customer.say("/start")
    await customer.hear(is_answer, "an answer to /start")


async def fetch(customer: Customer, link: dict[str, object]) -> None:
    """Ask for one post and compare what arrives."""
    await customer.say(str(link["url"]))
    await customer.check(await customer.hear(has_file, f"the file of {link['url']}"), link)


async def fetch_album(customer: Customer, link: dict[str, object]) -> None:
    """Ask for an album and compare each of its items."""
    await customer.say(str(link["url"]))
    items = link["items"]
    assert isinstance(items, list)
    for message, item in zip(await customer.hear_album(len(items)), items, strict=True):
        await customer.check(message, item)


async def buy_at_the_limit(customer: Customer, refusal: Message) -> None:
    """From the refusal to the invoice of what would bring the video: it follows by itself."""
    await customer.press(refusal, "new:buy:video_1")
    await customer.pay(await customer.hear(lambda message: bool(message.invoice), "an invoice"))


async def buy_with_stars(customer: Customer) -> None:
    """From ``/premium`` to the receipt."""
    await customer.say("/premium")
    plans = await customer.hear(lambda message: "buy:" in str(message.reply_markup), "the plans")
    await customer.press(plans, "buy:premium")
    await customer.pay(await customer.hear(lambda message: bool(message.invoice), "an invoice"))
    await customer.hear(is_receipt, "a receipt")


async def buy_with_paypal(customer: Customer) -> None:
    """From ``/premium`` through our page and PayPal's to the receipt in the chat."""
    await customer.say("/premium")
    plans = await customer.hear(lambda message: "/pay/" in str(message.reply_markup), "the plans")
    address = url_button(plans, "/pay/")
    outcome = await asyncio.to_thread(pay_in_browser, address)
    tell(f"{'page':>8} < {outcome}")
    await customer.hear(is_receipt, "a receipt")


def pay_in_browser(address: str) -> str:
    """What a browser does: open our page, press its button, approve at PayPal, come back. Returns the last heading."""
    browser = requests.Session()
    page = browser.get(address, timeout=10)
    page.raise_for_status()
    at_paypal = browser.post(address, timeout=10)
    at_paypal.raise_for_status()
    back = browser.post(at_paypal.url, data={"choice": "approve"}, timeout=20)
    back.raise_for_status()
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", back.text, re.DOTALL)
    if heading is None:
        raise Disappointed("PayPal's way back ended on a page without a heading")
    return heading[1].strip()


def check_honesty(running: Installation) -> None:
    """The local servers noticed nothing that the real ones would not do, and nothing that they cannot do."""
    for path in ("/unsupported", "/deviations"):
        found = running.sandbox.control("GET", path)
        if found:
            raise Disappointed(f"the local servers complain, {path}: {found}")


def is_answer(message: Message) -> bool:
    """A screen with buttons."""
    return bool(message.reply_markup)


def is_sale(message: Message) -> bool:
    """What the operator hears of a sale."""
    return (message.text or "").startswith("💰")


def has_file(message: Message) -> bool:
    """A photo or a file, not an invoice."""
    return bool(message.media) and not message.invoice


if __name__ == "__main__":
    sys.exit(main())
