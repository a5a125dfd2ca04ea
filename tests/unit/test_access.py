"""What a customer may use, as a pure function of what happened: examples, a slow oracle, and the promises."""

import dataclasses
import itertools
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money.fold import Disputed, Grant, Interval, Refunded, Take, fold, stretches, sweep
from tests.access_oracle import simulate

PREMIUM, VIP = 1, 2
MONTH = 30 * 86_400
HORIZON = 400
GRACE = 7


def budget(name: str, level: int, start: int, seconds: int, **more: object) -> Grant:
    return Grant(name, level, start, seconds=seconds, amount=100, **more)  # type: ignore[arg-type]


def renewal(name: str, level: int, start: int, seconds: int, ended_at: int | None = None, **more: object) -> Grant:
    return budget(name, level, start, seconds, renews=True, renewal_ended_at=ended_at, **more)


def window(name: str, level: int, start: int, until: int, **more: object) -> Grant:
    return Grant(name, level, start, until=until, amount=100, **more)  # type: ignore[arg-type]


def measure(intervals: tuple[Interval, ...], level: int) -> int:
    """Seconds lived at exactly this level."""
    return sum((interval.end or HORIZON) - interval.start for interval in intervals if interval.level == level)


def measure_from(intervals: tuple[Interval, ...], level: int) -> int:
    """Seconds lived at this level or a better one."""
    return sum((interval.end or HORIZON) - interval.start for interval in intervals if interval.level >= level)


def at(intervals: tuple[Interval, ...], moment: int) -> int:
    """The level that holds at a moment."""
    holding = (each for each in intervals if each.start <= moment and (each.end is None or moment < each.end))
    return next((interval.level for interval in holding), 0)


# Examples


def test_nothing_gives_nothing() -> None:
    assert fold([]) == ()
    assert at((), 5) == 0


def test_the_lower_level_pauses_while_the_higher_runs() -> None:
    intervals = fold([budget("a", PREMIUM, 0, 100), budget("b", VIP, 30, 50)])
    assert intervals == (Interval(0, 30, PREMIUM), Interval(30, 80, VIP), Interval(80, 150, PREMIUM))
    assert [at(intervals, moment) for moment in (0, 29, 30, 79, 80, 149, 150)] == [1, 1, 2, 2, 1, 1, 0]


def test_budgets_of_one_level_follow_each_other_without_a_seam() -> None:
    assert fold([budget("a", PREMIUM, 0, 100), budget("b", PREMIUM, 10, 100)]) == (Interval(0, 200, PREMIUM),)


def test_a_gap_is_free() -> None:
    intervals = fold([budget("a", PREMIUM, 0, 10), budget("b", PREMIUM, 50, 10)])
    assert intervals == (Interval(0, 10, PREMIUM), Interval(50, 60, PREMIUM))


def test_budgets_wait_while_a_window_of_their_level_runs() -> None:
    intervals = fold([window("a", PREMIUM, 0, 100), budget("b", PREMIUM, 10, 30), budget("c", VIP, 20, 30)])
    assert intervals == (Interval(0, 20, PREMIUM), Interval(20, 50, VIP), Interval(50, 130, PREMIUM))


def test_for_ever_has_no_end() -> None:
    intervals = fold([Grant("a", PREMIUM, 0, forever=True), budget("b", VIP, 10, 5), budget("c", PREMIUM, 0, 5)])
    assert intervals == (Interval(0, 10, PREMIUM), Interval(10, 15, VIP), Interval(15, None, PREMIUM))


@pytest.mark.parametrize(
    ("refunds", "end"),
    [
        ((Refunded(40, 100),), 40),
        ((Refunded(40, 50),), 70),
        ((Refunded(40, 33),), 81),  # floor(60 * 33 / 100) = 19 seconds are removed
        ((Refunded(40, 50), Refunded(50, 25)), 60),  # 20 are left at 50, and half of what was still paid goes
        ((Refunded(40, 50), Refunded(50, 50)), 50),  # the refund that completes the amount removes all
        ((Refunded(500, 100),), 100),  # never time already lived
        ((Refunded(40, 1000),), 40),
    ],
)
@pytest.mark.parametrize("span", [{"seconds": 100}, {"until": 100}])
def test_a_refund_removes_unlived_time_in_proportion(
    span: dict[str, int], refunds: tuple[Refunded, ...], end: int
) -> None:
    assert fold([Grant("a", PREMIUM, 0, amount=100, refunds=refunds, **span)]) == (Interval(0, end, PREMIUM),)


