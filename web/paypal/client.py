"""A thin PayPal client: REST over requests, amounts in whole minor units.

PayPalError            a SellerError; debug_id: PayPal's reference for its support
├── Refused            PayPal said no: status, name, issues, links
├── Unavailable        the call changed nothing: try later
│   ├── AccessDenied   PayPal refuses our credentials, not the request: the operator has to act
│   └── Unreadable     PayPal answered, in a shape that this answer should not have
└── OutcomeUnknown     the call may have moved money: read the state before the next call
    └── InProgress     PayPal is still busy with an earlier call about the same thing: wait, then the same key

Every POST carries a ``PayPal-Request-Id`` that the caller has stored before, so that a repeat is the same request.
PayPal remembers these ids for some time (:data:`KEY_LIVES_S`); a caller that repeats later than that reads first.
Source: PayPal's REST API reference, "Idempotency". Which key each call has, and what follows it, is in
``docs/ARCHITECTURE.md``, "The calls that change something".

A refusal counts only when every attempt of the call was answered. One that follows an attempt without an answer is an
:class:`OutcomeUnknown`, because that attempt may have done what the next one was refused for.
"""

import contextlib
import hashlib
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from retrying import Retrying

from config.plans import decimals
from config.units import DAY_S, HOUR_S
from models.money.seller import SellerError

logger = logging.getLogger(__name__)

ENDPOINTS = {"live": "https://api-m.paypal.com", "sandbox": "https://api-m.sandbox.paypal.com"}
TIMEOUT_S = (3.05, 10.0)
ATTEMPTS = 4
TOKEN_LEEWAY_S = 60
LONGEST_WAIT_S = 8.0
REPLACED = "\ufffd"
"""Stands in a text for what was no character."""

MOST_PAGES = 1_000
"""Of the list of transactions: PayPal reports up to 10,000 at once, of which a page holds 500."""

LARGEST_AMOUNT = 2**53
"""Minor units; no column or file holds more without loss."""
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_MANY_REQUESTS, FAULTS = 401, 403, 404, 409, 429, 500

KEY_LIVES_S: Mapping[str, int] = {
    "/v2/checkout/orders": 6 * HOUR_S,
    "/v2/payments": 45 * DAY_S,
    "/v1/payments": 45 * DAY_S,
    "/v1/billing": 72 * HOUR_S,
    "/v1/catalogs": 72 * HOUR_S,
    "/v1/notifications": 0,
}
"""For how many seconds PayPal answers a repeat with the first outcome, by the beginning of the path. 0: it never does.
"""
IN_PROGRESS = frozenset({"PREVIOUS_REQUEST_IN_PROGRESS", "ORDER_COMPLETION_IN_PROGRESS"})
"""Issues of an earlier call that PayPal has not finished. Source: PayPal's files ``payments_payment_v2``, 409, and
``checkout_orders_v2``, 422."""

Json = dict[str, Any]


class PayPalError(SellerError):
    """Base of all that a PayPal call raises."""

    permanent = False


class Refused(PayPalError):
    """PayPal refused the request (4xx)."""

    permanent = True

    def __init__(self, status: int, body: Mapping[str, Any], debug_id: str = "") -> None:
        self.status = status
        self.name = str(body.get("name") or body.get("error") or "")
        named = (detail.get("issue") for detail in _objects(body.get("details")))
        self.issues = frozenset(issue for issue in named if isinstance(issue, str))
        self.links = [link for link in _objects(body.get("links")) if _is_link(link)]
        described = ", ".join(sorted(self.issues)) or self.name or "no reason given"
        super().__init__(f"PayPal refused with {status}: {described}", debug_id)


class Unavailable(PayPalError):
    """PayPal could not be asked, and the call changed nothing."""


class AccessDenied(Unavailable):
    """PayPal does not accept our credentials, or does not allow them this call."""

    permanent = True


class Unreadable(Unavailable):
    """PayPal answered, but this answer cannot be read. Others may be readable."""


class OutcomeUnknown(PayPalError):
    """A call that may move money got no clear answer."""


class InProgress(OutcomeUnknown):
    """PayPal has not finished an earlier call about the same thing."""


