"""Every table, in one place, so that the noun modules never import each other in circles.

Times are Unix seconds in UTC. Amounts are whole minor units (Stars, cents). States are words; the tables of allowed
moves stand in the noun modules. Every index here serves a query that runs per message, per job or per payment.
"""

import json
from typing import Any

import peewee

from models.database import database


class JSONText(peewee.TextField):
    """A JSON document in a TEXT column."""

    def db_value(self, value: Any) -> str | None:
        """Serialise compactly; None stays NULL."""
        return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def python_value(self, value: str | None) -> Any:
        """Parse what :meth:`db_value` wrote."""
        return None if value is None else json.loads(value)


class Table(peewee.Model):
    """Base of all tables: binds them to the shared database."""

    class Meta:
        database = database
        legacy_table_names = False


class User(Table):
    """A person who has spoken to the bot. The key is Telegram's own id."""

    id = peewee.BigIntegerField(primary_key=True)
    first_name = peewee.TextField(default="")
    username = peewee.TextField(null=True)
    language_code = peewee.TextField(null=True)  # what Telegram says
    language = peewee.TextField(null=True)  # what the customer chose
    banned_at = peewee.IntegerField(null=True)
    blocked_bot_at = peewee.IntegerField(null=True)
    referred_by = peewee.BigIntegerField(null=True)
    accepted_terms_at = peewee.IntegerField(null=True)
    reminders = peewee.BooleanField(default=True)
    erased_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()
    seen_at = peewee.IntegerField()


class Order(Table):
    """What somebody set out to buy, with plan, price and duration as they were."""

    public_id = peewee.TextField(unique=True)  # opaque: invoice payload, PayPal custom_id and invoice_id
    user = peewee.ForeignKeyField(User, backref="orders", on_delete="RESTRICT")
    plan_code = peewee.TextField()
    level = peewee.IntegerField()
    seconds = peewee.IntegerField()
    amount = peewee.IntegerField()
    currency = peewee.TextField()
    provider = peewee.TextField()  # stars | paypal
    renews = peewee.BooleanField(default=False)
    purpose = peewee.TextField(default="plan")  # plan | test (bought by /testpay, grants nothing)
    state = peewee.TextField(default="open")  # open paid cancelled expired failed
    remote_id = peewee.TextField(null=True)
    approve_url = peewee.TextField(null=True)
    create_request_id = peewee.TextField(null=True)
    capture_request_id = peewee.TextField(null=True)
    checkout_started_at = peewee.IntegerField(null=True)  # the money may be moving: offered once
    next_look_at = peewee.IntegerField(null=True)  # when the poller reads it again
    looks = peewee.IntegerField(default=0)
    expires_at = peewee.IntegerField()
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "state"), False), (("state", "next_look_at"), False))


class Subscription(Table):
    """A purchase that renews itself at the provider."""

    user = peewee.ForeignKeyField(User, backref="subscriptions", on_delete="RESTRICT")
    order = peewee.ForeignKeyField(Order, backref="subscriptions", on_delete="RESTRICT")
    provider = peewee.TextField()
    remote_id = peewee.TextField()  # PayPal's id; for Stars the first charge id
    plan_code = peewee.TextField()
    level = peewee.IntegerField()
    amount = peewee.IntegerField()
    currency = peewee.TextField()
    state = peewee.TextField(default="pending")  # pending active suspended cancelled expired
    state_at = peewee.IntegerField()  # the provider's time of the newest state: older news is ignored
    period_end = peewee.IntegerField(null=True)
    next_look_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "state"), False), (("state", "next_look_at"), False))


class Payment(Table):
    """Money that moved. ``(provider, remote_id)`` is the charge, capture or sale id and is unique."""

    provider = peewee.TextField()
    remote_id = peewee.TextField()
    user = peewee.ForeignKeyField(User, backref="payments", null=True, on_delete="RESTRICT")
    order = peewee.ForeignKeyField(Order, backref="payments", null=True, on_delete="RESTRICT")
    subscription = peewee.ForeignKeyField(Subscription, backref="payments", null=True, on_delete="RESTRICT")
    amount = peewee.IntegerField()
    currency = peewee.TextField()
    state = peewee.TextField()  # pending completed denied reversed frozen
    grants = peewee.BooleanField(default=True)  # False: recorded, but it buys nothing (mismatch, test purchase)
    level = peewee.IntegerField(default=0)
    seconds = peewee.IntegerField(null=True)  # a budget of time, or
    period_end = peewee.IntegerField(null=True)  # a window up to here (renewals)
    effective_at = peewee.IntegerField()
    completed_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "effective_at"), False))


