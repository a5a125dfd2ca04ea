"""All tables in one module, so that the modules with the operations need not import each other.

Times are Unix seconds in UTC. Amounts are whole minor units (Stars, cents). States are stored as text; the moves that
are allowed stand in the modules with the operations. Each index serves a query that runs for every message, job or
payment.
"""

import json
from typing import TYPE_CHECKING, Any

import peewee

from models.database import bound


class JSONText(peewee.TextField):
    """A JSON document in a TEXT column."""

    def db_value(self, value: Any) -> str | None:
        """Serialise without spaces; None stays NULL."""
        return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def python_value(self, value: str | None) -> Any:
        """Parse what :meth:`db_value` wrote."""
        return None if value is None else json.loads(value)


class Table(peewee.Model):
    """Base of all tables, which binds them to the shared database."""

    id: Any  # Peewee's implicit key, which type checkers cannot see

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Type checkers do not see ``<name>_id`` beside a foreign key either."""

    class Meta:
        database = bound
        legacy_table_names = False


class User(Table):
    """A customer. The key is Telegram's own id."""

    id = peewee.BigIntegerField(primary_key=True)
    first_name = peewee.TextField(default="")
    username = peewee.TextField(null=True)
    language_code = peewee.TextField(null=True)  # of the Telegram application
    language = peewee.TextField(null=True)  # chosen by the customer
    banned_at = peewee.IntegerField(null=True)
    blocked_bot_at = peewee.IntegerField(null=True)
    referred_by = peewee.BigIntegerField(null=True, index=True)  # as another bot had it, from which they were imported
    accepted_terms_at = peewee.IntegerField(null=True)
    reminders = peewee.BooleanField(default=True)
    access_look_at = peewee.IntegerField(null=True, index=True)  # when reminders check this access again
    erased_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField(index=True)
    seen_at = peewee.IntegerField(index=True)


for _name, _where in (
    ("banned", '("banned_at") WHERE ("banned_at" IS NOT NULL)'),
    ("blocked_bot", '("blocked_bot_at") WHERE ("blocked_bot_at" IS NOT NULL)'),
    ("username_lower", '(LOWER("username"))'),
    ("first_name_lower", '(LOWER("first_name"))'),
):
    User.add_index(peewee.SQL(f'CREATE INDEX "user_{_name}" ON "user" {_where}'))


class CustomerNote(Table):
    """What an admin noted about a customer, who may read it: it is in their export."""

    user = peewee.ForeignKeyField(User, backref="notes", on_delete="RESTRICT")
    by = peewee.BigIntegerField()
    text = peewee.TextField()
    at = peewee.IntegerField()


class Relay(Table):
    """A message of the bot to which an answer is expected: it goes to somebody else, or becomes a note."""

    chat_id = peewee.BigIntegerField()
    message_id = peewee.IntegerField()
    purpose = peewee.TextField()  # say | note
    about = peewee.BigIntegerField()  # who gets the answer, or the customer of the note
    at = peewee.IntegerField(index=True)

    class Meta:
        primary_key = peewee.CompositeKey("chat_id", "message_id")


class Order(Table):
    """A purchase that a customer began, with the plan, price and duration of that moment."""

    public_id = peewee.TextField(unique=True)  # opaque: invoice payload, PayPal custom_id and invoice_id
    user = peewee.ForeignKeyField(User, backref="orders", on_delete="RESTRICT")
    plan_code = peewee.TextField()
    level = peewee.IntegerField()
    seconds = peewee.IntegerField()
    amount = peewee.IntegerField()
    currency = peewee.TextField()
    provider = peewee.TextField()  # stars | paypal
    renews = peewee.BooleanField(default=False)
    purpose = peewee.TextField(default="plan")  # plan | pack | gift (for somebody else) | test (grants nothing)
    state = peewee.TextField(default="open")  # open paid cancelled expired failed
    remote_id = peewee.TextField(null=True)
    approve_url = peewee.TextField(null=True)
    create_request_id = peewee.TextField(null=True)
    capture_request_id = peewee.TextField(null=True)
    checkout_started_at = peewee.IntegerField(null=True)  # money may be moving: offered for payment once
    next_look_at = peewee.IntegerField(null=True)  # when the order is polled again
    looks = peewee.IntegerField(default=0)
    expires_at = peewee.IntegerField()
    created_at = peewee.IntegerField()
    refused_at = peewee.IntegerField(null=True)  # nothing is captured since then before the payer acts
    kind = peewee.TextField(null=True)  # of a pack: what it delivers,
    count = peewee.IntegerField(null=True)  # how many,
    max_bytes = peewee.BigIntegerField(null=True)  # and how large each may be
    code = peewee.TextField(null=True)  # of a gift: which opens it; else the discount code that made the price
    list_amount = peewee.IntegerField(null=True)  # the price without that code

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "state"), False), (("state", "next_look_at"), False))


