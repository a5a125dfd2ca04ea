"""The edges of what customers press and type: data that names nothing, rows of nobody, what is not for sale."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyrogram.enums import MessageMediaType
from pyrogram.errors import InternalServerError
from pyrogram.types import MessageOriginHiddenUser

from config.plans import Plans
from config.texts import translator
from daemon.handlers import console
from daemon.screens import account, checkout, codes, consent, notices, support
from models import users
from models.catalogue import Catalogue
from models.event_kinds import ConsoleAsked
from models.jobs import queue
from models.maintenance import personal_data
from models.money import access, orders, payments
from models.money.orders import OrderInfo
from models.money.vouchers import contents
from models.outbox import EventInfo
from models.promotion import codes as made
from models.promotion import complaints
from models.promotion.codes import CodeInfo, Draft, Fault, Found
from models.promotion.consent import Place
from models.tables import Code, Complaint, ConsoleLink, Order, Redemption
from tests import purchases
from tests.handling import ADMIN, Handling, handling
from tests.store import PLANS, customers, enqueue

CUSTOMER, OTHER = 801, 802
PEOPLE = (CUSTOMER, OTHER, ADMIN)
T = translator("en")


def now() -> int:
    return int(time.time())


# Links in line


def in_line() -> list[str]:
    """The customer's links that wait, by the update that they came with."""
    return sorted(job.link.rpartition("/")[2] for job in queue.waiting(CUSTOMER))


async def test_of_several_links_a_customer_chooses(handled: Handling) -> None:
    jobs = {key: enqueue(CUSTOMER, key).id for key in ("a", "b", "c", "d")}
    for nothing in ("cancel:", "cancel:x", "cancel_batch:", "cancel_batch:x", "drop:", "drop:x", "waiting"):
        await handled.press(CUSTOMER, nothing, message_id=7)
    (shown,) = await handled.say(CUSTOMER, "/cancel")
    assert shown == account.waiting(T, queue.waiting(CUSTOMER)) and in_line() == ["a", "b", "c", "d"]
    await handled.press(CUSTOMER, f"drop:{jobs['b']}", message_id=7)
    assert in_line() == ["a", "c", "d"]
    await handled.press(CUSTOMER, f"cancel:{jobs['c']}", message_id=7)
    assert in_line() == ["a", "d"]
    (shown,) = await handled.press(CUSTOMER, "drop:all", message_id=7)
    assert shown == account.cancelled(T, 2, ()) and in_line() == []


async def test_a_single_link_is_cancelled_at_once(handled: Handling) -> None:
    enqueue(CUSTOMER, "a")
    enqueue(OTHER, "b")
    assert await handled.say(CUSTOMER, "/cancel") == [account.cancelled(T, 1, ())]
    assert in_line() == [] and len(queue.waiting(OTHER)) == 1


async def test_how_many_links_somebody_may_send(database_file: Path) -> None:
    customers(CUSTOMER, OTHER, ADMIN)
    access.give(OTHER, 1, seconds=3600, reason="test", by=None, now=now())
    async with handling(database_file, LINKS_PER_HOUR="2", LINKS_PER_DAY="2") as handled:
        for person in (CUSTOMER, OTHER, ADMIN):
            await handled.say(person, " ".join(f"https://t.me/channel/{number}" for number in range(1, 6)))
    lines = {person: queue.waiting(person) for person in (CUSTOMER, OTHER, ADMIN)}
    assert {person: len(jobs) for person, jobs in lines.items()} == {CUSTOMER: 2, OTHER: 5, ADMIN: 5}
    priorities = {person: {job.priority for job in jobs} for person, jobs in lines.items()}
    assert priorities == {CUSTOMER: {0}, OTHER: {1}, ADMIN: {0}}


# What is kept of a customer


async def test_reminders_are_kept_as_they_were_chosen(handled: Handling) -> None:
    for typed, on in (("off", False), ("on", True), ("no", False), ("", True)):
        await handled.say(CUSTOMER, f"/reminders {typed}".rstrip())
        assert users.get(CUSTOMER).reminders is on, typed  # type: ignore[union-attr]
    await handled.press(CUSTOMER, "reminders:off", message_id=7)
    assert not users.get(CUSTOMER).reminders  # type: ignore[union-attr]


