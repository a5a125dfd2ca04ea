"""Who brings whom, once; and what it earns, under any order of payments, refunds and erasures."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.plans import Referral as Terms
from models import database, users
from models.maintenance import privacy
from models.money import access, payments
from models.money.facts import DisputeFact, Fact, RefundFact
from models.money.rewards import news, rows
from models.promotion import referrals
from models.promotion.referrals import Arrival
from models.tables import Event, Payment, Referral, User
from tests.examples import slow
from tests.purchases import DAY, MONTH, NOW, VIP, customer, fact, order, plan, refund
from tests.store import exported

pytestmark = pytest.mark.usefixtures("database_file")

TERMS = Terms(referrer_days=7, friend_days=5, hold_days=14, share=50, minimum={"XTR": 250, "USD": 250})
SECRET_KEY = "a secret of this installation"
START = NOW + 14 * DAY
UTC = ZoneInfo("UTC")
WEEK, FIVE = 7 * DAY, 5 * DAY


def arrive(referrer: int, friend: int, now: int = NOW) -> Arrival:
    """Let somebody open another one's invitation."""
    code = referrals.link(referrer, now)
    return referrals.bring(code, friend, TERMS, secret_key=SECRET_KEY, now=now)


def pair() -> tuple[int, int]:
    """Somebody who has brought somebody."""
    referrer, friend = customer(), customer()
    assert arrive(referrer, friend) is Arrival.BROUGHT
    return referrer, friend


def pay(friend: int, at: int = NOW, remote_id: str | None = None, **more: Any) -> Fact:
    """Let a customer buy a month."""
    paid = fact(order(friend, **more), at, remote_id)
    payments.settle(paid, at)
    return paid


def length(user: int) -> int:
    """The seconds of all access that somebody has had and will have."""
    return sum((each.end or 0) - each.start for each in access.of(user, NOW).paid)


def told(user: int) -> list[str]:
    """What somebody heard of their rewards."""
    rows_ = Event.select().where((Event.user_id == user) & (Event.kind == "referral_reward")).order_by(Event.id)
    return [f"{row.payload['side']} {row.payload['change']}" for row in rows_]


def erase(user: int, now: int = NOW) -> None:
    privacy.erase(user, UTC, now, secret_key="key")
    privacy.finish(UTC, now)


def test_of_friends_who_never_paid_no_terms_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    referrer, payer = pair()
    for _ in range(20):
        arrive(referrer, customer())
    pay(payer)
    read: list[dict[str, Any]] = []
    monkeypatch.setattr(rows, "Terms", lambda **terms: read.append(terms) or Terms(**terms))
    assert len(rows.of(referrer)) == 1 and len(read) == 1
    assert len(rows.of(payer)) == 1 and len(read) == 2
    erase(payer)
    assert len(rows.of(referrer)) == 1 and len(read) == 3, "what an erased friend has paid counts on"


# ---- who brings whom


def test_a_friend_is_brought_once_and_hears_the_same_again() -> None:
    referrer, friend = pair()
    assert arrive(referrer, friend) is Arrival.BROUGHT
    assert arrive(customer(), friend) is Arrival.BROUGHT_BEFORE
    assert Referral.select().count() == 1
    assert referrals.standing(referrer, NOW).came == 1


def test_nobody_brings_themselves_or_comes_by_nothing() -> None:
    alone = customer()
    assert arrive(alone, alone) is Arrival.OWN
    assert referrals.bring("NOBODYS", alone, TERMS, secret_key=SECRET_KEY, now=NOW) is Arrival.UNKNOWN
    users.ban(alone, NOW)
    assert arrive(alone, customer()) is Arrival.UNKNOWN


def test_a_link_is_read_as_it_is_typed_and_stays_the_same() -> None:
    referrer, friend = customer(), customer()
    code = referrals.link(referrer, NOW)
    assert code == referrals.link(referrer, NOW + DAY) and len(code) == 12
    assert referrals.bring(code.lower(), friend, TERMS, secret_key=SECRET_KEY, now=NOW) is Arrival.BROUGHT