class Refund(Table):
    """Money given back, wholly or in part."""

    payment = peewee.ForeignKeyField(Payment, backref="refunds", on_delete="RESTRICT")
    provider = peewee.TextField()
    remote_id = peewee.TextField()
    amount = peewee.IntegerField()
    at = peewee.IntegerField()
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id"), True),)


class Dispute(Table):
    """A payment contested by its payer. It suspends from its opening until it is decided."""

    payment = peewee.ForeignKeyField(Payment, backref="disputes", on_delete="RESTRICT")
    provider = peewee.TextField()
    remote_id = peewee.TextField()
    opened_at = peewee.IntegerField()
    closed_at = peewee.IntegerField(null=True)
    won = peewee.BooleanField(null=True)
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id", "payment"), True),)


class PaymentHistory(Table):
    """Append-only: each change that a payment ever saw."""

    payment = peewee.ForeignKeyField(Payment, backref="history", on_delete="RESTRICT")
    change = peewee.TextField()
    detail = JSONText(default=dict)
    at = peewee.IntegerField()


class Adjustment(Table):
    """What an admin or an import gave or took."""

    user = peewee.ForeignKeyField(User, backref="adjustments", on_delete="RESTRICT")
    kind = peewee.TextField()  # give | take
    level = peewee.IntegerField(null=True)  # take: None means every level
    seconds = peewee.IntegerField(null=True)
    until = peewee.IntegerField(null=True)
    forever = peewee.BooleanField(default=False)
    reason = peewee.TextField(default="")
    source = peewee.TextField(unique=True, null=True)  # what an import must not do twice
    by = peewee.BigIntegerField(null=True)
    at = peewee.IntegerField()

    class Meta:
        indexes = ((("user", "at"), False),)


class Request(Table):
    """Remote work asked for in chat or by a rule: a refund, a cancellation, a look-up."""

    kind = peewee.TextField()  # refund cancel_subscription resume_subscription lookup
    provider = peewee.TextField()  # who carries it out: paypal -> upkeep, stars -> daemon
    payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
    subscription = peewee.ForeignKeyField(Subscription, null=True, on_delete="RESTRICT")
    argument = peewee.TextField(default="")  # the id to look up
    amount = peewee.IntegerField(null=True)
    user_id = peewee.BigIntegerField(null=True)  # whom it concerns
    asked_by = peewee.BigIntegerField(null=True)
    request_id = peewee.TextField(unique=True)  # idempotency key of the outgoing call
    state = peewee.TextField(default="open")  # open done failed
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    result = peewee.TextField(default="")
    created_at = peewee.IntegerField()
    done_at = peewee.IntegerField(null=True)

    class Meta:
        indexes = ((("provider", "state", "not_before"), False),)


class WebhookEvent(Table):
    """A verified notification, claimed once by its id."""

    provider = peewee.TextField()
    event_id = peewee.TextField()
    event_type = peewee.TextField()
    resource_id = peewee.TextField(default="")
    body = peewee.TextField(default="")
    state = peewee.TextField(default="received")  # received done
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    received_at = peewee.IntegerField()
    done_at = peewee.IntegerField(null=True)

    class Meta:
        indexes = ((("provider", "event_id"), True), (("state", "not_before"), False))


class Batch(Table):
    """Several links that were sent together and are reported together."""

    user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
    chat_id = peewee.BigIntegerField()
    total = peewee.IntegerField()
    status_message_id = peewee.IntegerField(null=True)
    quota_told_at = peewee.IntegerField(null=True)
    cancelled_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()


class Job(Table):
    """A link to deliver."""

    user = peewee.ForeignKeyField(User, backref="jobs", on_delete="RESTRICT")
    chat_id = peewee.BigIntegerField()
    link = peewee.TextField()  # canonical form, parsed again by the worker
    batch = peewee.ForeignKeyField(Batch, backref="jobs", null=True, on_delete="RESTRICT")
    source_key = peewee.TextField(unique=True)  # update it came from + position: a re-delivered update adds nothing
    reply_to = peewee.IntegerField(null=True)
    state = peewee.TextField(default="queued")
    priority = peewee.IntegerField(default=0)  # higher first
    owner = peewee.TextField(null=True)
    lease_until = peewee.IntegerField(null=True)
    heartbeat_at = peewee.IntegerField(null=True)
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    status_message_id = peewee.IntegerField(null=True)
    random_ids = JSONText(null=True)  # one per message to be sent, stored before sending
    sent_ids = JSONText(null=True)  # message ids, once known
    upload = JSONText(null=True)  # document id, upload id and acknowledged parts of a large file
    size = peewee.BigIntegerField(null=True)
    kind = peewee.TextField(null=True)
    reason = peewee.TextField(null=True)  # a code; the words are in the catalogue
    created_at = peewee.IntegerField()
    finished_at = peewee.IntegerField(null=True)

    class Meta:
        indexes = (
            (("state", "priority", "not_before"), False),
            (("user", "state"), False),
            (("batch", "state"), False),
            (("state", "lease_until"), False),
        )


