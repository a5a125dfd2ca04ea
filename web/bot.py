"""What the daemon has noted of the bot: how it is called, and where its chat is."""

from typing import Any

from models import notes

NOTE = "bot"
UNNAMED = "Peaje"
BRAND_LENGTH = 127


def brand() -> str:
    """The shop's name on PayPal's own pages."""
    return str(_noted().get("name") or UNNAMED)[:BRAND_LENGTH]


def chat_url() -> str | None:
    """The way back into the chat; None until the bot has logged in once."""
    username = _noted().get("username")
    return f"https://t.me/{username}?start=paid" if username else None


def _noted() -> dict[str, Any]:
    noted = notes.get(NOTE)
    return noted if isinstance(noted, dict) else {}
