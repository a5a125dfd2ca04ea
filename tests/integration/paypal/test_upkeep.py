"""What upkeep does with nobody waiting, turn by turn on the test's own clock, against a local PayPal."""

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from config import settings
from config.findings import Finding, Grade
from config.plans import Plan, Plans
from config.settings import Settings
from config.texts import translator
from models import database, notes, outbox, users
from models.catalogue import Catalogue
from models.maintenance import health
from models.money import orders, payments, subscriptions, webhooks
from models.money import provider_requests as asked
from models.money.orders import OrderInfo
from models.money.payments import DisputeFact, PaymentState
from models.money.provider_requests import RequestKind
from models.money.seller import Result
from models.money.subscriptions import SubscriptionInfo
from models.tables import (
    Event,
    Incident,
    Order,
    Payment,
    PaymentHistory,
    Request,
    Subscription,
    SubscriptionReport,
    WebhookEvent,
)
from tests import environment, machine
from tests.paypal_shop import MORE_PLANS, PLANS
from tests.purchases import payments_of
from tests.sandbox.paypal import LocalPayPal
from tests.sandbox.paypal import start as start_paypal
from web import doctor
from web.paypal import disputes, operations, reconciliation, registration
from web.paypal.events import EVENT_TYPES
from web.paypal.parsing import parse_dispute, rfc3339
from web.paypal.shop import Shop, build_shop
from web.setup import paypal as setup
from web.setup.paypal import Credentials
from web.upkeep import runner
from web.upkeep.periodic_tasks import PeriodicTask
from web.upkeep.runner import Upkeep

HOUR, DAY = 3600, 86_400
BACKEND = "http://127.0.0.1:9"

_people = itertools.count(70_000)


@pytest.fixture(scope="module")
def local_paypal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPayPal]:
    """A PayPal whose webhooks nobody takes: here everything is asked for."""
    machine.need_npm_packages()
    running = start_paypal(tmp_path_factory.mktemp("paypal"))
    yield running
    running.stop()


@pytest.fixture
def paypal(local_paypal: LocalPayPal, database_file: Path) -> Iterator[LocalPayPal]:
    yield local_paypal
    local_paypal.clear_switches()
    for webhook in registered(local_paypal):
        delete_webhook(local_paypal, webhook["id"])
    assert local_paypal.deviations() == []


@pytest.fixture
def configured(paypal: LocalPayPal, tmp_path: Path) -> Settings:
    """Settings of a shop at this PayPal."""
    return settings.load({**environment.minimal(tmp_path), **paypal.env(), "BACKEND_URL": BACKEND}, None)


@pytest.fixture
def shop(configured: Settings) -> Shop:
    built = build_shop(configured, environment.catalogue(configured))
    assert built is not None
    return built


def now() -> int:
    return int(time.time())


def begun(shop: Shop, plan: str = "premium", user_id: int | None = None) -> OrderInfo:
    """A purchase that somebody has begun and not approved."""
    user_id = user_id or next(_people)
    users.seen(user_id, "Ana", None, "en", now())
    order, _ = shop.sell(user_id, plan_of(shop, plan), translator("en"), now())
    found = orders.get(order.id)
    assert found is not None and found.remote_id is not None
    return found


def paid(shop: Shop, paypal: LocalPayPal) -> OrderInfo:
    """A purchase that somebody has approved, whose money came."""
    order = begun(shop)
    paypal.approve_order(str(order.remote_id))
    assert shop.settle(order, now()).result is Result.PAID
    return order


@pytest.fixture
def renewing(paypal: LocalPayPal, tmp_path: Path) -> Shop:
    """A shop that sells a plan which renews, too."""
    (tmp_path / "plans.toml").write_text(PLANS + MORE_PLANS)
    more = {**paypal.env(), "BACKEND_URL": BACKEND, "PLANS_FILE": str(tmp_path / "plans.toml")}
    loaded = settings.load({**environment.minimal(tmp_path), **more}, None)
    built = build_shop(loaded, environment.catalogue(loaded))
    assert built is not None
    return built


def subscribed(shop: Shop, paypal: LocalPayPal, user_id: int | None = None) -> SubscriptionInfo:
    """A subscription that somebody has approved, whose first money came."""
    order = begun(shop, "monthly", user_id)
    paypal.approve_subscription(str(order.remote_id))
    assert shop.settle(order, now()).result is Result.PAID
    return subscriptions.of(order.user_id)[0]


def plan_of(shop: Shop, code: str) -> Plan:
    plan = shop.catalogue.plans.by_code(code)
    assert plan is not None
    return plan


def alerts(reason: str) -> list[dict[str, Any]]:
    return [row.payload for row in Event.select() if row.kind == "admin_alert" and row.payload["reason"] == reason]


