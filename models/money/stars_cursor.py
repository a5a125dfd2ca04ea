"""How far the bot's own statement of Stars counts, and how far it has been read."""

NOTE = "stars_seen"
SKEW_S = 600
"""How far Telegram's clock and ours may differ."""


def beginning(at: int) -> dict[str, int]:
    """The note for a statement that counts from *at* on: what another program sold before is not ours to credit."""
    return {"first": at - SKEW_S, "last": at}
