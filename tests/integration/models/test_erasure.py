"""A customer sees all that is stored about him, and can have it taken out, ledger and limits apart."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config import settings
from daemon.canary import Canary
from daemon.database import Database
from daemon.telegram.sender import Sender
from daemon.telegram.session_file import SessionFile
from daemon.transfer.progress import FIRST_S, ProgressMessages
from daemon.transfer.run import Run
from daemon.wakeup import Wakeup, Watcher
from models import database, outbox, users
from models.errors import LeaseLost, NotFound
from models.jobs import batches, queue, sources, uploads, usage
from models.jobs.queue import Delivered
from models.jobs.reasons import RefusalReason
from models.jobs.uploads import UploadInfo
from models.maintenance import health, personal_data, privacy
from models.money import access, payments, provider_requests, subscriptions, webhooks
from models.money.provider_requests import RequestKind
from models.tables import Batch, Erasure, Event, Job, Join, PaymentHistory, SourceOpening, Usage, User, WebhookEvent
from tests import environment, purchases
from tests.store import FREE, NOW, claim, deliver, enqueue, exported, many_links, new_batch

UTC = ZoneInfo("UTC")
SECRETS = ("Penélope", "penelope_g", "private_link", "invite_of_hers", "her mother said", "es-AR")


@pytest.fixture
def penelope(database_file: Path) -> int:
    """A customer with a past: links, a purchase, a gift, an invitation, a refund asked for."""
    user = 77
    users.seen(user, "Penélope", "penelope_g", "es-AR", NOW - 86_400)
    users.set_language(user, "en", NOW)
    users.seen(78, "Brought by her", None, "es", NOW)
    User.update(referred_by=user).where(User.id == 78).execute()
    bought = purchases.order(user, purchases.PREMIUM, "paypal")
    payments.settle(purchases.fact(bought, NOW, remote_id="CAPTURE1"), NOW)
    access.give(user, 2, seconds=86_400, reason="her mother said", by=1, now=NOW)
    deliver(user, "private_link/1", now=NOW - 86_400)
    deliver(user, "private_link/2")
    links = ("https://t.me/private_link/3", "https://t.me/private_link/4")
    batches.enqueue(new_batch(user, "b", links), 9, NOW)
    sources.remember(5, None, "Her channel", protected=False, now=NOW)
    sources.open_for(user, 5, NOW, invite_hash="invite_of_hers")
    sources.begin_join(user, "invite_of_hers", usage.day_of(NOW, UTC), 10, NOW)
    return user


def dump() -> str:
    """Every value of every table."""
    with closing(sqlite3.connect(database.bound.database)) as connection:
        return "\n".join(connection.iterdump())


def test_everything_that_is_known_is_shown(penelope: int) -> None:
    shown = exported(penelope)

    text = json.dumps(shown, ensure_ascii=False)
    for secret in SECRETS:
        assert secret in text
    assert shown["person"][0]["first_name"] == "Penélope"
    assert shown["person"][0]["created_at"] == "2027-01-14T08:00:00+00:00"
    assert [link["state"] for link in shown["links"]] == ["done", "done", "queued", "queued"]
    assert shown["payments"][0]["remote_id"] == "CAPTURE1"
    assert shown["opened_chats"][0]["title"] == "Her channel"
    assert "Brought by her" not in text


def test_news_and_notifications_are_shown_too(penelope: int) -> None:
    for number in (1, 2):
        capture = f"CAPTURE{number}"
        body = json.dumps({"resource": {"id": capture}})
        webhooks.receive("paypal", f"WH-{number}", "PAYMENT.CAPTURE.COMPLETED", capture, body, NOW)
    WebhookEvent.update(state="done", done_at=NOW).execute()

    shown = exported(penelope)

    assert shown["notifications"] == [
        {
            "event_type": "PAYMENT.CAPTURE.COMPLETED",
            "resource_id": "CAPTURE1",
            "state": "done",
            "received_at": "2027-01-15T08:00:00+00:00",
            "done_at": "2027-01-15T08:00:00+00:00",
        }
    ]
    told = {news["kind"]: news["payload"] for news in shown["news"]}
    assert told["payment_completed"]["remote_id"] == "CAPTURE1"
    assert told["access_given"]["reason"] == "her mother said"


def test_what_an_admin_is_told_of_others_is_not_theirs(database_file: Path) -> None:
    customer, admin = purchases.customer(), 4242
    payments.settle(purchases.fact(purchases.order(customer), NOW), NOW)
    (payment,) = payments.history_of(customer)
    provider_requests.finish(payments.ask_refund(payment.id, None, admin, NOW), "refunded", NOW)

    assert exported(admin)["news"] == []


def test_who_asks_for_their_data_first_has_them_first(database_file: Path) -> None:
    for user in (1, 2):
        users.seen(user, "P.", None, "en", NOW)
    assert personal_data.next_asked(NOW) is None
    assert not personal_data.ask(2, NOW)
    assert personal_data.ask(1, NOW + 1), "another one waits"
    personal_data.ask(2, NOW + 2)
    assert personal_data.next_asked(NOW + 2) == 2
    # One that cannot be sent waits, and keeps nobody from theirs
    assert personal_data.failed(2, NOW + 60)
    assert personal_data.next_asked(NOW + 3) == 1
    assert personal_data.next_asked(NOW + 60) == 2
    personal_data.done(2)
    assert personal_data.next_asked(NOW + 60) == 1


def test_an_export_is_tried_so_often(database_file: Path) -> None:
    for user in (1, 2):
        users.seen(user, "P.", None, "en", NOW)
        personal_data.ask(user, NOW)
    tries = [personal_data.failed(1, NOW) for _ in range(personal_data.MAX_ATTEMPTS)]
    assert tries == [True] * (personal_data.MAX_ATTEMPTS - 1) + [False]
    assert personal_data.next_asked(NOW) == 2
    personal_data.ask(1, NOW + 1)
    assert personal_data.failed(1, NOW + 1), "who asks again has all attempts"


def test_of_many_links_is_said_that_they_take_a_while(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_data, "LONG", 3)
    users.seen(1, "P.", None, "en", NOW)
    for number in range(4):
        personal_data.done(1)
        assert not personal_data.ask(1, NOW), number
        enqueue(1, f"{number}")
    personal_data.done(1)
    assert personal_data.ask(1, NOW)


def test_nobody_elses_is_shown(penelope: int) -> None:
    deliver(78, "other_link/1")

    assert "other_link" not in json.dumps(exported(penelope))
    assert "private_link" not in json.dumps(exported(78))
    assert all(not rows for rows in exported(999).values())


def test_the_person_goes_and_the_ledger_stays(penelope: int) -> None:
    before = payments.history_of(penelope), access.of(penelope, NOW), PaymentHistory.select().count()
    left = usage.left(penelope, FREE, usage.day_of(NOW, UTC)), usage.total(penelope)
    content = dump()
    assert all(secret in content for secret in SECRETS)

    privacy.erase(penelope, UTC, NOW + 1, secret_key="key")

    content = dump()
    assert [secret for secret in SECRETS if secret in content] == []
    assert (payments.history_of(penelope), access.of(penelope, NOW), PaymentHistory.select().count()) == before
    assert payments.audit() == []
    assert (usage.left(penelope, FREE, usage.day_of(NOW, UTC)), usage.total(penelope)) == left, "no second free videos"
    assert (Job.select().count(), Batch.select().count()) == (0, 0)
    left = User.get_by_id(penelope)
    assert (left.first_name, left.username, left.language_code, left.language) == ("", None, None, None)
    assert (left.accepted_terms_at, left.reminders, left.erased_at) == (None, False, NOW + 1)
    assert User.get_by_id(78).referred_by is None
    assert users.totals(NOW).users == 1


def test_who_writes_again_begins_anew(penelope: int) -> None:
    privacy.erase(penelope, UTC, NOW + 1, secret_key="key")

    again = users.seen(penelope, "P.", None, "en", NOW + 100)

    assert (again.first_name, again.language, again.created_at, again.reminders) == ("P.", "en", NOW + 100, True)
    assert User.get_by_id(penelope).erased_at is None
    assert access.of(penelope, NOW + 100).level == 2, "what was paid for is still hers"
    assert privacy.finish(UTC, NOW + 200) == 0
    assert users.totals(NOW).users == 2


def test_nobody_of_that_id_is_erased(database_file: Path) -> None:
    with pytest.raises(NotFound):
        privacy.erase(404, UTC, NOW, secret_key="key")
    users.seen(1, "P.", None, "en", NOW)
    assert privacy.erase(1, UTC, NOW, secret_key="key"), "there was little to delete"
    assert privacy.finish(UTC, NOW) == 0 and Event.select().count() == 0


def test_a_nameless_person_is_not_taken_for_fresh(database_file: Path) -> None:
    users.seen(1, "", None, None, NOW)
    privacy.erase(1, UTC, NOW + 1, secret_key="key")

    users.seen(1, "", None, None, NOW + 2)

    assert User.get_by_id(1).erased_at is None


def test_the_shut_out_stay_shut_out(penelope: int) -> None:
    users.ban(penelope, NOW)
    privacy.erase(penelope, UTC, NOW + 1, secret_key="key")
    assert users.seen(penelope, "P.", None, "en", NOW + 100).banned


def test_what_renews_is_asked_to_stop(database_file: Path) -> None:
    user = purchases.customer()
    bought = purchases.order(user, purchases.MONTHLY)
    payments.settle(purchases.fact(bought, NOW), NOW)
    assert subscriptions.active(user, "monthly")

    privacy.erase(user, UTC, NOW + 1, secret_key="key")

    asked = provider_requests.claim("stars", NOW + 2)
    assert asked is not None and asked.kind is RequestKind.CANCEL_SUBSCRIPTION


def test_what_is_being_sent_is_forgotten_when_it_has_ended(penelope: int) -> None:
    queue.cancel(penelope, None, NOW)
    enqueue(penelope, "last_link/1", now=NOW)
    job = claim("w")
    queue.delivering(job.id, "w", NOW)
    (random_id,) = queue.plan_messages(job.id, 1, NOW)

    assert privacy.erase(penelope, UTC, NOW + 1, secret_key="key"), "all that can be deleted now"
    assert queue.get(job.id).state == "delivering"
    privacy.finish(UTC, NOW + 2)
    assert queue.get(job.id).state == "delivering"

    queue.finish(job.id, "w", Delivered({random_id: 7}), NOW + 3)
    assert privacy.finish(UTC, NOW + 4) == 1
    assert "last_link" not in dump()


def test_the_next_batch_that_has_the_number_of_hers_is_told_of(database_file: Path) -> None:
    # Given a batch of hers that ends after she has had herself taken out
    users.seen(7, "P.", None, "en", NOW)
    hers = batches.enqueue(new_batch(7, "hers", ("https://t.me/private_link/1",)), 9, NOW)
    job = claim("w")
    queue.delivering(job.id, "w", NOW)
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    privacy.erase(7, UTC, NOW + 1, secret_key="key")
    queue.finish(job.id, "w", Delivered({random_id: 7}), NOW + 2)
    privacy.finish(UTC, NOW + 3)
    # When somebody else's batch is given its number
    users.seen(8, "Ana", None, "en", NOW + 4)
    his = batches.enqueue(new_batch(8, "his", ("https://t.me/channel/1",)), 9, NOW + 4)
    assert his == replace(hers, user_id=8, chat_id=8, created_at=NOW + 4)
    queue.refuse(claim("w", NOW + 5).id, "w", RefusalReason.NOT_FOUND, NOW + 5)
    # Then he hears of its end, and she of nothing
    assert [(event.kind, event.user_id) for event in outbox.due(NOW + 9)] == [("batch_finished", 8)]


def test_nothing_more_is_written_to_her_but_news_of_money(penelope: int) -> None:
    privacy.erase(penelope, UTC, NOW + 1, secret_key="key")

    waiting: list[Any] = [event for event in outbox.due(NOW + 10) if event.user_id == penelope]
    assert {event.kind for event in waiting} == {"payment_completed"}
    assert Event.select().where(Event.payload.contains("mother")).count() == 0


ROWS = 1_100


@pytest.fixture(scope="module")
def long_past(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a customer, 7, with more of everything than one step deletes."""
    file = tmp_path_factory.mktemp("long_past") / "peaje.db"
    shutil.copy(migrated, file)
    database.open_database(file)
    users.seen(7, "P.", None, "es", NOW - 86_400)
    many_links(7, ROWS)
    for number in range(ROWS):
        users.seen(1000 + number, "Brought", None, "es", NOW)
        sources.remember(number, None, "A chat", protected=False, now=NOW)
        access.give(7, 1, seconds=60, reason="private_reason", by=1, now=NOW)
    User.update(referred_by=7).where(User.id >= 1000).execute()
    with database.transaction():
        for number in range(ROWS):
            SourceOpening.create(user=7, source=number, invite_hash="private_hash", at=NOW)
            Join.create(user=7, source=number, invite_hash="private_hash", day="2027-01-15", outcome="joined", at=NOW)
    for number in range(150):
        enqueue(7, f"private_waiting/{number}")
    database.close_database()
    return file


