"""Every table, in one place, so that the noun modules never import each other in circles.

Times are Unix seconds in UTC. Amounts are whole minor units (Stars, cents). States are words; the tables of allowed
moves stand in the noun modules. Every index here serves a query that runs per message, per job or per payment.
"""

import json
from typing import TYPE_CHECKING, Any

import peewee

from models.database import bound


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

    id: Any  # Peewee's implicit key, which type checkers cannot see

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Nor do they see ``<name>_id`` beside a foreign key."""

    class Meta:
        database = bound
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
    access_look_at = peewee.IntegerField(null=True, index=True)  # when reminders look at this access again
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
    denied_at = peewee.IntegerField(null=True)
    reversed_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()  # the provider's
    recorded_at = peewee.IntegerField()  # ours

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "effective_at"), False))


class Refund(Table):
    """Money given back, wholly or in part. It may be heard of before its payment, which adopts it then."""

    payment = peewee.ForeignKeyField(Payment, backref="refunds", null=True, on_delete="RESTRICT")
    provider = peewee.TextField()
    payment_remote_id = peewee.TextField()
    remote_id = peewee.TextField()
    amount = peewee.IntegerField()
    at = peewee.IntegerField()
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("provider", "payment_remote_id"), False))


class Dispute(Table):
    """A payment contested by its payer: it suspends from its opening until it is decided.

    Like a refund it may be heard of before its payment.
    """

    payment = peewee.ForeignKeyField(Payment, backref="disputes", null=True, on_delete="RESTRICT")
    provider = peewee.TextField()
    payment_remote_id = peewee.TextField()
    remote_id = peewee.TextField()
    opened_at = peewee.IntegerField()
    closed_at = peewee.IntegerField(null=True)
    won = peewee.BooleanField(null=True)
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "payment_remote_id", "remote_id"), True),)


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
    source_key = peewee.TextField(unique=True)  # the update it came from: a re-delivered update adds nothing
    total = peewee.IntegerField()
    status_message_id = peewee.IntegerField(null=True)
    quota_told_at = peewee.IntegerField(null=True)
    cancelled_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()


class Job(Table):
    """A link to deliver."""

    user = peewee.ForeignKeyField(User, backref="jobs", index=False, on_delete="RESTRICT")
    chat_id = peewee.BigIntegerField()
    link = peewee.TextField()  # canonical form, parsed again by the worker
    batch = peewee.ForeignKeyField(Batch, backref="jobs", index=False, null=True, on_delete="RESTRICT")
    source_key = peewee.TextField(unique=True)  # update it came from + position: a re-delivered update adds nothing
    reply_to = peewee.IntegerField(null=True)
    state = peewee.TextField(default="queued")
    moved_at = peewee.IntegerField()  # when it came into its state
    priority = peewee.IntegerField(default=0)  # higher first; 0 does not pay
    round = peewee.IntegerField()  # users take turns: its place among the jobs of equal priority
    owner = peewee.TextField(null=True)
    lease_until = peewee.IntegerField(null=True)
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    cancel_asked_at = peewee.IntegerField(null=True)  # asked while the message was already on its way
    status_message_id = peewee.IntegerField(null=True)
    random_ids = JSONText(default=list)  # one per message to be sent, stored before sending
    sent = JSONText(default=dict)  # random id -> message id, 0 when Telegram only said "duplicate"
    size = peewee.BigIntegerField(null=True)
    kind = peewee.TextField(null=True)
    reason = peewee.TextField(null=True)  # a code; the words are in the catalogue
    created_at = peewee.IntegerField()

    class Meta:
        indexes = (
            (("state", "priority", "round"), False),
            (("state", "moved_at"), False),
            (("user", "state"), False),
            (("batch", "state"), False),
        )


class Line(Table):
    """How far the line of one priority has been served: what makes turns fair between users and between lines."""

    priority = peewee.IntegerField(primary_key=True)
    round = peewee.IntegerField(default=0)  # newcomers join the next
    turn = peewee.IntegerField(default=0)  # number of the claim that last took a job of this line


class Upload(Table):
    """What Telegram has acknowledged of a large file, so that a restart need not begin again."""

    job = peewee.ForeignKeyField(Job, primary_key=True, on_delete="CASCADE")
    document_id = peewee.BigIntegerField()  # of the source: another id means that the post changed
    file_id = peewee.BigIntegerField()  # ours, of the upload
    part_bytes = peewee.IntegerField()
    parts_total = peewee.IntegerField()
    parts = peewee.BlobField()  # one bit a part, the lowest bit of the first byte is part 0
    at = peewee.IntegerField()


class Usage(Table):
    """One reservation per job and kind, kept in the period that it was made in. Released means deleted.

    Without a job: what of a person's use is old, or was imported, added up.
    """

    job = peewee.ForeignKeyField(Job, backref="usage", index=False, null=True, on_delete="SET NULL")
    user = peewee.ForeignKeyField(User, backref="usage", index=False, on_delete="RESTRICT")
    kind = peewee.TextField()
    period = peewee.TextField()  # the operator's day, 2026-05-31, or "all"; "past" holds forgotten days together
    count = peewee.IntegerField()
    state = peewee.TextField(default="reserved")  # reserved committed
    at = peewee.IntegerField()

    class Meta:
        indexes = (
            (("user", "period", "kind", "count"), False),
            (("job", "kind"), True),
        )


class DailyTotal(Table):
    """What came of a day's jobs, all customers together. All that is left of a job that has been forgotten."""

    day = peewee.TextField()  # the operator's
    kind = peewee.TextField()  # of the delivery; "" where nobody came to know it
    outcome = peewee.TextField()  # done refused failed cancelled
    jobs = peewee.IntegerField()
    bytes = peewee.BigIntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("day", "kind", "outcome")