class Subscription(Table):
    """A purchase that renews at the provider."""

    user = peewee.ForeignKeyField(User, backref="subscriptions", on_delete="RESTRICT")
    order = peewee.ForeignKeyField(Order, backref="subscriptions", on_delete="RESTRICT")
    provider = peewee.TextField()
    remote_id = peewee.TextField()  # PayPal's id; for Stars the first charge id
    plan_code = peewee.TextField()
    level = peewee.IntegerField()
    amount = peewee.IntegerField()
    currency = peewee.TextField()
    state = peewee.TextField(default="pending")  # pending active suspended cancelled expired
    state_at = peewee.IntegerField()  # the provider's time of the newest report
    period_end = peewee.IntegerField(null=True)
    next_look_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "state"), False), (("state", "next_look_at"), False))


class SubscriptionReport(Table):
    """A state of a subscription that its provider has reported, append-only: the order of arrival does not matter."""

    subscription = peewee.ForeignKeyField(Subscription, backref="reports", index=False, on_delete="RESTRICT")
    state = peewee.TextField()
    at = peewee.IntegerField()  # since when, by the provider's clock

    class Meta:
        indexes = ((("subscription", "at", "state"), True),)


class Payment(Table):
    """A payment. ``remote_id`` is the provider's id of the charge, capture or sale."""

    provider = peewee.TextField()
    remote_id = peewee.TextField()
    user = peewee.ForeignKeyField(User, backref="payments", null=True, on_delete="RESTRICT")
    order = peewee.ForeignKeyField(Order, backref="payments", null=True, on_delete="RESTRICT")
    subscription = peewee.ForeignKeyField(Subscription, backref="payments", null=True, on_delete="RESTRICT")
    amount = peewee.IntegerField()
    currency = peewee.TextField()
    state = peewee.TextField()  # pending completed denied reversed frozen
    grants = peewee.BooleanField(default=True)  # False: the payment gives no access (mismatch, test purchase)
    level = peewee.IntegerField(default=0)
    seconds = peewee.IntegerField(null=True)  # of access; earlier renewals hold the end of their period alone
    period_end = peewee.IntegerField(null=True)  # of a renewal, as the provider reports it
    effective_at = peewee.IntegerField()  # from when its time counts: its completion
    completed_at = peewee.IntegerField(null=True, index=True)
    denied_at = peewee.IntegerField(null=True)
    reversed_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()  # by the provider's clock
    recorded_at = peewee.IntegerField()  # by our clock
    renewal_ended_at = peewee.IntegerField(null=True)  # when its renewal first ended: its time runs out no more

    class Meta:
        indexes = ((("provider", "remote_id"), True), (("user", "effective_at"), False), (("state",), False))


Payment.add_index(Payment.index(Payment.grants, name="payment_ungranted", where=Payment.grants == False))  # noqa: E712


class Refund(Table):
    """A refund, whole or partial. It may be reported before its payment, and is linked to it then."""

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
    """A dispute of a payment by its payer. It suspends the payment's access from its opening until it is decided.

    Like a refund, a dispute may be reported before its payment.
    """

    payment = peewee.ForeignKeyField(Payment, backref="disputes", null=True, on_delete="RESTRICT")
    provider = peewee.TextField()
    payment_remote_id = peewee.TextField()
    remote_id = peewee.TextField()
    opened_at = peewee.IntegerField()
    closed_at = peewee.IntegerField(null=True)
    won = peewee.BooleanField(null=True)
    created_at = peewee.IntegerField()
    amount = peewee.IntegerField(null=True)  # what is disputed, and then lost, of the payment; None: all of it
    currency = peewee.TextField(null=True)  # of the amount

    class Meta:
        indexes = ((("provider", "payment_remote_id", "remote_id"), True),)


class PaymentHistory(Table):
    """Each change of a payment, append-only."""

    payment = peewee.ForeignKeyField(Payment, backref="history", on_delete="RESTRICT")
    change = peewee.TextField()
    detail = JSONText(default=dict)
    at = peewee.IntegerField()


