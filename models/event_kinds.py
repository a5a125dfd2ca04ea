"""What the outbox can tell: a dataclass for each kind of event, which is stored as JSON under the names of its fields.

Rows that earlier versions wrote stay readable: keys that a dataclass does not know are left out, and a field that was
added later has a default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self

from config.plans import Period


class EventKind(StrEnum):
    """The kinds of events, as they are stored."""

    PAYMENT_COMPLETED = "payment_completed"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_DENIED = "payment_denied"
    PAYMENT_REVERSED = "payment_reversed"
    PAYMENT_REFUNDED = "payment_refunded"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_CLOSED = "dispute_closed"
    SUBSCRIPTION_RESUMED = "subscription_resumed"
    SUBSCRIPTION_SUSPENDED = "subscription_suspended"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    SUBSCRIPTION_EXPIRED = "subscription_expired"
    SUBSCRIPTION_PAYMENT_FAILED = "subscription_payment_failed"
    ACCESS_GIVEN = "access_given"
    ACCESS_TAKEN = "access_taken"
    ACCESS_ENDING = "access_ending"
    ACCESS_ENDED = "access_ended"
    REFERRAL_REWARD = "referral_reward"
    GIFT_TAKEN = "gift_taken"
    GIFT_WAITING = "gift_waiting"
    GIFT_CHANGED = "gift_changed"
    CODES_HELD = "codes_held"
    CHECKOUT_CANCELLED = "checkout_cancelled"
    CHECKOUT_REFUSED = "checkout_refused"
    REQUEST_DONE = "request_done"
    DATA_ERASED = "data_erased"
    JOB_FINISHED = "job_finished"
    JOB_HELD = "job_held"
    BATCH_FINISHED = "batch_finished"
    BATCH_HELD = "batch_held"
    BATCH_REST_HELD = "batch_rest_held"
    BUDGET_SPENT = "budget_spent"
    MESSAGE_RELAYED = "message_relayed"
    MESSAGE_UNHEARD = "message_unheard"
    COMPLAINT_MADE = "complaint_made"
    COMPLAINT_DECIDED = "complaint_decided"
    CONSOLE_ASKED = "console_asked"
    CONSOLE_ENTERED = "console_entered"
    SHOP_NOTICE = "shop_notice"
    NEWS_OFFERED = "news_offered"
    NEWS_PREVIEWED = "news_previewed"
    PICTURE_ASKED = "picture_asked"
    BROADCAST_ANNOUNCED = "broadcast_announced"
    BROADCAST_ENDED = "broadcast_ended"
    BROADCAST_SOLD = "broadcast_sold"
    DIGEST = "digest"
    PRICES_CUT = "prices_cut"
    ACCOUNT_CHANGED = "account_changed"
    ADMIN_ALERT = "admin_alert"
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_CLOSED = "incident_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Values that are stored as JSON under the names of their fields."""

    def stored(self) -> dict[str, Any]:
        """The values as they are stored."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The values of a stored row, whichever version wrote it.

        :raises TypeError: a value that has no default is missing.
        """
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable(Stored):
    """What a post is that has neither a file nor a text: one of ``daemon.transfer.media.items.UNDELIVERABLE``."""

    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload(Stored):
    """What an event tells. Times are Unix seconds, amounts minor units of their currency."""

    event_kind: ClassVar[EventKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataErased(Payload):
    """What was stored about the person is deleted; it took a while. ``language`` is the one that they had."""

    event_kind: ClassVar = EventKind.DATA_ERASED
    language: str


# Payments and disputes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPayload(Payload):
    """What all news of a payment tells. ``order`` is the public id of the order that it paid."""

    payment: int
    provider: str
    remote_id: str
    amount: int
    currency: str
    order: str
    plan: str
    purpose: str
    level: int
    renewal: bool
    """A later period of a subscription was paid."""
    again: bool
    """The order had been paid before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCompleted(PaymentPayload):
    """The money arrived.

    ``until`` is the end of the customer's time of that level, None when there is none or it has no end; of a
    subscription it is the end of the period that was paid, and ``renews`` says that it is charged again then. A pack
    brings ``count`` deliveries of ``kind``.
    """

    event_kind: ClassVar = EventKind.PAYMENT_COMPLETED
    until: int | None
    forever: bool
    renews: bool = False
    kind: str | None = None
    count: int | None = None
    code: str | None = None
    """Of a gift: which opens it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPending(PaymentPayload):
    """The provider still checks the payment."""

    event_kind: ClassVar = EventKind.PAYMENT_PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDenied(PaymentPayload):
    """The provider declined the payment."""

    event_kind: ClassVar = EventKind.PAYMENT_DENIED


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReversed(PaymentPayload):
    """The provider took the money back."""

    event_kind: ClassVar = EventKind.PAYMENT_REVERSED


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded(PaymentPayload):
    """Money went back to the customer: ``refunded`` now, ``returned`` in all. ``refund`` is the refund's remote id."""

    event_kind: ClassVar = EventKind.PAYMENT_REFUNDED
    refund: str
    refunded: int
    returned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(PaymentPayload):
    """The customer disputes the payment. ``dispute`` is the dispute's remote id."""

    event_kind: ClassVar = EventKind.DISPUTE_OPENED
    dispute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(PaymentPayload):
    """The dispute was decided; ``won`` when the money stays with the operator.

    Otherwise the customer got ``part`` of the payment back, or all of it where None.
    """

    event_kind: ClassVar = EventKind.DISPUTE_CLOSED
    dispute: str
    won: bool
    part: int | None = None


# Subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPayload(Payload):
    """What all news of a subscription tells. ``period_end`` is how far the subscription is paid.

    ``until`` is when the customer's time of that level ends, 0 when nothing is left. None: an earlier version wrote it.
    """

    subscription: int
    user: int
    provider: str
    remote_id: str
    plan: str
    amount: int
    currency: str
    period_end: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionResumed(SubscriptionPayload):
    """The subscription renews again."""

    event_kind: ClassVar = EventKind.SUBSCRIPTION_RESUMED


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSuspended(SubscriptionPayload):
    """The provider stopped charging for the subscription, and may begin again."""

    event_kind: ClassVar = EventKind.SUBSCRIPTION_SUSPENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionCancelled(SubscriptionPayload):
    """The subscription renews no more."""

    event_kind: ClassVar = EventKind.SUBSCRIPTION_CANCELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionExpired(SubscriptionPayload):
    """The subscription has ended."""

    event_kind: ClassVar = EventKind.SUBSCRIPTION_EXPIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPaymentFailed(SubscriptionPayload):
    """A renewal could not be collected."""

    event_kind: ClassVar = EventKind.SUBSCRIPTION_PAYMENT_FAILED


# Access


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGiven(Payload):
    """Time of a level was given: one of ``seconds``, ``until`` and ``forever``.

    A code gives what the ``plan`` or pack of that code holds: a pack ``count`` deliveries of ``kind``.
    """

    event_kind: ClassVar = EventKind.ACCESS_GIVEN
    level: int
    seconds: int | None
    until: int | None
    forever: bool
    reason: str = ""
    plan: str | None = None
    kind: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTaken(Payload):
    """The operator took time back: of all levels when ``level`` is None, all of it when ``seconds`` is None."""

    event_kind: ClassVar = EventKind.ACCESS_TAKEN
    level: int | None
    seconds: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEnding(Payload):
    """The customer's access ends in ``days`` days."""

    event_kind: ClassVar = EventKind.ACCESS_ENDING
    until: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEnded(Payload):
    """The customer's access has ended by itself."""

    event_kind: ClassVar = EventKind.ACCESS_ENDED
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralReward(Payload):
    """A ``change`` of a reward for a referral: ``seconds`` of ``level``, for the referrer or the friend (``side``)."""

    event_kind: ClassVar = EventKind.REFERRAL_REWARD
    change: str
    side: str
    level: int
    seconds: int


# Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftTaken(Payload):
    """Somebody has taken what the customer has bought for them."""

    event_kind: ClassVar = EventKind.GIFT_TAKEN
    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftWaiting(Payload):
    """Nobody has taken the gift yet. Its ``payment`` goes back on request until ``refundable_until``, if that comes."""

    event_kind: ClassVar = EventKind.GIFT_WAITING
    plan: str
    code: str
    payment: int
    amount: int
    currency: str
    days: int
    refundable_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftChanged(Payload):
    """Something happened to the payment of a gift that the customer has: an event of kind ``about``.

    A ``part`` of the money went back, or all of it; after a dispute none, where the shop ``won``.
    """

    event_kind: ClassVar = EventKind.GIFT_CHANGED
    plan: str
    about: str
    won: bool = False
    part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesHeld(Payload):
    """A restore holds the codes that were open in the backup: so many ``count``, of which some ``shown``."""

    event_kind: ClassVar = EventKind.CODES_HELD
    count: int
    shown: Sequence[str]


# Orders and requests


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutCancelled(Payload):
    """The customer left the provider's page without paying. ``order`` is the order's public id."""

    event_kind: ClassVar = EventKind.CHECKOUT_CANCELLED
    order: str
    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRefused(Payload):
    """The provider refused to take the money, and the payer may pay in another way, at ``url`` for instance."""

    event_kind: ClassVar = EventKind.CHECKOUT_REFUSED
    order: str
    plan: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDone(Payload):
    """Remote work that somebody asked for has ended. ``kind`` is the request's; ``about`` the customer it concerns.

    ``returned``: a refund which its own customer asked for.
    """

    event_kind: ClassVar = EventKind.REQUEST_DONE
    request: int
    kind: str
    ok: bool
    result: str
    payment: int | None = None
    remote_id: str | None = None
    currency: str | None = None
    subscription: int | None = None
    argument: str = ""
    amount: int | None = None
    about: int | None = None
    returned: bool = False


# Deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class OverLimit(Stored):
    """A post holds ``wanted`` media of ``kind``. The plan allows ``limit`` a ``period``; ``used`` were used."""

    kind: str
    limit: int
    period: Period
    used: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge(Stored):
    """A file of ``size`` bytes where at most ``limit`` are allowed."""

    size: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFollowed(Stored):
    """The account is in a chat: ``invitation`` is ``joined``, or ``already_member`` when it was there before."""

    invitation: str
    chat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished(Payload):
    """A single link has ended.

    ``used`` is what was charged, by kind of media. ``detail`` holds the values that the words need, which depend on
    ``state`` and ``reason``.
    """

    event_kind: ClassVar = EventKind.JOB_FINISHED
    job: int
    state: str
    reason: str | None
    used: Mapping[str, int] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHeld(Payload):
    """A limit holds a single link until its customer can have it.

    ``reason`` and ``detail`` are those of a refusal. The post needs so many ``wants`` of each kind, with files of up to
    ``largest`` bytes; ``missing`` of ``kind`` are not paid, by the plan or a pack. 0: no pack alone brings them.
    """

    event_kind: ClassVar = EventKind.JOB_HELD
    job: int
    reason: str
    detail: Mapping[str, Any]
    kind: str
    missing: int
    wants: Mapping[str, int]
    largest: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFinished(Payload):
    """All links of a batch have ended."""

    event_kind: ClassVar = EventKind.BATCH_FINISHED
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHeld(Payload):
    """A limit has stopped a batch at ``job``; the values are those of :class:`OverLimit`.

    The files of ``kind`` in the post of that job have up to ``largest`` bytes; those of the others are not known.
    """

    event_kind: ClassVar = EventKind.BATCH_HELD
    batch: int
    kind: str
    limit: int
    period: Period
    used: int = 0
    wanted: int = 1
    job: int = 0
    largest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRestHeld(Payload):
    """The links of a batch that could go on have ended. Limits hold the rest, each its own: a size, a kind left out."""

    event_kind: ClassVar = EventKind.BATCH_REST_HELD
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpent(Payload):
    """The customer has used up a budget of ``limit`` in ``seconds``, which goes on at ``until``.

    Of the message that met it ``taken`` links were taken and ``left_out`` were not.
    """

    event_kind: ClassVar = EventKind.BUDGET_SPENT
    purpose: str
    limit: int
    seconds: int
    until: int
    taken: int
    left_out: int


# Between the operator and customers


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRelayed(Payload):
    """Somebody writes to the receiver through the bot: the operator to a customer, or a customer who answers."""

    event_kind: ClassVar = EventKind.MESSAGE_RELAYED
    sender: int
    text: str
    from_operator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnheard(Payload):
    """What the receiver wrote through the bot reached nobody: its reader has blocked the bot, or is gone.

    ``customer`` is to whom the operator wrote; None where a customer wrote to the operator.
    """

    event_kind: ClassVar = EventKind.MESSAGE_UNHEARD
    customer: int | None


# Complaints


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintMade(Payload):
    """Somebody complains about the post behind ``link``; for admins. ``reporter`` None: by the page."""

    event_kind: ClassVar = EventKind.COMPLAINT_MADE
    complaint: int
    number: str
    link: str
    text: str
    reporter: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintDecided(Payload):
    """What became of the complaint of this ``number``; for who made it."""

    event_kind: ClassVar = EventKind.COMPLAINT_DECIDED
    number: str
    link: str
    decision: str


# The console


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleAsked(Payload):
    """Somebody of the team needs a link into the console, to ``path``. It is made when it is sent."""

    event_kind: ClassVar = EventKind.CONSOLE_ASKED
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleEntered(Payload):
    """Somebody logged in to the console as the receiver, in a ``browser`` or a ``mini_app``, on ``device``."""

    event_kind: ClassVar = EventKind.CONSOLE_ENTERED
    kind: str
    device: str
    at: int


# For admins


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopNotice(Payload):
    """Something happened in the shop: ``told`` is what the customer hears of it, an event of kind ``about``."""

    event_kind: ClassVar = EventKind.SHOP_NOTICE
    about: str
    customer: int
    told: Mapping[str, Any]

    @property
    def event(self) -> Payload | None:
        """What the customer hears; None when this version does not know its kind."""
        return read(self.about, self.told)


# News


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsOffered(Payload):
    """The customer is asked whether they want news."""

    event_kind: ClassVar = EventKind.NEWS_OFFERED


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsPreviewed(Payload):
    """An admin wants to see in their chat how their draft ``broadcast`` will look."""

    event_kind: ClassVar = EventKind.NEWS_PREVIEWED
    broadcast: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureAsked(Payload):
    """An admin wants to send a picture or video, from their chat, for their draft ``broadcast``."""

    event_kind: ClassVar = EventKind.PICTURE_ASKED
    broadcast: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastAnnounced(Payload):
    """The admin ``by`` has news go out to many people, from ``at`` on. Any admin can stop it."""

    event_kind: ClassVar = EventKind.BROADCAST_ANNOUNCED
    broadcast: int
    by: int
    recipients: int
    at: int
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastEnded(Payload):
    """News has gone out, or was stopped, or deleted again. ``counts``: how many recipients are in which state."""

    event_kind: ClassVar = EventKind.BROADCAST_ENDED
    broadcast: int
    state: str
    counts: Mapping[str, int]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastSold(Payload):
    """What the ``sent`` recipients of news bought within three days: currency, how many, minor units net."""

    event_kind: ClassVar = EventKind.BROADCAST_SOLD
    broadcast: int
    sales: Sequence[Sequence[Any]]
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest(Payload):
    """What happened until yesterday. Sums are ``[currency, payments, net in minor units]``.

    ``days`` is the net income of the last 30 days in ``currency``, the one of the most payments; ``lost`` are customers
    whose paid access ended yesterday; ``refused`` is how many links were, by reason; ``helped`` is what helpers did, by
    act.
    """

    event_kind: ClassVar = EventKind.DIGEST
    day: int
    yesterday: Sequence[Sequence[Any]]
    week: Sequence[Sequence[Any]]
    month: Sequence[Sequence[Any]]
    currency: str | None
    days: Sequence[int]
    new: int
    lost: int
    delivered: int
    refused: Mapping[str, int]
    incidents: Sequence[str]
    account: str
    helped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesCut(Payload):
    """An admin has cut prices by more than half, in a version of the plans. ``in_words``: what changed, by language."""

    event_kind: ClassVar = EventKind.PRICES_CUT
    version: int
    by: int
    codes: Sequence[str]
    in_words: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged(Payload):
    """Something was done with an account that reads posts, ``by`` an admin, or by the set-up.

    ``what`` is ``added_reader``, ``added_standby``, ``reader``, ``paused``, ``forgotten``, or ``lost_standby``: its
    login was ended by Telegram, or its session does not open.
    """

    event_kind: ClassVar = EventKind.ACCOUNT_CHANGED
    what: str
    account: int
    name: str
    by: int | None = None


class AlertReason(StrEnum):
    """What an admin must look into, as it is stored."""

    UNKNOWN_ORDER = "unknown_order"
    WRONG_USER = "wrong_user"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_PROVIDER = "wrong_provider"
    AMOUNT_CHANGED = "amount_changed"
    BANNED_USER_PAID = "banned_user_paid"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_UNEXPLAINED = "dispute_unexplained"
    ORDER_MISMATCH = "order_mismatch"
    PAYPAL_ACCOUNT = "paypal_account"
    PAYPAL_REFUSAL = "paypal_refusal"
    REFUND_OPEN = "refund_open"
    DISPUTE_UNREADABLE = "dispute_unreadable"
    TRANSACTION_UNREADABLE = "transaction_unreadable"
    WEBHOOK_UNEXPLAINED = "webhook_unexplained"
    MONEY_NOT_IN_LEDGER = "money_not_in_ledger"
    MONEY_NOT_AT_PROVIDER = "money_not_at_provider"
    DATABASE_RESTORED = "database_restored"
    EVENT_NOT_TOLD = "event_not_told"
    SECOND_SUBSCRIPTION = "second_subscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAlert(Payload):
    """Something that an admin must look into: ``reason`` is an :class:`AlertReason`, ``detail`` what it concerns.

    Both are stored side by side. A reason of another version is read as it stands.
    """

    event_kind: ClassVar = EventKind.ADMIN_ALERT
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """The reason, then the details beside it."""
        return {"reason": self.reason, **self.detail}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Whatever stands beside the reason is detail."""
        return cls(reason=stored["reason"], detail={name: value for name, value in stored.items() if name != "reason"})


class IncidentKey(StrEnum):
    """What is wrong, as it is stored. At most one incident of a key is open."""

    ACCOUNT_REVOKED = "account_revoked"
    ACCOUNT_UNOPENABLE = "account_unopenable"
    ACCOUNT_BANNED = "account_banned"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_LIMITED = "account_limited"
    ACCOUNT_FLAGGED = "account_flagged"
    BACKUP_FAILED = "backup_failed"
    BACKUP_COPY_FAILED = "backup_copy_failed"
    BACKUP_COPY_ELSEWHERE = "backup_copy_elsewhere"
    BACKUP_COPIES_KEPT = "backup_copies_kept"
    CANARY_FAILED = "canary_failed"
    CHORE_FAILING = "chore_failing"
    CRASH_LOOP = "crash_loop"
    DISK_FULL = "disk_full"
    DISK_NEARLY_FULL = "disk_nearly_full"
    DISPUTES_REFUSED = "disputes_refused"
    LEDGER_CONTRADICTS_ITSELF = "ledger_contradicts_itself"
    PAYPAL_AWAY = "paypal_away"
    PAYPAL_DENIED = "paypal_denied"
    PAYPAL_LEFT = "paypal_left"
    PLANS_REFUSED = "plans_refused"
    REPORT_REFUSED = "report_refused"
    WEBHOOK_MISSING = "webhook_missing"
    WEBHOOKS_FAILING = "webhooks_failing"


OF_THE_ACCOUNT = (
    IncidentKey.ACCOUNT_REVOKED,
    IncidentKey.ACCOUNT_UNOPENABLE,
    IncidentKey.ACCOUNT_BANNED,
    IncidentKey.ACCOUNT_FROZEN,
)
"""What another account takes care of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Payload):
    """Something is wrong: ``key`` is an :class:`IncidentKey`, ``text`` says more; so do ``in_words``, by language.

    ``standbys``: ids and names of the accounts that can take the place of a lost one.
    """

    event_kind: ClassVar = EventKind.INCIDENT_OPENED
    key: str
    text: str
    in_words: Mapping[str, str] = field(default_factory=dict)
    standbys: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed(Payload):
    """An incident is over, after so many seconds."""

    event_kind: ClassVar = EventKind.INCIDENT_CLOSED
    key: str
    seconds: int
    text: str = ""


