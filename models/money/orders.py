"""What customers want to buy: plan, price and duration at the moment of the order.

An edit of the plans changes no order. A payment counts for its order in any state of the order.
"""

import hashlib
import hmac
import re
import secrets
import string
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Literal

import peewee
from itsdangerous import BadData, URLSafeSerializer

from config.plans import KINDS, Article, Pack, Plans
from config.settings import Settings
from config.units import DAY_S, MIB
from models import outbox
from models.database import fetch, joined_transaction, transaction
from models.errors import AlreadySubscribed, NotFound, TokenExpired, TokenForged
from models.event_kinds import AdminAlert, AlertReason, CheckoutCancelled, CheckoutRefused
from models.money import subscriptions
from models.money.providers import PAYPAL, TRAITS, Provider
from models.money.vouchers import texts
from models.tables import Code, Order, Payment, User
from models.users import UserInfo

REUSE_MARGIN_S = 900
"""Seconds that an order must have left to be offered again: the customer needs time to pay."""

CHECKOUT_S = 60
"""Seconds after which a checkout without a payment has failed, so that another one may pay the order: Telegram
completes a payment within seconds of our answer."""

PUBLIC_ID = re.compile(
    r"(?P<chance>[0-9a-f]{12})[0-9a-f]{12}-(?P<user>[0-9]{1,16})-(?P<plan>[a-z0-9_]{1,32})"
    r"(?:-(?P<purpose>[pkgt])(?P<code>[0-9A-Z]{12})?-(?P<amount>[0-9a-z]{1,7})-(?P<seconds>[0-9a-z]{1,7})"
    r"(?:-(?P<kind>[a-z])(?P<count>[0-9a-z]{1,4})-(?P<mib>[0-9a-z]{1,4}))?-(?P<signature>[0-9a-f]{16}))?"
)
"""The id of an order that providers see. It holds what was sold to whom, so that a lost order can be recreated from it.

The second half of the digits marks the bot that sold it, see :func:`is_sold_by`: two bots may share a PayPal account.
Numbers are in base 36. A signature ends the id; older orders lack it, and all behind the plan's code. An id with a
code, of a gift or a discount, holds days for seconds: PayPal takes 127 characters.
"""

_LETTERS = {"plan": "p", "pack": "k", "gift": "g", "test": "t"}
_PURPOSES = {letter: purpose for purpose, letter in _LETTERS.items()}
_KINDS = {kind[0]: kind for kind in KINDS}
_DIGITS = string.digits + string.ascii_lowercase

POLL_EVERY_S = 60
POLL_AT_MOST_S = 1800


class OrderState(StrEnum):
    """The state of an order."""

    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.OPEN: frozenset({OrderState.PAID, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.FAILED}),
    OrderState.CANCELLED: frozenset({OrderState.PAID}),
    OrderState.EXPIRED: frozenset({OrderState.PAID}),
    OrderState.FAILED: frozenset({OrderState.PAID}),
    OrderState.PAID: frozenset(),
}

UNPAID = tuple(state for state in OrderState if state is not OrderState.PAID)