async def test_what_was_said_of_news_is_kept_with_the_words(handled: Handling) -> None:
    asked, silent = consent.offer(T).text, consent.quiet(T, Place.NEWS).text
    await handled.press(CUSTOMER, "news_yes", message_id=7)
    for stop in (handled.say(CUSTOMER, "/quiet"), handled.press(CUSTOMER, "quiet", message_id=7)):
        (screen,) = await stop
        await handled.press(CUSTOMER, screen.keyboard[0][0].data, message_id=7)
    await handled.press(CUSTOMER, "news_no", message_id=7)
    said = [(row["answer"], row["place"], row["words"]) for row in personal_data.page(CUSTOMER, "said_of_news").rows]
    assert said == [
        ("yes", "delivery", asked),
        ("no", "command", silent),
        ("yes", "command", silent),
        ("no", "news", silent),
        ("yes", "news", silent),
        ("no", "delivery", asked),
    ]
    assert not personal_data.page(OTHER, "said_of_news").rows


async def test_nothing_is_deleted_before_it_is_confirmed(handled: Handling) -> None:
    for data in ("erase", "erase:", "erase:no", "erase:Yes"):
        await handled.press(CUSTOMER, data, message_id=7)
        assert not users.get(CUSTOMER).erased, data  # type: ignore[union-attr]
    await handled.say(CUSTOMER, "/deletemydata yes")
    assert not users.get(CUSTOMER).erased  # type: ignore[union-attr]
    await handled.press(CUSTOMER, "erase:yes", message_id=7)
    gone = users.get(CUSTOMER)
    assert gone is None or gone.erased
    assert not users.get(OTHER).erased  # type: ignore[union-attr]


async def test_a_deep_link_names_nobody(handled: Handling) -> None:
    """An admin who follows one is shown their own screen."""
    (shown, *_) = await handled.say(ADMIN, "/start history")
    assert "Your payments" in shown.text


async def test_an_album_of_files_is_answered_once(handled: Handling) -> None:
    photo: dict[str, Any] = {"media": MessageMediaType.PHOTO}
    hidden = photo | {"forward_origin": MessageOriginHiddenUser(sender_user_name="Ana")}
    for more, notice in ((photo, notices.no_media), (hidden, notices.no_origin)):
        album = more | {"media_group_id": 10 + len(more)}
        read = [await handled.say(CUSTOMER, None, **album) for _ in range(3)]
        assert read == [[notice(T)], [], []]
        assert await handled.say(OTHER, None, **album) == [notice(T)]
        assert await handled.say(CUSTOMER, None, **more) == [notice(T)], "by itself it is another wish"


# What is sold


def ordered() -> list[OrderInfo]:
    return [found for row in Order.select().order_by(Order.id) if (found := orders.get(row.id)) is not None]


def selling(handled: Handling, plans: Plans) -> None:
    """Let these plans hold."""
    handled.deps = replace(handled.deps, catalogue=Catalogue(plans))


@pytest.fixture
def other_plans(handled: Handling) -> None:
    """Premium has left the shelf, VIP is sold by PayPal alone, and so are the packs."""
    free, premium, vip = PLANS.plans
    packs = tuple(replace(each, prices={"USD": 100}) for each in PLANS.packs)
    sold = (free, replace(premium, on_sale=False), replace(vip, prices={"USD": 1000}))
    selling(handled, replace(PLANS, plans=sold, packs=packs))


@pytest.mark.usefixtures("other_plans")
async def test_what_is_not_for_sale_is_not_sold(handled: Handling) -> None:
    code = discount(50)
    not_for_stars = ["free", "premium", "vip", "video_1", "nothing", ""]
    for article in not_for_stars:
        for data in ("buy:{}", "buy_anyway:{}", "gift_buy:{}", f"buy_with:{{}}:{code.text}"):
            assert await handled.press(CUSTOMER, data.format(article), message_id=7) == [checkout.not_on_sale(T)], data
    for article in ("premium", "nothing", ""):
        assert await handled.press(CUSTOMER, f"article:{article}", message_id=7) == [checkout.not_on_sale(T)]
    assert ordered() == [] and handled.deps.stars.asked == []  # type: ignore[attr-defined]