@pytest.fixture
def busy(long_past: Path, tmp_path: Path) -> Iterator[int]:
    """That customer, in a database of the test's own."""
    shutil.copy(long_past, tmp_path / "peaje.db")
    database.open_database(tmp_path / "peaje.db")
    yield 7
    database.close_database()


def test_a_long_past_is_shown_whole_and_once(busy: int) -> None:
    shown = exported(busy)

    assert [len(shown[name]) for name in ("links", "use", "given_and_taken", "news")] == [
        ROWS + 150,
        ROWS,
        ROWS,
        2 * ROWS,
    ]
    assert len({link["link"] for link in shown["links"]}) == ROWS + 150
    assert sum(used["count"] for used in shown["use"]) == ROWS


def test_a_long_past_goes_in_steps_any_may_be_the_last(busy: int) -> None:
    used = usage.total(busy)
    assert not privacy.erase(busy, UTC, NOW + 1, secret_key="key")
    assert User.get_by_id(busy).first_name == "", "who they are is forgotten at once"
    # When upkeep is killed after each step
    writes: list[int] = []
    for _ in range(1000):
        before = database.bound.connection().total_changes
        ended = privacy._advance(busy, UTC, NOW + 2)
        writes.append(database.bound.connection().total_changes - before)
        database.close_database()
        database.connect()
        if ended:
            break
    # Then it goes on where it was, each step is short, and nothing is left
    assert max(writes) < 5 * privacy.AT_ONCE
    assert "private_" not in dump()
    assert usage.total(busy) == used
    assert (Job.select().count(), Batch.select().count(), Erasure.select().count()) == (0, 0, 0)
    assert Usage.select().count() <= 2
    assert User.select().where(User.referred_by.is_null(False)).count() == 0
    (told,) = Event.select().where(Event.user_id == busy)
    assert (told.kind, told.payload) == ("data_erased", {"language": "es"})


