"""From when the bot's Stars transactions count, and how far they have been read."""

NOTE = "stars_seen"
SKEW_S = 600
"""Seconds by which Telegram's clock and ours may differ."""


def beginning(at: int) -> dict[str, int]:
    """The note for transactions that count from *at* on: sales of another program before that are not credited."""
    return {"first": at - SKEW_S, "last": at}