class _Transient(Exception):
    """One attempt failed, and the next may succeed. ``is_refusal``: PayPal said that it did nothing."""

    def __init__(
        self, cause: str, retry_after: float | None = None, debug_id: str = "", *, is_refusal: bool = False
    ) -> None:
        self.retry_after, self.debug_id, self.is_refusal = retry_after, debug_id, is_refusal
        super().__init__(cause)


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn errors over the shape of an answer into one that callers expect.

    :raises Unreadable: *what* lacks a part, or a part is of another type.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{what} cannot be read: {error!r}") from error


def text(found: object) -> str:
    """An id or an address of PayPal's.

    :raises ValueError: it is none. Nothing may be kept, or looked for, under what could be made of it.
    """
    if not isinstance(found, str) or not found or REPLACED in found:
        raise ValueError(f"not a text: {found!r:.100}")
    return found


def loads(body: bytes | str) -> Any:
    """What JSON says. Half a character, which it can spell and no table can hold, is replaced.

    :raises ValueError: it is no JSON.
    """
    try:
        found = json.loads(body)
    except RecursionError as error:
        raise ValueError("no JSON of PayPal's is that deep") from error
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        spelt = json.dumps(found, ensure_ascii=False).encode(errors="surrogatepass")
        return json.loads(spelt.decode(errors="replace"))
    return found


@dataclass(frozen=True)
class _Token:
    value: str
    expires: float  # on the monotonic clock


