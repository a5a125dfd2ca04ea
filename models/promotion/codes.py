"""Codes: what somebody may redeem, each customer once.

A gift was bought by a customer (:mod:`models.money.vouchers.gifts`); the others are the operator's: the trial, free
access, and discounts. A redemption is one row, in the transaction that gives. Of a person who was erased a keyed hash
stays in it, so that they redeem nothing twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import peewee

from config.plans import Trial
from config.units import DAY_S, HOUR_S
from models import outbox
from models.database import joined_transaction, transaction
from models.event_kinds import CodesHeld, GiftTaken
from models.jobs import budgets
from models.jobs.budgets import Budget, Purpose, Span
from models.jobs.holding import Offers
from models.money.orders import Discount, OrderState
from models.money.vouchers import admission, contents, gifts, texts
from models.money.vouchers.contents import Content
from models.promotion.identity import hashed
from models.tables import Code, Order, Payment, Redemption

TRIES = Budget(Purpose.CODES, (Span(10, HOUR_S), Span(30, DAY_S)))
"""Wrong codes that a customer may try."""

SHOWN = 20
"""How many codes a list shows."""


class Kind(StrEnum):
    """What a code is, as it is stored."""

    GIFT = "gift"
    TRIAL = "trial"
    ACCESS = "access"
    DISCOUNT = "discount"


class Fault(StrEnum):
    """Why a code cannot be redeemed."""

    UNKNOWN = "unknown"
    SPENT = "spent"
    """Too many wrong codes were tried."""
    REDEEMED = "redeemed"
    """By this very customer."""
    USED_UP = "used_up"
    ENDED = "ended"
    NOT_NEW = "not_new"
    HELD = "held"
    GONE = "gone"
    """The money of the gift went back."""
    STOPPED = "stopped"
    """A dispute of the giver stops the gift."""
    OWN = "own"
    """The gift is the customer's own."""


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """A code. ``content`` is what it gives, None for a discount of ``percent``; ``used`` how often it was redeemed."""

    id: int
    text: str
    kind: Kind
    content: Content | None
    percent: int | None
    uses: int | None
    used: int
    until: int | None
    new_only: bool
    created_at: int
    ended_at: int | None
    held: bool
    payment_id: int | None = None

    def is_open(self, now: int) -> bool:
        """Whether somebody can redeem it now."""
        is_over = self.ended_at is not None or self.held or (self.until is not None and self.until <= now)
        return not is_over and (self.uses is None or self.used < self.uses)


@dataclass(frozen=True, slots=True)
class Found:
    """A code that a customer named: ``fault`` None when they can redeem it. ``code`` None: there is none."""

    code: CodeInfo | None
    fault: Fault | None = None
    again_at: int = 0
    """When the next code may be tried, where too many were wrong."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A code that an admin makes: free access to ``content``, or ``percent`` off."""

    content: Content | None
    percent: int | None
    uses: int | None
    until: int | None
    new_only: bool


# ---- made by the operator


def make(draft: Draft, by: int, source: str, now: int) -> CodeInfo:
    """Make a code, with a text that nobody guesses. The same *source* makes one, however often its button is pressed.

    :raises ValueError: neither access nor a percentage from 1 to 99.
    """
    if (draft.content is None) == (draft.percent is None) or draft.percent not in (None, *range(1, 100)):
        raise ValueError("either something to give or a percentage from 1 to 99")
    with joined_transaction():
        present = Code.get_or_none(Code.source == source)
        if present is not None:
            return _info(present)
        row = Code.create(
            text=texts.new(),
            kind=Kind.DISCOUNT if draft.content is None else Kind.ACCESS,
            percent=draft.percent,
            uses=draft.uses,
            until=draft.until,
            new_only=draft.new_only,
            by=by,
            source=source,
            created_at=now,
            **(draft.content.columns() if draft.content else {}),
        )
        return _info(row)


def newest(limit: int = SHOWN, after: int = 0) -> list[CodeInfo]:
    """The operator's codes, open ones first, then the newest; those behind the first *after*."""
    rows = Code.select().where(Code.kind.in_((Kind.ACCESS, Kind.DISCOUNT)))
    rows = rows.order_by(Code.ended_at.is_null(False), Code.id.desc())
    return [_info(row) for row in rows.limit(limit).offset(after)]


def get(code_id: int) -> CodeInfo | None:
    """A code by its row id, or None."""
    row = Code.get_or_none(Code.id == code_id)
    return None if row is None else _info(row)


def of_operator(text: str) -> CodeInfo | None:
    """The operator's code that somebody typed, or None: a gift is none of theirs."""
    row = Code.get_or_none((Code.text == texts.normalise(text)) & Code.kind.in_((Kind.ACCESS, Kind.DISCOUNT)))
    return None if row is None else _info(row)