def test_who_comes_back_while_it_goes_on_keeps_what_is_new(busy: int) -> None:
    assert not privacy.erase(busy, UTC, NOW + 1, secret_key="key")
    users.seen(busy, "P.", None, "en", NOW + 100)
    enqueue(busy, "new_link/1", now=NOW + 100)
    deliver(busy, "new_link/2", now=NOW + 101)

    assert privacy.finish(UTC, NOW + 200) == 1

    assert sorted(link["link"] for link in exported(busy)["links"]) == [
        "https://t.me/channel/new_link/1",
        "https://t.me/channel/new_link/2",
    ]
    assert User.get_by_id(busy).first_name == "P."
    assert "private_" not in dump()


def test_of_who_stays_away_what_came_later_goes_too(busy: int) -> None:
    """A worker may end a link, and write what it found, after the erasure was asked for."""
    assert not privacy.erase(busy, UTC, NOW + 1, secret_key="key")
    deliver(busy, "private_late/1", now=NOW + 101)

    assert privacy.finish(UTC, NOW + 200) == 1

    assert Job.select().count() == 0 and "private_" not in dump()


def test_an_erasure_asked_for_twice_is_one(busy: int) -> None:
    assert not privacy.erase(busy, UTC, NOW + 1, secret_key="key")
    assert not privacy.erase(busy, UTC, NOW + 2, secret_key="key")

    assert (privacy.finish(UTC, NOW + 3), privacy.finish(UTC, NOW + 4)) == (1, 0)

    assert Event.select().where(Event.kind == "data_erased").count() == 1