class Adjustment(Table):
    """What an admin, an import or a code gave or took."""

    user = peewee.ForeignKeyField(User, backref="adjustments", on_delete="RESTRICT")
    kind = peewee.TextField()  # give | take | credit (deliveries, like a pack)
    level = peewee.IntegerField(null=True)  # take: None means every level
    seconds = peewee.IntegerField(null=True)
    until = peewee.IntegerField(null=True)
    forever = peewee.BooleanField(default=False)
    reason = peewee.TextField(default="")
    source = peewee.TextField(unique=True, null=True)  # the row of an import, which is applied once
    by = peewee.BigIntegerField(null=True)
    at = peewee.IntegerField()
    payment = peewee.ForeignKeyField(Payment, backref="gifts", null=True, on_delete="RESTRICT")  # of a gift: who paid
    article = peewee.TextField(null=True)  # the plan or pack, where a code gave one
    pack_kind = peewee.TextField(null=True)  # of a credit: what it delivers,
    count = peewee.IntegerField(null=True)  # how many,
    max_bytes = peewee.BigIntegerField(null=True)  # and how large each may be

    class Meta:
        indexes = ((("user", "at"), False), (("by", "at"), False))


class Code(Table):
    """What somebody may redeem: a gift that a customer bought, a trial, free access or a discount of the operator's."""

    text = peewee.TextField(unique=True, null=True)  # normalised; None: of the trial, which nobody types
    kind = peewee.TextField()  # gift | trial | access | discount
    article = peewee.TextField(null=True)  # the plan or pack that it gives, as it was then
    level = peewee.IntegerField(default=0)
    seconds = peewee.IntegerField(default=0)
    pack_kind = peewee.TextField(null=True)
    count = peewee.IntegerField(null=True)
    max_bytes = peewee.BigIntegerField(null=True)
    percent = peewee.IntegerField(null=True)  # that a discount takes off a price
    uses = peewee.IntegerField(null=True)  # by how many customers; None: any number
    until = peewee.IntegerField(null=True)
    new_only = peewee.BooleanField(default=False)  # for customers who have not bought or redeemed anything
    payment = peewee.ForeignKeyField(
        Payment, backref="codes", null=True, unique=True, on_delete="RESTRICT"
    )  # of a gift
    by = peewee.BigIntegerField(null=True)  # the admin who made it
    source = peewee.TextField(unique=True, null=True)  # the message whose button made it, which makes one
    created_at = peewee.IntegerField()
    ended_at = peewee.IntegerField(null=True)
    held_at = peewee.IntegerField(null=True)  # a restore holds it until an admin has looked at it
    remind_at = peewee.IntegerField(null=True, index=True)  # when the giver of an unopened gift hears of it

    class Meta:
        indexes = ((("kind", "ended_at"), False),)


class Redemption(Table):
    """A customer redeemed a code. Of a person who was erased a keyed hash stays, so that they redeem it once."""

    code = peewee.ForeignKeyField(Code, backref="redemptions", index=False, on_delete="RESTRICT")
    user = peewee.ForeignKeyField(User, backref="redemptions", null=True, on_delete="RESTRICT")
    person = peewee.TextField(null=True, index=True)  # the hash, once the person is erased
    order = peewee.ForeignKeyField(Order, null=True, unique=True, on_delete="RESTRICT")  # that a discount was for
    adjustment = peewee.ForeignKeyField(Adjustment, null=True, unique=True, on_delete="RESTRICT")  # what it gave
    at = peewee.IntegerField()

    class Meta:
        indexes = ((("code", "user"), True), (("code", "person"), True))


class Request(Table):
    """A request to a provider, from the chat or from a rule: a refund, a cancellation, a look-up."""

    kind = peewee.TextField()  # refund cancel_subscription resume_subscription lookup
    provider = peewee.TextField()  # paypal: upkeep carries it out; stars: the daemon
    payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
    subscription = peewee.ForeignKeyField(Subscription, null=True, on_delete="RESTRICT")
    argument = peewee.TextField(default="")  # the id to look up
    amount = peewee.IntegerField(null=True)
    user_id = peewee.BigIntegerField(null=True, index=True)  # the customer that it concerns
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
    """A verified webhook notification, processed once for each id."""

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
    source_key = peewee.TextField(unique=True)  # the update that held the links; delivered again, it adds nothing
    total = peewee.IntegerField()
    status_message_id = peewee.IntegerField(null=True)
    quota_told_at = peewee.IntegerField(null=True)
    cancelled_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField()