def end(code_id: int, now: int) -> bool:
    """End one of the operator's codes: nobody redeems it any more. False: there is none that is open."""
    own = Code.kind.in_((Kind.ACCESS, Kind.DISCOUNT)) & Code.ended_at.is_null()
    with joined_transaction():
        return bool(Code.update(ended_at=now).where((Code.id == code_id) & own).execute())


# ---- redeemed by customers


def look(text: str, user_id: int, secret_key: str, now: int) -> Found:
    """What a code is that a customer names. A wrong one counts."""
    with transaction():
        found, _ = _find(text, user_id, secret_key, now)
        return found


def discount(text: str, user_id: int, secret_key: str, now: int) -> Discount | None:
    """The discount of a code in a signed link; None when this customer cannot redeem it any more."""
    row: Any = Code.get_or_none((Code.text == text) & (Code.kind == Kind.DISCOUNT))
    if row is None or _fault(row, user_id, secret_key, now) is not None:
        return None
    return Discount(row.text, row.percent)


def take(text: str, user_id: int, secret_key: str, now: int) -> Found:
    """Redeem a gift or a code for free access, and tell who gave it. A fault changes nothing but the count of tries."""
    with transaction():
        found, row = _find(text, user_id, secret_key, now)
        if found.fault is None and row is not None and row.kind != Kind.DISCOUNT:
            _redeem(row, user_id, now)
        return found


def try_out(trial: Trial, user_id: int, secret_key: str, now: int) -> Fault | None:
    """Give the trial to a customer who has not had it; why not, otherwise."""
    with transaction():
        fault = trial_fault(user_id, secret_key)
        if fault is None:
            content = contents.of_article(trial.plan, trial.seconds)
            _redeem(_trial_row(now), user_id, now, content)
        return fault


def trial_fault(user_id: int, secret_key: str) -> Fault | None:
    """Why a customer may not have the trial; None for one who may."""
    row = Code.get_or_none(Code.kind == Kind.TRIAL)
    if row is not None and _has_redeemed(Redemption.code == row, user_id, secret_key):
        return Fault.REDEEMED
    return Fault.NOT_NEW if _has_paid(user_id) else None


def offers_to(user_id: int, offers: Offers, secret_key: str) -> Offers:
    """The offers to a customer: without the trial where they may not have it."""
    may = offers.trial is not None and trial_fault(user_id, secret_key) is None
    return offers if may else replace(offers, trial=None)


def _trial_row(now: int) -> Code:
    row = Code.get_or_none(Code.kind == Kind.TRIAL)
    return row or Code.create(kind=Kind.TRIAL, created_at=now)


def _redeem(row: Any, user_id: int, now: int, content: Content | None = None) -> None:
    adjustment = contents.give(
        user_id, content or contents.of_code(row), reason=row.kind, by=row.by, payment_id=row.payment_id, now=now
    )
    Redemption.create(code=row, user=user_id, adjustment=adjustment, at=now)
    giver = row.payment.user_id if row.payment_id is not None else None
    if giver is not None:
        outbox.append(GiftTaken(plan=row.article), giver, now, key=f"gift_taken:{row.id}")


def _find(text: str, user_id: int, secret_key: str, now: int) -> tuple[Found, Code | None]:
    spent_until = budgets.spent_until(user_id, TRIES, now)
    if spent_until is not None:
        return Found(None, Fault.SPENT, spent_until), None
    wanted = texts.normalise(text)
    row = Code.get_or_none(Code.text == wanted) if wanted else None
    if row is None:
        budgets.take(user_id, TRIES, 1, now)
        return Found(None, Fault.UNKNOWN), None
    return Found(_info(row), _fault(row, user_id, secret_key, now)), row


def _fault(row: Code, user_id: int, secret_key: str, now: int) -> Fault | None:
    """Why this customer cannot redeem the code, the fault that helps them most first."""
    if _has_redeemed(Redemption.code == row, user_id, secret_key):
        return Fault.REDEEMED
    if row.ended_at is not None or (row.until is not None and row.until <= now):
        return Fault.ENDED
    if row.held_at is not None:
        return Fault.HELD
    if _is_used_up_for(row, user_id):
        return Fault.USED_UP
    if row.new_only and not _is_new(user_id, secret_key):
        return Fault.NOT_NEW
    return None if row.payment_id is None else _gift_fault(row, user_id)


def _is_used_up_for(row: Code, user_id: int) -> bool:
    """Whether no use is left, but one that the customer holds of a purchase that is not paid yet."""
    return row.uses is not None and admission.used(row) >= row.uses and not admission.holds_use(row, user_id)


