"""Erases what is stored about one person, in steps that keep nobody waiting.

Erasure keeps the ledger under a bare id: payments, refunds, what admins gave, and how much of the limits was used. All
that tells who the person is or what they asked for is deleted; of what they redeemed a keyed hash of the id stays. A
person who writes again starts anew: what they do from then on stays.

:func:`erase` begins, and ends at once where there is little to delete. :func:`finish`, which upkeep runs, does the
rest. Each step is a short transaction and may be the last before a crash: the row of the erasure goes at the end.
"""

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass

import peewee

from models import audit, conversations, outbox, users
from models.database import BEYOND, fetch, give_way, transaction
from models.errors import MoveRefused, NotFound
from models.event_kinds import DataErased, EventKind
from models.jobs import queue, usage
from models.jobs.states import ENDED, OPEN
from models.maintenance import retention
from models.money import subscriptions
from models.promotion import codes, complaints, recipients, referrals
from models.tables import (
    Adjustment,
    Batch,
    Consent,
    ConsoleLink,
    ConsoleSession,
    CustomerNote,
    Erasure,
    Event,
    Export,
    Job,
    Join,
    Relay,
    SourceOpening,
    Table,
    User,
)  # fmt: skip

AT_ONCE = 200
"""Rows that are deleted before others have their turn."""


@dataclass(frozen=True, slots=True)
class _Erasure:
    """An erasure under way. What the person did after *until* stays: they have come back."""

    user_id: int
    until: int
    timezone: zoneinfo.ZoneInfo
    now: int


def erase(user_id: int, timezone: zoneinfo.ZoneInfo, now: int, *, secret_key: str) -> bool:
    """Erase a person: end their renewals, forget who they are, and begin to delete what they asked for.

    Returns whether everything is deleted that can be: a job that is being delivered goes when it has ended. If not,
    :func:`finish` deletes the rest, and the person is told then, in the language that they have now.

    :raises NotFound: nobody has this id.
    """
    person = users.get(user_id)
    if person is None:
        raise NotFound("user", user_id)
    for subscription in subscriptions.of(user_id):
        if subscription.state in subscriptions.RENEWING:
            _stop_renewal(subscription.id, user_id, now)
    with transaction():
        _forget_who(user_id, now)
        codes.forget(user_id, now, secret_key)
    if _advance(user_id, timezone, now):
        return True
    with transaction():
        return not Erasure.update(language=person.language).where(Erasure.user == user_id).execute()


def finish(timezone: zoneinfo.ZoneInfo, now: int) -> int:
    """Go on with the erasures under way until nothing more can be deleted; return how many came to their end."""
    waiting = [user_id for (user_id,) in fetch(Erasure.select(Erasure.user).order_by(Erasure.asked_at))]
    for user_id in waiting:
        while not _advance(user_id, timezone, now):
            give_way()
    return len(waiting) - int(Erasure.select().where(Erasure.user.in_(waiting)).count())


def _forget_who(user_id: int, now: int) -> None:
    Erasure.insert(user=user_id, asked_at=now).on_conflict(
        conflict_target=[Erasure.user], update={Erasure.asked_at: now, Erasure.language: None}
    ).execute()
    User.update(
        first_name="",
        username=None,
        language_code=None,
        language=None,
        referred_by=None,
        accepted_terms_at=None,
        reminders=False,
        erased_at=now,
    ).where(User.id == user_id).execute()
    Export.delete().where(Export.user == user_id).execute()
    referrals.forget(user_id)
    Consent.delete().where(Consent.user == user_id).execute()


def _stop_renewal(subscription_id: int, user_id: int, now: int) -> None:
    try:
        subscriptions.ask_cancel(subscription_id, user_id, now)
    except MoveRefused:
        # The renewal has just ended by itself.
        return


def _advance(user_id: int, timezone: zoneinfo.ZoneInfo, now: int) -> bool:
    """Delete up to :data:`AT_ONCE` rows; True when nothing is left that can be deleted now."""
    row = Erasure.get_or_none(Erasure.user == user_id)
    if row is None:
        return True
    came_back = User.get_by_id(user_id).erased_at is None
    erasure = _Erasure(user_id, row.asked_at if came_back else BEYOND, timezone, now)
    left = AT_ONCE
    for step in _STEPS:
        with transaction(durable=False):
            left -= step(erasure, left)
        if left <= 0:
            return False
    with transaction():
        _end(erasure)
    return True


def _end(erasure: _Erasure) -> None:
    """End the erasure, unless a delivery is still under way, and tell the person who was not told at once."""
    if Job.select().where(*_jobs(erasure)).exists():
        return
    row = Erasure.get_by_id(erasure.user_id)
    row.delete_instance()
    if row.language is not None:
        outbox.append(DataErased(language=row.language), erasure.user_id, erasure.now)


# ---- the steps: each deletes up to so many rows inside the caller's transaction, and returns how many


def _stop_jobs(erasure: _Erasure, limit: int) -> int:
    stoppable = (*_jobs(erasure), Job.state.in_(OPEN), Job.cancel_asked_at.is_null())
    ids = [id_ for (id_,) in fetch(Job.select(Job.id).where(*stoppable).limit(limit))]
    if ids:
        queue.stop(erasure.now, Job.id.in_(ids))
    return len(ids)