def test_a_refund_removes_only_its_own_paused_budget() -> None:
    refunded = budget("a", PREMIUM, 0, 100, refunds=(Refunded(50, 100),))
    intervals = fold([refunded, budget("b", PREMIUM, 5, 40), budget("c", VIP, 10, 50)])
    assert intervals == (Interval(0, 10, PREMIUM), Interval(10, 60, VIP), Interval(60, 100, PREMIUM))


@pytest.mark.parametrize("span", [{"seconds": 100}, {"until": 100}])
def test_a_won_dispute_gives_back_what_it_withheld(span: dict[str, int]) -> None:
    open_ = Grant("a", PREMIUM, 0, disputes=(Disputed(40),), **span)
    assert fold([open_]) == (Interval(0, 40, PREMIUM),)
    won = dataclasses.replace(open_, disputes=(Disputed(40, 500, True),))
    assert fold([won]) == (Interval(0, 40, PREMIUM), Interval(500, 560, PREMIUM))
    lost = dataclasses.replace(open_, disputes=(Disputed(40, 500, False),))
    assert fold([lost]) == (Interval(0, 40, PREMIUM),)


def test_two_disputes_at_once_suspend_until_both_are_won() -> None:
    disputes = (Disputed(10, 50, True), Disputed(20, 80, True))
    assert fold([budget("a", PREMIUM, 0, 100, disputes=disputes)]) == (Interval(0, 10, 1), Interval(80, 170, 1))


def test_a_reversal_leaves_what_was_lived() -> None:
    assert fold([budget("a", PREMIUM, 0, 100, ended_at=30)]) == (Interval(0, 30, PREMIUM),)


def test_an_admin_takes_from_the_newest_to_the_oldest() -> None:
    grants = [budget("a", PREMIUM, 0, 100), budget("b", PREMIUM, 10, 100), budget("c", VIP, 20, 20)]
    assert fold(grants, [Take("t", 50, PREMIUM, 150)]) == (
        Interval(0, 20, PREMIUM),
        Interval(20, 40, VIP),
        Interval(40, 70, PREMIUM),
    )
    assert fold(grants, [Take("t", 30)]) == (Interval(0, 20, PREMIUM), Interval(20, 30, VIP))
    assert fold(grants, [Take("t", 30, VIP)]) == (Interval(0, 20, 1), Interval(20, 30, 2), Interval(30, 210, 1))


def test_seconds_are_not_taken_from_unlimited_access() -> None:
    forever = Grant("a", PREMIUM, 0, forever=True)
    assert fold([forever], [Take("t", 10, None, 5)]) == (Interval(0, None, PREMIUM),)
    assert fold([forever], [Take("t", 10)]) == (Interval(0, 10, PREMIUM),)


def test_in_one_second_a_taking_leaves_what_was_given_after() -> None:
    given_after = budget("adjustment:2", PREMIUM, 10, 50)
    assert fold([given_after], [Take("adjustment:1", 10)]) == (Interval(10, 60, PREMIUM),)
    assert fold([given_after], [Take("adjustment:3", 10)]) == ()


# Renewals


def test_a_running_budget_passes_while_others_of_its_level_wait() -> None:
    grants = [renewal("a", PREMIUM, 0, 100, ended_at=100), budget("b", PREMIUM, 10, 30), budget("c", VIP, 20, 30)]
    assert fold(grants) == (Interval(0, 20, PREMIUM), Interval(20, 50, VIP), Interval(50, 130, PREMIUM))


def test_an_ended_renewal_loses_nothing_under_a_higher_level() -> None:
    grants = [renewal("a", PREMIUM, 0, 30, ended_at=2), budget("b", VIP, 10, 30)]
    assert fold(grants) == (Interval(0, 10, PREMIUM), Interval(10, 40, VIP), Interval(40, 60, PREMIUM))


def test_a_renewal_that_goes_on_passes_under_a_higher_level() -> None:
    grants = [renewal("a", PREMIUM, 0, 30), budget("b", VIP, 10, 30)]
    assert fold(grants, grace_s=0) == (Interval(0, 10, PREMIUM), Interval(10, 40, VIP))


