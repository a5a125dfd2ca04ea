"""Who becomes the shop's admin: whoever presses a link into their own bot, and is confirmed on the page.

The link works once, for ten minutes.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

from config.units import MINUTE_S
from models import notes
from models.database import transaction
from models.promotion.identity import key_for

NOTE = "setup_admin"
LIFE_S = 10 * MINUTE_S
PURPOSE = b"peaje: set-up link of the admin"
PREFIX = "setup-"
"""What the link's parameter begins with."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who has pressed the link."""

    id: int
    name: str
    username: str | None


def link(secret_key: str, now: int) -> str:
    """The parameter of the present link; a new one is made where the last is used or too old."""
    with transaction():
        found = notes.get(NOTE) or {}
        if not is_offered(now):
            found = {"nonce": secrets.token_urlsafe(16), "until": now + LIFE_S}
            notes.write(NOTE, found, now)
    return _parameter(secret_key, found["nonce"])


def is_offered(now: int) -> bool:
    """Whether there is a link that nobody has pressed, and that is not too old."""
    found = notes.get(NOTE) or {}
    return "id" not in found and found.get("until", 0) > now


def press(parameter: str, who: Candidate, secret_key: str, now: int) -> bool:
    """Note who has pressed the link; False where it is used, too old, or was never made."""
    with transaction():
        found = notes.get(NOTE) or {}
        if not is_offered(now):
            return False
        if not hmac.compare_digest(parameter.encode(), _parameter(secret_key, found["nonce"]).encode()):
            return False
        notes.write(NOTE, {**found, "id": who.id, "name": who.name, "username": who.username}, now)
        return True


def candidate(now: int) -> Candidate | None:
    """Who has pressed the link and waits to be confirmed."""
    found = notes.get(NOTE) or {}
    if "id" not in found or found["until"] <= now:
        return None
    return Candidate(found["id"], found["name"], found["username"])


def forget() -> None:
    """Forget the link, and who pressed it."""
    notes.drop(NOTE)


def _parameter(secret_key: str, nonce: str) -> str:
    """What stands in no row: the database holds the nonce alone."""
    return PREFIX + hmac.new(key_for(secret_key, PURPOSE), nonce.encode(), sha256).hexdigest()[:32]
