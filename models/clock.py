"""Mends what a clock that was ahead has left behind: times to wait for that were never meant.

What is tried again later says when. Written by a clock that was a day ahead, that is a day too late once the clock has
been set right. The longest waits that are meant are known, so whatever is beyond them is due now. Only Telegram may ask
for longer ones. A job says when it came into its state; for events the longest of those waits is remembered.
"""

from typing import Any

from models import notes
from models.database import transaction
from models.tables import Event, Job, Request, WebhookEvent

SKEW_S = 60
HOUR_S = 3600
LONGEST_S: dict[Any, int] = {Event: HOUR_S, Request: HOUR_S, WebhookEvent: 3 * HOUR_S}
"""Leases and pauses between attempts included, waits that Telegram asks for apart."""
NOTE = "flood_wait"


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
    with transaction():
        ahead = (Job.moved_at > now + SKEW_S) & (Job.not_before > now)
        mended = int(Job.update(not_before=now, moved_at=now).where(ahead).execute())
        for table, moment in latest.items():
            mended += int(table.update(not_before=now).where(table.not_before > moment).execute())
    return mended


def _asked_until(now: int) -> int:
    """Until when Telegram has asked us to wait, unless a clock that was ahead wrote that down."""
    asked = notes.get(NOTE)
    return int(asked["until"]) if asked and asked["asked_at"] <= now + SKEW_S else 0