async def test_what_is_sold_is_as_it_was_pressed(handled: Handling) -> None:
    code = discount(50)
    for data in ("buy:premium", "gift_buy:vip", f"buy_with:vip:{code.text}", "buy:video_1"):
        await handled.press(CUSTOMER, data, message_id=7)
    assert [(each.plan_code, each.purpose, each.amount, each.user_id) for each in ordered()] == [
        ("premium", "plan", 500, CUSTOMER),
        ("vip", "gift", 1000, CUSTOMER),
        ("vip", "plan", 500, CUSTOMER),
        ("video_1", "pack", 25, CUSTOMER),
    ]
    assert handled.deps.stars.asked == [each.public_id for each in ordered()]  # type: ignore[attr-defined]


async def test_a_discount_is_for_what_does_not_renew(handled: Handling) -> None:
    free, premium, vip = PLANS.plans
    selling(handled, replace(PLANS, plans=(free, replace(premium, renews=True), vip)))
    code = discount(50)
    assert await handled.press(CUSTOMER, f"buy_with:premium:{code.text}", message_id=7) == [checkout.not_on_sale(T)]
    assert ordered() == []


async def test_a_code_is_what_it_is(handled: Handling) -> None:
    reduced, given = discount(50), code_for(CUSTOMER)
    setting = codes.Setting(T, PLANS, handled.deps.settings.timezone, "")
    # Given codes that are none, or of the other kind
    for text, known in (("WRONG", None), (given.text, given)):
        found = Found(known, None if known else Fault.UNKNOWN)
        for button in ("buy_with_anyway", "buy_with"):
            assert await handled.press(CUSTOMER, f"{button}:vip:{text}", 7) == [codes.refused(setting, found)]
    assert await handled.press(CUSTOMER, f"take:{reduced.text}", 7) == [codes.refused(setting, Found(reduced))]
    # Then nothing was sold or redeemed
    assert ordered() == [] and not Redemption.select().exists()
    assert await handled.press(CUSTOMER, f"take:{given.text}", 7) == [codes.taken(setting, given)]
    assert access.of(CUSTOMER, now()).level == 1
    assert await handled.press(CUSTOMER, f"take:{given.text}", 7) == [
        codes.refused(setting, Found(given, Fault.REDEEMED))
    ]


def discount(percent: int) -> CodeInfo:
    return made.make(Draft(None, percent, None, None, new_only=False), ADMIN, f"message:{percent}", now())


def code_for(user_id: int) -> CodeInfo:
    """A code that gives 30 days of Premium to one customer."""
    content = contents.of_article(PLANS.plans[1])
    return made.make(Draft(content, None, 1, None, new_only=False), ADMIN, f"for {user_id}", now())


@pytest.mark.parametrize("around", ["({})", "<{}>", "«{}»:", "“{}”,", "[{}]", "'{}'.", "{}!"])
async def test_a_post_is_complained_about_however_it_is_quoted(handled: Handling, around: str) -> None:
    await handled.say(CUSTOMER, f"/report {around.format('https://t.me/gallery/15')} is mine")
    assert [(row.link, row.text) for row in Complaint.select()] == [("t.me/gallery/15", "is mine")]


async def test_a_complaint_is_taken_whole_or_not_at_all(handled: Handling) -> None:
    longest = "x" * complaints.LONGEST_TEXT
    (shown,) = await handled.say(CUSTOMER, f"/report t.me/gallery/15 {longest}x")
    assert f"{complaints.LONGEST_TEXT} characters at most" in shown.text and not Complaint.select().exists()
    await handled.say(CUSTOMER, f"/report t.me/gallery/15 {longest}")
    assert [row.text for row in Complaint.select()] == [longest]


async def test_a_gift_that_was_taken_is_not_passed_on(handled: Handling) -> None:
    order = purchases.order(CUSTOMER, PLANS.plans[1], now=now(), purpose="gift")
    payments.settle(purchases.fact(order, now()), now())
    (gift,) = made.unopened_of(CUSTOMER)
    for person, is_theirs in ((CUSTOMER, True), (OTHER, False)):
        (shown,) = await handled.press(person, f"gift_card:{gift.id}", message_id=7)
        assert (gift.text in f"{shown.text}{shown.keyboard}".replace("-", "")) is is_theirs, person
    await handled.press(OTHER, f"take:{gift.text}", message_id=7)
    (shown,) = await handled.press(CUSTOMER, f"gift_card:{gift.id}", message_id=7)
    assert gift.text not in f"{shown.text}{shown.keyboard}".replace("-", "")
    assert access.of(OTHER, now()).level == 1


