"""Packs: what they pay, in which order, what refunds and disputes leave, and which link gets what was bought."""

from collections.abc import Callable
from dataclasses import replace
from itertools import starmap
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from config.plans import Limit, Pack, Plan, Trial
from config.units import DAY_S, MIB
from models import database, outbox, returns
from models.errors import LeaseLost
from models.event_kinds import BatchHeld, JobFinished, JobHeld
from models.jobs import batches, holding, queue, usage
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from models.jobs.usage import Needs, Room
from models.maintenance import privacy, retention
from models.money import access, credits, orders, payments, provider_requests
from models.money.credits import Purchase, Use
from models.money.fold import Refunded
from models.money.payments import PaymentInfo
from models.promotion import codes
from models.returns import Answer
from models.tables import TABLES, CreditUse, Job, Order, Request, Usage
from tests import purchases
from tests.examples import slow
from tests.purchases import BOT, SECRET
from tests.store import FREE, NOW, OVER, PLANS, PREMIUM, TODAY, claim, customers, enqueue, exported, new_batch

pytestmark = pytest.mark.usefixtures("database_file")

UTC = ZoneInfo("UTC")
TEN = Pack("ten", "video", 10, {"en": "Ten"}, {"en": "Ten"}, 2000 * MIB, 0, {"XTR": 150, "USD": 500}, True)
ROOM = Room({"video": Limit(3, "all"), "photo": Limit(10, "day"), "text": Limit.UNLIMITED}, TODAY, 50 * MIB)
FULL = Room({"video": Limit.NONE, "photo": Limit.NONE}, TODAY, 50 * MIB)


def bought(user_id: int, pack: Pack = TEN, at: int = NOW, provider: str = "stars") -> PaymentInfo:
    """A pack that was paid for."""
    payments.settle(purchases.fact(purchases.order(user_id, pack, provider, at), at), at)
    return payments.history_of(user_id)[0]


def running(key: str, user_id: int = 1) -> int:
    """A job that a worker is on."""
    job_id = enqueue(user_id, key).id
    assert claim("w", per_customer=99).id == job_id
    return job_id


def reserve(job_id: int, count: int, room: Room = FULL, size: int = 1) -> usage.Reserved | usage.Refused:
    """Reserve so many videos for a job of customer 1."""
    return usage.reserve_post(job_id, 1, Needs({"video": count}, {"video": size}), room, NOW)


def deliver(key: str, count: int = 1, room: Room = FULL) -> None:
    job = running(key)
    assert isinstance(reserve(job, count, room), usage.Reserved)
    queue.finish(job, "w", queue.Delivered(), NOW)


@pytest.fixture(autouse=True)
def people(database_file: Path) -> None:
    customers(1, 2)


# ---- what a pack is


def test_a_pack_gives_deliveries_and_no_access() -> None:
    payment = bought(1)
    assert (payment.grants, payment.purpose, payment.level) == (True, "pack", 0)
    assert access.of(1, NOW).level == 0 and access.of(1, NOW).intervals == ()
    assert credits.left(1, NOW) == {"video": 10}
    assert credits.left(2, NOW) == {}
    assert payments.audit() == []


def test_an_edit_of_the_plans_changes_no_pack_that_was_bought() -> None:
    order = purchases.order(1, TEN)
    assert (order.kind, order.count, order.max_bytes) == ("video", 10, 2000 * MIB)
    dearer = purchases.order(1, replace(TEN, count=3))
    assert dearer.id != order.id, "another offer is another order"
    payments.settle(purchases.fact(order), NOW)
    assert credits.left(1, NOW) == {"video": 10}


def test_the_plan_pays_first_and_the_pack_what_is_beyond_it() -> None:
    bought(1)
    deliver("a", 2, ROOM)
    # An album, of which the plan leaves one and the pack pays four
    deliver("b", 5, ROOM)
    assert credits.left(1, NOW) == {"video": 6}
    assert usage.left(1, FREE, TODAY)["video"].used == 3
    assert usage.total(1) == {"video": 7}


def test_an_album_takes_all_or_nothing() -> None:
    bought(1)
    refused = reserve(running("a"), 14, ROOM)
    assert isinstance(refused, usage.Refused)
    assert (refused.kind, refused.missing, refused.size) == ("video", 1, None)
    assert credits.left(1, NOW) == {"video": 10}
    assert not Usage.select().exists()