def test_no_circle_closes_however_long() -> None:
    people = [customer() for _ in range(5)]
    for above, below in pairwise(people):
        assert arrive(above, below) is Arrival.BROUGHT
    for below in people[1:]:
        assert arrive(below, people[0]) is Arrival.CIRCLE
    erase(people[2])
    assert arrive(people[4], people[0]) is Arrival.CIRCLE, "hashes of the erased hold it closed"


@pytest.mark.parametrize("state", ["completed", "pending"])
def test_whoever_has_paid_is_brought_by_nobody(state: str) -> None:
    payer = customer()
    pay(payer)
    Payment.update(state=state).execute()
    assert arrive(customer(), payer) is Arrival.PAID_BEFORE


def test_whoever_was_not_let_pay_may_be_brought() -> None:
    friend = customer()
    payments.settle(fact(order(friend), state=payments.PaymentState.DENIED), NOW)
    assert arrive(customer(), friend) is Arrival.BROUGHT


def test_whom_the_former_bot_knew_as_brought_nobody_brings() -> None:
    former, friend = customer(), customer()
    User.update(referred_by=former).where(User.id == friend).execute()
    assert {arrive(former, friend), arrive(customer(), friend)} == {Arrival.BROUGHT_BEFORE}
    assert arrive(friend, customer()) is Arrival.BROUGHT


def test_what_was_promised_first_holds() -> None:
    referrer, friend = pair()
    more, code = replace(TERMS, referrer_days=9), referrals.link(referrer, NOW)
    assert referrals.bring(code, friend, more, secret_key=SECRET_KEY, now=NOW + 1) is Arrival.BROUGHT
    pay(friend)
    assert length(referrer) == WEEK


def test_whom_somebody_brought_is_forgotten_in_steps() -> None:
    referrer = customer()
    for number in range(3):
        arrive(referrer, customer(), NOW + number)
    with database.transaction():
        assert [referrals.forget_brought(referrer, NOW + 1, 1) for _ in range(3)] == [1, 1, 0]
    assert referrals.came(referrer) == 1


def test_an_erasure_makes_nobody_new() -> None:
    referrer, friend = pair()
    erase(friend)
    users.seen(friend, "Ana", None, "es", NOW + DAY)
    assert arrive(customer(), friend, NOW + DAY) is Arrival.BROUGHT_BEFORE
    pay(friend, NOW + DAY)
    assert rows.of(referrer) == [], "who comes back is a new customer"


def test_a_link_ends_with_its_customer() -> None:
    referrer = customer()
    code = referrals.link(referrer, NOW)
    erase(referrer)
    assert referrals.bring(code, customer(), TERMS, secret_key=SECRET_KEY, now=NOW) is Arrival.UNKNOWN


# ---- what it earns


def test_a_payment_earns_both_their_days_after_it_was_held() -> None:
    referrer, friend = pair()
    pay(friend)
    assert access.of(referrer, START - 1).level == 0
    assert access.of(referrer, START).level == 1
    assert access.of(referrer, START).paid == (access.Interval(START, START + WEEK, 1),)
    assert length(friend) == MONTH + FIVE
    before, begun = (referrals.standing(referrer, now) for now in (START - 1, START))
    assert [(each.earned_s, each.waiting) for each in (before, begun)] == [(0, 1), (WEEK, 0)]
    came = [referrals.standing(friend, now) for now in (NOW, START)]
    assert {(each.came, each.earned_s, each.waiting) for each in came} == {(0, 0, 0)}, "those days are another's doing"


def test_days_are_of_the_plan_that_was_paid() -> None:
    referrer, friend = pair()
    pay(friend, bought=VIP)
    assert access.of(referrer, START).level == 2


def test_a_pack_and_a_test_earn_nothing() -> None:
    referrer, friend = pair()
    pay(friend, purpose="test")
    assert rows.of(referrer) == rows.of(friend) == []


def test_a_refund_takes_what_is_left_of_the_days() -> None:
    referrer, friend = pair()
    paid = pay(friend)
    refund("stars", paid.remote_id, "R", paid.amount, START + 2 * DAY, START + 2 * DAY)
    assert access.of(referrer, START).paid == (access.Interval(START, START + 2 * DAY, 1),)


