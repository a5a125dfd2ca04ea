"""What follows from each answer of PayPal that is no success: the answers stand in a table here, the rows are real."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from config.texts import translator
from config.units import DAY_S, HOUR_S
from models import notes
from models.errors import AlreadySubscribed
from models.event_kinds import AlertReason, IncidentKey
from models.maintenance import health
from models.money import orders, payments, provider_requests, subscriptions
from models.money.orders import OrderInfo, OrderState
from models.money.payments import Change, RefundFact
from models.money.provider_requests import RequestKind
from models.money.seller import Result
from models.money.subscriptions import SubscriptionState
from models.tables import Dispute, Event, Order, Request, WebhookEvent
from tests import purchases
from tests.integration.paypal.answer_table import (
    ADMIN,
    APPROVE,
    CUSTOMER,
    EXAMPLES,
    SUBSCRIPTION,
    TOKEN,
    Answers,
    Table,
    bought,
    event,
    now,
    ordered,
    refused,
    stored,
    subscribed,
    usd,
)
from web.paypal import disputes, events, reconciliation, registration
from web.paypal.client import AccessDenied, OutcomeUnknown, Refused, Unavailable, Unreadable
from web.paypal.events import Unfinished
from web.paypal.monitor import MARGIN_S, Monitor, judge
from web.paypal.operations import LIFE_S, Operations
from web.paypal.parsing import (
    PROVIDER,
    digest,
    extend_newest,
    failure_of,
    instant,
    parse_dispute,
    parse_refund,
    parse_sale_refund,
    rfc3339,
)
from web.paypal.shop import Shop

SILENT: Answers = {"*": (503, {})}


@pytest.fixture
def shop(answering: Shop) -> Shop:
    """The shop whose PayPal is a table."""
    return answering


def shown(status: str) -> Answers:
    """A subscription as PayPal shows it, which was never paid."""
    return {f"GET {SUBSCRIPTION}": (200, {"id": "I-1", "status": status}), f"GET {SUBSCRIPTION}/*": (200, {})}


def carried_out(shop: Shop, later: int = 0) -> Request:
    """The request that waits, after one attempt."""
    claimed = provider_requests.claim(PROVIDER, now())
    assert claimed is not None
    Operations(shop).run(claimed, now() + later)
    return Request.get_by_id(claimed.id)


# A renewal that is to end, or to go on


@pytest.mark.parametrize(
    ("answer", "shows", "state", "result"),
    [
        (refused(422, "PERMISSION_DENIED"), "ACTIVE", "failed", "PERMISSION_DENIED"),
        (refused(404, "INVALID_RESOURCE_ID"), "ACTIVE", "failed", "INVALID_RESOURCE_ID"),
        (refused(422, "SOMETHING_NEW"), "ACTIVE", "open", ""),
        (refused(422, "SUBSCRIPTION_STATUS_INVALID"), "ACTIVE", "open", ""),
        (refused(422, "SOMETHING_NEW"), "CANCELLED", "done", "cancelled"),
        ((503, {}), "CANCELLED", "open", ""),
    ],
)
def test_a_refused_cancellation_ends_as_its_reason_says(
    shop: Shop, table: Table, answer: tuple[int, Any], shows: str, state: str, result: str
) -> None:
    subscriptions.ask_cancel(subscribed(shop).id, ADMIN, now())
    table.rows = {"POST */cancel": answer, **shown(shows)}

    row = carried_out(shop)

    assert (str(row.state), row.result) == (state, result)


def test_a_cancellation_that_paypal_may_have_forgotten(shop: Shop, table: Table) -> None:
    known = subscribed(shop)
    table.rows = {"POST */cancel": (204, {}), **shown("ACTIVE")}
    subscriptions.ask_cancel(known.id, ADMIN, now())

    row = carried_out(shop, later=max(LIFE_S.values()))

    assert (str(row.state), row.result) == ("failed", "gave_up")
    assert f"POST {SUBSCRIPTION}/cancel" not in table.asked


@pytest.mark.parametrize("issue", ["SUBSCRIPTION_STATUS_INVALID", "SUBSCRIPTION_CANNOT_BE_ACTIVATED"])
def test_a_renewal_that_paypal_does_not_resume_stays_as_it_is(shop: Shop, table: Table, issue: str) -> None:
    known = subscribed(shop, SubscriptionState.SUSPENDED)
    table.rows = {"POST */activate": refused(422, issue), **shown("SUSPENDED")}
    subscriptions.ask_resume(known.id, ADMIN, now())

    row = carried_out(shop)

    assert (str(row.state), row.result) == ("failed", issue)


# A refund that PayPal refuses


def shown_order(order: OrderInfo, *refunds: tuple[int, int]) -> Answers:
    """The order as PayPal shows it, with refunds of so many cents so many seconds ago."""
    given_back = [
        {"id": f"R-{number}", "status": "COMPLETED", "amount": usd(cents), "create_time": rfc3339(now() - ago)}
        for number, (cents, ago) in enumerate(refunds)
    ]
    captured = {"id": "C-1", "status": "COMPLETED", "amount": usd(500)}
    unit = {
        "custom_id": order.public_id,
        "amount": usd(500),
        "payments": {"captures": [captured], "refunds": given_back},
    }
    return {"GET /v2/checkout/orders/O-1": (200, {"status": "COMPLETED", "purchase_units": [unit]})}


@pytest.mark.parametrize(
    ("amount", "issue", "refunds", "state", "result"),
    [
        (100, "CAPTURE_FULLY_REFUNDED", [(100, 0)], "done", "refunded"),
        (None, "CAPTURE_FULLY_REFUNDED", [(500, 7200)], "done", "refunded"),
        (100, "CAPTURE_FULLY_REFUNDED", [(200, 7200)], "open", "sent"),
        (100, "REFUND_TIME_LIMIT_EXCEEDED", [], "failed", "REFUND_TIME_LIMIT_EXCEEDED"),
        (100, "SOMETHING_NEW", [], "open", "sent"),
    ],
)
def test_a_refused_refund_ends_as_paypal_shows_it(
    shop: Shop,
    table: Table,
    amount: int | None,
    issue: str,
    refunds: list[tuple[int, int]],
    state: str,
    result: str,
) -> None:
    order = bought(shop)
    (paid,) = payments.history_of(CUSTOMER)
    payments.ask_refund(paid.id, amount, ADMIN, now())
    table.rows = {"POST /v2/payments/*": refused(422, issue), **shown_order(order, *refunds)}

    row = carried_out(shop)

    assert (str(row.state), row.result) == (state, result)


def test_an_earlier_refund_of_as_much_is_not_the_one_asked_for(shop: Shop, table: Table) -> None:
    order = bought(shop)
    payments.apply([RefundFact(PROVIDER, "C-1", "R-0", 100, now() - 60)], now() - 60)
    (paid,) = payments.history_of(CUSTOMER)
    payments.ask_refund(paid.id, 100, ADMIN, now())
    table.rows = {"POST /v2/payments/*": refused(422, "REFUND_TIME_LIMIT_EXCEEDED"), **shown_order(order, (100, 60))}

    row = carried_out(shop)

    assert (str(row.state), row.result) == ("failed", "REFUND_TIME_LIMIT_EXCEEDED")


# What a customer says that they paid


@pytest.mark.parametrize(
    ("told", "by", "later", "state", "result"),
    [
        ("O-1", CUSTOMER, 0, "done", "paid"),
        ("C-1", CUSTOMER, 0, "done", "paid"),
        (" O-1 ", CUSTOMER, 0, "done", "paid"),
        ("O-1", ADMIN, 0, "failed", "not_found"),
        ("C-1", ADMIN, 0, "failed", "not_found"),
        ("C-9", CUSTOMER, 0, "failed", "not_found"),
        ("C-1", CUSTOMER, DAY_S, "failed", "gave_up"),
    ],
)
def test_a_payment_is_looked_up_for_its_own_customer(
    shop: Shop, table: Table, told: str, by: int, later: int, state: str, result: str
) -> None:
    table.rows = shown_order(bought(shop))
    provider_requests.ask(RequestKind.LOOKUP, PROVIDER, argument=told, user_id=by, asked_by=by, now=now())
    row = carried_out(shop, later)
    assert (str(row.state), row.result) == (state, result)


def test_what_cannot_be_looked_up_now_is_looked_up_later(shop: Shop, table: Table) -> None:
    table.rows = SILENT
    provider_requests.ask(RequestKind.LOOKUP, PROVIDER, argument="C-9", user_id=CUSTOMER, asked_by=CUSTOMER, now=now())
    row = carried_out(shop)
    assert (str(row.state), row.not_before > now()) == ("open", True)


# Renewals that begin


CREATED = {"POST /v1/catalogs/products": (201, {"id": "PROD-1"}), "POST /v1/billing/plans": (201, {"id": "P-1"})}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((201, {"id": "I-9"}), Unavailable),
        ((201, {"links": APPROVE}), Unavailable),
        ((201, {"id": "I-9", "links": ["text"]}), Unreadable),
        (refused(422, "PLAN_STATUS_INVALID"), Refused),
        ((503, {}), OutcomeUnknown),
    ],
)
def test_a_renewal_that_cannot_be_begun(
    shop: Shop, table: Table, answer: tuple[int, Any], error: type[Exception]
) -> None:
    table.rows = {**CREATED, "POST /v1/billing/subscriptions": answer}
    with pytest.raises(error):
        shop.renewals.create(ordered(shop), translator("en"), now())
    assert subscriptions.of(CUSTOMER) == []


def test_a_product_whose_answer_was_lost_keeps_its_key(shop: Shop, table: Table) -> None:
    order = ordered(shop)
    table.rows = {"POST /v1/catalogs/products": (503, {})}
    with pytest.raises(OutcomeUnknown):
        shop.renewals.create(order, translator("en"), now())
    made = {"POST /v1/billing/subscriptions": (201, {"id": "I-9", "links": APPROVE})}
    table.rows = {**CREATED, **made}
    assert shop.renewals.create(order, translator("en"), now()) == APPROVE[0]["href"]
    _token, first, again, plan, subscription = table.keys
    assert first and first == again and len({first, plan, subscription}) == 3


def test_of_two_that_begin_at_once_one_renews(shop: Shop, table: Table) -> None:
    # Given an order made before another subscription of its plan became active
    order = ordered(shop)
    subscribed(shop)
    # When PayPal has made the other one, then its buyer hears of no page to approve it on
    table.rows = {**CREATED, "POST /v1/billing/subscriptions": (201, {"id": "I-2", "links": APPROVE})}
    with pytest.raises(AlreadySubscribed):
        shop.renewals.create(order, translator("en"), now())
    assert [each.remote_id for each in subscriptions.of(CUSTOMER)] == ["I-1"]


@pytest.mark.parametrize(("answer", "error"), [((503, {}), Unavailable), (refused(403), Refused)])
def test_a_renewal_that_cannot_be_read_stays_as_it_was(
    shop: Shop, table: Table, answer: tuple[int, Any], error: type[Exception]
) -> None:
    known = subscribed(shop)
    order = orders.attach_remote(known.order_id, "I-1", now())
    table.rows = {f"GET {SUBSCRIPTION}": answer}
    with pytest.raises(error):
        shop.settle_subscription(known, now())
    with pytest.raises(error):
        shop.poll(order, now())
    assert subscriptions.get(known.id) == known


def test_a_renewal_that_belongs_to_another_purchase_is_told(shop: Shop, table: Table) -> None:
    known = subscribed(shop)
    table.rows = {f"GET {SUBSCRIPTION}": (200, {"id": "I-1", "status": "CANCELLED", "custom_id": "another's"})}
    poll = shop.renewals.poll_subscription(known, now())
    assert (poll.outcome.result, poll.changes) == (Result.TROUBLE, ())
    assert [row.payload["fault"] for row in Event.select()] == ["another purchase's custom_id"]


@pytest.mark.parametrize("currency", ["EUR", "JPY"])
def test_a_renewal_in_another_currency_is_not_told_as_paid(shop: Shop, table: Table, currency: str) -> None:
    known = subscribed(shop)
    order = orders.attach_remote(known.order_id, "I-1", now())
    sale = {"id": "S-1", "time": rfc3339(now() - 60), "status": "COMPLETED"}
    odd = {**sale, "amount_with_breakdown": {"gross_amount": {"value": "500", "currency_code": currency}}}
    right = {**sale, "id": "S-2", "amount_with_breakdown": {"gross_amount": usd(500)}}
    for sales, result in (([odd], Result.TROUBLE), ([right, odd], Result.PAID)):
        table.rows = {f"GET {SUBSCRIPTION}/transactions": (200, {"transactions": sales}), **shown("ACTIVE")}
        assert shop.settle(order, now()).result is result
    grants = {paid.remote_id: paid.grants for paid in payments.history_of(CUSTOMER)}
    assert grants == {"S-1": False, "S-2": True}


@pytest.mark.parametrize(("state", "booked"), [("completed", "completed"), ("pending", "pending"), ("odd", None)])
def test_a_payment_listed_without_its_status_is_asked_for(
    shop: Shop, table: Table, state: str, booked: str | None
) -> None:
    known = subscribed(shop)
    sale = {"id": "S-1", "time": rfc3339(now() - 60), "amount_with_breakdown": {"gross_amount": usd(500)}}
    table.rows = {
        f"GET {SUBSCRIPTION}/transactions": (200, {"transactions": [sale]}),
        "GET /v1/payments/sale/S-1": (200, {"id": "S-1", "state": state}),
        **shown("ACTIVE"),
    }
    shop.settle_subscription(known, now())
    assert [paid.state for paid in payments.history_of(CUSTOMER)] == ([booked] if booked else [])


@pytest.mark.parametrize(
    ("odd", "about"),
    [
        ({"id": "S-1", "status": "COMPLETED"}, "S-1"),
        ({"id": "S-1", "status": "COMPLETED", "time": "soon", "amount_with_breakdown": "text"}, "S-1"),
        ({"id": "S-1", "time": "2026-01-01T00:00:00Z"}, "S-1"),
        ("text", digest("text")),
    ],
)
def test_a_payment_that_cannot_be_read_hides_no_other(shop: Shop, table: Table, odd: object, about: str) -> None:
    """Neither the payments beside it nor the end of the renewal; the admins hear of it, once."""
    known = subscribed(shop)
    sale = {"id": "S-2", "time": rfc3339(now() - 60), "status": "COMPLETED"}
    good = {**sale, "amount_with_breakdown": {"gross_amount": usd(known.amount)}}
    table.rows = {
        f"GET {SUBSCRIPTION}/transactions": (200, {"transactions": [odd, good]}),
        **shown("CANCELLED"),
    }
    shop.settle_subscription(known, now())
    shop.settle_subscription(known, now())
    assert [paid.remote_id for paid in payments.history_of(CUSTOMER)] == ["S-2"]
    assert [each.state for each in subscriptions.of(CUSTOMER)] == [SubscriptionState.CANCELLED]
    alerts = [row.payload for row in Event.select().where(Event.kind == "admin_alert")]
    assert [(each["reason"], each["transaction"]) for each in alerts] == [(AlertReason.TRANSACTION_UNREADABLE, about)]


# Single purchases


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((201, {"id": "O-1"}), Unavailable),
        ((201, {"links": APPROVE}), Unavailable),
        ((201, {"id": "O-1", "links": ["text"]}), Unreadable),
        ((429, {}), Unavailable),
        ((503, {}), OutcomeUnknown),
    ],
)
def test_an_order_that_cannot_be_made(
    shop: Shop, table: Table, answer: tuple[int, Any], error: type[Exception]
) -> None:
    table.rows = {"POST /v2/checkout/orders": answer}
    with pytest.raises(error):
        shop.checkout.create(ordered(shop, purchases.PREMIUM), translator("en"), now())


def test_an_order_that_is_not_shown_has_not_ended(shop: Shop, table: Table) -> None:
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    table.rows = {"GET /v2/checkout/orders/O-1": refused(403)}
    with pytest.raises(Refused):
        shop.poll(order, now())
    assert stored(order.id).state is order.state


@pytest.mark.parametrize(
    ("answered", "shown", "state"), [("PENDING", "COMPLETED", "completed"), (None, "PENDING", "pending")]
)
def test_what_is_read_after_a_capture_counts(
    shop: Shop, table: Table, answered: str | None, shown: str, state: str
) -> None:
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    approved = {"status": "APPROVED", "purchase_units": [{"custom_id": order.public_id, "amount": usd(500)}]}
    captured = {"id": "C-1", "amount": usd(500)}

    def after(status: str) -> dict[str, Any]:
        payments = {"captures": [{**captured, "status": status}]}
        unit = {"custom_id": order.public_id, "amount": usd(500), "payments": payments}
        return {"status": "COMPLETED", "purchase_units": [unit]}

    table.rows = {
        "GET /v2/checkout/orders/O-1": [(200, approved), (200, after(shown))],
        "POST /v2/checkout/orders/O-1/capture": (201, after(answered)) if answered else (503, {}),
    }
    shop.settle(order, now())
    assert [paid.state for paid in payments.history_of(CUSTOMER)] == [state]


def test_what_went_back_of_an_order_unlike_ours_is_recorded(shop: Shop, table: Table) -> None:
    order = bought(shop)
    ((call, (status, shows)),) = shown_order(order, (200, 60)).items()
    shows["purchase_units"][0]["amount"] = usd(499)
    table.rows = {call: (status, shows)}
    assert shop.settle(order, now()).result is Result.TROUBLE
    assert [paid.refunded for paid in payments.history_of(CUSTOMER)] == [200]


def test_what_went_back_is_not_told_as_paid(shop: Shop, table: Table) -> None:
    # Given a purchase and a renewal that are paid, and of whose refunds what PayPal shows of them says nothing
    single, known = bought(shop), subscribed(shop, SubscriptionState.CANCELLED)
    renewing = orders.attach_remote(known.order_id, "I-1", now())
    gross = {"gross_amount": usd(renewing.amount)}
    sale = {"id": "S-1", "status": "COMPLETED", "amount_with_breakdown": gross, "time": rfc3339(now())}
    table.rows = {
        **shown_order(single),
        **shown("CANCELLED"),
        f"GET {SUBSCRIPTION}/*": (200, {"transactions": [sale]}),
    }
    assert [shop.settle(order, now()).result for order in (single, renewing)] == [Result.PAID] * 2
    # When the ledger knows of the refunds
    for paid, order in (("C-1", single), ("S-1", renewing)):
        payments.apply([RefundFact(PROVIDER, paid, f"R-{paid}", order.amount, at=now())], now())
    # Then so do their buyers
    assert [shop.settle(order, now()).result for order in (single, renewing)] == [Result.REFUNDED] * 2


# Events


@pytest.mark.parametrize("kind", sorted(events.POLLS))
def test_an_event_that_names_nothing_stays_open(shop: Shop, kind: str) -> None:
    with pytest.raises(Unfinished):
        events.follow(shop, event(kind), now())
    assert [row.state for row in WebhookEvent.select()] == ["received"]


def test_what_an_event_names_and_nobody_shows_is_told_at_last(shop: Shop) -> None:
    told = event("PAYMENT.CAPTURE.COMPLETED")
    assert events.finish(shop, told, told.received_at + 3 * DAY_S - 1) == "an event without id"
    assert [row.state for row in WebhookEvent.select()] == ["received"]
    for _ in range(2):
        assert events.finish(shop, told, told.received_at + 3 * DAY_S) == ""
    assert [row.state for row in WebhookEvent.select()] == ["done"]
    assert [row.payload["why"] for row in Event.select()] == ["an event without id"]


def test_while_paypal_is_away_no_event_is_given_up(shop: Shop, table: Table) -> None:
    table.rows = SILENT
    told = event("CHECKOUT.ORDER.COMPLETED", id="O-1")
    assert "503" in events.finish(shop, told, told.received_at + 9 * DAY_S)
    assert [row.state for row in WebhookEvent.select()] == ["received"] and not Event.select().exists()


@pytest.mark.parametrize("is_ours", [True, False])
def test_an_event_of_an_unknown_order_is_ours_or_not(shop: Shop, table: Table, is_ours: bool) -> None:
    # Given an order that this bot has sold and a restored backup does not know, or one of another program
    order = ordered(shop, purchases.PREMIUM)
    Order.delete().execute()
    name = order.public_id if is_ours else "invoice 17"
    table.rows = {"GET /v2/checkout/orders/O-1": (200, {"purchase_units": [{"custom_id": name}]})}
    told = event("CHECKOUT.ORDER.COMPLETED", id="O-1")
    # Then ours is waited for, and the other one is over
    if is_ours:
        with pytest.raises(Unfinished):
            events.follow(shop, told, now())
    else:
        events.follow(shop, told, now())
    assert [row.state for row in WebhookEvent.select()] == ["received" if is_ours else "done"]


@pytest.mark.parametrize(("status", "known"), [("APPROVAL_PENDING", []), ("APPROVED", []), ("ACTIVE", ["I-1"])])
def test_an_unknown_renewal_is_known_once_it_is_approved(
    shop: Shop, table: Table, status: str, known: list[str]
) -> None:
    order = ordered(shop)
    remote = {"id": "I-1", "status": status, "custom_id": order.public_id}
    table.rows = {f"GET {SUBSCRIPTION}": (200, remote), f"GET {SUBSCRIPTION}/*": (200, {})}
    events.follow(shop, event("BILLING.SUBSCRIPTION.ACTIVATED", id="I-1"), now())
    assert [each.remote_id for each in subscriptions.of(CUSTOMER)] == known
    assert stored(order.id).remote_id == (known[0] if known else None)
    assert [row.state for row in WebhookEvent.select()] == ["done"]


def test_a_renewal_that_nobody_approved_in_time_ends_its_order(shop: Shop, table: Table) -> None:
    known = subscriptions.begin(ordered(shop).id, "I-1", now())
    orders.attach_remote(known.order_id, "I-1", now())
    events.follow(shop, event("BILLING.SUBSCRIPTION.EXPIRED", id="I-1"), now())
    assert stored(known.order_id).state is OrderState.EXPIRED
    found = subscriptions.get(known.id)
    assert found is not None and found.state is SubscriptionState.EXPIRED


def test_an_order_is_found_by_what_it_names(shop: Shop, table: Table) -> None:
    """Where the program ended between PayPal's answer and the row, only PayPal knows both ids."""
    order = ordered(shop, purchases.PREMIUM)
    table.rows = shown_order(order)
    events.follow(shop, event("CHECKOUT.ORDER.COMPLETED", id="O-1"), now())
    assert stored(order.id).remote_id == "O-1"
    assert [paid.remote_id for paid in payments.history_of(CUSTOMER)] == ["C-1"]


