"""Returns: what was bought and not used goes back by its customer's own hand, once, and nothing else does."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from config.plans import Limit, Pack, Plan
from config.units import DAY_S, MIB
from models import database, outbox, returns, users
from models.event_kinds import EventKind, RequestDone
from models.jobs import batches, holding, queue, states, usage
from models.jobs.reasons import RefusalReason
from models.jobs.usage import Needs
from models.maintenance import privacy, retention
from models.money import access, credits, payments, provider_requests, subscriptions
from models.money.payments import PaymentInfo
from models.returns import Answer
from models.tables import Request, Usage
from tests import purchases
from tests.integration.models.test_credits import FULL, TEN, UTC, bought, deliver, hold, reserve, running
from tests.purchases import MONTHLY, PREMIUM, VIP
from tests.store import NOW, OVER, claim, customers, enqueue, new_batch

pytestmark = pytest.mark.usefixtures("database_file")

DAYS = 7


@pytest.fixture(autouse=True)
def people(database_file: Path) -> None:
    customers(1, 2)


def ask(payment: PaymentInfo, user_id: int = 1, now: int = NOW, days: int = DAYS) -> Answer:
    return returns.ask(payment.id, user_id, days, now)


def open_refunds() -> list[tuple[int, int | None, int | None]]:
    """Payment, amount and who asked, of each refund that waits."""
    rows = Request.select().where((Request.kind == "refund") & (Request.state == "open"))
    return [(row.payment_id, row.amount, row.asked_by) for row in rows]


def use(now: int, key: str = "used") -> None:
    """Have a video delivered under the customer's plan."""
    enqueue(1, key, now=now)
    job = claim("w", now, per_customer=99)
    usage.reserve(job.id, 1, {"video": 1}, {"video": Limit(50, "day")}, usage.day_of(now, UTC), now)
    queue.finish(job.id, "w", queue.Delivered(), now)


def test_a_pack_for_a_batch_that_was_not_delivered_goes_back() -> None:
    links = tuple(f"https://t.me/channel/{number}" for number in range(2))
    batch = batches.enqueue(new_batch(1, "batch", links), 99, NOW)
    assert isinstance(batch, batches.BatchInfo)
    first, second = claim("w"), claim("w")
    queue.size_known(second.id, "video", 1)
    batches.hold(second.id, "w", OVER, NOW, Needs({"video": 1}))
    pack = bought(1)
    assert holding.release(1, FULL, 0, NOW) == [second.id]
    assert returns.behind_batch(batch.id, DAYS, NOW) is None, "the pack is about to be used"
    queue.refuse(claim("w").id, "w", RefusalReason.NOT_FOUND, NOW)
    queue.finish(first.id, "w", queue.Delivered(), NOW)
    found = returns.behind_batch(batch.id, DAYS, NOW)
    assert found is not None and found.id == pack.id
    reserve(running("another"), 1)
    assert returns.behind_batch(batch.id, DAYS, NOW) is None


# ---- what goes back


def test_a_button_for_money_stands_only_where_it_can_go_back() -> None:
    pack = bought(1)
    found = returns.returnable(pack.id, DAYS, NOW)
    assert found is not None and found.id == pack.id
    assert returns.returnable(pack.id, 0, NOW) is None
    assert returns.returnable(pack.id, DAYS, NOW + DAYS * DAY_S) is None
    assert ask(pack) is Answer.POSSIBLE
    assert returns.returnable(pack.id, DAYS, NOW) is None, "it is on its way"


@pytest.mark.parametrize("sold", [TEN, PREMIUM])
@pytest.mark.parametrize("provider", ["stars", "paypal"])
def test_an_unused_purchase_goes_back_once_to_its_buyer(sold: Pack | Plan, provider: str) -> None:
    payment = bought(1, sold, provider=provider)
    assert returns.possible(2, DAYS, NOW) == []
    assert [each.id for each in returns.possible(1, DAYS, NOW)] == [payment.id]
    assert ask(payment, 2) is Answer.IMPOSSIBLE
    assert [ask(payment) for _ in range(3)] == [Answer.POSSIBLE, Answer.UNDER_WAY, Answer.UNDER_WAY]
    assert open_refunds() == [(payment.id, payment.amount, 1)]
    assert returns.possible(1, DAYS, NOW) == []
    purchases.refund(provider, payment.remote_id, "R", payment.amount, NOW, NOW)
    provider_requests.finish(Request.get().id, "refunded", NOW)
    assert ask(payment) is Answer.RETURNED
    assert open_refunds() == []