def test_money_that_is_back_before_earns_nothing() -> None:
    referrer, friend = pair()
    paid = pay(friend)
    refund("stars", paid.remote_id, "R", paid.amount, NOW + DAY, NOW + DAY)
    assert length(referrer) == 0
    assert not news.write(START) or told(referrer) == []


def test_renewals_count() -> None:
    referrer, friend = pair()
    renewed = order(friend, plan("monthly", 1, renews=True), "paypal")
    for number in range(3):
        at = NOW + number * MONTH
        named = {"order_public_id": renewed.public_id, "subscription_remote_id": "I-9"}
        payments.settle(fact(renewed, at, f"S-{number}", period_end=at + MONTH, **named), at)
    assert length(referrer) == 3 * WEEK
    assert [each.seconds for each in rows.of(friend)] == [FIVE]


def test_a_referrer_keeps_the_days_when_the_friend_is_erased() -> None:
    referrer, friend = pair()
    paid = pay(friend)
    erase(friend, NOW + DAY)
    assert length(referrer) == WEEK
    assert payments.audit() == []
    refund("stars", paid.remote_id, "R", paid.amount, START + DAY, START + DAY)
    assert length(referrer) == DAY, "and a refund takes them back all the same"
    assert told(referrer)[-1:] == ["referrer taken"]


def test_a_friend_keeps_the_days_when_the_referrer_is_erased() -> None:
    referrer, friend = pair()
    pay(friend)
    erase(referrer, NOW + DAY)
    assert rows.of(referrer) == []
    assert length(friend) == MONTH + FIVE


def test_an_erasure_leaves_hashes_of_both() -> None:
    referrer, friend = pair()
    pay(friend)
    news.write(START)
    before = Referral.get()
    for person in (referrer, friend):
        erase(person, START)
    after = Referral.get()
    assert (after.referrer_id, after.friend_id) == (None, None)
    assert (after.referrer_hash, after.friend_hash) == (before.referrer_hash, before.friend_hash)
    assert str(referrer) not in after.referrer_hash and told(referrer) == told(friend) == []


def test_an_export_tells_of_both_sides_and_names_nobody() -> None:
    referrer, friend = pair()
    assert [row["brought_somebody"] for row in exported(referrer)["referrals"]] == [1]
    assert [row["brought_somebody"] for row in exported(friend)["referrals"]] == [0]
    assert exported(referrer)["referral_link"][0]["code"] == referrals.link(referrer, NOW)


# ---- what people hear


def test_each_change_is_told_once_and_with_what_made_it_true() -> None:
    referrer, friend = pair()
    paid = pay(friend)
    assert news.write(START - 1) == 0 and told(referrer) == []
    assert news.write(START) == 1
    assert (told(referrer), told(friend)) == (["referrer begun"], ["friend begun"])
    assert news.write(START + 1) == 0
    refund("stars", paid.remote_id, "R-1", 100, START + DAY, START + DAY)
    refund("stars", paid.remote_id, "R-2", 400, START + 2 * DAY, START + 2 * DAY)
    assert told(referrer) == ["referrer begun", "referrer shortened", "referrer taken"]
    assert told(friend) == ["friend begun", "friend shortened", "friend taken"]


def test_old_news_of_rewards_are_not_told() -> None:
    referrer, friend = pair()
    pay(friend)
    news.write(START + news.LATE_S + 1)
    assert told(referrer) == []


@pytest.mark.parametrize("early", [0, 1, 3600], ids=["in the same second", "a second before", "an hour before"])
def test_who_heard_of_days_hears_that_the_money_was_back(early: int) -> None:
    referrer, friend = pair()
    paid = pay(friend)
    news.write(START)
    refund("stars", paid.remote_id, "R", paid.amount, START - early, START + 5)
    assert length(referrer) == 0
    assert told(referrer) == ["referrer begun", "referrer taken"]
    assert told(friend) == ["friend begun", "friend taken"]
    news.write(START + DAY)
    assert told(referrer) == ["referrer begun", "referrer taken"], "once"


