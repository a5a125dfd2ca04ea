"""Who an answer to one of the bot's messages goes to: operator and customer speak to each other through the bot."""

from dataclasses import dataclass
from enum import StrEnum

from config.units import DAY_S
from models import outbox
from models.database import fetch, transaction
from models.event_kinds import MessageRelayed
from models.tables import Relay

REMEMBERED_S = 30 * DAY_S
"""How long an answer still finds its way."""
OPEN_S = DAY_S
"""How long after the operator's message a customer's text goes to them, even where it is no reply."""


class Purpose(StrEnum):
    """What becomes of an answer, as it is stored."""

    SAY = "say"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class RelayInfo:
    """What becomes of an answer, and whom it goes to or is about."""

    purpose: Purpose
    about: int


def say(sender: int, receiver: int, text: str, *, from_operator: bool, now: int) -> None:
    """Have *receiver* told what *sender* wrote."""
    with transaction():
        outbox.append(MessageRelayed(sender=sender, text=text, from_operator=from_operator), receiver, now)


def expect(chat_id: int, message_id: int, relay: RelayInfo, now: int) -> None:
    """Remember that an answer to this message of the bot goes on to somebody."""
    row = {"chat_id": chat_id, "message_id": message_id, "purpose": relay.purpose, "about": relay.about, "at": now}
    with transaction():
        Relay.insert(row).on_conflict_ignore().execute()


def expected(chat_id: int, message_id: int) -> RelayInfo | None:
    """What becomes of an answer to this message; None when it is an ordinary one."""
    return _relay((Relay.chat_id == chat_id) & (Relay.message_id == message_id))


def open_with(chat_id: int, now: int) -> RelayInfo | None:
    """Who last wrote to this person through the bot, if that is not longer ago than :data:`OPEN_S`."""
    recent = (Relay.at > now - OPEN_S) & (Relay.purpose == Purpose.SAY)
    return _relay((Relay.chat_id == chat_id) & recent)


def forget(now: int) -> None:
    """Delete what is older than :data:`REMEMBERED_S`."""
    with transaction():
        Relay.delete().where(Relay.at < now - REMEMBERED_S).execute()


def _relay(where: object) -> RelayInfo | None:
    rows = fetch(Relay.select(Relay.purpose, Relay.about).where(where).order_by(Relay.at.desc()).limit(1))
    return next((RelayInfo(Purpose(purpose), about) for purpose, about in rows), None)