@dataclass(frozen=True, slots=True)
class OrderInfo:
    """An order. ``public_id`` is the id that providers see; ``amount`` is in minor units; ``seconds`` is what it buys.

    ``purpose`` is ``plan``, ``pack``, ``gift`` for somebody else, or ``test`` for a purchase that grants nothing.
    ``refused_at`` is when the provider refused to take the money: until its payer acts, nothing is taken. A pack holds
    ``count`` deliveries of ``kind``, of files up to ``max_bytes``. ``code`` opens a gift; of other orders it is the
    discount code without which the price would be ``list_amount``.
    """

    id: int
    public_id: str
    user_id: int
    plan_code: str
    level: int
    seconds: int
    amount: int
    currency: str
    provider: str
    renews: bool
    purpose: str
    state: OrderState
    remote_id: str | None
    approve_url: str | None
    checkout_started_at: int | None
    looks: int
    expires_at: int
    created_at: int
    refused_at: int | None = None
    kind: str | None = None
    count: int | None = None
    max_bytes: int | None = None
    code: str | None = None
    list_amount: int | None = None

    @property
    def is_left_to_its_payer(self) -> bool:
        """Whether it is open and not polled: the payer's card was declined, and they may choose another."""
        return self.state is OrderState.OPEN and self.refused_at is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a checkout may go on. ``reason`` is empty, or a code for which the screens have a text."""

    ok: bool
    reason: str = ""


Purpose = Literal["plan", "test", "gift"]
"""What an article is bought for: oneself, nothing, somebody else."""


@dataclass(frozen=True, slots=True)
class Discount:
    """A discount code: so many ``percent`` off the price of what does not renew."""

    code: str
    percent: int

    def of(self, price: int) -> int:
        """What is left of a price, in its minor units: rounded up, and so never nothing."""
        return -(-price * (100 - self.percent) // 100)


@dataclass(frozen=True, slots=True)
class PayToken:
    """The content of a payment link: the customer, the plan, what for, with which discount code, for which held job."""

    user_id: int
    plan_code: str
    purpose: Purpose = "plan"
    code: str | None = None
    job: int | None = None


def create(
    user_id: int,
    article: Article,
    provider: Provider,
    currency: str,
    *,
    seller: int,
    now: int,
    secret: str,
    purpose: Purpose = "plan",
    discount: Discount | None = None,
) -> OrderInfo:
    """Return the order for this purchase: the open one for the same article at the same price, else a new one.

    *seller* is the id of the bot, *secret* what signs the order's id. A gift never renews.

    :raises AlreadySubscribed: the plan renews, and the customer is subscribed to it already.
    :raises KeyError: the article has no price in this currency.
    :raises ValueError: a discount on what renews, or on a gift.
    """
    renews = article.renews and purpose != "gift"
    if discount is not None and (renews or purpose == "gift"):
        raise ValueError("a discount is for one purchase for oneself")
    bought = {
        "user": user_id,
        "provider": provider,
        "renews": renews,
        "purpose": "pack" if isinstance(article, Pack) and purpose == "plan" else purpose,
        **_content(article),
        **_price(article, currency, discount),
    }
    with joined_transaction():
        if renews:
            _refuse_second_subscription(user_id, article.code)
        row = _reusable(bought, now)
        if row is None:
            life_s = TRAITS[provider].order_life_s
            bought["code"] = texts.new() if purpose == "gift" else bought["code"]
            public_id = _new_id(bought, seller, secret)
            row = Order.create(public_id=public_id, expires_at=now + life_s, created_at=now, **bought)
        return info(row)


def _price(article: Article, currency: str, discount: Discount | None) -> dict[str, Any]:
    full = article.prices[currency]
    if discount is None:
        return {"amount": full, "currency": currency, "code": None, "list_amount": None}
    return {"amount": discount.of(full), "currency": currency, "code": discount.code, "list_amount": full}


def _content(article: Article) -> dict[str, Any]:
    """What is sold, as columns of its order: a plan holds no deliveries."""
    sold = {"plan_code": article.code, "level": article.level, "seconds": article.seconds}
    if isinstance(article, Pack):
        return sold | {"kind": article.kind, "count": article.count, "max_bytes": article.max_bytes}
    return sold | {"kind": None, "count": None, "max_bytes": None}


def _new_id(bought: Mapping[str, Any], seller: int, secret: str) -> str:
    code, seconds = bought["code"] or "", bought["seconds"]
    span = seconds // DAY_S if code else seconds
    terms = [f"{_LETTERS[bought['purpose']]}{code}", _base36(bought["amount"]), _base36(span)]
    if bought["kind"] is not None:
        terms += [f"{bought['kind'][0]}{_base36(bought['count'])}", _base36(bought["max_bytes"] // MIB)]
    chance, rest = secrets.token_hex(6), "-".join((str(bought["user"]), bought["plan_code"], *terms))
    return _public_id(seller, chance, f"{rest}-{_signature(secret, chance, rest, bought['currency'])}")


def _signature(secret: str, chance: str, rest: str, currency: str) -> str:
    said = f"order:{chance}:{rest}:{currency}".encode()
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()[:16]


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


def is_sold_by(seller: int, public_id: str) -> bool:
    """Whether an order of this bot has this id. Ids of another bot, and of other programs, look different."""
    chance, rest = public_id[:12], public_id[25:]
    return bool(PUBLIC_ID.fullmatch(public_id)) and public_id == _public_id(seller, chance, rest)


def _public_id(seller: int, chance: str, rest: str) -> str:
    mark = hashlib.sha256(f"{seller}:{chance}:{rest}".encode()).hexdigest()[: len(chance)]
    return f"{chance}{mark}-{rest}"


def is_as_its_id_says(order: OrderInfo) -> bool:
    """Whether a pack's order holds what the id holds that was made for it: to whom, what and for how much."""
    match = PUBLIC_ID.fullmatch(order.public_id)
    if match is None or match["kind"] is None:
        return False
    said = {"user_id": int(match["user"]), "plan_code": match["plan"], "amount": int(match["amount"], 36)}
    return all(getattr(order, name) == value for name, value in (said | _named(match)).items())