def test_the_end_of_a_long_dispute_is_told_to_who_heard_of_it() -> None:
    referrer, friend = pair()
    paid = pay(friend)
    news.write(START)
    for won, at in ((None, START + DAY), (False, START + 30 * DAY)):
        payments.apply([DisputeFact("stars", paid.remote_id, "D", START + DAY, at if won is False else None, won)], at)
    assert told(referrer) == ["referrer begun", "referrer paused", "referrer taken"]


def test_the_days_that_are_told_are_those_that_begin() -> None:
    referrer, friend = pair()
    paid = pay(friend)
    refund("stars", paid.remote_id, "R", paid.amount // 4, NOW + DAY, NOW + DAY)
    news.write(START)
    (begun,) = Event.select().where((Event.user_id == referrer) & (Event.kind == "referral_reward"))
    assert begun.payload["seconds"] == length(referrer) == WEEK * 3 // 4
    assert referrals.standing(referrer, START).earned_s == WEEK * 3 // 4


# ---- any order of payments, refunds, disputes and erasures


Happening = Callable[[], None]


@st.composite
def lives(draw: st.DrawFn) -> list[list[tuple[int, int, int, list[tuple[int, int]], bool | None]]]:
    """What up to three friends do: day and level of each payment, its price, refunds (day, amount), a dispute's end."""
    refunds = st.lists(st.tuples(st.integers(0, 40), st.integers(50, 250)), max_size=2)
    payment = st.tuples(
        st.integers(0, 60),
        st.sampled_from([1, 2]),
        st.sampled_from([250, 500]),
        refunds,
        st.sampled_from([None, True, False]),
    )
    return draw(st.lists(st.lists(payment, max_size=4), min_size=1, max_size=3))


def happenings(world: str, friend: int, life: list[Any]) -> Iterator[tuple[Happening, list[Happening]]]:
    """The payments of a friend, each with what becomes of it."""
    for number, (day, level, price, refunds, won) in enumerate(life):
        at, remote_id = NOW + day * DAY, f"{world}-{friend}-{number}"
        paid = fact(order(friend, plan(f"plan{level}", level, XTR=price)), at, f"{world}-{number}")
        changes: list[Any] = [
            RefundFact("stars", paid.remote_id, f"{remote_id}-{part}", amount, at + later * DAY)
            for part, (later, amount) in enumerate(refunds)
            if part == 0 or price == 500
        ]
        if won is not None:
            changes.append(DisputeFact("stars", paid.remote_id, remote_id, at + DAY, at + 20 * DAY, won))
        yield _applied(paid), [_applied(each) for each in changes]


def _applied(change: Any) -> Happening:
    return lambda: [payments.apply([change], NOW)] and None  # type: ignore[func-returns-value]


def live(lives_: list[Any], dice: random.Random, *, erasures: bool) -> int:
    """Let friends live in an order that *dice* choose; some are erased once all that they paid is known."""
    referrer = customer()
    before: list[Happening] = []
    after: list[Happening] = []
    for place, life in enumerate(lives_):
        friend = customer()
        assert arrive(referrer, friend) is Arrival.BROUGHT
        for paid, changes in happenings(f"w{referrer}f{place}", friend, life):
            before.append(paid)
            for change in changes:
                (before if dice.random() < 0.5 else after).append(change)
        if erasures and dice.random() < 0.7:
            after.append(lambda person=friend: erase(person))  # type: ignore[misc]
    for each in (*dice.sample(before, len(before)), *dice.sample(after, len(after))):
        each()
    return referrer


@given(lives(), st.randoms(use_true_random=False))
@slow(60)
def test_neither_order_nor_erasures_change_what_is_earned(lives_: list[Any], dice: random.Random) -> None:
    plainly = access.of(live(lives_, random.Random(0), erasures=False), NOW).intervals
    referrer = live(lives_, dice, erasures=True)
    assert access.of(referrer, NOW).intervals == plainly
    assert length(referrer) <= most_of(lives_)


def most_of(lives_: list[Any]) -> int:
    """The seconds that payments may earn which stand when they were held."""
    held = [
        price - sum(amount for later, amount in refunds[: 1 if price == 250 else 2] if later <= 14)
        for life in lives_
        for _day, _level, price, refunds, won in life
        if won is not False
    ]
    return WEEK * sum(each >= 250 for each in held)
