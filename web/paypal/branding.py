"""The bot's name and chat, as the daemon has noted them."""

from dataclasses import dataclass

from models import notes

NOTE = "bot"
UNNAMED = "Peaje"
BRAND_LENGTH = 127


@dataclass(frozen=True)
class Branding:
    """The shop's name on our pages and PayPal's, and the bot's name in addresses (None: not known yet)."""

    brand: str
    username: str | None

    @property
    def chat_url(self) -> str | None:
        """Where a buyer goes on after paying."""
        return self.leading_to("paid")

    def leading_to(self, screen: str = "") -> str | None:
        """The way into the chat, to one of its screens; None while the bot's name is not known."""
        return f"https://t.me/{self.username}" + (f"?start={screen}" if screen else "") if self.username else None


def noted() -> Branding:
    """What is known of the bot; a stand-in name until it has logged in for the first time."""
    note = notes.get(NOTE)
    known = note if isinstance(note, dict) else {}
    username = known.get("username")
    return Branding(str(known.get("name") or UNNAMED)[:BRAND_LENGTH], str(username) if username else None)
