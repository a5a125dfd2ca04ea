"""What is stored about one person, for that person: read in pages, however much there is.

A page takes some milliseconds. Rows that are written meanwhile may be in a later page; none comes twice.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import peewee

from models.database import execute, fetch, transaction
from models.event_kinds import EventKind
from models.tables import (
    Adjustment,
    Audit,
    Broadcast,
    BroadcastRecipient,
    Budget,
    Code,
    Complaint,
    Consent,
    ConsoleSession,
    CreditUse,
    CustomerNote,
    Dispute,
    Event,
    Export,
    Imported,
    Job,
    Join,
    Order,
    Payment,
    Redemption,
    Referral,
    ReferralLink,
    Refund,
    Relay,
    Request,
    Source,
    SourceOpening,
    Subscription,
    Usage,
    User,
    WebhookEvent,
)

PAGE = 250
LONG = 2_000
"""So many links take a while to collect."""

MAX_ATTEMPTS = 5

_INSTANTS = ("at", "until", "period_end")
_OTHERS = frozenset({"sender", "customer"})
"""What of an event says who somebody else is: who wrote as the operator, which no customer is told, and to whom."""
_WORD = re.compile(r"[\w-]+")

Record = dict[str, Any]
Key = tuple[Any, ...]
Query = Any  # a ModelSelect of one of the tables


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a section, ready for JSON, and after which key the next page begins; None when there is none.

    Times are in UTC, amounts in minor units. A page may hold no rows and still have a next one.
    """

    rows: list[Record]
    following: Key | None


@dataclass(frozen=True, slots=True)
class _Section:
    """A query, and the columns that bring its rows into an order in which an index holds them."""

    query: Callable[[int], Query]
    key: tuple[peewee.Field, ...]


# ---- asked for


def ask(user_id: int, now: int) -> bool:
    """Note that a person wants their data; return whether that will take a while.

    A person who asks again while an export waits gets one.
    """
    with transaction():
        waiting = Export.select().exists()
        Export.insert(user=user_id, asked_at=now, not_before=now).on_conflict_ignore().execute()
    links = Job.select(Job.id).where(Job.user == user_id).limit(LONG + 1)
    return waiting or len(fetch(links).fetchall()) > LONG


def next_asked(now: int) -> int | None:
    """The person who has waited longest for their data, or None."""
    row = Export.select(Export.user).where(Export.not_before <= now).order_by(Export.asked_at).first()
    return None if row is None else int(row.user_id)


def done(user_id: int) -> None:
    """Note that a person has their data, or cannot be sent any."""
    with transaction():
        Export.delete().where(Export.user == user_id).execute()


def failed(user_id: int, not_before: int) -> bool:
    """Have an export tried again at *not_before*; False when it has been tried often enough, and ends."""
    with transaction():
        Export.update(attempts=Export.attempts + 1, not_before=not_before).where(Export.user == user_id).execute()
        return not Export.delete().where(Export.user == user_id, Export.attempts >= MAX_ATTEMPTS).execute()


# ---- read


def page(user_id: int, section: str, after: Key | None = None) -> Page:
    """The page of one of the :data:`SECTIONS` that begins behind the key *after*."""
    if section == NOTIFICATIONS:
        return _notifications(user_id, after[0] if after else 0)
    wanted = _SECTIONS[section]
    names = [f"key_{number}" for number, _ in enumerate(wanted.key)]
    query = wanted.query(user_id).select_extend(*map(peewee.Field.alias, wanted.key, names))
    if after is not None:
        query = query.where(peewee.Tuple(*wanted.key) > peewee.Tuple(*after))
    rows = list(query.order_by(*wanted.key).limit(PAGE).dicts())
    keys = [tuple(row.pop(name) for name in names) for row in rows]
    return Page([_readable(row) for row in rows], keys[-1] if len(rows) == PAGE else None)


def _person(user_id: int) -> Query:
    """The person, and that another bot knew who had brought them; not who that was."""
    brought = User.referred_by.is_null(False).alias("brought_by_somebody")
    return User.select(
        User.id, User.first_name, User.username, User.language_code, User.language, brought, User.reminders,
        User.banned_at, User.accepted_terms_at, User.created_at, User.seen_at,
    ).where(User.id == user_id)  # fmt: skip


def _links(user_id: int) -> Query:
    return Job.select(
        Job.link, Job.state, Job.reason, Job.kind, Job.size, Job.created_at, Job.moved_at, Job.chosen_at,
    ).where(Job.user == user_id)  # fmt: skip


def _use(user_id: int) -> Query:
    return Usage.select(Usage.kind, Usage.period, Usage.count).where(Usage.user == user_id)


def _used_of_packs(user_id: int) -> Query:
    bought = CreditUse.select(Payment.remote_id, CreditUse.kind, CreditUse.count, CreditUse.state, CreditUse.at)
    return bought.join(Payment, peewee.JOIN.LEFT_OUTER).where(CreditUse.user == user_id)