class PayPal:
    """One merchant's account, for any number of threads.

    :param base_url: one of :data:`ENDPOINTS`, or a local server's origin.
    """

    def __init__(self, base_url: str, client_id: str, client_secret: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.account = hashlib.sha256(client_id.encode()).hexdigest()[:12]
        """Identifies this account in our notes: another account has other products, webhooks and payees."""
        self._auth = (client_id, client_secret)
        self._http = requests.Session()
        self._http.trust_env = False  # a stray .netrc entry must not replace our Authorization header
        self._http.mount(self.base_url, HTTPAdapter(pool_connections=1, pool_maxsize=8))
        self._token: _Token | None = None
        self._token_lock = threading.Lock()
        self._limits = threading.local()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Limit this thread's calls to *seconds* in all; what is unfinished then raises instead of another retry."""
        outer = getattr(self._limits, "deadline", None)
        self._limits.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._limits.deadline = outer

    # Orders and captures

    def create_order(self, body: Json, request_id: str) -> Json:
        """Create an order; *body* as in the Orders v2 reference."""
        return self._post("/v2/checkout/orders", body, request_id)

    def order(self, order_id: str) -> Json:
        """Read an order with its captures."""
        return self._get(f"/v2/checkout/orders/{_segment(order_id)}")

    def capture_order(self, order_id: str, request_id: str) -> Json:
        """Capture the money of an approved order."""
        return self._post(f"/v2/checkout/orders/{_segment(order_id)}/capture", {}, request_id)

    def capture(self, capture_id: str) -> Json:
        """Read a capture."""
        return self._get(f"/v2/payments/captures/{_segment(capture_id)}")

    def refund_capture(self, capture_id: str, amount: int | None, currency: str, request_id: str) -> Json:
        """Give back *amount* minor units of a capture; None gives back all that is left.

        The refund bears the request id as its invoice number, of which PayPal accepts each only once.
        """
        body: Json = {"invoice_id": request_id}
        if amount is not None:
            body["amount"] = money(amount, currency)
        return self._post(f"/v2/payments/captures/{_segment(capture_id)}/refund", body, request_id)

    def refund(self, refund_id: str) -> Json:
        """Read a refund of a capture."""
        return self._get(f"/v2/payments/refunds/{_segment(refund_id)}")

    # Sales, the payments of subscriptions: v1 resources

    def refund_sale(self, sale_id: str, amount: int | None, currency: str, request_id: str) -> Json:
        """Give back *amount* minor units of a sale; None gives back all that is left."""
        total = {} if amount is None else money(amount, currency)
        body = {"amount": {"total": total["value"], "currency": currency}} if total else {}
        return self._post(f"/v1/payments/sale/{_segment(sale_id)}/refund", body, request_id)

    def sale(self, sale_id: str) -> Json:
        """Read a sale."""
        return self._get(f"/v1/payments/sale/{_segment(sale_id)}")

    def sale_refund(self, refund_id: str) -> Json:
        """Read a refund of a sale."""
        return self._get(f"/v1/payments/refund/{_segment(refund_id)}")

    # Subscriptions

    def create_product(self, body: Json, request_id: str) -> Json:
        """Create a catalogue product, the parent of billing plans."""
        return self._post("/v1/catalogs/products", body, request_id)

    def create_plan(self, body: Json, request_id: str) -> Json:
        """Create a billing plan."""
        return self._post("/v1/billing/plans", body, request_id)

    def create_subscription(self, body: Json, request_id: str) -> Json:
        """Create a subscription that its buyer has yet to approve."""
        return self._post("/v1/billing/subscriptions", body, request_id)

    def subscription(self, subscription_id: str) -> Json:
        """Read a subscription."""
        return self._get(f"/v1/billing/subscriptions/{_segment(subscription_id)}")

    def cancel_subscription(self, subscription_id: str, reason: str, request_id: str) -> None:
        """Cancel the renewals; the paid period stays paid."""
        self._post(f"/v1/billing/subscriptions/{_segment(subscription_id)}/cancel", {"reason": reason}, request_id)

    def activate_subscription(self, subscription_id: str, reason: str, request_id: str) -> None:
        """Resume a suspended subscription."""
        self._post(f"/v1/billing/subscriptions/{_segment(subscription_id)}/activate", {"reason": reason}, request_id)

    def subscription_sales(self, subscription_id: str, start: str, end: str) -> list[Json]:
        """The payments of a subscription between two RFC 3339 instants."""
        found = self._get(
            f"/v1/billing/subscriptions/{_segment(subscription_id)}/transactions",
            {"start_time": start, "end_time": end},
        )
        return _list(found, "transactions")

    # Disputes, webhooks, reports

    def dispute(self, dispute_id: str) -> Json:
        """Read a dispute."""
        return self._get(f"/v1/customer/disputes/{_segment(dispute_id)}")

    def disputes(self, updated_after: str, page_size: int = 50) -> list[Json]:
        """Summaries of the disputes that were updated since an RFC 3339 instant."""
        found: list[Json] = []
        query = {"update_time_after": updated_after, "page_size": str(page_size)}
        read: set[str] = set()
        while True:
            answer = self._get("/v1/customer/disputes", query)
            found += _list(answer, "items")
            token = _next_page(answer)
            if token is None:
                return found
            if token in read:
                raise Unreadable("the list of disputes leads back to a page that was read")
            read.add(token)
            query["next_page_token"] = token

    def webhooks(self) -> list[Json]:
        """The webhooks registered for this account."""
        return _objects(_list(self._get("/v1/notifications/webhooks"), "webhooks"))

    def create_webhook(self, url: str, event_types: list[str], request_id: str) -> Json:
        """Register a webhook for the named events."""
        return self._post("/v1/notifications/webhooks", {"url": url, "event_types": _named(event_types)}, request_id)

    def subscribe_webhook(self, webhook_id: str, event_types: list[str], request_id: str) -> Json:
        """Subscribe a registered webhook to the named events, and to no others."""
        change = {"op": "replace", "path": "/event_types", "value": _named(event_types)}
        return self._change("PATCH", f"/v1/notifications/webhooks/{_segment(webhook_id)}", [change], request_id)

    def transactions(self, start: str, end: str) -> list[Json]:
        """All transactions between two RFC 3339 instants, at most 31 days apart. New ones show after up to 3 hours.

        One that cannot be read is empty.
        """
        found: list[Json] = []
        page, pages = 1, 1
        while page <= pages:
            query = {"start_date": start, "end_date": end, "fields": "transaction_info", "page_size": "500"}
            answer = self._get("/v1/reporting/transactions", {**query, "page": str(page)})
            found += [_info(row) for row in _list(answer, "transaction_details")]
            pages = _count(answer.get("total_pages"))
            page += 1
        return found

    def check(self) -> None:
        """Fetch a new token, although the present one may still be valid: does PayPal answer, and know us?

        :raises AccessDenied: PayPal does not accept our credentials.
        :raises Unavailable: PayPal cannot be asked.
        """
        try:
            self._bearer(self._token.value if self._token else None)
        except _Transient as error:
            raise Unavailable(f"no access token: {error}", error.debug_id) from error

    # Transport

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        try:
            return self._retrying(lambda: self._attempt("GET", path, self._bearer(), query=query))
        except _Transient as error:
            raise Unavailable(f"GET {path}: {error}", error.debug_id) from error

    def _post(self, path: str, body: Json, request_id: str) -> Json:
        return self._change("POST", path, body, request_id)

    def _change(self, method: str, path: str, body: Json | list[Json], request_id: str) -> Json:
        unanswered = 0

        def attempt() -> Json:
            nonlocal unanswered
            token = self._bearer()
            try:
                return self._attempt(method, path, token, body=body, request_id=request_id)
            except _Transient as error:
                unanswered += not error.is_refusal
                raise

        try:
            return self._retrying(attempt)
        except _Transient as error:
            kind = OutcomeUnknown if unanswered else Unavailable
            raise kind(f"{method} {path}: {error}", error.debug_id) from error
        except AccessDenied as error:
            if unanswered:  # the repeat was not let in, which says nothing about the call that had no answer
                raise OutcomeUnknown(f"{method} {path}: {error}, after no answer", error.debug_id) from error
            raise
        except Refused as refusal:
            if refusal.status == CONFLICT or refusal.issues & IN_PROGRESS:
                raise InProgress(f"{method} {path}: {refusal}", refusal.debug_id) from refusal
            if unanswered:
                raise OutcomeUnknown(f"{method} {path}: {refusal}, after no answer", refusal.debug_id) from refusal
            raise

    def _retrying(self, attempt: Callable[[], Json]) -> Json:
        asked_wait: float | None = None

        def again(error: BaseException) -> bool:
            nonlocal asked_wait
            asked_wait = error.retry_after if isinstance(error, _Transient) else None
            return isinstance(error, _Transient)

        def wait_ms(attempts: int, _elapsed_ms: int) -> float:
            backoff = min(LONGEST_WAIT_S, 0.25 * 2**attempts) * random.uniform(0.5, 1.0)
            return 1000 * min(asked_wait if asked_wait is not None else backoff, self._time_left())

        def enough(attempts: int, _elapsed_ms: int) -> bool:
            patience = min(LONGEST_WAIT_S, self._time_left())
            return attempts >= ATTEMPTS or patience <= 0 or (asked_wait is not None and asked_wait > patience)

        result: Json = Retrying(stop_func=enough, wait_func=wait_ms, retry_on_exception=again).call(attempt)
        return result

    def _attempt(
        self,
        method: str,
        path: str,
        token: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        request_id: str | None = None,
    ) -> Json:
        headers = {"Prefer": "return=representation"}
        if request_id is not None:
            headers["PayPal-Request-Id"] = request_id
        send = partial(self._send, method, path, headers=headers, params=query, json=body)
        response = send(token)
        if response.status_code == UNAUTHORIZED:
            response = send(self._bearer(stale=token))
        return _read(method, path, response)

    def _send(
        self, method: str, path: str, token: str, *, headers: Mapping[str, str], **options: Any
    ) -> requests.Response:
        return self._exchange(method, path, headers={**headers, "Authorization": f"Bearer {token}"}, **options)

    def _exchange(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._http.request(
                method, self.base_url + path, timeout=self._timeout(), allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise _Transient(type(error).__name__) from error

    def _bearer(self, stale: str | None = None) -> str:
        """The access token, fetched once for all threads; *stale* is a token that was just answered with 401.

        :raises AccessDenied: the credentials are wrong.
        """
        with self._token_lock:
            if self._token and time.monotonic() < self._token.expires and self._token.value != stale:
                return self._token.value
            path, grant = "/v1/oauth2/token", {"grant_type": "client_credentials"}
            answer = _read("POST", path, self._exchange("POST", path, auth=self._auth, data=grant))
            try:
                lifetime = max(0, int(answer["expires_in"]) - TOKEN_LEEWAY_S)
                self._token = _Token(_for_header(answer["access_token"]), time.monotonic() + lifetime)
            except (KeyError, OverflowError, TypeError, ValueError) as error:
                raise _Transient("no token in the answer") from error
            return self._token.value

    def _time_left(self) -> float:
        deadline: float | None = getattr(self._limits, "deadline", None)
        return float("inf") if deadline is None else deadline - time.monotonic()

    def _timeout(self) -> tuple[float, float]:
        left = max(0.05, self._time_left())
        return min(TIMEOUT_S[0], left), min(TIMEOUT_S[1], left)


def _read(method: str, path: str, response: requests.Response) -> Json:
    """The body of an HTTP answer.

    :raises Refused: PayPal refused the request.
    :raises AccessDenied: PayPal does not accept our credentials.
    :raises _Transient: the answer says "not now", or does not come from PayPal's API at all.
    """
    status, debug_id = response.status_code, response.headers.get("PayPal-Debug-Id", "")
    level = logging.DEBUG if method == "GET" else logging.INFO
    logger.log(level, "paypal.answered", extra={"call": f"{method} {path}", "status": status, "debug_id": debug_id})
    if status == TOO_MANY_REQUESTS or status >= FAULTS:
        is_refusal = status == TOO_MANY_REQUESTS
        raise _Transient(f"status {status}", _retry_after(response), debug_id, is_refusal=is_refusal)
    body = _json(response, debug_id)
    if status == UNAUTHORIZED:
        raise AccessDenied(f"PayPal does not accept our credentials: {body.get('error') or body.get('name')}", debug_id)
    if not 200 <= status < 300:
        raise Refused(status, body, debug_id or str(body.get("debug_id", "")))
    return body


def _json(response: requests.Response, debug_id: str) -> Json:
    try:
        body = loads(response.content) if response.content else {}
    except ValueError as error:
        raise _Transient(f"status {response.status_code} without JSON", None, debug_id) from error
    if not isinstance(body, dict):
        raise _Transient(f"status {response.status_code} with a body of another shape", None, debug_id)
    return body


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _for_header(token: object) -> str:
    """An access token.

    :raises ValueError: it is no text, or none that a header can hold.
    """
    return text(token).encode("ascii").decode()


def _list(answer: Json, name: str) -> list[Any]:
    """A list of an answer, which may leave it out.

    :raises Unreadable: it is no list.
    """
    found = answer.get(name)
    if found is not None and not isinstance(found, list):
        raise Unreadable(f"{name} is no list: {found!r:.100}")
    return found or []


def _objects(found: object) -> list[Json]:
    """The objects of a list, where it is one."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _is_link(found: Json) -> bool:
    return isinstance(found.get("rel"), str) and isinstance(found.get("href"), str)


@readable("the address of the next page")
def _next_page(answer: Json) -> str | None:
    """The token in the address of the next page."""
    for link in _list(answer, "links"):
        if link.get("rel") == "next":
            return parse_qs(urlsplit(text(link["href"])).query).get("next_page_token", [None])[0]
    return None


def _info(row: object) -> Json:
    """What a row of the transaction list tells; nothing where it has another shape."""
    info = row.get("transaction_info") if isinstance(row, dict) else None
    return info if isinstance(info, dict) else {}


def _count(pages: object) -> int:
    """The number of pages of a list; 1 where the answer does not say.

    :raises Unreadable: it is no number, or a larger one than PayPal reports.
    """
    with readable("the number of pages"):
        found = int(str(pages or 1))
        if found > MOST_PAGES:
            raise ValueError(f"{found} pages")
        return found


def _named(event_types: list[str]) -> list[Json]:
    return [{"name": name} for name in event_types]


def _segment(identifier: str) -> str:
    """One path segment, so that an id from outside cannot become a path of its own."""
    return quote(identifier, safe="")


def money(amount: int, currency: str) -> Json:
    """Minor units as PayPal writes them: ``{"currency_code": "USD", "value": "5.00"}``."""
    places = decimals(currency)
    value = Decimal(amount).scaleb(-places)
    return {"currency_code": currency, "value": f"{value:.{places}f}"}


def minor(amount: Mapping[str, Any]) -> tuple[int, str]:
    """PayPal's amount, v2 (``value``, ``currency_code``) or v1 (``total``, ``currency``), as minor units and currency.

    :raises ValueError: the amount is malformed, or finer than the currency's smallest unit.
    """
    currency = str(amount.get("currency_code") or amount.get("currency") or "")
    text = amount.get("value") if "value" in amount else amount.get("total")
    try:
        scaled = Decimal(str(text)).scaleb(decimals(currency))
        whole = int(scaled)
    except (ArithmeticError, KeyError, ValueError) as error:
        raise ValueError(f"not an amount: {text!r} {currency!r}") from error
    if abs(whole) > LARGEST_AMOUNT:
        raise ValueError(f"more than can be recorded: {text!r} {currency!r}")
    if whole != scaled:
        raise ValueError(f"finer than the smallest unit: {text!r} {currency!r}")
    return whole, currency