class Job(Table):
    """A job: one link to deliver."""

    user = peewee.ForeignKeyField(User, backref="jobs", on_delete="RESTRICT")
    chat_id = peewee.BigIntegerField()
    link = peewee.TextField()  # canonical form, parsed again by the worker
    batch = peewee.ForeignKeyField(Batch, backref="jobs", index=False, null=True, on_delete="RESTRICT")
    source_key = peewee.TextField(unique=True)  # update and position of the link; delivered again, it adds nothing
    reply_to = peewee.IntegerField(null=True)
    state = peewee.TextField(default="queued")
    moved_at = peewee.IntegerField()  # when the job came into its state
    priority = peewee.IntegerField(default=0)  # higher first; 0: no paid plan
    round = peewee.IntegerField()  # the place among the jobs of equal priority: customers take turns
    owner = peewee.TextField(null=True)
    lease_until = peewee.IntegerField(null=True)
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    cancel_asked_at = peewee.IntegerField(null=True)  # asked for while the message was being sent
    status_message_id = peewee.IntegerField(null=True)
    random_ids = JSONText(default=list)  # one per message to be sent, stored before sending
    sent = JSONText(default=dict)  # random id -> message id, 0 when Telegram only said "duplicate"
    size = peewee.BigIntegerField(null=True)
    kind = peewee.TextField(null=True)
    reason = peewee.TextField(null=True)  # see models.jobs.reasons
    created_at = peewee.IntegerField()
    needs = peewee.TextField(null=True)  # what a held job waits for, as JSON: kind -> [how many, bytes of the largest]
    chosen_at = peewee.IntegerField(null=True)  # when its customer began to pay for it

    class Meta:
        indexes = (
            (("state", "priority", "round"), False),
            (("state", "moved_at"), False),
            (("user", "state"), False),
            (("batch", "state"), False),
        )


class Line(Table):
    """How far the line of one priority has been served. It keeps turns fair between customers and between lines."""

    priority = peewee.IntegerField(primary_key=True)
    round = peewee.IntegerField(default=0)  # of the job that was served last; new jobs join the next round
    turn = peewee.IntegerField(default=0)  # the number of the claim that last took a job of this line


class Budget(Table):
    """How much of one budget a customer has used since *began_at*, the start of its present span."""

    user = peewee.ForeignKeyField(User, index=False, on_delete="RESTRICT")
    purpose = peewee.TextField()  # links lookups messages
    seconds = peewee.IntegerField()  # how long the span is
    began_at = peewee.IntegerField(index=True)
    count = peewee.IntegerField()
    told_at = peewee.IntegerField(null=True)  # of the span of which the customer heard that it is used up

    class Meta:
        primary_key = peewee.CompositeKey("user", "purpose", "seconds")


class Upload(Table):
    """The parts of a large upload that Telegram has acknowledged, so that an upload continues after a restart."""

    job = peewee.ForeignKeyField(Job, primary_key=True, on_delete="CASCADE")
    document_id = peewee.BigIntegerField()  # of the source; another id means that the post has changed
    file_id = peewee.BigIntegerField()  # our id of the upload
    part_bytes = peewee.IntegerField()
    parts_total = peewee.IntegerField()
    parts = peewee.BlobField()  # one bit for each part; the lowest bit of the first byte is part 0
    at = peewee.IntegerField()


class Usage(Table):
    """A reservation of a job for one kind, in the period that it was made in. A released reservation is deleted.

    A row without a job is the sum of a customer's old or imported usage.
    """

    job = peewee.ForeignKeyField(Job, backref="usage", index=False, null=True, on_delete="SET NULL")
    user = peewee.ForeignKeyField(User, backref="usage", index=False, on_delete="RESTRICT")
    kind = peewee.TextField()
    period = peewee.TextField()  # the operator's day (2026-05-31), "all", or "past": the sum of forgotten days
    count = peewee.IntegerField()
    state = peewee.TextField(default="reserved")  # reserved committed
    at = peewee.IntegerField()

    class Meta:
        indexes = (
            (("user", "period", "kind", "count"), False),
            (("job", "kind"), True),
        )