def _budgets(user_id: int) -> Query:
    return Budget.select(Budget.purpose, Budget.seconds, Budget.count, Budget.began_at, Budget.told_at).where(
        Budget.user == user_id
    )


def _orders(user_id: int) -> Query:
    return Order.select(
        Order.public_id, Order.plan_code, Order.level, Order.seconds, Order.amount, Order.currency, Order.provider,
        Order.renews, Order.state, Order.remote_id, Order.created_at, Order.expires_at, Order.purpose, Order.kind,
        Order.count, Order.max_bytes, Order.code, Order.list_amount,
    ).where(Order.user == user_id)  # fmt: skip


def _subscriptions(user_id: int) -> Query:
    return Subscription.select(
        Subscription.provider, Subscription.remote_id, Subscription.plan_code, Subscription.amount,
        Subscription.currency, Subscription.state, Subscription.period_end, Subscription.created_at,
    ).where(Subscription.user == user_id)  # fmt: skip


def _payments(user_id: int) -> Query:
    return Payment.select(
        Payment.provider, Payment.remote_id, Payment.amount, Payment.currency, Payment.state, Payment.level,
        Payment.seconds, Payment.period_end, Payment.renewal_ended_at, Payment.created_at, Payment.completed_at,
    ).where(Payment.user == user_id)  # fmt: skip


def _refunds(user_id: int) -> Query:
    return Refund.select(
        Refund.provider, Refund.payment_remote_id, Refund.remote_id, Refund.amount, Refund.at
    ).where(Refund.payment.in_(_paid_by(user_id)))  # fmt: skip


def _disputes(user_id: int) -> Query:
    return Dispute.select(
        Dispute.provider, Dispute.payment_remote_id, Dispute.remote_id, Dispute.won, Dispute.opened_at,
        Dispute.closed_at,
    ).where(Dispute.payment.in_(_paid_by(user_id)))  # fmt: skip


def _given_and_taken(user_id: int) -> Query:
    return Adjustment.select(
        Adjustment.kind, Adjustment.level, Adjustment.seconds, Adjustment.until, Adjustment.forever,
        Adjustment.reason, Adjustment.at, Adjustment.article, Adjustment.pack_kind, Adjustment.count,
    ).where(Adjustment.user == user_id)  # fmt: skip


def _codes(user_id: int) -> Query:
    """The gifts that the person bought, and what they made as an admin."""
    return Code.select(
        Code.text, Code.kind, Code.article, Code.seconds, Code.pack_kind, Code.count, Code.percent, Code.uses,
        Code.until, Code.created_at, Code.ended_at,
    ).where((Code.by == user_id) | Code.payment.in_(_paid_by(user_id)))  # fmt: skip


def _redeemed(user_id: int) -> Query:
    redeemed = Redemption.select(Code.kind, Code.text, Code.article, Code.percent, Redemption.at)
    return redeemed.join(Code).where(Redemption.user == user_id)


def _requests(user_id: int) -> Query:
    return Request.select(
        Request.kind, Request.provider, Request.argument, Request.amount, Request.state, Request.result,
        Request.created_at, Request.done_at,
    ).where(Request.user_id == user_id)  # fmt: skip


def _opened_chats(user_id: int) -> Query:
    opened = SourceOpening.select(Source.title, SourceOpening.invite_hash, SourceOpening.at)
    return opened.join(Source).where(SourceOpening.user == user_id)


def _invitations(user_id: int) -> Query:
    return Join.select(Join.invite_hash, Join.outcome, Join.at).where(Join.user == user_id)


def _said_of_news(user_id: int) -> Query:
    return Consent.select(Consent.answer, Consent.place, Consent.words, Consent.at).where(Consent.user == user_id)


def _broadcasts(user_id: int) -> Query:
    got = BroadcastRecipient.select(Broadcast.text, BroadcastRecipient.state, BroadcastRecipient.at)
    return got.join(Broadcast).where(BroadcastRecipient.user == user_id)


def _imported(user_id: int) -> Query:
    return Imported.select(Imported.counts, Imported.payments, Imported.at).where(Imported.user == user_id)


def _referral_link(user_id: int) -> Query:
    return ReferralLink.select(ReferralLink.code, ReferralLink.at).where(ReferralLink.user == user_id)


def _referrals(user_id: int) -> Query:
    """Both that the person was brought and whom they brought; not who the other one is."""
    brought = (Referral.referrer == user_id).alias("brought_somebody")
    return Referral.select(brought, Referral.terms, Referral.at).where(
        (Referral.referrer == user_id) | (Referral.friend == user_id)
    )


def _complaints(user_id: int) -> Query:
    return Complaint.select(
        Complaint.number, Complaint.link, Complaint.text, Complaint.decision, Complaint.decided_at, Complaint.created_at
    ).where(Complaint.reporter == user_id)