def recall(
    public_id: str, provider: str, amount: int, currency: str, *, plans: Plans, secret: str, at: int, now: int
) -> OrderInfo | None:
    """Return the order that was paid under this id. It is recreated if a restored backup is older than the order.

    A signed id says what was sold, and for how much. Of one that is not, or was signed with another key, the plan is
    today's, and must have the price that was paid: a forged id buys no more than its payment, for the customer that it
    names. Returns None if there is no such order and none can be recreated. *at* is when the provider first saw the id,
    or later.
    """
    known, match = by_public(public_id), PUBLIC_ID.fullmatch(public_id)
    sold = _sold(match, amount, currency, plans, secret=secret) if match and known is None else None
    if match is None or sold is None:
        return known
    full = _full_price(sold, amount, plans.article(match["plan"]), currency)
    with transaction():
        User.insert(id=int(match["user"]), created_at=at, seen_at=at).on_conflict_ignore().execute()
        row = Order.create(
            public_id=public_id,
            user=int(match["user"]),
            plan_code=match["plan"],
            amount=amount,
            currency=currency,
            provider=provider,
            list_amount=full,
            **sold,
            expires_at=now + REUSE_MARGIN_S,  # too soon to be offered again
            created_at=at,
        )
        return info(row)


def _sold(match: re.Match[str], amount: int, currency: str, plans: Plans, secret: str) -> dict[str, Any] | None:
    """What an order of this id sold, as columns; None where nobody knows, or the payment is not its price."""
    if not _is_signed(match, amount, currency, secret):
        plan = plans.by_code(match["plan"])
        if plan is None or plan.prices.get(currency) != amount:
            return None
        return {"level": plan.level, "seconds": plan.seconds, "renews": plan.renews}
    sold = _named(match)
    if match["kind"] is not None:
        return sold | {"level": 0}
    plan = plans.remembered(match["plan"])
    renews = plan is not None and plan.renews and not match["code"]
    return None if plan is None else sold | {"level": plan.level, "renews": renews}


def _full_price(sold: Mapping[str, Any], amount: int, article: Article | None, currency: str) -> int | None:
    """What an order with a discount would have cost without it; None of one without, and where nobody knows.

    Where today's price is another one, it is the highest that the discount makes *amount* of.
    """
    if not sold.get("code") or sold["purpose"] == "gift":
        return None
    code: Any = Code.get_or_none((Code.text == sold["code"]) & Code.percent.is_null(False))
    today = article.prices.get(currency, 0) if article else 0
    if code is None:
        return today if today > amount else None
    off = Discount(code.text, code.percent)
    return today if off.of(today) == amount else amount * 100 // (100 - off.percent)


def _named(match: re.Match[str]) -> dict[str, Any]:
    """What a signed id says of what was sold, as columns."""
    unit = DAY_S if match["code"] else 1
    purpose, seconds = _PURPOSES[match["purpose"]], int(match["seconds"], 36) * unit
    named = {"purpose": purpose, "seconds": seconds, "code": match["code"]}
    if match["kind"] is None:
        return named
    size, count = int(match["mib"], 36) * MIB, int(match["count"], 36)
    return named | {"kind": _KINDS[match["kind"]], "count": count, "max_bytes": size}


