"""What the daemon decides about Stars in the database: checkouts, and subscriptions that lapse without news."""

import pytest
from pyrogram import raw

from daemon import stars
from models import users
from models.money import orders, payments, subscriptions
from models.money.subscriptions import SubscriptionState
from tests import purchases
from tests.purchases import DAY, MONTH, MONTHLY, NOW

pytestmark = pytest.mark.usefixtures("database_file")


def query(order: orders.OrderInfo, **changes: object) -> raw.types.UpdateBotPrecheckoutQuery:
    values = {
        "query_id": 1,
        "user_id": order.user_id,
        "payload": order.public_id.encode(),
        "currency": "XTR",
        "total_amount": order.amount,
    }
    return raw.types.UpdateBotPrecheckoutQuery(**{**values, **changes})


def test_an_unpaid_checkout_makes_room_for_the_next() -> None:
    order = purchases.order(purchases.customer())
    assert stars.check_precheckout(query(order), NOW)[0].ok
    assert stars.check_precheckout(query(order), NOW + 5)[0].reason == "under_way"
    assert stars.check_precheckout(query(order), NOW + orders.CHECKOUT_S + 1)[0].ok


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payload": b"nobody knows this"}, "unknown_order"),
        ({"payload": b"\xff\xfe"}, "unknown_order"),
        ({"total_amount": 1}, "price"),
        ({"currency": "USD"}, "price"),
        ({"user_id": 10**12}, "unknown_order"),
    ],
)
def test_a_checkout_that_does_not_fit_is_refused(changes: dict[str, object], reason: str) -> None:
    order = purchases.order(purchases.customer())
    assert stars.check_precheckout(query(order, **changes), NOW)[0].reason == reason


def test_the_banned_and_strangers_are_refused() -> None:
    order, stranger = purchases.order(purchases.customer()), purchases.customer()
    assert stars.check_precheckout(query(order, user_id=stranger), NOW)[0].reason == "not_yours"
    users.ban(order.user_id, NOW)
    assert stars.check_precheckout(query(order), NOW)[0].reason == "banned"


def test_a_subscription_not_renewed_can_be_bought_again() -> None:
    user_id = purchases.customer()
    order = purchases.order(user_id, MONTHLY)
    payments.settle(purchases.fact(order, period_end=NOW + MONTH), NOW)
    (running,) = subscriptions.of(user_id)
    assert running.state is SubscriptionState.ACTIVE

    stars.end_lapsed(NOW + MONTH)
    assert subscriptions.active(user_id, MONTHLY.code), "there is a day of grace"
    stars.end_lapsed(NOW + MONTH + DAY + 1)
    assert subscriptions.active(user_id, MONTHLY.code) is None
    assert purchases.order(user_id, MONTHLY, now=NOW + MONTH + DAY + 2).id != order.id


def test_a_renewed_subscription_does_not_end() -> None:
    user_id = purchases.customer()
    order = purchases.order(user_id, MONTHLY)
    payments.settle(purchases.fact(order, period_end=NOW + MONTH), NOW)
    stars.end_lapsed(NOW + 1)
    payments.settle(purchases.fact(order, at=NOW + MONTH, period_end=NOW + 2 * MONTH), NOW + MONTH)
    stars.end_lapsed(NOW + MONTH + DAY + 1)
    assert subscriptions.active(user_id, MONTHLY.code)
