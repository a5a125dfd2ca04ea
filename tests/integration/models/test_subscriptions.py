"""Renewing purchases: each renewal a budget of its own, all of the provider's word, never two for one plan."""

import itertools
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models import outbox, users
from models.errors import AlreadySubscribed, MoveRefused, NotFound
from models.maintenance import privacy
from models.money import access, payments, provider_requests, subscriptions
from models.money.orders import OrderInfo
from models.money.provider_requests import RequestKind
from models.money.reports import MOVES, Report, state_after
from models.money.subscriptions import News, SubscriptionState
from models.tables import Event, Request
from tests.purchases import DAY, MONTH, MONTHLY, NOW, PREMIUM, VIP, customer, fact, order, plan

pytestmark = pytest.mark.usefixtures("database_file")

GRACE = access.GRACE_S


def kinds(user_id: int | None) -> list[str]:
    who = Event.user_id.is_null() if user_id is None else Event.user_id == user_id
    return [event.kind for event in Event.select().where(who, Event.kind != "shop_notice").order_by(Event.id)]


def receipts() -> list[dict[str, Any]]:
    told = Event.select().where(Event.kind == "payment_completed").order_by(Event.id)
    return [event.payload for event in told]


def paypal_subscription(user: int, remote_id: str = "I-1", state: SubscriptionState = SubscriptionState.ACTIVE) -> int:
    begun = subscriptions.begin(order(user, MONTHLY, "paypal").id, remote_id, NOW)
    subscriptions.update(subscriptions.News("paypal", remote_id, state, None, NOW), NOW)
    return begun.id


def sale(number: int, at: int, remote_id: str = "I-1", **changes: Any) -> payments.Fact:
    made = payments.Fact(
        provider="paypal",
        remote_id=f"{remote_id}-sale-{number}",
        order_public_id=None,
        subscription_remote_id=remote_id,
        user_id=None,
        amount=500,
        currency="USD",
        state=payments.PaymentState.COMPLETED,
        created_at=at,
        at=at,
    )
    return replace(made, **changes)


# Renewals


def test_each_renewal_pays_its_period_and_a_day_of_grace() -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(sale(1, NOW, period_end=NOW + MONTH), NOW)
    assert access.of(user, NOW).until == NOW + MONTH
    assert access.of(user, NOW).intervals == (access.Interval(NOW, NOW + MONTH + GRACE, 1),)
    payments.settle(sale(2, NOW + MONTH + 3600, period_end=NOW + 2 * MONTH), NOW + MONTH + 3600)
    assert access.of(user, NOW).intervals == (access.Interval(NOW, NOW + 2 * MONTH + 3600 + GRACE, 1),)
    assert [told["renewal"] for told in receipts()] == [False, True]
    assert payments.audit() == []


@pytest.mark.parametrize("said", [None, NOW, NOW - DAY])
def test_a_renewal_without_an_end_lasts_as_long_as_the_order(said: int | None) -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(sale(1, NOW, period_end=said), NOW)
    assert access.of(user, NOW).until == NOW + MONTH


def test_a_receipt_names_the_day_of_the_next_charge() -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(fact(order(user, PREMIUM), NOW), NOW)
    payments.settle(sale(1, NOW, period_end=NOW + MONTH), NOW)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.CANCELLED, None, NOW + MONTH + 10), NOW)
    payments.settle(sale(2, NOW + MONTH, period_end=NOW + 2 * MONTH), NOW + MONTH + 20)
    assert [(told["until"], told["renews"]) for told in receipts()] == [
        (NOW + MONTH, False),
        (NOW + MONTH, True),
        (NOW + 3 * MONTH, False),  # the month that was bought first has waited
    ]


