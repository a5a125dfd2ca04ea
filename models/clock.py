"""Mends what a clock that was ahead has left behind: times to wait for that were never meant.

What is tried again later says when. Written by a clock that was a day ahead, that is a day too late once the clock has
been set right. The longest waits that are ever meant are known, so whatever is beyond them is due now.
"""

from typing import Any

from models.database import transaction
from models.tables import Event, Job, Request, WebhookEvent

SKEW_S = 60
HOUR_S = 3600
LONGEST_S: dict[Any, int] = {Event: HOUR_S, Request: HOUR_S, WebhookEvent: 3 * HOUR_S}
"""Leases and pauses between attempts included."""


def mend(now: int) -> int:
    """Let what waits for a senseless time be due; return how much that was.

    A job may wait for as long as Telegram asks for: it is judged by when it came into its state instead.
    """
    with transaction():
        ahead = (Job.moved_at > now + SKEW_S) & (Job.not_before > now)
        mended = int(Job.update(not_before=now, moved_at=now).where(ahead).execute())
        for table, longest in LONGEST_S.items():
            mended += int(table.update(not_before=now).where(table.not_before > now + longest).execute())
    return mended