def test_taps_at_the_same_moment_ask_once(database_file: Path) -> None:
    payment = bought(1)
    answers: list[Answer] = []

    def tap() -> None:
        answers.append(ask(payment))
        database.close_database()

    taps = [threading.Thread(target=tap) for _ in range(8)]
    for each in taps:
        each.start()
    for each in taps:
        each.join()
    assert sorted(answers) == sorted([Answer.POSSIBLE, *[Answer.UNDER_WAY] * 7])
    assert len(open_refunds()) == 1


def test_the_window_counts_from_the_completion() -> None:
    payment = bought(1)
    assert returns.judge(payment, DAYS, NOW + DAYS * DAY_S - 1) is Answer.POSSIBLE
    assert ask(payment, now=NOW + DAYS * DAY_S) is Answer.TOO_LATE
    assert ask(payment, days=0) is Answer.TOO_LATE and returns.possible(1, 0, NOW) == []
    order = purchases.order(1, TEN, "paypal")
    pending = purchases.fact(order, NOW, state=payments.PaymentState.PENDING)
    payments.settle(pending, NOW)
    waiting = payments.find("paypal", pending.remote_id)
    assert waiting is not None and ask(waiting) is Answer.IMPOSSIBLE
    later = NOW + 6 * DAY_S
    payments.settle(replace(pending, state=payments.PaymentState.COMPLETED, at=later), later)
    assert ask(waiting, now=later + DAYS * DAY_S - 1) is Answer.POSSIBLE


def test_a_used_pack_does_not_go_back() -> None:
    payment = bought(1)
    job = running("a")
    reserve(job, 1)
    assert ask(payment) is Answer.USED, "it is on its way"
    queue.cancel(1, job, NOW)
    assert ask(payment) is Answer.POSSIBLE
    assert credits.left(1, NOW) == {}, "nobody uses what is on its way back"


def test_a_plan_that_delivered_does_not_go_back() -> None:
    use(NOW - 1, "before")
    payment = bought(1, PREMIUM)
    assert returns.judge(payment, DAYS, NOW + 9) is Answer.POSSIBLE
    bought(1, TEN, NOW + 1)
    deliver("by a pack", 1)
    assert returns.judge(payment, DAYS, NOW + 9) is Answer.POSSIBLE, "the pack paid it"
    use(NOW + 5)
    assert returns.judge(payment, DAYS, NOW + 9) is Answer.USED
    retention.forget(DAYS, UTC, NOW + 6 * DAY_S)
    assert returns.judge(payment, DAYS, NOW + 6 * DAY_S) is Answer.USED


def test_of_two_plans_the_one_that_has_not_begun_goes_back() -> None:
    first = bought(1, PREMIUM, NOW)
    second = bought(1, PREMIUM, NOW + 1)
    use(NOW + 5)
    assert returns.judge(first, DAYS, NOW + 9) is Answer.USED
    assert returns.judge(second, DAYS, NOW + 9) is Answer.POSSIBLE
    better = bought(1, VIP, NOW + 10)
    assert returns.judge(better, DAYS, NOW + 11) is Answer.POSSIBLE
    use(NOW + 12, "under the better one")
    assert returns.judge(better, DAYS, NOW + 13) is Answer.USED
    assert returns.judge(second, DAYS, NOW + 13) is Answer.POSSIBLE


def test_nobody_uses_a_plan_that_is_on_its_way_back() -> None:
    payment = bought(1, PREMIUM)
    assert access.of(1, NOW + 5).level == 1
    assert ask(payment, now=NOW + 5) is Answer.POSSIBLE
    assert access.of(1, NOW + 5).level == 0
    assert access.of(1, NOW + 5).end_of(1) == NOW + 5
    # The provider refuses for good: the plan goes on, the customer and the admins hear of it
    provider_requests.fail(Request.get().id, "TRANSACTION_DISPUTED", NOW + 60)
    assert access.of(1, NOW + 60).end_of(1) == NOW + PREMIUM.seconds
    told = [event for event in outbox.due(NOW + 60) if event.kind == EventKind.REQUEST_DONE]
    assert [(event.user_id, event.read(RequestDone).returned) for event in told] == [(1, True), (None, False)]
    assert ask(payment, now=NOW + 61) is Answer.POSSIBLE


def test_an_admins_refund_under_way_leaves_access_as_it_was() -> None:
    payment = bought(1, PREMIUM)
    payments.ask_refund(payment.id, None, 99, NOW)
    assert access.of(1, NOW + 5).level == 1
    assert ask(payment) is Answer.UNDER_WAY


