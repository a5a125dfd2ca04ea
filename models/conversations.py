"""Who an answer to one of the bot's messages goes to: operator and customer speak to each other through the bot."""

import json
from dataclasses import dataclass
from enum import StrEnum

from config.units import DAY_S, HOUR_S
from models import outbox
from models.database import fetch, joined_transaction, transaction
from models.event_kinds import EventKind, MessageRelayed, MessageUnheard
from models.jobs import budgets
from models.jobs.budgets import Budget, Span
from models.tables import Event, Relay

REMEMBERED_S = 30 * DAY_S
"""How long an answer still finds its way."""
OPEN_S = DAY_S
"""How long after the operator's message a customer's text goes to them, even where it is no reply."""


LONGEST = 3500
"""UTF-16 units of a text that is passed on: with what stands around it, it must fit into one message."""
FROM_CUSTOMER = Budget(budgets.Purpose.MESSAGES, (Span(30, HOUR_S),))
"""How much a customer may have passed on: one who does not stop must not bury what the operator reads."""
TOLD_S = HOUR_S
"""How long after it was told a text is kept."""


class Purpose(StrEnum):
    """What becomes of an answer, as it is stored."""

    SAY = "say"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class RelayInfo:
    """What becomes of an answer, and whom it goes to or is about."""

    purpose: Purpose
    about: int


def say(sender: int, receiver: int, text: str, *, from_operator: bool, now: int, source: str | None = None) -> bool:
    """Have *receiver* told what *sender* wrote; False when a customer has used up :data:`FROM_CUSTOMER`.

    :param source: names the message that it came with: the same one is passed on once.
    """
    key = source and f"relayed:{source}"
    with joined_transaction():
        if key and outbox.is_written(key):
            return True
        if not from_operator and not budgets.take(sender, FROM_CUSTOMER, 1, now):
            return False
        outbox.append(MessageRelayed(sender=sender, text=text, from_operator=from_operator), receiver, now, key)
        return True


def unheard(told: MessageRelayed, receiver: int, random_id: int, now: int) -> None:
    """Have whoever wrote hear, once, that the receiver cannot be told it. *random_id* is that of its event."""
    with transaction():
        said = MessageUnheard(customer=receiver if told.from_operator else None)
        outbox.append(said, told.sender, now, key=f"unheard:{random_id}")


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
    """Delete texts that were told :data:`TOLD_S` ago, and whom they came from after :data:`REMEMBERED_S`."""
    with transaction():
        Relay.delete().where(Relay.at < now - REMEMBERED_S).execute()
        told = (Event.kind == EventKind.MESSAGE_RELAYED) & (Event.heard_at < now - TOLD_S)
        Event.delete().where(told).execute()


def forget_texts_of(user_id: int, now: int) -> None:
    """Delete what a customer wrote and has not been deleted by age. Inside the caller's transaction."""
    lately = Event.heard_at.is_null() | (Event.heard_at >= now - 2 * TOLD_S)
    kept = fetch(Event.select(Event.id, Event.payload).where((Event.kind == EventKind.MESSAGE_RELAYED) & lately))
    theirs = [event_id for event_id, stored in kept if json.loads(stored)["sender"] == user_id]
    Event.delete().where(Event.id.in_(theirs)).execute()


def _relay(where: object) -> RelayInfo | None:
    # By the number that Telegram gave it: two may be of one second, and the clock may be set back.
    rows = fetch(Relay.select(Relay.purpose, Relay.about).where(where).order_by(Relay.message_id.desc()).limit(1))
    return next((RelayInfo(Purpose(purpose), about) for purpose, about in rows), None)