class CreditUse(Table):
    """What a job has reserved or used of a pack: the payment or gift paid ``count`` of its deliveries of the kind.

    A released reservation is deleted. A row without a job is one whose job was deleted.
    """

    job = peewee.ForeignKeyField(Job, backref="credit_uses", index=False, null=True, on_delete="SET NULL")
    user = peewee.ForeignKeyField(User, backref="credit_uses", index=False, on_delete="RESTRICT")
    payment = peewee.ForeignKeyField(Payment, backref="credit_uses", null=True, on_delete="RESTRICT")
    adjustment = peewee.ForeignKeyField(Adjustment, backref="credit_uses", null=True, on_delete="RESTRICT")
    kind = peewee.TextField()
    count = peewee.IntegerField()
    state = peewee.TextField(default="reserved")  # reserved committed
    at = peewee.IntegerField()

    class Meta:
        indexes = (
            (("job", "kind", "payment"), True),
            (("job", "kind", "adjustment"), True),
            (("user", "kind"), False),
        )


class ReferralLink(Table):
    """The code in the link by which a customer brings others."""

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
    code = peewee.TextField(unique=True)
    at = peewee.IntegerField()


class Referral(Table):
    """Who brought whom, set once. The hashes stay when one of them is erased, see :mod:`models.promotion.identity`.

    What it earns is folded from the friend's payments, see :mod:`models.money.rewards`.
    """

    referrer = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
    friend = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
    referrer_hash = peewee.TextField()
    friend_hash = peewee.TextField(unique=True)
    terms = JSONText()  # what was promised: the [referral] of that moment
    at = peewee.IntegerField()
    look_at = peewee.IntegerField(null=True, index=True)  # when its next reward begins, and is told


class ReferralPayment(Table):
    """A payment that goes on to count for a referral whose friend was erased."""

    payment = peewee.ForeignKeyField(Payment, primary_key=True, on_delete="RESTRICT")
    referral = peewee.ForeignKeyField(Referral, on_delete="RESTRICT")


class Complaint(Table):
    """A complaint about a post. Those about one link are one case, decided together."""

    number = peewee.TextField(unique=True)  # the receipt: who has it may read the decision
    link = peewee.TextField(index=True)
    text = peewee.TextField(default="")
    reporter = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")  # None: came by the page, or was erased
    decision = peewee.TextField(null=True)  # post channel rejected
    source_id = peewee.BigIntegerField(null=True)  # of the channel that the decision has closed
    decided_by = peewee.BigIntegerField(null=True)
    decided_at = peewee.IntegerField(null=True)
    created_at = peewee.IntegerField(index=True)


class BlockedPost(Table):
    """A message that is delivered to nobody, because of a complaint about ``link``."""

    source_id = peewee.BigIntegerField()  # bare channel id, known or not
    message_id = peewee.IntegerField()
    link = peewee.TextField(index=True)

    class Meta:
        primary_key = peewee.CompositeKey("source_id", "message_id", "link")


class BlockedFile(Table):
    """A file of such a post, by Telegram's own id: it is delivered from no other chat either."""

    media_id = peewee.BigIntegerField()
    link = peewee.TextField(index=True)

    class Meta:
        primary_key = peewee.CompositeKey("media_id", "link")


class DailyTotal(Table):
    """Sums of the jobs of a day over all customers, kept when the jobs themselves are deleted."""

    day = peewee.TextField()  # the operator's day
    kind = peewee.TextField()  # of the delivery; "" where it never became known
    outcome = peewee.TextField()  # done refused failed cancelled
    jobs = peewee.IntegerField()
    bytes = peewee.BigIntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("day", "kind", "outcome")


class IncomeDay(Table):
    """What came in on a day of what was sold, in minor units; see :mod:`models.books.totals`."""

    day = peewee.TextField()  # the operator's day
    provider = peewee.TextField()
    plan_code = peewee.TextField()  # of the plan or pack; "" where nobody knows
    currency = peewee.TextField()
    payments = peewee.IntegerField()
    amount = peewee.BigIntegerField()
    refunded = peewee.BigIntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("day", "provider", "plan_code", "currency")


class DayCount(Table):
    """How often something happened on a day; see :mod:`models.books.totals`."""

    day = peewee.TextField()  # the operator's day
    what = peewee.TextField()  # new paying lost delivered refused
    key = peewee.TextField()  # the kind of a delivery, the reason of a refusal; "" elsewhere and where nobody knows
    count = peewee.IntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("day", "what", "key")


class Imported(Table):
    """What an import has taken over of a customer of another bot, so that nothing is taken over twice."""

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
    counts = JSONText(default=dict)  # "kind period" -> count that was added to the usage
    payments = JSONText(default=list)  # as the other bot stored them, to be read; they give no access
    at = peewee.IntegerField()


