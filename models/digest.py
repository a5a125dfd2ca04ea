"""What the admins read every morning: how the shop did yesterday, in the last week and in the last month."""

from datetime import datetime
from zoneinfo import ZoneInfo

import peewee

from models import audit, outbox
from models.database import fetch, snapshot, transaction
from models.event_kinds import Digest, EventKind
from models.jobs import queue
from models.jobs.states import JobState
from models.maintenance import health
from models.money import income
from models.money.income import Income, Sum
from models.tables import Event, Job, User

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
    """The digest of the days before today."""
    *starts, today = income.day_starts(DAYS + 1, timezone, now)
    with snapshot():
        by_day = income.by_span(income.sums(starts[0], today), starts)
        month = income.total(part for day in by_day for part in day)
        currency = month[0].currency if month else None
        return Digest(
            day=starts[-1],
            yesterday=_stored(income.total(by_day[-1])),
            week=_stored(income.total(part for day in by_day[-WEEK:] for part in day)),
            month=_stored(month),
            currency=currency,
            days=[_net(day, currency) for day in by_day],
            new=User.select().where((User.created_at >= starts[-1]) & (User.created_at < today)).count(),
            lost=_ended(starts[-1], today),
            delivered=queue.totals(starts[-1], today).done,
            refused=_refused(starts[-1], today),
            incidents=[each.key for each in health.incidents()],
            account=_account(),
            helped=audit.helped(starts[-1], today),
        )


def _stored(sums: tuple[Income, ...]) -> list[list[object]]:
    return [[each.currency, each.payments, each.net] for each in sums]


def _net(parts: tuple[Sum, ...], currency: str | None) -> int:
    return next((each.net for each in income.total(parts) if each.currency == currency), 0)


def _ended(since: int, until: int) -> int:
    """How many customers' paid access ended by itself."""
    written = (Event.created_ms >= since * 1000) & (Event.created_ms < until * 1000)
    return int(Event.select().where((Event.kind == EventKind.ACCESS_ENDED) & written).count())


def _refused(since: int, until: int) -> dict[str, int]:
    """How many links were refused, by reason, the most frequent first."""
    number = peewee.fn.COUNT(Job.id)
    ended = (Job.state == JobState.REFUSED) & (Job.moved_at >= since) & (Job.moved_at < until)
    query = Job.select(Job.reason, number).where(ended & Job.reason.is_null(False)).group_by(Job.reason)
    return {str(reason): int(count) for reason, count in fetch(query.order_by(number.desc()))}


def _account() -> str:
    """What the daemon last said of the account that reads."""
    beat = health.all().get("daemon")
    return str(beat.detail.get("account", "?")) if beat else "?"