@pytest.mark.parametrize("kind", ["PAYMENT.CAPTURE.COMPLETED", "PAYMENT.SALE.COMPLETED"])
def test_an_event_of_an_order_unlike_ours_is_over(shop: Shop, table: Table, kind: str) -> None:
    """The admins are told in what it differs, and no later look makes it ours."""
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    remote = {"status": "COMPLETED", "purchase_units": [{"custom_id": "another's", "amount": usd(500)}]}
    table.rows = {"GET /v2/checkout/orders/O-1": (200, remote)}
    events.follow(shop, event(kind, id="C-1", custom_id=order.public_id), now())
    assert [row.state for row in WebhookEvent.select()] == ["done"]
    assert [row.payload["fault"] for row in Event.select()] == ["another purchase's custom_id"]


def test_a_capture_that_names_nothing_leads_to_its_order(shop: Shop, table: Table) -> None:
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    capture = {"id": "C-1", "custom_id": order.public_id}
    table.rows = {"GET /v2/payments/captures/C-1": (200, capture), **shown_order(order)}
    events.follow(shop, event("PAYMENT.CAPTURE.COMPLETED", id="C-1"), now())
    assert [paid.remote_id for paid in payments.history_of(CUSTOMER)] == ["C-1"]


def test_another_refund_of_a_payment_is_not_the_one_meant(shop: Shop, table: Table) -> None:
    order = bought(shop)
    table.rows = shown_order(order, (100, 0))
    up = [{"rel": "up", "href": f"{EXAMPLES}/captures/C-1"}]
    with pytest.raises(Unfinished, match="R-9"):
        events.follow(shop, event("PAYMENT.CAPTURE.REFUNDED", id="R-9", links=up), now())
    assert [paid.refunded for paid in payments.history_of(CUSTOMER)] == [100]