def test_a_renewal_ended_under_a_higher_level_keeps_the_rest() -> None:
    grants = [renewal("a", PREMIUM, 0, 30, ended_at=15), budget("b", VIP, 10, 30)]
    assert fold(grants) == (Interval(0, 10, PREMIUM), Interval(10, 40, VIP), Interval(40, 55, PREMIUM))


def test_cancelled_and_bought_again_is_two_whole_periods() -> None:
    grants = [renewal("a", PREMIUM, 0, 30, ended_at=2), renewal("b", PREMIUM, 3, 30)]
    assert fold(grants, grace_s=0) == (Interval(0, 60, PREMIUM),)


def test_two_renewals_of_one_level_wait_for_each_other() -> None:
    grants = [renewal("a", PREMIUM, 0, 30), renewal("b", PREMIUM, 10, 30)]
    assert fold(grants, grace_s=0) == (Interval(0, 60, PREMIUM),)


def test_what_a_renewal_leaves_waits_at_its_own_place() -> None:
    ended = renewal("a", PREMIUM, 0, 30, ended_at=15)
    refunded = budget("b", PREMIUM, 5, 30, refunds=(Refunded(40, 100),))
    assert fold([ended, refunded]) == (Interval(0, 40, PREMIUM),), "the rest of the older one is consumed first"


def test_a_level_holds_for_a_day_of_grace_that_consumes_nothing() -> None:
    vip, premium = renewal("a", VIP, 0, 30), budget("b", PREMIUM, 0, 10)
    assert fold([vip, premium], grace_s=GRACE) == (Interval(0, 37, VIP), Interval(37, 47, PREMIUM))
    assert fold([vip, premium], grace_s=0) == (Interval(0, 30, VIP), Interval(30, 40, PREMIUM))
    assert fold([vip, budget("c", VIP, 0, 10)], grace_s=GRACE) == (Interval(0, 40, VIP),)
    later = renewal("c", VIP, 33, 30)
    assert fold([vip, later], grace_s=GRACE) == (Interval(0, 70, VIP),)


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"ended_at": 10}, 30),
        ({"ended_at": 33}, 33),
        ({"refunds": (Refunded(33, 100),)}, 33),
        ({"refunds": (Refunded(33, 50),)}, 37),
        ({"disputes": (Disputed(33, 40, False),)}, 33),
        ({"disputes": (Disputed(33, 33, False, amount=1),)}, 37),
    ],
)
def test_grace_ends_with_the_renewal_and_with_the_payment(change: dict[str, object], end: int) -> None:
    assert fold([renewal("a", PREMIUM, 0, 30, **change)], grace_s=GRACE) == (Interval(0, end, PREMIUM),)  # type: ignore[arg-type]


def test_a_reversal_and_a_take_end_grace() -> None:
    reversed_ = dataclasses.replace(renewal("a", PREMIUM, 0, 30), ended_at=33)
    assert fold([reversed_], grace_s=GRACE) == (Interval(0, 33, PREMIUM),)
    assert fold([renewal("a", PREMIUM, 0, 30)], [Take("t", 33)], GRACE) == (Interval(0, 33, PREMIUM),)
    assert fold([renewal("a", PREMIUM, 0, 30)], [Take("t", 20, None, 10)], GRACE) == (Interval(0, 20, PREMIUM),)


# Disputes of a part


@pytest.mark.parametrize("running", [False, True])
def test_a_dispute_of_a_part_suspends_and_takes_that_part(running: bool) -> None:
    def lived(*disputes: Disputed) -> int:
        grant = budget("a", PREMIUM, 0, 100, disputes=disputes, renews=running)
        return measure(fold([grant], grace_s=0), PREMIUM)

    assert lived(Disputed(50, None, None, amount=20)) == 50
    assert lived(Disputed(50, 60, False, amount=20)) == 90
    assert lived(Disputed(50, 60, True, amount=20)) == 100
    assert lived(Disputed(50, 60, False, amount=20), Disputed(50, 60, False, amount=80)) == 50
    assert lived(Disputed(50, 60, False)) == 50


def test_a_lost_part_that_is_refunded_too_is_taken_once() -> None:
    disputed = budget("a", PREMIUM, 0, 100, disputes=(Disputed(50, 50, False, amount=20),))
    both = dataclasses.replace(disputed, refunds=(Refunded(50, 20),))
    assert fold([disputed]) == fold([both]) == (Interval(0, 90, PREMIUM),)


# The oracle: the rules of the module once more, second by second