def _gift_fault(row: Any, user_id: int) -> Fault | None:
    wrong = gifts.fault(row.payment)
    if wrong:
        return Fault(wrong)
    return Fault.OWN if row.payment.user_id == user_id else None


def _has_redeemed(which: Any, user_id: int, secret_key: str) -> bool:
    """Whether this person has redeemed one of *which* codes. A discount counts when its purchase was paid."""
    person = (Redemption.user == user_id) | (Redemption.person == hashed(secret_key, user_id))
    holds = Order.id.is_null() | (Order.state == OrderState.PAID)
    redeemed = Redemption.select().join(Order, peewee.JOIN.LEFT_OUTER)
    return bool(redeemed.where(which & person & holds).exists())


def _is_new(user_id: int, secret_key: str) -> bool:
    others = Redemption.code.in_(Code.select(Code.id).where(Code.kind != Kind.TRIAL))
    return not _has_paid(user_id) and not _has_redeemed(others, user_id, secret_key)


def _has_paid(user_id: int) -> bool:
    """Whether the customer has ever paid: the ledger knows it of people who were erased too."""
    paid = Payment.select().join(Order, peewee.JOIN.LEFT_OUTER)
    real = Order.id.is_null() | (Order.purpose != "test")
    return bool(paid.where((Payment.user == user_id) & Payment.completed_at.is_null(False) & real).exists())


# ---- bought by customers


def unopened_of(giver_id: int, limit: int = SHOWN + 1) -> list[CodeInfo]:
    """The gifts that a customer bought and nobody has taken, the newest first: one more than a list shows."""
    return [_info(row) for row in gifts.unopened(giver_id, limit)]


def giver_of(code: CodeInfo) -> int | None:
    """Who bought a gift; None of any other code."""
    if code.payment_id is None:
        return None
    payment = Payment.get_or_none(Payment.id == code.payment_id)
    return None if payment is None else payment.user_id


# ---- erased, restored


def forget(user_id: int, until: int, secret_key: str) -> None:
    """Keep of what a person has redeemed up to a time the hash of who they were, inside the caller's transaction."""
    person = hashed(secret_key, user_id)
    for row in Redemption.select().where((Redemption.user == user_id) & (Redemption.at <= until)):
        known = Redemption.select().where((Redemption.code == row.code_id) & (Redemption.person == person))
        Redemption.update(user=None, person=None if known.exists() else person).where(Redemption.id == row.id).execute()


def hold(now: int) -> int:
    """Hold all open codes of a database that was restored, and show them to the admins; return how many."""
    with transaction():
        rows = list(Code.select().where(_open()))
        Code.update(held_at=now).where(_open()).execute()
        if rows:
            held = CodesHeld(count=len(rows), shown=_lines(rows))
            outbox.append(held, None, now, key=f"codes_held:{now}")
        return len(rows)


def held() -> int:
    """How many codes a restore holds, gifts among them."""
    return int(Code.select().where(Code.held_at.is_null(False)).count())


def release() -> int:
    """Have the codes work again that a restore holds; return how many."""
    with joined_transaction():
        return int(Code.update(held_at=None).where(Code.held_at.is_null(False)).execute())


def end_held(now: int) -> int:
    """End the operator's codes that a restore holds, and have the gifts work again, which are paid."""
    own = Code.kind.in_((Kind.ACCESS, Kind.DISCOUNT)) & Code.held_at.is_null(False)
    with joined_transaction():
        ended = Code.update(ended_at=now).where(own & Code.ended_at.is_null()).execute()
        Code.update(held_at=None).where(Code.held_at.is_null(False)).execute()
        return int(ended)


def _open() -> Any:
    return Code.text.is_null(False) & Code.ended_at.is_null() & ~_is_used_up()


def _is_used_up() -> Any:
    """Match codes without a use that may come free again: that of an order does until it is paid."""
    redeemed = Redemption.select(peewee.fn.COUNT(Redemption.id)).join(Order, peewee.JOIN.LEFT_OUTER)
    for_good = redeemed.where((Redemption.code == Code.id) & (Order.id.is_null() | (Order.state == OrderState.PAID)))
    return Code.uses.is_null(False) & (for_good >= Code.uses)


def _lines(rows: Iterable[Code]) -> Sequence[str]:
    return [str(row.text) for row in rows][:SHOWN]


def _info(row: Code) -> CodeInfo:
    kind = Kind(row.kind)
    return CodeInfo(
        id=row.id,
        text=row.text or "",
        kind=kind,
        content=contents.of_code(row) if row.article is not None else None,
        percent=row.percent,
        uses=row.uses,
        used=admission.used(row),
        until=row.until,
        new_only=bool(row.new_only),
        created_at=row.created_at,
        ended_at=row.ended_at,
        held=row.held_at is not None,
        payment_id=row.payment_id,
    )