@pytest.mark.parametrize("paid", ["a capture", "a sale"])
@pytest.mark.parametrize(("back", "state"), [(500, "done"), (499, "received")])
def test_a_reversal_that_is_not_shown_ends_where_all_is_back(
    shop: Shop, table: Table, paid: str, back: int, state: str
) -> None:
    if paid == "a sale":
        order = stored(subscribed(shop).order_id)
        payments.apply([purchases.fact(order, now(), "C-1", subscription_remote_id="I-1")], now())
    else:
        table.rows = shown_order(bought(shop))
    payments.apply([RefundFact(PROVIDER, "C-1", "R-1", back, now())], now())
    up = [{"rel": "up", "href": f"{EXAMPLES}/captures/C-1"}]
    kind, names = ("SALE", {"sale_id": "C-1"}) if paid == "a sale" else ("CAPTURE", {"links": up})
    told = event(f"PAYMENT.{kind}.REVERSED", id="R-9", **names)
    with nullcontext() if state == "done" else pytest.raises(Unfinished, match="R-9"):
        events.follow(shop, told, now())
    assert [row.state for row in WebhookEvent.select()] == [state]


@pytest.mark.parametrize(("said", "reaches"), [(None, 30), (40, 40), (20, 30)])
@pytest.mark.parametrize("first_at", [0, 20])
def test_the_next_charge_extends_the_newest_payment_alone(
    shop: Shop, first_at: int, said: int | None, reaches: int
) -> None:
    made = purchases.fact(ordered(shop), 20, "S-2", period_end=30)
    first = replace(made, remote_id="S-1", at=first_at, period_end=10)
    denied = replace(made, remote_id="S-3", at=25, state=payments.PaymentState.DENIED, period_end=None)
    assert [each.period_end for each in extend_newest([first, made, denied], said)] == [10, reaches, None]
    assert extend_newest([denied], said) == [denied]