class Source(Table):
    """A channel or supergroup, and for whom it is open."""

    id = peewee.BigIntegerField(primary_key=True)  # bare channel id, without the -100 prefix
    username = peewee.TextField(null=True, index=True)  # lower case; None: private
    title = peewee.TextField(default="")
    protected = peewee.BooleanField(default=False)
    administered = peewee.BooleanField(default=False)  # by the operator's account
    allowed_at = peewee.IntegerField(null=True)
    blocked_at = peewee.IntegerField(null=True)
    decided_by = peewee.BigIntegerField(null=True)  # the admin who allowed or blocked it
    access_hash = peewee.BigIntegerField(null=True)  # of the operator's account: a session string starts without peers
    seen_at = peewee.IntegerField()
    bot_access_hash = peewee.BigIntegerField(null=True)  # the bot's own


class Lookup(Table):
    """What Telegram said about a name or an invitation, so that it is not asked again soon, after a restart too."""

    key = peewee.TextField(primary_key=True)  # "@name" in lower case, or "+" and a digest of the invitation
    source = peewee.ForeignKeyField(Source, null=True, on_delete="CASCADE")  # None: there is none, for the reason
    reason = peewee.TextField(null=True)  # see models.jobs.reasons
    failures = peewee.IntegerField(default=0)  # in a row: each doubles the time for which Telegram is not asked
    again_at = peewee.IntegerField(index=True)  # from when on Telegram is asked again
    asks = peewee.BooleanField(default=False)  # an invitation that lets in only whom an admin of the chat accepts


class ListedChat(Table):
    """A chat that once had a name of ``BLOCKED_CHATS`` or ``SOURCE_CHATS``. The list holds for it whatever its name."""

    listed = peewee.TextField()  # blocked | allowed
    name = peewee.TextField()
    source_id = peewee.BigIntegerField(index=True)
    at = peewee.IntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("listed", "name", "source_id")


class SourceOpening(Table):
    """A private chat that a customer's own invitation has opened for them."""

    user = peewee.ForeignKeyField(User, index=False, on_delete="RESTRICT")
    source = peewee.ForeignKeyField(Source, on_delete="CASCADE")
    invite_hash = peewee.TextField(default="")
    at = peewee.IntegerField()
    looked_at = peewee.IntegerField(null=True)  # when it was last seen to hold; None: never since it began
    ended_at = peewee.IntegerField(null=True)  # when it was seen that the customer is no member

    class Meta:
        indexes = ((("user", "source"), True),)


class Join(Table):
    """An invitation that the operator's account followed, counted against the cap of the day."""

    user = peewee.ForeignKeyField(User, null=True, on_delete="SET NULL")
    source = peewee.ForeignKeyField(Source, null=True, on_delete="SET NULL")
    invite_hash = peewee.TextField()
    day = peewee.TextField()  # the operator's day, like the period of a usage
    outcome = peewee.TextField()  # pending joined requested refused
    at = peewee.IntegerField()

    class Meta:
        indexes = ((("day", "outcome"), False),)


class CachedMedia(Table):
    """A post that the bot has sent and can send again by reference."""

    bot_id = peewee.BigIntegerField()
    source_chat = peewee.BigIntegerField()
    message_id = peewee.IntegerField()
    single = peewee.BooleanField(default=False)  # one item of an album, not the whole album
    edit_date = peewee.IntegerField(default=0)
    items = JSONText()  # [{kind, size, id, access_hash, file_reference, caption, entities, …}], one per album item
    created_at = peewee.IntegerField()
    used_at = peewee.IntegerField(index=True)

    class Meta:
        indexes = ((("bot_id", "source_chat", "message_id", "single", "edit_date"), True),)


class Event(Table):
    """The outbox: what a customer or the admins must hear, written in the transaction that made it true."""

    kind = peewee.TextField()
    user_id = peewee.BigIntegerField(null=True, index=True)  # None: all admins
    payload = JSONText(default=dict)
    key = peewee.TextField(unique=True, null=True)  # at most one event of this key, ever (reminders, incidents)
    random_id = peewee.BigIntegerField()
    attempts = peewee.IntegerField(default=0)
    not_before = peewee.IntegerField(default=0)
    created_ms = peewee.BigIntegerField()
    heard_at = peewee.IntegerField(null=True)
    together = peewee.BigIntegerField(null=True)  # what is told in one message with it has the same: a random id

    class Meta:
        indexes = ((("heard_at", "not_before"), False),)