class Wall(Sender):
    """Where progress is shown: it remembers what hangs on it."""

    def __init__(self) -> None:
        self.shown: set[int] = set()

    async def send_screen(self, *_: object, **__: object) -> int:
        self.shown.add(5)
        return 5

    async def delete(self, chat_id: int, message_ids: Any) -> None:
        self.shown -= set(message_ids)


async def test_erasure_takes_down_the_progress_of_a_running_batch(database_file: Path) -> None:
    # Given a batch of which a link is being worked on, and its progress
    users.seen(7, "P.", None, "en", NOW)
    links = ("https://t.me/private_link/3", "https://t.me/private_link/4")
    batches.enqueue(new_batch(7, "b", links), 9, NOW)
    database, wall, run = Database(), Wall(), Run(claim("w"), lambda: True)
    messages = ProgressMessages(wall, database, lambda: [run])
    for moment in (0.0, FIRST_S):
        await messages.update(moment)
    await messages.drain()
    assert wall.shown
    # When she has herself taken out, and the worker has not heard of it yet
    await database(privacy.erase, 7, UTC, NOW + 1, secret_key="key")
    await messages.update(2 * FIRST_S)
    # Then it goes
    await messages.drain()
    assert not wall.shown
    await database.close()


async def test_the_canary_outlives_the_admin_it_sings_to(database_file: Path, tmp_path: Path) -> None:
    admin = 7
    users.seen(admin, "P.", None, "en", NOW)
    environ = {"ADMIN_IDS": str(admin), "CANARY_HOUR": "0", "CANARY_LINK": "https://t.me/channel/1"}
    database, up = Database(), asyncio.Event()
    canary = Canary(settings.load(environment.minimal(tmp_path) | environ, None), database, Wakeup(Watcher()))
    up.set()
    singing = asyncio.create_task(canary.run(up))
    # Given a canary that waits for its post to arrive, when the admin has himself taken out
    await until(lambda: bool(queue.waiting(admin)))
    await database(privacy.erase, admin, UTC, int(time.time()), secret_key="key")
    # Then it says that it has not heard, and goes on
    await until(lambda: bool(health.incidents()))
    assert health.incidents()[0].text == "the admin had their data deleted meanwhile"
    assert not singing.done()
    singing.cancel()
    await asyncio.wait({singing})
    await database.close()