class Usage(Table):
    """One reservation per job and kind, kept in the period that it was made in."""

    job = peewee.ForeignKeyField(Job, backref="usage", null=True, on_delete="SET NULL")
    user = peewee.ForeignKeyField(User, backref="usage", on_delete="RESTRICT")
    kind = peewee.TextField()
    period = peewee.TextField()  # the operator's day, 2026-05-31, or "all"
    count = peewee.IntegerField()
    state = peewee.TextField(default="reserved")  # reserved committed released
    at = peewee.IntegerField()

    class Meta:
        indexes = (
            (("user", "period", "kind", "state", "count"), False),
            (("job", "kind"), True),
        )


class Source(Table):
    """A channel or supergroup that is known, and how it is open."""

    id = peewee.BigIntegerField(primary_key=True)  # bare channel id, without the -100 prefix
    username = peewee.TextField(null=True, index=True)
    title = peewee.TextField(default="")
    protected = peewee.BooleanField(default=False)
    administered = peewee.BooleanField(default=False)  # by the operator's account
    allowed_at = peewee.IntegerField(null=True)
    blocked_at = peewee.IntegerField(null=True)
    joined_at = peewee.IntegerField(null=True)
    access_hash = peewee.BigIntegerField(null=True)  # the account's own: a session string starts without peers
    seen_at = peewee.IntegerField()


class SourceOpening(Table):
    """A private chat opened to one customer by an invitation of his own."""

    user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
    source = peewee.ForeignKeyField(Source, on_delete="CASCADE")
    invite_hash = peewee.TextField(default="")
    at = peewee.IntegerField()

    class Meta:
        indexes = ((("user", "source"), True),)


class Join(Table):
    """An invitation that the account followed: counted against the daily cap."""

    user = peewee.ForeignKeyField(User, null=True, on_delete="SET NULL")
    source = peewee.ForeignKeyField(Source, null=True, on_delete="SET NULL")
    invite_hash = peewee.TextField()
    outcome = peewee.TextField()
    at = peewee.IntegerField(index=True)


class CachedMedia(Table):
    """What the bot has sent once and may send again by reference."""

    bot_id = peewee.BigIntegerField()
    source_chat = peewee.BigIntegerField()
    message_id = peewee.IntegerField()
    edit_date = peewee.IntegerField(default=0)
    items = JSONText()  # [{kind, size, id, access_hash, file_reference, caption, entities, …}], one per album item
    created_at = peewee.IntegerField()
    used_at = peewee.IntegerField(index=True)

    class Meta:
        indexes = ((("bot_id", "source_chat", "message_id", "edit_date"), True),)


class Event(Table):
    """The outbox: what the customer, or the admins, must hear. Written in the transaction that made it true."""

    kind = peewee.TextField()
    user_id = peewee.BigIntegerField(null=True)  # None: all admins
    payload = JSONText(default=dict)
    key = peewee.TextField(unique=True, null=True)  # at most one event of this key, ever (reminders, incidents)
    random_id = peewee.BigIntegerField()
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    created_ms = peewee.BigIntegerField()
    heard_at = peewee.IntegerField(null=True)

    class Meta:
        indexes = ((("heard_at", "not_before"), False),)


class Heartbeat(Table):
    """The newest sign of life of each program, with what it knows about its parts."""

    program = peewee.TextField(primary_key=True)
    detail = JSONText(default=dict)
    at = peewee.IntegerField()


class Incident(Table):
    """Something is wrong: told to the admins once when it begins and once when it ends."""

    key = peewee.TextField(index=True)
    text = peewee.TextField()
    opened_at = peewee.IntegerField()
    closed_at = peewee.IntegerField(null=True)


class Note(Table):
    """A small remembered value: the webhook's id, the newest Stars transaction seen."""

    key = peewee.TextField(primary_key=True)
    value = JSONText(null=True)
    at = peewee.IntegerField()


TABLES: tuple[type[Table], ...] = (
    User, Order, Subscription, Payment, Refund, Dispute, PaymentHistory, Adjustment, Request, WebhookEvent, Batch, Job,
    Usage, Source, SourceOpening, Join, CachedMedia, Event, Heartbeat, Incident, Note,
)  # fmt: skip
