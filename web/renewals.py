"""Purchases that renew themselves at PayPal: product and billing plan made once, then one subscription a customer."""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from config.plans import Plans
from config.texts import Texts
from models import notes, orders, payments, subscriptions
from models.orders import OrderInfo
from models.payments import Fact, State
from models.subscriptions import News, SubscriptionInfo
from web.checkout import CANCEL_PATH, LOCALES, SUCCESS_PATH, Look, Outcome, Result, approve_url, timestamp
from web.paypal import OutcomeUnknown, PayPal, Refused, Unavailable, minor, money

logger = logging.getLogger(__name__)

PROVIDER = "paypal"
DAY_S = 86_400
STATES = {
    "APPROVAL_PENDING": subscriptions.State.PENDING,
    "APPROVED": subscriptions.State.PENDING,
    "ACTIVE": subscriptions.State.ACTIVE,
    "SUSPENDED": subscriptions.State.SUSPENDED,
    "CANCELLED": subscriptions.State.CANCELLED,
    "EXPIRED": subscriptions.State.EXPIRED,
}
SALE_STATES = {
    "COMPLETED": State.COMPLETED,
    "PARTIALLY_REFUNDED": State.COMPLETED,
    "REFUNDED": State.COMPLETED,
    "PENDING": State.PENDING,
    "DECLINED": State.DENIED,
}


