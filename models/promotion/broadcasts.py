"""News that an admin writes for many customers: the draft, when it goes out, how it ends, and what it brought.

States are moved by one function along :data:`MOVES`. The daemon does what a state asks for: it collects recipients,
writes to them, deletes what was sent. Any step may be its last before a crash; the next start goes on with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import peewee

from config.units import DAY_S, HOUR_S
from models import outbox
from models.database import execute, joined_transaction, transaction
from models.event_kinds import BroadcastAnnounced, BroadcastEnded, BroadcastSold
from models.promotion import hours, recipients
from models.promotion.recipients import SALES_S
from models.promotion.segments import Segment
from models.tables import Broadcast

MANY = 100
"""From more recipients on, all admins are told at once, with a button that stops it."""
MOST_BUTTONS = 6
EXCERPT = 200
ASKED_S = HOUR_S
"""How long an admin's next message may become what they were asked for."""
UNUSED_DAYS = 30
"""How long a draft is kept that nobody touches."""


class BroadcastState(StrEnum):
    """The states of a broadcast, as they are stored."""

    DRAFT = "draft"
    DISCARDED = "discarded"
    WAITING = "waiting"
    """Until its time has come."""
    COLLECTING = "collecting"
    """Its recipients are being written down; nobody has been written to."""
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    DELETING = "deleting"
    DELETED = "deleted"


_S = BroadcastState
MOVES: Mapping[BroadcastState, frozenset[BroadcastState]] = {
    _S.DRAFT: frozenset({_S.DISCARDED, _S.WAITING}),
    _S.DISCARDED: frozenset(),
    _S.WAITING: frozenset({_S.COLLECTING, _S.STOPPED}),
    _S.COLLECTING: frozenset({_S.RUNNING, _S.STOPPED}),
    _S.RUNNING: frozenset({_S.DONE, _S.STOPPED}),
    _S.DONE: frozenset({_S.DELETING}),
    _S.STOPPED: frozenset({_S.DELETING}),
    _S.DELETING: frozenset({_S.DELETED, _S.STOPPED}),
    _S.DELETED: frozenset(),
}
UNDER_WAY = (_S.WAITING, _S.COLLECTING, _S.RUNNING)
WORK = (_S.DELETING, _S.RUNNING, _S.COLLECTING)
"""What the daemon does before it begins with another one, in this order."""

# Asked after every commit of any program, nearly always for nothing: to put Peewee's queries together costs far more.
_ANY_DUE = f"""
SELECT 1 FROM broadcast
WHERE state IN ({", ".join(f"'{state}'" for state in WORK)}) OR (state = '{_S.WAITING}' AND start_at <= ?) LIMIT 1
"""
_ANY_UNREPORTED = """
SELECT 1 FROM broadcast WHERE reported_at IS NULL AND ended_at <= ? AND began_at IS NOT NULL LIMIT 1
"""


class Asks(StrEnum):
    """What the admin's next message becomes, as it is stored."""

    CONTENT = "content"
    MEDIA = "media"
    """A picture or video, whose own text takes the draft's place only where there is one."""
    LINK = "link"


class Wrong(StrEnum):
    """Why news cannot go out."""

    EMPTY = "empty"
    WEEK = "week"
    """There has been as much in seven days as ``BROADCASTS_PER_WEEK`` allows."""
    GONE = "gone"
    """It is no draft any more."""


@dataclass(frozen=True, slots=True)
class BroadcastInfo:
    """A broadcast. ``entities`` and ``media`` are as the daemon stores them; buttons are ``(kind, value, label)``."""

    id: int
    by: int
    text: str
    entities: Sequence[Mapping[str, Any]]
    media: Mapping[str, Any] | None
    source_message_id: int | None
    buttons: tuple[tuple[str, str, str], ...]
    segment: Segment
    state: BroadcastState
    asks: Asks | None
    start_at: int | None
    collected_to: int
    status_message_id: int | None
    why: str
    touched_at: int
    began_at: int | None
    ended_at: int | None

    @property
    def is_written(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.text or self.media)


@dataclass(frozen=True, slots=True)
class Content:
    """What an admin wrote."""

    text: str
    entities: Sequence[Mapping[str, Any]]
    media: Mapping[str, Any] | None
    message_id: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has set for all broadcasts."""

    most_a_week: int
    timezone: ZoneInfo


# ---- the draft


def begin(by: int, now: int) -> BroadcastInfo:
    """The admin's draft: the one that they have, or a new one, of which the text is asked for."""
    with joined_transaction():
        return last_draft(by) or _info(Broadcast.create(by=by, asks=Asks.CONTENT, touched_at=now))


