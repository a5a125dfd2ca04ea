"""The money: the payments with filters, each with what belongs to it, refunds, and what nobody can explain."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config import plan_texts
from config.money import decimals
from config.plain_text import plain
from config.plans import Plans
from config.texts import Texts
from models import acts, users
from models.books import effects, register, totals, unexplained
from models.books.effects import Taken
from models.books.register import ChangeRow, Cursor, Entry, Wanted
from models.database import BEYOND
from models.errors import NotFound, RefundRefused
from models.money import income, payments, providers
from models.money.payments import PaymentInfo, PaymentState
from models.money.providers import TRAITS
from models.roles import Act
from models.users import UserInfo
from models.words import alerts, incidents, refunds
from models.words import payments as payment_words
from web import rendering
from web.console import guard, layout

blueprint = guard.section("money")

SPAN = 30
MOST_MINOR = 10**15
LONGEST = 255
"""Characters of what is typed into a filter: a payment's number is the longest."""


@dataclass(frozen=True)
class Filled:
    """What was typed into the filter, as it was typed, and what it means. ``fault`` names what means nothing."""

    typed: dict[str, str]
    wanted: Wanted
    fault: str = ""


@blueprint.get("/money")
@guard.needs(Act.SEE_MONEY)
def money() -> BaseResponse:
    """The payments, newest first, and what came in lately."""
    found, timezone = guard.visitor(), rendering.current_settings().timezone
    typed = {name: plain(request.args.get(name, ""))[:LONGEST] for name in ("who", "state", "provider", "from", "to")}
    exact = payments.find(None, typed["who"]) if providers.of_number(typed["who"]) else None
    if exact is not None:
        return redirect(url_for("console_money.payment", payment_id=exact.id), 303)
    filled = _filled(typed, found.t, timezone)
    cursor = Cursor.read(request.args.get("after"))
    page = register.page(filled.wanted, cursor)
    days = totals.income_since(income.day_starts(SPAN, timezone, found.now), timezone)
    query = {name: value for name, value in typed.items() if value}
    first = url_for("console_money.money") + (f"?{urlencode(query)}" if query else "")
    return layout.show(
        "console/money.html",
        filled=filled,
        payments=page.payments,
        names=_names(page.payments),
        what=_titles(found.t),
        state=lambda each: payment_words.state(found.t, each),
        states=_states(found.t),
        providers=[("", found.t.gettext("all")), *((each, TRAITS[each].title) for each in register.PROVIDERS)],
        income=income.total(days),
        older=f"{url_for('console_money.money')}?{urlencode({**query, 'after': str(page.following)})}"
        if page.following
        else None,
        newer=first if cursor != Cursor() else None,
    )


@blueprint.get("/money/<id:payment_id>")
@guard.needs(Act.SEE_MONEY)
def payment(payment_id: int) -> Response:
    """A payment: what it gave, what is left, everything that happened to it."""
    found, entry = guard.visitor(), _entry(payment_id)
    of = entry.payment
    left = effects.left(of, found.now)
    return layout.show(
        "console/payment.html",
        entry=entry,
        payment=of,
        customer=users.get(of.user_id) if of.user_id else None,
        what=_titles(found.t)(of),
        state=payment_words.state(found.t, of),
        gave=_gave(found.t, entry),
        left=_taken(found.t, left, of),
        history=[(each, _happened(found.t, each, of.currency)) for each in entry.history],
        asked=[(each, _asked(found.t, each.kind, each.state)) for each in entry.requests],
        can_refund=_can_refund(of),
        in_parts=TRAITS[of.provider].partial_refunds,
        rest=_typed(of.amount - of.refunded, of.currency),
        way=TRAITS[of.provider].title,
    )


@blueprint.get("/money/<id:payment_id>/refund")
@guard.needs(Act.SEE_MONEY)
def ask_refund(payment_id: int) -> BaseResponse:
    """Show what a refund would take back, before it is made."""
    found, of = guard.visitor(), _entry(payment_id).payment
    if not _can_refund(of):
        text = found.t.gettext("There is nothing that could go back.")
        return layout.done(url_for("console_money.payment", payment_id=of.id), text, "bad")
    typed = request.args.get("amount", "").strip()
    amount = _minor(typed, of.currency) if typed else of.amount - of.refunded
    if amount is None:
        text = found.t.gettext("“{text}” is no amount of {currency}.", text=typed[:LONGEST], currency=of.currency)
        return layout.done(url_for("console_money.payment", payment_id=of.id), text, "bad")
    return layout.show(
        "console/refund.html",
        payment=of,
        customer=users.get(of.user_id) if of.user_id else None,
        what=_titles(found.t)(of),
        amount=amount,
        takes=_taken(found.t, effects.of_refund(of, amount, found.now), of),
        ends_renewal=of.subscription_id is not None and amount >= of.amount - of.refunded,
        way=TRAITS[of.provider].title,
    )


@blueprint.post("/money/<id:payment_id>/refund")
@guard.needs(Act.REFUND)
def refund(payment_id: int) -> BaseResponse:
    """Have a payment refunded. The form holds the amount in minor units, as it was shown, and what had gone back."""
    found, of = guard.visitor(), payments.get(payment_id)
    amount, seen = (guard.number(request.form.get(name, ""), MOST_MINOR) for name in ("amount", "seen"))
    if of is None or amount is None or seen is None:
        abort(404)
    back = url_for("console_money.payment", payment_id=of.id)
    whole = amount == of.amount - of.refunded
    try:
        acts.refund(found.actor, of.id, None if whole else amount, found.now, seen=seen)
    except RefundRefused as refusal:
        return layout.done(back, refunds.refused(found.t, refusal, of.currency), "bad")
    except NotFound:
        abort(404)
    price = found.t.price(amount, of.currency)
    return layout.done(back, found.t.gettext("{price} goes back. The bot tells you how it ends.", price=price))