def test_a_budget_waits_while_a_subscription_runs() -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(sale(1, NOW, period_end=NOW + MONTH), NOW)
    payments.settle(fact(order(user, PREMIUM), NOW + DAY), NOW + DAY)
    payments.settle(fact(order(user, VIP), NOW + 2 * DAY), NOW + 2 * DAY)
    assert access.of(user, NOW).intervals == (
        access.Interval(NOW, NOW + 2 * DAY, 1),
        access.Interval(NOW + 2 * DAY, NOW + 2 * DAY + MONTH, 2),
        # the renewal has run out meanwhile, to the second, and its grace too: the budget is all that is left
        access.Interval(NOW + 2 * DAY + MONTH, NOW + 2 * DAY + 2 * MONTH, 1),
    )
    assert access.of(user, NOW).end_of(1) == NOW + 2 * DAY + 2 * MONTH


def test_cancelled_and_bought_again_is_two_whole_periods() -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(sale(1, NOW), NOW)
    subscriptions.update(News("paypal", "I-1", SubscriptionState.CANCELLED, None, NOW + 2 * DAY), NOW + 2 * DAY)
    paypal_subscription(user, "I-2")
    payments.settle(sale(1, NOW + 3 * DAY, "I-2"), NOW + 3 * DAY)
    assert access.of(user, NOW + 3 * DAY).paid == (access.Interval(NOW, NOW + 2 * MONTH, 1),)


def test_cancelled_and_upgraded_keeps_the_rest_for_afterwards() -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(sale(1, NOW), NOW)
    subscriptions.update(News("paypal", "I-1", SubscriptionState.CANCELLED, None, NOW + 9 * DAY), NOW + 9 * DAY)
    assert Event.get(Event.kind == "subscription_cancelled").payload["until"] == NOW + MONTH
    payments.settle(fact(order(user, VIP), NOW + 10 * DAY), NOW + 10 * DAY)
    assert access.of(user, NOW + 10 * DAY).paid == (
        access.Interval(NOW, NOW + 10 * DAY, 1),
        access.Interval(NOW + 10 * DAY, NOW + 10 * DAY + MONTH, 2),
        access.Interval(NOW + 10 * DAY + MONTH, NOW + 2 * MONTH, 1),
    )


def test_stars_renew_under_the_first_charge() -> None:
    user = customer()
    bought = order(user, MONTHLY)
    first = fact(bought, NOW, period_end=NOW + MONTH)
    payments.settle(first, NOW)
    payments.settle(fact(bought, NOW + MONTH, period_end=NOW + 2 * MONTH), NOW + MONTH)
    [subscription] = subscriptions.of(user)
    assert (subscription.remote_id, subscription.state) == (first.remote_id, SubscriptionState.ACTIVE)
    assert subscription.period_end == NOW + 2 * MONTH
    assert access.of(user, NOW).until == NOW + 2 * MONTH


def test_a_renewal_at_another_price_buys_nothing() -> None:
    user = customer()
    paypal_subscription(user)
    wrong = sale(1, NOW)
    assert payments.settle(replace(wrong, amount=1), NOW).outcome == "mismatch"
    assert access.of(user, NOW).level == 0


def test_a_sale_before_its_subscription_is_credited_on_retry() -> None:
    user = customer()
    paid = sale(1, NOW, remote_id="I-9", period_end=NOW + MONTH)
    assert payments.settle(paid, NOW).outcome == "unknown_order"
    subscriptions.begin(order(user, MONTHLY, "paypal").id, "I-9", NOW)
    assert payments.settle(paid, NOW).outcome == "recorded"
    assert access.of(user, NOW).until == NOW + MONTH
    assert subscriptions.of(user)[0].state is SubscriptionState.ACTIVE


# The provider's word


def test_beginning_twice_is_one_subscription() -> None:
    bought = order(customer(), MONTHLY, "paypal")
    assert subscriptions.begin(bought.id, "I-2", NOW) == subscriptions.begin(bought.id, "I-2", NOW + 1)
    with pytest.raises(NotFound):
        subscriptions.begin(10**9, "I-3", NOW)


