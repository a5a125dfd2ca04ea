"""The edges of what the operator's people press and type: whose button it is, what is refused, what cannot be told."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyrogram.errors import ChannelPrivate, InternalServerError
from pyrogram.types import MessageOriginHiddenUser, MessageOriginUser, User

from config.texts import translator
from config.units import DAY_S
from daemon import commands
from daemon.handlers import broadcasts as handlers
from daemon.screens import account
from daemon.screens.operator import admin, broadcasts, customers
from daemon.transfer.errors import FloodWaitTooLong, PermanentFailure
from models import audit, conversations, users
from models.audit import Wanted
from models.books import totals
from models.jobs import sources
from models.jobs.reasons import RefusalReason
from models.maintenance import refusals
from models.money import access, payments, subscriptions
from models.money.payments import PaymentInfo
from models.promotion import broadcasts as sent
from models.promotion import codes, complaints, referrals
from models.promotion.broadcasts import BroadcastInfo, BroadcastState, Content
from models.promotion.complaints import ComplaintInfo
from models.roles import Act
from models.tables import Broadcast, Budget, Code, Job, Order, Request
from tests import purchases
from tests.handling import ADMIN, SECOND_ADMIN, Handling, handling
from tests.sandbox_process import REPOSITORY
from tests.store import PLANS, enqueue
from tests.store import customers as known

CUSTOMER, OTHER, HELPER = 901, 902, 93
T = translator("en")


@pytest.fixture
async def handled(database_file: Path) -> AsyncIterator[Handling]:
    known(CUSTOMER, OTHER, ADMIN, SECOND_ADMIN)
    async with handling(database_file, HELPER_IDS=str(HELPER)) as built:
        yield built


def now() -> int:
    return int(time.time())


def paid(user_id: int, bought: Any = PLANS.plans[1], provider: str = "paypal", **more: Any) -> PaymentInfo:
    order = purchases.order(user_id, bought, provider, now=now() - 60)
    payments.settle(purchases.fact(order, now() - 60, **more), now() - 60)
    return payments.history_of(user_id)[0]


def levels(user_id: int) -> set[int]:
    """The levels that this person has now or later."""
    return {each.level for each in access.of(user_id, now()).intervals if each.end is None or each.end > now()}


# One customer's plans and money


async def test_one_plan_is_taken_or_all(handled: Handling) -> None:
    for person in (CUSTOMER, OTHER):
        for plan in PLANS.plans[1:]:
            paid(person, plan)
    await handled.say(ADMIN, f"/revoke {CUSTOMER} vip")
    assert levels(CUSTOMER) == {1}
    await handled.say(ADMIN, f"/revoke {CUSTOMER} all")
    assert levels(CUSTOMER) == set()
    assert levels(OTHER) == {1, 2}
    await handled.say(ADMIN, f"/revoke {OTHER}")
    assert levels(OTHER) == set()


async def test_a_part_that_goes_back_ends_no_renewal(handled: Handling) -> None:
    payment = paid(CUSTOMER, purchases.MONTHLY, subscription_remote_id="I-1", period_end=now() + DAY_S)
    (shown,) = await handled.say(ADMIN, f"/refund {payment.remote_id} 1.00")
    assert shown == admin.refund_asked(T, 100, "USD", ended=False)
    assert [(row.kind, row.amount) for row in Request.select()] == [("refund", 100)]


async def test_the_rest_goes_back_with_its_renewal(handled: Handling) -> None:
    payment = paid(CUSTOMER, purchases.MONTHLY, subscription_remote_id="I-1", period_end=now() + DAY_S)
    purchases.refund("paypal", payment.remote_id, "R-1", 100, now(), now())
    (shown,) = await handled.say(ADMIN, f"/refund {payment.remote_id}")
    assert shown == admin.refund_asked(T, 400, "USD", ended=True)
    assert sorted((row.kind, row.amount) for row in Request.select()) == [
        ("cancel_subscription", None),
        ("refund", 400),
    ]
    (renewal,) = subscriptions.of(CUSTOMER)
    assert renewal.user_id == CUSTOMER


async def test_what_cannot_go_back_is_not_asked_for(handled: Handling) -> None:
    returned, order = paid(CUSTOMER), purchases.order(OTHER, PLANS.plans[1], "paypal", now=now())
    purchases.refund("paypal", returned.remote_id, "R-1", returned.amount, now(), now())
    payments.settle(purchases.fact(order, now(), "by nobody", order_public_id="unknown", user_id=None), now())
    nobodys = payments.find("paypal", "by nobody")
    assert nobodys is not None and nobodys.user_id is None
    for row in (returned.id, nobodys.id, 999, "x"):
        assert await handled.press(ADMIN, f"refund_ask:{row}", 7) == [admin.nothing_left(T)], row
    for row in (999, "x"):
        assert await handled.press(ADMIN, f"refund_now:{row}", 7) == []
    assert not Request.select().exists()


@pytest.mark.parametrize("button", ["card", "ban_ask", "give_ask", "give_now"])
async def test_a_button_about_nobody_leads_home(handled: Handling, button: str) -> None:
    for row in ("999999", "x", "", "999999:1:1", f"{CUSTOMER}:0:1", f"{CUSTOMER}:x:1"):
        if button == "give_now" or not row.startswith(str(CUSTOMER)):
            (shown,) = await handled.press(ADMIN, f"{button}:{row}", 7)
            assert "Your plan" in shown.text, row
    assert levels(CUSTOMER) == set()


async def test_nobody_is_banned_by_a_button_without_a_row(handled: Handling) -> None:
    for row in ("", "x", "999999"):
        for button in ("ban_now", "unban_now"):
            (shown,) = await handled.press(ADMIN, f"{button}:{row}", 7)
            assert "I do not know" in shown.text
    await handled.press(ADMIN, f"ban_now:{CUSTOMER}", 7)
    banned = {person: users.get(person).banned for person in (CUSTOMER, OTHER)}  # type: ignore[union-attr]
    assert banned == {CUSTOMER: True, OTHER: False}


async def test_a_forward_of_somebody_unknown_is_told(handled: Handling) -> None:
    somebody = MessageOriginUser(sender_user=User(id=OTHER))
    (shown,) = await handled.say(ADMIN, "It does not work", forward_origin=somebody)
    assert str(OTHER) in shown.text
    for origin in (MessageOriginHiddenUser(sender_user_name="Ana"), MessageOriginUser(sender_user=User(id=999_999))):
        assert await handled.say(ADMIN, "It does not work", forward_origin=origin) == [customers.unknown(T)]
    # A customer is shown nobody's card
    (shown,) = await handled.say(CUSTOMER, "It does not work", forward_origin=somebody)
    assert str(OTHER) not in shown.text


@pytest.mark.parametrize("who", [ADMIN, HELPER])
async def test_what_is_forwarded_is_no_command(handled: Handling, who: int) -> None:
    """Somebody has written it in the hope that one of the team passes it on."""
    payment = paid(CUSTOMER, remote_id="5O190127TN364715T")
    texts = [
        f"/grant {OTHER} vip 7",
        f"\u200e/Grant@bot {OTHER} vip 7",
        f"/refund {payment.remote_id}",
        f"/ban {CUSTOMER}",
        f"/say {CUSTOMER} hello",
        "/start",
    ]
    before = users.get(CUSTOMER)
    for text in texts:
        (shown,) = await handled.say(who, text, forward_origin=MessageOriginUser(sender_user=User(id=OTHER)))
        assert f"<code>{OTHER}</code>" in shown.text, text
        hidden = MessageOriginHiddenUser(sender_user_name="Ana")
        assert await handled.say(who, text, forward_origin=hidden) == [customers.unknown(T)], text
    assert levels(OTHER) == set() and not Request.select().exists() and users.get(CUSTOMER) == before
    assert audit.newest(Wanted(), 10) == ()


async def test_an_admin_who_names_nobody_is_told(handled: Handling) -> None:
    for command in ("stats", "history"):
        assert await handled.say(ADMIN, f"/{command} 999999") == [admin.unknown_user(T, "999999")]
    (shown,) = await handled.say(CUSTOMER, f"/stats {OTHER}")
    assert account.name(users.get(OTHER)) not in shown.text  # type: ignore[arg-type]


async def test_a_customer_is_named_alike_in_each_command(handled: Handling) -> None:
    users.seen(7, "Ana", "ana_films", "en", now())
    for who in ("7", "@ana_films", "ANA_films", "t.me/ana_films", "https://t.me/ana_films", "tg://user?id=7"):
        for command in ("/user {}", "/say {} hello", "/stats {}", "/ban {}", "/unban {}", "/grant {} vip 7"):
            (shown,) = await handled.say(ADMIN, command.format(who))
            assert "<code>7</code>" in shown.text, command.format(who)


async def test_a_name_is_shown_of_its_last_holder_alone(handled: Handling) -> None:
    users.seen(7, "Ana", "ana_films", "en", now() - 60)
    users.seen(8, "Eva", "Ana_Films", "en", now())
    users.seen(9, "Ida", None, "en", now())
    first, last = [(await handled.say(ADMIN, f"/user {who}"))[0].text for who in (7, 8)]
    assert "films" not in first.lower() and "@Ana_Films" in last
    (shown,) = await handled.say(ADMIN, "@ana_films")
    assert "<code>8</code>" in shown.text
    # Who takes it back has it again
    users.seen(7, "Ana", "ana_films", "en", now())
    first, last = [(await handled.say(ADMIN, f"/user {who}"))[0].text for who in (7, 8)]
    assert "@ana_films" in first and "films" not in last.lower()


async def test_each_usage_says_what_stands_behind_the_command(handled: Handling) -> None:
    used = set()
    for name in commands.ADMIN_DESCRIPTIONS:
        for shown in await handled.say(ADMIN, f"/{name}"):
            used |= {name} if "Usage:" in shown.text else set()
            assert "Usage:" not in shown.text or shown.text.count(f"<code>/{name} ") == 2, name
    assert {"user", "say", "grant", "ban", "refund"} <= used


@pytest.mark.parametrize("sold", ["", "packs"])
async def test_where_no_plan_can_be_given_that_is_said(database_file: Path, tmp_path: Path, sold: str) -> None:
    text = (REPOSITORY / "plans.toml").read_text("utf-8")
    blocks = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    kept = ("[plans.free", f"[{sold}") if sold else ("[plans.free",)
    file = tmp_path / "plans.toml"
    file.write_text("".join(block for block in blocks if block.startswith(kept)), "utf-8")
    known(CUSTOMER, ADMIN)
    async with handling(database_file, PLANS_FILE=str(file)) as handled:
        for name in commands.ADMIN_DESCRIPTIONS:
            for shown in await handled.say(ADMIN, f"/{name}"):
                assert "Usage:" not in shown.text or shown.text.count(f"<code>/{name} ") == 2, name
        none = admin.which_plan(T, [])
        for typed in ("7", "vip 7", "7 vip", "forever"):
            (shown,) = await handled.say(ADMIN, f"/grant {CUSTOMER} {typed}")
            assert shown.text.startswith(none), typed
        (card,) = await handled.say(ADMIN, f"/user {CUSTOMER}")
        assert "days" not in str(card.keyboard)
        (asked,) = await handled.press(ADMIN, f"give_ask:{CUSTOMER}", 7)
        assert asked.text == none
    assert levels(CUSTOMER) == set()


async def test_a_card_tells_who_brought_whom(handled: Handling) -> None:
    terms = PLANS.referral
    assert terms is not None
    code = referrals.link(CUSTOMER, now())
    referrals.bring(code, OTHER, terms, secret_key="x" * 40, now=now())
    (bringer,) = await handled.say(ADMIN, f"/user {CUSTOMER}")
    (brought,) = await handled.say(ADMIN, f"/user {OTHER}")
    assert "Customers brought: 1" in bringer.text and "Brought by" not in bringer.text
    referrer = users.get(CUSTOMER)
    assert referrer is not None and f"Brought by: {admin.name(referrer)}" in brought.text


async def test_the_totals_know_links_that_are_counts_by_now(handled: Handling) -> None:
    timezone = handled.deps.settings.timezone
    for number in range(25):
        job = enqueue(CUSTOMER, f"{number}", now=now())
        Job.update(state="refused", reason="not_found", moved_at=now()).where(Job.id == job.id).execute()
    totals.keep(timezone, now() + 600)
    assert refusals.count(timezone, now() + 4000) == 15
    (shown,) = await handled.say(ADMIN, "/stats")
    assert "25 refused" in shown.text


# A helper


async def test_what_a_helper_is_refused_is_written(handled: Handling) -> None:
    (unknown,) = await handled.say(HELPER, "/no_such_command")
    assert await handled.say(HELPER, "/refund x") == [unknown]
    assert await handled.say(CUSTOMER, "/refund x") == [unknown]
    ((by, act, refused),) = [(row.by, row.act, row.refused) for row in audit.newest(Wanted(), 10)]
    assert (by, act, refused) == (HELPER, Act.REFUND, "role")
    # What is a customer's command as well is theirs too
    (shown,) = await handled.say(HELPER, "/code")
    assert "Do you have a code?" in shown.text and len(audit.newest(Wanted(), 10)) == 1


async def test_a_helper_sees_no_payment(handled: Handling) -> None:
    payment = paid(CUSTOMER, remote_id="5O190127TN364715T")
    shown = str(await handled.say(ADMIN, payment.remote_id))
    assert payment.remote_id in shown and shown.count("5.00") >= 2, "what was paid, and why there is access"
    for typed in (payment.remote_id, f"/user {payment.remote_id}", f"/user {CUSTOMER}"):
        shown = str(await handled.say(HELPER, typed))
        is_named = f"<code>{CUSTOMER}</code>" in shown
        assert "5.00" not in shown and is_named is typed.endswith(str(CUSTOMER)), typed


# Chats that cannot be looked at


CANNOT = [FloodWaitTooLong(60), InternalServerError(), TimeoutError()]


def looking(handled: Handling, error: Exception) -> None:
    """Every look at a chat ends so."""

    async def look(*_: object, **__: object) -> Any:
        raise error

    chats: Any = handled.deps.chats
    chats.id_of = chats.contents = look


def complained() -> ComplaintInfo:
    made = complaints.make("t.me/somewhere/5", "mine", CUSTOMER, now())
    assert made is not None
    return made


@pytest.mark.parametrize("error", CANNOT)
async def test_a_chat_that_cannot_be_looked_at_is_decided_later(handled: Handling, error: Exception) -> None:
    looking(handled, error)
    case = complained()
    for command in ("allow", "block"):
        assert await handled.say(ADMIN, f"/{command} @somewhere") == [admin.chat_not_seen(T, "@somewhere")]
    for button in ("complaint_post", "complaint_channel"):
        assert await handled.press(ADMIN, f"{button}:{case.id}", 7) == [admin.chat_not_seen(T, case.link)]
    assert complaints.get(case.id) == case and not sources.any_allowed()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermanentFailure(RefusalReason.PERSON), RefusalReason.PERSON),
        (ChannelPrivate(), RefusalReason.NO_ACCESS),
    ],
)
async def test_a_chat_that_is_none_is_told(handled: Handling, error: Exception, reason: RefusalReason) -> None:
    looking(handled, error)
    case = complained()
    assert await handled.say(ADMIN, "/allow @somewhere") == [admin.unknown_chat(T, "@somewhere", reason)]
    assert await handled.press(ADMIN, f"complaint_post:{case.id}", 7) == [admin.unknown_chat(T, case.link, reason)]
    # To reject a complaint nothing has to be found
    await handled.press(ADMIN, f"complaint_reject:{case.id}", 7)
    decided = complaints.get(case.id)
    assert decided is not None and decided.decision == "rejected"


async def test_another_admin_sees_who_has_decided_and_when(handled: Handling) -> None:
    case = complained()
    (own,) = await handled.press(ADMIN, f"complaint_reject:{case.id}", 7)
    (others,) = await handled.press(SECOND_ADMIN, f"complaint_reject:{case.id}", 8)
    decided = complaints.get(case.id)
    assert decided is not None and decided.decided_by == ADMIN and decided.decided_at
    decider = users.get(ADMIN)
    assert decider is not None
    date = T.date(decided.decided_at, handled.deps.settings.timezone)
    assert "Decided" not in own.text and f"Decided by {admin.name(decider)} on {date}." in others.text


# Codes that an admin makes


def offered() -> list[tuple[Any, ...]]:
    return [
        (row.article, row.seconds // DAY_S, row.percent, row.uses, row.until and (row.until - now() + 60) // DAY_S)
        for row in Code.select().order_by(Code.id)
    ]


async def test_a_code_is_made_as_it_was_put_together(handled: Handling) -> None:
    choices = ("0.7.10.30.0.1.premium", "0.7.1.0.1.2.video_10", "30.7.0.90.0.3.premium", "0.365.100.7.0.4.vip")
    for choice in choices:
        await handled.press(ADMIN, f"code_make:{choice}", 7)
        await handled.press(ADMIN, f"code_make:{choice}", 7)
    assert offered() == [
        ("premium", 7, None, 10, 30),
        ("video_10", 0, None, 1, None),
        (None, 0, 30, None, 90),
        ("vip", 365, None, 100, 7),
    ]
    assert [row.new_only for row in Code.select().order_by(Code.id)] == [False, True, False, False]
    assert {row.by for row in Code.select()} == {ADMIN}


async def test_no_code_is_made_of_what_is_gone(handled: Handling) -> None:
    for choice in ("0.7.1.30.0.1.nothing", "0.7.1.30.0.1.free", "100.7.1.30.0.1.premium", "", "x"):
        (shown,) = await handled.press(ADMIN, f"code_make:{choice}", 7)
        assert "New code" in shown.text, choice
    assert offered() == []


@pytest.mark.parametrize("text", ["/code new", "/code new 20 %", "/code NUEVO premium 30", "/code new premium"])
async def test_what_stands_behind_new_is_no_code(handled: Handling, text: str) -> None:
    (shown,) = await handled.say(ADMIN, text)
    assert "New code" in shown.text and not Budget.select().exists()


async def test_one_code_ends(handled: Handling) -> None:
    for choice in ("0.7.10.30.0.1.premium", "30.7.0.90.0.2.premium"):
        await handled.press(ADMIN, f"code_make:{choice}", 7)
    second, first = codes.newest()
    assert first.id == 1
    for row in ("", "x", 999, second.id):
        await handled.press(ADMIN, f"code_end:{row}", 7)
    assert [each.is_open(now()) for each in (codes.get(first.id), codes.get(second.id)) if each] == [True, False]
    # An admin tries a code as a customer does
    (shown,) = await handled.say(ADMIN, f"/code {first.text}")
    assert "New code" not in shown.text and "20" not in shown.text.split()


# News of two admins


def draft(by: int = ADMIN) -> BroadcastInfo:
    row = sent.begin(by, now()).id
    sent.write(row, Content("Hello", [], None, 7), now())
    found = sent.get(row)
    assert found is not None
    return found


DRAFTS = ["bc_show", "bc_preview", "bc_write", "bc_to", "bc_when", "bc_add", "bc_button", "bc_ask", "bc_plain"]
DRAFTS += ["bc_discard", "bc_send"]


def test_it_is_known_which_buttons_are_the_authors() -> None:
    others = {"bc_report", "bc_stop", "bc_delete", "bc_delete_now"}
    assert {*DRAFTS, *others} == handlers.BUTTONS.keys()


async def test_a_draft_is_its_authors(handled: Handling) -> None:
    known = draft()
    for button in DRAFTS:
        for value in ("", ":all", ":plan:premium"):
            read = await handled.press(SECOND_ADMIN, f"{button}:{known.id}{value}", 7)
            assert read == [broadcasts.only_theirs(T)], button
    assert sent.get(known.id) == known


async def test_a_draft_that_is_none_any_more_stays_so(handled: Handling) -> None:
    thrown, gone = draft(), draft(SECOND_ADMIN)
    sent.discard(thrown.id)
    Broadcast.update(state=BroadcastState.DONE, start_at=now()).where(Broadcast.id == gone.id).execute()
    for button in DRAFTS:
        assert await handled.press(ADMIN, f"{button}:{thrown.id}", 7) == [broadcasts.discarded(T)], button
        (shown,) = await handled.press(SECOND_ADMIN, f"{button}:{gone.id}", 7)
        assert "📊" in str(shown) or "Sent" in shown.text, button
    assert [row.state for row in Broadcast.select().order_by(Broadcast.id)] == ["discarded", "done"]


async def test_a_draft_takes_only_what_its_buttons_offer(handled: Handling) -> None:
    known = draft()
    for data in (
        "bc_to:{}:everybody",
        "bc_button:{}:plan:free",
        "bc_button:{}:plan:nothing",
        "bc_button:{}:code:WRONG",
    ):
        (shown,) = await handled.press(ADMIN, data.format(known.id), 7)
        assert "Your plan" in shown.text, data
    for data in ("bc_show:x", "bc_show:999", "bc_send:", "bc_stop:999"):
        (shown,) = await handled.press(ADMIN, data, 7)
        assert "Your plan" in shown.text, data
    found = sent.get(known.id)
    assert found == replace(known, touched_at=found.touched_at if found else 0)


async def test_no_name_turns_what_admins_read(handled: Handling) -> None:
    users.seen(7, "Ana\u202e\n\u2066Boss", None, "en", now())
    sources.remember(1_234_567, None, "Films\u202e\nof all", protected=False, now=now())
    said = [
        await handled.say(ADMIN, text) for text in ("/user 7", "/ban 7", "/unban 7", "/stats 7", "/allow t.me/c/1/1")
    ]
    for (screen,) in said[:-1]:
        assert "Ana Boss" in screen.text and not {"\u202e", "\u2066"} & set(screen.text)
    assert "<b>Films of all</b>" in said[-1][0].text


@pytest.mark.parametrize(
    "name", ["\u3164", "\u2800 \u2800", "\u2060\ufeff", "\u200d\ufe0f", "\u115f\u1160\uffa0\u00ad"]
)
async def test_who_shows_no_name_is_shown_as_such(handled: Handling, name: str) -> None:
    users.seen(7, name, None, "en", now())
    (card,) = await handled.say(ADMIN, "/user 7")
    assert "<b>—</b>" in card.text
    users.seen(7, f"{name}Ana\u00ad{name}", None, "en", now())
    (card,) = await handled.say(ADMIN, "/user 7")
    assert "Ana" in card.text and "<b>—</b>" not in card.text


@pytest.mark.parametrize("name", ["👩\u200d👧", "❤\ufe0f", "می\u200cخواهم", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])
async def test_what_joins_signs_and_letters_stays(handled: Handling, name: str) -> None:
    users.seen(7, name, None, "en", now())
    (card,) = await handled.say(ADMIN, "/user 7")
    assert f"<b>{name}</b>" in card.text


async def test_a_text_to_a_customer_is_as_long_as_telegram_counts_it(handled: Handling) -> None:
    known(7)
    assert await handled.say(ADMIN, "/say 7 " + "🎬" * 1751) == [customers.too_long(T, conversations.LONGEST)]
    assert "7" in (await handled.say(ADMIN, "/say 7 " + "🎬" * 1750))[0].text


@pytest.mark.parametrize("hour", ["999999999999999999", "1", "x", "99999999999"])
async def test_an_hour_that_nobody_offers_is_at_once(handled: Handling, hour: str) -> None:
    known = draft()
    await handled.press(ADMIN, f"bc_when:{known.id}:{hour}", 7)
    found = sent.get(known.id)
    assert found is not None and found.start_at is None


async def test_no_news_is_sent_where_it_is_switched_off(database_file: Path) -> None:
    known(ADMIN)
    async with handling(database_file, BROADCASTS_PER_WEEK="0") as handled:
        assert await handled.say(ADMIN, "/broadcast") == [broadcasts.switched_off(T)]
        row = draft()
        (shown,) = await handled.press(ADMIN, f"bc_send:{row.id}", 7)
        assert shown == broadcasts.wrong(T, sent.Wrong.WEEK, 0)
    found = sent.get(row.id)
    assert found is not None and found.state is BroadcastState.DRAFT


async def test_a_test_payment_buys_nothing(handled: Handling) -> None:
    await handled.say(ADMIN, "/testpay")
    (order,) = Order.select()
    assert (order.purpose, order.amount, order.currency, order.user_id) == ("test", 1, "XTR", ADMIN)
    assert not order.renews and handled.deps.stars.asked == [order.public_id]  # type: ignore[attr-defined]
