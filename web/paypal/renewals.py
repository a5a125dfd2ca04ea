"""Purchases that renew at PayPal: product and billing plan are created once, then a subscription for each customer."""

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from config.texts import DEFAULT_LANGUAGE, Texts
from config.units import DAY_S
from models import notes
from models.catalogue import Catalogue
from models.money import orders, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import Fact, PaymentState
from models.money.seller import Outcome, Poll, Result
from models.money.subscriptions import News, SubscriptionInfo
from web.paypal import branding, refusals, unreadable
from web.paypal.checkout import CANCEL_PATH, SUCCESS_PATH
from web.paypal.client import NOT_FOUND, PayPal, Refused, Unavailable, Unreadable, money, readable, text
from web.paypal.parsing import (
    PROVIDER,
    SUBSCRIPTION_STATES,
    approve_url,
    extend_newest,
    failure_of,
    identifier,
    instant,
    is_failing,
    is_price,
    names,
    next_billing,
    parse_sale,
    rfc3339,
)

logger = logging.getLogger(__name__)


class Renewals:
    """Sells renewing plans through one PayPal account."""

    def __init__(self, paypal: PayPal, catalogue: Catalogue, backend_url: str) -> None:
        self._paypal = paypal
        self._catalogue = catalogue
        self._backend_url = backend_url
        self._creating = threading.RLock()

    def create(self, order: OrderInfo, texts: Texts, now: int) -> str:
        """Create a subscription at PayPal and return the page where the buyer approves it. A repeat creates no other.

        :raises PayPalError: the subscription could not be created.
        :raises AlreadySubscribed: another subscription has begun to renew this plan meanwhile.
        """
        remote = self._subscribe(order, texts, now)
        url = approve_url(remote.get("links"))
        if url is None:
            raise Unavailable("PayPal gave no page to approve the subscription on")
        remote_id = identifier(remote)
        # The subscription is recorded first: whatever a buyer can approve must be known here.
        subscriptions.begin(order.id, remote_id, now)
        orders.attach_remote(order.id, remote_id, now, url)
        return url

    def _subscribe(self, order: OrderInfo, texts: Texts, now: int) -> Mapping[str, Any]:
        """Create the subscription. Where PayPal sells the noted plan no more, which anybody may have switched off on
        its pages, it is to another one.
        """
        noted = self._noted(order)
        try:
            body, key = self._body(order, texts, now), orders.request_id(order.id, "create", now)
            return self._paypal.create_subscription(body, key)
        except Refused as refusal:
            if not refusals.is_of_plan(refusal):
                raise
            logger.warning("plan.gone", extra={"plan": order.plan_code, "cause": str(refusal)})
            self._forget(noted if refusal.status == NOT_FOUND else noted[:1])
            body, key = self._body(order, texts, now), orders.request_id(order.id, "create", now, fresh=True)
            return self._paypal.create_subscription(body, key)

    def poll(self, order: OrderInfo, now: int) -> Poll:
        """Read the subscription that *order* began, and its payments.

        :raises PayPalError: PayPal could not be asked, or refused.
        """
        known = subscriptions.by_remote(PROVIDER, order.remote_id or "")
        return self.poll_subscription(known, now) if known else Poll(Outcome(Result.NOT_APPROVED, order.approve_url))

    def poll_subscription(self, known: SubscriptionInfo, now: int) -> Poll:
        """Read a subscription and its payments.

        :raises PayPalError: PayPal could not be asked, or refused.
        """
        try:
            remote = self._paypal.subscription(known.remote_id)
        except Refused as refusal:
            if refusal.status == NOT_FOUND and known.state is subscriptions.SubscriptionState.PENDING:
                return Poll(Outcome(Result.OVER), (_never_approved(known, now),))
            raise
        order = orders.get(known.order_id)
        if order is None or not names(remote, order):
            logger.error("subscription.mismatched", extra={"subscription": known.id})
            orders.doubt(known.order_id, "another purchase's custom_id", now)
            return Poll(Outcome(Result.TROUBLE))
        with readable("the subscription"):
            return self._read(known, order, remote, now)

    def _read(self, known: SubscriptionInfo, order: OrderInfo, remote: Mapping[str, Any], now: int) -> Poll:
        facts = self._sales(known, order, remote, now)
        state = SUBSCRIPTION_STATES.get(str(remote.get("status")))
        if state is None:
            logger.warning("subscription.unknown", extra={"subscription": known.id, "status": remote.get("status")})
            return Poll(Outcome(Result.LATER), tuple(facts))
        at = instant(remote.get("status_update_time") or remote.get("update_time"), now, now)
        news = News(PROVIDER, known.remote_id, state, next_billing(remote), at=at)
        failure = failure_of(remote, now) if is_failing(remote) else None
        return Poll(_outcome(state, facts, order, remote), (*facts, *([failure] if failure else []), news))

    def _sales(self, known: SubscriptionInfo, order: OrderInfo, remote: Mapping[str, Any], now: int) -> list[Fact]:
        begun = instant(remote.get("create_time"), now, known.created_at)
        sales = self._paypal.subscription_sales(known.remote_id, rfc3339(begun - DAY_S), rfc3339(now + DAY_S))
        facts = (self._payment(sale, order, known, now) for sale in sales)
        in_order = sorted((fact for fact in facts if fact), key=lambda fact: fact.at)
        return extend_newest(in_order, next_billing(remote))

    def _payment(self, sale: Mapping[str, Any], order: OrderInfo, known: SubscriptionInfo, now: int) -> Fact | None:
        """A payment of the list; None for one that cannot be read, of which the admins are told once.

        It must hide neither the payments beside it nor the end of the renewal.
        """
        try:
            with readable("a payment of a subscription"):
                return parse_sale(self._with_status(sale), order, known, now)
        except (Refused, Unreadable) as error:
            name = unreadable.name_of(sale, "id")
            logger.error("sale.unread", extra={"subscription": known.id, "sale": name, "cause": str(error)})
            unreadable.set_apart("transaction", name, now, why=str(error))
            return None

    def _with_status(self, sale: Mapping[str, Any]) -> Mapping[str, Any]:
        """A payment of the list, with its status, which the list may leave out."""
        if sale.get("status"):
            return sale
        return {**sale, "status": str(self._paypal.sale(text(sale["id"])).get("state")).upper()}

    def _body(self, order: OrderInfo, texts: Texts, now: int) -> dict[str, Any]:
        return {
            "plan_id": self._billing_plan(order, now),
            "custom_id": order.public_id,
            "application_context": {
                "brand_name": branding.noted().brand,
                "locale": texts.locale,
                "shipping_preference": "NO_SHIPPING",
                "user_action": "SUBSCRIBE_NOW",
                "return_url": self._backend_url + SUCCESS_PATH,
                "cancel_url": self._backend_url + CANCEL_PATH,
            },
        }

    def _title(self, order: OrderInfo) -> str:
        return self._catalogue.plans.title_of(order.plan_code, DEFAULT_LANGUAGE)

    def _billing_plan(self, order: OrderInfo, now: int) -> str:
        """PayPal's plan for these terms, made once and remembered. Other terms, or another name, make another plan."""
        body = {
            "product_id": self._product(now),
            "name": self._title(order),
            "billing_cycles": [
                {
                    "frequency": {"interval_unit": "DAY", "interval_count": order.seconds // DAY_S},
                    "tenure_type": "REGULAR",
                    "sequence": 1,
                    "total_cycles": 0,
                    "pricing_scheme": {"fixed_price": money(order.amount, order.currency)},
                }
            ],
            # A payment is for one period: what one for two would buy, its order does not say.
            "payment_preferences": {"auto_bill_outstanding": False, "payment_failure_threshold": 2},
        }
        return self._once(self._plan_name(order), lambda request_id: self._paypal.create_plan(body, request_id), now)

    def _plan_name(self, order: OrderInfo) -> str:
        terms = (order.plan_code, order.amount, order.currency, order.seconds, self._title(order))
        return f"plan_by_period:{':'.join(map(str, terms))}"

    def _noted(self, order: OrderInfo) -> tuple[tuple[str, Any], ...]:
        """The notes of the billing plan for *order*, and of the product."""
        keys = (self._key(self._plan_name(order)), self._key("product"))
        return tuple((key, notes.get(key)) for key in keys)

    def _forget(self, noted: Iterable[tuple[str, Any]]) -> None:
        """Forget what PayPal does not have any more, and keys that made nothing; not what another purchase has made."""
        with self._creating:
            for key, was in noted:
                present = notes.get(key) or {}
                if present == was or "id" not in present:
                    notes.drop(key)

    def _key(self, name: str) -> str:
        return f"paypal_{name}:{self._paypal.account}"

    def _product(self, now: int) -> str:
        body = {"name": branding.noted().brand, "type": "SERVICE"}
        return self._once("product", lambda request_id: self._paypal.create_product(body, request_id), now)

    def _once(self, name: str, make: Callable[[str], Mapping[str, Any]], now: int) -> str:
        """Create a product or billing plan at PayPal once, and note its id.

        The request id is noted before the call, so that a lost answer creates no second one while PayPal remembers the
        id. A second one after that would do no harm: it costs nothing and sells nothing.
        """
        key = self._key(name)
        with self._creating:
            known = notes.get(key) or {"request_id": str(uuid.uuid4())}
            if known.get("id"):
                return str(known["id"])
            notes.put(key, known, now)
            made = identifier(make(known["request_id"]))
            notes.put(key, {**known, "id": made}, now)
            return made


def _outcome(
    state: subscriptions.SubscriptionState, facts: list[Fact], order: OrderInfo, remote: Mapping[str, Any]
) -> Outcome:
    completed = [fact for fact in facts if fact.state is PaymentState.COMPLETED]
    paid = [fact for fact in completed if is_price(fact, order)]
    if paid:
        return Outcome(Result.PAID, reference=paid[-1].remote_id)
    if completed:
        return Outcome(Result.TROUBLE)
    if any(fact.state is PaymentState.PENDING for fact in facts) or state is subscriptions.SubscriptionState.ACTIVE:
        return Outcome(Result.PENDING, reference=str(remote.get("id", "")))
    if state is subscriptions.SubscriptionState.PENDING:
        return Outcome(Result.NOT_APPROVED, approve_url(remote.get("links")))
    return Outcome(Result.OVER)


def _never_approved(known: SubscriptionInfo, now: int) -> News:
    """The news of a subscription that nobody approved in time, which PayPal has forgotten."""
    return News(PROVIDER, known.remote_id, subscriptions.SubscriptionState.EXPIRED, None, at=now)