def _sum_use(erasure: _Erasure, limit: int) -> int:
    before = min(erasure.until, erasure.now) + 1
    return retention.add_up(erasure.user_id, before, usage.day_of(erasure.now, erasure.timezone), limit)


def _drop_jobs(erasure: _Erasure, limit: int) -> int:
    ended = Job.select(Job.id, Job.moved_at, Job.kind, Job.state, Job.size).where(*_jobs(erasure), Job.state.in_(ENDED))
    jobs = [retention.Ended(*row) for row in fetch(ended.limit(limit))]
    retention.drop(jobs, erasure.timezone)
    return len(jobs)


def _drop_batches(erasure: _Erasure, limit: int) -> int:
    """SQLite reuses the ids of the newest batches, and the keys of their events would suppress the next customer's."""
    going_on = peewee.fn.EXISTS(Job.select(Job.id).where(Job.batch == Batch.id))
    ended = Batch.select(Batch.id).where(Batch.user == erasure.user_id, Batch.created_at <= erasure.until, ~going_on)
    ids = [id_ for (id_,) in fetch(ended.limit(limit))]
    Event.delete().where(Event.key.in_([queue.end_key(id_) for id_ in ids])).execute()
    return int(Batch.delete().where(Batch.id.in_(ids)).execute())


def _drop_news(erasure: _Erasure, limit: int) -> int:
    told = (
        (Event.user_id == erasure.user_id)
        & (Event.created_ms < (erasure.until + 1) * 1000)
        & Event.kind.in_((*retention.FORGETTABLE, EventKind.REFERRAL_REWARD))
    )
    return _delete(Event, told, limit)


def _drop_openings(erasure: _Erasure, limit: int) -> int:
    opened = (SourceOpening.user == erasure.user_id) & (SourceOpening.at <= erasure.until)
    return _delete(SourceOpening, opened, limit)


def _drop_notes(erasure: _Erasure, limit: int) -> int:
    noted = (CustomerNote.user == erasure.user_id) & (CustomerNote.at <= erasure.until)
    return _delete(CustomerNote, noted, limit)


def _drop_broadcasts(erasure: _Erasure, limit: int) -> int:
    return recipients.forget_person(erasure.user_id, erasure.until, limit)


def _drop_conversations(erasure: _Erasure, limit: int) -> int:
    conversations.forget_texts_of(erasure.user_id, erasure.now)
    between = ((Relay.chat_id == erasure.user_id) | (Relay.about == erasure.user_id)) & (Relay.at <= erasure.until)
    keys = fetch(Relay.select(Relay.chat_id, Relay.message_id).where(between).limit(limit)).fetchall()
    for chat_id, message_id in keys:
        Relay.delete().where((Relay.chat_id == chat_id) & (Relay.message_id == message_id)).execute()
    return len(keys)


def _drop_sessions(erasure: _Erasure, limit: int) -> int:
    ConsoleLink.delete().where(ConsoleLink.user_id == erasure.user_id).execute()
    theirs = (ConsoleSession.user_id == erasure.user_id) & (ConsoleSession.began_at <= erasure.until)
    return _delete(ConsoleSession, theirs, limit)


def _pseudonymise_audit(erasure: _Erasure, limit: int) -> int:
    return audit.pseudonymise(erasure.user_id, erasure.until)


def _clear_invitations(erasure: _Erasure, limit: int) -> int:
    followed = Join.select(Join.id).where(Join.user == erasure.user_id, Join.at <= erasure.until).limit(limit)
    return int(Join.update(user=None, invite_hash="").where(Join.id.in_(followed)).execute())


def _clear_reasons(erasure: _Erasure, limit: int) -> int:
    noted = (Adjustment.user == erasure.user_id, Adjustment.at <= erasure.until, Adjustment.reason != "")
    ids = Adjustment.select(Adjustment.id).where(*noted).limit(limit)
    return int(Adjustment.update(reason="").where(Adjustment.id.in_(ids)).execute())


def _clear_complaints(erasure: _Erasure, limit: int) -> int:
    return complaints.forget(erasure.user_id, erasure.until, limit)


def _clear_brought(erasure: _Erasure, limit: int) -> int:
    return referrals.forget_brought(erasure.user_id, erasure.until, limit)


def _clear_referrals(erasure: _Erasure, limit: int) -> int:
    """Those of the bot from which customers were imported."""
    brought = User.select(User.id).where(User.referred_by == erasure.user_id, User.created_at <= erasure.until)
    return int(User.update(referred_by=None).where(User.id.in_(brought.limit(limit))).execute())


_STEPS: tuple[Callable[[_Erasure, int], int], ...] = (
    _stop_jobs,
    _sum_use,
    _drop_jobs,
    _drop_batches,
    _drop_news,
    _drop_openings,
    _drop_notes,
    _drop_broadcasts,
    _drop_conversations,
    _drop_sessions,
    _pseudonymise_audit,
    _clear_invitations,
    _clear_reasons,
    _clear_referrals,
    _clear_brought,
    _clear_complaints,
)


def _jobs(erasure: _Erasure) -> tuple[peewee.Expression, ...]:
    return (Job.user == erasure.user_id, Job.created_at <= erasure.until)


def _delete(table: type[Table], wanted: peewee.Expression, limit: int) -> int:
    return int(table.delete().where(table.id.in_(table.select(table.id).where(wanted).limit(limit))).execute())