def test_a_job_that_is_not_delivered_gives_back() -> None:
    bought(1)
    job = running("a")
    reserve(job, 4)
    assert credits.left(1, NOW) == {"video": 6}
    queue.refuse(job, "w", RefusalReason.NOT_FOUND, NOW)
    assert credits.left(1, NOW) == {"video": 10}


def test_asking_again_takes_nothing_more() -> None:
    bought(1)
    job = running("a")
    for _ in range(2):
        assert reserve(job, 4, ROOM) == usage.Reserved({"video": 4})
    assert credits.left(1, NOW) == {"video": 9}


def test_a_packs_size_stands_in_for_the_plans() -> None:
    bought(1, replace(TEN, max_bytes=100 * MIB))
    assert reserve(running("a"), 1, ROOM, 90 * MIB) == usage.Reserved({"video": 1})
    assert credits.left(1, NOW) == {"video": 9}, "the plan would have had room for the count, not for the size"
    refused = reserve(running("b"), 1, ROOM, 101 * MIB)
    assert isinstance(refused, usage.Refused) and refused.size == 101 * MIB


def test_the_pack_that_ends_first_is_used_first() -> None:
    endless = bought(1)
    later = bought(1, replace(TEN, code="later", days=20))
    sooner = bought(1, replace(TEN, code="sooner", days=10))
    deliver("a", 12)
    left = {each.payment_id: each.left(NOW) for each in credits.of(1)}
    assert left == {sooner.id: 0, later.id: 8, endless.id: 10}
    assert credits.left(1, NOW + 10 * DAY_S) == {"video": 18}
    assert credits.left(1, NOW + 20 * DAY_S) == {"video": 10}


# ---- money that goes back


def test_a_refund_takes_what_is_unused() -> None:
    payment = bought(1, provider="paypal")
    deliver("a", 4)
    purchases.refund("paypal", payment.remote_id, "R1", 250, NOW + 1, NOW + 1)
    assert credits.left(1, NOW + 1) == {"video": 3}, "half of the six that were unused"
    purchases.refund("paypal", payment.remote_id, "R2", 250, NOW + 2, NOW + 2)
    assert credits.left(1, NOW + 2) == {}
    assert usage.total(1) == {"video": 4}
    assert payments.audit() == []


def test_a_dispute_suspends_and_what_it_decides_holds() -> None:
    payment = bought(1, provider="paypal")
    purchases.dispute_opened("paypal", payment.remote_id, "D1", NOW + 1, NOW + 1)
    assert credits.left(1, NOW + 1) == {}
    assert isinstance(reserve(running("a"), 1), usage.Refused)
    purchases.dispute_closed("paypal", payment.remote_id, "D1", True, NOW + 2, NOW + 2)
    assert credits.left(1, NOW + 2) == {"video": 10}
    purchases.dispute_opened("paypal", payment.remote_id, "D2", NOW + 3, NOW + 3)
    purchases.dispute_closed("paypal", payment.remote_id, "D2", False, NOW + 4, NOW + 4)
    assert credits.left(1, NOW + 4) == {}


# ---- forgotten, erased, restored


def test_age_and_erasure_leave_what_was_used() -> None:
    payment = bought(1)
    deliver("a", 4)
    enqueue(1, "the newest row stays")
    assert exported(1)["used_of_packs"][0]["remote_id"] == payment.remote_id
    retention.forget(30, UTC, NOW + 90 * DAY_S)
    assert not Job.select().where(Job.state == JobState.DONE).exists()
    assert credits.left(1, NOW) == {"video": 6}
    assert usage.total(1) == {"video": 4}
    privacy.erase(1, UTC, NOW, secret_key="key")
    assert credits.left(1, NOW) == {"video": 6}
    assert payments.audit() == []


def test_a_held_link_is_in_the_export_and_goes_with_the_erasure() -> None:
    hold(running("a"))
    (link,) = exported(1)["links"]
    assert (link["state"], link["reason"]) == ("held", "limit")
    privacy.erase(1, UTC, NOW, secret_key="key")
    assert not Job.select().exists()
    assert [event.kind for event in outbox.due(NOW) if event.user_id == 1 and event.kind != "data_erased"] == []


