"""The end of paid access is told three days before, one day before and when it has come: once each."""

from dataclasses import replace

import pytest

from models import users
from models.money import access, payments, reminders, subscriptions
from models.money.access import Interval
from models.money.facts import Fact
from models.money.reminders import Reminder, of_access
from models.tables import Event, User
from tests.purchases import (
    DAY,
    MONTH,
    MONTHLY,
    NOW,
    VIP,
    customer,
    dispute_closed,
    dispute_opened,
    fact,
    order,
    refund,
)

pytestmark = pytest.mark.usefixtures("database_file")


def told(user_id: int) -> list[tuple[str, int | None]]:
    kinds = ("access_ending", "access_ended")
    rows = Event.select().where((Event.user_id == user_id) & Event.kind.in_(kinds)).order_by(Event.id)
    return [(row.kind, row.payload.get("days")) for row in rows]


def live(first: int, last: int, step: int = 3600) -> None:
    for now in range(first, last, step):
        reminders.write(now)


def test_three_days_before_one_day_before_and_at_the_end() -> None:
    user = customer()
    payments.settle(fact(order(user)), NOW)
    live(NOW, NOW + 40 * DAY)
    assert told(user) == [("access_ending", 3), ("access_ending", 1), ("access_ended", None)]
    assert User.get_by_id(user).access_look_at is None


def test_nobody_is_looked_at_before_there_is_something_to_tell() -> None:
    user = customer()
    payments.settle(fact(order(user)), NOW)
    assert reminders.write(NOW) == 1
    assert reminders.write(NOW + MONTH - 3 * DAY - 1) == 0
    assert reminders.write(NOW + MONTH - 3 * DAY) == 1
    assert told(user) == [("access_ending", 3)]


def test_what_is_bought_before_the_end_moves_the_reminders() -> None:
    user = customer()
    payments.settle(fact(order(user)), NOW)
    live(NOW, NOW + 28 * DAY)
    payments.settle(fact(order(user, VIP, now=NOW + 28 * DAY), NOW + 28 * DAY), NOW + 28 * DAY)
    live(NOW + 28 * DAY, NOW + 56 * DAY)
    assert told(user) == [("access_ending", 3)]
    live(NOW + 56 * DAY, NOW + 62 * DAY)
    assert told(user)[1:] == [("access_ending", 3), ("access_ending", 1), ("access_ended", None)]


def test_what_was_missed_for_long_is_not_told_late() -> None:
    user = customer()
    payments.settle(fact(order(user)), NOW)
    reminders.write(NOW)
    reminders.write(NOW + MONTH - DAY // 2)
    assert told(user) == [("access_ending", 1)]
    reminders.write(NOW + MONTH + 2 * DAY)
    assert told(user) == [("access_ending", 1)]


def test_a_renewing_subscription_is_told_only_that_it_ended() -> None:
    user = customer()
    paid = fact(order(user, MONTHLY), period_end=NOW + MONTH)
    payments.settle(paid, NOW)
    live(NOW, NOW + 40 * DAY)
    assert told(user) == [("access_ended", None)]
    other = customer()
    cancelled = fact(order(other, MONTHLY), period_end=NOW + MONTH)
    payments.settle(cancelled, NOW)
    subscriptions.update(
        subscriptions.News("stars", cancelled.remote_id, subscriptions.SubscriptionState.CANCELLED, None, NOW + 9), NOW
    )
    live(NOW, NOW + 40 * DAY)
    assert told(other) == [("access_ending", 3), ("access_ending", 1), ("access_ended", None)]


def test_grace_ends_later_than_what_is_paid() -> None:
    paid, intervals = [Interval(0, 10 * DAY, 1)], [Interval(0, 11 * DAY, 1)]
    assert of_access(intervals, paid) == [
        Reminder(10 * DAY, 3),
        Reminder(10 * DAY, 1),
        Reminder(11 * DAY, 0),
    ]


def cut(how: str, paid: Fact, at: int) -> None:
    """Something takes a plan in the middle of its time."""
    match how:
        case "dispute":
            dispute_opened("paypal", paid.remote_id, "d-1", at, at)
        case "refund":
            refund("paypal", paid.remote_id, "r-1", paid.amount, at, at)
        case "reversal":
            payments.settle(replace(paid, state=payments.PaymentState.REVERSED, at=at), at)
        case "take":
            access.take(paid.user_id or 0, None, None, "revoked", None, at)


@pytest.mark.parametrize("how", ["dispute", "refund", "reversal", "take"])
def test_what_was_taken_back_is_not_thanked_for(how: str) -> None:
    user = customer()
    paid = fact(order(user, VIP, "paypal"), NOW)
    payments.settle(paid, NOW)
    reminders.write(NOW)
    cut(how, paid, NOW + 5 * DAY)
    assert access.of(user, NOW + 5 * DAY).level == 0
    live(NOW + 5 * DAY, NOW + 40 * DAY)
    assert told(user) == []


def test_the_end_of_time_that_a_dispute_gave_back_is_told() -> None:
    user = customer()
    paid = fact(order(user, VIP, "paypal"), NOW)
    payments.settle(paid, NOW)
    cut("dispute", paid, NOW + 5 * DAY)
    live(NOW + 5 * DAY, NOW + 8 * DAY)
    dispute_closed("paypal", paid.remote_id, "d-1", True, NOW + 8 * DAY, NOW + 8 * DAY)
    live(NOW + 8 * DAY, NOW + 50 * DAY)
    assert told(user) == [("access_ending", 3), ("access_ending", 1), ("access_ended", None)]


def test_what_a_part_of_a_refund_leaves_ends_like_any_plan() -> None:
    user = customer()
    paid = fact(order(user, VIP, "paypal"), NOW)
    payments.settle(paid, NOW)
    reminders.write(NOW)
    refund("paypal", paid.remote_id, "r-1", paid.amount // 2, NOW + 5 * DAY, NOW + 5 * DAY)
    ends = access.of(user, NOW + 5 * DAY).until
    assert ends is not None and ends < NOW + 29 * DAY
    live(NOW + 5 * DAY, NOW + 40 * DAY)
    assert told(user) == [("access_ending", 3), ("access_ending", 1), ("access_ended", None)]
    dates = [event.payload.get("until") for event in Event.select().where(Event.user_id == user)]
    assert dates[-3:] == [ends] * 3


def test_reminders_can_be_off_and_the_banned_get_none() -> None:
    quiet, plain, banned = customer(), customer(), customer()
    for user in (quiet, plain, banned):
        access.give(user, 1, seconds=5 * DAY, reason="gift", by=None, now=NOW)
    users.set_reminders(quiet, False, NOW)
    users.ban(banned, NOW)
    live(NOW, NOW + 3 * DAY)
    assert (told(quiet), told(plain), told(banned)) == ([], [("access_ending", 3)], [])


def test_many_customers_are_looked_at_a_few_at_a_time() -> None:
    for _ in range(5):
        access.give(customer(), 1, seconds=DAY, reason="gift", by=None, now=NOW)
    assert [reminders.write(NOW, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_plan_of_two_days_does_not_end_in_three() -> None:
    two_days = [Interval(NOW, NOW + 2 * DAY, 1)]
    assert of_access(two_days, two_days) == [Reminder(NOW + 2 * DAY, 1), Reminder(NOW + 2 * DAY, 0)]


def test_only_the_end_of_an_unbroken_run_is_told() -> None:
    seamless = [Interval(0, 10 * DAY, 1), Interval(10 * DAY, 20 * DAY, 2), Interval(30 * DAY, None, 1)]
    assert {reminder.until for reminder in of_access(seamless, seamless)} == {20 * DAY}
