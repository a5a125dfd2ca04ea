"""Any part of any answer of PayPal may have another shape: that is told as such, and never kept as something else."""

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.plans import Plan
from config.texts import translator
from models import database
from models.money import payments, provider_requests, subscriptions
from models.money.orders import OrderInfo
from models.money.provider_requests import RequestKind
from models.money.seller import Result, SellerError
from models.tables import Dispute, Note, Order, Payment, Refund, Subscription
from tests import purchases
from tests.examples import slow
from tests.integration.paypal import answer_table
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
    subscribed,
    usd,
)
from web import doctor
from web.paypal import disputes, events, reconciliation, registration
from web.paypal.client import Unreadable
from web.paypal.events import Unfinished
from web.paypal.operations import Operations
from web.paypal.parsing import PROVIDER, invoice_of, rfc3339
from web.paypal.shop import Shop

TOLD = "a notification's resource"
"""Where the answers of a scene hold what a notification is about."""

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    7,
    -1,
    1.5,
    10**30,
    float("inf"),
    "",
    "text",
    "-5.00",
    "0.00",
    "http://[",
    "\ud800",
    "²",
    "0001-01-01T00:00:00+23:59",
    [],
    ["text"],
    [None],
    [{}],
    {},
    {"text": 7},
)

PATIENCE = 9
"""How often an answer of another shape is given: more often nobody should ask."""

Place = tuple[str | int, ...]
"""Where a value is: the call, which of its answers, and the names and numbers that lead to it."""


@dataclass(frozen=True)
class Scene:
    """What PayPal answers, and what is done with it."""

    answers: Answers
    act: Callable[[Answers], object]


Write = Callable[[Shop], Scene]


@contextmanager
def on_stage(migrated: Path, place: Path, write: Write) -> Iterator[tuple[Scene, Table]]:
    """A scene, in a shop that nothing has happened in."""
    database.close_database()
    for old in place.glob("peaje.db*"):
        old.unlink()
    shutil.copy(migrated, place / "peaje.db")
    database.open_database(place / "peaje.db")
    table = Table()
    shop = answer_table.build(table, place)
    with shop.within(0):
        yield write(shop), table
    database.close_database()


def play(scene: Scene, table: Table, answers: Answers) -> None:
    table.rows = copy.deepcopy(answers)
    scene.act(answers)