class Imported(Table):
    """What an import has taken over of one person from another bot: so that it takes over nothing twice."""

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
    counts = JSONText(default=dict)  # "kind period" -> count that has been added to the usage
    payments = JSONText(default=list)  # as that bot wrote them down: for reading, they grant nothing
    at = peewee.IntegerField()


class Source(Table):
    """A channel or supergroup that is known, and how it is open."""

    id = peewee.BigIntegerField(primary_key=True)  # bare channel id, without the -100 prefix
    username = peewee.TextField(null=True, index=True)  # lower case; None: private
    title = peewee.TextField(default="")
    protected = peewee.BooleanField(default=False)
    administered = peewee.BooleanField(default=False)  # by the operator's account
    allowed_at = peewee.IntegerField(null=True)
    blocked_at = peewee.IntegerField(null=True)
    decided_by = peewee.BigIntegerField(null=True)  # the admin who allowed or blocked it
    access_hash = peewee.BigIntegerField(null=True)  # the account's own: a session string starts without peers
    seen_at = peewee.IntegerField()


class SourceOpening(Table):
    """A private chat opened to one customer by an invitation of his own."""

    user = peewee.ForeignKeyField(User, index=False, on_delete="RESTRICT")
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
    day = peewee.TextField()  # the operator's day, like the period of a usage
    outcome = peewee.TextField()  # pending joined requested refused
    at = peewee.IntegerField()

    class Meta:
        indexes = ((("day", "outcome"), False),)


class CachedMedia(Table):
    """What the bot has sent once and may send again by reference."""

    bot_id = peewee.BigIntegerField()
    source_chat = peewee.BigIntegerField()
    message_id = peewee.IntegerField()
    single = peewee.BooleanField(default=False)  # one item of an album rather than the album
    edit_date = peewee.IntegerField(default=0)
    items = JSONText()  # [{kind, size, id, access_hash, file_reference, caption, entities, …}], one per album item
    created_at = peewee.IntegerField()
    used_at = peewee.IntegerField(index=True)

    class Meta:
        indexes = ((("bot_id", "source_chat", "message_id", "single", "edit_date"), True),)


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
    Line, Upload, Usage, DailyTotal, Imported, Source, SourceOpening, Join, CachedMedia, Event, Heartbeat, Incident,
    Note,
)  # fmt: skip
