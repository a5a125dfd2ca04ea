"""The audit of the ledger: silent about what adds up, and about each thing that was changed past the operations."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.plans import Limit, Pack
from config.units import MIB
from models import database, outbox
from models.jobs import queue, usage
from models.jobs.usage import Needs, Room
from models.money import payments, subscriptions
from models.money.orders import Discount
from models.money.subscriptions import News, SubscriptionState
from models.tables import (
    CreditUse,
    Dispute,
    Event,
    Heartbeat,
    Order,
    Payment,
    PaymentHistory,
    Referral,
    ReferralPayment,
    Refund,
    Subscription,
)
from tests.purchases import (
    DAY,
    MONTH,
    MONTHLY,
    NOW,
    PREMIUM,
    VIP,
    customer,
    dispute_closed,
    dispute_opened,
    fact,
    order,
    refund,
)
from tests.store import TODAY, enqueue

YEAR = 365 * DAY
PACK = Pack("ten", "video", 10, {"en": "Ten"}, {"en": "Ten"}, 2000 * MIB, 0, {"XTR": 150}, True)


class Ledger:
    """A customer with a renewal of two periods, a plan that was refunded in part, and one that was disputed."""

    def __init__(self) -> None:
        self.user = customer()
        renewed = order(self.user, MONTHLY, "paypal")
        self.subscription = subscriptions.begin(renewed.id, "I-1", NOW).id
        named = {"order_public_id": None, "subscription_remote_id": "I-1"}
        for number in range(2):
            at = NOW + number * MONTH
            payments.settle(fact(renewed, at, f"S-{number}", period_end=at + MONTH, **named), at)
        bought, disputed = fact(order(self.user, PREMIUM, "paypal")), fact(order(self.user, VIP, "paypal"))
        self.payment = payments.settle(bought, NOW).payment_id
        self.disputed = payments.settle(disputed, NOW).payment_id
        refund("paypal", bought.remote_id, "R-1", 100, NOW + DAY, NOW + DAY)
        dispute_opened("paypal", disputed.remote_id, "D-1", NOW + DAY, NOW + DAY)
        dispute_closed("paypal", disputed.remote_id, "D-1", True, NOW + 2 * DAY, NOW + 2 * DAY)
        subscriptions.update(News("paypal", "I-1", SubscriptionState.CANCELLED, None, NOW + 40 * DAY), NOW + 40 * DAY)
        self.pack = payments.settle(fact(order(self.user, PACK)), NOW).payment_id
        job = enqueue(self.user, "a")
        queue.claim("w", 60, 9, NOW)
        usage.reserve_post(job.id, self.user, Needs({"video": 4}), Room({"video": Limit.NONE}, TODAY), NOW)
        queue.finish(job.id, "w", queue.Delivered(), NOW)
        for event in Event.select():
            outbox.heard(event.id, NOW)

    @property
    def renewals(self) -> Any:
        return Payment.subscription == self.subscription


@pytest.fixture(scope="module")
def written(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    """The file of a ledger without a fault, closed: writing one takes ten times what a test does with it."""
    file = tmp_path_factory.mktemp("ledger") / "peaje.db"
    shutil.copy(migrated, file)
    database.open_database(file)
    try:
        made = Ledger()
        assert payments.audit() == []
    finally:
        database.close_database()
    return file, made


@pytest.fixture
def ledger(written: tuple[Path, Ledger], tmp_path: Path) -> Iterator[Ledger]:
    """A copy of the ledger, open in this thread."""
    file, made = written
    database.open_database(shutil.copy(file, tmp_path / "peaje.db"))
    yield made
    database.close_database()


def bring(ledger: Ledger, referrer_hash: str = "a", friend_hash: str = "b", **changed: Any) -> Any:
    """Somebody was brought, with whatever is wrong with it."""
    terms = {"referrer_days": 7, "friend_days": 7, "hold_days": 14, "share": 50, "minimum": {"USD": 100}}
    row = {"referrer": customer(), "friend": customer(), "at": NOW, **changed}
    row["terms"] = terms | changed.get("terms", {})
    return Referral.create(referrer_hash=referrer_hash, friend_hash=friend_hash, **row)


def change(table: Any, condition: Any, **values: Any) -> None:
    assert table.update(**values).where(condition).execute()


def test_a_pack_for_less_with_an_end_is_what_was_sold(ledger: Ledger) -> None:
    cheaper = order(ledger.user, replace(PACK, code="month", days=30), discount=Discount("ABCDEFGHJKMN", 20))
    payments.settle(fact(cheaper), NOW)
    Event.update(heard_at=NOW).execute()
    assert (cheaper.amount, cheaper.seconds) == (120, MONTH)
    assert not [fault for fault in payments.audit() if "not the pack" in fault]


FAULTS: dict[str, tuple[Callable[[Ledger], object], str]] = {
    "doubled seconds": (lambda it: change(Payment, Payment.id == it.payment, seconds=2 * MONTH), "another time"),
    "doubled seconds of a renewal": (lambda it: change(Payment, it.renewals, seconds=2 * MONTH), "another time"),
    "no seconds": (lambda it: change(Payment, Payment.id == it.payment, seconds=None), "another time"),
    "period end in ten years": (lambda it: change(Payment, it.renewals, period_end=NOW + 10 * YEAR), "does not pay"),
    "period end before its payment": (lambda it: change(Payment, it.renewals, period_end=NOW - 1), "does not pay"),
    "subscription paid for ten years": (
        lambda it: change(Subscription, Subscription.id == it.subscription, period_end=NOW + 10 * YEAR),
        "paid further",
    ),
    "counts from a year later": (
        lambda it: change(Payment, Payment.id == it.payment, effective_at=NOW + YEAR),
        "counts from another time",
    ),
    "counts from a day earlier": (
        lambda it: change(Payment, Payment.id == it.payment, effective_at=NOW - DAY),
        "counts from another time",
    ),
    "completed a year later": (
        lambda it: change(Payment, Payment.id == it.payment, completed_at=NOW + YEAR),
        "counts from another time",
    ),
    "a pack of more": (lambda it: change(Order, Order.plan_code == "ten", count=100), "is not the pack that was sold"),
    "a pack of another kind": (
        lambda it: change(Order, Order.plan_code == "ten", kind="photo"),
        "is no pack of this customer and kind",
    ),
    "a pack of larger files": (
        lambda it: change(Order, Order.plan_code == "ten", max_bytes=1 << 40),
        "is not the pack that was sold",
    ),
    "a pack with an end": (
        lambda it: change(Order, Order.plan_code == "ten", seconds=DAY),
        "not the pack that was sold",
    ),
    "a pack that gives access": (
        lambda it: change(Order, Order.plan_code == "ten", level=2),
        "is not the pack that was sold",
    ),
    "a plan with deliveries": (
        lambda it: change(Order, Order.plan_code == "premium", kind="video", count=9, max_bytes=MIB),
        "is not the pack that was sold",
    ),
    "a try with deliveries": (
        lambda it: change(Order, Order.plan_code == "ten", purpose="test"),
        "is not the pack that was sold",
    ),
    "more used than bought": (lambda it: change(CreditUse, CreditUse.count == 4, count=11), "11 of 10 deliveries"),
    "used by another": (
        lambda it: change(CreditUse, CreditUse.count == 4, user=customer()),
        "is no pack of this customer",
    ),
    "used of a plan": (lambda it: change(CreditUse, CreditUse.count == 4, payment=it.payment), "is no pack of this"),
    "used of nothing": (lambda it: change(CreditUse, CreditUse.count == 4, count=-4), "takes nothing"),
    "reserved for no job": (
        lambda it: change(CreditUse, CreditUse.count == 4, state="reserved", job=None),
        "reserved for no job",
    ),
    "a pack that nobody was told of": (
        lambda it: Event.delete().where(Event.key == f"payment_completed:{it.pack}").execute(),
        "has no receipt",
    ),
    "raised level": (lambda it: change(Payment, Payment.id == it.payment, level=9), "does not fit order"),
    "raised level of an order": (lambda it: change(Order, Order.plan_code == "premium", level=9), "does not fit order"),
    "raised level of a renewal": (
        lambda it: change(Subscription, Subscription.id == it.subscription, level=9),
        "does not fit its order",
    ),
    "another's payment": (lambda it: change(Payment, Payment.id == it.payment, user=customer()), "does not fit order"),
    "another amount": (lambda it: change(Payment, Payment.id == it.payment, amount=1000), "does not fit order"),
    "another state": (lambda it: change(Payment, Payment.id == it.payment, state="pending"), "is pending"),
    "orphaned refund": (lambda it: change(Refund, Refund.remote_id == "R-1", payment=None), "belongs to no payment"),
    "misattached refund": (
        lambda it: change(Refund, Refund.remote_id == "R-1", payment=it.disputed),
        "belongs to payment",
    ),
    "refund of a payment that nobody knows": (
        lambda it: change(Refund, Refund.remote_id == "R-1", payment=None, payment_remote_id="?"),
        "nobody knows",
    ),
    "refund of more than was paid": (lambda it: change(Refund, Refund.remote_id == "R-1", amount=501), "went back"),
    "orphaned dispute": (lambda it: change(Dispute, Dispute.remote_id == "D-1", payment=None), "belongs to no payment"),
    "misattached dispute": (
        lambda it: change(Dispute, Dispute.remote_id == "D-1", payment=it.payment),
        "belongs to payment",
    ),
    "lost dispute": (lambda it: change(Dispute, Dispute.remote_id == "D-1", won=False), "says reversed"),
    "revived renewal": (
        lambda it: change(Subscription, Subscription.id == it.subscription, state="active"),
        "reports about it say cancelled",
    ),
    "renewal that ended later": (
        lambda it: change(Payment, it.renewals, renewal_ended_at=NOW + 50 * DAY),
        "its renewal ended at another time",
    ),
    "unpaid order": (lambda it: change(Order, Order.plan_code == "premium", state="open"), "but a payment came"),
    "brought by themselves": (lambda it: bring(it, referrer_hash="b"), "its friend has brought its referrer"),
    "brought in a circle": (lambda it: (bring(it), bring(it, "b", "a")), "its friend has brought its referrer"),
    "brought after paying": (lambda it: bring(it, friend=it.user, at=NOW + YEAR), "its friend had paid before"),
    "more promised than a plan may": (lambda it: bring(it, terms={"share": 200}), "promises what no plans may"),
    "no hold": (lambda it: bring(it, terms={"hold_days": 0}), "promises what no plans may"),
    "a payment that counts twice": (
        lambda it: ReferralPayment.create(payment=it.payment, referral=bring(it, friend=it.user), force_insert=True),
        "counts twice",
    ),
    "no history": (
        lambda it: PaymentHistory.delete().where(PaymentHistory.payment == it.payment).execute(),
        "has no history",
    ),
    "no receipt": (
        lambda it: Event.delete().where(Event.key == f"payment_completed:{it.payment}").execute(),
        "has no receipt",
    ),
    "unheard event": (
        lambda it: change(Event, Event.key == f"payment_completed:{it.payment}", heard_at=None),
        "has not been told",
    ),
    "event put off for a year": (
        lambda it: change(
            Event, Event.key == f"payment_completed:{it.payment}", heard_at=None, not_before=NOW + 2 * YEAR
        ),
        "has not been told",
    ),
}


@pytest.mark.parametrize("planted", FAULTS)
def test_each_planted_fault_is_seen(ledger: Ledger, planted: str) -> None:
    plant, said = FAULTS[planted]
    Heartbeat.insert(program="daemon", at=NOW + 60 * DAY).execute()
    plant(ledger)
    findings = payments.audit()
    assert any(said in finding for finding in findings), findings


def test_whoever_was_brought_in_order_adds_up(ledger: Ledger) -> None:
    bring(ledger)
    bring(ledger, "b", "c", friend=ledger.user, at=NOW - DAY)
    assert payments.audit() == []


def test_two_renewals_of_a_plan_are_seen_unless_one_is_ended(ledger: Ledger) -> None:
    buyer = customer()
    first, second = order(buyer, MONTHLY, "paypal"), order(buyer, MONTHLY)
    subscriptions.begin(first.id, "I-7", NOW)
    subscriptions.update(News("paypal", "I-7", SubscriptionState.ACTIVE, None, NOW), NOW)
    payments.settle(fact(second), NOW)  # which asks for its cancellation
    assert payments.audit() == []
    with database.transaction():
        database.execute("DELETE FROM request")
    assert payments.audit() == [f"customer {buyer}: renews monthly 2 times"]


def test_rows_of_earlier_versions_add_up(ledger: Ledger) -> None:
    with database.transaction():
        change(Payment, ledger.renewals, seconds=None)
        change(Payment, Payment.id == ledger.payment, created_at=NOW - DAY, effective_at=NOW - DAY)
    assert payments.audit() == []


def test_news_that_are_under_way_are_no_contradiction(ledger: Ledger) -> None:
    payments.settle(fact(order(customer())), NOW + MONTH)
    refund("paypal", "not-here-yet", "R-9", 5, NOW + MONTH, NOW + MONTH)
    assert payments.audit() == []
