"""The ledger: every payment recorded once, checked against its order, credited, announced, in any order of arrival."""

import random
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import database, outbox, users
from models.errors import NotFound, RefundRefused
from models.event_kinds import RequestDone
from models.money import access, orders, payments, provider_requests, webhooks
from models.money.facts import MOVES, PaymentState, merge, state_of
from models.money.income import Income
from models.money.ledger import Change
from models.money.payments import DisputeFact, Fact, RefundFact
from models.tables import Event, Payment, PaymentHistory, Refund, Request
from tests.examples import slow
from tests.purchases import (
    DAY,
    MONTH,
    NOW,
    PREMIUM,
    VIP,
    customer,
    dispute_closed,
    dispute_opened,
    fact,
    order,
    payments_of,
    refund,
)

pytestmark = pytest.mark.usefixtures("database_file")


@pytest.fixture(autouse=True)
def _sound_ledger() -> object:
    yield
    assert payments.audit() == []


def told(user_id: int | None) -> list[Event]:
    """What a person hears; for None what admins must look into, without the news of sales."""
    who = Event.user_id.is_null() if user_id is None else Event.user_id == user_id
    return list(Event.select().where(who, Event.kind != "shop_notice").order_by(Event.id))


def kinds(user_id: int | None) -> list[str]:
    return [event.kind for event in told(user_id)]


def reasons() -> list[str]:
    return [str(event.payload["reason"]) for event in told(None)]


def level(user_id: int, at: int = NOW + 60) -> int:
    return access.of(user_id, at).level


def until(user_id: int, at: int = NOW + 60) -> int | None:
    return access.of(user_id, at).until


# Arriving


def test_a_payment_is_recorded_credited_and_announced() -> None:
    user = customer()
    bought = order(user)
    paid = fact(bought)
    settled = payments.settle(paid, NOW + 5)
    assert settled.outcome == "recorded"
    whole = (access.Interval(NOW, NOW + MONTH, 1),)
    assert access.of(user, NOW + 5) == access.Access(1, NOW + MONTH, False, whole, whole)
    assert orders.get(bought.id).state is orders.OrderState.PAID  # type: ignore[union-attr]
    [receipt] = told(user)
    assert receipt.kind == "payment_completed"
    assert receipt.payload == {
        "payment": settled.payment_id,
        "provider": "stars",
        "remote_id": paid.remote_id,
        "amount": 500,
        "currency": "XTR",
        "order": bought.public_id,
        "plan": "premium",
        "purpose": "plan",
        "level": 1,
        "renewal": False,
        "again": False,
        "until": NOW + MONTH,
        "renews": False,
        "forever": False,
        "kind": None,
        "count": None,
        "code": None,
    }


def test_arriving_twice_changes_nothing() -> None:
    user = customer()
    paid = fact(order(user))
    first, second = payments.settle(paid, NOW), payments.settle(replace(paid, raw_ref="poller"), NOW + 99)
    assert second == payments.Settled(first.payment_id, "unchanged")
    assert kinds(user) == ["payment_completed"]
    assert until(user) == NOW + MONTH
    assert PaymentHistory.select().where(PaymentHistory.payment == first.payment_id).count() == 2