moments = st.integers(0, 60)
refunds = st.builds(Refunded, moments, st.integers(1, 60))
disputes = st.builds(
    lambda opened, lasted, won, amount: Disputed(opened, None if won is None else opened + lasted, won, amount),
    moments,
    st.integers(0, 30),
    st.sampled_from([None, True, False]),
    st.none() | st.integers(1, 120),
)


@st.composite
def grants(draw: st.DrawFn, events: bool = True, name: str = "g") -> Grant:
    start = draw(moments)
    span = draw(st.integers(1, 40))
    return Grant(
        id=f"{name}{draw(st.integers(0, 10**6))}",
        level=draw(st.integers(1, 3)),
        start=start,
        amount=100,
        refunds=tuple(draw(st.lists(refunds, max_size=3))) if events else (),
        disputes=tuple(draw(st.lists(disputes, max_size=2, unique=True))) if events else (),
        ended_at=draw(st.none() | moments) if events else None,
        **draw(st.sampled_from([{"seconds": span}, {"until": start + span}, {"seconds": span, "renews": True}])),
        renewal_ended_at=draw(st.none() | moments),
    )


def many(events: bool = True) -> st.SearchStrategy[list[Grant]]:
    return st.lists(grants(events), max_size=6, unique_by=lambda grant: grant.id)


takes = st.lists(
    st.builds(
        Take,
        st.integers(0, 10**6).map(lambda number: f"t{number}"),
        moments,
        st.none() | st.integers(1, 3),
        st.none() | st.integers(1, 50),
    ),
    max_size=2,
    unique_by=lambda take: take.id,
)


@given(many(), takes)
def test_the_sweep_agrees_with_a_second_by_second_count(grants: list[Grant], takes: list[Take]) -> None:
    for grace in (0, GRACE):
        intervals = fold(grants, takes, grace)
        assert [at(intervals, second) for second in range(HORIZON)] == simulate(grants, takes, grace, HORIZON)[0]


# The promises


@given(many(), takes, st.randoms())
def test_access_is_the_same_for_any_order_of_rows(grants: list[Grant], takes: list[Take], order: random.Random) -> None:
    shuffled = [
        dataclasses.replace(
            grant,
            refunds=tuple(reversed(grant.refunds)),
            disputes=tuple(reversed(grant.disputes)),
        )
        for grant in grants
    ]
    order.shuffle(shuffled)
    assert fold(shuffled, takes[::-1]) == fold(grants, takes)


@given(st.lists(st.integers(0, 400 * 86_400), min_size=12, max_size=12), st.integers(0, 400 * 86_400))
def test_twelve_premiums_and_one_vip_give_all_of_both(premiums: list[int], vip: int) -> None:
    bought = [budget(f"p{number}", PREMIUM, start, MONTH) for number, start in enumerate(premiums)]
    intervals = fold([*bought, budget("v", VIP, vip, MONTH)])
    assert measure(intervals, VIP) == MONTH
    assert measure(intervals, PREMIUM) == 12 * MONTH


@given(many(events=False))
def test_no_second_is_lost_but_under_a_running_renewal(grants: list[Grant]) -> None:
    bought = [grant for grant in grants if grant.seconds is not None]
    intervals = fold(bought, grace_s=0)
    _, counted = simulate(bought, [], 0, HORIZON)
    for level in (1, 2, 3):
        paid = sum(grant.seconds or 0 for grant in bought if grant.level == level)
        lost = sum(each.lost for each in counted if each.grant.level == level)
        assert measure(intervals, level) == paid - lost
        assert lost <= sum(grant.seconds or 0 for grant in bought if grant.level == level and grant.renews)


@given(many(events=False), moments)
def test_no_second_is_lost_when_renewals_end_before_an_upgrade(grants: list[Grant], ended_at: int) -> None:
    bought = [
        dataclasses.replace(grant, renewal_ended_at=ended_at, start=grant.start + (0 if grant.renews else ended_at))
        for grant in grants
        if grant.seconds is not None and (grant.level == 1 or not grant.renews)
    ]
    for level in (1, 2, 3):
        paid = sum(grant.seconds or 0 for grant in bought if grant.level == level)
        assert measure(fold(bought, grace_s=0), level) == paid