def several(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


def places(answers: Answers) -> list[Place]:
    """Where a value can be changed. What a notification is about is an object, or it is not taken."""
    found: list[Place] = []
    for call, answer in answers.items():
        for number, (_, body) in enumerate(several(answer)):
            found += [(call, number, *way) for way in ways(body) if way or call != TOLD]
    return found


def ways(body: object) -> Iterator[Place]:
    yield ()
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, part in parts:
        yield from ((name, *way) for way in ways(part))


def altered(answers: Answers, place: Place, value: object) -> Answers:
    """The answers with another value in one place."""
    call, number, *way = place
    bodies = [[status, copy.deepcopy(body)] for status, body in several(answers[str(call)])]
    holder: Any = bodies[int(number)]
    for name in (last := [1, *way])[:-1]:
        holder = holder[name]
    holder[last[-1]] = value
    return {**answers, str(call): [(status, body) for status, body in bodies] * PATIENCE}


def strings(value: object) -> set[str]:
    """All texts in a value, as they could be kept."""
    if isinstance(value, dict):
        return set(value) | strings(list(value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(strings, value))
    return {value} if isinstance(value, str) else set()


def kept() -> set[object]:
    """What things at PayPal are called here."""
    columns = (
        Order.remote_id,
        Order.approve_url,
        Subscription.remote_id,
        Payment.remote_id,
        Refund.remote_id,
        Refund.payment_remote_id,
        Dispute.remote_id,
        Dispute.payment_remote_id,
    )
    found = {each for column in columns for (each,) in column.model.select(column).tuples()}
    for note in Note.select().where(Note.key.startswith("paypal_") & Note.key.contains(":")):
        found.add(note.value.get("id") if isinstance(note.value, dict) else note.value)
    return found


# The scenes


def sell(shop: Shop, plan: Plan) -> None:
    shop.sell(CUSTOMER, plan, translator("en"), now())


def opened(shop: Shop) -> Scene:
    payee = [{"payee": {"merchant_id": "M-1"}}]
    made = {"id": "O-9", "status": "CREATED", "links": APPROVE, "purchase_units": payee}
    return Scene({**TOKEN, "POST /v2/checkout/orders": (201, made)}, lambda _: sell(shop, purchases.PREMIUM))


def renewal_opened(shop: Shop) -> Scene:
    answers: Answers = {
        "POST /v1/catalogs/products": (201, {"id": "PROD-1"}),
        "POST /v1/billing/plans": (201, {"id": "P-1"}),
        "POST /v1/billing/subscriptions": (201, {"id": "I-9", "links": APPROVE}),
    }
    return Scene(answers, lambda _: sell(shop, purchases.MONTHLY))


def not_opened(shop: Shop) -> Scene:
    return Scene({"POST /v2/checkout/orders": refused(422, "ODD")}, lambda _: sell(shop, purchases.PREMIUM))


def an_order(order: OrderInfo, status: str = "COMPLETED") -> dict[str, Any]:
    captured = {
        "id": "C-1",
        "status": "COMPLETED",
        "amount": usd(500),
        "create_time": rfc3339(now() - 60),
        "update_time": rfc3339(now() - 30),
    }
    up = [{"rel": "up", "href": f"{EXAMPLES}/v2/payments/captures/C-1"}]
    given_back = {
        "id": "R-1",
        "status": "COMPLETED",
        "amount": usd(100),
        "create_time": rfc3339(now() - 20),
        "links": up,
    }
    unit = {
        "custom_id": order.public_id,
        "invoice_id": invoice_of(order.public_id),
        "amount": usd(500),
        "payee": {"merchant_id": "M-1"},
        "payments": {"captures": [captured], "refunds": [given_back]},
    }
    return {"id": "O-1", "status": status, "links": APPROVE, "purchase_units": [unit]}


def approved(order: OrderInfo) -> dict[str, Any]:
    shown = an_order(order, "APPROVED")
    del shown["purchase_units"][0]["payments"]
    return shown


def waiting(shop: Shop, plan: Plan = purchases.PREMIUM) -> OrderInfo:
    order = ordered(shop, plan)
    Order.update(remote_id="O-1").where(Order.id == order.id).execute()
    return answer_table.stored(order.id)


def captured(shop: Shop) -> Scene:
    order = waiting(shop)
    answers: Answers = {
        "GET /v2/checkout/orders/O-1": (200, approved(order)),
        "POST /v2/checkout/orders/O-1/capture": (201, an_order(order)),
    }
    return Scene(answers, lambda _: shop.settle(order, now(), by_payer=True))


def capture_refused(shop: Shop) -> Scene:
    order = waiting(shop)
    status, body = refused(422, "INSTRUMENT_DECLINED")
    answers: Answers = {
        "GET /v2/checkout/orders/O-1": (200, approved(order)),
        "POST /v2/checkout/orders/O-1/capture": (
            status,
            {**body, "debug_id": "D", "links": [{"rel": "redirect", "href": f"{EXAMPLES}/again"}]},
        ),
    }
    return Scene(answers, lambda _: shop.settle(order, now(), by_payer=True))


def order_read(shop: Shop) -> Scene:
    order = waiting(shop)
    return Scene({"GET /v2/checkout/orders/O-1": (200, an_order(order))}, lambda _: shop.settle(order, now()))


def a_subscription(order: OrderInfo) -> Answers:
    sale = {
        "id": "S-1",
        "status": "COMPLETED",
        "time": rfc3339(now() - 60),
        "amount_with_breakdown": {"gross_amount": usd(500)},
    }
    bare = {each: sale[each] for each in ("time", "amount_with_breakdown")}
    billing = {
        "next_billing_time": rfc3339(now() + 9000),
        "failed_payments_count": 1,
        "last_failed_payment": {"time": rfc3339(now() - 10)},
    }
    shown = {
        "id": "I-1",
        "status": "ACTIVE",
        "custom_id": order.public_id,
        "create_time": rfc3339(now() - 90),
        "status_update_time": rfc3339(now() - 80),
        "billing_info": billing,
        "links": APPROVE,
    }
    return {
        f"GET {SUBSCRIPTION}": (200, shown),
        f"GET {SUBSCRIPTION}/transactions": (200, {"transactions": [sale, {"id": "S-2", **bare}]}),
        "GET /v1/payments/sale/S-2": (200, {"id": "S-2", "state": "completed"}),
    }


def renewal_read(shop: Shop) -> Scene:
    known = subscribed(shop)
    order = answer_table.stored(known.order_id)
    return Scene(a_subscription(order), lambda _: shop.settle_subscription(known, now()))


def disputes_compared(shop: Shop) -> Scene:
    order = bought(shop)
    contested = {
        "dispute_id": "D-1",
        "status": "RESOLVED",
        "create_time": rfc3339(now() - 60),
        "update_time": rfc3339(now() - 30),
        "dispute_amount": usd(500),
        "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR", "amount_refunded": usd(100)},
        "disputed_transactions": [{"seller_transaction_id": "C-1"}],
    }
    named = {**contested, "dispute_id": "D-2", "disputed_transactions": [{"custom": order.public_id}]}
    further = [{"rel": "next", "href": f"{EXAMPLES}/?next_page_token=two"}]
    answers: Answers = {
        "GET /v1/customer/disputes": [
            (200, {"items": [{"dispute_id": "D-1"}], "links": further}),
            (200, {"items": [{"dispute_id": "D-2"}], "links": []}),
        ],
        "GET /v1/customer/disputes/D-1": (200, contested),
        "GET /v1/customer/disputes/D-2": (200, named),
    }
    return Scene(answers, lambda _: disputes.compare(shop, now()))


def a_row(number: str, code: str = "T0006", **more: object) -> dict[str, Any]:
    told = {
        "transaction_id": number,
        "transaction_event_code": code,
        "transaction_status": "S",
        "transaction_amount": usd(500),
        "transaction_initiation_date": rfc3339(now() - 90),
    }
    return {"transaction_info": {**told, **more}}


def transactions_compared(shop: Shop) -> Scene:
    """One payment is unknown here, of one the order is, and of two what came back is."""
    forgotten = ordered(shop, purchases.PREMIUM)
    Order.delete().execute()
    order = bought(shop)
    payments.apply([purchases.fact(order, now(), "C-2")], now())
    rows = [
        a_row("C-1", custom_field=order.public_id),
        a_row("C-3", custom_field=forgotten.public_id, paypal_reference_id="O-3", paypal_reference_id_type="ODR"),
        a_row("R-1", "T1107", paypal_reference_id="C-1"),
        a_row("R-2", "T1106", paypal_reference_id="C-2"),
    ]
    shown = an_order(forgotten)
    refunds = shown["purchase_units"][0]["payments"].pop("refunds")
    answers: Answers = {
        "GET /v1/reporting/transactions": (200, {"transaction_details": rows, "total_pages": 1}),
        "GET /v2/checkout/orders/O-3": (200, shown),
        "GET /v2/payments/refunds/R-1": (200, refunds[0]),
    }
    return Scene(answers, lambda _: reconciliation.compare(shop, now()))


def capture_led_to_its_order(shop: Shop) -> Scene:
    forgotten = ordered(shop, purchases.PREMIUM)
    Order.delete().execute()
    rows = [a_row("C-1", invoice_id=invoice_of(forgotten.public_id))]
    answers: Answers = {
        "GET /v1/reporting/transactions": (200, {"transaction_details": rows, "total_pages": 1}),
        "GET /v2/payments/captures/C-1": (200, a_capture(forgotten)),
        "GET /v2/checkout/orders/O-1": (200, an_order(forgotten)),
    }
    return Scene(answers, lambda _: reconciliation.compare(shop, now()))


def a_capture(order: OrderInfo) -> dict[str, Any]:
    up = [{"rel": "up", "href": f"{EXAMPLES}/v2/checkout/orders/O-1"}]
    return {"id": "C-1", "supplementary_data": {"related_ids": {}}, "links": up}


def webhook_registered(shop: Shop) -> Scene:
    ours = {"id": "W-1", "url": f"{EXAMPLES}{registration.PATH}", "event_types": [{"name": "PAYMENT.SALE.COMPLETED"}]}
    answers: Answers = {
        "GET /v1/notifications/webhooks": (200, {"webhooks": [{"id": "W-2", "url": EXAMPLES}, ours]}),
        "PATCH /v1/notifications/webhooks/W-1": (200, ours),
    }

    def act(_: Answers) -> None:
        registration.ensure(shop, now())
        try:
            doctor._webhook(shop, translator("en"), running=True)
        except SellerError as error:
            raise AssertionError("the doctor has not told it") from error

    return Scene(answers, act)


def webhook_made(shop: Shop) -> Scene:
    answers: Answers = {
        "GET /v1/notifications/webhooks": (200, {"webhooks": []}),
        "POST /v1/notifications/webhooks": (201, {"id": "W-1"}),
    }
    return Scene(answers, lambda _: registration.ensure(shop, now()))


def following(shop: Shop, kind: str, resource: dict[str, Any], answers: Answers) -> Scene:
    def act(answers: Answers) -> None:
        _, told = several(answers[TOLD])[0]
        events.follow(shop, event(kind, told), now())

    return Scene({TOLD: (200, resource), **answers}, act)


def order_told(shop: Shop) -> Scene:
    order = ordered(shop, purchases.PREMIUM)
    answers: Answers = {"GET /v2/checkout/orders/O-1": (200, an_order(order))}
    return following(shop, "CHECKOUT.ORDER.COMPLETED", {"id": "O-1"}, answers)


def capture_told(shop: Shop) -> Scene:
    order = waiting(shop)
    answers: Answers = {
        "GET /v2/payments/captures/C-1": (200, a_capture(order)),
        "GET /v2/checkout/orders/O-1": (200, an_order(order)),
    }
    return following(shop, "PAYMENT.CAPTURE.COMPLETED", {"id": "C-1"}, answers)


def refund_told(shop: Shop) -> Scene:
    order = bought(shop)
    shown = an_order(order)
    (refund,) = shown["purchase_units"][0]["payments"].pop("refunds")
    answers: Answers = {
        "GET /v2/payments/refunds/R-1": (200, refund),
        "GET /v2/checkout/orders/O-1": (200, shown),
    }
    told = {"id": "R-1", "custom_id": order.public_id, "links": refund["links"]}
    return following(shop, "PAYMENT.CAPTURE.REFUNDED", told, answers)


def sale_told(shop: Shop) -> Scene:
    known = subscribed(shop)
    answers: Answers = {
        "GET /v1/payments/sale/S-1": (200, {"id": "S-1", "billing_agreement_id": "I-1"}),
        **a_subscription(answer_table.stored(known.order_id)),
    }
    return following(shop, "PAYMENT.SALE.COMPLETED", {"id": "S-1"}, answers)


def sale_refund_told(shop: Shop) -> Scene:
    known = subscribed(shop)
    order = answer_table.stored(known.order_id)
    payments.apply([purchases.fact(order, now(), "S-1", subscription_remote_id="I-1")], now())
    refund = {
        "id": "R-1",
        "state": "completed",
        "sale_id": "S-1",
        "amount": {"total": "1.00", "currency": "USD"},
        "create_time": rfc3339(now() - 20),
    }
    answers: Answers = {"GET /v1/payments/refund/R-1": (200, refund)}
    told = {"id": "R-1", "sale_id": "S-1", "custom": order.public_id}
    return following(shop, "PAYMENT.SALE.REFUNDED", told, answers)


def renewal_told(shop: Shop) -> Scene:
    order = ordered(shop)
    return following(shop, "BILLING.SUBSCRIPTION.ACTIVATED", {"id": "I-1"}, a_subscription(order))


def failure_told(shop: Shop) -> Scene:
    known = subscribed(shop)
    answers = a_subscription(answer_table.stored(known.order_id))
    return following(shop, "BILLING.SUBSCRIPTION.PAYMENT.FAILED", {"id": "I-1"}, answers)


def carried_out(shop: Shop) -> None:
    claimed = provider_requests.claim(PROVIDER, now())
    assert claimed is not None
    Operations(shop).run(claimed, now())


def refund_made(shop: Shop) -> Scene:
    order = bought(shop)
    (paid,) = payments.history_of(CUSTOMER)
    payments.ask_refund(paid.id, 100, ADMIN, now())
    shown = an_order(order)
    answers: Answers = {
        "POST /v2/payments/captures/C-1/refund": (201, {"id": "R-1"}),
        "GET /v2/payments/refunds/R-1": (200, shown["purchase_units"][0]["payments"]["refunds"][0]),
    }
    return Scene(answers, lambda _: carried_out(shop))


def renewal_ended(shop: Shop) -> Scene:
    known = subscribed(shop)
    subscriptions.ask_cancel(known.id, ADMIN, now())
    answers: Answers = {
        f"POST {SUBSCRIPTION}/cancel": (204, {}),
        **a_subscription(answer_table.stored(known.order_id)),
    }
    return Scene(answers, lambda _: carried_out(shop))


def looked_up(shop: Shop) -> Scene:
    order = waiting(shop)
    answers: Answers = {
        "GET /v2/payments/captures/C-1": (200, {"id": "C-1", "custom_id": order.public_id}),
        "GET /v2/checkout/orders/O-1": (200, an_order(order)),
    }
    provider_requests.ask(RequestKind.LOOKUP, PROVIDER, argument="C-1", user_id=CUSTOMER, asked_by=CUSTOMER, now=now())
    return Scene(answers, lambda _: carried_out(shop))


SCENES = (
    opened, renewal_opened, not_opened, captured, capture_refused, order_read, renewal_read, disputes_compared,
    transactions_compared, capture_led_to_its_order, webhook_registered, webhook_made, order_told, capture_told,
    refund_told, sale_told, sale_refund_told, renewal_told, failure_told, refund_made, renewal_ended, looked_up,
)  # fmt: skip


@pytest.mark.parametrize("write", SCENES, ids=lambda write: write.__name__)
def test_a_scene_is_played_to_its_end(write: Write, migrated: Path, tmp_path: Path) -> None:
    with on_stage(migrated, tmp_path, write) as (scene, table):
        play(scene, table, scene.answers)
        asked = set(table.asked)
    assert set(scene.answers) - {TOLD} <= asked


def look(scene: Scene, table: Table, answers: Answers) -> None:
    """Play a scene with answers of another shape: they are told as such, and nothing is kept of them."""
    known = {None} | kept() | strings([*scene.answers.values(), *answers.values()])
    with suppress(SellerError, Unfinished):
        play(scene, table, answers)
    assert kept() <= known


@pytest.mark.parametrize("write", SCENES, ids=lambda write: write.__name__)
def test_no_shape_is_a_fault_of_ours(write: Write, migrated: Path, tmp_path: Path) -> None:
    @slow(120)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        with on_stage(migrated, tmp_path, write) as (scene, table):
            place = data.draw(st.sampled_from(places(scene.answers)))
            look(scene, table, altered(scene.answers, place, data.draw(st.sampled_from(ODD))))

    check()


LISTED = "GET /v1/customer/disputes"
REGISTERED = "GET /v1/notifications/webhooks"
REPORTED = ("GET /v1/reporting/transactions", 0, "transaction_details")
CAPTURES = ("GET /v2/checkout/orders/O-1", 0, "purchase_units", 0, "payments", "captures")
ONCE: tuple[tuple[Write, Place, object], ...] = (
    (opened, ("POST /v1/oauth2/token", 0, "expires_in"), float("inf")),
    (opened, ("POST /v2/checkout/orders", 0, "purchase_units", 0, "payee", "merchant_id"), {"text": 7}),
    (opened, ("POST /v2/checkout/orders", 0, "links", 0, "href"), 7),
    (not_opened, ("POST /v2/checkout/orders", 0, "details"), 7),
    (capture_refused, ("POST /v2/checkout/orders/O-1/capture", 0, "links"), 7),
    (order_read, (*CAPTURES, 0, "id"), None),
    (order_read, (*CAPTURES, 0, "id"), "\ud800"),
    (order_read, (*CAPTURES, 0, "create_time"), "0001-01-01T00:00:00+23:59"),
    (disputes_compared, (LISTED, 0, "items"), 7),
    (disputes_compared, (LISTED, 0, "items", 0, "dispute_id"), "\ud800"),
    (disputes_compared, (LISTED, 0, "links", 0), "text"),
    (disputes_compared, (LISTED, 0, "links", 0, "href"), "http://["),
    (webhook_registered, (REGISTERED, 0, "webhooks"), 7),
    (webhook_registered, (REGISTERED, 0, "webhooks", 0), "text"),
    (webhook_registered, (REGISTERED, 0, "webhooks", 0, "id"), None),
    (webhook_registered, (REGISTERED, 0, "webhooks", 1, "event_types"), 7),
    (webhook_registered, (REGISTERED, 0, "webhooks", 1, "event_types", 0), "text"),
    (transactions_compared, (*REPORTED,), 7),
    (transactions_compared, (*REPORTED, 1, "transaction_info", "paypal_reference_id"), {"text": 7}),
    (transactions_compared, (*REPORTED, 2, "transaction_info", "transaction_event_code"), ["text"]),
    (transactions_compared, (*REPORTED, 2, "transaction_info", "transaction_id"), {"text": 7}),
    (sale_refund_told, (TOLD, 0, "sale_id"), {"text": 7}),
)
"""Shapes over which a task has ended, or of which something was kept."""


@pytest.mark.parametrize(("write", "place", "value"), ONCE)
def test_a_shape_that_was_a_fault_is_none(
    write: Write, place: Place, value: object, migrated: Path, tmp_path: Path
) -> None:
    with on_stage(migrated, tmp_path, write) as (scene, table):
        assert place in places(scene.answers)
        look(scene, table, altered(scene.answers, place, value))


def test_a_list_that_leads_back_is_not_read_for_ever(migrated: Path, tmp_path: Path) -> None:
    with on_stage(migrated, tmp_path, disputes_compared) as (scene, table):
        first = several(scene.answers[LISTED])[0]
        with pytest.raises(Unreadable, match="leads back"):
            play(scene, table, {**scene.answers, LISTED: first})


@pytest.mark.parametrize(("pages", "asked"), [(3, 3), (1_001, 1)])
def test_no_more_pages_are_read_than_there_can_be(answering: Shop, table: Table, pages: int, asked: int) -> None:
    table.rows = {"GET /v1/reporting/transactions": (200, {"transaction_details": [], "total_pages": pages})}
    with nullcontext() if pages == asked else pytest.raises(Unreadable):
        answering.paypal.transactions("then", "now")
    assert table.asked.count("GET /v1/reporting/transactions") == asked


def test_what_names_no_order_may_be_null(answering: Shop, table: Table) -> None:
    order = waiting(answering)
    shown = an_order(order)
    shown["purchase_units"][0]["custom_id"] = None
    table.rows = {"GET /v2/checkout/orders/O-1": (200, shown)}
    answering.settle(order, now())
    assert [paid.remote_id for paid in payments.history_of(CUSTOMER)] == ["C-1"]


@pytest.mark.parametrize("link", [{"rel": [], "href": EXAMPLES}, {"rel": "redirect", "href": 7}, 7])
def test_a_refusal_counts_whatever_its_links_are(answering: Shop, table: Table, link: object) -> None:
    order = waiting(answering)
    status, body = refused(422, "INSTRUMENT_DECLINED")
    table.rows = {
        "GET /v2/checkout/orders/O-1": (200, approved(order)),
        "POST /v2/checkout/orders/O-1/capture": (status, {**body, "links": [link]}),
    }
    outcome = answering.settle(order, now(), by_payer=True)
    assert (outcome.result, outcome.approve_url) == (Result.DECLINED, None)
    assert answer_table.stored(order.id).refused_at is not None, "or the next look would charge again"


def test_a_dispute_of_nothing_is_told(answering: Shop, table: Table) -> None:
    table.rows = {"GET /v1/customer/disputes/D-1": (200, {"dispute_id": "D-1", "disputed_transactions": []})}
    with pytest.raises(Unreadable):
        disputes.poll(answering, "D-1", now())
