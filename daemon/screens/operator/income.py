"""What the shop earned, for admins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from babel.dates import format_date

from config.plans import Plans
from config.texts import Texts
from daemon.telegram.screen import Screen
from models.money.income import Income
from models.money.providers import TRAITS

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Income by span, by plan and by provider of the longest span, and by the start of each month."""

    spans: Mapping[str, Sequence[Income]]
    plans: Mapping[str | None, Sequence[Income]]
    providers: Mapping[str, Sequence[Income]]
    months: Mapping[int, Sequence[Income]]


def income(t: Texts, report: Report, *, plans: Plans, timezone: ZoneInfo) -> Screen:
    """The income by span, by plan and provider of the longest span, and month by month."""
    names = {
        "today": t.gettext("Today"),
        "yesterday": t.gettext("Yesterday"),
        "week": t.gettext("7 days"),
        "month": t.gettext("30 days"),
    }
    lines = [t.gettext("<b>Income, net of refunds</b>")]
    lines += [f"{names[span]}: {sums(t, earned)}" for span, earned in report.spans.items()]
    if report.plans:
        lines += ["", t.gettext("<b>30 days, by plan and pack</b>")]
        lines += [f"• {_plan(t, code, plans)}: {sums(t, earned)}" for code, earned in report.plans.items()]
        lines += ["", t.gettext("<b>30 days, by way of payment</b>")]
        lines += [f"• {_provider(name)}: {sums(t, earned)}" for name, earned in report.providers.items()]
    months = [(start, earned) for start, earned in report.months.items() if earned]
    if months:
        lines += ["", t.gettext("<b>By month</b>")]
        lines += [f"{_month(t, start, timezone)}: {sums(t, earned)}" for start, earned in reversed(months)]
    return Screen("\n".join(lines))


def sums(t: Texts, incomes: Sequence[Income]) -> str:
    """Sums of several currencies in one line."""
    return " · ".join(sum_of(t, each.currency, each.payments, each.net) for each in incomes) or "—"


def sum_of(t: Texts, currency: str, payments: int, net: int) -> str:
    """The sum of one currency, and how many payments it is of."""
    return t.ngettext("{amount} ({n} sale)", "{amount} ({n} sales)", payments, amount=t.price(net, currency))


def bars(values: Sequence[int]) -> str:
    """The values as a line of bars; what is below nothing shows as nothing."""
    highest = max(values, default=0)
    if highest <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[max(0, value) * (len(BARS) - 1) // highest] for value in values)


def _plan(t: Texts, code: str | None, plans: Plans) -> str:
    return escape(plans.title_of(code or "?", t.language))


def _provider(name: str) -> str:
    return TRAITS[name].title if name in TRAITS else escape(name)


def _month(t: Texts, start: int, timezone: ZoneInfo) -> str:
    return format_date(datetime.fromtimestamp(start, timezone), "LLLL y", locale=t.language)