PAYLOADS: Mapping[EventKind, type[Payload]] = {
    payload.event_kind: payload
    for payload in (
        PaymentCompleted, PaymentPending, PaymentDenied, PaymentReversed, PaymentRefunded, DisputeOpened,
        DisputeClosed, SubscriptionResumed, SubscriptionSuspended, SubscriptionCancelled, SubscriptionExpired,
        SubscriptionPaymentFailed, AccessGiven, AccessTaken, AccessEnding, AccessEnded, ReferralReward, GiftTaken,
        GiftWaiting, GiftChanged, CodesHeld, ComplaintMade, ComplaintDecided, CheckoutCancelled, CheckoutRefused,
        RequestDone, DataErased, JobFinished, JobHeld, BatchFinished, BatchHeld, BatchRestHeld, BudgetSpent,
        MessageRelayed, MessageUnheard, ConsoleAsked, ConsoleEntered, ShopNotice, NewsOffered, NewsPreviewed,
        PictureAsked, BroadcastAnnounced, BroadcastEnded, BroadcastSold, Digest, AdminAlert, IncidentOpened,
        IncidentClosed, PricesCut, AccountChanged,
    )
}  # fmt: skip


def read(kind: str, stored: Mapping[str, Any]) -> Payload | None:
    """The payload of a stored row; None when its kind is not known: a newer or older version wrote it.

    :raises TypeError: a value that has no default is missing.
    """
    payload = PAYLOADS.get(EventKind(kind)) if kind in set(EventKind) else None
    return None if payload is None else payload.read(stored)