def _is_signed(match: re.Match[str], amount: int, currency: str, secret: str) -> bool:
    """Whether we made this id, with this key and for this price."""
    if match["signature"] is None or int(match["amount"], 36) != amount:
        return False
    rest = match.string[25:].removesuffix(f"-{match['signature']}")
    return hmac.compare_digest(_signature(secret, match["chance"], rest, currency), match["signature"])


def get(order_id: int) -> OrderInfo | None:
    """Return an order by its row id, or None."""
    return _found(Order.id == order_id)


def by_public(public_id: str) -> OrderInfo | None:
    """Return an order by the id that providers see, or None."""
    return _found(Order.public_id == public_id)


def by_remote(provider: str, remote_id: str) -> OrderInfo | None:
    """Return an order by the provider's id, or None."""
    return _found((Order.provider == provider) & (Order.remote_id == remote_id))


def open_by_code() -> dict[str, int]:
    """How many open orders there are of each plan or pack: they are paid at the price that they were made with."""
    number = peewee.fn.COUNT(Order.id)
    query = Order.select(Order.plan_code, number).where(Order.state == OrderState.OPEN).group_by(Order.plan_code)
    return {str(code): int(count) for code, count in fetch(query)}


def attach_remote(order_id: int, remote_id: str, now: int, approve_url: str | None = None) -> OrderInfo:
    """Store the provider's id of the order and its approval page, and schedule the polling of it.

    :raises NotFound: no such order.
    """
    values = {"remote_id": remote_id, "approve_url": approve_url, "next_look_at": now + POLL_EVERY_S, "looks": 0}
    with transaction():
        return info(_updated(order_id, **values))


def request_id(order_id: int, call: Literal["create", "capture"], now: int, fresh: bool = False) -> str:
    """Return the idempotency key of an outgoing call, which is stored before the call.

    The key stays the same until *fresh* asks for another: after the provider may have forgotten the old one, and a
    poll has shown that the call did nothing.

    :raises NotFound: no such order.
    """
    column = f"{call}_request_id"
    with transaction():
        row = _updated(order_id)
        present: str | None = getattr(row, column)
        if present is None or fresh:
            present = str(uuid.uuid4())
            _updated(order_id, **{column: present})
        return present


def judge_precheckout(
    order: OrderInfo | None, user: UserInfo | None, amount: int, currency: str, *, now: int, subscribed: bool = False
) -> Verdict:
    """Decide whether a customer may pay this order now. *subscribed*: a subscription renews the plan already.

    Reasons: ``unknown_order banned not_yours already_paid closed expired price already_subscribed``.
    """
    if order is None or user is None:
        return Verdict(False, "unknown_order")
    refusals = (
        (user.banned, "banned"),
        (user.id != order.user_id, "not_yours"),
        (order.state is OrderState.PAID, "already_paid"),
        (order.state is not OrderState.OPEN, "closed"),
        (order.expires_at <= now, "expired"),
        ((amount, currency) != (order.amount, order.currency), "price"),
        (order.renews and subscribed, "already_subscribed"),
    )
    reason = next((reason for refused, reason in refusals if refused), "")
    return Verdict(not reason, reason)


def claim_checkout(order_id: int, now: int) -> bool:
    """Claim the order for one checkout; False if another one is under way or the order is not open.

    Without a payment the claim holds for ``CHECKOUT_S`` seconds.
    """
    with transaction():
        is_open = (Order.id == order_id) & (Order.state == OrderState.OPEN) & (Order.expires_at > now)
        claimable = is_open & ~_is_in_checkout(now)
        return bool(Order.update(checkout_started_at=now).where(claimable).execute())


def _is_in_checkout(now: int) -> Any:
    """Match orders with a checkout under way. One that began later than now was dated by a clock that was ahead."""
    began = Order.checkout_started_at
    return began.is_null(False) & (began > now - CHECKOUT_S) & (began <= now + CHECKOUT_S)


