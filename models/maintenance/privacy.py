"""Exports and erases what is stored about one person.

Erasure keeps the ledger under a bare id: payments, refunds, what admins gave, and how much of the limits was used. All
that tells who the person is or what they asked for is deleted. A person who writes again starts anew.
"""

import json
import zoneinfo
from datetime import UTC, datetime
from typing import Any

from models.database import execute, fetch, mentions, snapshot, transaction
from models.errors import MoveRefused
from models.event_kinds import EventKind
from models.jobs import queue, usage
from models.jobs.states import ENDED
from models.maintenance import retention
from models.money import subscriptions
from models.tables import (
    Adjustment,
    Batch,
    Dispute,
    Event,
    Imported,
    Job,
    Join,
    Order,
    Payment,
    Refund,
    Request,
    Source,
    SourceOpening,
    Subscription,
    Usage,
    User,
    WebhookEvent,
)

_INSTANTS = ("at", "until", "period_end")

Record = dict[str, Any]


def export(user_id: int) -> Record:
    """Everything that is stored about a person, ready for JSON. Times are in UTC, amounts in minor units."""
    his_payments = Payment.select(Payment.id).where(Payment.user == user_id)
    with snapshot():
        return {
            "person": _rows(
                User.select(
                    User.id, User.first_name, User.username, User.language_code, User.language, User.referred_by,
                    User.reminders, User.banned_at, User.accepted_terms_at, User.created_at, User.seen_at,
                ).where(User.id == user_id)
            ),
            "links": _rows(
                Job.select(Job.link, Job.state, Job.reason, Job.kind, Job.size, Job.created_at, Job.moved_at)
                .where(Job.user == user_id)
                .order_by(Job.id)
            ),
            "use": _rows(Usage.select(Usage.kind, Usage.period, Usage.count).where(Usage.user == user_id)),
            "orders": _rows(
                Order.select(
                    Order.public_id, Order.plan_code, Order.level, Order.seconds, Order.amount, Order.currency,
                    Order.provider, Order.renews, Order.state, Order.remote_id, Order.created_at, Order.expires_at,
                ).where(Order.user == user_id)
            ),
            "subscriptions": _rows(
                Subscription.select(
                    Subscription.provider, Subscription.remote_id, Subscription.plan_code, Subscription.amount,
                    Subscription.currency, Subscription.state, Subscription.period_end, Subscription.created_at,
                ).where(Subscription.user == user_id)
            ),
            "payments": _rows(
                Payment.select(
                    Payment.provider, Payment.remote_id, Payment.amount, Payment.currency, Payment.state,
                    Payment.level, Payment.seconds, Payment.period_end, Payment.created_at, Payment.completed_at,
                ).where(Payment.user == user_id)
            ),
            "refunds": _rows(
                Refund.select(Refund.provider, Refund.payment_remote_id, Refund.remote_id, Refund.amount, Refund.at)
                .where(Refund.payment.in_(his_payments))
            ),
            "disputes": _rows(
                Dispute.select(
                    Dispute.provider, Dispute.payment_remote_id, Dispute.remote_id, Dispute.won,
                    Dispute.opened_at, Dispute.closed_at,
                ).where(Dispute.payment.in_(his_payments))
            ),
            "given_and_taken": _rows(
                Adjustment.select(
                    Adjustment.kind, Adjustment.level, Adjustment.seconds, Adjustment.until, Adjustment.forever,
                    Adjustment.reason, Adjustment.at,
                ).where(Adjustment.user == user_id)
            ),
            "requests": _rows(
                Request.select(
                    Request.kind, Request.provider, Request.argument, Request.amount, Request.state, Request.result,
                    Request.created_at, Request.done_at,
                ).where(Request.user_id == user_id)
            ),
            "opened_chats": _rows(
                SourceOpening.select(Source.title, SourceOpening.invite_hash, SourceOpening.at)
                .join(Source)
                .where(SourceOpening.user == user_id)
            ),
            "invitations": _rows(Join.select(Join.invite_hash, Join.outcome, Join.at).where(Join.user == user_id)),
            "imported": _rows(
                Imported.select(Imported.counts, Imported.payments, Imported.at).where(Imported.user == user_id)
            ),
            "notifications": _rows(
                WebhookEvent.select(
                    WebhookEvent.event_type, WebhookEvent.resource_id, WebhookEvent.state,
                    WebhookEvent.received_at, WebhookEvent.done_at,
                ).where(WebhookEvent.id.in_(_notifications(user_id)))
            ),
            # A person's own requests are listed above; an admin also hears of other people's.
            "news": _rows(
                Event.select(Event.kind, Event.payload, (Event.created_ms / 1000).alias("created_at"), Event.heard_at)
                .where((Event.user_id == user_id) & (Event.kind != EventKind.REQUEST_DONE))
                .order_by(Event.id)
            ),
        }  # fmt: skip


