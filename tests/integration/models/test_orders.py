"""Orders: made once, kept as they were, offered once, paid whatever has become of them."""

import itertools
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import outbox, users
from models.errors import AlreadySubscribed, NotFound, TokenExpired, TokenForged
from models.event_kinds import AdminAlert, CheckoutRefused
from models.money import orders, payments, subscriptions
from models.money.orders import MOVES, OrderState
from models.tables import Order
from tests.purchases import DAY, MONTH, MONTHLY, NOW, PREMIUM, SECRET, VIP, customer, fact, order, plan
from tests.store import PLANS

pytestmark = pytest.mark.usefixtures("database_file")


def test_an_order_keeps_plan_price_and_duration_as_they_were() -> None:
    made = order(customer())
    assert (made.plan_code, made.level, made.seconds, made.amount, made.currency) == ("premium", 1, MONTH, 500, "XTR")
    assert made.state is OrderState.OPEN
    assert orders.get(made.id) == orders.by_public(made.public_id) == made


def test_two_clicks_are_one_order() -> None:
    user = customer()
    assert order(user, now=NOW).id == order(user, now=NOW + 60).id


def test_two_clicks_are_one_gift_and_a_paid_one_is_another() -> None:
    user = customer()
    first = order(user, purpose="gift")
    assert order(user, purpose="gift", now=NOW + 60) == first and first.code
    payments.settle(fact(first), NOW)
    second = order(user, purpose="gift", now=NOW + 60)
    assert second.id != first.id and second.code not in (None, first.code)


def test_open_orders_are_counted_by_what_they_sell() -> None:
    for sold in (PREMIUM, PREMIUM, VIP):
        order(customer(), sold)
    payments.settle(fact(order(customer(), VIP)), NOW)
    assert orders.open_by_code() == {"premium": 2, "vip": 1}


@pytest.mark.parametrize(
    "other",
    [
        lambda user: order(customer()),
        lambda user: order(user, VIP),
        lambda user: order(user, plan(XTR=600)),
        lambda user: order(user, plan(days=31)),
        lambda user: order(user, provider="paypal"),
        lambda user: order(user, purpose="test"),
        lambda user: order(user, now=NOW + DAY - 60),  # the open one ends too soon to be paid at leisure
    ],
)
def test_anything_else_is_another_order(other) -> None:  # type: ignore[no-untyped-def]
    user = customer()
    first = order(user)
    assert other(user).id != first.id


def test_an_order_with_money_on_the_way_is_not_offered_again() -> None:
    user = customer()
    made = order(user)
    payments.settle(fact(made, state=payments.PaymentState.PENDING), NOW)
    assert order(user).id != made.id
    orders.expire_due(NOW + 2 * DAY)
    assert orders.get(made.id).state is OrderState.OPEN  # type: ignore[union-attr]


def test_editing_the_plans_changes_no_order_made_before() -> None:
    user = customer()
    made = order(user, plan("premium", 1, days=30, XTR=500))
    order(user, plan("premium", 3, days=5, XTR=9000))
    assert orders.get(made.id) == made
    payments.settle(fact(made), NOW)
    assert payments.history_of(user)[0].seconds == MONTH
    assert payments.history_of(user)[0].level == 1


# The checkout


def test_an_open_order_is_offered_again_when_no_money_came() -> None:
    made = order(customer())
    assert orders.claim_checkout(made.id, NOW)
    assert not orders.claim_checkout(made.id, NOW + 1)
    assert not orders.claim_checkout(made.id, NOW + orders.CHECKOUT_S - 1)
    assert orders.claim_checkout(made.id, NOW + orders.CHECKOUT_S)


def test_a_checkout_from_a_clock_ahead_keeps_nobody_from_paying() -> None:
    made, forgotten = order(customer()), order(customer())
    for each in (made, forgotten):
        Order.update(checkout_started_at=NOW + 400 * DAY).where(Order.id == each.id).execute()
    assert orders.claim_checkout(made.id, NOW)
    assert not orders.claim_checkout(made.id, NOW + 1), "now one is under way"
    assert orders.expire_due(forgotten.expires_at) == 2


def test_what_is_not_open_cannot_be_claimed() -> None:
    made = order(customer())
    assert not orders.claim_checkout(made.id, made.expires_at)
    orders.cancel(made.id, NOW)
    assert not orders.claim_checkout(made.id, NOW)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"amount": 499}, "price"),
        ({"currency": "USD"}, "price"),
        ({"now": NOW + 2 * DAY}, "expired"),
        ({"order": None}, "unknown_order"),
        ({"user": None}, "unknown_order"),
    ],
)
def test_a_checkout_is_judged_by_the_row(changes: dict[str, object], reason: str) -> None:
    user = customer()
    made = order(user)
    question = {
        "order": made,
        "user": users.get(user),
        "amount": made.amount,
        "currency": made.currency,
        "now": NOW,
        **changes,
    }
    assert orders.judge_precheckout(**question) == orders.Verdict(not reason, reason)  # type: ignore[arg-type]


