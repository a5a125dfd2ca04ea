"""What other programs write, the customer hears: at once, once, whatever stands in the way."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import ChannelInvalid, FloodWait, Forbidden, InternalServerError, NotAcceptable

from config import settings
from config.settings import Settings
from daemon import outbox_worker
from daemon.database import Database
from daemon.notifier import Notifier
from daemon.outbox_worker import OutboxWorker
from daemon.telegram.errors import Unreachable
from daemon.telegram.screen import Screen
from daemon.telegram.sender import Sender
from daemon.wakeup import Wakeup, Watcher
from models import database, event_kinds, outbox, returns, users
from models.database import BEYOND, transaction
from models.event_kinds import CheckoutCancelled, EventKind, GiftChanged
from models.maintenance import clock_repair, health
from models.money import access, payments, provider_requests
from models.tables import Event, Request
from tests import environment, purchases
from tests.daemon_process import Chat, Daemon, chat
from tests.sandbox_process import Sandbox
from tests.unit.test_screens import EVENTS

BOT = "peaje_sandbox_bot"


def write(daemon: Daemon, act: Callable[[int], object]) -> None:
    """Write to the daemon's database from here: another process, as upkeep or web is."""
    with daemon.opened() as now:
        act(now)


def give(customer: Chat, seconds: int) -> Callable[[int], object]:
    """Gives a customer time, which they hear of."""
    return lambda now: access.give(customer.id, 1, seconds=seconds, reason="test", by=None, now=now)