def cancel(order_id: int, now: int) -> bool:
    """Cancel an order that its customer gave up, and tell them. False if it was not open, or a payment exists."""
    with transaction():
        if Order.select().where((Order.id == order_id) & _has_payment()).exists():
            return False
        row = _move_open(order_id, OrderState.CANCELLED)
        if row is not None:
            told = CheckoutCancelled(order=row.public_id, plan=row.plan_code)
            outbox.append(told, row.user_id, now, key=f"checkout_cancelled:{row.id}")
        return row is not None


def expire(order_id: int, now: int) -> bool:
    """End an order that was not paid in time. False if it was not open."""
    with transaction():
        return _move_open(order_id, OrderState.EXPIRED) is not None


def doubt(order_id: int, fault: str, now: int) -> None:
    """Tell the admins, once for each *fault*, that the provider's order differs from ours.

    :raises NotFound: no such order.
    """
    with transaction():
        row = _updated(order_id)
        detail = {"order": row.public_id, "user": row.user_id, "fault": fault}
        alert = AdminAlert(reason=AlertReason.ORDER_MISMATCH, detail=detail)
        outbox.append(alert, None, now, key=f"order_mismatch:{row.id}:{fault}")


def expire_due(now: int) -> int:
    """End the open orders whose time is over; return how many.

    Orders that the provider knows are polled first, unless it has refused to take the money. Those with a payment stay.
    """
    due = (
        (Order.state == OrderState.OPEN)
        & (Order.expires_at <= now)
        & (Order.remote_id.is_null() | Order.refused_at.is_null(False))
        & ~_is_in_checkout(now)
        & ~_has_payment()
    )
    with transaction():
        return int(Order.update(state=OrderState.EXPIRED).where(due).execute())


def to_poll(provider: str, now: int, limit: int = 50) -> list[OrderInfo]:
    """The unpaid orders that the provider knows and whose next poll is due, the longest due first."""
    due = (Order.provider == provider) & Order.state.in_(UNPAID) & (Order.next_look_at <= now)
    return [info(row) for row in Order.select().where(due).order_by(Order.next_look_at).limit(limit)]


def polled(order_id: int, again: bool, now: int) -> None:
    """Note a poll of the provider. The next one follows after twice the time, or not at all without *again*.

    :raises NotFound: no such order.
    """
    with transaction():
        row = _updated(order_id)
        next_look_at = now + poll_delay(row.looks + 1) if again else None
        _updated(order_id, looks=row.looks + 1, next_look_at=next_look_at)


def refused(order_id: int, now: int, *, told: bool) -> None:
    """Leave an order to its payer, because the provider refused to take the money. With *told* they hear it, once.

    It is no longer polled, and the next attempt, which is the payer's, has a key of its own.

    :raises NotFound: no such order.
    """
    with transaction():
        row = _updated(order_id, refused_at=now, next_look_at=None, capture_request_id=None)
        if told and row.state != OrderState.PAID:
            refusal = CheckoutRefused(order=row.public_id, plan=row.plan_code, url=row.approve_url)
            outbox.append(refusal, row.user_id, now, key=f"checkout_refused:{row.id}")


def resume(order_id: int, now: int) -> None:
    """Take an order up again that was left to its payer, because they have acted. It is polled again.

    :raises NotFound: no such order.
    """
    with transaction():
        _updated(order_id, refused_at=None, next_look_at=now + POLL_EVERY_S, looks=0)


def poll_delay(polls: int) -> int:
    """Seconds between a poll and the next, after so many polls."""
    return int(min(POLL_EVERY_S * 2 ** min(polls, 10), POLL_AT_MOST_S))


def paid(row: Order) -> bool:
    """Mark an order paid inside the caller's transaction; False if it was paid."""
    return _move(row, OrderState.PAID)


def failed(row: Order) -> bool:
    """Mark an order failed inside the caller's transaction; False if it had ended."""
    return OrderState(row.state) is OrderState.OPEN and _move(row, OrderState.FAILED)


def pay_token(
    secret_key: str,
    user_id: int,
    plan_code: str,
    now: int,
    *,
    purpose: Purpose = "plan",
    code: str | None = None,
    job: int | None = None,
) -> str:
    """Sign the tail of a payment link for this customer and plan; *job* is the held job that it is to bring."""
    more: list[Any] = [] if purpose == "plan" and code is None and job is None else [purpose, code]
    if job is not None:
        more.append(job)
    token = _signer(secret_key).dumps([user_id, plan_code, now, *more])
    return token if isinstance(token, str) else token.decode()


