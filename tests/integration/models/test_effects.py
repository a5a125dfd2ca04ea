"""What a refund would take back, said before it is made, is what it takes."""

import pytest

from models.books import effects
from models.books.effects import Taken
from models.jobs import queue
from models.jobs.queue import Delivered
from models.money import access, credits, payments, subscriptions
from models.money.subscriptions import News, SubscriptionState
from models.promotion import codes
from tests import purchases, store
from tests.purchases import DAY, MONTHLY, NOW, PREMIUM, VIP
from tests.store import PLANS

PACK = PLANS.article("video_10")


def bought(plan: object = PREMIUM, at: int = NOW, user_id: int | None = None) -> payments.PaymentInfo:
    user = purchases.customer(at) if user_id is None else user_id
    order = purchases.order(user, plan, "paypal", at)  # type: ignore[arg-type]
    settled = payments.settle(purchases.fact(order, at), at)
    found = payments.get(settled.payment_id or 0)
    assert found is not None
    return found


def refund(of: payments.PaymentInfo, amount: int, at: int) -> None:
    purchases.refund(of.provider, of.remote_id, f"R{of.id}-{amount}-{at}", amount, at, at)


def remaining(user_id: int, now: int) -> int:
    return sum(
        (each.end or now) - max(each.start, now) for each in access.of(user_id, now).paid if (each.end or 0) > now
    )


@pytest.mark.parametrize(("amount", "later"), [(500, 0), (250, 0), (1, 0), (500, 10), (250, 10), (500, 29), (300, 31)])
def test_what_is_said_is_what_happens(database_file: None, amount: int, later: int) -> None:
    of, now = bought(), NOW + later * DAY
    said, before = effects.of_refund(of, amount, now), remaining(of.user_id or 0, now)
    refund(of, amount, now)
    assert said.seconds == before - remaining(of.user_id or 0, now)
    assert said.until == access.of(of.user_id or 0, now).end_of(1)


def test_what_another_payment_gave_is_not_taken(database_file: None) -> None:
    first = bought()
    second = bought(VIP, NOW + DAY, first.user_id)
    taken = effects.left(first, NOW + 2 * DAY)
    assert (taken.level, taken.seconds) == (1, 29 * DAY)
    assert effects.left(second, NOW + 2 * DAY).seconds == 29 * DAY


def test_a_part_that_went_back_is_not_taken_again(database_file: None) -> None:
    of = bought()
    refund(of, 250, NOW)
    present = payments.get(of.id)
    assert present is not None
    assert effects.left(present, NOW).seconds == 15 * DAY


@pytest.mark.parametrize("part", [1, 2])
def test_a_whole_refund_of_a_renewal_is_told_with_its_end(database_file: None, part: int) -> None:
    """Then what other payments of it bought runs out under a better plan no more."""
    user = purchases.customer()
    renewal, now = purchases.order(user, MONTHLY, "paypal"), NOW + 3 * DAY
    for number in range(2):
        at = NOW + number * DAY
        payments.settle(purchases.fact(renewal, at, f"S-{number}", subscription_remote_id="I-1"), at)
    bought(VIP, NOW + 2 * DAY, user)
    of = payments.find("paypal", "S-0")
    assert of is not None
    said = effects.of_refund(of, of.amount // part, now)
    refund(of, of.amount // part, now)
    if part == 1:
        subscriptions.update(News("paypal", "I-1", SubscriptionState.CANCELLED, None, now), now)
    assert said.until == access.of(user, now).end_of(1)
    assert (said.until == NOW + 62 * DAY) is (part == 1)


def test_of_a_pack_only_the_unused_goes(database_file: None) -> None:
    assert PACK is not None
    user_id = purchases.customer()
    order = purchases.order(user_id, PACK, "stars")  # type: ignore[arg-type]
    settled = payments.settle(purchases.fact(order), NOW)
    of = payments.get(settled.payment_id or 0)
    assert of is not None and effects.left(of, NOW) == Taken(kind="video", count=10)
    store.enqueue(user_id, "used")
    job = store.claim("w")
    assert credits.reserve(job.id, user_id, "video", 3, 1, NOW)
    credits.commit(job.id)
    queue.size_known(job.id, "video", 100)
    queue.delivering(job.id, "w", NOW)
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    queue.finish(job.id, "w", Delivered({random_id: 7}), NOW)
    assert effects.left(of, NOW + 1) == Taken(kind="video", count=7)
    assert effects.of_refund(of, of.amount // 2, NOW + 1).count == 3


def test_what_gave_nothing_has_nothing_left(database_file: None) -> None:
    order = purchases.order(purchases.customer(), PREMIUM, "paypal")
    settled = payments.settle(purchases.fact(order, NOW, amount=1), NOW)
    of = payments.get(settled.payment_id or 0)
    assert of is not None and effects.left(of, NOW) == Taken()


def given(what: object, now: int = NOW, *, taker: int | None = None) -> payments.PaymentInfo:
    """A gift that was paid, and taken where there is a *taker*."""
    giver = purchases.customer()
    order = purchases.order(giver, what, "stars" if what is PACK else "paypal", purpose="gift")  # type: ignore[arg-type]
    settled = payments.settle(purchases.fact(order), NOW)
    if taker is not None:
        codes.take(codes.unopened_of(giver)[0].text, taker, "key", now)
    found = payments.get(settled.payment_id or 0)
    assert found is not None
    return found


@pytest.mark.parametrize(("part", "later"), [(1, 0), (2, 0), (1, 10), (3, 10), (1, 31)])
def test_of_a_gift_goes_what_its_taker_has_left(database_file: None, part: int, later: int) -> None:
    friend, now = purchases.customer(), NOW + later * DAY
    of = given(PREMIUM, taker=friend)
    said, before = effects.of_refund(of, of.amount // part, now), remaining(friend, now)
    refund(of, of.amount // part, now)
    assert said.seconds == before - remaining(friend, now)
    assert (said.level, said.until) == (1, access.of(friend, now).end_of(1))
    assert bool(said.seconds) is (later < 30)


def test_of_a_gift_of_deliveries_only_the_unused_goes(database_file: None) -> None:
    friend = purchases.customer()
    of = given(PACK, taker=friend)
    assert effects.left(of, NOW) == Taken(kind="video", count=10)
    refund(of, of.amount // 2, NOW)
    present = payments.get(of.id)
    assert present is not None and effects.left(present, NOW) == Taken(kind="video", count=5)


@pytest.mark.parametrize("what", [PREMIUM, PACK], ids=["a plan", "a pack"])
def test_of_a_gift_not_yet_taken_goes_what_its_code_gives(database_file: None, what: object) -> None:
    of, later = given(what), NOW + 40 * DAY
    whole = Taken(level=1, seconds=30 * DAY) if what is PREMIUM else Taken(kind="video", count=10)
    assert effects.left(of, later) == whole
    refund(of, of.amount // 2, later)
    present = payments.get(of.id)
    assert present is not None
    rest, friend = effects.left(present, later), purchases.customer()
    codes.take(codes.unopened_of(of.user_id or 0)[0].text, friend, "key", later)
    assert rest.seconds == remaining(friend, later) == (15 * DAY if what is PREMIUM else 0)
    assert rest.count == credits.left(friend, later).get("video", 0) == (0 if what is PREMIUM else 5)
    refund(of, of.amount - of.amount // 2, later + 1)
    assert effects.left(of, later + 1).seconds == effects.left(of, later + 1).count == 0
