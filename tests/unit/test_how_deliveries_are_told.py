"""How a delivery is told that a limit stops, or that ended: what it says of the way on, and what each button does."""

from dataclasses import replace
from typing import Any

import pytest

from config.plans import Trial
from config.texts import translator
from config.units import DAY_S
from daemon.screens import checkout, deliveries, keyboard, progress
from daemon.screens.deliveries import Standing
from daemon.screens.operator import customers
from daemon.telegram.screen import Screen
from models.event_kinds import BatchHeld, JobFinished, JobHeld
from models.jobs import holding
from models.jobs.batches import BatchInfo
from models.jobs.holding import Offers
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from models.money.fold import Interval
from models.money.payments import PaymentState
from models.returns import Answer
from tests.unit.test_screens import LEFT, NOW, PAID, PLANS, PREMIUM, USER, UTC, job, payment

T = translator("en")
STANDING = Standing(T, PLANS, LEFT, "operator", refund_days=7)
TRIAL = Trial(PREMIUM, 3)
NONE, ALL = Offers((), ()), Offers(PLANS.packs_on_sale(), PLANS.on_sale())
PAYPAL = {"premium": "https://shop.example/pay/1"}
BY_ITSELF, TOMORROW, MONEY_BACK = "comes by itself", "starts again tomorrow", "all of the money back"
DAILY = {"limit": 10, "period": "day", "used": 10}


def data(screen: Screen) -> list[str]:
    """What each button does, in a new message."""
    found = [button.data or str(button.url) for row in screen.keyboard for button in row]
    assert all(each.startswith((keyboard.ANEW, "https://")) for each in found), "the screen stays"
    return [each.removeprefix(keyboard.ANEW) for each in found]


def held(offers: Offers, pay_links: dict[str, str] | None = None, **detail: Any) -> Screen:
    over = {"kind": "video", "limit": 3, "period": "all", "used": 3, "wanted": 1} | detail
    size = detail.get("size")
    reason = RefusalReason.TOO_LARGE_FOR_PLAN if size else RefusalReason.LIMIT
    stored = {"size": size, "limit": 1} if size else over
    told = JobHeld(
        job=9, reason=reason, detail=stored, kind="video", missing=1, wants={"video": 1}, largest={"video": 1}
    )
    return deliveries.held(told, STANDING, offers, pay_links or {})


def test_a_held_link_is_paid_for_by_its_own_buttons() -> None:
    screen = held(ALL, PAYPAL)
    buttons = ["buy:video_1:9", "buy:video_10:9", "buy:premium:9", PAYPAL["premium"], "buy:vip:9", "home"]
    assert data(screen) == buttons
    assert BY_ITSELF in screen.text and MONEY_BACK in screen.text and TOMORROW not in screen.text
    assert "$5.00" in screen.text and "$10.00" not in screen.text, "PayPal's price stands where PayPal sells"


def test_a_held_link_that_nothing_brings_is_kept_all_the_same() -> None:
    screen = held(NONE)
    assert "I keep your link for 7 days" in screen.text and data(screen) == ["home"]
    assert BY_ITSELF not in screen.text and MONEY_BACK not in screen.text


@pytest.mark.parametrize(("offers", "words"), [(ALL, "Or try <b>Premium</b>"), (NONE, "Try <b>Premium</b>")])
def test_the_trial_is_offered_beside_or_alone(offers: Offers, words: str) -> None:
    screen = held(replace(offers, trial=TRIAL))
    assert screen.text.splitlines()[-1].startswith(words) and data(screen)[-2:] == ["try", "home"]


@pytest.mark.parametrize(
    ("detail", "words", "is_tomorrows"),
    [
        (DAILY, "You have reached your limit", True),
        (DAILY | {"used": 8, "wanted": 5}, "more than your limit leaves", True),
        (DAILY | {"used": 1, "wanted": 10}, "more than your limit leaves", True),
        (DAILY | {"used": 0, "wanted": 11}, "more than your limit leaves", False),
        ({}, "You have reached your limit", False),
        ({"size": 60 << 20}, "your plan includes files up to", False),
    ],
)
def test_a_limit_of_the_day_says_so(detail: dict[str, Any], words: str, is_tomorrows: bool) -> None:
    screen = held(ALL, **detail)
    assert words in screen.text and (TOMORROW in screen.text) is is_tomorrows


BATCH = BatchInfo(4, 2, 2, 12, None, False, NOW)


