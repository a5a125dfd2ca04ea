"""What the admins read every morning: how the shop did yesterday, in the last week and in the last month."""

from datetime import datetime
from zoneinfo import ZoneInfo

from models import audit, outbox
from models.books import totals
from models.database import snapshot, transaction
from models.event_kinds import Digest
from models.maintenance import health
from models.money import income
from models.money.income import Income, Sum

DAYS = 30
WEEK = 7


def write(hour: int, timezone: ZoneInfo, now: int) -> bool:
    """Write the digest of the operator's day once *hour* has come; False when it is not due or is written already."""
    today = datetime.fromtimestamp(now, timezone)
    key = f"digest:{today.date().isoformat()}"
    if today.hour < hour or outbox.is_written(key):
        return False
    digest = compose(timezone, now)
    with transaction():
        return outbox.append(digest, None, now, key) is not None


def compose(timezone: ZoneInfo, now: int) -> Digest:
    """The digest of the days before today: the console's sums, which outlive the links that they count."""
    with snapshot():
        *days, today = totals.days(DAYS + 1, timezone, now)
        yesterday = days[-1]
        month = income.total(part for day in days for part in day.income)
        currency = month[0].currency if month else None
        return Digest(
            day=yesterday.at,
            yesterday=_stored(income.total(yesterday.income)),
            week=_stored(income.total(part for day in days[-WEEK:] for part in day.income)),
            month=_stored(month),
            currency=currency,
            days=[_net(day.income, currency) for day in days],
            new=yesterday.new,
            lost=yesterday.lost,
            delivered=sum(yesterday.delivered.values()),
            refused={reason: number for reason, number in yesterday.refused.items() if reason},
            incidents=[each.key for each in health.incidents()],
            account=health.account(now),
            helped=audit.helped(yesterday.at, today.at),
        )


def _stored(sums: tuple[Income, ...]) -> list[list[object]]:
    return [[each.currency, each.payments, each.net] for each in sums]


def _net(parts: tuple[Sum, ...], currency: str | None) -> int:
    return next((each.net for each in income.total(parts) if each.currency == currency), 0)