def draft_of(by: int, now: int) -> BroadcastInfo | None:
    """The draft of which something was just asked from this admin; None when their next message is none of it."""
    return _draft(by, Broadcast.asks.is_null(False) & (Broadcast.touched_at > now - ASKED_S))


def draft_from(by: int, message_id: int) -> BroadcastInfo | None:
    """The admin's draft that this message of theirs became; None when there is none."""
    return _draft(by, Broadcast.source_message_id == message_id)


def last_draft(by: int) -> BroadcastInfo | None:
    """The admin's draft, or None."""
    return _draft(by)


def _draft(by: int, *conditions: peewee.Expression) -> BroadcastInfo | None:
    drafts = Broadcast.select().where(Broadcast.by == by, Broadcast.state == _S.DRAFT, *conditions)
    row = drafts.order_by(-Broadcast.id).first()
    return None if row is None else _info(row)


def get(broadcast_id: int) -> BroadcastInfo | None:
    """A broadcast, or None."""
    row = Broadcast.get_or_none(Broadcast.id == broadcast_id)
    return None if row is None else _info(row)


def newest_sent(limit: int) -> list[BroadcastInfo]:
    """The newest broadcasts that were sent or will be, newest first."""
    query = Broadcast.select().where(Broadcast.state.not_in((_S.DRAFT, _S.DISCARDED)))
    return [_info(row) for row in query.order_by(-Broadcast.id).limit(limit)]


def ask(broadcast_id: int, what: Asks | None, now: int) -> bool:
    """Have the admin's next message become part of their draft; False when it is no draft any more."""
    return _edit(broadcast_id, asks=what, touched_at=now)


def write(broadcast_id: int, content: Content, now: int) -> bool:
    """Set what the draft says; False when it is no draft any more. A picture that was asked for is waited for still."""
    written = {
        "text": content.text,
        "entities": list(content.entities),
        "media": content.media,
        "source_message_id": content.message_id,
        "touched_at": now,
    }
    with joined_transaction():
        known = get(broadcast_id)
        is_awaited = known is not None and known.asks is Asks.MEDIA and content.media is None
        return _edit(broadcast_id, asks=Asks.MEDIA if is_awaited else None, **written)


def drop_media(broadcast_id: int) -> bool:
    """Take the picture or video off; False when it is no draft any more."""
    return _edit(broadcast_id, media=None)


def set_segment(broadcast_id: int, segment: Segment) -> bool:
    """Set to whom the draft goes; False when it is no draft any more."""
    return _edit(broadcast_id, segment=segment.stored())


def set_start(broadcast_id: int, at: int | None) -> bool:
    """Set when the draft goes out, None for at once; False when it is no draft any more."""
    return _edit(broadcast_id, start_at=at)


def add_button(broadcast_id: int, button: tuple[str, str, str], now: int) -> bool:
    """Add a button, once; False when there are as many as fit, or it is no draft any more."""
    with joined_transaction():
        row = Broadcast.get_or_none(Broadcast.id == broadcast_id, Broadcast.state == _S.DRAFT)
        if row is None or (list(button) not in row.buttons and len(row.buttons) >= MOST_BUTTONS):
            return False
        if list(button) not in row.buttons:
            row.buttons = [*row.buttons, list(button)]
        row.asks, row.touched_at = None, now
        row.save(only=[Broadcast.buttons, Broadcast.asks, Broadcast.touched_at])
        return True


def drop_buttons(broadcast_id: int) -> bool:
    """Take all buttons off; False when it is no draft any more."""
    return _edit(broadcast_id, buttons=[])


def discard(broadcast_id: int) -> bool:
    """Throw the draft away; False when it is none any more."""
    with joined_transaction():
        return _move(broadcast_id, _S.DISCARDED, asks=None)


def renew_media(broadcast_id: int, media: Mapping[str, Any]) -> None:
    """Keep a new reference to the same picture or video: the former one has expired."""
    with transaction():
        Broadcast.update(media=media).where(Broadcast.id == broadcast_id).execute()


# ---- on its way