@pytest.mark.parametrize(
    ("offers", "period", "said"),
    [
        (ALL, "all", {"the rest goes on by itself", MONEY_BACK}),
        (ALL, "day", {"the rest goes on by itself", MONEY_BACK, "press “▶️ Go on” then"}),
        (NONE, "day", {"press “▶️ Go on” then"}),
        (NONE, "all", {"No plan on sale allows more"}),
        (replace(NONE, trial=TRIAL), "all", {"Try <b>Premium</b>"}),
    ],
)
def test_a_held_batch_says_what_lets_it_go_on(offers: Offers, period: Any, said: set[str]) -> None:
    told = BatchHeld(batch=4, kind="video", limit=3, period=period, used=3, job=9)
    screen = deliveries.batch_held(told, STANDING, offers, {}, waiting=2, total=5)
    every = {"the rest goes on by itself", MONEY_BACK, "press “▶️ Go on” then", "No plan on sale allows more"}
    assert {words for words in every | {"Try <b>Premium</b>"} if words in screen.text} == said
    assert "2 of 5 links are on hold" in screen.text
    assert data(screen)[-3:] == ["plans", "release:4", "cancel_batch:4"]
    assert ("buy:premium:9" in data(screen)) is bool(offers.articles)


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ({RefusalReason.TOO_LARGE_FOR_PLAN: 1}, ["1 is larger than your plan allows."]),
        ({RefusalReason.LIMIT: 3}, ["3 are beyond what your plan includes."]),
        (
            {RefusalReason.TOO_LARGE_FOR_PLAN: 2, RefusalReason.LIMIT: 1},
            ["2 are larger than your plan allows.", "1 is beyond what your plan includes."],
        ),
    ],
)
def test_the_rest_of_a_batch_says_why_it_waits(reasons: dict[RefusalReason, int], said: list[str]) -> None:
    waiting = sum(reasons.values())
    offers = Offers((), PLANS.on_sale(), None, {"premium": 1})
    screen = deliveries.rest_held(STANDING, BATCH, reasons, offers=offers, pay_links=PAYPAL, job_id=9)
    lines = screen.text.splitlines()
    assert lines[1 : 1 + len(said)] == said and f"{waiting} of 12 link" in lines[0]
    premium, vip = (next(line for line in lines if f"<b>{title}</b>" in line) for title in ("Premium", "VIP"))
    assert ("brings 1 of them" in premium) is (waiting > 1) and "brings" not in vip
    assert data(screen) == ["buy:premium:9", PAYPAL["premium"], "buy:vip:9", "plans", "cancel_batch:4"]


def test_the_rest_that_nothing_brings_can_be_cancelled() -> None:
    screen = deliveries.rest_held(STANDING, BATCH, {RefusalReason.LIMIT: 3}, offers=NONE, pay_links={}, job_id=9)
    assert data(screen) == ["plans", "cancel_batch:4"] and "by itself" not in screen.text


# How it ended


@pytest.mark.parametrize(
    ("purpose", "words"),
    [("pack", "Your pack <b>This video</b> is unused"), ("plan", "Your plan <b>This video</b> is unused")],
)
def test_a_post_that_was_paid_for_and_gone_leads_to_its_money(purpose: str, words: str) -> None:
    gone = JobFinished(job=1, state=JobState.REFUSED, reason=RefusalReason.NOT_FOUND)
    unused = replace(payment(PaymentState.COMPLETED, plan="video_1"), purpose=purpose)
    screen = deliveries.job(gone, STANDING, unused)
    assert screen is not None and words in screen.text and data(screen)[0] == "money_back:1"
    without = deliveries.job(gone, STANDING)
    assert without is not None and "unused" not in without.text and "money_back" not in str(without.keyboard)


@pytest.mark.parametrize("reason", [RefusalReason.UNREACHABLE, RefusalReason.LOOKUPS_SPENT])
def test_whoever_cannot_hear_or_has_heard_is_told_nothing(reason: RefusalReason) -> None:
    assert deliveries.refusal(reason, {}, STANDING) is None
    paid = payment(PaymentState.COMPLETED)
    assert deliveries.job(JobFinished(job=1, state=JobState.REFUSED, reason=reason), STANDING, paid) is None


