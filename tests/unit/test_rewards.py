"""Which rewards follow from what brought customers have paid, and what becomes of them."""

from dataclasses import replace

import pytest

from config.plans import Referral
from models.money.fold import Disputed, Refunded
from models.money.rewards import rules
from models.money.rewards.rules import Brought, Change, Paid, Reward

DAY = 86_400
NOW = 1_800_000_000
TERMS = Referral(referrer_days=7, friend_days=5, hold_days=14, share=50, minimum={"XTR": 250, "USD": 250})
START = NOW + 14 * DAY


def paid(number: int = 1, at: int = NOW, **more: object) -> Paid:
    """A month for 500 Stars."""
    made = Paid(
        id=number,
        number=f"stars:{number:04d}",
        level=1,
        buys_plan=True,
        amount=500,
        full_amount=500,
        currency="XTR",
        seconds=30 * DAY,
        at=at,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def brought(*payments: Paid, terms: Referral = TERMS) -> Brought:
    return Brought(1, NOW - DAY, terms, payments)


def earned(*payments: Paid, terms: Referral = TERMS) -> list[tuple[int, int]]:
    """When the referrer's rewards begin, and their days."""
    return [(reward.start, reward.seconds // DAY) for reward in rules.of_referrer([brought(*payments, terms=terms)])]


def test_each_payment_earns_the_referrer_days_when_it_was_held() -> None:
    renewals = [paid(number, NOW + number * 30 * DAY) for number in range(3)]
    assert earned(*renewals) == [(START + number * 30 * DAY, 7) for number in range(3)]


def test_the_friend_has_days_for_the_first_payment_alone() -> None:
    payments = [paid(2, NOW + DAY), paid(1)]
    assert [(reward.start, reward.seconds) for reward in rules.of_friend(brought(*payments))] == [(START, 5 * DAY)]
    refunded = paid(1, refunds=(Refunded(NOW + 1, 500),))
    assert rules.of_friend(brought(refunded, paid(2, NOW + DAY))) == [], "no second chance"


@pytest.mark.parametrize(
    "payment",
    [
        paid(amount=249),
        paid(currency="EUR"),
        paid(buys_plan=False),
        paid(level=0),
        paid(refunds=(Refunded(START, 251),)),
        paid(ended_at=START),
        paid(disputes=(Disputed(NOW, NOW + 1, False),)),
    ],
    ids=["too little", "a currency without a minimum", "a pack", "a free plan", "gone back", "reversed", "lost"],
)
def test_nothing_is_earned_by(payment: Paid) -> None:
    assert earned(payment) == []
    assert rules.of_friend(brought(payment)) == []


def test_the_minimum_itself_counts() -> None:
    assert earned(paid(amount=250, full_amount=250)) == [(START, 7)]
    assert earned(paid(refunds=(Refunded(START, 250),))) == [(START, 7)]


def test_who_paid_before_was_brought_by_nobody() -> None:
    assert earned(paid(1, NOW - 2 * DAY, buys_plan=False), paid(2)) == []


def test_two_clocks_that_differ_make_nobody_an_old_payer() -> None:
    invited_at = NOW - DAY  # by our clock, which may be ahead of the provider's
    assert earned(paid(at=invited_at - 600)) == [(START - DAY - 600, 7)]
    assert earned(paid(at=invited_at - 601)) == []


def test_both_rewards_stay_within_the_share_of_a_payment() -> None:
    week = paid(seconds=7 * DAY)
    (referrer,) = rules.of_referrer([brought(week)])
    (friend,) = rules.of_friend(brought(week))
    assert referrer.seconds + friend.seconds <= 7 * DAY // 2
    assert referrer.seconds * 5 == pytest.approx(friend.seconds * 7, abs=12)


def test_a_discount_lowers_the_share() -> None:
    cheap = paid(amount=250, full_amount=2500)
    (referrer,) = rules.of_referrer([brought(cheap)])
    (friend,) = rules.of_friend(brought(cheap))
    assert referrer.seconds + friend.seconds <= 30 * DAY * 250 // 2500 // 2


def test_ten_rewards_of_a_month_count() -> None:
    payments = [paid(number, NOW + number) for number in range(12)]
    assert len(earned(*payments)) == rules.A_MONTH == 10
    late = [replace(each, refunds=(Refunded(START + DAY, 500),)) for each in payments[:3]]
    assert [start for start, _ in earned(*late, *payments[3:])] == [START + number for number in range(10)]
    early = [replace(each, refunds=(Refunded(NOW + DAY, 500),)) for each in payments[:2]]
    assert len(earned(*early, *payments[2:])) == 10, "what never began takes no place"
    assert len(earned(*payments, *[paid(50 + number, NOW + 31 * DAY) for number in range(12)])) == 20


def changes(payment: Paid) -> list[tuple[int, Change]]:
    """What happens to the referrer's reward for a payment: days after it has begun, and what."""
    reward = Reward(payment, rules.Side.REFERRER, START, 7 * DAY)
    return [((moment - START) // DAY, change) for moment, change in reward.changes()]


def test_a_refund_shortens_or_takes_what_has_begun() -> None:
    begun = (0, Change.BEGUN)
    assert changes(paid()) == [begun]
    assert changes(paid(refunds=(Refunded(NOW, 100),))) == [begun]
    both = (Refunded(START + DAY, 100), Refunded(START + 2 * DAY, 400))
    assert changes(paid(refunds=both)) == [begun, (1, Change.SHORTENED), (2, Change.TAKEN)]
    assert changes(paid(ended_at=START + DAY)) == [begun, (1, Change.TAKEN)]


def test_a_dispute_pauses_and_its_end_decides() -> None:
    begun, paused = (0, Change.BEGUN), (1, Change.PAUSED)
    opened, closed = START + DAY, START + 2 * DAY
    assert changes(paid(disputes=(Disputed(opened),))) == [begun, paused]
    assert changes(paid(disputes=(Disputed(opened, closed, True),))) == [begun, (2, Change.RESUMED)]
    assert changes(paid(disputes=(Disputed(opened, closed, False),))) == [begun, (1, Change.TAKEN)]
    assert changes(paid(disputes=(Disputed(opened, closed, False, 100),))) == [begun, (1, Change.SHORTENED)]


def test_nothing_begins_amid_a_dispute() -> None:
    assert changes(paid(disputes=(Disputed(NOW),))) == []
    assert changes(paid(disputes=(Disputed(NOW, START + DAY, True),))) == [(1, Change.BEGUN)]
    assert changes(paid(disputes=(Disputed(NOW, START - DAY, True),))) == [(0, Change.BEGUN)]
