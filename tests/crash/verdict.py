"""After the storm: what PayPal says, what the ledger says, and what stands in the chats must be one story."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from config.units import DAY_S
from models.money import access, credits, payments
from models.money.payments import PaymentState
from models.money.rewards import rows
from models.money.rewards.rules import A_MONTH, Side
from models.tables import Adjustment, Code, Event, Order, Payment, Redemption, Referral, Refund, Request, WebhookEvent
from tests.crash.shoppers import TAKEN
from tests.sandbox.paypal import LocalPayPal
from tests.sandbox_process import Sandbox


def unfinished(paypal: LocalPayPal) -> dict[str, int]:
    """What is still under way, by name; empty when everything is quiet."""
    moved = {capture["id"] for capture in captured(paypal)} | {sale["id"] for sale in paypal.sales()}
    known = {row.remote_id for row in Payment.select(Payment.remote_id).where(Payment.completed_at.is_null(False))}
    returned = {refund["id"] for refund in given_back(paypal)}
    counts = {
        "events not told": Event.select().where(Event.heard_at.is_null()).count(),
        "requests open": Request.select().where(Request.state == "open").count(),
        "webhooks open": WebhookEvent.select().where(WebhookEvent.state == "received").count(),
        "money not recorded": len(moved - known),
        "disputes not followed": len(list(_disputes(paypal))),
        "refunds not recorded": len(returned - {row.remote_id for row in Refund.select()}),
    }
    return {name: count for name, count in counts.items() if count}


def faults(sandbox: Sandbox, paypal: LocalPayPal, now: int) -> list[str]:
    """Everything that does not fit."""
    return [
        *_money(paypal),
        *_refunds(paypal),
        *_disputes(paypal),
        *_access(now),
        *_packs(now),
        *_rewards(),
        *_gifts(now),
        *_news(sandbox),
        *payments.audit(),
        *(f"deviation: {deviation}" for deviation in paypal.deviations()),
    ]


def captured(paypal: LocalPayPal) -> list[dict[str, Any]]:
    """Captures whose money has moved."""
    return [capture for capture in paypal.captures() if capture["status"] in TAKEN]


def given_back(paypal: LocalPayPal) -> list[dict[str, Any]]:
    """Refunds and reversals at PayPal, of captures and of sales: ``id``, ``of``, ``cents``."""
    found = [
        {"id": refund["id"], "of": refund["capture"], "cents": cents(refund["amount"]["value"])}
        for refund in paypal.refunds()
        if refund["status"] == "COMPLETED"
    ]
    for refund in paypal.sale_refunds():
        total = cents(refund["amount"]["total"])
        found.append({"id": refund["id"], "of": refund["sale_id"], "cents": abs(total)})
    return found


def cents(value: str) -> int:
    return int(Decimal(value) * 100)


def _money(paypal: LocalPayPal) -> Iterator[str]:
    """Every payment that moved is granted once, to whoever ordered it; nothing is granted that did not move."""
    at_paypal = {capture["id"]: capture.get("custom_id") for capture in captured(paypal)}
    subscriptions = {it["id"]: it["custom_id"] for it in paypal.subscriptions()}
    at_paypal |= {sale["id"]: subscriptions[sale["billing_agreement_id"]] for sale in paypal.sales()}
    rows = list(Payment.select(Payment, Order).join(Order).where(Payment.completed_at.is_null(False)))
    for remote_id, count in Counter(row.remote_id for row in rows).items():
        if count != 1:
            yield f"payment {remote_id} is recorded {count} times"
    for row in rows:
        if row.remote_id not in at_paypal:
            yield f"payment {row.remote_id} is recorded, and PayPal has never taken it"
        elif at_paypal[row.remote_id] != row.order.public_id:
            yield f"payment {row.remote_id} went to another order than the one that it paid"
        if not row.grants or row.user_id != row.order.user_id:
            yield f"payment {row.remote_id} does not grant"
    for remote_id in at_paypal.keys() - {row.remote_id for row in rows}:
        yield f"payment {remote_id} moved, and nothing was granted"


def _refunds(paypal: LocalPayPal) -> Iterator[str]:
    at_paypal = {refund["id"]: (refund["of"], refund["cents"]) for refund in given_back(paypal)}
    here = {row.remote_id: (row.payment_remote_id, row.amount) for row in Refund.select()}
    for remote_id in at_paypal.keys() | here.keys():
        if at_paypal.get(remote_id) != here.get(remote_id):
            yield f"refund {remote_id}: {at_paypal.get(remote_id)} at PayPal, {here.get(remote_id)} here"


def _disputes(paypal: LocalPayPal) -> Iterator[str]:
    for dispute in paypal.disputes():
        outcome = (dispute.get("dispute_outcome") or {}).get("outcome_code")
        for contested in dispute["disputed_transactions"]:
            is_part = contested["gross_amount"] != dispute["dispute_amount"]
            lost = PaymentState.COMPLETED if is_part else PaymentState.REVERSED
            expected = {None: PaymentState.FROZEN, "RESOLVED_BUYER_FAVOUR": lost}.get(outcome, PaymentState.COMPLETED)
            found = payments.find("paypal", contested["seller_transaction_id"])
            if found is None or found.state is not expected:
                yield f"payment {contested['seller_transaction_id']} is {found and found.state}, not {expected}"


def _access(now: int) -> Iterator[str]:
    """Who has something left that he paid has access; who has nothing left has none."""
    for user_id in _payers():
        left = [
            payment
            for payment in payments.history_of(user_id, 1000)
            if payment.state is PaymentState.COMPLETED
            and payment.completed_at
            and payment.refunded < payment.amount
            and payment.purpose == "plan"
        ]
        given = [row for row in Adjustment.select().where(Adjustment.user == user_id) if _holds(row)]
        if bool(left or given) != bool(access.of(user_id, now).level):
            yield f"customer {user_id} has {len(left)} payments that hold, and access {access.of(user_id, now)}"


def _holds(given: Adjustment) -> bool:
    """Whether time that a code gave is still there: of a gift, whether its money is."""
    if given.kind != "give":
        return False
    payment = payments.get(given.payment_id) if given.payment_id else None
    return payment is None or (payment.state is PaymentState.COMPLETED and payment.refunded < payment.amount)


def _gifts(now: int) -> Iterator[str]:
    """Each gift that was paid for opens once, and each code serves as many as it is for."""
    paid = Payment.select(Payment.id).join(Order).where(Order.purpose == "gift", Payment.completed_at.is_null(False))
    for row in paid:
        given = list(Adjustment.select().where(Adjustment.payment == row.id))
        if len(given) > 1:
            yield f"payment {row.id} paid for one gift, and {len(given)} have it"
    for row in Code.select().where(Code.kind != "discount"):
        redeemed = [each.user_id for each in Redemption.select().where(Redemption.code == row)]
        if len(set(redeemed)) != len(redeemed) or len(redeemed) > (row.uses or len(redeemed)):
            yield f"code {row.id} is for {row.uses}, and {redeemed} have redeemed it"
    for user_id in _payers():
        gifts = Payment.select().join(Order).where(Order.purpose == "gift", Payment.user == user_id)
        unsettled = [each for each in gifts if each.state in ("pending", "completed", "frozen") and not each.refunds]
        if len(unsettled) > 1:
            yield f"customer {user_id} is new, and has {len(unsettled)} gifts that are not settled"


def _packs(now: int) -> Iterator[str]:
    """A pack that was paid for can be used as far as its money is still here; nobody used anything."""
    bought = {purchase.payment_id: purchase for user in _payers() for purchase in credits.of(user)}
    paid = Payment.select(Payment.id).join(Order).where(Order.purpose == "pack", Payment.completed_at.is_null(False))
    for row in paid:
        payment = payments.get(row.id)
        if payment is None or row.id not in bought:
            yield f"payment {row.id} paid for a pack, and there is none"
            continue
        holds = payment.state is PaymentState.COMPLETED and payment.refunded < payment.amount
        left = bought[row.id].left(now)
        if holds != bool(left):
            yield f"payment {row.id} is {payment.state}, {payment.refunded} of it went back, and {left} are left"


def _rewards() -> Iterator[str]:
    """Whoever brought somebody is rewarded for each payment of a plan that is still here when it was held, once."""
    for row in Referral.select():
        wanted, held = set(), row.terms["hold_days"] * DAY_S
        for payment in payments.history_of(row.friend_id, 1000):
            holds = payment.state is not PaymentState.REVERSED and payment.completed_at is not None
            minimum = row.terms["minimum"][payment.currency]
            if holds and payment.purpose == "plan" and payment.amount - payment.refunded - _lost(payment.id) >= minimum:
                wanted.add(payment.id)
        rewards = [each for each in rows.of(row.referrer_id) if each.side is Side.REFERRER]
        found = {each.of.id for each in rewards}
        is_right = found == wanted or (len(wanted) > A_MONTH == len(found) and found < wanted)
        if not is_right or len(rewards) != len(found):
            yield f"customer {row.referrer_id} is rewarded for {sorted(found)}, not for {sorted(wanted)}"
        for each in rewards:
            if each.start != each.of.at + held or not 0 < each.seconds <= row.terms["referrer_days"] * DAY_S:
                yield f"the reward for payment {each.of.id} begins at {each.start} and lasts {each.seconds} s"


def _lost(payment_id: int) -> int:
    """What a dispute has taken of a payment that a refund has not."""
    payment = Payment.get_by_id(payment_id)
    refunds = [refund.amount for refund in payment.refunds]
    lost = [each.amount or payment.amount for each in payment.disputes if each.won is False]
    return sum(amount for amount in lost if amount not in refunds)


def rewarded() -> int:
    """How many rewards there are or will be."""
    return sum(len(rows.of(row.referrer_id)) for row in Referral.select())


def _payers() -> set[int]:
    return {row.user_id for row in Payment.select(Payment.user).distinct()}


def _is_told_by_another(event: Event) -> bool:
    """Whether a renewal was cancelled that its customer had asked to end: the news of the renewal tells it."""
    said = event.payload
    return bool(event.kind == "request_done" and said["ok"] and said["kind"] == "cancel_subscription")


def _news(sandbox: Sandbox) -> Iterator[str]:
    """Every event was told, and nothing twice."""
    sent = sandbox.control("GET", "/stats")["messages"]
    for random_id, count in sent.items():
        if count != 1:
            yield f"the message {random_id} was sent {count} times"
    told = Counter()
    for event in Event.select().where(Event.user_id.is_null(False)):
        if event.heard_at is None:
            yield f"event {event.id}, {event.kind}, was not told"
        elif str(event.random_id) not in sent and not _is_told_by_another(event):
            yield f"event {event.id}, {event.kind}, counts as told and was never sent"
        told[event.kind, event.payload.get("payment"), event.payload.get("refund")] += 1
    for (kind, payment, _), count in told.items():
        if kind in ("payment_completed", "payment_refunded") and count != 1:
            yield f"{kind} of payment {payment} was told {count} times"
    completed = {payment for kind, payment, _ in told if kind == "payment_completed"}
    for row in Payment.select().where(Payment.completed_at.is_null(False)):
        if row.id not in completed and row.state not in (PaymentState.REVERSED, PaymentState.DENIED):
            yield f"payment {row.remote_id} was never told of"
