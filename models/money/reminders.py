"""What customers are told about the end of their paid access: 3 days and 1 day before, and when it has ended.

Access is computed, so its end is in no column. ``User.access_look_at`` says when to compute it again: at once after
each change, else at the next moment that would be told. It is a schedule, nothing depends on its truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models import outbox
from models.database import transaction
from models.event_kinds import AccessEnded, AccessEnding
from models.money import access
from models.money.subscriptions import SubscriptionState
from models.tables import Subscription, User

DAY_S = 86_400
DAYS_BEFORE = (3, 1)

LATE_S = DAY_S
"""What could not be told in time is not told later than this: an old "has ended" would only confuse."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """Something to tell about an access that ends at ``until``; ``days`` 0: it has ended."""

    until: int
    days: int

    @property
    def at(self) -> int:
        """When it is to be told."""
        return self.until - self.days * DAY_S


def of_access(intervals: Sequence[access.Interval]) -> list[Reminder]:
    """Return everything that is ever to be told about these intervals, in order of time.

    Nothing is told from before the paid time began: a plan of two days does not end "in three days".
    """
    told: list[Reminder] = []
    for start, end in _runs(intervals):
        if end is not None:
            told.extend(Reminder(end, days) for days in (*DAYS_BEFORE, 0) if end - days * DAY_S >= start)
    return told


def write(now: int, limit: int = 500) -> int:
    """Look at the customers whose turn it is, and write what they must hear; returns at how many it looked."""
    due = User.select(User.id).where(User.access_look_at <= now).order_by(User.access_look_at).limit(limit)
    ids = [row.id for row in due]
    for user_id in ids:
        _look(user_id, now)
    return len(ids)


def _runs(intervals: Sequence[access.Interval]) -> list[tuple[int, int | None]]:
    """Join what follows without a gap: the unbroken runs of paid time, whatever their levels."""
    runs: list[tuple[int, int | None]] = []
    for interval in intervals:
        start = interval.start
        if runs and runs[-1][1] == start:
            start, _ = runs.pop()
        runs.append((start, interval.end))
    return runs


def _look(user_id: int, now: int) -> None:
    with transaction():
        user = User.get_by_id(user_id)
        told = of_access(access.of(user_id, now).intervals)
        if user.reminders and user.banned_at is None:
            for reminder in told:
                if reminder.at <= now:
                    _tell(user_id, reminder, now)
        coming = min((reminder.at for reminder in told if reminder.at > now), default=None)
        User.update(access_look_at=coming).where(User.id == user_id).execute()


def _tell(user_id: int, reminder: Reminder, now: int) -> None:
    """Write one reminder, once ever, unless its moment has passed or the access is about to renew itself.

    Time that was taken back has not ended by itself: what took it is told where it happens.
    """
    if not reminder.days:
        if now - reminder.at <= LATE_S and reminder.until not in access.cuts(user_id):
            key = f"access_ended:{user_id}:{reminder.until}"
            outbox.append(AccessEnded(until=reminder.until), user_id, now, key=key)
        return
    if now - reminder.at > LATE_S or now >= reminder.until or _renews(user_id):
        return
    key = f"access_ending:{user_id}:{reminder.until}:{reminder.days}"
    outbox.append(AccessEnding(until=reminder.until, days=reminder.days), user_id, now, key=key)


def _renews(user_id: int) -> bool:
    """Tell whether a subscription will pay for more without anybody doing anything."""
    active = (Subscription.user == user_id) & (Subscription.state == SubscriptionState.ACTIVE)
    return Subscription.select().where(active).exists()
