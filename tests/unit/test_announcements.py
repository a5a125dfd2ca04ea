"""What customers and admins are told of money and access: which words for which case, and with which buttons."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.texts import translator
from daemon.screens import announcements, keyboard
from daemon.screens.operator import news
from daemon.telegram.screen import Screen
from models import event_kinds
from tests.unit.test_screens import GIFT, MONEY, NOW, PACK, PLANS, USER

LATER = NOW + 60 * 86_400
T = translator("en")
DATES = {at: T.date(at, ZoneInfo("UTC")) for at in (NOW, LATER)}


def told(kind: str, stored: dict[str, Any], *, refund_days: int = 7) -> Screen | None:
    setting = announcements.Setting(T, PLANS, ZoneInfo("UTC"), None, refund_days=refund_days)
    return news.render(event_kinds.read(kind, stored), setting.about(USER))


def data(screen: Screen) -> list[str]:
    return [button.data or str(button.url) for row in screen.keyboard for button in row]


LASTS, RENEWS, FOREVER, BACK = "It lasts until", "Your plan renews on", "It lasts forever", "gives you the money back"
OF_A_PAYMENT = {LASTS, RENEWS, FOREVER, BACK}
BOUGHT = "Your payment arrived and"


@pytest.mark.parametrize(
    ("changes", "head", "said"),
    [
        ({}, BOUGHT, {LASTS, BACK}),
        ({"until": None}, BOUGHT, {BACK}),
        ({"until": None, "forever": True}, BOUGHT, {FOREVER, BACK}),
        ({"renews": True}, BOUGHT, {RENEWS, BACK}),
        ({"renews": True, "until": None}, BOUGHT, {BACK}),
        ({"renewal": True, "renews": True}, "has been renewed", {RENEWS}),
        ({"renewal": True}, "has been renewed", {LASTS}),
        ({"again": True}, "your second one for this invoice", {LASTS, BACK}),
        ({"purpose": "test"}, "I am refunding it now", set()),
        (PACK, "is yours: 10 videos", {LASTS, BACK}),
        (PACK | {"until": None}, "is yours: 10 videos", {BACK}),
        (GIFT, "your gift is ready", set()),
    ],
)
def test_a_receipt_says_what_was_bought_and_for_how_long(changes: dict[str, Any], head: str, said: set[str]) -> None:
    screen = told("payment_completed", MONEY | changes)
    assert screen is not None and head in screen.text and "payment number" in screen.text
    assert {words for words in OF_A_PAYMENT if words in screen.text} == said
    assert (DATES[NOW] in screen.text) is bool(said & {LASTS, RENEWS})
    without = told("payment_completed", MONEY | changes, refund_days=0)
    assert without is not None and {words for words in OF_A_PAYMENT if words in without.text} == said - {BACK}


PLAN: dict[str, Any] = {}
OF_PACK, OF_GIFT = PACK, GIFT
PART, WHOLE = {"refunded": 250, "returned": 250}, {"refunded": 250, "returned": 500}


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("payment_reversed", PLAN, "so the access that it gave you has ended"),
        ("payment_reversed", OF_PACK, "what was left of it is gone"),
        ("payment_reversed", OF_GIFT, "Nobody can take it any more"),
        ("payment_refunded", PLAN | PART, "is shorter by the same share"),
        ("payment_refunded", PLAN | WHOLE, "still gave you has ended"),
        ("payment_refunded", OF_PACK | PART, "What was left of it is less by the same share"),
        ("payment_refunded", OF_PACK | WHOLE, "What was left of it is gone"),
        ("payment_refunded", OF_GIFT | PART, "The gift is less by the same share"),
        ("payment_refunded", OF_GIFT | WHOLE, "Nobody can take it any more"),
        ("payment_refunded", {"purpose": "test"}, "Payments work"),
        ("dispute_opened", PLAN, "Your access is paused until it is settled"),
        ("dispute_opened", OF_PACK, "What is left of it waits until it is settled"),
        ("dispute_opened", OF_GIFT, "your gifts wait"),
        ("dispute_closed", PLAN | {"won": True}, "your payment stands, and your <b>Premium</b> goes on"),
        ("dispute_closed", PLAN | {"won": False}, "your <b>Premium</b> has ended"),
        ("dispute_closed", PLAN | {"won": False, "part": 100}, "you got 100 ⭐ back"),
        ("dispute_closed", OF_PACK | {"won": True}, "you can use your <b>10 videos</b>"),
        ("dispute_closed", OF_PACK | {"won": False}, "what was left of your <b>10 videos</b> is gone"),
        ("dispute_closed", OF_PACK | {"won": False, "part": 100}, "you got 100 ⭐ back"),
        ("dispute_closed", OF_GIFT | {"won": True}, "your gift works again"),
        ("dispute_closed", OF_GIFT | {"won": False}, "lose your gift for it"),
    ],
)
def test_money_that_comes_or_goes_is_told_with_what_it_takes(kind: str, changes: dict[str, Any], words: str) -> None:
    screen = told(kind, MONEY | changes)
    assert screen is not None and words in screen.text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_refund_names_what_came_back_and_not_what_was_paid() -> None:
    for changes in (PLAN, PACK, GIFT, {"purpose": "test"}):
        screen = told("payment_refunded", MONEY | changes | WHOLE)
        assert screen is not None and "250" in screen.text and "500" not in screen.text


@pytest.mark.parametrize(
    ("changes", "date"),
    [
        ({"until": LATER}, DATES[LATER]),
        ({"until": None}, DATES[NOW]),
        ({"until": 0}, None),
        ({"until": None, "period_end": None}, None),
    ],
)
@pytest.mark.parametrize("kind", ["subscription_cancelled", "subscription_suspended", "subscription_payment_failed"])
def test_the_end_that_is_told_is_that_of_the_customers_time(
    kind: str, changes: dict[str, Any], date: str | None
) -> None:
    screen = told(kind, MONEY | changes)
    assert screen is not None
    assert [each for each in DATES.values() if each in screen.text] == ([date] if date else [])
    assert ("What you have paid for lasts until" in screen.text) is (date is not None)


@pytest.mark.parametrize("end", [NOW, None])
def test_a_renewal_that_goes_on_says_when_it_is_charged(end: int | None) -> None:
    screen = told("subscription_resumed", MONEY | {"period_end": end})
    assert screen is not None and ("Next renewal" in screen.text) is (end is not None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": 86_400}, "<b>Premium</b> for 1 day"),
        ({"until": NOW}, f"<b>Premium</b> until {DATES[NOW]}"),
        ({"forever": True}, "<b>Premium</b>, forever"),
        ({"level": 2, "forever": True, "until": NOW}, "<b>VIP</b>, forever"),
        ({"level": 0, "plan": "video_10", "kind": "video", "count": 10}, "<b>10 videos</b>: 10 videos"),
    ],
)
def test_what_was_given_is_named_with_its_time(changes: dict[str, Any], words: str) -> None:
    given = {"level": 1, "seconds": None, "until": None, "forever": False}
    screen = told("access_given", given | changes)
    assert screen is not None and words in screen.text


@pytest.mark.parametrize(
    ("level", "words"), [(None, "your access"), (1, "your <b>Premium</b>"), (2, "your <b>VIP</b>")]
)
def test_what_was_taken_is_named(level: int | None, words: str) -> None:
    screen = told("access_taken", {"level": level, "seconds": None})
    assert screen is not None and f"has ended {words}." in screen.text


# Gifts


@pytest.mark.parametrize("until", [NOW, None])
def test_a_gift_that_waits_goes_back_for_as_long_as_it_can(until: int | None) -> None:
    waiting = {"plan": "premium", "code": "ABCDEFGHJKMN", "payment": 7, "amount": 500, "currency": "XTR", "days": 5}
    screen = told("gift_waiting", waiting | {"refundable_until": until})
    assert screen is not None and "for 5 days" in screen.text
    assert (DATES[NOW] in screen.text) is ("money_back:7" in " ".join(data(screen))) is (until is not None)


@pytest.mark.parametrize(
    ("about", "won", "part", "words"),
    [
        ("dispute_opened", None, False, "waits until that is settled"),
        ("dispute_closed", True, False, "what is left of it goes on"),
        ("dispute_closed", False, False, "what was left of it has ended"),
        ("dispute_closed", False, True, "less by the same share"),
        ("payment_refunded", None, True, "less by the same share"),
        ("payment_refunded", None, False, "what was left of it has ended"),
        ("payment_reversed", None, False, "what was left of it has ended"),
    ],
)
def test_whoever_took_a_gift_hears_what_its_money_does(about: str, won: bool | None, part: bool, words: str) -> None:
    screen = told("gift_changed", {"plan": "premium", "about": about, "won": won, "part": part})
    assert screen is not None and words in screen.text


# What was asked of a provider

REFUND = {"kind": "refund", "amount": 250, "currency": "USD", "remote_id": "5O1", "payment": 7}


@pytest.mark.parametrize(
    ("asked", "ok", "result", "words"),
    [
        (REFUND, True, "refunded", "is done"),
        (REFUND, False, "TRANSACTION_REFUSED", "failed: <code>TRANSACTION_REFUSED</code>"),
        (REFUND | {"returned": True}, False, "X", "could not be sent back"),
        (REFUND | {"returned": True}, True, "refunded", "is done"),
        ({"kind": "lookup", "argument": "5O1"}, True, "paid", "your access is active"),
        ({"kind": "lookup", "argument": "5O1"}, True, "pending", "still checking it"),
        ({"kind": "lookup", "argument": "5O1"}, True, "refunded", "It has been refunded"),
        ({"kind": "lookup", "argument": "5O1"}, True, "trouble", "gave you no access yet"),
        ({"kind": "lookup", "argument": "5O1"}, True, "approved", "has not taken any money"),
        ({"kind": "lookup", "argument": "5O1"}, False, "", "I found no payment of yours"),
        ({"kind": "resume_subscription"}, True, "permitted", "only you can switch it on"),
        ({"kind": "resume_subscription"}, True, "resumed", None),
        ({"kind": "cancel_subscription"}, True, "cancelled", None),
        ({"kind": "cancel_subscription"}, False, "X", "could not change the renewal"),
        ({"kind": "resume_subscription"}, False, "permitted", "could not change the renewal"),
    ],
)
def test_whoever_asked_hears_what_the_provider_did(
    asked: dict[str, Any], ok: bool, result: str, words: str | None
) -> None:
    screen = told("request_done", {"request": 1, "ok": ok, "result": result} | asked)
    assert (screen is None) is (words is None)
    assert screen is None or str(words) in screen.text


@pytest.mark.parametrize("taken", [0, 5])
def test_whoever_sent_too_many_links_hears_which_were_left_out(taken: int) -> None:
    spent = {"purpose": "links", "limit": 40, "seconds": 3600, "until": NOW, "taken": taken, "left_out": 3}
    screen = told("budget_spent", spent)
    assert screen is not None and ("left out 3 links" in screen.text) is bool(taken)


@pytest.mark.parametrize("url", [None, "https://paypal.example/1"])
def test_a_refused_payer_is_led_to_another_way(url: str | None) -> None:
    screen = told("checkout_refused", {"order": "x", "plan": "premium", "url": url})
    assert screen is not None and data(screen)[:-1] == ([url] if url else [])


# What admins hear

NOTICES: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("payment_completed", {}, "bought Premium: 500 ⭐, Stars", ["card:42", "refund_ask:7"]),
    ("payment_completed", {"renewal": True}, "renewed Premium: 500 ⭐, Stars", ["card:42", "refund_ask:7"]),
    ("payment_completed", GIFT, "bought Premium as a gift: 500 ⭐", ["card:42", "refund_ask:7"]),
    ("payment_refunded", {}, "got 250 ⭐ back of 500 ⭐ for Premium", ["card:42"]),
    ("payment_reversed", {}, "took 500 ⭐ back from you", ["card:42"]),
    ("dispute_closed", {"won": True}, "is decided: you keep the money", ["card:42"]),
    ("dispute_closed", {"won": False}, "is decided: the money went back", ["card:42"]),
    ("subscription_cancelled", {}, "no longer renews Premium (500 ⭐)", ["card:42"]),
    ("subscription_expired", {}, "no longer renews Premium (500 ⭐)", ["card:42"]),
    ("subscription_suspended", {}, "is suspended (500 ⭐)", ["card:42"]),
]


@pytest.mark.parametrize(("about", "changes", "words", "ways"), NOTICES)
def test_admins_hear_of_a_sale_with_its_ways_on(
    about: str, changes: dict[str, Any], words: str, ways: list[str]
) -> None:
    screen = told("shop_notice", {"about": about, "customer": 42, "told": MONEY | changes})
    assert screen is not None and words in screen.text.replace("\N{NO-BREAK SPACE}", " ")
    assert [each.removeprefix(keyboard.ANEW) for each in data(screen)] == ways


@pytest.mark.parametrize(
    ("detail", "ways"),
    [
        ({"user": None}, []),
        ({"user": 42}, ["card:42"]),
        ({"user": 42, "payment": 7}, ["card:42", "refund_ask:7"]),
        ({"user": None, "payment": 7}, []),
    ],
)
def test_an_alarm_leads_to_whom_it_is_about(detail: dict[str, Any], ways: list[str]) -> None:
    screen = told("admin_alert", {"reason": "unknown_order", "remote_id": "x", **detail})
    assert screen is not None and [each.removeprefix(keyboard.ANEW) for each in data(screen)] == ways
    assert ("payment: " in screen.text) is ("payment" in detail) and "None" not in screen.text


DIGEST: dict[str, Any] = {
    "day": NOW, "yesterday": [], "week": [["XTR", 2, 1000]], "month": [["XTR", 2, 1000], ["USD", 1, 500]],
    "currency": "XTR", "days": [0] * 30, "new": 1, "lost": 2, "delivered": 3, "refused": {}, "incidents": [],
    "account": "ok",
}  # fmt: skip


def test_a_quiet_day_is_told_without_what_did_not_happen() -> None:
    screen = told("digest", DIGEST)
    assert screen is not None and "No problems" in screen.text
    assert "Yesterday: —" in screen.text and "Refused" not in screen.text and "▁" not in screen.text
    assert "1 new customer, 2 whose plans ended, 3 links delivered" in screen.text


def test_a_day_names_the_first_refusals_and_counts_the_others() -> None:
    refused = {f"reason {number}": 10 - number for number in range(7)}
    screen = told("digest", DIGEST | {"refused": refused, "days": [0] * 29 + [5], "incidents": ["account_revoked"]})
    assert screen is not None and screen.text.count("🔴") == 1 and "No problems" not in screen.text
    assert "others 9" in screen.text and "reason 4 6" in screen.text and "reason 5" not in screen.text
    assert "▁" in screen.text