@pytest.mark.parametrize("order_", list(itertools.permutations(range(3))))
def test_the_newest_word_holds_in_whatever_order_it_comes(order_: tuple[int, ...]) -> None:
    user = customer()
    paypal_subscription(user, state=SubscriptionState.PENDING)
    words = [
        (SubscriptionState.ACTIVE, NOW + MONTH, NOW + 10),
        (SubscriptionState.SUSPENDED, None, NOW + 20),
        (SubscriptionState.CANCELLED, NOW + 2 * MONTH, NOW + 30),
    ]
    for index in order_:
        subscriptions.update(subscriptions.News("paypal", "I-1", *words[index]), NOW)
    [subscription] = subscriptions.of(user)
    assert (subscription.state, subscription.period_end) == (SubscriptionState.CANCELLED, NOW + 2 * MONTH)


LATE = [
    ("paypal", SubscriptionState.CANCELLED, SubscriptionState.CANCELLED),
    ("paypal", SubscriptionState.EXPIRED, SubscriptionState.EXPIRED),
    ("paypal", SubscriptionState.SUSPENDED, SubscriptionState.ACTIVE),
    ("stars", SubscriptionState.CANCELLED, SubscriptionState.ACTIVE),
]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("provider", "ended", "then"), LATE)
def test_old_news_count_as_if_they_had_come_in_time(
    provider: str, ended: SubscriptionState, then: SubscriptionState, late: bool
) -> None:
    user = customer()
    begun = subscriptions.begin(order(user, MONTHLY, provider).id, "I-1", NOW)
    payments.settle(sale(1, NOW, provider=provider, currency=begun.currency), NOW)
    news = [
        News(provider, "I-1", ended, None, NOW + 150),
        News(provider, "I-1", SubscriptionState.ACTIVE, None, NOW + 200),
    ]
    for each in reversed(news) if late else news:
        subscriptions.update(each, NOW + 300)
    assert subscriptions.of(user)[0].state is then
    [payment] = payments.history_of(user)
    assert payment.renewal_ended_at == NOW + 150


def test_a_late_activation_does_not_revive_a_cancelled_one() -> None:
    user = customer()
    paypal_subscription(user)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.CANCELLED, None, NOW + 10), NOW)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.ACTIVE, None, NOW + 20), NOW)
    assert subscriptions.of(user)[0].state is SubscriptionState.CANCELLED


def test_stars_may_take_back_a_cancellation() -> None:
    user = customer()
    paid = fact(order(user, MONTHLY), NOW, period_end=NOW + MONTH)
    payments.settle(paid, NOW)
    subscriptions.update(subscriptions.News("stars", paid.remote_id, SubscriptionState.CANCELLED, None, NOW + 10), NOW)
    subscriptions.update(subscriptions.News("stars", paid.remote_id, SubscriptionState.ACTIVE, None, NOW + 20), NOW)
    assert subscriptions.of(user)[0].state is SubscriptionState.ACTIVE
    assert kinds(user) == ["payment_completed", "subscription_cancelled", "subscription_resumed"]


def expired_stars(user: int) -> OrderInfo:
    """A subscription that was taken to have ended, a day after the time that was paid."""
    bought = order(user, MONTHLY)
    paid = fact(bought, NOW, period_end=NOW + MONTH)
    payments.settle(paid, NOW)
    over = NOW + MONTH + GRACE
    subscriptions.update(subscriptions.News("stars", paid.remote_id, SubscriptionState.EXPIRED, None, over), over)
    assert subscriptions.of(user)[0].state is SubscriptionState.EXPIRED
    return bought


@pytest.mark.parametrize("at", [NOW + MONTH + GRACE - 3600, NOW + MONTH + 3 * DAY])
def test_a_renewal_that_comes_late_takes_the_end_back(at: int) -> None:
    user = customer()
    bought = expired_stars(user)
    payments.settle(fact(bought, at, period_end=at + MONTH), NOW + MONTH + 3 * DAY)
    [subscription] = subscriptions.of(user)
    assert (subscription.state, subscription.period_end) == (SubscriptionState.ACTIVE, at + MONTH)
    assert kinds(user)[-3:] == ["subscription_expired", "subscription_resumed", "payment_completed"]
    assert subscriptions.ask_cancel(subscription.id, user, at)
    with pytest.raises(AlreadySubscribed):
        order(user, MONTHLY)