def test_a_refund_that_brings_its_payment_is_in_its_currency(shop: Shop, table: Table) -> None:
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    up = [{"rel": "up", "href": f"{EXAMPLES}/captures/C-1"}]
    euros = {"id": "R-1", "status": "COMPLETED", "amount": {"value": "5.00", "currency_code": "EUR"}, "links": up}
    table.rows = {
        "GET /v2/payments/captures/C-1": (200, {"id": "C-1", "custom_id": order.public_id}),
        "GET /v2/payments/refunds/R-1": (200, euros),
        **shown_order(order),
    }
    with pytest.raises(Unreadable, match="EUR of a payment in USD"):
        events.follow(shop, event("PAYMENT.CAPTURE.REFUNDED", id="R-1", links=up), now())


@pytest.mark.parametrize("unit", ["text", ["text"], 7])
def test_an_order_of_another_shape_leaves_its_event_open(shop: Shop, table: Table, unit: object) -> None:
    table.rows = {"GET /v2/checkout/orders/O-1": (200, {"purchase_units": unit})}
    with pytest.raises(Unreadable):
        events.follow(shop, event("CHECKOUT.ORDER.COMPLETED", id="O-1"), now())
    assert [row.state for row in WebhookEvent.select()] == ["received"]


@pytest.mark.parametrize(
    ("broken", "act"),
    [
        ("apply", lambda shop: carried_out(shop)),
        ("find", lambda shop: events.follow(shop, event("PAYMENT.CAPTURE.COMPLETED", id="C-1"), now())),
        ("apply", lambda shop: disputes.compare(shop, now())),
    ],
)
def test_a_fault_of_our_own_is_not_taken_for_an_answer(
    shop: Shop, table: Table, monkeypatch: pytest.MonkeyPatch, broken: str, act: Callable[[Shop], object]
) -> None:
    bought(shop)
    subscriptions.ask_cancel(subscribed(shop).id, ADMIN, now())
    dispute = {"dispute_id": "D-1", "disputed_transactions": [{"seller_transaction_id": "C-1"}]}
    table.rows = {
        "POST */cancel": (204, {}),
        "GET /v1/customer/disputes": (200, {"items": [dispute]}),
        "GET /v1/customer/disputes/D-1": (200, dispute),
        **shown("CANCELLED"),
    }

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault of our own")

    monkeypatch.setattr(payments, broken, fail)
    with pytest.raises(ValueError, match="a fault of our own"):
        act(shop)


