"""Today: what came in, who came and went, what was delivered and refused, how everything is."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Response

from config import plan_texts
from config.plans import KINDS
from config.texts import Texts
from models.books import totals
from models.books.totals import Day
from models.jobs import queue
from models.maintenance import health as beats
from models.money import income
from models.money.income import Income
from models.roles import Act
from models.words import accounts, incidents, refusals
from web import rendering
from web.console import guard, layout

DAYS = 90
WEEK, MONTH = 7, 30
REASONS_SHOWN = 8

blueprint = guard.section("today")


@dataclass(frozen=True)
class Span:
    """Some days, in the words of the page."""

    name: str
    money: Sequence[tuple[str, str]]
    new: int
    paying: int
    lost: int


@dataclass(frozen=True)
class Curve:
    """The net income of each day in one currency: label, minor units, as people read it."""

    currency: str
    points: Sequence[tuple[str, int, str]]


@blueprint.get("/today")
@guard.needs(Act.SEE_TODAY)
def today() -> Response:
    """Show the newest 90 days, and how everything is now."""
    found = guard.visitor()
    t, timezone = found.t, rendering.current_settings().timezone
    days = totals.days(DAYS, timezone, found.now)
    month = days[-MONTH:]
    return layout.show(
        "console/today.html",
        spans=[
            _span(t, t.gettext("Today"), days[-1:]),
            _span(t, t.gettext("7 days"), days[-WEEK:]),
            _span(t, t.gettext("30 days"), month),
        ],
        curves=_curves(t, days, timezone),
        kinds=_counted(month, lambda day: day.delivered, lambda kind: _kind(t, kind)),
        refused=_counted(month, lambda day: day.refused, lambda reason: refusals.label(t, reason))[:REASONS_SHOWN],
        overview=queue.overview(found.now),
        account=beats.account(found.now),
        state=accounts.connection,
        silent=[(program, t.duration(span)) for program, span in beats.silent(found.now).items()],
        wrong=[(incidents.label(t, each.key), each.said_in(t.language)) for each in beats.incidents()],
    )


def _span(t: Texts, name: str, days: Sequence[Day]) -> Span:
    money = income.total(part for day in days for part in day.income)
    return Span(
        name=name,
        money=[said(t, each) for each in money],
        new=sum(day.new for day in days),
        paying=sum(day.paying for day in days),
        lost=sum(day.lost for day in days),
    )


def said(t: Texts, earned: Income) -> tuple[str, str]:
    """The net income of one currency, and from how many payments."""
    return t.price(earned.net, earned.currency), t.ngettext("{n} payment", "{n} payments", earned.payments)


def _curves(t: Texts, days: Sequence[Day], timezone: ZoneInfo) -> list[Curve]:
    """One for each currency of these days, the most payments first."""
    by_day = [{each.currency: each.net for each in income.total(day.income)} for day in days]
    return [
        Curve(
            each.currency,
            [
                (t.day(day.at, timezone), net.get(each.currency, 0), t.price(net.get(each.currency, 0), each.currency))
                for day, net in zip(days, by_day, strict=True)
            ],
        )
        for each in income.total(part for day in days for part in day.income)
    ]


def _kind(t: Texts, code: str) -> str:
    return plan_texts.kind(t, code) if code in KINDS else t.gettext("Unknown")


def _counted(
    days: Sequence[Day], of: Callable[[Day], Mapping[str, int]], label: Callable[[str], str]
) -> list[tuple[str, int]]:
    """How many of each label, the most frequent first."""
    counts: Counter[str] = Counter()
    for day in days:
        for key, number in of(day).items():
            counts[label(key) or key] += number
    return counts.most_common()
