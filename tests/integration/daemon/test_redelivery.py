"""What Telegram or a crash delivers twice acts once: every command of the admins, and what people have passed on."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.handlers import ADMIN_COMMANDS
from models import users
from models.event_kinds import EventKind
from models.money import access, payments, provider_requests
from models.money.facts import RefundFact
from models.tables import TABLES, CustomerNote, Event
from tests import purchases
from tests.handling import ADMIN, Handling, handling

CUSTOMER = 601
CHARGE = "stx-601"
ARGUMENTS = {
    "grant": f"{CUSTOMER} premium 30 thanks",
    "revoke": f"{CUSTOMER} premium",
    "refund": CHARGE,
    "ban": str(CUSTOMER),
    "unban": str(CUSTOMER),
    "allow": "@sandbox_gallery",
    "block": "@sandbox_gallery",
    "testpay": "",
    "status": "",
    "backup": "",
    "user": str(CUSTOMER),
    "say": f"{CUSTOMER} hello",
    "income": "",
    "broadcast": "",
    "code": "",
    "console": "",
}
"""What makes each command do its work."""
AGAIN = {"console"}
"""What comes anew: a link that is good for once."""


@pytest.fixture
async def handled(database_file: Path) -> AsyncIterator[Handling]:
    async with handling(database_file) as built:
        users.seen(CUSTOMER, "Ana", "ana_601", "en", int(time.time()))
        users.seen(ADMIN, "Alba", None, "en", int(time.time()))
        buy(CHARGE, "stars")
        yield built


def buy(charge: str, provider: str, later: int = -60) -> None:
    now = int(time.time()) + later
    order = purchases.order(CUSTOMER, provider=provider, now=now)
    payments.settle(purchases.fact(order, now, remote_id=charge), now)


def rows() -> dict[str, list[str]]:
    """All that there is, but for the audit: it may say that something was tried again."""
    others = [table for table in TABLES if table._meta.table_name != "audit"]
    return {table._meta.table_name: sorted(map(repr, table.select().dicts())) for table in others}


def test_it_is_known_how_each_command_is_used() -> None:
    assert ARGUMENTS.keys() == ADMIN_COMMANDS.keys(), "say here what makes a new command do its work"


@pytest.mark.parametrize("name", sorted(ARGUMENTS.keys() - AGAIN))
async def test_a_command_delivered_twice_acts_once(handled: Handling, name: str) -> None:
    command = f"/{name} {ARGUMENTS[name]}".rstrip()
    assert await handled.say(ADMIN, command, message_id=1) or name == "testpay", "which is answered by an invoice"
    once = rows()
    await handled.say(ADMIN, command, message_id=1)
    assert rows() == once


async def test_a_part_refunded_is_not_refunded_again(handled: Handling) -> None:
    buy("5O190127TN364715T", "paypal")
    command = "/refund 5O190127TN364715T 1.00"
    await handled.say(ADMIN, command, message_id=1)
    now = int(time.time())
    request = provider_requests.claim("paypal", now)
    assert request is not None
    payments.apply([RefundFact("paypal", "5O190127TN364715T", "r-1", 100, now)], now)
    provider_requests.finish(request.id, "refunded", now)
    # When the command comes again, after a crash
    (read,) = await handled.say(ADMIN, command, message_id=1) or [None]
    assert read is None, "its first answer has arrived"
    assert provider_requests.claim("paypal", now) is None
    # Then the same words in another message are another wish
    assert await handled.say(ADMIN, command, message_id=2)
    assert provider_requests.claim("paypal", now) is not None


async def test_time_bought_since_a_revoke_is_kept(handled: Handling) -> None:
    await handled.say(ADMIN, f"/revoke {CUSTOMER}", message_id=1)
    assert access.of(CUSTOMER, int(time.time())).level == 0
    buy("stx-602", "stars", later=60)
    handled.later = 120
    await handled.say(ADMIN, f"/revoke {CUSTOMER}", message_id=1)
    assert access.of(CUSTOMER, int(time.time()) + 120).level == 1


async def test_who_was_cut_off_learns_that_it_came_twice(handled: Handling) -> None:
    await handled.say(ADMIN, f"/ban {CUSTOMER}", message_id=1)
    handled.said.ids.clear()  # the answer did not arrive
    (read,) = await handled.say(ADMIN, f"/ban {CUSTOMER}", message_id=1)
    assert "reached me twice" in read.text


async def test_what_is_passed_on_is_passed_on_once(handled: Handling) -> None:
    await handled.say(ADMIN, f"/say {CUSTOMER} hello", message_id=1)
    relayed = Event.get(Event.kind == EventKind.MESSAGE_RELAYED)
    assert relayed.user_id == CUSTOMER

    async def answer(user_id: int, to: Any, text: str) -> None:
        """The same answer to one of the bot's messages, twice."""
        for _ in range(2):
            await handled.say(user_id, text, message_id=5, reply_to=to)

    await handled.press(ADMIN, f"note_ask:{CUSTOMER}", message_id=3)
    await answer(ADMIN, handled.said.newest, "pays late")
    assert [note.text for note in CustomerNote.select()] == ["pays late"]
    await handled.press(ADMIN, f"say_ask:{CUSTOMER}", message_id=4)
    await answer(ADMIN, handled.said.newest, "and now?")
    assert Event.select().where(Event.kind == EventKind.MESSAGE_RELAYED).count() == 2
