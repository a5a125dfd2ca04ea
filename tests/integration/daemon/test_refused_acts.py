"""What the rows do not allow is said by the chat that asked for it, and leaves nothing to carry out."""

import time

import pytest

from config.texts import translator
from daemon.screens import checkout
from daemon.screens.operator import accounts, admin, console
from models.errors import ActRefused, RefundRefused
from models.money import payments, subscriptions
from models.money.payments import PaymentInfo, PaymentState
from models.money.subscriptions import News, SubscriptionInfo, SubscriptionState
from models.roles import Act
from models.tables import Request, User
from tests import purchases
from tests.handling import ADMIN, SECOND_ADMIN, Handling

CUSTOMER = 501
PEOPLE = (CUSTOMER,)
T = translator("en")


def now() -> int:
    return int(time.time())


def renewal(state: SubscriptionState, remote_id: str = "I-1", provider: str = "paypal") -> SubscriptionInfo:
    order = purchases.order(CUSTOMER, purchases.MONTHLY, provider, now=now() - 60)
    known = subscriptions.recall(order.id, remote_id, now())
    end = now() + purchases.MONTH
    payments.settle(purchases.fact(order, now(), subscription_remote_id=remote_id, period_end=end), now())
    payments.apply([News(order.provider, remote_id, state, end, at=now())], now())
    found = subscriptions.get(known.id)
    assert found is not None and found.state is state
    return found


def paid(provider: str, state: PaymentState = PaymentState.COMPLETED) -> PaymentInfo:
    order = purchases.order(CUSTOMER, purchases.PREMIUM, provider, now=now())
    payments.settle(purchases.fact(order, now(), "charge-1", state=state), now())
    (payment,) = payments.history_of(CUSTOMER)
    return payment


def asked() -> list[str]:
    return [str(row.kind) for row in Request.select().order_by(Request.id)]


async def press(handled: Handling, data: str) -> str:
    (screen,) = await handled.press(CUSTOMER, data, message_id=7)
    return screen.text


# A customer's renewal


@pytest.mark.parametrize(
    ("state", "button"),
    [
        (SubscriptionState.ACTIVE, "renew"),
        (SubscriptionState.CANCELLED, "unsubscribe"),
        (SubscriptionState.CANCELLED, "stop_renewal"),
        (SubscriptionState.EXPIRED, "renew"),
    ],
)
async def test_a_renewal_that_cannot_change(handled: Handling, state: SubscriptionState, button: str) -> None:
    known = renewal(state)
    assert await press(handled, f"{button}:{known.id}") == checkout.renewal_cannot_change(T).text
    assert asked() == []


async def test_a_renewal_is_ended_once(handled: Handling) -> None:
    known = renewal(SubscriptionState.ACTIVE)
    for _ in range(2):
        said = checkout.asked_to_change_renewal(T, False, known.provider).text
        assert await press(handled, f"unsubscribe:{known.id}") == said
    assert asked() == ["cancel_subscription"]


async def test_one_renewal_of_a_plan_is_resumed(handled: Handling) -> None:
    suspended = renewal(SubscriptionState.SUSPENDED)
    payments.apply([News("paypal", "I-1", SubscriptionState.CANCELLED, now() + 60, at=now() + 1)], now() + 1)
    renewal(SubscriptionState.ACTIVE, "I-2")
    said = await press(handled, f"renew:{suspended.id}")
    assert said == checkout.already_subscribed(T, suspended=False).text
    assert asked() == []


# An admin's refund


async def refused(handled: Handling, payment: PaymentInfo, words: str, why: str, *, rest: int, **more: int) -> None:
    (screen,) = await handled.say(ADMIN, f"/refund {payment.remote_id} {words}".strip())
    refusal = RefundRefused(payment.id, why, rest, *more.values())
    assert screen.text == admin.refund_refused(T, refusal, payment.currency).text


@pytest.mark.parametrize(
    ("provider", "state", "words", "why"),
    [
        ("paypal", PaymentState.COMPLETED, "5.01", "above_rest"),
        ("stars", PaymentState.COMPLETED, "100", "whole_only"),
        ("paypal", PaymentState.PENDING, "", "not_completed"),
        ("paypal", PaymentState.DENIED, "", "not_completed"),
    ],
)
async def test_a_refund_that_is_not_allowed(
    handled: Handling, provider: str, state: PaymentState, words: str, why: str
) -> None:
    await refused(handled, paid(provider, state), words, why, rest=500)
    assert asked() == []


async def test_a_refund_waits_for_the_one_under_way(handled: Handling) -> None:
    payment = paid("paypal")
    await handled.say(ADMIN, f"/refund {payment.remote_id} 1.00")
    await refused(handled, payment, "2.00", "under_way", rest=500, under_way=100)
    assert asked() == ["refund"]


@pytest.mark.parametrize(
    ("state", "ends"), [(SubscriptionState.ACTIVE, ["cancel_subscription"]), (SubscriptionState.CANCELLED, [])]
)
async def test_what_was_refunded_elsewhere_renews_no_more(
    handled: Handling, state: SubscriptionState, ends: list[str]
) -> None:
    renewal(state)
    (payment,) = payments.history_of(CUSTOMER)
    purchases.refund("paypal", payment.remote_id, "R-1", payment.amount, now(), now())
    await refused(handled, payment, "", "nothing_left", rest=0)
    assert asked() == ends


# The team


async def test_an_admin_is_not_banned(handled: Handling) -> None:
    await handled.say(SECOND_ADMIN, "/start")
    (screen,) = await handled.say(ADMIN, f"/ban {SECOND_ADMIN}")
    assert screen.text == admin.act_refused(T, ActRefused(Act.BAN, "team")).text
    assert not User.get_by_id(SECOND_ADMIN).banned_at


async def test_what_is_not_there_any_more_is_not_done(handled: Handling) -> None:
    for button, screen in (("plans_undo", console.over(T)), ("account_use", accounts.gone(T))):
        assert await handled.press(ADMIN, f"{button}:999", message_id=7) == [screen]