class Consent(Table):
    """What a person said about news, append-only: the newest row holds."""

    user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
    answer = peewee.TextField()  # asked yes no bought (bought something, and read before that customers get news)
    place = peewee.TextField()  # where they read the words: delivery purchase command news
    words = peewee.TextField()  # in their language
    at = peewee.IntegerField()


class Broadcast(Table):
    """News that an admin writes for many customers."""

    by = peewee.BigIntegerField()  # the admin
    text = peewee.TextField(default="")
    entities = JSONText(default=list)  # the formatting, as Telegram's own entities
    media = JSONText(null=True)  # a picture or video, as the bot refers to it
    source_message_id = peewee.IntegerField(null=True)  # the admin's message, from which a reference is renewed
    buttons = JSONText(default=list)  # [[kind, value, label], …]
    segment = peewee.TextField(default="all")  # to whom, see models.promotion.segments
    state = peewee.TextField(default="draft")
    asks = peewee.TextField(null=True)  # what the admin's next message becomes: content media link
    start_at = peewee.IntegerField(null=True)  # when it is to begin; of a draft None: at once
    collected_to = peewee.BigIntegerField(default=0)  # customers with ids up to this one are recipients, if meant
    counts = JSONText(default=dict)  # state -> number of recipients whose rows were deleted
    sales = JSONText(null=True)  # [[currency, number, minor units], …], kept when the rows are deleted
    status_message_id = peewee.IntegerField(null=True)
    why = peewee.TextField(default="")  # it was stopped
    touched_at = peewee.IntegerField()  # when its admin began it, or was last asked for something
    began_at = peewee.IntegerField(null=True)  # when its first recipient was written to
    ended_at = peewee.IntegerField(null=True)
    reported_at = peewee.IntegerField(null=True)  # when its admin was told of its sales

    class Meta:
        indexes = ((("state", "start_at"), False),)


class BroadcastRecipient(Table):
    """One customer to whom news goes, with the random id under which Telegram takes it once."""

    broadcast = peewee.ForeignKeyField(Broadcast, backref="recipients", index=False, on_delete="RESTRICT")
    user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
    random_id = peewee.BigIntegerField()
    state = peewee.TextField(default="waiting")  # waiting claimed sent failed blocked skipped deleted
    attempts = peewee.IntegerField(default=0)
    message_id = peewee.IntegerField(null=True)  # None of a sent one: Telegram only said that it had it already
    at = peewee.IntegerField(null=True)  # when it came into its state

    class Meta:
        indexes = ((("broadcast", "user"), True), (("broadcast", "state"), False))


class Export(Table):
    """A person waits for the file with what is stored about them."""

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
    attempts = peewee.IntegerField(default=0)  # that failed
    not_before = peewee.IntegerField()
    asked_at = peewee.IntegerField()


class Erasure(Table):
    """A person's data is being deleted. The row goes with the last of it."""

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
    language = peewee.TextField(null=True)  # in which to tell the person at the end; None: they know
    asked_at = peewee.IntegerField()


class Heartbeat(Table):
    """The newest heartbeat of each program, with what the program says about its parts."""

    program = peewee.TextField(primary_key=True)
    detail = JSONText(default=dict)
    at = peewee.IntegerField()


class Incident(Table):
    """Something that is wrong. The admins hear once when it begins and once when it ends."""

    key = peewee.TextField(index=True)
    text = peewee.TextField()
    opened_at = peewee.IntegerField()
    closed_at = peewee.IntegerField(null=True)
    in_words = JSONText(null=True)  # what is read in place of the text, by language


class CatalogueVersion(Table):
    """What ``plans.toml`` said, or was to say: whatever was put there, also if it cannot be used."""

    text = peewee.TextField()
    author = peewee.TextField()  # file, or the id of the admin who wrote it in the console
    digest = peewee.TextField()  # SHA-256 of the text
    at = peewee.IntegerField()


class Audit(Table):
    """What somebody of the team did, or was refused, append-only: triggers refuse every change but one.

    Only while a person is being erased, their id in ``user_id`` may become a pseudonym, which is negative.
    """

    at = peewee.IntegerField()
    by = peewee.BigIntegerField()
    role = peewee.TextField()  # admin helper none
    via = peewee.TextField()  # chat browser mini_app setup
    act = peewee.TextField()  # see models.roles
    user_id = peewee.BigIntegerField(null=True, index=True)  # the customer whom it concerns
    detail = JSONText(default=dict)
    refused = peewee.TextField(null=True)  # why it was not done

    class Meta:
        indexes = ((("by", "id"), False),)