def test_a_checkout_refuses_others_the_banned_and_the_late() -> None:
    user = customer()
    made, payer = order(user), users.get(user)
    assert payer is not None
    for of, by, reason in (
        (made, users.get(customer()), "not_yours"),
        (made, replace(payer, banned=True), "banned"),
        (replace(made, state=OrderState.PAID), payer, "already_paid"),
        (replace(made, state=OrderState.CANCELLED), payer, "closed"),
    ):
        assert orders.judge_precheckout(of, by, 500, "XTR", now=NOW).reason == reason
    renewing = replace(made, renews=True)
    assert (
        orders.judge_precheckout(renewing, payer, 500, "XTR", now=NOW, subscribed=True).reason == "already_subscribed"
    )


# States


def decline(order_id: int, now: int) -> bool:
    """End an order as a payment does that is denied; False when it had ended."""
    made = orders.get(order_id)
    assert made is not None
    payments.settle(fact(made, state=payments.PaymentState.DENIED), now)
    return orders.get(order_id).state is OrderState.FAILED  # type: ignore[union-attr]


def test_every_state_but_paid_still_takes_money() -> None:
    for end in (orders.cancel, orders.expire, decline):
        made = order(customer())
        assert end(made.id, NOW)
        payments.settle(fact(made), NOW)
        assert orders.get(made.id).state is OrderState.PAID  # type: ignore[union-attr]


def test_a_paid_order_does_not_end_any_other_way() -> None:
    made = order(customer())
    payments.settle(fact(made), NOW)
    assert not any(end(made.id, NOW) for end in (orders.cancel, orders.expire, decline))
    assert orders.get(made.id).state is OrderState.PAID  # type: ignore[union-attr]


def test_order_moves_cover_every_state_and_paid_is_final() -> None:
    assert MOVES.keys() == set(OrderState)
    assert not MOVES[OrderState.PAID]


def test_a_checkout_with_money_on_the_way_is_not_cancelled() -> None:
    made = order(customer())
    payments.settle(fact(made, state=payments.PaymentState.PENDING), NOW)
    assert not orders.cancel(made.id, NOW)
    assert orders.get(made.id).state is OrderState.OPEN  # type: ignore[union-attr]
    assert all(event.kind != "checkout_cancelled" for event in outbox.claim(NOW))


def test_a_cancelled_checkout_is_told_once() -> None:
    user = customer()
    made = order(user)
    assert orders.cancel(made.id, NOW)
    assert not orders.cancel(made.id, NOW)
    told = [event for event in outbox.claim(NOW) if event.kind == "checkout_cancelled"]
    assert [(event.user_id, event.stored) for event in told] == [(user, {"order": made.public_id, "plan": "premium"})]


def test_only_orders_that_nobody_is_paying_expire() -> None:
    forgotten, paying = order(customer()), order(customer())
    remote, refused = (order(customer(), provider="paypal") for _ in range(2))
    for number, made in enumerate((remote, refused)):
        orders.attach_remote(made.id, f"O-{number}", NOW)
    orders.refused(refused.id, NOW, told=False)
    orders.claim_checkout(paying.id, paying.expires_at - 1)
    assert orders.expire_due(paying.expires_at) == 2
    states = [orders.get(made.id).state for made in (forgotten, refused, remote, paying)]  # type: ignore[union-attr]
    assert states == [OrderState.EXPIRED, OrderState.EXPIRED, OrderState.OPEN, OrderState.OPEN]
    assert orders.expire_due(paying.expires_at + orders.CHECKOUT_S - 1) == 1
    assert orders.get(paying.id).state is OrderState.EXPIRED  # type: ignore[union-attr]


# The provider's side


def test_the_key_of_a_call_is_written_before_it_and_stays() -> None:
    made = order(customer(), provider="paypal")
    create, capture = orders.request_id(made.id, "create", NOW), orders.request_id(made.id, "capture", NOW)
    assert create != capture
    assert Order.get_by_id(made.id).create_request_id == create
    assert orders.request_id(made.id, "create", NOW + 5) == create
    assert orders.request_id(made.id, "create", NOW + 9, fresh=True) != create
    with pytest.raises(NotFound):
        orders.request_id(10**9, "create", NOW)


def test_an_order_is_polled_less_and_less_until_paid() -> None:
    made = order(customer(), provider="paypal")
    orders.attach_remote(made.id, "O-2", NOW, approve_url="https://example.test/approve")
    assert orders.by_remote("paypal", "O-2").approve_url == "https://example.test/approve"  # type: ignore[union-attr]
    assert orders.to_poll("paypal", NOW) == []
    assert [due.id for due in orders.to_poll("paypal", NOW + 60)] == [made.id]
    assert orders.to_poll("stars", NOW + 60) == []
    orders.polled(made.id, True, NOW + 60)
    assert orders.to_poll("paypal", NOW + 60 + 119) == []
    assert orders.to_poll("paypal", NOW + 60 + 120)
    orders.cancel(made.id, NOW)
    assert orders.to_poll("paypal", NOW + DAY)  # the old link may still be paid
    payments.settle(fact(made), NOW)
    assert orders.to_poll("paypal", NOW + DAY) == []