@pytest.mark.parametrize("info", [{}, {"next_billing_time": rfc3339(1_900_000_000)}, {"failed_payments_count": 0}])
def test_a_failure_that_is_over_is_none(info: dict[str, Any]) -> None:
    assert failure_of({"id": "I-1", "billing_info": info}, now()) is None


# Comparisons


@pytest.mark.parametrize("compared", [disputes, reconciliation])
@pytest.mark.parametrize(("answer", "error"), [(SILENT, Unavailable), ({"*": refused(400)}, Refused)])
def test_a_comparison_that_fails_is_not_noted(
    shop: Shop, table: Table, compared: Any, answer: Answers, error: type[Exception]
) -> None:
    table.rows = answer
    with pytest.raises(error):
        compared.compare(shop, now())
    assert notes.get(compared.COMPARED_NOTE) is None


def test_a_list_without_a_number_of_pages_is_not_compared(shop: Shop, table: Table) -> None:
    table.rows = {"GET /v1/reporting/transactions": (200, {"total_pages": "many"})}
    with pytest.raises(Unreadable):
        reconciliation.compare(shop, now())


def test_a_refund_that_cannot_be_asked_for_is_compared_again(shop: Shop, table: Table) -> None:
    order = ordered(shop, purchases.PREMIUM)
    paid: Change = purchases.fact(order, now(), "C-1")
    payments.apply([paid], now())
    row = {"transaction_id": "R-1", "transaction_event_code": "T1107", "transaction_status": "S"}
    listed = {"transaction_details": [{"transaction_info": {**row, "paypal_reference_id": "C-1"}}]}
    table.rows = {"GET /v1/reporting/transactions": (200, listed), "GET /v2/payments/refunds/R-1": (503, {})}
    with pytest.raises(Unavailable):
        reconciliation.compare(shop, now())
    assert notes.get(reconciliation.COMPARED_NOTE) is None