class ConsoleLink(Table):
    """A link that logs its owner into the console, once."""

    digest = peewee.TextField(primary_key=True)  # SHA-256 of its token
    user_id = peewee.BigIntegerField()
    expires_at = peewee.IntegerField(index=True)


class ConsoleLaunch(Table):
    """Launch data of a Mini App that was used: it logs in once."""

    digest = peewee.TextField(primary_key=True)  # SHA-256 of its hash
    expires_at = peewee.IntegerField(index=True)


class ConsoleSession(Table):
    """Somebody of the team who is logged in to the console."""

    digest = peewee.TextField(unique=True)  # SHA-256 of the cookie's token
    user_id = peewee.BigIntegerField(index=True)
    kind = peewee.TextField()  # browser mini_app
    device = peewee.TextField(default="")
    theme = JSONText(default=dict)  # colours of the Telegram application: name -> #rrggbb
    began_at = peewee.IntegerField()
    seen_at = peewee.IntegerField()
    ended_at = peewee.IntegerField(null=True)
    notice = JSONText(null=True)  # what the next page tells first: [tone, text]


class Account(Table):
    """A Telegram account that reads posts, or may. Its session opens with ``SECRET_KEY`` alone."""

    user_id = peewee.BigIntegerField(null=True)  # Telegram's own id, once it has been connected
    name = peewee.TextField(default="")
    username = peewee.TextField(null=True)
    session = peewee.TextField(null=True)  # encrypted; None: that of TELEGRAM_SESSION_STRING
    mark = peewee.TextField()  # a keyed hash of the session
    state = peewee.TextField(default="standby")  # active standby paused revoked banned frozen
    reason = peewee.TextField(default="")  # what Telegram said
    since = peewee.IntegerField()  # when it came into its state
    chosen_at = peewee.IntegerField(null=True)  # when it was made the one that reads
    seen_at = peewee.IntegerField(null=True)  # when it was last connected
    floods = JSONText(default=dict)  # Telegram's method -> until when it asks for a pause
    lease_owner = peewee.TextField(null=True)  # the process that uses it now
    lease_until = peewee.IntegerField(null=True)


class AccountLogin(Table):
    """An account that is being logged in. What was typed is encrypted for one process, and deleted once it is read."""

    how = peewee.TextField()  # number qr
    by = peewee.BigIntegerField(null=True)  # the admin; None: the set-up
    reads = peewee.BooleanField(default=False)  # it is to become the one that reads
    key = peewee.TextField()  # the public key of the daemon that carries it out
    step = peewee.TextField()  # number code password scan
    state = peewee.TextField(default="asked")  # asked answered done ended
    sealed = peewee.TextField(null=True)
    wrong = peewee.IntegerField(default=0)  # wrong answers to the present question
    codes = peewee.IntegerField(default=0)  # codes that Telegram was asked for
    said = JSONText(default=dict)  # where the code is, what was wrong, the QR code (encrypted)
    account = peewee.ForeignKeyField(Account, null=True, on_delete="SET NULL")
    at = peewee.IntegerField()
    expires_at = peewee.IntegerField()


class Override(Table):
    """A setting that an admin has changed while the programs run, append-only: the newest row of a name holds."""

    name = peewee.TextField()
    value = peewee.TextField(null=True)  # None: the default again
    author = peewee.BigIntegerField()
    at = peewee.IntegerField()


class Note(Table):
    """A small named value: the webhook's id, the newest Stars transaction that was read."""

    key = peewee.TextField(primary_key=True)
    value = JSONText(null=True)
    at = peewee.IntegerField()


TABLES: tuple[type[Table], ...] = (
    User, CustomerNote, Relay, Order, Subscription, SubscriptionReport, Payment, Refund, Dispute, PaymentHistory,
    Adjustment, Code, Redemption, Request, WebhookEvent, Batch, Job, Line, Budget, Upload, Usage, CreditUse,
    ReferralLink, Referral, ReferralPayment, Complaint, BlockedPost, BlockedFile, DailyTotal, Imported, Source, Lookup,
    ListedChat, SourceOpening, Join, CachedMedia, Event, Consent, Broadcast, BroadcastRecipient, Export, Erasure,
    Heartbeat, Incident, CatalogueVersion, Audit, ConsoleLink, ConsoleLaunch, ConsoleSession, Note, IncomeDay, DayCount,
    Override, Account, AccountLogin,
)  # fmt: skip