@pytest.mark.parametrize("sold", [TEN, replace(TEN, days=30), PLANS.plans[1]])
def test_a_lost_order_is_recreated_whatever_is_on_sale_now(sold: Pack) -> None:
    order = orders.create(1, sold, "stars", "XTR", now=NOW, seller=BOT, secret=SECRET)
    assert len(order.public_id) <= 127
    Order.delete().execute()
    dearer = replace(PLANS, plans=tuple(replace(each, prices={"XTR": 9}) for each in PLANS.plans), packs=())
    again = orders.recall(
        order.public_id, "stars", order.amount, "XTR", plans=dearer, secret=SECRET, at=NOW, now=NOW + 1
    )
    assert again is not None
    same = {"id": again.id, "expires_at": again.expires_at}
    assert again == replace(order, **same)
    payments.settle(purchases.fact(again), NOW + 1)
    assert credits.left(1, NOW + 1) == ({"video": 10} if isinstance(sold, Pack) else {})


@pytest.mark.parametrize(
    ("change", "amount", "currency", "secret"),
    [
        (("-va-", "-vzz-"), 150, "XTR", SECRET),
        (("-1-", "-2-"), 150, "XTR", SECRET),
        (("", ""), 149, "XTR", SECRET),
        (("", ""), 150, "USD", SECRET),
        (("", ""), 150, "XTR", "another bot's"),
    ],
)
def test_a_forged_id_sells_no_pack(change: tuple[str, str], amount: int, currency: str, secret: str) -> None:
    public_id = purchases.order(1, TEN).public_id.replace(*change)
    Order.delete().execute()
    again = orders.recall(public_id, "stars", amount, currency, plans=PLANS, secret=secret, at=NOW, now=NOW)
    assert again is None


# ---- held links


def hold(job_id: int, count: int = 1, size: int = 1, room: Callable[[], Room] | None = None) -> JobHeld:
    """Hold a job that needs so many videos."""
    held = JobHeld(
        job=job_id,
        reason=RefusalReason.LIMIT,
        detail={"kind": "video", "limit": 3, "period": "all", "used": 3, "wanted": count},
        kind="video",
        missing=count,
        wants={"video": count},
        largest={"video": size},
    )
    holding.hold("w", held, NOW, room)
    return held


def test_what_is_released_stands_behind_the_customers_others() -> None:
    held = running("held")
    hold(held)
    waiting = [enqueue(1, key, priority=2) for key in "ab"]
    bought(1, replace(TEN, count=1))

    assert holding.release(1, FULL, 2, NOW) == [held]

    assert queue.get(held).round > max(job.round for job in waiting)


def test_what_was_bought_for_a_link_is_spent_on_it() -> None:
    first, second, third = (running(key) for key in "abc")
    for job_id in (first, second, third):
        hold(job_id)
    assert queue.waiting_count(1) == 0, "what is held does not count as waiting"
    assert holding.choose(1, second, TEN, NOW) and not holding.choose(2, second, TEN, NOW)
    bought(1, replace(TEN, count=2))
    assert holding.release(1, FULL, 0, NOW) == [second, first]
    assert queue.get(third).state is JobState.HELD
    assert credits.left(1, NOW) == {}, "the released ones have their reservations"
    assert holding.release(1, FULL, 0, NOW) == []


@pytest.mark.parametrize("sold", [TEN, purchases.PREMIUM])
def test_a_link_refused_before_its_payment_is_not_held(sold: Pack | Plan) -> None:
    job = running("a")
    assert isinstance(reserve(job, 4, ROOM), usage.Refused)
    bought(1, sold)
    hold(job, 4, room=lambda: usage.room_of(1, PLANS, UTC, NOW))
    assert (queue.get(job).state, queue.get(job).priority) == (JobState.QUEUED, access.of(1, NOW).level)
    assert usage.of_job(job) == {"video": 4}
    assert "job_held" not in {event.kind for event in outbox.due(NOW)}