@pytest.mark.parametrize("odd", ["text", {"transaction_info": "text"}, {}])
def test_a_row_of_another_shape_is_told_and_passed_over(shop: Shop, table: Table, odd: object) -> None:
    table.rows = {"GET /v1/reporting/transactions": (200, {"transaction_details": [odd]})}
    reconciliation.compare(shop, now())
    assert [row.payload["reason"] for row in Event.select()] == [AlertReason.TRANSACTION_UNREADABLE]


def test_a_list_that_leaves_out_its_rows_is_compared(shop: Shop, table: Table) -> None:
    table.rows = {"GET /v1/reporting/transactions": (200, {})}
    reconciliation.compare(shop, now())
    assert notes.get(reconciliation.COMPARED_NOTE) is not None


def test_a_refund_leads_to_its_capture() -> None:
    up = [{"rel": "self", "href": f"{EXAMPLES}/refunds/R-1"}, {"rel": "up", "href": f"{EXAMPLES}/captures/C-9"}]
    fact = parse_refund({"id": "R-1", "status": "COMPLETED", "amount": usd(500), "links": up}, now(), "USD")
    assert fact is not None and fact.payment_remote_id == "C-9"


def test_a_refund_in_another_currency_is_not_read() -> None:
    refund = {
        "id": "R-1",
        "status": "COMPLETED",
        "state": "completed",
        "amount": {"currency_code": "EUR", "value": "5.00"},
    }
    with pytest.raises(Unreadable, match="EUR of a payment in USD"):
        parse_refund(refund, now(), "USD", "C-9")
    with pytest.raises(Unreadable, match="EUR of a payment in USD"):
        parse_sale_refund(refund, now(), "USD", "S-9")
    assert parse_refund(refund, now(), None, "C-9") is not None, "nobody knows the payment"


def test_a_payment_that_is_known_is_not_asked_for(shop: Shop, table: Table) -> None:
    row = {"transaction_id": "C-1", "transaction_event_code": "T0006", "transaction_status": "S"}
    info = {**row, "transaction_amount": usd(500), "custom_field": bought(shop).public_id}
    table.rows = {"GET /v1/reporting/transactions": (200, {"transaction_details": [{"transaction_info": info}]})}
    reconciliation.compare(shop, now())
    assert table.asked == [*TOKEN, "GET /v1/reporting/transactions"]


