"""PayPal's answers in our terms, and what they decide, as values: whose money, how much, for what, and what then."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from models.money.facts import PaymentState
from models.money.orders import OrderInfo, OrderState
from models.money.payments import PaymentInfo, RefundFact
from models.money.seller import Outcome, Result
from web.paypal import client, parsing, reconciliation, refusals
from web.paypal.client import Refused, Unreadable
from web.paypal.parsing import Stage
from web.paypal.refusals import Fate

NOW = 1_800_000_000
DAY = 86_400
EXAMPLE = "https://api.paypal.example"
ORDER = OrderInfo(
    id=1,
    public_id="0123-7-plan_a",
    user_id=7,
    plan_code="plan_a",
    level=1,
    seconds=30 * DAY,
    amount=500,
    currency="USD",
    provider="paypal",
    renews=False,
    purpose="plan",
    state=OrderState.OPEN,
    remote_id="O-1",
    approve_url=f"{EXAMPLE}/first",
    checkout_started_at=None,
    looks=0,
    expires_at=NOW + DAY,
    created_at=NOW,
)


def usd(value: str) -> dict[str, str]:
    return {"value": value, "currency_code": "USD"}


# ---- amounts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (usd("5.00"), (500, "USD")),
        (usd("5"), (500, "USD")),
        (usd("-0.01"), (-1, "USD")),
        ({"value": "500", "currency_code": "JPY"}, (500, "JPY")),
        ({"total": "4.00", "currency": "EUR"}, (400, "EUR")),
    ],
)
def test_an_amount_is_read_in_minor_units(written: dict[str, str], read: tuple[int, str]) -> None:
    assert client.minor(written) == read


@pytest.mark.parametrize(
    "written",
    [
        usd("5.001"),
        usd("x"),
        usd(""),
        usd("NaN"),
        usd("Infinity"),
        usd("1e40"),
        usd("1e999999999"),
        {"value": "5"},
        {},
        usd("90071992547410"),
    ],
)
def test_what_is_no_amount_is_not_read(written: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        client.minor(written)


@pytest.mark.parametrize(
    ("amount", "currency", "value"), [(500, "USD", "5.00"), (7, "USD", "0.07"), (500, "JPY", "500")]
)
def test_an_amount_is_written_as_its_currency_is(amount: int, currency: str, value: str) -> None:
    assert client.money(amount, currency) == {"currency_code": currency, "value": value}
    assert client.minor(client.money(amount, currency)) == (amount, currency)


# ---- whose it is


@pytest.mark.parametrize("name", ["custom_id", "custom", "custom_field", "invoice_id", "invoice_number"])
def test_any_name_of_our_order_is_found(name: str) -> None:
    assert parsing.orders_named({name: parsing.invoice_of(ORDER.public_id)}) == [ORDER.public_id]
    assert parsing.orders_named({name: "", "id": "X"}) == []
    assert "_" not in parsing.invoice_of(ORDER.public_id)


@pytest.mark.parametrize(
    ("rel", "href", "capture", "order"),
    [
        ("up", f"{EXAMPLE}/v2/payments/captures/C-9", "C-9", None),
        ("up", f"{EXAMPLE}/v2/payments/captures/C-9/", "C-9", None),
        ("up", f"{EXAMPLE}/v2/checkout/orders/O-9", None, "O-9"),
        ("self", f"{EXAMPLE}/v2/payments/captures/C-9", None, None),
        ("self", f"{EXAMPLE}/v2/checkout/orders/O-9", None, None),
    ],
)
def test_a_link_up_leads_to_what_it_belongs_to(rel: str, href: str, capture: str | None, order: str | None) -> None:
    told = {"links": [{"rel": "edit"}, {"rel": rel, "href": href}]}
    assert (parsing.linked_capture(told), parsing.linked_order(told)) == (capture, order)
    named = {**told, "supplementary_data": {"related_ids": {"order_id": "O-1"}}}
    assert parsing.linked_order(named) == "O-1", "what is named needs no link"


@pytest.mark.parametrize(
    ("links", "page"),
    [
        ([{"rel": "approve", "href": "a"}, {"rel": "payer-action", "href": "p"}], "p"),
        ([{"rel": "redirect", "href": "r"}, {"rel": "approve", "href": "a"}], "a"),
        ([{"rel": "redirect", "href": "r"}, {"rel": "self", "href": "s"}], "r"),
        ([{"rel": "self", "href": "s"}], None),
        ("text", None),
        (None, None),
    ],
)
def test_the_page_to_approve_on(links: object, page: str | None) -> None:
    assert parsing.approve_url(links) == page


# ---- an order


def unit(**changes: Any) -> dict[str, Any]:
    """A purchase unit whose money has been captured."""
    captured = {"id": "C-1", "status": "COMPLETED", "amount": usd("5.00")}
    made = {"custom_id": ORDER.public_id, "amount": usd("5.00"), "payments": {"captures": [captured]}}
    return {**made, **changes}


def parsed(*units: Mapping[str, Any], merchant: str | None = "M-1", status: str = "COMPLETED") -> parsing.ParsedOrder:
    return parsing.parse_order({"status": status, "purchase_units": units}, ORDER, merchant, NOW)


def test_an_order_as_ours_has_no_fault() -> None:
    for each in (unit(), unit(payee={"merchant_id": "M-1"}), unit(payee={})):
        found = parsed(each)
        assert (found.stage, found.fault) == (Stage.COMPLETED, "")
        assert [(fact.remote_id, fact.amount, fact.user_id) for fact in found.facts] == [("C-1", 500, 7)]
    nameless = {name: value for name, value in unit().items() if name != "custom_id"}
    assert parsed(nameless).fault == "", "it was found by PayPal's own id"
    assert parsed(unit(payee={"merchant_id": "M-2"}), merchant=None).fault == "", "nobody knows ours yet"


@pytest.mark.parametrize(
    ("units", "fault", "facts"),
    [
        ([], "0 purchase units instead of one", 0),
        ([unit(), unit()], "2 purchase units instead of one", 0),
        ([unit(custom_id="another's")], "another purchase's custom_id", 0),
        ([unit(payee={"merchant_id": "M-2"})], "paid to another merchant, M-2", 0),
        ([unit(amount=usd("4.99"))], "499 USD instead of 500 USD", 1),
        ([unit(amount={"value": "5.00", "currency_code": "EUR"})], "500 EUR instead of 500 USD", 1),
        ([unit(amount={})], "not an amount: None ''", 1),
    ],
)
def test_an_order_unlike_ours_says_in_what(units: list[Mapping[str, Any]], fault: str, facts: int) -> None:
    """Money of our own order that was captured nevertheless is recorded."""
    found = parsed(*units)
    assert (found.fault, len(found.facts)) == (fault, facts)


def test_a_refund_that_cannot_be_read_keeps_its_capture() -> None:
    moved = unit()["payments"]
    good = {"id": "R-1", "status": "COMPLETED", "amount": usd("1.00")}
    found = parsed(unit(payments={**moved, "refunds": [{**good, "id": "R-2", "amount": {}}, good]}))
    assert [each.remote_id for each in found.facts] == ["C-1"]
    assert [(each.remote_id, each.payment_remote_id, each.amount) for each in found.refunds] == [("R-1", "C-1", 100)]


def test_of_two_captures_a_refund_says_which() -> None:
    one, two = ({"id": f"C-{number}", "status": "COMPLETED", "amount": usd("5.00")} for number in (1, 2))
    refund = {"id": "R-1", "status": "COMPLETED", "amount": usd("1.00")}
    up = [{"rel": "up", "href": f"{EXAMPLE}/captures/C-2"}]
    moved = {"captures": [one, two], "refunds": [refund, {**refund, "id": "R-2", "links": up}]}
    assert [(each.remote_id, each.payment_remote_id) for each in parsed(unit(payments=moved)).refunds] == [
        ("R-2", "C-2")
    ]


@pytest.mark.parametrize(
    ("status", "captures", "back", "result"),
    [
        ("COMPLETED", ["COMPLETED"], 0, Result.PAID),
        ("COMPLETED", ["COMPLETED"], 499, Result.PAID),
        ("COMPLETED", ["COMPLETED"], 500, Result.REFUNDED),
        ("COMPLETED", ["DECLINED", "COMPLETED"], 0, Result.PAID),
        ("COMPLETED", ["PENDING"], 0, Result.PENDING),
        ("COMPLETED", ["DECLINED", "PENDING"], 0, Result.PENDING),
        ("COMPLETED", ["DECLINED"], 0, Result.DECLINED),
        ("COMPLETED", ["A_STATUS_OF_TOMORROW"], 0, Result.LATER),
        ("VOIDED", [], 0, Result.OVER),
        ("CREATED", [], 0, Result.NOT_APPROVED),
        ("APPROVED", [], 0, Result.LATER),
        ("A_STATUS_OF_TOMORROW", [], 0, Result.LATER),
    ],
)
def test_what_a_buyer_hears_of_an_order(status: str, captures: list[str], back: int, result: Result) -> None:
    made = [
        {"id": f"C-{number}", "status": state, "amount": usd("5.00")} for number, state in enumerate(captures, start=1)
    ]
    found = parsed(unit(payments={"captures": made}), status=status)
    refunds = (RefundFact("paypal", f"C-{len(captures)}", "R", back, NOW), RefundFact("paypal", "C-9", "R9", 500, NOW))
    heard = parsing.outcome_of(ORDER, replace(found, refunds=refunds))
    assert heard.result is result
    if result in (Result.PAID, Result.PENDING, Result.REFUNDED):
        assert heard.reference == f"C-{len(captures)}"


@pytest.mark.parametrize("amount", [usd("4.99"), {"value": "5.00", "currency_code": "EUR"}, usd("0.00")])
def test_money_that_is_not_the_price_is_not_told_as_paid(amount: dict[str, str]) -> None:
    """It buys nothing, and the admins hear of it."""
    odd, right = (
        {"id": name, "status": "COMPLETED", "amount": money} for name, money in (("C-2", amount), ("C-1", usd("5.00")))
    )
    assert parsing.outcome_of(ORDER, parsed(unit(payments={"captures": [odd]}))).result is Result.TROUBLE
    heard = parsing.outcome_of(ORDER, parsed(unit(payments={"captures": [right, odd]})))
    assert heard == Outcome(Result.PAID, reference="C-1")


def test_the_newest_page_to_approve_on_is_shown() -> None:
    waiting = parsed(unit(payments={}), status="PAYER_ACTION_REQUIRED")
    assert parsing.outcome_of(ORDER, waiting) == Outcome(Result.NOT_APPROVED, ORDER.approve_url)
    newer = replace(waiting, approve_url=f"{EXAMPLE}/newer")
    assert parsing.outcome_of(ORDER, newer) == Outcome(Result.NOT_APPROVED, f"{EXAMPLE}/newer")


def test_times_ahead_of_ours_count_from_now() -> None:
    ahead, before = parsing.rfc3339(NOW + 600), parsing.rfc3339(NOW - 600)
    (fact,) = parsed(unit(payments={"captures": [{**unit()["payments"]["captures"][0], "create_time": before}]})).facts
    assert (fact.created_at, fact.at) == (NOW - 600, NOW - 600)
    assert parsing.instant(ahead, NOW, 9) == NOW and parsing.instant(before, NOW, 9) == NOW - 600


# ---- disputes


def disputed(**changes: Any) -> tuple[int | None, str | None]:
    """How much of its payments a dispute is about."""
    told = {
        "dispute_id": "D",
        "status": "OPEN",
        "dispute_amount": usd("3.00"),
        "disputed_transactions": [{"seller_transaction_id": "C-1"}],
        **changes,
    }
    fact = parsing.parse_dispute(told, NOW)[0]
    return fact.amount, fact.currency


def lost(amount: dict[str, str] | None, code: str = "RESOLVED_BUYER_FAVOUR") -> dict[str, Any]:
    return {"status": "RESOLVED", "dispute_outcome": {"outcome_code": code, "amount_refunded": amount}}


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({}, (300, "USD")),
        (lost(usd("1.00")), (100, "USD")),
        (lost(usd("0.00")), (300, "USD")),
        (lost(None), (300, "USD")),
        (lost(usd("1.00"), "RESOLVED_SELLER_FAVOUR"), (300, "USD")),
        ({"dispute_amount": None}, (None, None)),
        ({"disputed_transactions": [{"seller_transaction_id": each} for each in ("C-1", "C-2")]}, (None, None)),
    ],
)
def test_how_much_a_dispute_is_about(changes: dict[str, Any], amount: tuple[int | None, str | None]) -> None:
    assert disputed(**changes) == amount


# ---- renewals


@pytest.mark.parametrize(
    ("info", "at"),
    [
        ({"last_failed_payment": {"time": parsing.rfc3339(NOW - 9)}, "failed_payments_count": 1}, NOW - 9),
        ({"failed_payments_count": 2, "next_billing_time": parsing.rfc3339(NOW + DAY)}, NOW + DAY),
        ({"failed_payments_count": 2}, 2),
        ({"last_failed_payment": {"amount": {}}}, 0),
        ({"failed_payments_count": 0, "next_billing_time": parsing.rfc3339(NOW)}, None),
        ({}, None),
    ],
)
def test_one_failure_is_told_from_another(info: dict[str, Any], at: int | None) -> None:
    failure = parsing.failure_of({"id": "I-1", "billing_info": info}, NOW)
    assert (failure and (failure.remote_id, failure.at)) == (None if at is None else ("I-1", at))
    assert parsing.is_failing({"billing_info": info}) is bool(info.get("failed_payments_count"))


# ---- refusals


def refused(*issues: str, name: str = "UNPROCESSABLE_ENTITY") -> Refused:
    return Refused(422, {"name": name, "details": [{"issue": issue} for issue in issues]})


@pytest.mark.parametrize(
    ("refusal", "capture", "refund"),
    [
        (refused("ORDER_NOT_APPROVED"), Fate.APPROVAL, Fate.UNKNOWN),
        (refused("INSTRUMENT_DECLINED", "ORDER_ALREADY_CAPTURED"), Fate.DONE, Fate.UNKNOWN),
        (refused(name="DUPLICATE_INVOICE_ID"), Fate.OVER, Fate.DONE),
        (refused("PAYEE_SOMETHING_NEW"), Fate.ACCOUNT, Fate.UNKNOWN),
        (refused("PAYEE_ACCOUNT_RESTRICTED"), Fate.ACCOUNT, Fate.FINAL),
        (refused("SOMETHING_NEW"), Fate.UNKNOWN, Fate.UNKNOWN),
    ],
)
def test_what_becomes_of_a_refused_call(refusal: Refused, capture: Fate, refund: Fate) -> None:
    assert refusals.fate(refusal, refusals.CAPTURE) is capture
    assert refusals.fate(refusal, refusals.REFUND) is refund


@pytest.mark.parametrize(
    ("refusal", "said"),
    [(refused("B", "A"), "A,B"), (refused(name="NAMED"), "NAMED"), (Refused(400, {}), "refused")],
)
def test_a_refusal_has_a_reason(refusal: Refused, said: str) -> None:
    assert refusals.reason(refusal) == said


# ---- the list of transactions


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({}, True),
        ({"transaction_event_code": "T0006"}, True),
        ({"transaction_event_code": "T1107"}, False),
        ({"transaction_event_code": None}, False),
        ({"transaction_status": "P"}, False),
        ({"transaction_amount": usd("-5.00")}, False),
        ({"transaction_amount": {}}, False),
        ({"transaction_amount": None}, False),
    ],
)
def test_which_transactions_are_money_to_us(changes: dict[str, Any], is_ours: bool) -> None:
    row = {"transaction_event_code": "T0000", "transaction_status": "S", "transaction_amount": usd("5.00"), **changes}
    assert reconciliation.is_incoming(row) is is_ours


def test_a_transaction_of_another_shape_is_not_read() -> None:
    with pytest.raises(Unreadable, match="a transaction"):
        reconciliation.is_incoming(
            {"transaction_event_code": "T0000", "transaction_status": "S", "transaction_amount": 5}
        )


@pytest.mark.parametrize("days", [0, 1, 31, 32, 62, 1000])
def test_a_long_time_is_asked_for_in_parts(days: int) -> None:
    found = reconciliation.spans(NOW, NOW + days * DAY)
    assert all(0 < end - start <= 31 * DAY for start, end in found)
    moments = [moment for span in found for moment in span]
    assert moments == sorted(moments) and len(set(moments)) == len(found) + bool(found)
    assert (moments[0], moments[-1]) == (NOW, NOW + days * DAY) if days else not found


def payment(remote_id: str, completed_at: int | None) -> PaymentInfo:
    values: dict[str, Any] = dict.fromkeys(PaymentInfo.__slots__)
    return PaymentInfo(
        **{**values, "remote_id": remote_id, "completed_at": completed_at, "state": PaymentState.PENDING}
    )


def test_what_a_list_lacks_is_only_what_it_could_show() -> None:
    known = [payment("C-1", NOW), payment("C-2", NOW), payment("C-3", NOW + 1), payment("C-4", None)]
    assert [each.remote_id for each in reconciliation.missing(known, {"C-1": {}}, NOW)] == ["C-2"]
    assert reconciliation.missing(known, {}, NOW) == [], "an empty list proves nothing"