async def test_of_many_gifts_the_newest_have_buttons(handled: Handling) -> None:
    for number in range(101):
        order = purchases.order(CUSTOMER, PLANS.plans[1], now=now(), purpose="gift")
        payments.settle(purchases.fact(order, now(), f"stx{number}"), now())
    (shown,) = await handled.say(CUSTOMER, "/gift")
    buttons = [button for row in shown.keyboard for button in row]
    assert len(buttons) <= 100, "Telegram takes no more"
    known = [f"gift_card:{each.id}" for each in made.unopened_of(CUSTOMER, made.SHOWN)]
    assert [button.data for button in buttons if button.data.startswith("gift_card")] == known
    assert len(known) == made.SHOWN and "further up in this chat" in shown.text
    # One older than those is reached by its code
    oldest = Code.select().order_by(Code.id).first()
    (card,) = await handled.say(CUSTOMER, f"/code {oldest.text}")
    assert oldest.text in str(card.keyboard)


# Payments that somebody asks for


async def test_a_payment_is_shown_to_who_paid(handled: Handling) -> None:
    order = purchases.order(OTHER, now=now())
    payments.settle(purchases.fact(order, now(), "stxOthers1"), now())
    for number in ("stxOthers1", "stxNobodys"):
        assert await handled.say(CUSTOMER, f"/paysupport {number}") == [support.not_found(T, None)]
    (shown,) = await handled.say(OTHER, "/support stxOthers1")
    assert "I found your payment" in shown.text
    assert await handled.say(CUSTOMER, "/paysupport a b") == [support.not_a_number(T)]


@pytest.mark.parametrize("error", [InternalServerError(), TimeoutError()])
async def test_where_telegram_does_not_answer_it_is_said(handled: Handling, error: Exception) -> None:
    failing(handled, error)
    assert await handled.say(CUSTOMER, "/paysupport stxNobodys") == [support.cannot_tell(T)]


def failing(handled: Handling, error: Exception) -> None:
    async def look_up(*_: object) -> None:
        raise error

    stars: Any = handled.deps.stars
    stars.look_up = look_up


async def test_telegram_is_asked_for_so_many_payments(handled: Handling) -> None:
    order = purchases.order(CUSTOMER, now=now())
    payments.settle(purchases.fact(order, now(), "stxKnown1"), now())
    answers = [await handled.say(CUSTOMER, f"/paysupport stxNobodys{number}") for number in range(11)]
    assert answers[:10] == [[support.not_found(T, None)]] * 10
    assert "ask again" in answers[10][0].text
    assert len(handled.deps.stars.asked) == 10  # type: ignore[attr-defined]
    # What is known here needs nobody to be asked, and another customer has asked for nothing
    (shown,) = await handled.say(CUSTOMER, "/paysupport stxKnown1")
    assert "I found your payment" in shown.text
    assert await handled.say(OTHER, "/paysupport stxNobodys0") == [support.not_found(T, None)]


# Links into the console


@pytest.mark.parametrize(
    ("person", "url", "comes"),
    [(ADMIN, "https://shop.example", True), (CUSTOMER, "https://shop.example", False), (ADMIN, "", False)],
)
async def test_a_link_into_the_console_is_the_teams(database_file: Path, person: int, url: str, comes: bool) -> None:
    customers(CUSTOMER, ADMIN)
    asked = EventInfo(1, ConsoleAsked.event_kind, person, ConsoleAsked(path="/console/").stored(), 5, 0, 0)
    async with handling(database_file, **({"BACKEND_URL": url} if url else {})) as handled:
        await console.send_link(handled.deps, asked)
        assert len(handled.said.screens) == ConsoleLink.select().count() == comes


async def test_a_sum_is_of_its_span(handled: Handling) -> None:
    day = 86_400
    for days, amount in ((0, 1), (1, 20), (5, 300), (20, 4_000), (45, 50_000)):
        at = now() - days * day
        order = purchases.order(CUSTOMER, purchases.plan("premium", 1, XTR=amount), now=at)
        payments.settle(purchases.fact(order, at), at)
    (shown,) = await handled.say(ADMIN, "/income")
    told = dict(line.split(": ", 1) for line in shown.text.splitlines() if ": " in line)
    sums = {
        "Today": "1",
        "Yesterday": "20",
        "7 days": "321",
        "30 days": "4321",
        "• Premium": "4321",
        "• Stars": "4321",
    }
    assert {span: re.split(r"\s", told[span])[0] for span in sums} == sums