def pay_addresses(
    settings: Settings,
    user_id: int,
    articles: Iterable[Article],
    now: int,
    *,
    purpose: Purpose = "plan",
    code: str | None = None,
    job: int | None = None,
) -> dict[str, str]:
    """The signed addresses of the pages where this customer pays, by the code of each article that PayPal sells."""
    if not settings.paypal_enabled:
        return {}
    sold = [each.code for each in articles if PAYPAL.currency_of(each) is not None]
    pay_for = partial(pay_token, settings.secret_key, user_id, now=now, purpose=purpose, code=code, job=job)
    return {each: f"{settings.backend_url}/pay/{pay_for(each)}" for each in sold}


def read_pay_token(secret_key: str, token: str, max_age_s: int, now: int) -> PayToken:
    """Return the content of a payment link.

    :raises TokenForged: the link was not signed with this key.
    :raises TokenExpired: the link was signed more than *max_age_s* seconds ago.
    """
    try:
        user_id, plan_code, signed_at, *more = _signer(secret_key).loads(token)
        said = PayToken(user_id, plan_code, *more)
    except (BadData, ValueError, TypeError) as error:
        raise TokenForged("not a payment link of ours") from error
    if now - signed_at > max_age_s:
        raise TokenExpired("this payment link is too old")
    return said


def _signer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt="pay-link", signer_kwargs={"digest_method": hashlib.sha256})


def _refuse_second_subscription(user_id: int, plan_code: str) -> None:
    present = subscriptions.active(user_id, plan_code)
    if present is not None:
        raise AlreadySubscribed(present.id, suspended=present.state is subscriptions.SubscriptionState.SUSPENDED)


def _reusable(bought: Mapping[str, Any], now: int) -> Order | None:
    ours = bought.items() if bought["purpose"] != "gift" else {**bought, "code": Order.code}.items()
    same = [getattr(Order, name) == value for name, value in ours]
    usable = (Order.state == OrderState.OPEN) & (Order.expires_at > now + REUSE_MARGIN_S) & ~_has_payment()
    row: Order | None = Order.select().where(usable, *same).order_by(Order.id.desc()).first()
    return row


def _has_payment() -> Any:
    """Match orders with a payment: they are neither offered again nor ended."""
    return Order.id.in_(Payment.select(Payment.order).where(Payment.order == Order.id))


def _move_open(order_id: int, wanted: OrderState) -> Order | None:
    row = _updated(order_id)
    return row if OrderState(row.state) is OrderState.OPEN and _move(row, wanted) else None


def _move(row: Order, wanted: OrderState) -> bool:
    present = OrderState(row.state)
    if wanted not in MOVES[present]:
        return False
    Order.update(state=wanted).where((Order.id == row.id) & (Order.state == present)).execute()
    row.state = wanted
    return True


def _updated(order_id: int, **values: Any) -> Order:
    if values:
        Order.update(**values).where(Order.id == order_id).execute()
    row: Order | None = Order.get_or_none(Order.id == order_id)
    if row is None:
        raise NotFound("order", order_id)
    return row


def _found(condition: Any) -> OrderInfo | None:
    row = Order.get_or_none(condition)
    return None if row is None else info(row)


def info(row: Order) -> OrderInfo:
    """Return the values of a row."""
    return OrderInfo(
        id=row.id,
        public_id=row.public_id,
        user_id=row.user_id,
        plan_code=row.plan_code,
        level=row.level,
        seconds=row.seconds,
        amount=row.amount,
        currency=row.currency,
        provider=row.provider,
        renews=row.renews,
        purpose=row.purpose,
        state=OrderState(row.state),
        remote_id=row.remote_id,
        approve_url=row.approve_url,
        checkout_started_at=row.checkout_started_at,
        looks=row.looks,
        refused_at=row.refused_at,
        kind=row.kind,
        count=row.count,
        max_bytes=row.max_bytes,
        code=row.code,
        list_amount=row.list_amount,
        expires_at=row.expires_at,
        created_at=row.created_at,
    )