@pytest.mark.parametrize(("age", "reasons"), [(2 * DAY_S, [AlertReason.MONEY_NOT_AT_PROVIDER]), (3 * DAY_S - 3600, [])])
def test_a_payment_before_the_list_begins_is_not_missed(
    shop: Shop, table: Table, age: int, reasons: list[AlertReason]
) -> None:
    """Around the moment at which the list begins, what it lacks says nothing."""
    paid_at = now() - age
    payments.apply([purchases.fact(ordered(shop, purchases.PREMIUM), paid_at, "C-1")], paid_at)
    other = {"transaction_id": "C-2", "transaction_event_code": "T0400"}
    table.rows = {"GET /v1/reporting/transactions": (200, {"transaction_details": [{"transaction_info": other}]})}
    reconciliation.compare(shop, now())
    told = [row.payload["reason"] for row in Event.select().where(Event.kind == "admin_alert")]
    assert told == reasons


@pytest.mark.parametrize("said", ["9999-12-31T23:59:59-08:00", "0001-01-01T00:00:00+08:00", "soon"])
def test_a_time_that_nothing_holds_stops_no_comparison(shop: Shop, table: Table, said: str) -> None:
    odd, good = (
        {"dispute_id": name, "create_time": at, "disputed_transactions": [{"seller_transaction_id": "C-1"}]}
        for name, at in (("D-1", said), ("D-2", rfc3339(now())))
    )
    bought(shop)
    table.rows = {
        "GET /v1/customer/disputes": (200, {"items": [odd, good]}),
        "GET /v1/customer/disputes/D-1": (200, odd),
        "GET /v1/customer/disputes/D-2": (200, good),
    }
    disputes.compare(shop, now())
    assert [row.remote_id for row in Dispute.select()] == ["D-2"]
    reasons = [row.payload["reason"] for row in Event.select().where(Event.kind == "admin_alert")]
    assert AlertReason.DISPUTE_UNREADABLE in reasons


@pytest.mark.parametrize("said", [None, "", 1_700_000_000, {}])
def test_what_is_no_instant_is_left_out(said: object) -> None:
    assert instant(said, now(), 9) == 9


@pytest.mark.parametrize("age", [HOUR_S, 2 * DAY_S])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, {"amount": usd(500), "status": "IN_A_NEW_STATE"}), AlertReason.MONEY_NOT_IN_LEDGER),
        ((200, {"amount": {}, "status": "COMPLETED"}), AlertReason.TRANSACTION_UNREADABLE),
        ((422, None), AlertReason.MONEY_NOT_IN_LEDGER),
        ((503, None), None),
    ],
)
def test_money_that_its_order_never_shows_is_told(
    shop: Shop, table: Table, answer: tuple[int, Any], told: AlertReason | None, age: int
) -> None:
    """PayPal shows what it has taken within a day; only while it is away is nothing said."""
    status, capture = answer
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    row = {"transaction_id": "C-1", "transaction_event_code": "T0006", "transaction_status": "S"}
    at = {"transaction_initiation_date": rfc3339(now() - age)}
    info = {**row, **at, "transaction_amount": usd(500), "custom_field": order.public_id}
    unit = {
        "custom_id": order.public_id,
        "amount": usd(500),
        "payments": {"captures": [{"id": "C-1", **(capture or {})}]},
    }
    table.rows = {
        "GET /v1/reporting/transactions": (200, {"transaction_details": [{"transaction_info": info}]}),
        "GET /v2/checkout/orders/O-1": (status, {"status": "COMPLETED", "purchase_units": [unit]}),
    }
    reconciliation.compare(shop, now())
    is_told = told is not None and (age > DAY_S or told is AlertReason.TRANSACTION_UNREADABLE)
    assert [row.payload["reason"] for row in Event.select()] == ([told] if is_told else [])


def test_money_whose_order_paypal_does_not_show_is_told(shop: Shop, table: Table) -> None:
    row = {"transaction_id": "C-1", "transaction_event_code": "T0006", "transaction_status": "S"}
    info = {**row, "transaction_amount": usd(500), "custom_field": ordered(shop, purchases.PREMIUM).public_id}
    table.rows = {
        "GET /v1/reporting/transactions": (200, {"transaction_details": [{"transaction_info": info}]}),
        "GET /v2/payments/captures/C-1": refused(403),
    }
    reconciliation.compare(shop, now())
    assert [row.payload["reason"] for row in Event.select()] == [AlertReason.MONEY_NOT_IN_LEDGER]
    assert notes.get(reconciliation.COMPARED_NOTE) is None, "it is compared again"


@pytest.mark.parametrize(
    ("code", "won"),
    [
        ("RESOLVED_SELLER_FAVOUR", True),
        ("RESOLVED_WITH_PAYOUT", True),
        ("CANCELED_BY_BUYER", True),
        ("DENIED", True),
        ("RESOLVED_BUYER_FAVOUR", False),
        ("ACCEPTED", False),
        ("NONE", None),
    ],
)
def test_each_outcome_of_a_dispute(code: str, won: bool | None) -> None:
    disputed = {"disputed_transactions": [{"seller_transaction_id": "C-1"}]}
    told = {"dispute_id": "D-1", "status": "RESOLVED", "dispute_outcome": {"outcome_code": code}, **disputed}
    (fact,) = parse_dispute(told, now())
    assert fact.won is won and (fact.closed_at is None) == (won is None)


# The webhook