def test_a_batch_refused_before_its_payment_is_not_held() -> None:
    links = tuple(f"https://t.me/channel/{number}" for number in range(3))
    batch = batches.enqueue(new_batch(1, "batch", links), 99, NOW)
    assert isinstance(batch, batches.BatchInfo)
    job = claim("w").id
    assert isinstance(reserve(job, 4, ROOM), usage.Refused)
    bought(1)
    held = batches.hold(job, "w", OVER, NOW, Needs({"video": 4}), room=lambda: ROOM)
    assert held == batches.Held((), False) and usage.of_job(job) == {"video": 4}
    assert batches.counts(batch.id)[JobState.QUEUED] == 3


def test_a_batch_held_again_leaves_in_line_what_was_paid() -> None:
    links = tuple(f"https://t.me/channel/{number}" for number in range(3))
    assert batches.enqueue(new_batch(1, "batch", links), 99, NOW) is not None
    first, second = claim("w").id, claim("w").id
    for job in (first, second):
        batches.hold(job, "w", OVER, NOW, Needs({"video": 1}))
    bought(1, replace(TEN, count=1))
    assert len(holding.release(1, FULL, 0, NOW)) == 3
    paid, unpaid = claim("w").id, claim("w").id
    queue.put_back(paid, "w", NOW, False, NOW)
    batches.hold(unpaid, "w", OVER, NOW, Needs({"video": 1}), room=lambda: FULL)
    assert queue.get(paid).state is JobState.QUEUED and usage.of_job(paid) == {"video": 1}


def test_a_plan_releases_as_far_as_it_goes() -> None:
    jobs = [running(key) for key in "abcd"]
    for job_id in jobs:
        hold(job_id)
    large = running("large")
    hold(large, size=51 * MIB)
    assert holding.release(1, ROOM, 1, NOW) == jobs[:3]
    assert {queue.get(job_id).priority for job_id in jobs[:3]} == {1}


def test_the_oldest_held_link_ends_when_one_more_comes() -> None:
    jobs = [running(f"k{number}") for number in range(holding.MOST + 1)]
    for job_id in jobs:
        hold(job_id)
    assert (queue.get(jobs[0]).state, queue.get(jobs[0]).reason) == (JobState.CANCELLED, "held_too_long")
    assert {queue.get(job_id).state for job_id in jobs[1:]} == {JobState.HELD}


def test_a_held_link_ends_after_a_week_and_is_told_once() -> None:
    job = running("a")
    hold(job)
    assert batches.expire_held(NOW, NOW + 7 * DAY_S) == 0
    assert batches.expire_held(NOW + 1, NOW + 7 * DAY_S + 1) == 1
    assert batches.expire_held(NOW + 1, NOW + 7 * DAY_S + 1) == 0
    ends = [event.read(JobFinished) for event in outbox.due(NOW + 8 * DAY_S) if event.kind == "job_finished"]
    assert [(end.job, end.reason) for end in ends] == [(job, "held_too_long")]


def test_a_link_that_is_sent_again_is_wanted_once() -> None:
    job = running("a")
    hold(job)
    again = queue.enqueue(queue.NewJob(user_id=1, chat_id=1, link=queue.get(job).link, dedupe="b"), 200, NOW)
    assert queue.get(job).state is JobState.CANCELLED
    assert [each.id for each in queue.waiting(1)] == [again.id]  # type: ignore[union-attr]


def test_what_was_bought_for_a_link_sent_again_is_spent_on_it() -> None:
    older, held = running("a"), running("b")
    hold(older)
    hold(held)
    holding.choose(1, held, TEN, NOW)
    queue.enqueue(queue.NewJob(user_id=1, chat_id=1, link=queue.get(held).link, dedupe="again"), 200, NOW)
    again = claim("w").id
    hold(again)
    bought(1, replace(TEN, count=1))
    assert holding.release(1, FULL, 0, NOW) == [again]


def test_a_held_link_of_a_batch_that_is_sent_again_is_paid_once() -> None:
    links = tuple(f"https://t.me/channel/{number}" for number in range(2))
    assert batches.enqueue(new_batch(1, "batch", links), 99, NOW) is not None
    held, other = claim("w").id, claim("w").id
    hold(held)
    queue.finish(other, "w", queue.Delivered(), NOW)
    # When its customer sends the link alone, which a limit holds too
    queue.enqueue(queue.NewJob(user_id=1, chat_id=1, link=links[0], dedupe="alone"), 200, NOW)
    alone = claim("w").id
    hold(alone)
    assert queue.get(held).state is JobState.CANCELLED and told() == ["batch_rest_held", "batch_finished"]
    # And then in another batch
    assert batches.enqueue(new_batch(1, "again", links), 99, NOW) is not None
    assert queue.get(alone).state is JobState.CANCELLED
    last = claim("w").id
    hold(last)
    # Then a pack brings it once
    bought(1)
    assert holding.release(1, FULL, 0, NOW) == [last]
    assert credits.left(1, NOW) == {"video": 9}


