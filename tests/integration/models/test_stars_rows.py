"""What the daemon decides about Stars in the database: checkouts, and subscriptions that lapse without news."""

from dataclasses import replace

import pytest
from pyrogram import raw

from config.plans import Plan
from daemon import stars
from models import outbox, users
from models.money import orders, payments, subscriptions
from models.money.subscriptions import SubscriptionState
from models.tables import Event
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


@pytest.mark.parametrize("then", [SubscriptionState.ACTIVE, SubscriptionState.CANCELLED])
def test_an_end_guessed_by_a_clock_ahead_is_taken_back(then: SubscriptionState) -> None:
    """Who is charged on by Telegram can end that here, and buys no second one."""
    user_id = purchases.customer()
    order = purchases.order(user_id, MONTHLY)
    payments.settle(purchases.fact(order, period_end=NOW + MONTH), NOW)
    (running,) = subscriptions.of(user_id)

    stars.end_lapsed(NOW + 400 * DAY)
    assert [each.state for each in subscriptions.of(user_id)] == [SubscriptionState.EXPIRED]
    if then is SubscriptionState.CANCELLED:  # in Telegram's settings, meanwhile
        subscriptions.update_untimed("stars", running.remote_id, then, NOW + 30)
    stars.end_lapsed(NOW + 60)
    assert subscriptions.of(user_id) == [replace(running, state=then)]
    kinds = [event.kind for event in outbox.due(NOW + 400 * DAY, 100)]
    assert ("subscription_resumed" in kinds) is (then is SubscriptionState.ACTIVE)
    stars.end_lapsed(NOW + MONTH + DAY - 1)
    assert subscriptions.of(user_id) == [replace(running, state=then)]


def test_a_renewed_subscription_does_not_end() -> None:
    user_id = purchases.customer()
    order = purchases.order(user_id, MONTHLY)
    payments.settle(purchases.fact(order, period_end=NOW + MONTH), NOW)
    stars.end_lapsed(NOW + 1)
    payments.settle(purchases.fact(order, at=NOW + MONTH, period_end=NOW + 2 * MONTH), NOW + MONTH)
    stars.end_lapsed(NOW + MONTH + DAY + 1)
    assert subscriptions.active(user_id, MONTHLY.code)


# What a customer does in Telegram's own settings


def renewing(user_id: int, plan: Plan) -> orders.OrderInfo:
    """A paid order that renews."""
    order = purchases.order(user_id, plan)
    payments.settle(purchases.fact(order, period_end=NOW + MONTH), NOW)
    return order


def told(payload: bytes, **changes: bool) -> raw.types.UpdateBotStarsSubscription:
    return raw.types.UpdateBotStarsSubscription(user_id=1, payload=payload, qts=0, **changes)


def states(user_id: int) -> dict[int, SubscriptionState]:
    return {each.order_id: each.state for each in subscriptions.of(user_id)}


def test_a_renewal_changed_at_telegram_is_that_of_its_order() -> None:
    user_id = purchases.customer()
    order, other = renewing(user_id, MONTHLY), renewing(user_id, purchases.plan("yearly", 2, renews=True))
    payload = order.public_id.encode()
    for update, state in (
        (told(payload), SubscriptionState.CANCELLED),
        (told(payload, restored=True), SubscriptionState.ACTIVE),
    ):
        stars._record_subscription_update(update, NOW + 60)
        assert states(user_id) == {order.id: state, other.id: SubscriptionState.ACTIVE}


def test_a_renewal_that_could_not_be_paid_is_told_and_not_ended() -> None:
    user_id = purchases.customer()
    order = renewing(user_id, MONTHLY)
    stars._record_subscription_update(told(order.public_id.encode(), payment_failed=True), NOW + 60)
    assert [row.user_id for row in Event.select().where(Event.kind == "subscription_payment_failed")] == [user_id]
    assert states(user_id)[order.id] is not SubscriptionState.CANCELLED


def test_news_of_an_unknown_renewal_change_none() -> None:
    user_id = purchases.customer()
    order = renewing(user_id, MONTHLY)
    for payload in (b"nobody knows this", b"\xff\xfe"):
        stars._record_subscription_update(told(payload), NOW + 60)
    assert states(user_id) == {order.id: SubscriptionState.ACTIVE}