def test_only_a_payment_that_reaches_further_takes_the_end_back() -> None:
    user = customer()
    expired_stars(user)
    [ended] = subscriptions.of(user)
    late = NOW + MONTH + 3 * DAY
    subscriptions.update(subscriptions.News("stars", ended.remote_id, SubscriptionState.ACTIVE, None, late), late)
    subscriptions.update(
        subscriptions.News("stars", ended.remote_id, SubscriptionState.ACTIVE, ended.period_end, late + 1), late
    )
    subscriptions.update(
        subscriptions.News("stars", ended.remote_id, SubscriptionState.CANCELLED, None, late + 2), late
    )
    assert subscriptions.of(user)[0].state is SubscriptionState.EXPIRED
    paypal_subscription(user)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.EXPIRED, NOW + MONTH, NOW + 10), NOW)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.ACTIVE, NOW + 2 * MONTH, NOW + 20), NOW)
    assert subscriptions.of(user)[0].state is SubscriptionState.EXPIRED


def test_a_cancelled_one_keeps_its_paid_time() -> None:
    user = customer()
    paypal_subscription(user)
    payments.settle(sale(1, NOW, period_end=NOW + MONTH), NOW)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.CANCELLED, None, NOW + 10), NOW)
    assert access.of(user, NOW + 20).intervals == (access.Interval(NOW, NOW + MONTH, 1),)


def test_changes_are_told_once() -> None:
    user = customer()
    paypal_subscription(user)
    for state, at in [
        (SubscriptionState.SUSPENDED, 10),
        (SubscriptionState.SUSPENDED, 15),
        (SubscriptionState.ACTIVE, 20),
        (SubscriptionState.EXPIRED, 30),
    ]:
        subscriptions.update(subscriptions.News("paypal", "I-1", state, None, NOW + at), NOW)
    assert kinds(user) == ["subscription_suspended", "subscription_resumed", "subscription_expired"]


def test_a_failed_renewal_is_told_once_per_failure() -> None:
    user = customer()
    paypal_subscription(user)
    for at in (NOW, NOW, NOW + DAY):
        assert subscriptions.payment_failed("paypal", "I-1", at, NOW)
    assert kinds(user) == ["subscription_payment_failed"] * 2
    assert not subscriptions.payment_failed("paypal", "I-404", NOW, NOW)


def test_an_unknown_one_is_of_no_interest() -> None:
    assert not subscriptions.update(subscriptions.News("paypal", "I-404", SubscriptionState.ACTIVE, None, NOW), NOW)
    news = News("paypal", "I-404", SubscriptionState.ACTIVE, None, NOW)
    assert payments.apply([news], NOW) == [payments.Settled(None, "unchanged")]


def test_the_table_of_moves_knows_every_state() -> None:
    assert MOVES.keys() == set(SubscriptionState)
    ended = [Report(SubscriptionState.EXPIRED, 1), Report(SubscriptionState.ACTIVE, 2)]
    assert state_after("paypal", ended) is SubscriptionState.EXPIRED


# Never two


def test_a_second_one_to_the_same_plan_is_refused_or_ended() -> None:
    user = customer()
    first_order, second_order = order(user, MONTHLY, "paypal"), order(user, MONTHLY)
    subscriptions.begin(first_order.id, "I-1", NOW)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.ACTIVE, None, NOW), NOW)
    with pytest.raises(AlreadySubscribed):
        subscriptions.begin(second_order.id, "charge", NOW)
    # but a checkout that was under way may still bring money: it is credited, and its renewal ended at once
    paid = fact(second_order, NOW, period_end=NOW + MONTH)
    assert payments.settle(paid, NOW).outcome == "recorded"
    assert access.of(user, NOW).until == NOW + MONTH
    [request] = Request.select()
    second = subscriptions.by_remote("stars", paid.remote_id)
    assert second is not None
    assert (request.kind, request.provider, request.subscription_id) == ("cancel_subscription", "stars", second.id)
    assert kinds(None) == ["admin_alert"]