def test_what_a_payment_releases_begins_its_attempts_anew() -> None:
    batch = batches.enqueue(new_batch(1, "batch", ("https://t.me/channel/1", "https://t.me/channel/2")), 99, NOW)
    assert isinstance(batch, batches.BatchInfo)
    job, other = claim("w").id, claim("w").id
    queue.finish(other, "w", queue.Delivered(), NOW)
    for _ in range(queue.MAX_ATTEMPTS):
        hold(job)
        batches.release(1, batch.id, 0, NOW)
        assert claim("w").id == job
    # When the first try after that breaks
    queue.put_back(job, "w", NOW, True, NOW)
    assert queue.get(job).state is JobState.QUEUED


def test_a_held_link_is_told_with_what_would_bring_it() -> None:
    held = hold(running("a"))
    assert [event.read(JobHeld) for event in outbox.due(NOW) if event.kind == "job_held"] == [held]
    found = holding.offers(PLANS, held)
    assert [each.code for each in found.articles] == ["video_1", "video_10", "premium", "vip"]
    many = holding.offers(PLANS, replace(held, wants={"video": 7}, missing=7))
    assert [each.code for each in many.articles] == ["video_10", "premium", "vip"]
    both = holding.offers(PLANS, replace(held, wants={"video": 1, "photo": 20}, missing=0))
    assert [each.code for each in both.articles] == ["premium", "vip"]
    huge = holding.offers(PLANS, replace(held, largest={"video": 2001 * MIB}))
    assert huge.articles == ()


def codes_of(found: holding.Offers) -> list[str]:
    return [each.code for each in found.articles]


def test_what_was_used_of_a_plan_that_is_offered_counts() -> None:
    held = hold(running("a"))
    ten_in_all = replace(PREMIUM, limits={**PREMIUM.limits, "video": Limit(3, "all")})
    shop = replace(PLANS, plans=(FREE, ten_in_all), packs=())
    assert codes_of(holding.offers(shop, held)) == [], "three were used in all"
    by_the_day = replace(held, detail={**held.detail, "period": "day"})
    assert codes_of(holding.offers(shop, by_the_day)) == ["premium"], "use by the day is not use in all"
    photos = replace(held, wants={"photo": 4}, largest={"photo": 1})
    few = replace(PREMIUM, limits={**PREMIUM.limits, "photo": Limit(4, "all")})
    assert codes_of(holding.offers(replace(shop, plans=(FREE, few)), photos)) == ["premium"], "of photos none was used"
    assert codes_of(holding.offers(PLANS, replace(held, kind="photo", wants={"photo": 1}))) == ["premium", "vip"]


def test_the_rest_of_a_batch_is_offered_what_brings_all_of_it() -> None:
    rest = BatchHeld(batch=1, job=1, largest=MIB, **OVER.stored())
    found = [codes_of(holding.offers_of_rest(PLANS, rest, waiting)) for waiting in (1, 2, 10, 11)]
    assert found == [["video_1", "premium", "vip"], *[["video_10", "premium", "vip"]] * 3]
    assert codes_of(holding.offers_of_rest(PLANS, replace(rest, kind="apk"), 1)) == ["premium", "vip"]
    assert codes_of(holding.offers_of_rest(PLANS, replace(rest, largest=2001 * MIB), 1)) == []
    # Fifty a day are used up, and three in all are not
    spent = replace(rest, period="day", used=50)
    assert codes_of(holding.offers_of_rest(PLANS, spent, 1)) == ["video_1", "vip"]
    assert codes_of(holding.offers_of_rest(PLANS, replace(spent, used=49), 1)) == ["video_1", "premium", "vip"]
    assert codes_of(holding.offers_of_rest(PLANS, replace(rest, used=50), 1)) == ["video_1", "premium", "vip"]