def test_one_payment_told_in_many_threads_is_recorded_once() -> None:
    user = customer()
    paid = fact(order(user))
    barrier, outcomes = threading.Barrier(8), []

    def settle() -> None:
        database.connect()
        barrier.wait()
        outcomes.append(payments.settle(paid, NOW).outcome)
        database.close_database()

    threads = [threading.Thread(target=settle) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(outcomes) == {"recorded": 1, "unchanged": 7}
    assert kinds(user) == ["payment_completed"]


def test_a_second_payment_of_one_order_is_credited_too() -> None:
    user = customer()
    bought = order(user)
    payments.settle(fact(bought), NOW)
    assert payments.settle(fact(bought, NOW + 60), NOW + 60).outcome == "recorded"
    assert until(user) == NOW + 2 * MONTH
    assert [event.payload["again"] for event in told(user)] == [False, True]


def test_a_banned_customers_payment_is_credited_and_told() -> None:
    user = customer()
    bought = order(user)
    users.ban(user, NOW)
    assert payments.settle(fact(bought), NOW).outcome == "recorded"
    assert level(user) == 1
    assert reasons() == ["banned_user_paid"]


def test_a_test_purchase_grants_nothing_and_is_refunded() -> None:
    user = customer()
    bought = order(user, purpose="test")
    settled = payments.settle(fact(bought), NOW)
    assert settled.outcome == "recorded"
    assert level(user) == 0
    assert [event.payload["purpose"] for event in told(user)] == ["test"]
    [request] = Request.select()
    assert (request.kind, request.payment_id, request.amount) == ("refund", settled.payment_id, 500)
    assert orders.get(bought.id).state is orders.OrderState.PAID  # type: ignore[union-attr]


# What does not fit


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"amount": 499}, "wrong_amount"),
        ({"amount": 501}, "wrong_amount"),
        ({"currency": "USD"}, "wrong_currency"),
        ({"user_id": 0}, "wrong_user"),
        ({"provider": "paypal"}, "wrong_provider"),
    ],
)
def test_a_payment_unlike_its_order_buys_nothing(wrong: dict[str, object], reason: str) -> None:
    user, stranger = customer(), customer()
    bought = order(user)
    if wrong == {"user_id": 0}:
        wrong = {"user_id": stranger}
    bad = fact(bought, **wrong)
    assert payments.settle(bad, NOW).outcome == "mismatch"
    assert payments.settle(bad, NOW).outcome == "unchanged"
    assert level(user) == level(stranger) == 0
    assert orders.get(bought.id).state is orders.OrderState.OPEN  # type: ignore[union-attr]
    assert reasons() == [reason]
    assert kinds(user) == kinds(stranger) == []
    recorded = payments.find(bad.provider, bad.remote_id)
    assert recorded is not None and not recorded.grants and recorded.order_id == bought.id


def test_a_strangers_payment_is_not_in_the_buyers_history() -> None:
    user = customer()
    assert payments.settle(fact(order(user), user_id=10**12), NOW).outcome == "mismatch"
    assert payments.history_of(user) == []


def test_a_payment_of_nothing_we_know_is_recorded_and_told_once() -> None:
    lost = Fact("stars", "lost-1", "no-such-order", None, 10**12, 500, "XTR", PaymentState.COMPLETED, NOW, NOW)
    assert [payments.settle(lost, NOW).outcome for _ in range(2)] == ["unknown_order", "unchanged"]
    recorded = payments.find(None, "lost-1")
    assert recorded is not None and (recorded.user_id, recorded.order_id, recorded.grants) == (10**12, None, False)
    assert reasons() == ["unknown_order"]
    # It can be given back to whoever paid it
    assert payments.ask_refund(recorded.id, None, 1, NOW)


