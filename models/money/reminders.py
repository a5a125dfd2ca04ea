"""Messages about the end of paid access: 3 days and 1 day before, and when it has ended.

Access is computed, so no column holds its end. ``User.access_look_at`` says when to compute it again: at once after
each change, else at the next moment of a message. It is a schedule alone: a wrong value costs a computation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from config.units import DAY_S
from models import outbox
from models.database import transaction
from models.event_kinds import AccessEnded, AccessEnding
from models.money import access
from models.money.subscriptions import SubscriptionState
from models.tables import Subscription, User

DAYS_BEFORE = (3, 1)

LATE_S = DAY_S
"""Seconds after which a reminder is dropped: an old "has ended" would only confuse."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A message about access that ends at ``until``; ``days`` 0: it has ended."""

    until: int
    days: int

    @property
    def at(self) -> int:
        """When the message is due."""
        return self.until - self.days * DAY_S


def of_access(intervals: Sequence[access.Interval], paid: Sequence[access.Interval]) -> list[Reminder]:
    """Return all reminders, in order of time: that *paid* time is about to end, and that *intervals*, with grace, have.

    None is due before the paid time begins: a plan of two days never ends "in three days".
    """
    ending = [Reminder(end, days) for start, end in _ends(paid) for days in DAYS_BEFORE if end - days * DAY_S >= start]
    ended = [Reminder(end, 0) for _, end in _ends(intervals)]
    return sorted([*ending, *ended], key=lambda reminder: reminder.at)


def write(now: int, limit: int = 500) -> int:
    """Write the reminders of the customers whose check is due; return how many customers were checked."""
    due = User.select(User.id).where(User.access_look_at <= now).order_by(User.access_look_at).limit(limit)
    ids = [row.id for row in due]
    for user_id in ids:
        _look(user_id, now)
    return len(ids)


def _ends(intervals: Sequence[access.Interval]) -> list[tuple[int, int]]:
    """Join adjacent intervals: the unbroken runs of time that end, whatever their levels."""
    runs: list[tuple[int, int | None]] = []
    for interval in intervals:
        start = interval.start
        if runs and runs[-1][1] == start:
            start, _ = runs.pop()
        runs.append((start, interval.end))
    return [(start, end) for start, end in runs if end is not None]


def _look(user_id: int, now: int) -> None:
    with transaction():
        user = User.get_by_id(user_id)
        has = access.of(user_id, now)
        told = of_access(has.intervals, has.paid)
        if user.reminders and user.banned_at is None:
            for reminder in told:
                if reminder.at <= now:
                    _tell(user_id, reminder, now)
        coming = min((reminder.at for reminder in told if reminder.at > now), default=None)
        User.update(access_look_at=coming).where(User.id == user_id).execute()


def _tell(user_id: int, reminder: Reminder, now: int) -> None:
    """Write one reminder, once ever, unless its moment has passed or a subscription is about to renew.

    Access that was cut short does not "end": the customer hears of the refund, dispute or take instead.
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
    """Whether a subscription renews the access by itself."""
    active = (Subscription.user == user_id) & (Subscription.state == SubscriptionState.ACTIVE)
    return Subscription.select().where(active).exists()