async def test_each_commit_of_another_process_is_told(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        for hours in range(1, 11):
            write(shared_daemon, give(customer, hours * 3600))
            assert f"Premium for {hours} hour" in (await customer.next()).text


async def test_what_happened_while_it_was_down_is_told_at_start_once(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        shared_daemon.stop()
        write(shared_daemon, give(customer, 3600))
        shared_daemon.start()
        assert "You have been given Premium for 1 hour" in (await customer.next()).text
        await customer.silence(0.5)


async def test_a_lost_reply_and_a_crash_tell_nothing_twice(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        drop = {"fault": "drop_reply", "method": "messages.sendMessage", "count": 1, "account": BOT}
        daemon_sandbox.control("POST", "/faults", drop)
        write(shared_daemon, give(customer, 7200))
        assert "2 hours" in (await customer.next()).text
        shared_daemon.kill()  # sent, but not yet marked as heard
        shared_daemon.start()
        write(shared_daemon, lambda _: Event.update(not_before=0).where(Event.user_id == customer.id).execute())
        await customer.silence(2)


async def test_who_blocked_the_bot_is_marked_and_holds_nobody_up(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as gone, chat(daemon_sandbox) as customer:
        await gone.ask("/start")
        await customer.ask("/start")
        daemon_sandbox.control("POST", "/faults", {"fault": "block", "user": gone.id, "blocks": BOT})
        for each in (gone, customer):
            write(shared_daemon, give(each, 60))
        await customer.next()
        with shared_daemon.opened():
            async with asyncio.timeout(5):
                while not users.get(gone.id).blocked_bot:
                    await asyncio.sleep(0.05)
            while any(event.user_id == gone.id for event in outbox.due(int(time.time()) + 10**6)):
                await asyncio.sleep(0.05)
        daemon_sandbox.control("POST", "/faults", {"fault": "block", "user": gone.id, "blocks": BOT, "blocked": False})
        assert "Your plan" in (await gone.ask("/start")).text


async def test_admins_hear_when_an_incident_begins_and_ends(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for text in ("97 % full", "again"):
            write(shared_daemon, lambda now, text=text: health.open_incident("disk", text, now - 60))  # type: ignore[misc]
        assert "97 % full" in (await admin.next()).text
        assert "97 % full" in (await admin.ask("/status")).text
        write(shared_daemon, lambda now: health.close_incident("disk", now))
        assert "Solved after 1 minute" in (await admin.next()).text
        await admin.silence(0.3)


async def test_a_flood_wait_delays_what_is_told_but_loses_nothing(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        flood = {"fault": "flood_wait", "method": "messages.sendMessage", "seconds": 1, "count": 1, "account": BOT}
        daemon_sandbox.control("POST", "/faults", flood)
        began = time.monotonic()
        write(shared_daemon, give(customer, 120))
        assert "2 minutes" in (await customer.next(15)).text
        assert time.monotonic() - began > 4


class Post(Sender):
    """Takes messages to those for whom it has no ``trouble``, each ``random_id`` once: it belongs to the sender."""

    def __init__(self, trouble: dict[int, Exception]) -> None:
        nobody: Any = SimpleNamespace(me=None)
        super().__init__(nobody, nobody)
        self.trouble = trouble
        self.asked: list[int] = []
        self.heard: dict[int, set[int]] = {}
        self.texts: dict[int, list[str]] = {}

    async def send_screen(self, chat_id: int, screen: Screen, *, random_id: int | None = None, **_: Any) -> int | None:
        self.asked.append(chat_id)
        if chat_id in self.trouble:
            raise self.trouble[chat_id]
        if any(random_id in known for known in self.heard.values()):
            return None
        self.heard.setdefault(chat_id, set()).add(random_id or 0)
        self.texts.setdefault(chat_id, []).append(screen.text)
        return 1


def worker(
    configured: Settings,
    database: Database,
    post: Post,
    promote: Callable[[int, int], None] | None = None,
    wakeup: Wakeup | None = None,
    *,
    tells_sales: bool = True,
) -> OutboxWorker:
    """A worker that writes to nobody but *post*."""
    notifier = Notifier(configured, environment.catalogue(configured), database, post)
    wakeup = wakeup or Wakeup(Watcher())
    return OutboxWorker(
        configured.admin_ids, notifier, database, wakeup, promote=promote, tells_sales=lambda: tells_sales
    )


async def test_a_commit_is_told_without_waiting_for_the_next_look(
    database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_worker, "CHECK_S", 3600)
    users.seen(7, "Lucía", None, "en", int(time.time()))
    reader, post = Database(), Post({})
    wakeup = Wakeup(Watcher())
    told = worker(settings.load(environment.minimal(tmp_path), None), reader, post, wakeup=wakeup)
    up = asyncio.Event()
    up.set()
    tasks = [asyncio.create_task(work) for work in (wakeup.run(), told.run(up))]
    async with asyncio.timeout(20):
        for number in range(1, 11):
            access.give(7, 1, seconds=60, reason="test", by=None, now=int(time.time()))
            while len(post.texts.get(7, ())) < number:
                await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    wakeup.close()
    await reader.close()


async def test_what_comes_back_to_a_customer_releases_their_links(database_file: Path, tmp_path: Path) -> None:
    now = int(time.time())
    for user_id in (5, 6, 7):
        users.seen(user_id, "Alba", None, "en", now)
    for user_id, charge in ((5, "disputed"), (6, "returned")):
        payments.settle(purchases.fact(purchases.order(user_id, provider="paypal", now=now), now, charge), now)
    purchases.dispute_opened("paypal", "disputed", "D", now, now)
    (returned,) = payments.history_of(6)
    assert returns.ask(returned.id, 6, 7, now) is returns.Answer.POSSIBLE
    Event.delete().execute()
    # When the shop wins a dispute, a refund fails, and a dispute about a gift is won
    purchases.dispute_closed("paypal", "disputed", "D", True, now, now)
    provider_requests.fail(Request.get().id, "TRANSACTION_DISPUTED", now)
    with transaction():
        outbox.append(GiftChanged(plan="premium", about=EventKind.DISPUTE_CLOSED, won=True), 7, now)
    configured, database = settings.load(environment.minimal(tmp_path), None), Database()
    promoted: set[int] = set()
    await worker(configured, database, Post({}), promote=lambda user_id, _: promoted.add(user_id)).tell_due()
    await database.close()
    # Then whom it concerns has the links that waited
    assert promoted >= {5, 6, 7}


async def told_of_an_incident(tmp_path: Path, post: Post) -> Event:
    """The event of an incident, when it has been told once to three admins."""
    configured = settings.load(environment.minimal(tmp_path) | {"ADMIN_IDS": "1 2 3"}, None)
    database = Database()
    await database(health.open_incident, "disk_nearly_full", "97 % full", int(time.time()))
    await worker(configured, database, post).tell_due()
    await database.close()
    event: Event = Event.get()
    return event


async def test_many_sales_are_one_message_in_each_admins_language(database_file: Path, tmp_path: Path) -> None:
    now = int(time.time())
    users.seen(1, "Alba", None, "es", now)
    users.seen(2, "Bruno", None, "en", now)
    for number in range(6):
        users.seen(10 + number, f"Buyer {number}", None, "en", now)
        payments.settle(purchases.fact(purchases.order(10 + number, now=now), now), now)
    configured = settings.load(environment.minimal(tmp_path) | {"ADMIN_IDS": "1 2"}, None)
    database, post = Database(), Post({})
    await worker(configured, database, post).tell_due()
    await database.close()
    (alba,), (bruno,) = post.texts[1], post.texts[2]
    assert alba.startswith("🧾 Han pasado 6 cosas") and bruno.startswith("🧾 6 things happened")
    assert "Buyer 0 (<code>10</code>) compró Premium" in alba and "Buyer 5 (<code>15</code>) bought Premium" in bruno


@pytest.mark.parametrize("trouble", [ChannelInvalid(), Unreachable(1, "USER_IS_BLOCKED")])
async def test_an_unreachable_admin_keeps_nothing_from_others(
    database_file: Path, tmp_path: Path, trouble: Exception
) -> None:
    for first in (1, 2, 3):
        post = Post({first: trouble})
        event = await told_of_an_incident(tmp_path, post)
        assert post.heard.keys() == {1, 2, 3} - {first}
        assert event.heard_at is not None, "and is not tried again for ever"
        health.close_incident("disk_nearly_full", int(time.time()))
        Event.delete().execute()


async def test_an_admin_away_is_told_later_and_the_others_now(database_file: Path, tmp_path: Path) -> None:
    post = Post({1: FloodWait(7200), 2: InternalServerError(), 3: ChannelInvalid()})
    began = int(time.time())
    event = await told_of_an_incident(tmp_path, post)
    # Telegram's longest wait is obeyed
    assert sorted(post.asked) == [1, 2, 3]
    assert event.heard_at is None and event.not_before >= began + 7200 + outbox_worker.FLOOD_MARGIN_S
    # And nothing makes it due before
    assert clock_repair.mend(began + 60) == 0


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=lambda number: f"{number}-{EVENTS[number][0]}")
async def test_every_admin_hears_of_every_event(database_file: Path, tmp_path: Path, number: int) -> None:
    kind, payload = EVENTS[number]
    with database.transaction():
        outbox.append(event_kinds.PAYLOADS[kind].read(payload), None, int(time.time()))
    configured = settings.load(environment.minimal(tmp_path) | {"ADMIN_IDS": "1 2 3"}, None)
    reader, post = Database(), Post({})
    await worker(configured, reader, post).tell_due()
    await reader.close()
    assert Event.get().heard_at is not None
    assert post.heard.keys() in ({1, 2, 3}, set()), "an event that admins do not hear of is heard by none"
    assert post.heard or not kind.startswith(("admin", "incident", "shop", "digest"))


def sales(number: int) -> None:
    """So much was sold just now."""
    sold = [payload for kind, payload in EVENTS if kind == "shop_notice"]
    with database.transaction():
        for payload in (sold * number)[:number]:
            outbox.append(event_kinds.ShopNotice.read(payload), None, int(time.time()))


async def told_to_admins(tmp_path: Path, post: Post, *, tells_sales: bool = True) -> None:
    """Tell what is due, once, to three admins."""
    configured = settings.load(environment.minimal(tmp_path) | {"ADMIN_IDS": "1 2 3"}, None)
    reader = Database()
    await worker(configured, reader, post, tells_sales=tells_sales).tell_due()
    await reader.close()


async def test_many_sales_at_once_reach_every_admin(database_file: Path, tmp_path: Path) -> None:
    sales(outbox_worker.MANY_SALES)
    post = Post({})
    await told_to_admins(tmp_path, post)
    assert post.heard.keys() == {1, 2, 3}
    assert {len(heard) for heard in post.heard.values()} == {1}, "in one message"


async def test_a_few_sales_are_told_one_by_one(database_file: Path, tmp_path: Path) -> None:
    sales(outbox_worker.MANY_SALES - 1)
    post = Post({})
    await told_to_admins(tmp_path, post)
    assert {len(heard) for heard in post.heard.values()} == {outbox_worker.MANY_SALES - 1}


@pytest.mark.parametrize("number", [1, outbox_worker.MANY_SALES])
async def test_whoever_wants_no_news_of_sales_hears_none(database_file: Path, tmp_path: Path, number: int) -> None:
    sales(number)
    post = Post({})
    await told_to_admins(tmp_path, post, tells_sales=False)
    assert post.heard == {} and Event.select().where(Event.heard_at.is_null()).count() == 0
    # Everything else they hear still
    health.open_incident("disk_nearly_full", "97 % full", int(time.time()))
    await told_to_admins(tmp_path, post, tells_sales=False)
    assert post.heard.keys() == {1, 2, 3}


async def test_one_sale_without_words_keeps_no_other_back(database_file: Path, tmp_path: Path) -> None:
    sales(outbox_worker.MANY_SALES)
    broken = Event.get()
    Event.update(payload={"odd": 1}).where(Event.id == broken.id).execute()
    post = Post({})
    await told_to_admins(tmp_path, post)
    assert {len(heard) for heard in post.heard.values()} == {outbox_worker.MANY_SALES - 1}
    assert [row.id for row in Event.select().where(Event.heard_at.is_null())] == [broken.id]


async def test_many_sales_wait_for_an_admin_who_is_away(database_file: Path, tmp_path: Path) -> None:
    sales(outbox_worker.MANY_SALES)
    post, began = Post({2: FloodWait(7200)}), int(time.time())
    await told_to_admins(tmp_path, post)
    assert post.heard.keys() == {1, 3}
    waiting = list(Event.select().where(Event.heard_at.is_null()))
    assert len(waiting) == outbox_worker.MANY_SALES
    assert min(row.not_before for row in waiting) >= began + 7200
    # And are one message, once for each, when they come again
    Event.update(not_before=0).execute()
    post.trouble.clear()
    await told_to_admins(tmp_path, post)
    assert {who: len(heard) for who, heard in post.heard.items()} == {1: 1, 2: 1, 3: 1}
    assert Event.select().where(Event.heard_at.is_null()).count() == 0


def each_sale_once(post: Post) -> None:
    """Each admin has heard each sale, and none twice."""
    wanted = sorted(row.payload["customer"] for row in Event.select().where(Event.kind == "shop_notice"))
    for who in (1, 2, 3):
        heard = [int(number) for text in post.texts[who] for number in re.findall(r"<code>(\d+)</code>", text)]
        assert sorted(heard) == wanted, f"admin {who}"


def sold(*customers: int) -> None:
    """These customers have bought something just now."""
    (told,) = [payload["told"] for kind, payload in EVENTS if kind == "shop_notice"][:1]
    with database.transaction():
        for customer in customers:
            notice = event_kinds.ShopNotice(about=EventKind.PAYMENT_COMPLETED, customer=customer, told=told)
            outbox.append(notice, None, int(time.time()))


MANY = outbox_worker.MANY_SALES


@pytest.mark.parametrize("trouble", [FloodWait(7200), InternalServerError(), TimeoutError()])
@pytest.mark.parametrize(("first", "then"), [(MANY, 1), (MANY, MANY), (MANY - 1, MANY), (1, MANY), (20, 3)])
async def test_what_is_sold_meanwhile_makes_nobody_hear_twice(
    database_file: Path, tmp_path: Path, trouble: Exception, first: int, then: int
) -> None:
    sold(*range(1000, 1000 + first))
    post = Post({2: trouble})
    await told_to_admins(tmp_path, post)
    sold(*range(2000, 2000 + then))
    Event.update(not_before=0).execute()
    post.trouble.clear()
    for _ in range(3):
        await told_to_admins(tmp_path, post)
    each_sale_once(post)
    assert Event.select().where(Event.heard_at.is_null()).count() == 0


async def test_a_message_of_many_sales_stays_whole(database_file: Path, tmp_path: Path) -> None:
    sold(*range(1000, 1000 + MANY))
    health.open_incident("disk_nearly_full", "97 % full", int(time.time()))
    Event.update(not_before=BEYOND).where(Event.kind == "incident_opened").execute()
    sold(*range(2000, 2000 + MANY))
    post = Post({2: TimeoutError()})
    await told_to_admins(tmp_path, post)
    # When only some of it is due, with another event in between
    ids = [row.id for row in Event.select(Event.id).order_by(Event.id)]
    Event.update(not_before=0).where(Event.id.in_(ids[1::3])).execute()
    post.trouble.clear()
    await told_to_admins(tmp_path, post)
    each_sale_once(post)
    assert {who: len(heard) for who, heard in post.heard.items()} == {1: 2, 2: 2, 3: 2}, "with the incident"


async def test_a_crash_makes_nobody_hear_of_a_sale_twice(
    database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("killed")

    sold(*range(1000, 1000 + MANY))
    post = Post({})
    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(outbox, "heard", crash)
        await told_to_admins(tmp_path, post)
    sold(*range(2000, 2000 + MANY))
    outbox.take_over(int(time.time()))
    await told_to_admins(tmp_path, post)
    each_sale_once(post)


async def test_an_admin_who_was_away_alone_hears_what_was_missed(database_file: Path, tmp_path: Path) -> None:
    sold(*range(1000, 1000 + MANY))
    post = Post({2: Unreachable(2, "USER_IS_BLOCKED")})
    await told_to_admins(tmp_path, post)
    assert post.heard.keys() == {1, 3}
    post.trouble.clear()
    assert health.catch_up(2, int(time.time())) == MANY
    await told_to_admins(tmp_path, post)
    assert {who: len(heard) for who, heard in post.heard.items()} == {1: 1, 2: 1, 3: 1}
    Event.delete().where(Event.user_id == 2).execute()
    each_sale_once(post)


async def test_an_odd_fault_at_one_admin_repeats_nothing(database_file: Path, tmp_path: Path) -> None:
    sold(*range(1000, 1000 + MANY))
    post = Post({2: ValueError("Peer id invalid: 2")})
    await told_to_admins(tmp_path, post)
    Event.update(not_before=0).execute()
    post.trouble.clear()
    await told_to_admins(tmp_path, post)
    each_sale_once(post)


async def told_to_customers(tmp_path: Path, post: Post) -> None:
    """Tell what is due, once, without admins to hear it."""
    configured = settings.load(environment.minimal(tmp_path), None)
    database = Database()
    await worker(configured, database, post).tell_due()
    await database.close()


def alerts() -> list[tuple[str, int]]:
    rows = Event.select().where(Event.kind == "admin_alert").order_by(Event.id)
    return [(row.payload["reason"], row.payload["event"]) for row in rows]


@pytest.mark.parametrize("refusal", [ChannelInvalid(), Forbidden(), NotAcceptable()])
async def test_an_event_refused_for_good_is_given_up_and_told(
    database_file: Path, tmp_path: Path, refusal: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    users.seen(7, "Lucía", None, "en", int(time.time()))
    access.give(7, 1, seconds=60, reason="test", by=None, now=int(time.time()))
    await told_to_customers(tmp_path, Post({7: refusal}))
    lost = Event.get(Event.kind == "access_given")
    assert lost.heard_at is not None, "and is not tried again for ever"
    assert alerts() == [("event_not_told", lost.id)]
    (said,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(said)["event"] == lost.id


async def test_an_event_without_a_text_is_given_up_after_tries(database_file: Path, tmp_path: Path) -> None:
    users.seen(7, "Lucía", None, "en", int(time.time()))
    access.give(7, 1, seconds=60, reason="test", by=None, now=int(time.time()))
    for attempt in range(outbox_worker.MAX_ATTEMPTS):
        assert Event.get(Event.kind == "access_given").heard_at is None, f"given up after {attempt}"
        Event.update(not_before=0).execute()
        await told_to_customers(tmp_path, Post({7: KeyError("until")}))
    lost = Event.get(Event.kind == "access_given")
    assert lost.heard_at is not None and alerts() == [("event_not_told", lost.id)]


async def test_an_alert_without_words_makes_no_further_alert(database_file: Path, tmp_path: Path) -> None:
    health.open_incident("disk_nearly_full", "97 % full", int(time.time()))
    Event.update(attempts=outbox_worker.MAX_ATTEMPTS).execute()
    await told_of_an_incident(tmp_path, Post(dict.fromkeys((1, 2, 3), KeyError("text"))))
    assert Event.get().heard_at is not None and alerts() == []


async def test_of_lost_news_about_money_each_is_reported(database_file: Path, tmp_path: Path) -> None:
    users.seen(7, "Lucía", None, "en", int(time.time()))
    for _ in range(2):
        access.give(7, 1, seconds=60, reason="test", by=None, now=int(time.time()))
        with database.transaction():
            outbox.append(CheckoutCancelled(order="x", plan="premium"), 7, int(time.time()))
    await told_to_customers(tmp_path, Post({7: ChannelInvalid()}))
    kinds = [Event.get_by_id(event).kind for _, event in alerts()]
    assert sorted(kinds) == ["access_given", "access_given", "checkout_cancelled"]
