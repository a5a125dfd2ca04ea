"""Subscriptions v1: approved once, then paid every period until somebody or something ends them."""

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from . import identifiers, money
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .catalogue import Catalogue, regular_cycle
from .clock import Clock, rfc3339, unix
from .events import Events
from .orders import PAYER, with_query
from .sales import STATUSES, Sales
from .store import Document, Store

KIND, TOKEN = "subscription", "agreement_token"
APPROVAL_LIFE = 72 * 3600  # seconds that a payer has to approve
RETRY_WAIT = 5 * 86_400  # seconds until a failed payment is tried again
NO_THRESHOLD = 0

SUBSCRIBER = {
    "email_address": PAYER["email_address"],
    "payer_id": PAYER["payer_id"],
    "name": PAYER["name"],
}


class Subscriptions:
    """A stored subscription: the public ``body``, its agreement ``token``, ``experience`` and ``instrument``."""

    def __init__(
        self, store: Store, clock: Clock, catalogue: Catalogue, sales: Sales, events: Events, base_url: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._catalogue = catalogue
        self._sales = sales
        self._events = events
        self._base_url = base_url

    def routes(self) -> Routes:
        prefix = "/v1/billing/subscriptions"
        return {
            ("POST", prefix): self.create,
            ("GET", f"{prefix}/{{id}}"): self.show,
            ("POST", f"{prefix}/{{id}}/suspend"): self.suspend,
            ("POST", f"{prefix}/{{id}}/cancel"): self.cancel,
            ("POST", f"{prefix}/{{id}}/activate"): self.activate,
            ("GET", f"{prefix}/{{id}}/transactions"): self.list_transactions,
        }

    def create(self, call: Call) -> Answer:
        plan = self._catalogue.plan(call.body["plan_id"])
        if plan["status"] != "ACTIVE":
            raise Refusal(422, "PLAN_STATUS_INVALID", "/plan_id")
        now = rfc3339(self._clock.now())
        kept: Body = {name: call.body[name] for name in ("custom_id", "shipping_amount") if name in call.body}
        body: Body = {
            "id": identifiers.subscription_id(),
            "plan_id": plan["id"],
            "status": "APPROVAL_PENDING",
            "status_update_time": now,
            "start_time": call.body.get("start_time", now),
            "quantity": call.body.get("quantity", "1"),
            "plan_overridden": False,
            "create_time": now,
            "update_time": now,
            **kept,
        }
        subscription = {
            "body": body,
            "token": identifiers.agreement_token(),
            "experience": call.body.get("application_context", {}),
            "expires": self._clock.now() + APPROVAL_LIFE,
            "instrument": "good",
        }
        self._store.put(TOKEN, subscription["token"], {"subscription": body["id"]})
        self._save(subscription, "BILLING.SUBSCRIPTION.CREATED", "Subscription created")
        public = self._public(subscription)
        names = ("id", "status", "status_update_time", "create_time", "links")
        return Answer(201, public if call.representation else {name: public[name] for name in names})

    def show(self, call: Call) -> Answer:
        return Answer(200, self._public(self._subscription(call.parameters["id"])))

    def suspend(self, call: Call) -> Answer:
        self.end(call.parameters["id"], "SUSPENDED", call.body.get("reason"))
        return Answer(204)

    def cancel(self, call: Call) -> Answer:
        self.end(call.parameters["id"], "CANCELLED", call.body.get("reason"))
        return Answer(204)

    def activate(self, call: Call) -> Answer:
        subscription = self._subscription(call.parameters["id"])
        if subscription["body"]["status"] != "SUSPENDED":
            raise Refusal(422, "SUBSCRIPTION_STATUS_INVALID")
        subscription["instrument"] = "good"
        self._set_status(subscription, "ACTIVE", call.body.get("reason"))
        info = subscription["body"]["billing_info"]
        if unix(info["next_billing_time"]) < self._clock.now():
            info["next_billing_time"] = rfc3339(self._clock.now())
        self._save(subscription, "BILLING.SUBSCRIPTION.ACTIVATED", "Subscription activated")
        return Answer(204)

    def list_transactions(self, call: Call) -> Answer:
        subscription = self._subscription(call.parameters["id"])
        start, end = (_time(call.query, name) for name in ("start_time", "end_time"))
        lag = call.effect("list_lag")
        end = end if lag is None else min(end, self._clock.now() - lag.get("seconds", 3600))
        sales = [
            sale
            for sale in self._sales.of_subscription(subscription["body"]["id"])
            if start <= unix(sale["body"]["create_time"]) <= end
        ]
        url = f"{self._base_url}{call.path}"
        transactions = [_transaction(sale) for sale in sales]
        return Answer(
            200,
            {
                "transactions": transactions,
                "total_items": len(transactions),
                "total_pages": 1,
                "links": [link(url, "self")],
            },
        )

    def approve(self, subscription_id: str, *, instrument: str = "good") -> str:
        """The payer agrees: active, and the first period is charged; says where the browser goes next."""
        subscription = self._subscription(subscription_id)
        body = subscription["body"]
        if body["status"] != "APPROVAL_PENDING":
            raise Refusal(422, "SUBSCRIPTION_STATUS_INVALID")
        subscription["instrument"] = instrument
        body["subscriber"] = SUBSCRIBER
        body["start_time"] = rfc3339(max(self._clock.now(), unix(body["start_time"])))
        price = self.price(subscription_id)
        body["billing_info"] = {
            "outstanding_balance": money.money(price["currency_code"], Decimal(0)),
            "cycle_executions": [self._execution(subscription, 0)],
            "next_billing_time": body["start_time"],
            "failed_payments_count": 0,
        }
        self._set_status(subscription, "ACTIVE", None)
        self._save(subscription, "BILLING.SUBSCRIPTION.ACTIVATED", "Subscription activated")
        if unix(body["start_time"]) <= self._clock.now():
            self.bill(subscription_id)
        return self._return_url(subscription, "return_url")

    def turn_back(self, subscription_id: str) -> str:
        """The payer does not agree, and may come again by the same link; says where the browser goes next."""
        return self._return_url(self._subscription(subscription_id), "cancel_url")

    def bill(self, subscription_id: str, *, fail: bool = False) -> str | None:
        """Charges the next period now; returns the sale's id, None when the instrument is declined."""
        subscription = self._subscription(subscription_id)
        if subscription["body"]["status"] != "ACTIVE":
            raise Refusal(422, "SUBSCRIPTION_STATUS_INVALID")
        if fail or subscription["instrument"] == "declined":
            self._fail(subscription)
            return None
        return self._charge(subscription)

    def bill_what_is_due(self) -> None:
        """Every active subscription whose next billing time has come, again and again until it lies ahead."""
        for subscription in self._store.all(KIND):
            subscription_id = subscription["body"]["id"]
            while self._is_due(subscription):
                self.bill(subscription_id)
                subscription = self._subscription(subscription_id)

    def end(self, subscription_id: str, status: str, reason: str | None = None) -> None:
        """CANCELLED, SUSPENDED or EXPIRED, by whomever. Raises Refusal where that is not possible."""
        subscription = self._subscription(subscription_id)
        allowed = ("ACTIVE",) if status == "SUSPENDED" else ("ACTIVE", "SUSPENDED")
        if subscription["body"]["status"] not in allowed:
            raise Refusal(422, "SUBSCRIPTION_STATUS_INVALID")
        self._set_status(subscription, status, reason)
        if status != "SUSPENDED":
            subscription["body"]["billing_info"].pop("next_billing_time", None)
        self._save(subscription, f"BILLING.SUBSCRIPTION.{status}", f"Subscription {status.lower()}")

    def of_token(self, token: str) -> str:
        found = self._store.get(TOKEN, token)
        if found is None:
            raise not_found()
        return str(found["subscription"])

    def title(self, subscription_id: str) -> str:
        return str(self._catalogue.plan(self._subscription(subscription_id)["body"]["plan_id"])["name"])

    def locale(self, subscription_id: str) -> str:
        """The language of the approve page, as the merchant asked for it."""
        return str(self._subscription(subscription_id)["experience"].get("locale", "en-US"))

    def price(self, subscription_id: str) -> money.Money:
        plan = self._catalogue.plan(self._subscription(subscription_id)["body"]["plan_id"])
        price: money.Money = regular_cycle(plan)["pricing_scheme"]["fixed_price"]
        return price

    def all(self) -> list[Body]:
        return [self._public(subscription) for subscription in self._store.all(KIND)]

    def public(self, subscription_id: str) -> Body:
        return self._public(self._subscription(subscription_id))

    def _charge(self, subscription: Document) -> str:
        body = subscription["body"]
        info = body["billing_info"]
        price = self._due(body)
        execution = info["cycle_executions"][0]
        execution = self._execution(subscription, execution["cycles_completed"] + 1)
        info["cycle_executions"] = [execution]
        info["last_payment"] = {"amount": price, "time": rfc3339(self._clock.now())}
        info["failed_payments_count"] = 0
        info["outstanding_balance"] = money.money(price["currency_code"], Decimal(0))
        cycle = regular_cycle(self._catalogue.plan(body["plan_id"]))
        info["next_billing_time"] = _after(info["next_billing_time"], cycle["frequency"])
        self._save(subscription)
        sale = self._sales.sell(subscription, price)
        if execution.get("total_cycles") and not execution["cycles_remaining"]:
            self.end(body["id"], "EXPIRED")
        return str(sale["body"]["id"])

    def _due(self, body: Body) -> money.Money:
        """A period's price, with what earlier ones left unpaid unless the plan says not to bill that by itself."""
        price = self.price(body["id"])
        preferences = self._catalogue.plan(body["plan_id"])["payment_preferences"]
        if not preferences.get("auto_bill_outstanding", True):
            return price
        outstanding = body["billing_info"]["outstanding_balance"]
        return money.money(price["currency_code"], money.value(price) + money.value(outstanding))

    def _fail(self, subscription: Document) -> None:
        body = subscription["body"]
        info = body["billing_info"]
        price = self.price(body["id"])
        info["failed_payments_count"] += 1
        retry = rfc3339(self._clock.now() + RETRY_WAIT)
        info["next_billing_time"] = retry
        info["outstanding_balance"] = price
        info["last_failed_payment"] = {
            "amount": price,
            "time": rfc3339(self._clock.now()),
            "reason_code": "PAYMENT_DENIED",
            "next_payment_retry_time": retry,
        }
        self._save(subscription, "BILLING.SUBSCRIPTION.PAYMENT.FAILED", "Subscription payment failed")
        preferences = self._catalogue.plan(body["plan_id"])["payment_preferences"]
        threshold = preferences.get("payment_failure_threshold", NO_THRESHOLD)
        if threshold and info["failed_payments_count"] >= threshold:
            self.end(body["id"], "SUSPENDED", "Maximum number of failed payments reached")

    def _execution(self, subscription: Document, completed: int) -> Body:
        cycle = regular_cycle(self._catalogue.plan(subscription["body"]["plan_id"]))
        total = cycle.get("total_cycles", 1)
        return {
            "tenure_type": "REGULAR",
            "sequence": cycle["sequence"],
            "cycles_completed": completed,
            "cycles_remaining": max(0, total - completed),
            "current_pricing_scheme_version": 1,
            "total_cycles": total,
        }

    def _is_due(self, subscription: Document) -> bool:
        body = subscription["body"]
        if body["status"] != "ACTIVE":
            return False
        return unix(body["billing_info"]["next_billing_time"]) <= self._clock.now()

    def _subscription(self, subscription_id: str) -> Document:
        subscription = self._store.get(KIND, subscription_id)
        if subscription is None:
            raise not_found()
        if subscription["body"]["status"] == "APPROVAL_PENDING" and self._clock.now() >= subscription["expires"]:
            raise not_found()
        return subscription

    def _set_status(self, subscription: Document, status: str, note: str | None) -> None:
        body = subscription["body"]
        body["status"] = status
        body["status_update_time"] = body["update_time"] = rfc3339(self._clock.now())
        if note:
            body["status_change_note"] = note

    def _save(self, subscription: Document, event_type: str | None = None, summary: str = "") -> None:
        body = subscription["body"]
        body["update_time"] = rfc3339(self._clock.now())
        self._store.put(KIND, body["id"], subscription)
        if event_type:
            self._events.publish(event_type, "subscription", self._public(subscription), summary)

    def _public(self, subscription: Document) -> Body:
        body = subscription["body"]
        url = f"{self._base_url}/v1/billing/subscriptions/{body['id']}"
        links = [link(url, "self"), link(url, "edit", "PATCH")]
        if body["status"] == "APPROVAL_PENDING":
            approve = f"{self._base_url}/webapps/billing/subscriptions?ba_token={subscription['token']}"
            links.insert(0, link(approve, "approve"))
        elif body["status"] in ("ACTIVE", "SUSPENDED"):
            links.append(link(f"{url}/cancel", "cancel", "POST"))
        return {**body, "links": links}

    def _return_url(self, subscription: Document, name: str) -> str:
        url = str(subscription["experience"].get(name, "about:blank"))
        token = subscription["token"]
        return with_query(
            url, subscription_id=subscription["body"]["id"], ba_token=token, token=token.removeprefix("BA-")
        )


def _transaction(sale: Document) -> Body:
    amount = sale["money"]
    fee = money.fee(amount)
    return {
        "id": sale["body"]["id"],
        "status": STATUSES[sale["body"]["state"]],
        "payer_email": PAYER["email_address"],
        "payer_name": PAYER["name"],
        "amount_with_breakdown": {
            "gross_amount": amount,
            "fee_amount": money.money(amount["currency_code"], fee),
            "net_amount": money.money(amount["currency_code"], money.value(amount) - fee),
        },
        "time": sale["body"]["create_time"],
    }


def _time(query: Mapping[str, str], name: str) -> int:
    try:
        return unix(query[name])
    except KeyError:
        raise Refusal(400, "MISSING_REQUIRED_PARAMETER", name) from None
    except ValueError:
        raise Refusal(400, "INVALID_PARAMETER_SYNTAX", name) from None


def _after(moment: str, frequency: Body) -> str:
    """The next billing time: calendar months and years, shortened where a month has no such day."""
    start = datetime.fromtimestamp(unix(moment), UTC)
    count = frequency.get("interval_count", 1)
    unit = frequency["interval_unit"]
    if unit in ("DAY", "WEEK"):
        return rfc3339(int((start + timedelta(days=count * (7 if unit == "WEEK" else 1))).timestamp()))
    months = start.month - 1 + count * (12 if unit == "YEAR" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return rfc3339(int(start.replace(year=year, month=month, day=day).timestamp()))