def test_what_the_provider_refused_is_left_to_its_payer() -> None:
    user = customer()
    made = orders.attach_remote(order(user, provider="paypal").id, "O-3", NOW, "https://example.test/approve")
    key = orders.request_id(made.id, "capture", NOW)
    orders.refused(made.id, NOW, told=False)
    assert outbox.due(NOW) == []
    for _ in range(2):
        orders.refused(made.id, NOW, told=True)
    assert orders.get(made.id).is_left_to_its_payer  # type: ignore[union-attr]
    assert orders.to_poll("paypal", NOW + DAY) == []
    assert orders.request_id(made.id, "capture", NOW) != key, "the next attempt is another one"
    refusal = CheckoutRefused(order=made.public_id, plan="premium", url="https://example.test/approve")
    assert [(event.user_id, event.payload) for event in outbox.claim(NOW)] == [(user, refusal)]
    orders.resume(made.id, NOW + 9)
    assert not orders.get(made.id).is_left_to_its_payer  # type: ignore[union-attr]
    assert orders.to_poll("paypal", NOW + 68) == []
    assert [each.id for each in orders.to_poll("paypal", NOW + 69)] == [made.id]


def test_who_has_paid_hears_of_no_refusal() -> None:
    made = order(customer(), provider="paypal")
    payments.settle(fact(made), NOW)
    orders.refused(made.id, NOW, told=True)
    assert [event.kind for event in outbox.claim(NOW) if event.kind == "checkout_refused"] == []
    assert not orders.get(made.id).is_left_to_its_payer  # type: ignore[union-attr]


def test_looks_wait_twice_as_long_each_time_up_to_half_an_hour() -> None:
    delays = [orders.poll_delay(looks) for looks in range(12)]
    assert delays[:4] == [60, 120, 240, 480]
    assert max(delays) == 1800
    assert all(first <= second for first, second in itertools.pairwise(delays))


def test_a_plan_that_renews_is_not_sold_twice() -> None:
    user = customer()
    made = order(user, MONTHLY)
    payments.settle(fact(made, period_end=NOW + MONTH), NOW)
    present = subscriptions.active(user, "monthly")
    assert present is not None
    with pytest.raises(AlreadySubscribed) as refused:
        order(user, MONTHLY)
    assert refused.value.subscription_id == present.id
    assert order(user, PREMIUM).state is OrderState.OPEN


# Payment links

KEY = "k" * 32


def test_a_payment_link_says_who_buys_what() -> None:
    token = orders.pay_token(KEY, 7, "vip", NOW)
    assert orders.read_pay_token(KEY, token, 3600, NOW + 3600) == orders.PayToken(7, "vip")
    for more in ({"job": 5}, {"purpose": "gift"}, {"code": "SUMMER", "job": 5}):
        token = orders.pay_token(KEY, 7, "vip", NOW, **more)
        assert orders.read_pay_token(KEY, token, 3600, NOW) == orders.PayToken(7, "vip", **more)


def test_an_expired_link_is_told_from_a_forged_one() -> None:
    token = orders.pay_token(KEY, 7, "vip", NOW)
    with pytest.raises(TokenExpired):
        orders.read_pay_token(KEY, token, 3600, NOW + 3601)
    with pytest.raises(TokenForged):
        orders.read_pay_token("another key of ours", token, 3600, NOW)


@given(st.text(max_size=80) | st.integers(0, 60))
def test_whatever_else_is_sent_is_forged(sent: str | int) -> None:
    token = orders.pay_token(KEY, 7, "vip", NOW)
    if isinstance(sent, int):  # one changed character
        place = sent % len(token)
        sent = f"{token[:place]}{'Q' if token[place] != 'Q' else 'g'}{token[place + 1 :]}"
    with pytest.raises(TokenForged):
        orders.read_pay_token(KEY, sent, 3600, NOW)


def test_a_doubtful_order_is_told_once_for_each_fault() -> None:
    made = order(customer(), provider="paypal")
    for fault in ("another payee", "another payee", "two units"):
        orders.doubt(made.id, fault, NOW)
    assert [event.read(AdminAlert).detail["fault"] for event in outbox.claim(NOW)] == ["another payee", "two units"]


def test_a_lost_order_of_a_plan_that_left_the_file_is_recalled() -> None:
    """By an id that we have signed, as the plan was last. Nobody else's id makes an order of it."""
    made = order(customer(), VIP)
    Order.delete().execute()
    left = replace(PLANS, plans=tuple(each for each in PLANS.plans if each.code != VIP.code), former=(VIP,))
    recalled = partial(orders.recall, made.public_id, "stars", made.amount, "XTR", plans=left, at=NOW, now=NOW)
    assert recalled(secret="another's") is None
    found = recalled(secret=SECRET)
    assert found is not None
    assert (found.user_id, found.level, found.seconds) == (made.user_id, VIP.level, VIP.seconds)
