"""Corrects waits that a clock which was ahead has written.

A row that is tried again later holds the time. A clock that was a day ahead wrote it a day too late. The longest
intended waits are known, so a row that waits longer is due now. Telegram alone may ask for more: a job holds the time
of its state, and for events a note holds the longest of those waits.
"""

from typing import Any

from config.units import HOUR_S
from models import notes
from models.database import transaction
from models.money import orders, subscriptions
from models.tables import Adjustment, Event, Job, Order, Payment, Request, Subscription, User, WebhookEvent

SKEW_S = 60
LONGEST_S: dict[Any, int] = {Event: HOUR_S, Request: HOUR_S, WebhookEvent: 3 * HOUR_S}
"""The longest intended waits in seconds: leases and retries, but not Telegram's flood waits."""
NOTE = "flood_wait"
NEWEST_NOTE = "newest_time"


def honour(until: int, now: int) -> None:
    """Note a flood wait of Telegram before an event is postponed *until* its end."""
    if until > max(_asked_until(now), now + LONGEST_S[Event]):
        notes.put(NOTE, {"until": until, "asked_at": now}, now)


def mend(now: int) -> int:
    """Make rows due that wait longer than intended; return how many.

    A job may wait for as long as Telegram asks, so the time of its state decides instead.
    """
    latest = {table: now + longest for table, longest in LONGEST_S.items()}
    latest[Event] = max(latest[Event], _asked_until(now))
    was_set_back = _was_set_back(now)
    with transaction():
        ahead = (Job.moved_at > now + SKEW_S) & (Job.not_before > now)
        mended = int(Job.update(not_before=now, moved_at=now).where(ahead).execute())
        for table, moment in latest.items():
            mended += int(table.update(not_before=now).where(table.not_before > moment).execute())
        mended += _mend_looks(now)
        if was_set_back:
            _look_at_access(now)
    return mended


def _mend_looks(now: int) -> int:
    """Make polls due that are scheduled too late."""
    order_at, renewal_at = now + SKEW_S + orders.POLL_AT_MOST_S, now + SKEW_S + subscriptions.POLL_EVERY_S
    ordered = Order.state.in_(orders.UNPAID) & (Order.next_look_at > order_at)
    renewed = Subscription.state.in_(subscriptions.LIVING) & (Subscription.next_look_at > renewal_at)
    mended = int(Order.update(next_look_at=now).where(ordered).execute())
    return mended + int(Subscription.update(next_look_at=now).where(renewed).execute())


def _was_set_back(now: int) -> bool:
    """Whether an earlier call saw a later time."""
    newest = notes.get(NEWEST_NOTE) or 0
    notes.put(NEWEST_NOTE, now, now)
    return int(newest) > now + SKEW_S


def _look_at_access(now: int) -> None:
    """Schedule the reminders anew: a clock that was ahead took their moments for past."""
    bought, given = Payment.select(Payment.user), Adjustment.select(Adjustment.user)
    User.update(access_look_at=now).where(User.id.in_(bought) | User.id.in_(given)).execute()


def _asked_until(now: int) -> int:
    """The end of Telegram's flood wait, unless a clock that was ahead wrote the note."""
    asked = notes.get(NOTE)
    return int(asked["until"]) if asked and asked["asked_at"] <= now + SKEW_S else 0