def test_what_is_offered_is_ordered_by_its_price_in_stars() -> None:
    held = hold(running("a"))
    in_money = replace(PLANS.plans[2], code="money", prices={"USD": 1})
    shop = replace(PLANS, plans=(FREE, replace(PLANS.plans[2], prices={"XTR": 400, "USD": 9}), PREMIUM, in_money))
    assert codes_of(holding.offers(shop, held)) == ["video_1", "video_10", "vip", "premium", "money"]


def test_a_batch_is_told_of_what_waits_when_the_rest_is_done() -> None:
    links = tuple(f"https://t.me/channel/{number}" for number in range(3))
    batch = batches.enqueue(new_batch(1, "batch", links), 99, NOW)
    assert isinstance(batch, batches.BatchInfo)
    large, other, last = (claim("w", per_customer=3).id for _ in range(3))
    hold(large, size=3000 * MIB)
    assert told() == [] and queue.get(other).state is JobState.CLAIMED, "the others go on"
    queue.finish(other, "w", queue.Delivered(), NOW)
    hold(last)
    assert told() == ["batch_rest_held"]
    _, waits = batches.waits_for(batch.id)
    assert waits == (last, RefusalReason.LIMIT, Needs({"video": 1}, {"video": 1}))
    bought(1)
    assert holding.release(1, FULL, 0, NOW) == [large, last], "the rest of a batch goes on with its first"
    assert usage.of_job(last) == {"video": 1} and usage.of_job(large) == {}
    assert (claim("w").id, claim("w").id) == (large, last)
    queue.finish(last, "w", queue.Delivered(), NOW)
    hold(large, size=3000 * MIB)
    assert told() == ["batch_rest_held"] * 2, "what is left is told once more"
    batches.cancel(1, batch.id, NOW)
    assert batches.waits_for(batch.id) == []


def told() -> list[str]:
    """The events of batches, in their order."""
    return [event.kind for event in outbox.due(NOW) if event.kind.startswith("batch")]


@pytest.mark.parametrize(
    ("waiting", "codes_", "brings"),
    [
        ([{"video": 1}], ["video_1", "premium", "vip"], {"video_1": 1, "premium": 1}),
        ([{"video": 1}] * 3, ["video_10", "premium", "vip"], {"video_10": 3, "premium": 3}),
        ([{"video": 9}] * 2, ["video_10", "premium", "vip"], {"video_10": 1, "premium": 2}),
        ([{"apk": 1}, {"video": 1}], ["video_1", "premium", "vip"], {"video_1": 1, "premium": 2}),
    ],
)
def test_what_brings_most_of_several_posts_is_offered(
    waiting: list[dict[str, int]], codes_: list[str], brings: dict[str, int]
) -> None:
    found = holding.offers_of_items(PLANS, [Needs(each, dict.fromkeys(each, MIB)) for each in waiting])
    assert [each.code for each in found.articles] == codes_
    assert {code: found.brings[code] for code in brings} == brings
    huge = holding.offers_of_items(PLANS, [Needs({"video": 1}, {"video": 3000 * MIB})])
    assert huge.articles == ()


def test_an_article_finds_the_held_link_that_it_brings() -> None:
    first, second = running("a"), running("b")
    hold(first, count=4)
    hold(second)
    ten, one = (next(pack for pack in PLANS.packs if pack.code == code) for code in ("video_10", "video_1"))
    found = [holding.next_for(user_id, pack, TODAY) for user_id, pack in ((1, ten), (1, one), (2, ten))]
    assert found == [first, second, None]
    assert holding.choose(1, first, one, NOW) is None, "it needs four, and is not named for less"
    assert holding.choose(1, second, ten, NOW + 1) == queue.get(second).link
    assert holding.next_for(1, ten, TODAY) == second


def test_more_of_a_plan_that_is_used_up_brings_no_link_today() -> None:
    two = replace(PREMIUM, limits={**PREMIUM.limits, "video": Limit(2, "day")})
    deliver("a", 2, Room(two.limits, TODAY, two.max_bytes))
    job = running("b")
    hold(job)
    assert (holding.next_for(1, two, TODAY), holding.next_for(1, two, "2031-01-01")) == (None, job)