def erase(user_id: int, timezone: zoneinfo.ZoneInfo, now: int) -> None:
    """Erase a person: cancel waiting jobs and renewals, delete who they are and what they asked for.

    :func:`finish` deletes the job that is being delivered at this moment, once it has ended.
    """
    for subscription in subscriptions.of(user_id):
        if subscription.state in subscriptions.RENEWING:
            _stop_renewal(subscription.id, user_id, now)
    with transaction():
        queue.stop(now, Job.user == user_id)
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
        User.update(referred_by=None).where(User.referred_by == user_id).execute()
        Adjustment.update(reason="").where(Adjustment.user == user_id).execute()
        SourceOpening.delete().where(SourceOpening.user == user_id).execute()
        Join.update(user=None, invite_hash="").where(Join.user == user_id).execute()
        _drop_ended(user_id, timezone)
        retention.add_up(user_id, now + 1, usage.day_of(now, timezone))


def finish(timezone: zoneinfo.ZoneInfo, now: int) -> int:
    """Delete the jobs that were under way at an erasure; return for how many persons."""
    left = Job.select(Job.user).join(User).where(User.erased_at.is_null(False)).distinct()
    ids = [row.user_id for row in left]
    for user_id in ids:
        with transaction():
            _drop_ended(user_id, timezone)
    return len(ids)


def _stop_renewal(subscription_id: int, user_id: int, now: int) -> None:
    try:
        subscriptions.ask_cancel(subscription_id, user_id, now)
    except MoveRefused:
        # The renewal has just ended by itself.
        return


def _notifications(user_id: int) -> list[int]:
    """The ids of the notifications that name one of the person's purchases."""
    names: set[str | None] = {row.public_id for row in Order.select(Order.public_id).where(Order.user == user_id)}
    for table in (Order, Subscription, Payment):
        names |= {row.remote_id for row in table.select(table.remote_id).where(table.user == user_id)}
    his_payments = Payment.select(Payment.id).where(Payment.user == user_id)
    names |= {row.remote_id for row in Dispute.select(Dispute.remote_id).where(Dispute.payment.in_(his_payments))}
    listed = json.dumps(sorted(filter(None, names)))
    return [id_ for (id_,) in execute(f"SELECT id FROM webhook_event WHERE {mentions('body')}", (listed,))]


def _drop_ended(user_id: int, timezone: zoneinfo.ZoneInfo) -> None:
    ended = Job.select(Job.id, Job.moved_at, Job.kind, Job.state, Job.size).where(
        Job.user == user_id, Job.state.in_(ENDED)
    )
    retention.drop([retention.Ended(*row) for row in fetch(ended)], timezone)
    going_on = Job.select(Job.batch).where(Job.user == user_id, Job.batch.is_null(False))
    Batch.delete().where((Batch.user == user_id) & Batch.id.not_in(going_on)).execute()
    # SQLite reuses the ids of the newest jobs, and the keys of these events would suppress the next customer's.
    Event.delete().where((Event.user_id == user_id) & Event.kind.in_(retention.FORGETTABLE)).execute()


def _rows(query: Any) -> list[Record]:
    return [{name: _readable(name, value) for name, value in row.items()} for row in query.dicts()]


def _readable(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and (name.endswith("_at") or name in _INSTANTS):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value
