"""The bot's name and chat, as the daemon has noted them."""

from dataclasses import dataclass

from models import notes

NOTE = "bot"
UNNAMED = "Peaje"
BRAND_LENGTH = 127


@dataclass(frozen=True)
class Branding:
    """The shop's name on our pages and PayPal's, and the link back into the chat (None: not known yet)."""

    brand: str
    chat_url: str | None


def noted() -> Branding:
    """What is known of the bot; a stand-in name until it has logged in for the first time."""
    note = notes.get(NOTE)
    known = note if isinstance(note, dict) else {}
    username = known.get("username")
    return Branding(
        str(known.get("name") or UNNAMED)[:BRAND_LENGTH], f"https://t.me/{username}?start=paid" if username else None
    )
