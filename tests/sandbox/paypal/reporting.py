"""Transaction search v1: every movement of money in a span of time."""

from decimal import Decimal

from . import money
from .calls import Answer, Body, Call, Refusal, Routes, link
from .clock import Clock, rfc3339, unix
from .merchant import MERCHANT_ID
from .orders import PAYER
from .payments import Payments
from .sales import Sales

LONGEST_SPAN = 31 * 86_400  # seconds
CHECKOUT, SUBSCRIPTION, REFUND, REVERSAL = "T0006", "T0002", "T1107", "T1106"  # event codes
CAPTURE_STATUSES = {
    "COMPLETED": "S",
    "PARTIALLY_REFUNDED": "S",
    "REFUNDED": "S",
    "PENDING": "P",
    "DECLINED": "D",
    "FAILED": "D",
}


class Reporting:
    def __init__(self, clock: Clock, payments: Payments, sales: Sales, base_url: str) -> None:
        self._clock = clock
        self._payments = payments
        self._sales = sales
        self._base_url = base_url

    def routes(self) -> Routes:
        return {("GET", "/v1/reporting/transactions"): self.search}

    def search(self, call: Call) -> Answer:
        start, end = _span(call)
        lag = (call.effect("reporting_lag") or {}).get("seconds", 0)
        end = min(end, self._clock.now() - lag)
        found = [entry for entry in self._entries() if start <= unix(entry["transaction_initiation_date"]) <= end]
        if "transaction_id" in call.query:
            found = [entry for entry in found if entry["transaction_id"] == call.query["transaction_id"]]
        if "transaction_status" in call.query:
            found = [entry for entry in found if entry["transaction_status"] == call.query["transaction_status"]]
        size, number = int(call.query.get("page_size", 100)), int(call.query.get("page", 1))
        page = found[(number - 1) * size : number * size]
        return Answer(
            200,
            {
                "transaction_details": [_detail(entry, call.query.get("fields", "")) for entry in page],
                "account_number": MERCHANT_ID,
                "start_date": rfc3339(start),
                "end_date": rfc3339(end),
                "last_refreshed_datetime": rfc3339(self._clock.now() - lag),
                "page": number,
                "total_items": len(found),
                "total_pages": -(-len(found) // size),
                "links": [link(f"{self._base_url}{call.path}", "self")],
            },
        )

    def _entries(self) -> list[Body]:
        entries = [
            *map(_capture, self._payments.all_captures()),
            *(_refund(refund["body"], refund["capture"]) for refund in self._payments.all_refunds()),
            *map(_sale, self._sales.all()),
            *(_sale_refund(refund["body"], refund["sale"]) for refund in self._sales.all_refunds()),
        ]
        return sorted(entries, key=lambda entry: str(entry["transaction_initiation_date"]))


def _span(call: Call) -> tuple[int, int]:
    try:
        start, end = unix(call.query["start_date"]), unix(call.query["end_date"])
    except KeyError as missing:
        raise Refusal(400, "MISSING_REQUIRED_PARAMETER", missing.args[0]) from None
    except ValueError:
        raise Refusal(400, "INVALID_PARAMETER_SYNTAX", "start_date") from None
    if not 0 <= end - start <= LONGEST_SPAN:
        raise Refusal(400, "INVALID_REQUEST", "end_date")
    return start, end


def _capture(capture: Body) -> Body:
    body = capture["body"]
    entry = _entry(body, CHECKOUT, body["amount"], CAPTURE_STATUSES[body["status"]])
    entry |= {"paypal_reference_id": capture["order"], "paypal_reference_id_type": "ODR"}
    names = {"invoice_id": "invoice_id", "custom_id": "custom_field"}
    return entry | {told: body[name] for name, told in names.items() if name in body}


def _refund(body: Body, capture_id: str) -> Body:
    code = REVERSAL if body.get("note_to_payer") == "Payment reversed" else REFUND
    return _taken_back(body, code, body["amount"], capture_id, CAPTURE_STATUSES[body["status"]])


def _sale(sale: Body) -> Body:
    entry = _entry(sale["body"], SUBSCRIPTION, sale["money"], "S")
    entry |= {"paypal_reference_id": sale["subscription"].replace("-", ""), "paypal_reference_id_type": "SUB"}
    return entry | ({"custom_field": sale["custom"]} if "custom" in sale else {})


def _sale_refund(body: Body, sale_id: str) -> Body:
    amount = money.money(body["amount"]["currency"], Decimal(body["amount"]["total"]))
    return _taken_back(body, REFUND, amount, sale_id)


def _taken_back(body: Body, code: str, amount: money.Money, parent: str, status: str = "S") -> Body:
    negative = money.money(amount["currency_code"], -money.value(amount))
    return _entry(body, code, negative, status) | {"paypal_reference_id": parent, "paypal_reference_id_type": "TXN"}


def _entry(body: Body, code: str, amount: money.Money, status: str) -> Body:
    return {
        "transaction_id": body["id"],
        "transaction_event_code": code,
        "transaction_initiation_date": body["create_time"],
        "transaction_updated_date": body["update_time"],
        "transaction_amount": amount,
        "transaction_status": status,
    }


def _detail(entry: Body, fields: str) -> Body:
    detail: Body = {"transaction_info": entry}
    if fields == "all" or "payer_info" in fields:
        detail["payer_info"] = {
            "account_id": PAYER["payer_id"],
            "email_address": PAYER["email_address"],
            "payer_status": "Y",
            "country_code": "ES",
        }
    return detail
