"""From the moment the webhook is answered to the message in the customer's client."""

import asyncio
import itertools
import time
from pathlib import Path

from models import database
from tests.bench import report
from tests.bench.report import Row
from tests.daemon_process import Chat, chat
from tests.paypal_shop import Buyer
from tests.town import Town, town

PAYMENTS = 200
CUSTOMERS = 10


def measure(place: Path) -> list[Row]:
    """Start everything in *place*, and let customers pay one after another."""
    migrated = place / "empty.db"
    database.migrate(migrated)
    with town(migrated, place) as built:
        database.open_database(built.shop.database_file)
        try:
            spent = asyncio.run(_pay_in_turn(built))
        finally:
            database.close_database()
    conditions = {"payments": len(spent), "customers": CUSTOMERS, "from": "webhook answered", "to": "message received"}
    return [
        report.row(f"payment_to_message_p{part}", 1000 * report.quantile(spent, part / 100), "ms", conditions)
        for part in (50, 99)
    ]


async def _pay_in_turn(built: Town) -> list[float]:
    built.shop.silence_webhooks()  # each is delivered by hand, with an eye on the clock
    async with asyncio.TaskGroup() as group:
        doors = [chat(built.sandbox) for _ in range(CUSTOMERS)]
        customers = [await door.__aenter__() for door in doors]
        for customer in customers:
            group.create_task(customer.ask("/start"))
    spent = [await _pay(built, customer) for customer in itertools.islice(itertools.cycle(customers), PAYMENTS)]
    for door in doors:
        await door.__aexit__(None, None, None)
    return spent


async def _pay(built: Town, customer: Chat) -> float:
    """Seconds from the webhook's 200 to the receipt; 0 when the receipt was quicker than the answer."""
    event = await asyncio.to_thread(_approve, built, customer.id)
    receipt = asyncio.create_task(_receipt(customer))
    answered = await asyncio.to_thread(_deliver, built, event)
    return max(0.0, await receipt - answered)


async def _receipt(customer: Chat) -> float:
    await customer.until_text("Receipt")
    return time.perf_counter()


def _approve(built: Town, user_id: int) -> dict[str, object]:
    """Somebody approves at PayPal; the event that tells of it."""
    buyer: Buyer = built.shop.buyer(user_id)
    remote_id = buyer.start()
    buyer.choose(remote_id, "approve")
    return next(event for event in reversed(built.shop.paypal.events()) if event["resource"].get("id") == remote_id)


def _deliver(built: Town, event: dict[str, object]) -> float:
    """Deliver an event; when it was answered."""
    transmission = built.shop.paypal.forgery.genuine(event, built.shop.webhook_id)
    status = built.shop.send_webhook(transmission)
    answered = time.perf_counter()
    if status != 200:
        raise RuntimeError(f"the webhook was answered with {status}")
    return answered
