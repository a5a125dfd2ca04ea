"""Whoever forges a button's data with the row of another customer changes nothing of theirs, and learns nothing."""

import time
from typing import Any

import pytest

from config.plans import Article
from daemon.handlers import BUTTONS
from models import database
from models.event_kinds import JobHeld
from models.jobs import batches, holding, queue
from models.jobs.batches import BatchInfo
from models.money import payments, subscriptions
from models.promotion import codes
from models.promotion.codes import CodeInfo
from models.tables import TABLES, User
from tests import purchases
from tests.handling import Handling
from tests.integration.models.test_persons_schema import persons_columns
from tests.store import OVER, PLANS, PREMIUM, claim, enqueue, new_batch

OWNER, STRANGER = 501, 502
PEOPLE = (OWNER, STRANGER)
LINKS = ("https://t.me/channel/1", "https://t.me/channel/2")
ONLY_THE_OWNERS = ("t.me/channel/", "charge-", "I-owner")
"""What stands in the owner's rows and in nobody else's: links, numbers of payments. Their gift's code is another."""


def paid(bought: Article, **more: Any) -> purchases.OrderInfo:
    now = int(time.time())
    order = purchases.order(OWNER, bought, now=now, **more)  # type: ignore[arg-type]
    payments.settle(purchases.fact(order, now), now)
    return order


def gift() -> CodeInfo:
    """A gift that the owner bought and nobody has taken."""
    if not codes.unopened_of(OWNER):
        paid(PREMIUM, purpose="gift")
    (found,) = codes.unopened_of(OWNER)
    return found


def renewal() -> int:
    now = int(time.time())
    order = purchases.order(OWNER, purchases.MONTHLY, now=now)
    found = subscriptions.recall(order.id, "I-owner", now)
    payments.settle(purchases.fact(order, now, subscription_remote_id="I-owner", period_end=now + 86_400), now)
    return found.id


def batch(key: str) -> int:
    made = batches.enqueue(new_batch(OWNER, key, LINKS), 99, int(time.time()))
    assert isinstance(made, BatchInfo)
    return made.id


def held_link() -> int:
    job = enqueue(OWNER, "held")
    assert claim("w", int(time.time()), per_customer=99).id == job.id
    held = JobHeld(
        job=job.id,
        reason="limit",
        detail=OVER.stored(),
        kind="video",
        missing=1,
        wants={"video": 1},
        largest={"video": 1},
    )
    holding.hold("w", held, int(time.time()))
    return job.id


def held_batch() -> int:
    made = batch("held batch")
    first = claim("w", int(time.time()), per_customer=99)
    batches.hold(first.id, "w", OVER, int(time.time()))
    return made


def owners_rows() -> set[int]:
    """Rows with which every button that takes one would do something for the owner."""
    paid(PLANS.packs_on_sale()[0])
    rows = {held_link(), held_batch(), batch("waiting batch"), enqueue(OWNER, "waiting").id, renewal(), gift().id}
    return rows | {each.id for each in payments.history_of(OWNER)}


def state_of(person: int) -> dict[str, list[str]]:
    """All rows that hold a person."""
    found = {}
    for table in TABLES:
        columns = ["id"] if table is User else persons_columns(table)
        where = " OR ".join(f'"{column}" = {person}' for column in columns)
        rows = database.execute(f'SELECT * FROM "{table._meta.table_name}" WHERE {where}') if columns else ()
        found[table._meta.table_name] = sorted(map(repr, rows))
    return {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize("name", sorted(BUTTONS))
async def test_a_row_of_another_customer_is_left_alone(handled: Handling, name: str) -> None:
    rows = owners_rows()
    before = state_of(OWNER)
    assert {"job", "batch", "payment", "subscription", "order"} <= before.keys()
    secrets = (*ONLY_THE_OWNERS, gift().text)
    arguments = {*map(str, rows), str(OWNER), *(f"premium:{row}" for row in rows), *(f"video_1:{row}" for row in rows)}
    for argument in sorted(arguments | {f"{OWNER}:1:1", "I-owner", "all"}):
        for screen in await handled.press(STRANGER, f"{name}:{argument}", message_id=7):
            assert not [word for word in secrets if word in f"{screen.text} {screen.keyboard}"], argument
    assert state_of(OWNER) == before


async def test_the_owners_own_buttons_do_something(handled: Handling) -> None:
    """That the test above could notice anything."""
    owners_rows()
    before = state_of(OWNER)
    (subscription,) = subscriptions.of(OWNER)
    await handled.press(OWNER, f"unsubscribe:{subscription.id}", message_id=7)
    assert state_of(OWNER)["request"] != before.get("request")
    for job in queue.waiting(OWNER):
        await handled.press(OWNER, f"drop:{job.id}", message_id=7)
    assert state_of(OWNER)["job"] != before["job"]