@pytest.mark.parametrize(
    ("subscribed_to", "changes"), [(events.EVENT_TYPES, 0), (["*"], 0), (events.EVENT_TYPES[1:], 1), ([], 1)]
)
def test_a_webhook_is_changed_where_it_lacks_an_event(
    shop: Shop, table: Table, subscribed_to: Sequence[str], changes: int
) -> None:
    named = [{"name": name} for name in subscribed_to]
    ours = {"id": "W-1", "url": f"{EXAMPLES}{registration.PATH}", "event_types": named}
    table.rows = {
        "GET /v1/notifications/webhooks": (200, {"webhooks": [ours]}),
        "PATCH /v1/notifications/webhooks/W-1": (200, ours),
    }
    registration.ensure(shop, now())
    assert shop.webhook_id() == "W-1"
    assert len([call for call in table.asked if call.startswith("PATCH")]) == changes


@pytest.mark.parametrize(
    "answer", [(503, {}), refused(403), (200, {"webhooks": [{"url": f"{EXAMPLES}/paypal/webhook"}]})]
)
def test_a_webhook_that_cannot_be_registered(shop: Shop, table: Table, answer: tuple[int, Any]) -> None:
    table.rows = {"GET /v1/notifications/webhooks": answer}
    registration.ensure(shop, now())
    assert shop.webhook_id() is None
    assert [each.key for each in health.incidents()] == [IncidentKey.WEBHOOK_MISSING]


@pytest.mark.parametrize(("issue", "found"), [("WEBHOOK_URL_ALREADY_EXISTS", "W-1"), ("SOMETHING_NEW", None)])
def test_a_webhook_that_somebody_made_meanwhile_is_taken(
    shop: Shop, table: Table, issue: str, found: str | None
) -> None:
    ours = {"id": "W-1", "url": f"{EXAMPLES}{registration.PATH}"}
    table.rows = {
        "GET /v1/notifications/webhooks": [(200, {"webhooks": each}) for each in ([], [ours])],
        "POST /v1/notifications/webhooks": refused(400, issue),
    }
    registration.ensure(shop, now())
    assert shop.webhook_id() == found
    assert [each.key for each in health.incidents()] == ([] if found else [IncidentKey.WEBHOOK_MISSING])


def test_a_webhook_is_looked_at_again_after_some_hours(shop: Shop, table: Table) -> None:
    ours = {"id": "W-1", "url": f"{EXAMPLES}{registration.PATH}", "event_types": [{"name": "*"}]}
    table.rows = {"GET /v1/notifications/webhooks": (200, {"webhooks": [ours]})}
    looks = []
    for later in (0, 6 * 3600 - 1, 6 * 3600, 0):
        registration.ensure(shop, 1_000_000 + later)
        looks.append(len(table.asked) - 1)
    assert looks == [1, 1, 2, 3], "at last by a clock that was set back"


def test_a_notification_may_come_a_minute_before_its_payment() -> None:
    dated = [1_000, 1_000]
    assert judge(dated, 1_000 - MARGIN_S, 0) == ""
    assert judge(dated, 1_000 - MARGIN_S - 1, 0) == "2 payments without a notification"


def test_a_dispute_of_a_purchase_without_a_payment_is_not_read(shop: Shop, table: Table) -> None:
    contested = {"custom": ordered(shop, purchases.PREMIUM).public_id}
    table.rows = {"GET /v1/customer/disputes/D-1": (200, {"dispute_id": "D-1", "disputed_transactions": [contested]})}
    with pytest.raises(Unreadable):
        disputes.poll(shop, "D-1", now())


@pytest.mark.parametrize("how", ["event", "list"])
def test_a_payment_of_another_shop_hides_no_dispute_of_ours(shop: Shop, table: Table, how: str) -> None:
    bought(shop)
    contested = [{"seller_transaction_id": each} for each in ("C-9", "C-1", "C-8")]
    dispute = {"dispute_id": "D-1", "create_time": rfc3339(now()), "disputed_transactions": contested}
    table.rows = {
        "GET /v1/customer/disputes": (200, {"items": [dispute]}),
        "GET /v1/customer/disputes/D-1": (200, dispute),
        "GET /v2/payments/captures/C-8": refused(403),
    }
    if how == "event":
        events.follow(shop, event("CUSTOMER.DISPUTE.CREATED", dispute_id="D-1"), now())
    else:
        disputes.compare(shop, now())
    assert [row.payment_remote_id for row in Dispute.select()] == ["C-1"]
    (paid,) = payments.history_of(CUSTOMER)
    assert paid.state is payments.PaymentState.FROZEN


def test_a_renewal_in_the_way_of_a_recalled_one_is_asked_for(shop: Shop, table: Table) -> None:
    other = subscribed(shop)
    order = stored(other.order_id)
    table.rows = {f"GET {SUBSCRIPTION}": (503, {})}
    with pytest.raises(Unavailable):
        reconciliation._poll_other(shop, order, now())
    table.rows = {f"GET {SUBSCRIPTION}": refused(403)}
    reconciliation._poll_other(shop, order, now())
    table.rows = shown("CANCELLED")
    reconciliation._poll_other(shop, order, now())
    assert subscriptions.active(CUSTOMER, order.plan_code) is None


# Access


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {"error": "invalid_client"}), AccessDenied),
        ((503, {}), Unavailable),
        ((200, {"token": "of another shape"}), Unavailable),
    ],
)
def test_access_that_is_not_given(
    shop: Shop, table: Table, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any], error: type[Exception]
) -> None:
    monkeypatch.setitem(TOKEN, "POST /v1/oauth2/token", answer)
    for check in (shop.paypal.check, lambda: Monitor(shop).check_access(now())):
        with pytest.raises(error) as told:
            check()
        assert isinstance(told.value, AccessDenied) == (error is AccessDenied)