@given(many(events=False))
def test_grace_consumes_nothing(grants: list[Grant]) -> None:
    bought = [grant for grant in grants if grant.seconds is not None]
    for level in (1, 2, 3):
        assert measure_from(fold(bought, grace_s=GRACE), level) >= measure_from(fold(bought, grace_s=0), level)


@given(many(), grants(events=False, name="x"), moments, st.integers(0, 40))
def test_a_refund_before_use_equals_no_payment(others: list[Grant], bought: Grant, earlier: int, later: int) -> None:
    moment = bought.start - earlier
    if bought.seconds is not None and not _lived_by(others, bought, bought.start + later):
        moment = bought.start + later
    refunded = dataclasses.replace(bought, refunds=(Refunded(moment, bought.amount),))
    assert fold([*others, refunded]) == fold(others)


def _lived_by(others: list[Grant], bought: Grant, moment: int) -> int:
    cut = dataclasses.replace(bought, ended_at=moment)
    return sweep([*others, cut])[1][bought.id].seconds


@given(many(), grants(events=False, name="x"), moments, st.integers(0, 40))
def test_a_dispute_won_costs_nothing(others: list[Grant], bought: Grant, opened: int, lasted: int) -> None:
    disputed = dataclasses.replace(bought, disputes=(Disputed(opened, opened + lasted, True),))
    without, with_dispute = sweep([*others, bought])[1], sweep([*others, disputed])[1]
    assert with_dispute[bought.id].seconds == without[bought.id].seconds


@given(many(events=False), grants(name="x"))
def test_no_operation_on_one_payment_shortens_another(others: list[Grant], touched: Grant) -> None:
    untouched = dataclasses.replace(touched, refunds=(), disputes=(), ended_at=None)
    before, after = sweep([*others, untouched])[1], sweep([*others, touched])[1]
    assert [after[grant.id].seconds for grant in others] == [before[grant.id].seconds for grant in others]


@given(many(events=False), grants(name="x"))
def test_the_other_payments_alone_never_give_more(others: list[Grant], touched: Grant) -> None:
    alone, beside = fold(others), fold([*others, touched])
    for level in (1, 2, 3):
        assert measure_from(beside, level) >= measure_from(alone, level)


@given(many(), takes)
def test_intervals_are_disjoint_and_in_order(grants: list[Grant], takes: list[Take]) -> None:
    for first, second in itertools.pairwise(fold(grants, takes)):
        assert first.start < (first.end or 0) <= second.start
        assert (first.end, first.level) != (second.start, second.level)


@given(many(), takes)
def test_what_a_level_is_due_to_parts_its_intervals(grants: list[Grant], takes: list[Take]) -> None:
    whole: list[Interval] = []
    for each in stretches(grants, takes):
        (due,) = [grant for grant in grants if grant.id == each.grant]
        assert due.level == each.level and due.start <= each.start
        if whole and (whole[-1].end, whole[-1].level) == (each.start, each.level):
            whole.append(Interval(whole.pop().start, each.end, each.level))
        else:
            whole.append(Interval(each.start, each.end, each.level))
    assert tuple(whole) == fold(grants, takes)


def test_each_stretch_is_due_to_what_is_consumed() -> None:
    low, high = budget("low", PREMIUM, 0, 100), budget("high", VIP, 20, 10)
    assert [(each.start, each.end, each.grant) for each in stretches([low, high])] == [
        (0, 20, "low"), (20, 30, "high"), (30, 110, "low")
    ]  # fmt: skip


@pytest.mark.parametrize("renews", [False, True])
def test_folding_takes_time_in_proportion_to_the_payments(renews: bool) -> None:
    assert _events(200, renews) < 2.1 * _events(100, renews)
    assert _events(200, renews) < 200 * (300 if renews else 150)


def _events(number: int, renews: bool = False) -> int:
    """How many calls and returns the interpreter sees while so many payments are folded: a measure of the work."""
    bought = [
        budget(f"{each}", 1 + each % 3, each * 86_400, MONTH, refunds=(Refunded(each * 90_000, 20),))
        for each in range(number)
    ]
    if renews:
        changes = ({"renews": True, "renewal_ended_at": each * 95_000 if each % 2 else None} for each in range(number))
        bought = [dataclasses.replace(grant, **change) for grant, change in zip(bought, changes, strict=True)]
    seen: list[str] = []
    sys.setprofile(lambda _frame, event, _argument: seen.append(event))
    try:
        fold(bought)
    finally:
        sys.setprofile(None)
    return len(seen)