class Renewals:
    """Sells renewing plans through one PayPal account."""

    def __init__(self, paypal: PayPal, plans: Plans, backend_url: str) -> None:
        self._paypal = paypal
        self._plans = plans
        self._backend_url = backend_url

    def open(self, order: OrderInfo, texts: Texts, now: int) -> str:
        """Return the page at PayPal where the subscription is approved; a repeated click finds the same one.

        :raises PayPalError: it could not be opened.
        """
        if order.remote_id and order.approve_url:
            return order.approve_url
        body = {
            "plan_id": self._billing_plan(order, now),
            "custom_id": order.public_id,
            "application_context": {
                "brand_name": "Peaje",
                "locale": LOCALES[texts.language],
                "shipping_preference": "NO_SHIPPING",
                "user_action": "SUBSCRIBE_NOW",
                "return_url": self._backend_url + SUCCESS_PATH,
                "cancel_url": self._backend_url + CANCEL_PATH,
            },
        }
        remote = self._paypal.create_subscription(body, orders.request_id(order.id, "create", now))
        url = approve_url(remote)
        if url is None:
            raise Unavailable("PayPal gave no page to approve the subscription on")
        orders.attach_remote(order.id, str(remote["id"]), now, url)
        subscriptions.begin(order.id, str(remote["id"]), now)
        return url

    def reconcile_order(self, order: OrderInfo, now: int) -> Outcome:
        """Bring the ledger to where PayPal stands with the subscription that *order* began."""
        known = subscriptions.by_remote(PROVIDER, order.remote_id or "")
        if known is None:
            return Outcome(Result.NOT_APPROVED, order.approve_url)
        try:
            look = self.look(known, now)
        except Refused as refusal:
            logger.warning("subscription refused", extra={"order": order.id, "debug_id": refusal.debug_id})
            return Outcome(Result.OVER if refusal.status == 404 else Result.LATER)
        except (Unavailable, OutcomeUnknown) as error:
            logger.warning("subscription not settled yet", extra={"order": order.id, "cause": str(error)})
            return Outcome(Result.LATER, order.approve_url)
        payments.apply(look.changes, now)
        return look.outcome

    def look(self, known: SubscriptionInfo, now: int) -> Look:
        """Read a subscription and its sales.

        :raises PayPalError: PayPal could not be asked.
        """
        remote = self._paypal.subscription(known.remote_id)
        order = orders.get(known.order_id)
        if order is None or remote.get("custom_id") != order.public_id:
            logger.error("subscription does not fit", extra={"subscription": known.id})
            orders.doubt(known.order_id, "another purchase's custom_id", now)
            return Look(Outcome(Result.TROUBLE))
        state = STATES.get(str(remote.get("status")))
        if state is None:
            logger.warning(
                "unknown subscription status", extra={"subscription": known.id, "status": remote.get("status")}
            )
            return Look(Outcome(Result.LATER))
        at = timestamp(remote.get("status_update_time"), timestamp(remote.get("update_time"), now))
        facts = self._sales(known, order, remote, now)
        news = News(PROVIDER, known.remote_id, state, _next_billing(remote), at)
        return Look(_outcome(state, facts, remote), (*facts, news))

    def _sales(self, known: SubscriptionInfo, order: OrderInfo, remote: Mapping[str, Any], now: int) -> list[Fact]:
        begun = timestamp(remote.get("create_time"), known.created_at)
        sales = self._paypal.subscription_sales(known.remote_id, rfc3339(begun - DAY_S), rfc3339(now + DAY_S))
        facts = [sale_fact(sale, order, known) for sale in sorted(sales, key=lambda sale: str(sale.get("time")))]
        return reach((fact for fact in facts if fact), _next_billing(remote))

    def _billing_plan(self, order: OrderInfo, now: int) -> str:
        """PayPal's plan for these terms, made once and remembered. Other terms make another plan."""
        terms = f"{order.plan_code}:{order.amount}:{order.currency}:{order.seconds}"
        plan = self._plans.by_code(order.plan_code)
        title = plan.title_in("en") if plan else order.plan_code
        body = {
            "product_id": self._product(now),
            "name": title,
            "billing_cycles": [
                {
                    "frequency": {"interval_unit": "DAY", "interval_count": order.seconds // DAY_S},
                    "tenure_type": "REGULAR",
                    "sequence": 1,
                    "total_cycles": 0,
                    "pricing_scheme": {"fixed_price": money(order.amount, order.currency)},
                }
            ],
            "payment_preferences": {"auto_bill_outstanding": True, "payment_failure_threshold": 2},
        }
        return _once(f"paypal_plan:{terms}", lambda request_id: self._paypal.create_plan(body, request_id), now)

    def _product(self, now: int) -> str:
        body = {"name": "Peaje", "type": "SERVICE"}
        return _once("paypal_product", lambda request_id: self._paypal.create_product(body, request_id), now)


def sale_fact(sale: Mapping[str, Any], order: OrderInfo, known: SubscriptionInfo) -> Fact | None:
    """A subscription's payment in our terms: by itself it reaches one period past its own time."""
    state = SALE_STATES.get(str(sale.get("status")))
    if state is None:
        logger.warning("unknown sale status", extra={"subscription": known.id, "status": sale.get("status")})
        return None
    gross = (sale.get("amount_with_breakdown") or {}).get("gross_amount") or {}
    amount, currency = minor(gross)
    at = timestamp(sale.get("time"), known.created_at)
    return Fact(
        provider=PROVIDER,
        remote_id=str(sale["id"]),
        order_public_id=order.public_id,
        subscription_remote_id=known.remote_id,
        user_id=order.user_id,
        amount=amount,
        currency=currency,
        state=state,
        created_at=at,
        at=at,
        period_end=at + order.seconds,
    )


def reach(facts: Iterable[Fact], next_billing: int | None) -> list[Fact]:
    """Let the newest completed payment reach as far as PayPal says that the subscription is paid."""
    found = list(facts)
    newest = max((fact for fact in found if fact.state is State.COMPLETED), key=lambda fact: fact.at, default=None)
    if newest is None or next_billing is None:
        return found
    reaching = replace(newest, period_end=max(newest.period_end or 0, next_billing))
    return [reaching if fact is newest else fact for fact in found]


def rfc3339(unix: int) -> str:
    """Unix seconds as PayPal writes an instant."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _outcome(state: subscriptions.State, facts: list[Fact], remote: Mapping[str, Any]) -> Outcome:
    paid = [fact for fact in facts if fact.state is State.COMPLETED]
    if paid:
        return Outcome(Result.PAID, reference=paid[-1].remote_id)
    if any(fact.state is State.PENDING for fact in facts) or state is subscriptions.State.ACTIVE:
        return Outcome(Result.PENDING, reference=str(remote.get("id", "")))
    if state is subscriptions.State.PENDING:
        return Outcome(Result.NOT_APPROVED, approve_url(remote))
    return Outcome(Result.OVER)


def _next_billing(remote: Mapping[str, Any]) -> int | None:
    text = (remote.get("billing_info") or {}).get("next_billing_time")
    return timestamp(text, 0) or None


def _once(key: str, make: Callable[[str], Mapping[str, Any]], now: int) -> str:
    """Make something at PayPal and remember its id. The request id is kept first: a lost answer makes no second one."""
    known = notes.get(key)
    if isinstance(known, dict) and known.get("id"):
        return str(known["id"])
    request_id = known["request_id"] if isinstance(known, dict) else str(uuid.uuid4())
    notes.put(key, {"request_id": request_id}, now)
    made = str(make(request_id)["id"])
    notes.put(key, {"request_id": request_id, "id": made}, now)
    return made