def test_the_trial_is_offered_to_whom_may_have_it_and_no_other() -> None:
    # Given a trial of a plan that is not for sale, and nothing else
    hidden = replace(PREMIUM, on_sale=False)
    shop = replace(PLANS, plans=(FREE, hidden), packs=(), trial=Trial(hidden, 3))
    alone, rest = hold(running("a")), BatchHeld(batch=1, job=1, largest=MIB, **OVER.stored())
    for found in (holding.offers(shop, alone), holding.offers_of_rest(shop, rest, 2)):
        assert found.articles == () and codes.offers_to(1, found, SECRET).trial == shop.trial
    too_large = replace(rest, largest=hidden.max_bytes + 1)
    assert holding.offers_of_rest(shop, too_large, 2).trial is None
    codes.try_out(Trial(hidden, 3), 1, SECRET, NOW)
    for found in (holding.offers(shop, alone), holding.offers_of_rest(shop, rest, 2)):
        assert codes.offers_to(1, found, SECRET).trial is None and codes.offers_to(2, found, SECRET).trial == shop.trial


# ---- any order

AMOUNT = 600
SPAN = st.integers(1, 99)


@given(
    bought=st.integers(1, 12),
    uses=st.lists(st.tuples(SPAN, st.integers(1, 3)), max_size=5),
    first=st.tuples(SPAN, st.integers(1, AMOUNT - 1)),
    last=SPAN,
)
def test_money_that_goes_back_takes_its_share_of_what_is_unused(
    bought: int, uses: list[tuple[int, int]], first: tuple[int, int], last: int
) -> None:
    def unused(at: int) -> int:
        return max(0, bought - sum(count for moment, count in uses if moment <= at))

    def left_after(*refunds: tuple[int, int]) -> int:
        used = tuple(Use(*each) for each in uses)
        pack = Purchase(
            1, "p", "video", bought, MIB, 0, amount=AMOUNT, uses=used, refunds=tuple(starmap(Refunded, refunds))
        )
        return pack.given_back

    at, part = first
    assert left_after() == 0
    assert left_after((last, AMOUNT)) == unused(last)
    taken = unused(at) * part // AMOUNT
    assert left_after(first) == taken
    if last > at:
        assert left_after(first, (last, AMOUNT - part)) == taken + max(0, unused(last) - taken)


WANTS = st.dictionaries(st.sampled_from(("video", "photo")), st.integers(1, 4), min_size=1)