@pytest.mark.parametrize("provider", ["paypal", "stars"])
def test_one_that_begins_after_its_customer_was_banned_is_ended(provider: str) -> None:
    user = customer()
    wanted = order(user, MONTHLY, provider)
    if provider == "paypal":
        subscriptions.begin(wanted.id, "I-1", NOW)
    users.ban(user, NOW)

    if provider == "paypal":
        subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.ACTIVE, None, NOW), NOW)
    else:
        payments.settle(fact(wanted, NOW, period_end=NOW + MONTH), NOW)

    [request] = Request.select()
    assert (request.kind, request.provider) == (RequestKind.CANCEL_SUBSCRIPTION, provider)


def test_one_that_begins_after_its_customer_was_erased_is_ended() -> None:
    user = customer()
    subscriptions.begin(order(user, MONTHLY, "paypal").id, "I-1", NOW)
    privacy.erase(user, ZoneInfo("UTC"), NOW, secret_key="key")

    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.ACTIVE, None, NOW), NOW)

    [request] = Request.select()
    assert (request.kind, request.provider) == (RequestKind.CANCEL_SUBSCRIPTION, "paypal")


def test_news_without_a_time_is_the_newest_on_a_slow_clock() -> None:
    user = customer()
    paid = fact(order(user, MONTHLY), NOW, period_end=NOW + MONTH)
    payments.settle(paid, NOW)

    assert subscriptions.update_untimed("stars", paid.remote_id, SubscriptionState.CANCELLED, NOW - 5)
    assert subscriptions.of(user)[0].state is SubscriptionState.CANCELLED
    assert subscriptions.update_untimed("stars", paid.remote_id, SubscriptionState.ACTIVE, NOW - 5)
    assert subscriptions.of(user)[0].state is SubscriptionState.ACTIVE
    assert not subscriptions.update_untimed("stars", "nobody's", SubscriptionState.ACTIVE, NOW)


# Asking


def test_cancelling_and_resuming_are_asked_for_once() -> None:
    user = customer()
    paypal = paypal_subscription(user)
    asked = subscriptions.ask_cancel(paypal, user, NOW)
    assert subscriptions.ask_cancel(paypal, user, NOW) == asked
    with pytest.raises(MoveRefused):
        subscriptions.ask_resume(paypal, user, NOW)
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.SUSPENDED, None, NOW + 5), NOW)
    subscriptions.ask_resume(paypal, user, NOW)
    assert [row.kind for row in Request.select().order_by(Request.id)] == [
        RequestKind.CANCEL_SUBSCRIPTION,
        RequestKind.RESUME_SUBSCRIPTION,
    ]
    with pytest.raises(NotFound):
        subscriptions.ask_cancel(10**9, user, NOW)


def test_a_cancelled_stars_subscription_resumes_unless_replaced() -> None:
    user = customer()
    paid = fact(order(user, MONTHLY), NOW, period_end=NOW + MONTH)
    payments.settle(paid, NOW)
    stars = subscriptions.of(user)[0]
    subscriptions.update(subscriptions.News("stars", paid.remote_id, SubscriptionState.CANCELLED, None, NOW + 10), NOW)
    assert subscriptions.ask_resume(stars.id, user, NOW)
    paypal_subscription(user, "I-7")
    with pytest.raises(AlreadySubscribed):
        subscriptions.ask_resume(stars.id, user, NOW)


