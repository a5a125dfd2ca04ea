"""From when the bot's Stars transactions count, and how far they have been read."""

from collections.abc import Mapping

from models.money.providers import SKEW_S

NOTE = "stars_seen"


def beginning(at: int) -> dict[str, int]:
    """The note for transactions that count from *at* on: sales of another program before that are not credited."""
    return {"first": at - SKEW_S, "last": at}


def as_of(note: Mapping[str, int], now: int) -> dict[str, int]:
    """The note without what a clock that was ahead has written: nothing was read, and nothing begins, after *now*."""
    return {"first": min(note["first"], now - SKEW_S), "last": min(note["last"], now)}