def test_a_renewal_ends_in_the_same_act() -> None:
    renewed = purchases.order(1, MONTHLY, "paypal")
    subscriptions.begin(renewed.id, "I-1", NOW)
    named = {"order_public_id": None, "subscription_remote_id": "I-1", "period_end": NOW + MONTHLY.seconds}
    payments.settle(purchases.fact(renewed, NOW, "S-1", **named), NOW)
    (payment,) = returns.possible(1, DAYS, NOW)
    assert ask(payment) is Answer.POSSIBLE
    kinds = sorted(row.kind for row in Request.select().where(Request.state == "open"))
    assert kinds == ["cancel_subscription", "refund"]


def test_disputed_refunded_and_test_payments_do_not_go_back() -> None:
    disputed, refunded = bought(1, provider="paypal"), bought(1, provider="paypal")
    purchases.dispute_opened("paypal", disputed.remote_id, "D", NOW, NOW)
    purchases.refund("paypal", refunded.remote_id, "R", 1, NOW, NOW)
    trial = purchases.fact(purchases.order(1, PREMIUM, purpose="test"))
    payments.settle(trial, NOW)
    tested = payments.find("stars", trial.remote_id)
    assert tested is not None
    assert [ask(each) for each in (disputed, refunded, tested)] == [
        Answer.IMPOSSIBLE,
        Answer.RETURNED,
        Answer.IMPOSSIBLE,
    ]
    assert returns.possible(1, DAYS, NOW) == []


def test_who_deletes_their_data_gets_no_used_plan_back() -> None:
    payment = bought(1, PREMIUM)
    use(NOW + 5)
    privacy.erase(1, UTC, NOW + DAY_S, secret_key="key")
    users.seen(1, "Ana", None, "en", NOW + DAY_S + 1)
    assert Usage.select().where(Usage.period != "past").count() == 0, "nothing tells of the delivery any more"
    assert ask(payment, now=NOW + DAY_S + 2) is Answer.USED


# ---- a post that did not come


def test_a_post_that_does_not_come_leads_to_the_money() -> None:
    job = running("a")
    hold(job)
    bought(1, PREMIUM, NOW - 9)
    assert holding.choose(1, job, TEN, NOW)
    plan = bought(1, VIP, NOW + 1)
    found = returns.behind(states.get(job), DAYS, NOW + 2)
    assert found is not None and found.id == plan.id
    pack = bought(1, TEN, NOW + 3)
    queue.size_known(job, "video", 5 * MIB)
    found = returns.behind(states.get(job), DAYS, NOW + 4)
    assert found is not None and found.id == pack.id
    assert returns.behind(states.get(job), 0, NOW + 4) is None


def test_a_bad_link_leads_back_to_nothing() -> None:
    bought(1, PREMIUM)
    job = running("a")
    queue.refuse(job, "w", RefusalReason.NOT_FOUND, NOW)
    assert returns.behind(states.get(job), DAYS, NOW) is None


def test_a_held_link_stays_held_when_the_pack_goes_back() -> None:
    job = running("a")
    hold(job)
    payment = bought(1)
    assert ask(payment) is Answer.POSSIBLE
    assert holding.release(1, FULL, 0, NOW) == []
    assert isinstance(usage.take(job, 1, Needs({"video": 1}), FULL, now=NOW), usage.Refused)


# ---- a clock that is behind


def test_a_payment_gives_at_once_when_our_clock_is_behind() -> None:
    """Its time has not come yet by our clock: what it gives begins now, and so does what is used of it."""
    payments.settle(purchases.fact(purchases.order(1, VIP, now=NOW), at=NOW + 600), NOW)
    (payment,) = payments.history_of(1)
    has = access.of(1, NOW)
    assert (has.level, has.until) == (VIP.level, NOW + 600 + VIP.seconds)
    assert returns.judge(payment, DAYS, NOW + 5) is Answer.POSSIBLE
    use(NOW + 9)
    assert returns.judge(payment, DAYS, NOW + 10) is Answer.USED
    assert returns.judge(payment, DAYS, NOW + 900) is Answer.USED, "also once the clock is set right"


def test_what_was_used_while_a_payment_was_pending_is_not_its() -> None:
    pending = purchases.fact(purchases.order(1, VIP, "paypal", NOW), NOW)
    payments.settle(replace(pending, state=payments.PaymentState.PENDING), NOW)
    use(NOW + 9)
    payments.settle(replace(pending, at=NOW + DAY_S), NOW + DAY_S)
    (payment,) = payments.history_of(1)
    assert returns.judge(payment, DAYS, NOW + DAY_S) is Answer.POSSIBLE