class Credits(RuleBasedStateMachine):
    """One customer buys, uses, gets money back and disputes, in any order, under a plan with small limits."""

    limits = {"video": Limit(2, "all"), "photo": Limit(1, "day")}
    claimed = Bundle("claimed")
    paid = Bundle("paid")

    @initialize()
    def begin(self) -> None:
        for table in reversed(TABLES):
            table.delete().execute()
        customers(1)
        self.now, self.number = NOW, 0
        self.delivered: dict[str, int] = {}

    def tick(self) -> int:
        self.now += 1
        return self.now

    @rule(target=paid, kind=st.sampled_from(("video", "photo")), count=st.integers(1, 5), days=st.sampled_from((0, 1)))
    def buys(self, kind: str, count: int, days: int) -> int:
        now = self.tick()
        pack = replace(TEN, code=f"{kind}{count}_{days}", kind=kind, count=count, days=days)
        return bought(1, pack, now, "paypal").id

    @rule(target=claimed, wants=WANTS, is_large=st.booleans())
    def sends_a_link(self, wants: dict[str, int], *, is_large: bool) -> object:
        self.number += 1
        enqueue(1, str(self.number), now=self.tick())
        job = queue.claim("w", 10**6, 99, self.now)
        if job is None:
            return multiple()
        self.reserve(job.id, wants, is_large=is_large)
        return job.id

    @rule(job=claimed, wants=WANTS, is_large=st.booleans())
    def its_post_is_edited(self, job: int, wants: dict[str, int], *, is_large: bool) -> None:
        found = queue.get(job)
        if found is not None and found.state is JobState.CLAIMED and usage.of_job(job) != wants:
            usage.release(job)
            self.reserve(job, wants, is_large=is_large)

    def reserve(self, job: int, wants: dict[str, int], *, is_large: bool) -> None:
        """Reserve for a job that has nothing reserved: the plan as far as it goes, packs beyond it, or nothing."""
        now = self.tick()
        packs = [(each.kind, each.left(now)) for each in credits.of(1)]
        by_pack = {}
        for kind, count in wants.items():
            used = sum(row.count for row in Usage.select().where(Usage.kind == kind))
            by_pack[kind] = count if is_large else max(0, count - (self.limits[kind].count - used))
        fits = all(need <= sum(left for kind, left in packs if kind == wanted) for wanted, need in by_pack.items())
        needs = Needs(wants, dict.fromkeys(wants, 99 * MIB if is_large else 1))
        room = Room(self.limits, usage.day_of(now, UTC), 50 * MIB)
        assert isinstance(usage.reserve_post(job, 1, needs, room, now), usage.Reserved) == fits
        assert usage.of_job(job) == (wants if fits else {})
        paid = dict.fromkeys(wants, 0)
        for row in CreditUse.select().where(CreditUse.job == job):
            paid[row.kind] += row.count
        assert paid == (by_pack if fits else dict.fromkeys(wants, 0))

    @rule(job=claimed)
    def it_delivers(self, job: int) -> None:
        wants = usage.of_job(job)
        try:
            if not queue.finish(job, "w", queue.Delivered(), self.tick()):
                return
        except LeaseLost:
            return
        for kind, count in wants.items():
            self.delivered[kind] = self.delivered.get(kind, 0) + count

    @rule(job=claimed)
    def it_fails(self, job: int) -> None:
        try:
            queue.fail(job, "w", RefusalReason.GAVE_UP, self.tick())
        except LeaseLost:
            return
        assert usage.of_job(job) == {}

    @rule(payment=paid, amount=st.sampled_from((100, 250, 500)))
    def money_goes_back(self, payment: int, amount: int) -> None:
        found = payments.get(payment)
        assert found is not None
        amount = min(amount, found.amount - found.refunded)
        if amount:
            self.number += 1
            purchases.refund("paypal", found.remote_id, f"R{self.number}", amount, self.tick(), self.now)

    @rule(payment=paid, won=st.booleans())
    def is_disputed(self, payment: int, *, won: bool) -> None:
        found = payments.get(payment)
        assert found is not None
        self.number += 1
        purchases.dispute_opened("paypal", found.remote_id, f"D{self.number}", self.tick(), self.now)
        assert {each.payment_id: each.left(self.now) for each in credits.of(1)}[payment] == 0
        purchases.dispute_closed("paypal", found.remote_id, f"D{self.number}", won, self.tick(), self.now)

    @rule(payment=paid, kept=st.booleans())
    def is_given_back(self, payment: int, *, kept: bool) -> None:
        (pack,) = [each for each in credits.of(1) if each.payment_id == payment]
        if returns.ask(payment, 1, 7, self.tick()) is not Answer.POSSIBLE:
            return
        assert pack.is_whole(self.now)
        (request,) = Request.select().where(Request.state == "open")
        assert {each.payment_id: each.left(self.now) for each in credits.of(1)}[payment] == 0
        if kept:
            provider_requests.fail(request.id, "refused", self.tick())
        else:
            self.number += 1
            purchases.refund("paypal", request.payment.remote_id, f"R{self.number}", pack.amount, self.tick(), self.now)
            provider_requests.finish(request.id, "refunded", self.now)

    @invariant()
    def nothing_is_lost_doubled_or_given_away(self) -> None:
        for pack in credits.of(1):
            assert 0 <= pack.given_back <= pack.bought - pack.used
            whole = pack.bought - pack.given_back - pack.used
            assert pack.left(0) == whole, "bought, less what went back, less what was used"

    @invariant()
    def each_delivery_is_charged_once(self) -> None:
        assert usage.total(1) == self.delivered
        by_plan = sum(row.count for row in Usage.select().where(Usage.kind == "video"))
        assert by_plan <= 2
        assert all(row.count > 0 for row in CreditUse.select())

    @invariant()
    def the_books_add_up(self) -> None:
        assert list(credits.audit()) == []


@pytest.mark.hypothesis
def test_credits_add_up_in_any_order() -> None:
    database.execute("PRAGMA synchronous = OFF")
    machine = slow(50, stateful_step_count=25)
    run_state_machine_as_test(Credits, settings=machine)