def test_a_payment_is_credited_when_its_order_is_named_later() -> None:
    user = customer()
    bought = order(user)
    whole = fact(bought)
    payments.settle(replace(whole, order_public_id=None, user_id=None), NOW)
    refund("stars", whole.remote_id, "r-later", 250, NOW + MONTH // 2, NOW)
    assert level(user) == 0 and kinds(user) == []
    assert payments.settle(whole, NOW + 60).outcome == "recorded"
    assert until(user) == NOW + MONTH * 3 // 4
    assert kinds(user) == ["payment_completed", "payment_refunded"]
    assert orders.get(bought.id).state is orders.OrderState.PAID  # type: ignore[union-attr]


def test_a_changed_amount_is_told_and_changes_nothing() -> None:
    user = customer()
    paid = fact(order(user))
    payments.settle(replace(paid, state=PaymentState.PENDING), NOW)
    assert payments.settle(replace(paid, amount=1), NOW).outcome == "mismatch"
    assert level(user) == 0
    assert reasons() == ["amount_changed"]


# States


def test_a_pending_payment_grants_nothing_until_it_completes() -> None:
    user = customer()
    paid = fact(order(user))
    payments.settle(replace(paid, state=PaymentState.PENDING), NOW)
    assert level(user) == 0
    payments.settle(replace(paid, at=NOW + DAY), NOW + DAY)
    assert level(user, NOW + DAY) == 1
    assert until(user, NOW + DAY) == NOW + DAY + MONTH  # a month from when it could be used
    assert kinds(user) == ["payment_pending", "payment_completed"]


def test_the_first_payment_accepts_the_terms() -> None:
    user = customer()
    payments.settle(replace(fact(order(user)), state=PaymentState.PENDING), NOW)
    assert users.get(user).accepted_terms_at is None
    payments.settle(fact(order(user), at=NOW + DAY), NOW + DAY)
    payments.settle(fact(order(user), at=NOW + 2 * DAY, remote_id="later"), NOW + 2 * DAY)
    assert users.get(user).accepted_terms_at == NOW + DAY


@pytest.mark.parametrize("pending", [0, DAY, 6 * DAY, 40 * DAY])
def test_time_counts_from_completion_however_late_that_is(pending: int) -> None:
    user = customer()
    paid = fact(order(user), at=NOW + pending, created_at=NOW)
    payments.settle(replace(paid, state=PaymentState.PENDING, at=NOW), NOW)
    payments.settle(paid, NOW + pending)
    assert access.of(user, NOW + pending).paid == (access.Interval(NOW + pending, NOW + pending + MONTH, 1),)


def test_a_denied_payment_fails_its_order_for_good() -> None:
    user = customer()
    bought = order(user)
    paid = fact(bought)
    payments.settle(replace(paid, state=PaymentState.PENDING), NOW)
    payments.settle(replace(paid, state=PaymentState.DENIED), NOW)
    assert orders.get(bought.id).state is orders.OrderState.FAILED  # type: ignore[union-attr]
    for late in (PaymentState.COMPLETED, PaymentState.PENDING, PaymentState.REVERSED):
        assert payments.settle(replace(paid, state=late), NOW).outcome == "unchanged"
    assert level(user) == 0
    assert kinds(user) == ["payment_pending", "payment_denied"]


def test_a_reversed_payment_keeps_used_time_and_stays_reversed() -> None:
    user = customer()
    paid = fact(order(user))
    payments.settle(paid, NOW)
    payments.settle(replace(paid, state=PaymentState.REVERSED, at=NOW + DAY), NOW + DAY)
    for late in (PaymentState.COMPLETED, PaymentState.DENIED, PaymentState.PENDING):
        assert payments.settle(replace(paid, state=late, at=NOW + 2 * DAY), NOW + 2 * DAY).outcome == "unchanged"
    assert access.of(user, NOW + 2 * DAY).intervals == (access.Interval(NOW, NOW + DAY, 1),)
    assert kinds(user) == ["payment_completed", "payment_reversed"]


def test_nobody_may_say_that_a_payment_is_frozen() -> None:
    with pytest.raises(ValueError, match="dispute"):
        payments.settle(fact(order(customer()), state=PaymentState.FROZEN), NOW)


def test_payment_moves_cover_every_state_and_ended_is_final() -> None:
    assert MOVES.keys() == set(PaymentState)
    assert not MOVES[PaymentState.DENIED] and not MOVES[PaymentState.REVERSED]


@pytest.mark.parametrize(
    ("happened", "state"),
    [
        ((None, None, None, []), PaymentState.PENDING),
        ((5, None, None, []), PaymentState.COMPLETED),
        ((None, 5, None, []), PaymentState.DENIED),
        ((5, None, 9, []), PaymentState.REVERSED),
        ((None, None, 9, []), PaymentState.REVERSED),
        ((5, None, None, [None]), PaymentState.FROZEN),
        ((5, None, None, [True]), PaymentState.COMPLETED),
        ((5, None, None, [True, None]), PaymentState.FROZEN),
        ((5, None, None, [True, False]), PaymentState.REVERSED),
        ((None, None, None, [False]), PaymentState.PENDING),
    ],
)
def test_a_state_follows_from_what_happened(happened: tuple[int, int, int, list[bool]], state: PaymentState) -> None:
    assert state_of(*happened) is state


# Refunds


def test_a_refund_is_recorded_once_and_removes_its_share() -> None:
    user = customer()
    paid = fact(order(user))
    payments.settle(paid, NOW)
    give_back = ("stars", paid.remote_id, "r-1", 250, NOW + 10 * DAY, NOW + 10 * DAY)
    assert [refund(*give_back).outcome for _ in range(2)] == ["recorded", "unchanged"]
    assert until(user) == NOW + 20 * DAY
    assert payments.history_of(user)[0].refunded == 250
    [_, refunded] = told(user)
    assert refunded.kind == "payment_refunded"
    assert (refunded.payload["refund"], refunded.payload["refunded"]) == ("r-1", 250)


def test_each_partial_refund_is_told_with_the_total() -> None:
    user = customer()
    paid = fact(order(user, provider="paypal"))
    payments.settle(paid, NOW)
    for part in ("a", "b"):
        refund("paypal", paid.remote_id, f"{paid.remote_id}-{part}", 250, NOW, NOW)
    assert [event.payload["returned"] for event in told(user)[1:]] == [250, 500]


def test_a_refund_that_arrives_before_its_payment_waits_for_it() -> None:
    user = customer()
    paid = fact(order(user))
    assert refund("stars", paid.remote_id, "r-2", 500, NOW + DAY, NOW).outcome == "recorded"
    assert kinds(user) == []
    payments.settle(paid, NOW + 60)
    assert access.of(user, NOW + 60).intervals == (access.Interval(NOW, NOW + DAY, 1),)
    assert kinds(user) == ["payment_completed", "payment_refunded"]


def test_refunded_and_bought_again_holds_the_new_purchase_only() -> None:
    user = customer()
    first = fact(order(user))
    payments.settle(first, NOW)
    refund("stars", first.remote_id, "r-3", 500, NOW + DAY, NOW + DAY)
    payments.settle(fact(order(user, now=NOW + 2 * DAY), NOW + 2 * DAY), NOW + 2 * DAY)
    assert access.of(user, NOW + 2 * DAY).intervals[1] == access.Interval(NOW + 2 * DAY, NOW + 2 * DAY + MONTH, 1)


def test_a_refund_asks_once_for_what_is_left() -> None:
    user = customer()
    bought = order(user, provider="paypal")
    paid = fact(bought)
    settled = payments.settle(paid, NOW)
    refund("paypal", paid.remote_id, "r-4", 200, NOW, NOW)
    asked = payments.ask_refund(settled.payment_id or 0, None, 99, NOW)
    assert payments.ask_refund(settled.payment_id or 0, None, 99, NOW) == asked
    row = Request.get_by_id(asked)
    assert (row.kind, row.provider, row.amount, row.user_id, row.asked_by) == ("refund", "paypal", 300, user, 99)


@pytest.mark.parametrize(
    ("provider", "state", "back", "amount", "reason", "rest"),
    [
        ("paypal", PaymentState.PENDING, 0, None, "not_completed", 500),
        ("paypal", PaymentState.COMPLETED, 500, None, "nothing_left", 0),
        ("paypal", PaymentState.COMPLETED, 200, 301, "above_rest", 300),
        ("paypal", PaymentState.COMPLETED, 0, 0, "above_rest", 500),
        ("stars", PaymentState.COMPLETED, 0, 100, "whole_only", 500),
    ],
)
def test_a_refund_that_cannot_be_is_refused_here(
    provider: str, state: PaymentState, back: int, amount: int | None, reason: str, rest: int
) -> None:
    paid = fact(order(customer(), provider=provider), state=state)
    settled = payments.settle(paid, NOW)
    if back:
        refund(provider, paid.remote_id, f"r-{paid.remote_id}", back, NOW, NOW)
    with pytest.raises(RefundRefused) as refused:
        payments.ask_refund(settled.payment_id or 0, amount, None, NOW)
    assert (refused.value.reason, refused.value.rest) == (reason, rest)
    assert Request.select().count() == 0


def test_a_second_refund_waits_for_the_one_under_way() -> None:
    paid = fact(order(customer(), provider="paypal"))
    settled = payments.settle(paid, NOW)
    part = payments.ask_refund(settled.payment_id or 0, 100, 99, NOW)
    for amount in (None, 200):
        with pytest.raises(RefundRefused) as refused:
            payments.ask_refund(settled.payment_id or 0, amount, 99, NOW)
        assert (refused.value.reason, refused.value.under_way) == ("under_way", 100)
    assert payments.ask_refund(settled.payment_id or 0, 100, 99, NOW) == part
    refund("paypal", paid.remote_id, f"r-{paid.remote_id}", 100, NOW, NOW)
    provider_requests.finish(part, "refunded", NOW)
    rest = provider_requests.get(payments.ask_refund(settled.payment_id or 0, None, 99, NOW))
    assert rest is not None and rest.amount == 400


def test_a_refund_names_the_payment_as_its_provider_does() -> None:
    paid = fact(order(customer(), provider="paypal"))
    settled = payments.settle(paid, NOW)
    provider_requests.finish(payments.ask_refund(settled.payment_id or 0, None, 99, NOW), "refunded", NOW)
    [told] = [event for event in outbox.claim(NOW) if event.user_id == 99]
    done = told.read(RequestDone)
    assert (done.remote_id, done.currency) == (paid.remote_id, paid.currency)


def test_a_refund_of_nothing_is_not_found() -> None:
    with pytest.raises(NotFound):
        payments.ask_refund(10**9, None, None, NOW)


# Disputes


def test_a_dispute_freezes_and_a_won_one_gives_everything_back() -> None:
    user = customer()
    paid = fact(order(user))
    payments.settle(paid, NOW)
    booked = dispute_opened("stars", paid.remote_id, "d-1", NOW + DAY, NOW + DAY)
    assert booked.payment_id == payments.history_of(user)[0].id
    assert level(user, NOW + 2 * DAY) == 0
    assert payments.history_of(user)[0].state is PaymentState.FROZEN
    assert payments.settle(paid, NOW + 2 * DAY).outcome == "unchanged"  # the poller does not thaw it
    assert level(user, NOW + 2 * DAY) == 0
    dispute_closed("stars", paid.remote_id, "d-1", True, NOW + 5 * DAY, NOW + 5 * DAY)
    assert payments.history_of(user)[0].state is PaymentState.COMPLETED
    assert until(user, NOW + 5 * DAY) == NOW + MONTH + 4 * DAY
    assert kinds(user) == ["payment_completed", "dispute_opened", "dispute_closed"]
    assert reasons() == ["dispute_opened"]


def test_a_lost_dispute_ends_access_from_its_opening() -> None:
    user = customer()
    paid = fact(order(user))
    payments.settle(paid, NOW)
    dispute_closed("stars", paid.remote_id, "d-2", False, NOW + 9 * DAY, NOW + 9 * DAY)
    dispute_opened("stars", paid.remote_id, "d-2", NOW + DAY, NOW + 9 * DAY)
    dispute_closed("stars", paid.remote_id, "d-2", True, NOW + 10 * DAY, NOW + 10 * DAY)
    assert access.of(user, NOW).intervals == (access.Interval(NOW, NOW + DAY, 1),)
    assert payments.history_of(user)[0].state is PaymentState.REVERSED


def test_a_dispute_that_arrives_before_its_payment_waits_for_it() -> None:
    user = customer()
    paid = fact(order(user))
    dispute_opened("stars", paid.remote_id, "d-3", NOW + DAY, NOW)
    payments.settle(paid, NOW)
    assert payments.history_of(user)[0].state is PaymentState.FROZEN
    assert kinds(user) == ["payment_completed", "dispute_opened"]
    assert level(user, NOW + 2 * DAY) == 0


reports = st.builds(
    lambda opened, lasted, won: access.Disputed(opened, None if won is None else opened + lasted, won),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from([None, True, False]),
)


@given(reports, reports, reports)
def test_reports_of_a_dispute_join_in_any_order(a: access.Disputed, b: access.Disputed, c: access.Disputed) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a


# Any order of arrival


@st.composite
def stories(draw: st.DrawFn) -> list[Callable[[list[orders.OrderInfo], str], Change]]:
    """What happens to one to three payments, as functions of a customer's orders and a prefix for remote ids."""
    story: list[Callable[[list[orders.OrderInfo], str], Change]] = []
    days = st.integers(0, 60)  # whole days, so that things often happen in the same second
    for number in range(draw(st.integers(1, 3))):
        which, created, took = draw(st.integers(0, 1)), draw(st.integers(0, 2)), draw(st.integers(0, 4))
        done = NOW + (created + took) * DAY

        def word(
            state: PaymentState, at: int, number: int = number, which: int = which, created: int = created
        ) -> Callable[[list[orders.OrderInfo], str], Change]:
            return lambda made, prefix: fact(
                made[which], at, f"{prefix}-{number}", state=state, created_at=NOW + created * DAY
            )

        if draw(st.booleans()):
            story.append(word(PaymentState.PENDING, NOW + created * DAY))
        if draw(st.integers(0, 5)) == 0:
            story.append(word(PaymentState.DENIED, done))
            continue
        story.extend([word(PaymentState.COMPLETED, done)] * draw(st.integers(1, 2)))
        if draw(st.integers(0, 3)) == 0:
            story.extend(word(PaymentState.REVERSED, done + later * DAY) for later in draw(st.lists(days, max_size=2)))
        left = 500 * (which + 1)
        for part in range(draw(st.integers(0, 2))):
            amount, at = draw(st.integers(1, left // 2)), done + draw(days) * DAY
            left -= amount
            story.append(
                lambda made, prefix, n=number, r=part, a=amount, t=at: RefundFact(  # type: ignore[misc]
                    "stars", f"{prefix}-{n}", f"{prefix}-{n}-r{r}", a, t
                )
            )
        if draw(st.booleans()):
            opened, lasted = done + draw(days) * DAY, draw(days) * DAY
            verdict = draw(st.sampled_from([None, True, False]))
            for closed, won in [(None, None), (opened + lasted, verdict)][: 1 if verdict is None else 2]:
                story.append(
                    lambda made, prefix, n=number, o=opened, c=closed, w=won: DisputeFact(  # type: ignore[misc]
                        "stars", f"{prefix}-{n}", f"{prefix}-{n}-d", o, c, w
                    )
                )
    return story


@given(stories(), st.randoms(use_true_random=False))
@slow(60)
def test_access_is_the_same_for_any_order_of_arrival(
    story: list[Callable[[list[orders.OrderInfo], str], Change]], random_: random.Random
) -> None:
    shuffled = story[:]
    random_.shuffle(shuffled)
    seen = []
    for tellings in (story, shuffled):
        user = customer()
        made = [order(user, PREMIUM), order(user, VIP)]
        prefix = f"story-{user:09d}"
        for change in tellings:
            payments.apply([change(made, prefix)], NOW)
        recorded = {payment.remote_id[len(prefix) :]: payment for payment in payments.history_of(user)}
        seen.append(
            (
                access.of(user, NOW).intervals,
                {remote: (payment.state, payment.refunded) for remote, payment in recorded.items()},
                [orders.get(one.id).state for one in made],  # type: ignore[union-attr]
            )
        )
        said = Counter((event.kind, event.payload["payment"], *_which(event)) for event in told(user))
        assert set(said.values()) <= {1}
    assert seen[0] == seen[1]


def _which(event: Event) -> tuple[object, object]:
    return event.payload.get("refund"), event.payload.get("dispute")


def test_an_unused_purchase_refunded_leaves_the_others() -> None:
    user, witness = customer(), customer()
    for buyer in (user, witness):
        payments.settle(fact(order(buyer)), NOW)
    extra = fact(order(user, VIP), NOW)
    payments.settle(extra, NOW)
    refund("stars", extra.remote_id, f"r-{user}", 1000, NOW, NOW)
    assert access.of(user, NOW).intervals == access.of(witness, NOW).intervals


def test_twelve_premiums_and_one_vip_give_all_of_both() -> None:
    user = customer()
    for number in range(12):
        payments.settle(fact(order(user), NOW + number), NOW + number)
    payments.settle(fact(order(user, VIP), NOW + DAY), NOW + DAY)
    lived = {1: 0, 2: 0}
    for interval in access.of(user, NOW).intervals:
        lived[interval.level] += (interval.end or 0) - interval.start
    assert lived == {1: 12 * MONTH, 2: MONTH}


# One look at a provider


def test_one_look_is_one_transaction() -> None:
    user = customer()
    bought = order(user)
    good, bad = fact(bought), fact(bought, state=PaymentState.FROZEN)
    with pytest.raises(ValueError):
        payments.apply([good, bad], NOW)
    assert payments.find("stars", good.remote_id) is None
    assert kinds(user) == []


def test_a_notification_is_done_once_with_its_effects() -> None:
    user = customer()
    paid = fact(order(user))
    _, webhook = webhooks.receive("paypal", "WH-1", "PAYMENT.CAPTURE.COMPLETED", "C-1", "{}", NOW)
    assert payments.apply([paid], NOW, webhook.id)[0].outcome == "recorded"
    assert payments.apply([replace(paid, remote_id="another")], NOW, webhook.id) == []
    assert payments.find("stars", "another") is None
    assert webhooks.receive("paypal", "WH-1", "…", "C-1", "{}", NOW)[0] is webhooks.Received.DONE


# Questions


def test_history_is_newest_first_and_totals_add_up() -> None:
    user = customer()
    early, late = fact(order(user), NOW), fact(order(user, VIP, "paypal"), NOW + DAY)
    payments.settle(late, NOW + DAY)
    payments.settle(early, NOW + DAY)
    payments.settle(fact(order(customer(), VIP), NOW, state=PaymentState.PENDING), NOW)
    refund("paypal", late.remote_id, "r-5", 300, NOW + DAY, NOW + DAY)
    assert [payment.remote_id for payment in payments.history_of(user)] == [late.remote_id, early.remote_id]
    assert payments_of(payments.history_of(user)[0].order_id or 0)[0].remote_id == late.remote_id
    assert [payment.remote_id for payment in payments.since("paypal", NOW)] == [late.remote_id]
    assert payments.totals() == payments.Totals(1, (Income("USD", 1, 1000, 300), Income("XTR", 1, 500, 0)))
    assert payments.totals(NOW + 1).turnover == (Income("USD", 1, 1000, 300),)


def test_how_far_the_operator_has_come() -> None:
    payments.settle(fact(order(customer()), state=PaymentState.PENDING), NOW)
    assert payments.milestones() == payments.Milestones(sold=False, tested=False)
    payments.settle(fact(order(customer(), purpose="test")), NOW)
    assert payments.milestones() == payments.Milestones(sold=False, tested=True)
    payments.settle(fact(order(customer())), NOW)
    assert payments.milestones() == payments.Milestones(sold=True, tested=True)


def test_what_a_dispute_took_is_not_counted_as_earned() -> None:
    lost, refunded_before, open_, reversed_ = (fact(order(customer(), VIP, "paypal"), NOW) for _ in range(4))
    for paid in (lost, refunded_before, open_, reversed_):
        payments.settle(paid, NOW)
    refund("paypal", refunded_before.remote_id, "r-6", 300, NOW, NOW)
    for number, paid in enumerate((lost, refunded_before, open_)):
        dispute_opened("paypal", paid.remote_id, f"d-{number}", NOW, NOW)
    for number, paid in enumerate((lost, refunded_before)):
        dispute_closed("paypal", paid.remote_id, f"d-{number}", False, NOW + DAY, NOW + DAY)
    payments.settle(replace(reversed_, state=PaymentState.REVERSED, at=NOW + DAY), NOW + DAY)
    assert payments.totals().turnover == (Income("USD", 4, 4000, 3000),)


def test_the_audit_sees_what_does_not_add_up() -> None:
    bought = order(customer())
    settled = payments.settle(fact(bought), NOW)
    with database.transaction():
        Payment.update(state="frozen", amount=1).where(Payment.id == settled.payment_id).execute()
        PaymentHistory.delete().where(PaymentHistory.payment == settled.payment_id).execute()
        Refund.insert(
            payment=settled.payment_id,
            provider="stars",
            payment_remote_id="x",
            remote_id="too-much",
            amount=2,
            at=NOW,
            created_at=NOW,
        ).execute()
    orders_paid = order(customer())
    with database.transaction():
        orders.Order.update(state="paid").where(orders.Order.id == orders_paid.id).execute()
    findings = payments.audit()
    assert len(findings) == 7
    with database.transaction():  # leave a sound ledger behind
        Event.delete().execute()
        Refund.delete().execute()
        Payment.delete().execute()
        orders.Order.update(state="open").execute()


def test_the_audits_memory_does_not_grow_with_the_ledger() -> None:
    known = payments.get(payments.settle(fact(order(customer())), NOW).payment_id or 0)
    assert known is not None

    def peak_at(copies: int) -> int:
        for table, name, id_ in ((orders.Order, "public_id", known.order_id), (Payment, "remote_id", known.id)):
            row = table.select().where(table.id == id_).dicts().get()
            rows = [{**row, "id": number, name: f"copy {number}"} for number in range(copies, 2 * copies)]
            if table is Payment:
                rows = [{**row, "order": row["id"]} for row in rows]
            table.insert_many(rows).execute()
        changes = [{"payment": number, "change": "recorded", "at": NOW} for number in range(copies, 2 * copies)]
        PaymentHistory.insert_many(changes).execute()
        receipts = [
            {"kind": "payment_completed", "key": f"payment_completed:{number}", "random_id": 1, "created_ms": 0}
            for number in range(copies, 2 * copies)
        ]
        Event.insert_many(receipts).execute()
        return min(peak() for _ in range(3))  # without what another thread of the process takes meanwhile

    def peak() -> int:
        tracemalloc.start()
        try:
            assert payments.audit() == []
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with database.transaction():
        few, many = peak_at(100), peak_at(1_000)
    assert many < few + 50_000, "a hundred bytes for each more would be 100 kB"


@pytest.mark.parametrize("state", [PaymentState.DENIED, PaymentState.PENDING])
def test_a_try_that_was_not_paid_makes_no_second_payment(state: PaymentState) -> None:
    user = customer()
    bought = order(user, provider="paypal")
    payments.settle(fact(bought, NOW, state=state), NOW)
    payments.settle(fact(bought, NOW + 60), NOW + 60)

    (receipt,) = [event for event in told(user) if event.kind == "payment_completed"]
    assert not receipt.payload["again"]
