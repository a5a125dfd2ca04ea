"""Mends what a clock that was ahead has left behind: times to wait for that were never meant.

What is tried again later says when. Written by a clock that was a day ahead, that is a day too late once the clock has
been set right. The longest waits that are meant are known, so whatever is beyond them is due now. Only Telegram may ask
for longer ones. A job says when it came into its state; for events the longest of those waits is remembered.
"""

from typing import Any

from models import notes
from models.database import transaction
from models.money import orders, subscriptions
from models.tables import Adjustment, Event, Job, Order, Payment, Request, Subscription, User, WebhookEvent

SKEW_S = 60
HOUR_S = 3600
LONGEST_S: dict[Any, int] = {Event: HOUR_S, Request: HOUR_S, WebhookEvent: 3 * HOUR_S}
"""Leases and pauses between attempts included, waits that Telegram asks for apart."""
NOTE = "flood_wait"
NEWEST_NOTE = "newest_time"


def honour(until: int, now: int) -> None:
    """Remember that Telegram has asked to wait *until* then, before an event is put off for it."""
    if until > max(_asked_until(now), now + LONGEST_S[Event]):
        notes.put(NOTE, {"until": until, "asked_at": now}, now)


def mend(now: int) -> int:
    """Let what waits for a senseless time be due; return how much that was.

    A job may wait for as long as Telegram asks for: it is judged by when it came into its state instead.
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
    """The poller is not to be blind until then either."""
    order_at, renewal_at = now + SKEW_S + orders.POLL_AT_MOST_S, now + SKEW_S + subscriptions.POLL_EVERY_S
    ordered = Order.state.in_(orders.UNPAID) & (Order.next_look_at > order_at)
    renewed = Subscription.state.in_(subscriptions.LIVING) & (Subscription.next_look_at > renewal_at)
    mended = int(Order.update(next_look_at=now).where(ordered).execute())
    return mended + int(Subscription.update(next_look_at=now).where(renewed).execute())


def _was_set_back(now: int) -> bool:
    """Whether an earlier look saw a later time."""
    newest = notes.get(NEWEST_NOTE) or 0
    notes.put(NEWEST_NOTE, now, now)
    return int(newest) > now + SKEW_S


def _look_at_access(now: int) -> None:
    """What a clock that was ahead took for long past is to be told in its time after all."""
    bought, given = Payment.select(Payment.user), Adjustment.select(Adjustment.user)
    User.update(access_look_at=now).where(User.id.in_(bought) | User.id.in_(given)).execute()


def _asked_until(now: int) -> int:
    """Until when Telegram has asked us to wait, unless a clock that was ahead wrote that down."""
    asked = notes.get(NOTE)
    return int(asked["until"]) if asked and asked["asked_at"] <= now + SKEW_S else 0