def token(paypal: LocalPayPal) -> dict[str, str]:
    env = paypal.env()
    answer = requests.post(
        f"{paypal.endpoint}/v1/oauth2/token",
        auth=(env["PAYPAL_CLIENT_ID"], env["PAYPAL_CLIENT_SECRET"]),
        data={"grant_type": "client_credentials"},
        timeout=5,
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def registered(paypal: LocalPayPal) -> list[dict[str, Any]]:
    url = f"{paypal.endpoint}/v1/notifications/webhooks"
    found: list[dict[str, Any]] = requests.get(url, headers=token(paypal), timeout=5).json()["webhooks"]
    return found


def delete_webhook(paypal: LocalPayPal, webhook_id: str) -> None:
    url = f"{paypal.endpoint}/v1/notifications/webhooks/{webhook_id}"
    assert requests.delete(url, headers=token(paypal), timeout=5).status_code == 204


# The webhook


def test_the_webhook_is_registered_for_every_known_event(shop: Shop, paypal: LocalPayPal) -> None:
    registration.ensure(shop, now())

    (webhook,) = registered(paypal)
    assert webhook["url"] == f"{BACKEND}/paypal/webhook"
    assert {event["name"] for event in webhook["event_types"]} == set(EVENT_TYPES)
    assert shop.webhook_id() == webhook["id"]


def test_one_that_is_there_is_found_not_made_again(shop: Shop, paypal: LocalPayPal) -> None:
    registration.ensure(shop, now())
    known = shop.webhook_id()
    notes.put(shop.webhook_note, None, now())

    registration.ensure(shop, now())

    assert shop.webhook_id() == known
    assert len(registered(paypal)) == 1


def test_one_of_an_older_version_learns_what_is_new(shop: Shop, paypal: LocalPayPal) -> None:
    shop.paypal.create_webhook(f"{BACKEND}/paypal/webhook", ["CHECKOUT.ORDER.APPROVED"], "older")

    registration.ensure(shop, now())

    (webhook,) = registered(paypal)
    assert {event["name"] for event in webhook["event_types"]} == set(EVENT_TYPES)


def test_one_that_was_deleted_at_paypal_is_made_again(shop: Shop, paypal: LocalPayPal) -> None:
    registration.ensure(shop, now())
    deleted = str(shop.webhook_id())
    delete_webhook(paypal, deleted)

    registration.ensure(shop, now() + HOUR)
    assert shop.webhook_id() == deleted
    registration.ensure(shop, now() + 7 * HOUR)

    assert shop.webhook_id() not in (None, deleted)


def test_another_address_gets_a_webhook_of_its_own(shop: Shop, configured: Settings, paypal: LocalPayPal) -> None:
    registration.ensure(shop, now())
    moved = build_shop(replace(configured, backend_url="http://127.0.0.1:8"), environment.catalogue(configured))
    assert moved is not None

    registration.ensure(moved, now())

    assert {webhook["url"] for webhook in registered(paypal)} == {
        f"{BACKEND}/paypal/webhook",
        "http://127.0.0.1:8/paypal/webhook",
    }


def test_the_operators_own_webhook_id_is_taken_as_it_is(configured: Settings, paypal: LocalPayPal) -> None:
    own = build_shop(replace(configured, paypal_webhook_id="8JG123"), environment.catalogue(configured))
    assert own is not None

    registration.ensure(own, now())

    assert own.webhook_id() == "8JG123"
    assert registered(paypal) == []


def test_a_webhook_refused_by_paypal_is_an_incident(shop: Shop, paypal: LocalPayPal) -> None:
    paypal.switch("error", on="POST /v1/notifications/webhooks", status=400, issue="VALIDATION_ERROR")

    registration.ensure(shop, now())
    assert [incident.key for incident in health.incidents()] == ["webhook_missing"]
    assert shop.webhook_id() is None
    registration.ensure(shop, now())

    assert health.incidents() == []


def test_an_address_that_paypal_would_not_call_is_an_incident(configured: Settings) -> None:
    real = build_shop(
        replace(configured, paypal_endpoint=None, backend_url="http://shop.example.org"),
        environment.catalogue(configured),
    )
    assert real is not None

    registration.ensure(real, now())

    assert "https addresses only" in health.incidents()[0].text


def examined(shop: Shop, *, running: bool = True, **changes: Any) -> Finding:
    """What doctor finds of the webhook, with other settings."""
    try:
        changed = replace(shop, settings=replace(shop.settings, **changes))
        return doctor._webhook(changed, translator("en"), running)
    finally:
        database.open_database(shop.settings.database_file)  # doctor has closed it


def test_doctor_says_how_the_webhook_stands(shop: Shop, paypal: LocalPayPal) -> None:
    url = f"{BACKEND}/paypal/webhook"

    def check(grade: Grade, says: str, **how: Any) -> None:
        found = examined(shop, **how)
        assert (found.grade, says in found.text) == (grade, True), found

    check(Grade.OK, f"none for {url} yet: the start registers it", running=False)
    check(Grade.FAIL, f"PayPal has none for {url}. upkeep registers it within a minute")
    check(Grade.FAIL, "PayPal has none called PAYPAL_WEBHOOK_ID", paypal_webhook_id="8JG123")
    registration.ensure(shop, now())
    check(Grade.OK, f"registered for {url}")
    check(Grade.FAIL, "PAYPAL_WEBHOOK_ID names another webhook", paypal_webhook_id="8JG123")
    check(Grade.OK, f"registered for {url}", paypal_webhook_id=shop.webhook_id())
    delete_webhook(paypal, str(shop.webhook_id()))
    older = shop.paypal.create_webhook(url, ["CHECKOUT.ORDER.APPROVED"], "older-of-doctor")
    check(Grade.WARN, "is not told of", paypal_webhook_id=older["id"])
    check(Grade.FAIL, "than the one that is known here", paypal_webhook_id=None)
    paypal.switch("error", on="GET /v1/notifications/webhooks", status=403, issue="NOT_AUTHORIZED")
    check(Grade.FAIL, "not known: ")


def test_set_up_tries_credentials_before_it_keeps_them(
    configured: Settings, paypal: LocalPayPal, monkeypatch: pytest.MonkeyPatch
) -> None:
    t, env, mode = translator("en"), paypal.env(), configured.paypal_mode
    good = Credentials(env["PAYPAL_CLIENT_ID"], env["PAYPAL_CLIENT_SECRET"], mode)

    assert setup.fault(good, configured, t) is None
    for wrong, says in (
        (replace(good, secret=f"{good.secret}x"), "PayPal does not accept them."),
        (replace(good, client_id="x" * 9), "Both are long"),
        (replace(good, client_id="x" * 201), "Both are long"),
        (replace(good, secret="a secret with blanks"), "Both are long"),
        (replace(good, mode="another"), "Both are long"),
    ):
        assert (setup.fault(wrong, configured, t) or "").startswith(says), wrong
    monkeypatch.setattr(setup, "PATIENCE_S", 0.1)
    away = replace(configured, paypal_endpoint="http://127.0.0.1:9")
    assert (setup.fault(good, away, t) or "").startswith("PayPal cannot be reached now.")


# Orders


def test_polls_of_open_orders_become_rarer_and_end(shop: Shop, configured: Settings, paypal: LocalPayPal) -> None:
    order = begun(shop)
    upkeep = Upkeep(configured, shop, environment.catalogue(configured))
    looked = []
    moment = now()
    while moment < order.expires_at + 2 * DAY:
        due = Order.get_by_id(order.id).next_look_at
        if due is None:
            break
        moment = max(moment + 1, due)
        upkeep.run_once(moment)
        looked.append(moment - order.created_at)

    assert looked[0] <= 61
    gaps = [later - earlier for earlier, later in itertools.pairwise(looked)]
    assert gaps == sorted(gaps) and gaps[-1] <= 1800 + 1
    assert looked[-1] <= 6 * HOUR + DAY + 1800 + 1
    assert Order.get_by_id(order.id).state == "expired"


def test_a_pending_payment_is_awaited_for_as_long_as_it_takes(
    shop: Shop, configured: Settings, paypal: LocalPayPal
) -> None:
    order = begun(shop)
    paypal.approve_order(str(order.remote_id))
    paypal.switch("capture_status", status="PENDING")
    upkeep = Upkeep(configured, shop, environment.catalogue(configured))
    shop.settle(order, now())

    Order.update(next_look_at=0).where(Order.id == order.id).execute()
    upkeep.run_once(now() + 30 * DAY)

    assert Order.get_by_id(order.id).next_look_at is not None
    paypal.complete_capture(payments_of(order.id)[0].remote_id)
    Order.update(next_look_at=0).where(Order.id == order.id).execute()
    upkeep.run_once(now() + 31 * DAY)
    assert Order.get_by_id(order.id).state == "paid"


def test_an_unreadable_order_does_not_hold_up_others(
    shop: Shop, configured: Settings, paypal: LocalPayPal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = begun(shop), begun(shop)
    paypal.approve_order(str(good.remote_id))
    Order.update(next_look_at=0).execute()
    monkeypatch.setattr(type(shop), "reconcile", breaking_at(broken, type(shop).reconcile))
    upkeep = Upkeep(configured, shop, environment.catalogue(configured))

    upkeep.run_once(now())
    upkeep.run_once(now())

    assert Order.get_by_id(good.id).state == "paid"


def breaking_at(broken: OrderInfo, reconcile: Any) -> Any:
    def broken_reconcile(self: Shop, order: OrderInfo, at: int) -> Any:
        if order.id == broken.id:
            raise RuntimeError("a fault of ours")
        return reconcile(self, order, at)

    return broken_reconcile


def test_a_task_that_fails_does_not_keep_the_others_waiting() -> None:
    done = []

    def fail(moment: int) -> None:
        raise ValueError("a fault of ours")

    tasks = [PeriodicTask("breaks", 0, fail), PeriodicTask("works", 0, done.append)]
    for task in tasks:
        task.turn(1)

    assert done == [1]


def test_it_stops_in_the_middle_of_a_long_turn(shop: Shop, configured: Settings, paypal: LocalPayPal) -> None:
    for _ in range(6):
        begun(shop)
    Order.update(next_look_at=0).execute()
    paypal.switch("slow", on="GET /v2/checkout/orders/*", count=100, seconds=0.3)
    upkeep = Upkeep(configured, shop, environment.catalogue(configured))
    threading.Timer(0.5, upkeep.stop).start()

    started = time.monotonic()
    upkeep.run_once(now())

    assert time.monotonic() - started < 1.5
    assert Order.select().where(Order.looks == 0).count() >= 2


def test_what_a_card_declined_is_not_charged_later_by_ourselves(
    shop: Shop, configured: Settings, paypal: LocalPayPal
) -> None:
    order = begun(shop)
    paypal.approve_order(str(order.remote_id), instrument="declined")
    upkeep = Upkeep(configured, shop, environment.catalogue(configured))
    Order.update(next_look_at=0).where(Order.id == order.id).execute()
    upkeep.run_once(now())
    declined = orders.get(order.id)
    assert declined is not None and declined.is_left_to_its_payer
    tries = captures_tried(paypal, order)

    # His card is good again, and some hours pass
    paypal.approve_order(str(order.remote_id))
    upkeep.run_once(now() + 3 * HOUR)
    assert captures_tried(paypal, order) == tries
    # He comes back himself
    assert shop.settle(order, now()).result is Result.PAID


def captures_tried(paypal: LocalPayPal, order: OrderInfo) -> int:
    return sum(f"{order.remote_id}/capture" in call["path"] for call in paypal.calls())


# Comparing with PayPal


def test_money_that_nobody_told_of_is_found_by_comparison(shop: Shop, paypal: LocalPayPal) -> None:
    order = begun(shop)
    paypal.approve_order(str(order.remote_id))
    shop.paypal.capture_order(str(order.remote_id), "by-hand")
    Order.update(next_look_at=None).where(Order.id == order.id).execute()

    reconciliation.compare(shop, now())

    assert Order.get_by_id(order.id).state == "paid"
    (found,) = payments_of(order.id)
    assert found.remote_id not in {told["remote_id"] for told in alerts("money_not_in_ledger")}


def test_a_dispute_without_a_webhook_is_found_by_comparison(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    (payment,) = payments_of(order.id)
    dispute = paypal.open_dispute(payment.remote_id)["dispute_id"]

    disputes.compare(shop, now())
    assert payments_of(order.id)[0].state is PaymentState.FROZEN
    paypal.resolve_dispute(dispute, favour="seller")
    disputes.compare(shop, now())

    assert payments_of(order.id)[0].state is PaymentState.COMPLETED


def test_a_dispute_without_an_outcome_stays_suspended(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    (payment,) = payments_of(order.id)
    dispute = paypal.open_dispute(payment.remote_id)["dispute_id"]
    paypal.resolve_dispute(dispute, favour="seller")
    for _ in range(2):
        paypal.switch("alter", on=f"GET /v1/customer/disputes/{dispute}", set={"/dispute_outcome/outcome_code": "NONE"})
        disputes.compare(shop, now())

    assert payments_of(order.id)[0].state is PaymentState.FROZEN
    (told,) = [it for it in alerts("dispute_unexplained") if it["dispute"] == dispute]
    assert (told["remote_id"], told["outcome"]) == (payment.remote_id, "NONE")

    disputes.compare(shop, now())
    assert payments_of(order.id)[0].state is PaymentState.COMPLETED


@pytest.mark.parametrize(
    ("outcome", "won"),
    [
        ({"outcome_code": "RESOLVED_SELLER_FAVOUR"}, True),
        ({"outcome_code": "RESOLVED_WITH_PAYOUT"}, True),
        ({"outcome_code": "CANCELED_BY_BUYER"}, True),
        ({"outcome_code": "DENIED"}, True),
        ({"outcome_code": "RESOLVED_BUYER_FAVOUR"}, False),
        ({"outcome_code": "ACCEPTED"}, False),
        ({"outcome_code": "NONE"}, None),
        ({"outcome_code": "A_WORD_OF_TOMORROW"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_dispute_is_decided_by_words_that_are_known(outcome: dict[str, str] | None, won: bool | None) -> None:
    resolved = {
        "dispute_id": "PP-D-1",
        "create_time": rfc3339(1000),
        "update_time": rfc3339(2000),
        "status": "RESOLVED",
        "disputed_transactions": [{"seller_transaction_id": "CAP"}],
        "dispute_outcome": outcome,
    }
    closed = None if won is None else 2000
    assert parse_dispute(resolved, now()) == [DisputeFact("paypal", "CAP", "PP-D-1", 1000, closed, won)]


def test_a_dispute_of_a_part_says_which() -> None:
    dispute = {
        "dispute_id": "PP-D-2",
        "status": "OPEN",
        "dispute_amount": {"currency_code": "USD", "value": "1.00"},
        "disputed_transactions": [{"seller_transaction_id": "CAP"}],
    }
    (opened,) = parse_dispute(dispute, 3000)
    outcome = {"outcome_code": "RESOLVED_BUYER_FAVOUR", "amount_refunded": {"currency_code": "USD", "value": "0.50"}}
    (lost,) = parse_dispute({**dispute, "status": "RESOLVED", "dispute_outcome": outcome}, 3000)

    assert (opened.amount, opened.currency, opened.won) == (100, "USD", None)
    assert (lost.amount, lost.won) == (50, False)


def disputed(shop: Shop, paypal: LocalPayPal) -> tuple[OrderInfo, str]:
    """A purchase that its buyer disputes; nobody has told us of the dispute."""
    order = paid(shop, paypal)
    return order, str(paypal.open_dispute(payments_of(order.id)[0].remote_id)["dispute_id"])


def frozen(order: OrderInfo) -> bool:
    return payments_of(order.id)[0].state is PaymentState.FROZEN


@pytest.mark.parametrize(
    "untrue",
    [
        {"/disputed_transactions/0": {}},
        {"/disputed_transactions": 7},
        {"/dispute_amount/value": "1.001"},
        {"/create_time": "yesterday"},
    ],
)
def test_a_dispute_that_cannot_be_read_keeps_no_other_away(
    shop: Shop, paypal: LocalPayPal, untrue: dict[str, Any]
) -> None:
    (_, broken), (other, _) = disputed(shop, paypal), disputed(shop, paypal)
    paypal.switch("alter", on=f"GET /v1/customer/disputes/{broken}", set=untrue, count=2)

    for _ in range(2):
        disputes.compare(shop, now())

    assert frozen(other)
    assert [told["dispute"] for told in alerts("dispute_unreadable")] == [broken]
    assert notes.get(disputes.COMPARED_NOTE)


@pytest.mark.parametrize("item", [{}, {"dispute_id": None}, "PP-D-1", None])
def test_a_listed_dispute_of_another_shape_keeps_no_other_away(shop: Shop, paypal: LocalPayPal, item: object) -> None:
    disputed(shop, paypal)
    (other, _) = disputed(shop, paypal)
    paypal.switch("alter", on="GET /v1/customer/disputes", set={"/items/0": item})
    paypal.switch("alter", on="GET /v1/customer/disputes", set={"/items/0": item})

    for _ in range(2):
        disputes.compare(shop, now())

    assert len(alerts("dispute_unreadable")) == 1
    disputes.compare(shop, now())
    assert frozen(other)


def test_a_dispute_that_names_only_our_order_is_followed(shop: Shop, paypal: LocalPayPal) -> None:
    order, dispute = disputed(shop, paypal)
    (other, second) = disputed(shop, paypal)
    for number, (each, left) in enumerate(((dispute, order), (second, other))):
        named = {"custom": left.public_id} if number else {"invoice_number": left.public_id.replace("_", ":")}
        paypal.switch("alter", on=f"GET /v1/customer/disputes/{each}", set={"/disputed_transactions/0": named})

    disputes.compare(shop, now())

    assert frozen(order) and frozen(other)
    assert not alerts("dispute_unreadable")


def test_a_dispute_of_somebody_elses_sale_is_none_of_ours(shop: Shop, paypal: LocalPayPal) -> None:
    _, dispute = disputed(shop, paypal)
    elsewhere = {"/disputed_transactions/0": {"invoice_number": "WC-1"}}
    paypal.switch("alter", on=f"GET /v1/customer/disputes/{dispute}", set=elsewhere)

    disputes.compare(shop, now())

    assert not alerts("dispute_unreadable")


@pytest.mark.parametrize(
    "untrue", [{"transaction_id": None}, {"transaction_amount": "much"}, {"transaction_amount": {"value": "x"}}, "all"]
)
def test_a_transaction_that_cannot_be_read_keeps_no_other_away(shop: Shop, paypal: LocalPayPal, untrue: Any) -> None:
    broken, other = (payments_of(paid(shop, paypal).id)[0] for _ in range(2))
    for payment in (broken, other):
        with_other_books(payment.order_id)
    listed = [row["transaction_id"] for row in shop.paypal.transactions(rfc3339(now() - DAY), rfc3339(now()))]
    place = f"/transaction_details/{listed.index(broken.remote_id)}"
    lies = {place: 7} if untrue == "all" else {f"{place}/transaction_info/{name}": it for name, it in untrue.items()}
    for _ in range(2):
        paypal.switch("alter", on="GET /v1/reporting/transactions", set=lies)

    for _ in range(2):
        reconciliation.compare(shop, now())

    assert payments.find("paypal", other.remote_id)
    assert len(alerts("transaction_unreadable")) == 1
    assert notes.get(reconciliation.COMPARED_NOTE)


def test_disputes_that_paypal_does_not_show_are_an_incident(shop: Shop, paypal: LocalPayPal) -> None:
    paypal.switch("error", on="GET /v1/customer/disputes", status=403, issue="NOT_AUTHORIZED")

    disputes.compare(shop, now())
    assert [incident.key for incident in health.incidents()] == ["disputes_refused"]
    assert notes.get(disputes.COMPARED_NOTE) is None
    disputes.compare(shop, now())

    assert health.incidents() == []
    assert notes.get(disputes.COMPARED_NOTE)


def test_disputes_are_asked_for_since_the_last_comparison(
    shop: Shop, paypal: LocalPayPal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_since: list[str] = []
    monkeypatch.setattr(type(shop.paypal), "disputes", lambda _, since: asked_since.append(since) or [])
    at = now()
    notes.put(disputes.COMPARED_NOTE, at - 40 * DAY, at)

    for _ in range(2):
        disputes.compare(shop, at)

    assert asked_since == [rfc3339(at - 44 * DAY), rfc3339(at - 4 * DAY)]


def test_all_pages_of_the_disputes_are_read(shop: Shop, paypal: LocalPayPal) -> None:
    orders_ = [paid(shop, paypal) for _ in range(3)]
    for order in orders_:
        paypal.open_dispute(payments_of(order.id)[0].remote_id)

    listed = shop.paypal.disputes(rfc3339(now() - DAY), page_size=2)

    contested = {payments_of(order.id)[0].remote_id for order in orders_}
    assert contested <= {paid_.payment_remote_id for it in listed for paid_ in facts_of(shop, it)}


def facts_of(shop: Shop, listed: dict[str, Any]) -> list[DisputeFact]:
    return parse_dispute(shop.paypal.dispute(listed["dispute_id"]), now())


def test_money_that_neither_side_can_explain_is_told_once(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    capture = payments_of(order.id)[0].remote_id
    with_other_books(order.id)
    sells_that_no_more = replace(shop, catalogue=Catalogue(Plans((shop.catalogue.plans.free,))))

    reconciliation.compare(sells_that_no_more, now())
    reconciliation.compare(sells_that_no_more, now() + HOUR)

    (told,) = [it for it in alerts("money_not_in_ledger") if it["remote_id"] == capture]
    assert (told["amount"], told["currency"]) == ("5.00", "USD")


def with_other_books(order_id: int | None) -> None:
    """The database was lost, and restored from before this purchase."""
    mine = Payment.select().where(Payment.order == order_id)
    PaymentHistory.delete().where(PaymentHistory.payment.in_(mine)).execute()
    Payment.delete().where(Payment.order == order_id).execute()
    renewals = Subscription.select().where(Subscription.order == order_id)
    SubscriptionReport.delete().where(SubscriptionReport.subscription.in_(renewals)).execute()
    Subscription.delete().where(Subscription.order == order_id).execute()
    Order.delete().where(Order.id == order_id).execute()


def test_a_subscription_made_after_the_backup_comes_back(renewing: Shop, paypal: LocalPayPal) -> None:
    # Given a customer who cancelled and subscribed anew, and somebody who bought after that
    first = subscribed(renewing, paypal)
    paypal.end_subscription(first.remote_id)
    renewing.settle_subscription(first, now())
    second = subscribed(renewing, paypal, first.user_id)
    later = paid(renewing, paypal)
    (capture,) = payments_of(later.id)
    # When the database is restored from before all that
    Subscription.update(state="active", state_at=0).where(Subscription.id == first.id).execute()
    ended = (SubscriptionReport.subscription == first.id) & (SubscriptionReport.state == "cancelled")
    assert SubscriptionReport.delete().where(ended).execute()
    for order_id in (second.order_id, later.id):
        with_other_books(order_id)
    reconciliation.compare(renewing, now())
    # Then both come back, and what took the first one's place goes on
    states = {known.remote_id: known.state for known in subscriptions.of(first.user_id)}
    assert states == {first.remote_id: "cancelled", second.remote_id: "active"}
    assert len(payments.history_of(first.user_id)) == 2
    assert payments.find("paypal", capture.remote_id)
    assert Request.select().count() == 0
    assert notes.get(reconciliation.COMPARED_NOTE)


def test_a_payment_that_cannot_be_read_keeps_nobody_elses_away(shop: Shop, paypal: LocalPayPal) -> None:
    refused, other = (payments_of(paid(shop, paypal).id)[0] for _ in range(2))
    for payment in (refused, other):
        with_other_books(payment.order_id)
    belongs_to_no_order(shop, paypal, refused.remote_id)
    paypal.switch("error", on=f"GET /v2/payments/captures/{refused.remote_id}", status=403, issue="PERMISSION_DENIED")

    reconciliation.compare(shop, now())
    assert not payments.find("paypal", refused.remote_id)
    assert payments.find("paypal", other.remote_id)
    assert notes.get(reconciliation.COMPARED_NOTE) is None, "the next one looks back as far"

    reconciliation.compare(shop, now())
    assert payments.find("paypal", refused.remote_id)
    assert notes.get(reconciliation.COMPARED_NOTE)


def test_a_payment_that_paypal_lists_but_does_not_know_is_told(shop: Shop, paypal: LocalPayPal) -> None:
    (payment,) = payments_of(paid(shop, paypal).id)
    with_other_books(payment.order_id)
    belongs_to_no_order(shop, paypal, payment.remote_id)
    capture = f"GET /v2/payments/captures/{payment.remote_id}"
    paypal.switch("error", on=capture, status=404, issue="INVALID_RESOURCE_ID")

    reconciliation.compare(shop, now())

    assert payment.remote_id in {told["remote_id"] for told in alerts("money_not_in_ledger")}


def belongs_to_no_order(shop: Shop, paypal: LocalPayPal, capture_id: str) -> None:
    """The report does not name the order of a capture, the next time that it is asked for."""
    listed = [row["transaction_id"] for row in shop.paypal.transactions(rfc3339(now() - DAY), rfc3339(now()))]
    kind = f"/transaction_details/{listed.index(capture_id)}/transaction_info/paypal_reference_id_type"
    paypal.switch("alter", on="GET /v1/reporting/transactions", set={kind: "TXN"})


def test_a_failed_refund_on_the_list_takes_nothing(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    (payment,) = payments_of(order.id)
    paypal.switch("refund_status", status="FAILED")
    made = shop.paypal.refund_capture(payment.remote_id, None, "USD", "by-hand")
    listed = [row["transaction_id"] for row in shop.paypal.transactions(rfc3339(now() - DAY), rfc3339(now()))]
    untrue = f"/transaction_details/{listed.index(made['id'])}/transaction_info/transaction_status"
    paypal.switch("alter", on="GET /v1/reporting/transactions", set={untrue: "S"})

    reconciliation.compare(shop, now())

    assert made["status"] == "FAILED"
    assert payments_of(order.id)[0].refunded == 0


def test_a_reversal_that_only_the_list_shows_is_taken_from_it(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    (payment,) = payments_of(order.id)
    paypal.reverse_capture(payment.remote_id, value="2.00")
    paypal.switch("error", on="GET /v2/payments/refunds/*", status=404, issue="INVALID_RESOURCE_ID", count=99)

    reconciliation.compare(shop, now())

    assert payments_of(order.id)[0].refunded == 200


def test_sales_elsewhere_by_the_account_are_ignored(shop: Shop, paypal: LocalPayPal) -> None:
    body = {
        "intent": "CAPTURE",
        "purchase_units": [{"invoice_id": f"WC-{now()}", "amount": {"currency_code": "USD", "value": "19.00"}}],
    }
    elsewhere = shop.paypal.create_order(body, f"elsewhere-{now()}")["id"]
    paypal.approve_order(elsewhere)
    shop.paypal.capture_order(elsewhere, f"elsewhere-{elsewhere}")

    reconciliation.compare(shop, now())

    assert not [told for told in alerts("money_not_in_ledger") if told["amount"] == "19.00"]


def test_sales_of_another_bot_are_not_credited(shop: Shop, paypal: LocalPayPal) -> None:
    others = replace(shop, settings=replace(shop.settings, telegram_bot_token="8111111111:" + "x" * 35))
    order = paid(others, paypal)
    capture = payments_of(order.id)[0].remote_id
    with_other_books(order.id)

    reconciliation.compare(shop, now())

    assert orders.by_public(order.public_id) is None
    assert not [told for told in alerts("money_not_in_ledger") if told["remote_id"] == capture]
    # While the other one finds it again
    reconciliation.compare(others, now())
    assert orders.by_public(order.public_id) is not None


def test_a_payment_that_paypal_does_not_list_is_told_in_time(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    Payment.update(remote_id="0NOTATPAYPAL00000", created_at=now() - 6 * HOUR, completed_at=now() - 6 * HOUR).where(
        Payment.order == order.id
    ).execute()

    reconciliation.compare(shop, now())

    assert [told["remote_id"] for told in alerts("money_not_at_provider")] == ["0NOTATPAYPAL00000"]


def test_a_list_that_lags_behind_accuses_nobody(shop: Shop, paypal: LocalPayPal) -> None:
    paid(shop, paypal)
    paypal.switch("reporting_lag", seconds=3 * HOUR)

    reconciliation.compare(shop, now())

    assert not alerts("money_not_at_provider")


def test_a_list_that_paypal_does_not_show_is_an_incident(shop: Shop, paypal: LocalPayPal) -> None:
    paypal.switch("error", on="GET /v1/reporting/transactions", status=403, issue="PERMISSION_DENIED")

    reconciliation.compare(shop, now())
    assert [incident.key for incident in health.incidents()] == ["report_refused"]
    reconciliation.compare(shop, now())

    assert Incident.get().closed_at is not None


# Errands


def test_a_request_forgotten_by_paypal_is_given_up(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    asked_id = payments.ask_refund(payments_of(order.id)[0].id, None, 1, now() - 46 * DAY)
    request = asked.claim("paypal", now())
    assert request is not None and request.id == asked_id

    operations.Operations(shop).run(request, now())

    (told,) = [row for row in Event.select() if row.kind == "request_done"]
    assert (told.payload["ok"], told.payload["result"]) == (False, "gave_up")
    assert not [call for call in paypal.calls() if call["path"].endswith(f"{order.remote_id}/refund")]


def test_a_refund_not_let_in_after_silence_may_have_been_made(shop: Shop, paypal: LocalPayPal) -> None:
    """The repeat is answered 401: that says nothing about the call whose answer was lost."""
    order = paid(shop, paypal)
    payments.ask_refund(payments_of(order.id)[0].id, None, 1, now())
    request = asked.claim("paypal", now())
    assert request is not None and not request.sent
    paypal.switch("lost_response", on="POST */refund")
    paypal.switch("unauthorized", on="POST */refund", count=9)

    operations.Operations(shop).run(request, now())

    again = asked.claim("paypal", now() + DAY)
    assert again is not None and (again.id, again.sent) == (request.id, True)


def test_a_refund_that_the_last_look_finds_is_done(shop: Shop, paypal: LocalPayPal) -> None:
    order = paid(shop, paypal)
    payment = payments_of(order.id)[0]
    asked_id = payments.ask_refund(payment.id, None, 1, now() - 46 * DAY)
    request = asked.claim("paypal", now())
    assert request is not None and request.id == asked_id
    shop.paypal.refund_capture(payment.remote_id, request.amount, payment.currency, request.request_id)

    operations.Operations(shop).run(request, now())

    (told,) = [row for row in Event.select() if row.kind == "request_done"]
    assert (told.payload["ok"], told.payload["result"]) == (True, "refunded")


def test_a_turn_refunds_first_and_looks_up_only_a_few(shop: Shop, paypal: LocalPayPal) -> None:
    for number in range(runner.LOOKUPS_A_TURN + 2):
        argument = f"42311647XV020574{number}"
        asked.ask(RequestKind.LOOKUP, "paypal", argument=argument, user_id=number + 1, asked_by=1, now=now())
    payments.ask_refund(payments_of(paid(shop, paypal).id)[0].id, None, 1, now())

    kinds = [request.kind for request in runner._next_requests(shop, now())]

    assert kinds == [RequestKind.REFUND] + [RequestKind.LOOKUP] * runner.LOOKUPS_A_TURN


def test_an_unfinished_notification_waits_longer_each_time(
    shop: Shop, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.upkeep.runner.events.finish", lambda *_: "PayPal is away")
    _, stored = webhooks.receive("paypal", "WH-LATE", "PAYMENT.CAPTURE.COMPLETED", "CAPTURE", "{}", now())
    upkeep = Upkeep(configured, shop, environment.catalogue(configured))
    waits, moment = [], now() + webhooks.LEASE_S
    for attempts in (0, 1, 2, 40):
        WebhookEvent.update(attempts=attempts).where(WebhookEvent.id == stored.id).execute()
        upkeep._finish_webhooks(shop, moment)
        again_at = WebhookEvent.get_by_id(stored.id).not_before
        waits.append(again_at - moment)
        moment = again_at
    upkeep.stop()

    assert waits == [30, 60, 120, 3840]


def test_a_request_waits_longer_after_each_failure(shop: Shop, paypal: LocalPayPal) -> None:
    asked.ask(RequestKind.LOOKUP, "paypal", argument="42311647XV020574X", user_id=1, asked_by=1, now=now())
    paypal.switch("bad_gateway", on="GET /v2/payments/captures/*", count=1000)
    waits = []
    moment = now()
    for _ in range(3):
        request = asked.claim("paypal", moment)
        assert request is not None
        with shop.paypal.within(0):
            operations.Operations(shop).run(request, moment)
        waits.append(Request.get_by_id(request.id).not_before - moment)
        moment = Request.get_by_id(request.id).not_before

    assert waits == [30, 60, 120]
    assert outbox.due(now()) == []