def send(broadcast_id: int, rules: Rules, number: int, *, status_message_id: int | None, now: int) -> Wrong | None:
    """Have the draft go out to about *number* people when its time comes; or return what is wrong.

    All admins are told at once where there are many recipients.
    """
    with joined_transaction():
        row = Broadcast.get_or_none(Broadcast.id == broadcast_id, Broadcast.state == _S.DRAFT)
        if row is None:
            return Wrong.GONE
        if not (row.text or row.media):
            return Wrong.EMPTY
        start_at = starts_at(row.start_at, rules.timezone, now)
        if not hours.has_room(_beginnings(start_at), start_at, rules.most_a_week):
            return Wrong.WEEK
        _move(broadcast_id, _S.WAITING, start_at=start_at, status_message_id=status_message_id, asks=None)
        _announce(broadcast_id, number, now)
        return None


def starts_at(wanted: int | None, timezone: ZoneInfo, now: int) -> int:
    """When a broadcast begins that is wanted at a moment, or at once: never in the past, never at night."""
    return hours.by_day(timezone, max(wanted or now, now))


def stop(broadcast_id: int, why: str, now: int, told: Mapping[str, int] | None = None) -> bool:
    """Stop a broadcast that waits or runs: nobody else is written to. False when it does neither.

    :param told: how many recipients are in which state, where the caller has counted them.
    """
    told = recipients.counts(broadcast_id) if told is None else told
    with joined_transaction():
        row = Broadcast.get_or_none(Broadcast.id == broadcast_id)
        if row is None or row.state not in UNDER_WAY:
            return False
        _move(broadcast_id, _S.STOPPED, ended_at=now, why=why)
        _tell_end(broadcast_id, told, now)
        return True


def due(now: int) -> BroadcastInfo | None:
    """What the daemon works on now: what was begun, else the next one whose time has come."""
    if execute(_ANY_DUE, (now,)).fetchone() is None:
        return None
    for state in WORK:
        row = Broadcast.select().where(Broadcast.state == state).order_by(Broadcast.id).first()
        if row is not None:
            return _info(row)
    waiting = (Broadcast.state == _S.WAITING) & (Broadcast.start_at <= now)
    row = Broadcast.select().where(waiting).order_by(Broadcast.start_at, Broadcast.id).first()
    return None if row is None else _info(row)


def collect(broadcast_id: int) -> bool:
    """Begin to write down who gets it; False when it was stopped."""
    with transaction():
        return _move(broadcast_id, _S.COLLECTING)


def run(broadcast_id: int, now: int) -> bool:
    """Begin to write to the recipients, who are all written down; False when it was stopped.

    This commit is on the disk before the first message is sent, and with it all the random ids.
    """
    number = recipients.number_of(broadcast_id)
    with transaction():
        if not _move(broadcast_id, _S.RUNNING, began_at=now):
            return False
        _announce(broadcast_id, number, now)
        return True


def finish(broadcast_id: int, now: int) -> bool:
    """End a broadcast of which nobody waits any more, and tell its admin; False while somebody does.

    Nobody begins to wait once it runs.
    """
    if recipients.is_open(broadcast_id):
        return False
    told = recipients.counts(broadcast_id)
    with transaction():
        if not _move(broadcast_id, _S.DONE, ended_at=now):
            return False
        _tell_end(broadcast_id, told, now)
        return True


def delete_everywhere(broadcast_id: int, now: int, told: Mapping[str, int] | None = None) -> bool:
    """Have what was sent deleted again, where Telegram allows it still; what runs is stopped. False: it is deleted.

    :param told: as for :func:`stop`.
    """
    told = recipients.counts(broadcast_id) if told is None else told
    with joined_transaction():
        stop(broadcast_id, "", now, told)
        return _move(broadcast_id, _S.DELETING)


def end_deleting(broadcast_id: int, now: int) -> None:
    """All is deleted that can be: tell the admin how much that was."""
    told = recipients.counts(broadcast_id)
    with transaction():
        if _move(broadcast_id, _S.DELETED):
            _tell_end(broadcast_id, told, now)