def _notes(user_id: int) -> Query:
    return CustomerNote.select(CustomerNote.text, CustomerNote.at).where(CustomerNote.user == user_id)


def _conversations(user_id: int) -> Query:
    return Relay.select(Relay.purpose, Relay.at).where((Relay.chat_id == user_id) | (Relay.about == user_id))


def _done_by_the_team(user_id: int) -> Query:
    return Audit.select(Audit.act, Audit.at, Audit.refused).where(Audit.user_id == user_id)


def _console_sessions(user_id: int) -> Query:
    return ConsoleSession.select(
        ConsoleSession.kind, ConsoleSession.device, ConsoleSession.began_at, ConsoleSession.seen_at
    ).where(ConsoleSession.user_id == user_id)


def _news(user_id: int) -> Query:
    """A person's own requests are another section; an admin also hears of other people's."""
    told = Event.select(Event.kind, Event.payload, (Event.created_ms / 1000).alias("created_at"), Event.heard_at)
    return told.where((Event.user_id == user_id) & (Event.kind != EventKind.REQUEST_DONE))


_SECTIONS: Mapping[str, _Section] = {
    "person": _Section(_person, (User.id,)),
    "links": _Section(_links, (Job.id,)),
    "use": _Section(_use, (Usage.period, Usage.kind, Usage.count, Usage.id)),
    "used_of_packs": _Section(_used_of_packs, (CreditUse.id,)),
    "budgets": _Section(_budgets, (Budget.purpose, Budget.seconds)),
    "orders": _Section(_orders, (Order.id,)),
    "subscriptions": _Section(_subscriptions, (Subscription.id,)),
    "payments": _Section(_payments, (Payment.id,)),
    "refunds": _Section(_refunds, (Refund.id,)),
    "disputes": _Section(_disputes, (Dispute.id,)),
    "given_and_taken": _Section(_given_and_taken, (Adjustment.id,)),
    "codes": _Section(_codes, (Code.id,)),
    "redeemed": _Section(_redeemed, (Redemption.id,)),
    "requests": _Section(_requests, (Request.id,)),
    "opened_chats": _Section(_opened_chats, (SourceOpening.source,)),
    "invitations": _Section(_invitations, (Join.id,)),
    "referral_link": _Section(_referral_link, (ReferralLink.user,)),
    "referrals": _Section(_referrals, (Referral.id,)),
    "complaints": _Section(_complaints, (Complaint.id,)),
    "notes": _Section(_notes, (CustomerNote.id,)),
    "conversations": _Section(_conversations, (Relay.at, Relay.message_id)),
    "said_of_news": _Section(_said_of_news, (Consent.id,)),
    "broadcasts": _Section(_broadcasts, (BroadcastRecipient.id,)),
    "done_by_the_team": _Section(_done_by_the_team, (Audit.id,)),
    "console_sessions": _Section(_console_sessions, (ConsoleSession.id,)),
    "imported": _Section(_imported, (Imported.user,)),
    "news": _Section(_news, (Event.id,)),
}
NOTIFICATIONS = "notifications"
SECTIONS = (*_SECTIONS, NOTIFICATIONS)
"""The names of everything that is stored about a person, in the order of an export."""


def _paid_by(user_id: int) -> Query:
    return Payment.select(Payment.id).where(Payment.user == user_id)


def _notifications(user_id: int, after: int) -> Page:
    """The provider's notifications that name one of the person's purchases, among the next :data:`PAGE` of all."""
    names = _names(user_id)
    if not names:
        return Page([], None)
    looked_at = execute("SELECT id, body FROM webhook_event WHERE id > ? ORDER BY id LIMIT ?", (after, PAGE)).fetchall()
    named = [id_ for id_, body in looked_at if not names.isdisjoint(_WORD.findall(body))]
    found: Query = WebhookEvent.select(
        WebhookEvent.event_type, WebhookEvent.resource_id, WebhookEvent.state, WebhookEvent.received_at,
        WebhookEvent.done_at,
    ).where(WebhookEvent.id.in_(named)).order_by(WebhookEvent.id)  # fmt: skip
    rows = [_readable(row) for row in found.dicts()]
    return Page(rows, (looked_at[-1][0],) if len(looked_at) == PAGE else None)


def _names(user_id: int) -> set[str]:
    """What a notification calls the person's purchases."""
    queries = (
        Order.select(Order.public_id).where(Order.user == user_id),
        *(table.select(table.remote_id).where(table.user == user_id) for table in (Order, Subscription, Payment)),
        Dispute.select(Dispute.remote_id).where(Dispute.payment.in_(_paid_by(user_id))),
    )
    return {name for query in queries for (name,) in fetch(query) if name}


def _readable(row: Record) -> Record:
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if name == "payload" and isinstance(value, dict):
        return {key: each for key, each in value.items() if key not in _OTHERS}
    if isinstance(value, int) and not isinstance(value, bool) and (name.endswith("_at") or name in _INSTANTS):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value