@blueprint.get("/money/unexplained")
@guard.needs(Act.SEE_MONEY)
def reconciliation() -> Response:
    """What neither side can explain."""
    found = guard.visitor()
    shown = unexplained.find(found.now)
    strange = (*shown.unknown, *shown.mismatched)
    return layout.show(
        "console/unexplained.html",
        shown=shown,
        names=_names(strange),
        what=_titles(found.t),
        alert=alerts.label,
        incident=incidents.label,
        kind=_kind,
    )


def _entry(payment_id: int) -> Entry:
    entry = register.entry(payment_id) if payment_id < BEYOND else None
    if entry is None:
        abort(404)
    return entry


def _can_refund(of: PaymentInfo) -> bool:
    return of.state is PaymentState.COMPLETED and of.refunded < of.amount


def _filled(typed: dict[str, str], t: Texts, timezone: ZoneInfo) -> Filled:
    known = _whom(typed["who"])
    since, until = _day(typed["from"], timezone), _day(typed["to"], timezone, days=1)
    faults = (
        (typed["who"] and known is None, t.gettext("I know nobody by “{text}”.", text=typed["who"])),
        (typed["from"] and since is None, t.gettext("“{text}” is no day.", text=typed["from"])),
        (typed["to"] and until is None, t.gettext("“{text}” is no day.", text=typed["to"])),
    )
    wanted = Wanted(
        state=typed["state"] if typed["state"] in register.STATES else "",
        provider=typed["provider"] if typed["provider"] in register.PROVIDERS else "",
        user_id=known.id if known else None,
        since=since or 0,
        until=BEYOND if until is None else until,
    )
    return Filled(typed, wanted, next((text for wrong, text in faults if wrong), ""))


def _whom(text: str) -> UserInfo | None:
    if text.isascii() and text.isdecimal():
        return users.get(int(text)) if len(text) < 16 else None
    return users.find(text) if text else None


def _day(text: str, timezone: ZoneInfo, days: int = 0) -> int | None:
    """When a day begins, or the one so many *days* later."""
    try:
        start = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone)
        return max(0, int((start + timedelta(days=days)).timestamp()))
    except (ValueError, OverflowError):
        return None


def _minor(text: str, currency: str) -> int | None:
    """An amount as people write it, in minor units; None where it is none, or ``1,000``, which may be a thousand."""
    typed = text.replace(",", ".")
    try:
        amount = Decimal(typed).scaleb(decimals(currency))
        is_whole = (
            len(typed.partition(".")[2]) <= decimals(currency)
            and amount.is_finite()
            and 1 <= amount < MOST_MINOR
            and amount == amount.to_integral_value()
        )
        return int(amount) if is_whole else None
    except (ArithmeticError, KeyError):
        return None


def _typed(minor: int, currency: str) -> str:
    """An amount as :func:`_minor` reads it."""
    return str(Decimal(minor).scaleb(-decimals(currency)))


def _names(shown: tuple[PaymentInfo, ...]) -> dict[int | None, UserInfo | None]:
    return {each.user_id: users.get(each.user_id) for each in shown if each.user_id}


def _titles(t: Texts) -> Callable[[PaymentInfo], str]:
    """What says the name of what a payment is for."""
    plans = layout.plans()
    return lambda of: _title(t, plans, of)


def _title(t: Texts, plans: Plans, of: PaymentInfo) -> str:
    if of.purpose == "test":
        return t.gettext("test payment")
    return plans.title_of(of.plan_code, t.language) if of.plan_code else t.gettext("unknown")


def _states(t: Texts) -> list[tuple[str, str]]:
    return [
        ("", t.gettext("all")),
        (PaymentState.COMPLETED, t.gettext("paid")),
        (register.REFUNDED, t.gettext("refunded, also in part")),
        (PaymentState.FROZEN, t.gettext("disputed")),
        (PaymentState.REVERSED, t.gettext("reversed")),
        (PaymentState.PENDING, t.gettext("being checked")),
        (PaymentState.DENIED, t.gettext("declined")),
    ]


def _gave(t: Texts, entry: Entry) -> str:
    of, order = entry.payment, entry.order
    if not of.grants:
        return t.gettext("nothing")
    if order is not None and order.kind and order.count:
        return plan_texts.counted(t, order.kind, order.count)
    return t.duration(of.seconds) if of.seconds else t.gettext("nothing")


def _taken(t: Texts, taken: Taken, of: PaymentInfo) -> str:
    if taken.kind is not None:
        return plan_texts.counted(t, taken.kind, taken.count)
    return t.duration(taken.seconds) if taken.seconds else t.gettext("nothing")


def _happened(t: Texts, row: ChangeRow, currency: str) -> str:
    said = payment_words.change(t, row.change)
    amount = row.detail.get("amount")
    return f"{said}: {t.price(amount, currency)}" if row.change == "refunded" and isinstance(amount, int) else said


def _asked(t: Texts, kind: str, state: str) -> str:
    how = {"open": t.gettext("under way"), "done": t.gettext("done"), "failed": t.gettext("failed")}
    return f"{_kind(t, kind)}: {how.get(state, state)}"


def _kind(t: Texts, kind: str) -> str:
    return {
        "refund": t.gettext("refund asked for"),
        "cancel_subscription": t.gettext("end of the renewal asked for"),
    }.get(kind, kind)