@pytest.mark.parametrize("account", ["operator", None])
def test_a_closed_chat_names_the_account_that_would_read_it(account: str | None) -> None:
    screen = deliveries.refusal(RefusalReason.NO_ACCESS, {}, replace(STANDING, account=account))
    assert screen is not None and ("Add @operator to the chat" in screen.text) is (account is not None)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({JobState.DONE: 3}, ["✅ All 3 links delivered."]),
        ({JobState.DONE: 1}, ["✅ 1 link delivered."]),
        (
            {JobState.DONE: 1, JobState.REFUSED: 1, JobState.FAILED: 1, JobState.CANCELLED: 1},
            [
                "🏁 1 of 4 links delivered.",
                "2 links could not be delivered and cost you nothing. Send one of them alone to learn why.",
                "1 link was cancelled.",
            ],
        ),
        ({JobState.CANCELLED: 2}, ["🏁 0 of 2 links delivered.", "2 links were cancelled."]),
    ],
)
def test_a_batch_ends_with_each_outcome(counts: dict[JobState, int], said: list[str]) -> None:
    every = dict.fromkeys(JobState, 0) | counts
    assert deliveries.batch(every, {}, STANDING).text.splitlines() == said


def test_what_is_left_is_told_of_the_kinds_that_were_used() -> None:
    credit = replace(STANDING, credit={"video": 9, "photo": 4})
    said = deliveries.used(credit, {"video": 1}).splitlines()
    assert said[0].startswith("Delivered: 1 video. Videos") and "Photos" not in said[0]
    assert said[1:] == ["🎟 Bought in packs: 9 videos"]


# What is said meanwhile


@pytest.mark.parametrize(
    ("ahead", "wait_s", "away", "flooded", "words"),
    [
        (0, 0, False, False, "your link is next"),
        (1, 0, False, False, "1 link before yours"),
        (5, 3, False, False, "5 links before yours"),
        (5, 3, False, True, "5 links before yours"),
        (5, 4, False, False, "I try again in 4 seconds"),
        (5, 4, False, True, "Telegram asks me to pause"),
        (5, 4, True, True, "I cannot read Telegram posts"),
    ],
)
def test_a_waiting_link_says_what_it_waits_for(ahead: int, wait_s: int, away: bool, flooded: bool, words: str) -> None:
    assert words in progress.in_line(T, ahead, wait_s, account_away=away, flooded=flooded)


@pytest.mark.parametrize(
    ("moved", "size", "rate", "words"),
    [
        (0, 100, 0.0, "Looking at your link"),
        (100, 100, 5.0, "Almost there"),
        (150, 100, 5.0, "Almost there"),
        (50, 100, 0.0, "Almost there"),
        (50, 100, 5.0, "50 % of"),
        (50, 100, 5.0, "time left: 10 seconds"),
        (99, 100, 5.0, "time left: 1 second"),
    ],
)
def test_a_delivery_under_way_says_how_far_it_is(moved: int, size: int, rate: float, words: str) -> None:
    assert words in progress.under_way(T, moved, size, rate)


@pytest.mark.parametrize(
    ("answer", "days", "words"),
    [
        (Answer.POSSIBLE, 7, "I am sending the money back"),
        (Answer.UNDER_WAY, 7, "on its way back already"),
        (Answer.RETURNED, 7, "went back already"),
        (Answer.USED, 7, "was delivered already"),
        (Answer.TOO_LATE, 7, "for 7 days after it was paid"),
        (Answer.TOO_LATE, 0, "do not go back by a button here"),
    ],
)
def test_whoever_wants_their_money_back_hears_why_not(answer: Answer, days: int, words: str) -> None:
    screen = checkout.returned(T, answer, days)
    assert words in screen.text and ("/paysupport" in screen.text) is (answer is not Answer.POSSIBLE)


def test_an_admin_reads_what_begins_later() -> None:
    later = Interval(NOW + 86_400, NOW + 2 * 86_400, 1)
    shown = customers.Card(
        user=USER, access=replace(PAID, intervals=(later,)), reasons=(), credit={}, payments=None, links=[], notes=(),
        plans=PLANS, timezone=UTC, now=NOW, came=0, brought_by=None,
    )  # fmt: skip
    assert f"from {T.date(later.start, UTC)}" in customers.card(T, shown).text


def test_an_admin_reads_until_when_a_link_is_kept() -> None:
    held_at = replace(job(1), state=JobState.HELD, moved_at=NOW, reason=RefusalReason.LIMIT)
    shown = customers.Card(
        user=USER, access=PAID, reasons=(), credit={}, payments=None, links=[held_at], notes=(), plans=PLANS,
        timezone=UTC, now=NOW, came=0, brought_by=None,
    )  # fmt: skip
    assert f"kept until {T.date(NOW + holding.KEPT_DAYS * DAY_S, UTC)}" in customers.card(T, shown).text


def test_offers_of_a_held_link_are_those_that_bring_it() -> None:
    told = JobHeld(job=9, reason="limit", detail={}, kind="video", missing=1, wants={"video": 1}, largest={"video": 1})
    assert {each.code for each in holding.offers(PLANS, told).articles} == {"video_1", "video_10", "premium", "vip"}
