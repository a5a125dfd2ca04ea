"""When news may go out: never at night, and only so often in a week. Decisions of values alone."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from config.units import DAY_S, HOUR_S

NIGHT_BEGINS, NIGHT_ENDS = 22, 8
"""The hours of the shop's clock between which nobody is written to."""
WEEK_S = 7 * DAY_S


def is_night(timezone: ZoneInfo, at: int) -> bool:
    """Whether it is night at this moment where the shop is."""
    hour = datetime.fromtimestamp(at, timezone).hour
    return hour >= NIGHT_BEGINS or hour < NIGHT_ENDS


def by_day(timezone: ZoneInfo, at: int) -> int:
    """The moment itself by day; at night when the night ends."""
    local = datetime.fromtimestamp(at, timezone)
    if not is_night(timezone, at):
        return at
    day = local + timedelta(days=1) if local.hour >= NIGHT_BEGINS else local
    return int(day.replace(hour=NIGHT_ENDS, minute=0, second=0, microsecond=0).timestamp())


def to_choose(timezone: ZoneInfo, now: int) -> list[int]:
    """The full hours of the next day and night at which news may begin."""
    first = now - now % HOUR_S + HOUR_S
    local = datetime.fromtimestamp(now, timezone)
    offset = int((local.utcoffset() or timedelta()).total_seconds()) % HOUR_S
    hours = [first - offset + number * HOUR_S for number in range(25)]
    return [hour for hour in hours if now < hour <= now + DAY_S and not is_night(timezone, hour)]


def has_room(others: Iterable[int], at: int, most: int) -> bool:
    """Whether, beside the beginnings of *others*, one at this moment leaves no seven days with more than *most*."""
    begins = sorted((*others, at))
    return most > 0 and all(last - first >= WEEK_S for first, last in zip(begins, begins[most:], strict=False))