async def test_the_bots_session_knows_no_names_of_persons(tmp_path: Path) -> None:
    session = SessionFile("bot", tmp_path, 9)
    await session.open()
    await session.user_id(9)
    await session.update_peers([(7, 1, "user", "34600000000"), (-1001, 2, "channel", None)])
    await session.update_usernames([(7, ["ana_private"]), (-1001, ["gallery"])])
    assert await session.get_peer_by_id(7) and await session.get_peer_by_username("gallery")
    await session.close()

    written = (tmp_path / "bot.session").read_bytes()
    assert b"gallery" in written
    assert b"ana_private" not in written and b"34600000000" not in written


async def test_a_canary_that_was_switched_off_does_not_stay_wrong(database_file: Path, tmp_path: Path) -> None:
    health.open_incident("canary_failed", "not within 600 s", NOW)
    database = Database()
    canary = Canary(settings.load(environment.minimal(tmp_path), None), database, Wakeup(Watcher()))
    singing = asyncio.create_task(canary.run(asyncio.Event()))

    await until(lambda: not health.incidents())

    singing.cancel()
    await asyncio.wait({singing})
    await database.close()


def test_a_worker_hears_that_an_erased_job_is_not_its_own(database_file: Path) -> None:
    users.seen(7, "P.", None, "en", NOW)
    enqueue(7, "private_link/1")
    job = claim("w")
    privacy.erase(7, UTC, NOW + 1, secret_key="key")

    with pytest.raises(LeaseLost):
        uploads.save(job.id, "w", UploadInfo(1, 2, 3, 8, b"\0"), NOW + 2)
    with pytest.raises(LeaseLost):
        queue.put_back(job.id, "w", NOW + 2, False, NOW + 2)
    with pytest.raises(LeaseLost):
        usage.reserve(job.id, 7, {"photo": 1}, FREE.limits, usage.day_of(NOW, UTC), NOW + 2)
    with pytest.raises(LeaseLost):
        queue.plan_messages(job.id, 1, NOW + 2)


async def until(look: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.05)