def tell_sales(now: int) -> bool:
    """Tell an admin what a broadcast has brought, three days after its end; False when none is due."""
    if execute(_ANY_UNREPORTED, (now - SALES_S,)).fetchone() is None:
        return False
    ended = (
        Broadcast.ended_at.is_null(False) & (Broadcast.ended_at <= now - SALES_S) & Broadcast.began_at.is_null(False)
    )
    row = Broadcast.select().where(ended & Broadcast.reported_at.is_null()).order_by(Broadcast.id).first()
    if row is None:
        return False
    found = recipients.sales(row.id)
    counts = recipients.counts(row.id)
    told = sum(counts[state] for state in recipients.REACHED)
    with transaction():
        Broadcast.update(reported_at=now).where(Broadcast.id == row.id).execute()
        if told:
            outbox.append(BroadcastSold(broadcast=row.id, sales=found, sent=told), row.by, now)
    return True


def end_all(why: str, now: int) -> int:
    """End what waits or runs, in a restored backup for instance: nobody knows who has been written to since."""
    running = [row.id for row in Broadcast.select(Broadcast.id).where(Broadcast.state.in_((*UNDER_WAY, _S.DELETING)))]
    for broadcast_id in running:
        if not stop(broadcast_id, why, now):
            with transaction():
                _move(broadcast_id, _S.STOPPED, why=why)
    return len(running)


def forget_drafts(now: int) -> None:
    """Discard drafts that nobody has touched for long."""
    with transaction():
        old = (Broadcast.state == _S.DRAFT) & (Broadcast.touched_at < now - UNUSED_DAYS * DAY_S)
        Broadcast.update(state=_S.DISCARDED, asks=None).where(old).execute()


def audit() -> list[str]:
    """What does not add up, in words: there should be nothing while nobody is being written to."""
    found = []
    for row in Broadcast.select().where(Broadcast.state.not_in((_S.DRAFT, _S.DISCARDED))):
        numbers = recipients.counts(row.id)
        if row.state == _S.DONE and any(numbers[state] for state in recipients.OPEN):
            found.append(f"broadcast {row.id}: is {row.state}, but somebody waits")
        if row.state not in UNDER_WAY and numbers[recipients.RecipientState.CLAIMED]:
            found.append(f"broadcast {row.id}: is {row.state}, but somebody is being written to")
        if row.began_at is None and any(numbers[state] for state in recipients.REACHED):
            found.append(f"broadcast {row.id}: has not begun, but somebody got it")
    return found


def _announce(broadcast_id: int, number: int, now: int) -> None:
    """Tell all admins, once, of news that goes to many."""
    if number > MANY:
        row = Broadcast.get_by_id(broadcast_id)
        told = BroadcastAnnounced(
            broadcast=row.id, by=row.by, recipients=number, at=row.start_at or now, excerpt=row.text[:EXCERPT]
        )
        outbox.append(told, None, now, key=f"broadcast_announced:{row.id}")


def _beginnings(around: int) -> list[int]:
    """When other broadcasts began, or will, within a week of this moment, but for those that reached nobody."""
    near = Broadcast.start_at.between(around - hours.WEEK_S, around + hours.WEEK_S)
    counted = Broadcast.state.in_(UNDER_WAY) | Broadcast.began_at.is_null(False)
    return [row.began_at or row.start_at or around for row in Broadcast.select().where(near & counted)]


def _tell_end(broadcast_id: int, told: Mapping[str, int], now: int) -> None:
    """Tell the admin. The recipients are counted before the transaction: of a million that takes a while."""
    row = Broadcast.get_by_id(broadcast_id)
    outbox.append(BroadcastEnded(broadcast=row.id, state=row.state, counts=dict(told), why=row.why), row.by, now)


def _edit(broadcast_id: int, **values: Any) -> bool:
    with joined_transaction():
        draft = (Broadcast.id == broadcast_id) & (Broadcast.state == _S.DRAFT)
        return bool(Broadcast.update(**values).where(draft).execute())


def _move(broadcast_id: int, wanted: BroadcastState, **values: Any) -> bool:
    """Move a broadcast if its state allows it. Inside the caller's transaction."""
    before = [state for state, following in MOVES.items() if wanted in following]
    moved = Broadcast.update(state=wanted, **values).where(Broadcast.id == broadcast_id, Broadcast.state.in_(before))
    return bool(moved.execute())


_NAMES = tuple(each.name for each in fields(BroadcastInfo))


def _info(row: Broadcast) -> BroadcastInfo:
    values = {name: getattr(row, name) for name in _NAMES}
    values |= {
        "buttons": tuple((kind, value, label) for kind, value, label in row.buttons),
        "segment": Segment.read(row.segment),
        "state": BroadcastState(row.state),
        "asks": Asks(row.asks) if row.asks else None,
    }
    return BroadcastInfo(**values)