def test_subscriptions_that_run_are_polled() -> None:
    user = customer()
    row = paypal_subscription(user)
    assert [due.id for due in subscriptions.to_poll("paypal", NOW)] == [row]
    subscriptions.polled(row, NOW + DAY)
    assert subscriptions.to_poll("paypal", NOW + DAY - 1) == []
    assert [due.id for due in subscriptions.to_poll("paypal", NOW + DAY)] == [row]
    subscriptions.update(subscriptions.News("paypal", "I-1", SubscriptionState.EXPIRED, None, NOW + 5), NOW)
    assert subscriptions.to_poll("paypal", NOW + DAY) == []
    assert subscriptions.get(row) == subscriptions.by_remote("paypal", "I-1")
    assert outbox.due(NOW)


def test_renewals_that_end_with_a_level_are_its_own() -> None:
    user, other = customer(), customer()
    monthly = paypal_subscription(user)
    better = subscriptions.begin(order(user, plan("yearly", 2, renews=True), "paypal").id, "I-2", NOW).id
    stopped = subscriptions.begin(order(user, plan("weekly", 2, renews=True), "paypal").id, "I-3", NOW).id
    for remote_id, state in (("I-2", SubscriptionState.SUSPENDED), ("I-3", SubscriptionState.CANCELLED)):
        subscriptions.update(News("paypal", remote_id, state, None, NOW), NOW)
    theirs = paypal_subscription(other, "I-9")
    assert subscriptions.ask_end(user, 2, 7, NOW) == 1 and subscriptions.ask_end(user, 3, 7, NOW) == 0
    assert [(row.subscription_id, row.asked_by) for row in Request.select()] == [(better, 7)]
    assert subscriptions.ask_end(user, None, 7, NOW) == 2
    assert {row.subscription_id for row in Request.select()} == {monthly, better}, (stopped, theirs)


def test_what_runs_out_unused_is_below_what_is_used() -> None:
    user, other = customer(), customer()
    monthly = paypal_subscription(user)
    paypal_subscription(other, "I-9")
    assert [each.id for each in subscriptions.run_below(user, 2)] == [monthly]
    assert subscriptions.run_below(user, 1) == []
    subscriptions.ask_cancel(monthly, user, NOW)
    assert subscriptions.run_below(user, 2) == [], "its end has been asked for"


# A refund of a renewal


def renewing_payment() -> tuple[int, payments.PaymentInfo]:
    user = customer()
    subscription = paypal_subscription(user)
    payments.settle(sale(1, NOW), NOW)
    (paid,) = payments.history_of(user)
    return subscription, paid


def test_a_whole_refund_and_the_end_of_the_renewal_are_one_act(monkeypatch: pytest.MonkeyPatch) -> None:
    subscription, paid = renewing_payment()
    append = provider_requests.append

    def killed_at_the_refund(kind: RequestKind, *of: Any, **what: Any) -> int:
        if kind is RequestKind.REFUND:
            raise KeyboardInterrupt
        return append(kind, *of, **what)

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(provider_requests, "append", killed_at_the_refund)
        payments.ask_refund(paid.id, None, 7, NOW)
    assert not Request.select().exists()

    payments.ask_refund(paid.id, None, 7, NOW)

    asked = {(row.kind, row.payment_id, row.subscription_id) for row in Request.select()}
    assert asked == {("refund", paid.id, None), ("cancel_subscription", None, subscription)}


def test_a_refund_of_a_part_ends_no_renewal() -> None:
    _, paid = renewing_payment()

    payments.ask_refund(paid.id, 100, 7, NOW)

    assert [row.kind for row in Request.select()] == ["refund"]


def test_a_failed_renewal_is_told_once_whoever_reports_it() -> None:
    _, paid = renewing_payment()
    failure = subscriptions.PaymentFailure("paypal", "I-1", NOW + MONTH)

    for _ in range(2):
        payments.apply([failure], NOW + MONTH)
        subscriptions.payment_failed("paypal", "I-1", NOW + MONTH, NOW + MONTH)

    assert kinds(paid.user_id).count("subscription_payment_failed") == 1
    assert not subscriptions.payment_failed("paypal", "I-unknown", NOW, NOW)
