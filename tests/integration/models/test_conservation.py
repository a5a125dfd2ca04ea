"""No second that was paid is lost, and the order in which news arrive does not matter: whole lives of customers."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money import access, payments, subscriptions
from models.money.facts import Fact, PaymentState, RefundFact
from models.money.fold import Grant
from models.money.payments import Change, PaymentInfo
from models.money.subscriptions import News, SubscriptionState
from tests.access_oracle import simulate
from tests.examples import slow
from tests.purchases import DAY, MONTH, NOW, customer, fact, order, plan

pytestmark = pytest.mark.usefixtures("database_file")

LEVELS = (1, 2)
HORIZON = 700
"""Days after which all that a life bought is used up."""

Telling = Callable[[str], Change]
"""News about one customer, whose rows have names that begin like this."""


@dataclass(frozen=True)
class Purchase:
    """What a customer begins to buy, and what its provider says of it in time."""

    level: int
    provider: str
    renews: bool
    facts: tuple[tuple[int, int, PaymentState], ...]
    """Number of the payment, day, state."""
    news: tuple[tuple[int, SubscriptionState], ...] = ()
    refunds: tuple[tuple[int, int, int], ...] = ()
    """Number of the payment, day, amount."""


days = st.integers(0, 60)
ENDINGS = (SubscriptionState.SUSPENDED, SubscriptionState.CANCELLED, SubscriptionState.EXPIRED)


@st.composite
def once(draw: st.DrawFn, refunded: bool) -> Purchase:
    """One period, perhaps pending for some days."""
    begun, pending = draw(days), draw(st.integers(0, 8))
    facts = [(0, begun + pending, PaymentState.COMPLETED)]
    if pending:
        facts.insert(0, (0, begun, PaymentState.PENDING))
    refunds = draw(st.lists(st.tuples(st.just(0), days, st.integers(50, 250)), max_size=2)) if refunded else []
    provider = draw(st.sampled_from(["stars", "paypal"]))
    return Purchase(draw(st.sampled_from(LEVELS)), provider, False, tuple(facts), refunds=tuple(refunds))


@st.composite
def renewing(draw: st.DrawFn, refunded: bool) -> Purchase:
    """Some periods, each paid up to three days early or late, and what the provider says meanwhile."""
    begun, periods = draw(days), draw(st.integers(1, 4))
    paid = [max(0, begun + number * 30 + draw(st.integers(-3, 3))) for number in range(periods)]
    facts = tuple((number, day, PaymentState.COMPLETED) for number, day in enumerate(paid))
    states = st.sampled_from([SubscriptionState.ACTIVE, *ENDINGS])
    news = draw(st.lists(st.tuples(st.integers(begun, begun + 130), states), max_size=4))
    refunds = draw(st.lists(st.tuples(st.integers(0, periods - 1), days, st.integers(50, 500)), max_size=2))
    return Purchase(
        draw(st.sampled_from(LEVELS)), "paypal", True, facts, tuple(news), tuple(refunds if refunded else [])
    )


def lives(refunded: bool) -> st.SearchStrategy[list[Purchase]]:
    return st.lists(once(refunded) | renewing(refunded), min_size=1, max_size=5)


def begin(user: int, life: list[Purchase]) -> list[Telling]:
    """Place the orders of a life; return what its providers will say."""
    told: list[Telling] = []
    for number, bought in enumerate(life):
        made = order(user, plan(f"plan{number}", bought.level, bought.renews), bought.provider)
        if bought.renews:
            subscriptions.recall(made.id, f"I-{user}-{number}", NOW)
        told += tellings(fact(made), number, bought)
    return told


def tellings(paid: Fact, number: int, bought: Purchase) -> list[Telling]:
    def payment(each: int, day: int, state: PaymentState, prefix: str) -> Fact:
        moment = NOW + day * DAY
        begun = NOW + min(day for other, day, _ in bought.facts if other == each) * DAY
        changed = replace(paid, state=state, created_at=begun, at=moment, remote_id=f"{prefix}-{number}-{each}")
        if not bought.renews:
            return changed
        named = f"I-{prefix}-{number}"
        return replace(changed, order_public_id=None, subscription_remote_id=named, period_end=moment + MONTH)

    told: list[Telling] = []
    for each, day, state in bought.facts:
        told.append(lambda prefix, e=each, d=day, s=state: payment(e, d, s, prefix))  # type: ignore[misc]
    for day, ended in bought.news:
        told.append(lambda prefix, d=day, s=ended: News("paypal", f"I-{prefix}-{number}", s, None, NOW + d * DAY))  # type: ignore[misc]
    for part, (each, day, amount) in enumerate(bought.refunds):
        told.append(
            lambda prefix, e=each, d=day, a=amount, p=part: RefundFact(  # type: ignore[misc]
                bought.provider, f"{prefix}-{number}-{e}", f"{prefix}-{number}-{e}-r{p}", a, NOW + d * DAY
            )
        )
    return told


def live(life: list[Purchase], order_: Callable[[list[Telling]], list[Telling]] = list) -> int:
    user = customer()
    for telling in order_(begin(user, life)):
        payments.apply([telling(str(user))], NOW)
    return user


def in_days(payment: PaymentInfo) -> Grant:
    """What a payment bought, in whole days."""
    ended_at = payment.renewal_ended_at
    return Grant(
        f"{payment.provider}:{payment.remote_id}",
        payment.level,
        (payment.effective_at - NOW) // DAY,
        seconds=(payment.seconds or 0) // DAY,
        amount=payment.amount,
        renews=payment.subscription_id is not None,
        renewal_ended_at=None if ended_at is None else (ended_at - NOW) // DAY,
    )


@given(lives(refunded=False), st.randoms(use_true_random=False))
@slow(60)
def test_no_paid_second_is_lost_but_under_a_running_renewal(life: list[Purchase], random_: random.Random) -> None:
    user = live(life, lambda told: random_.sample(told, len(told)))
    bought = [in_days(payment) for payment in payments.history_of(user)]
    _, counted = simulate(bought, [], 0, HORIZON)
    paid = access.of(user, NOW).paid
    for level in LEVELS:
        lived = sum((interval.end or 0) - interval.start for interval in paid if interval.level == level)
        lost = sum(each.lost for each in counted if each.grant.level == level)
        assert lived == 30 * DAY * sum(grant.level == level for grant in bought) - lost * DAY
    assert not any(each.lost for each in counted if not each.grant.renews)
    assert not payments.audit()


@given(lives(refunded=True), st.randoms(use_true_random=False))
@slow(60)
def test_the_order_of_arrival_does_not_matter(life: list[Purchase], random_: random.Random) -> None:
    seen = []
    for order_ in (list, lambda told: random_.sample(told, len(told))):
        user = live(life, order_)
        has = access.of(user, NOW)
        seen.append(
            (
                has.intervals,
                has.paid,
                {
                    each.remote_id.partition("-")[2]: (each.state, each.renewal_ended_at)
                    for each in payments.history_of(user)
                },
                {each.plan_code: (each.state, each.period_end) for each in subscriptions.of(user)},
            )
        )
    assert seen[0] == seen[1]
