"""The operator's bad days: refusals, limits, outages, clocks, locks. Nobody is left without an answer, or a sum."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest
import requests

from models.maintenance import privacy
from models.money import orders, provider_requests
from models.money.provider_requests import RequestKind
from models.tables import Event, Incident, Request, WebhookEvent
from tests.paypal_shop import ADMIN, SECRET_KEY, Buyer, PayPalShop, heading, until

CAPTURE = "POST */capture"
CREATE = "POST /v2/checkout/orders"
READ = "GET /v2/checkout/orders/*"


def again_link(page: requests.Response) -> str:
    """Where the first button of an outcome leads."""
    return page.text.partition('id="again" href="')[2].partition('"')[0]


# What PayPal refuses


def test_a_declined_instrument_leads_back_to_the_same_link(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()

    page = buyer.go(buyer.choose(remote_id, "decline"))
    assert heading(page) == "PayPal declined the payment"
    assert again_link(page) == f"{shop.paypal.endpoint}/checkoutnow?token={remote_id}"
    page = buyer.go(buyer.choose(remote_id, "approve"))

    assert heading(page) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1
    keys = [call["request_id"] for call in shop.paypal.calls() if f"{remote_id}/capture" in call["path"]]
    assert len(set(keys)) > 1  # a replayed refusal must not answer the second try


def test_turning_back_after_a_declined_card_costs_nothing(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    assert heading(buyer.go(buyer.choose(remote_id, "decline"))) == "PayPal declined the payment"
    tried = [call for call in shop.paypal.calls() if f"{remote_id}/capture" in call["path"]]

    page = buyer.go(f"{shop.web.url}/paypal/cancel?token={remote_id}")

    assert heading(page) == "Payment cancelled"
    assert [call for call in shop.paypal.calls() if f"{remote_id}/capture" in call["path"]] == tried
    assert shop.access(buyer.id).level == 0


def test_an_unapproved_order_shows_the_link_again(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("error", on=CAPTURE, issue="ORDER_NOT_APPROVED")

    page = buyer.go(url)

    assert heading(page) == "Not approved yet"
    assert again_link(page) == f"{shop.paypal.endpoint}/checkoutnow?token={remote_id}"


@pytest.mark.parametrize("issue", ["PAYEE_ACCOUNT_RESTRICTED", "PAYEE_ACCOUNT_LOCKED_OR_CLOSED"])
def test_a_restricted_payee_is_told_to_operators_only(shop: PayPalShop, issue: str) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("error", on=CREATE, issue=issue)

    page = buyer.click()

    assert heading(page) == "This shop cannot take the payment right now"
    assert "PAYEE" not in page.text and "account" not in page.text
    assert len(shop.alerts(reason="paypal_account", issues=issue)) == 1
    shop.paypal.switch("error", on=CREATE, issue=issue)
    buyer.click()
    assert len(shop.alerts(reason="paypal_account", issues=issue)) == 1  # once a day is enough


def test_a_payee_blocked_at_capture_is_told_to_operators(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("error", on=CAPTURE, issue="PAYEE_BLOCKED_TRANSACTION")

    page = buyer.go(url)

    assert heading(page) == "This shop cannot take the payment right now"
    assert shop.alerts(reason="paypal_account", issues="PAYEE_BLOCKED_TRANSACTION")
    assert heading(buyer.go(url)) == "Paid, thank you!"  # once the operator has put it right


def test_an_order_that_was_declined_too_often_is_begun_anew(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("error", on=CAPTURE, issue="MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED")

    page = buyer.go(url)

    assert heading(page) == "This purchase is over"
    assert buyer.start() != remote_id


@pytest.mark.parametrize("issue", ["INVALID_CURRENCY_CODE", "DOMESTIC_TRANSACTION_REQUIRED", "AN_ISSUE_OF_TOMORROW"])
def test_what_the_account_may_not_sell_is_one_alert(shop: PayPalShop, issue: str) -> None:
    buyers = [shop.buyer() for _ in range(5)]
    shop.paypal.switch("error", on=CREATE, issue=issue, count=5)

    pages = [buyer.click() for buyer in buyers]

    assert {heading(page) for page in pages} == {"This shop cannot take the payment right now"}
    (told,) = shop.alerts(reason="paypal_account", issues=issue)
    assert (told["currency"], told["plan"]) == ("USD", "premium")
    assert not [shop.alerts(reason="order_mismatch", user=buyer.id) for buyer in buyers if shop.alerts(user=buyer.id)]


# Refusals at the capture: nothing is charged again before the payer has acted


@pytest.mark.parametrize(
    "issue", ["PAYMENT_DENIED", "CARD_EXPIRED", "TRANSACTION_REFUSED", "PAYER_CANNOT_PAY", "AN_ISSUE_OF_TOMORROW"]
)
def test_a_refused_capture_is_the_payers_turn(shop: PayPalShop, issue: str) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("error", on=CAPTURE, issue=issue)

    page = buyer.go(url)

    assert heading(page) == "PayPal declined the payment"
    assert again_link(page) == f"{shop.paypal.endpoint}/checkoutnow?token={remote_id}"
    assert shop.heard(buyer.id) == ["checkout_refused"]
    assert not shop.alerts(user=buyer.id)
    # Whatever looks at the order now charges nothing
    tried = captures(shop, remote_id)
    repeat_approval(shop, remote_id)
    shop.restart_upkeep()
    ask_about(shop, buyer, remote_id)
    assert captures(shop, remote_id) == tried
    # Until the buyer acts
    assert heading(buyer.go(buyer.choose(remote_id, "approve"))) == "Paid, thank you!"
    assert shop.heard(buyer.id).count("checkout_refused") == 1


def captures(shop: PayPalShop, remote_id: str) -> int:
    return sum(f"{remote_id}/capture" in call["path"] for call in shop.paypal.calls())


def repeat_approval(shop: PayPalShop, remote_id: str) -> None:
    """PayPal sends the event of the approval again, which came before the refusal."""
    event = next(it for it in shop.paypal.events() if it["resource"].get("id") == remote_id)
    assert shop.send_webhook(shop.paypal.forgery.genuine({**event, "id": f"{event['id']}-2"}, shop.webhook_id)) == 200


def ask_about(shop: PayPalShop, buyer: Buyer, remote_id: str) -> None:
    """The buyer asks in the chat what became of the purchase."""
    asked = provider_requests.ask(
        RequestKind.LOOKUP, "paypal", argument=remote_id, user_id=buyer.id, asked_by=buyer.id, now=int(time.time())
    )
    until(lambda: Request.get_by_id(asked).state != "open", "the answer")


def test_a_second_approval_in_a_closed_tab_is_the_payers_act(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    assert heading(buyer.go(buyer.choose(remote_id, "decline"))) == "PayPal declined the payment"
    time.sleep(1.1)  # PayPal's events tell the time in whole seconds
    shop.paypal.clear_switches()

    buyer.choose(remote_id, "approve")

    until(lambda: shop.access(buyer.id).level == 1, "the grant")


def test_a_capture_still_under_way_keeps_its_key(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("conflict", on=CAPTURE, performed=True)

    page = buyer.go(url)

    assert heading(page) == "Paid, thank you!"
    shop.paypal.switch("conflict", on=CAPTURE)
    other = shop.buyer()
    other_id = other.start()
    assert heading(other.go(other.choose(other_id, "approve"))) == "PayPal does not answer right now"
    shop.make_due(other_id)
    until(lambda: shop.access(other.id).level == 1, "upkeep, which asks again")
    keys = [call["request_id"] for call in shop.paypal.calls() if f"{other_id}/capture" in call["path"]]
    assert len(keys) == 2 and len(set(keys)) == 1


def test_an_order_that_reads_approved_after_its_capture_is_paid(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    shop.silence_webhooks()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("order_lag", on=f"GET /v2/checkout/orders/{remote_id}", count=2)

    page = buyer.go(url)

    assert heading(page) == "Paid, thank you!"
    assert len(shop.payments(buyer.id)) == 1


# When PayPal is slow, busy or away


@pytest.mark.parametrize("parameters", [{"retry_after": 1}, {}])
def test_too_many_requests_are_waited_out(shop: PayPalShop, parameters: dict[str, int]) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("rate_limited", on=CREATE, **parameters)

    started = time.monotonic()
    buyer.start()

    assert time.monotonic() - started >= parameters.get("retry_after", 0.2)


def test_a_long_retry_after_is_not_waited_for_by_a_page(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("rate_limited", on=CREATE, retry_after=60)

    started = time.monotonic()
    page = buyer.click()

    assert (page.status_code, heading(page)) == (503, "PayPal does not answer right now")
    assert time.monotonic() - started < 3
    assert buyer.start()


def test_a_token_that_ends_in_the_middle_is_replaced_once(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("unauthorized", on=CAPTURE)
    before = tokens(shop)

    page = buyer.go(url)

    assert heading(page) == "Paid, thank you!"
    assert tokens(shop) - before <= 2  # one a program: the page and, beside it, the webhook share one


def test_revoked_credentials_are_told_at_once(shop: PayPalShop) -> None:
    shop.paypal.revoke_tokens()
    shop.paypal.switch("error", on="POST /v1/oauth2/token", status=401, issue="invalid_client", count=1000)
    buyer = shop.buyer()

    page = buyer.click()
    shop.restart_upkeep()

    assert (page.status_code, heading(page)) == (503, "PayPal does not answer right now")
    until(lambda: Incident.get_or_none(Incident.key == "paypal_denied", Incident.closed_at.is_null()), "the incident")
    shop.paypal.clear_switches()
    shop.restart_upkeep()
    until(lambda: not Incident.get_or_none(Incident.key == "paypal_denied", Incident.closed_at.is_null()), "its end")
    assert buyer.start()


def tokens(shop: PayPalShop) -> int:
    return sum(call["path"] == "/v1/oauth2/token" for call in shop.paypal.calls())


def test_pages_answer_in_time_while_paypal_hangs(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    told, charged, coming = shop.buyer(), shop.buyer(), shop.buyer()
    told_id, charged_id = told.start(), charged.start()
    told.choose(told_id, "approve")
    url = charged.choose(charged_id, "approve")
    event = next(it for it in shop.paypal.events() if it["resource"].get("id") == told_id)
    transmission = shop.paypal.forgery.genuine(event, shop.webhook_id)
    for call in (CREATE, f"GET /v2/checkout/orders/{told_id}", f"POST /v2/checkout/orders/{charged_id}/capture"):
        shop.paypal.switch("timeout", on=call, count=100, seconds=30)

    before = len(shop.paypal.calls())
    with ThreadPoolExecutor() as pool:
        webhook = pool.submit(timed, lambda: shop.send_webhook(transmission))
        returning = pool.submit(timed, lambda: charged.go(url))
        clicking = pool.submit(timed, coming.click)
        until(lambda: len(hanging(shop, before)) == 3, "all three to wait for PayPal")
        alive = requests.get(f"{shop.web.url}/health/live", timeout=10)
        answered_before = [page for page in (webhook, returning, clicking) if page.done()]

    assert (alive.status_code, answered_before) == (200, [])
    assert webhook.result()[1] == 500
    assert heading(clicking.result()[1]) == "PayPal does not answer right now"
    assert max(webhook.result()[0], returning.result()[0], clicking.result()[0]) < 8
    assert not shop.payments(told.id)
    shop.paypal.clear_switches()
    shop.silence_webhooks()
    shop.make_due(charged_id)
    until(lambda: shop.access(told.id).level == 1, "upkeep, which finishes the webhook", 40)
    until(lambda: shop.access(charged.id).level == 1, "upkeep, which finds the money that moved", 40)
    assert len([it for it in shop.paypal.captures() if it["custom_id"] == shop.order(charged_id).public_id]) == 1
    assert coming.start()


def hanging(shop: PayPalShop, before: int) -> set[str]:
    """The paths of calls, past the first *before*, that PayPal does not answer."""
    return {call["path"] for call in shop.paypal.calls()[before:] if call["fault"] == "timeout"}


def timed(act):  # type: ignore[no-untyped-def]
    started = time.monotonic()
    answer = act()
    return time.monotonic() - started, answer


# Clocks, locks, words


@pytest.mark.parametrize("offset", [600, -600])
def test_clocks_that_differ_by_ten_minutes_delay_nothing(shop: PayPalShop, offset: int) -> None:
    shop.silence_webhooks()
    shop.paypal.set_clock_offset(offset)
    try:
        buyer = shop.buyer()
        _, page = buyer.pay()
    finally:
        shop.paypal.set_clock_offset(0)

    assert heading(page) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1


def test_a_webhook_ten_minutes_ahead_is_refused(shop: PayPalShop) -> None:
    event = {"id": "WH-CLOCK", "event_type": "CATALOG.PRODUCT.CREATED", "resource": {"id": "PROD"}}

    assert shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id, age=-600)) == 400
    assert shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id, age=600)) == 200


def test_a_busy_database_makes_paypal_repeat_the_webhook(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    shop.paypal.switch("webhook_drop", on="PAYMENT.CAPTURE.COMPLETED")
    with locked(shop):
        buyer.choose(remote_id, "approve")
        delivery = until(lambda: [it for it in approvals(shop, remote_id) if it["answers"]], "an answer", 15)[0]

    assert delivery["answers"] == [500]
    until(lambda: shop.access(buyer.id).level == 1, "the repeated webhook")
    assert shop.heard(buyer.id) == ["payment_completed"]


@contextlib.contextmanager
def locked(shop: PayPalShop) -> Iterator[None]:
    """Somebody else is writing, and does not come to an end."""
    writer = sqlite3.connect(shop.database_file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        writer.execute("ROLLBACK")
        writer.close()


def approvals(shop: PayPalShop, remote_id: str) -> list[dict[str, object]]:
    ids = {event["id"] for event in shop.paypal.events() if event["resource"].get("id") == remote_id}
    return [delivery for delivery in shop.paypal.deliveries() if delivery["event_id"] in ids]


def test_unknown_fields_change_nothing(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("unknown_field", on="* /v2/*", count=20)

    _, page = buyer.pay()

    assert heading(page) == "Paid, thank you!"


def test_unknown_statuses_are_tolerated_and_grant_nothing(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.merchant.capture_order(remote_id, "by-hand")
    shop.paypal.switch("unknown_status", count=2)
    event = next(it for it in shop.paypal.events() if it["resource"].get("id") == remote_id)

    page = buyer.go(url)
    answer = shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id))

    assert heading(page) == "PayPal does not answer right now"
    assert answer == 200
    assert not shop.payments(buyer.id)
    assert heading(buyer.go(url)) == "Paid, thank you!"


@pytest.mark.parametrize(
    "change",
    [
        {"/purchase_units": "none"},
        {"/purchase_units/0/amount": ["5.00"]},
        {"/purchase_units/0/payments/captures/0/amount/value": "5.001"},
        {"/purchase_units/0/payments/captures/0/create_time": "yesterday"},
        {"/purchase_units/0/payments": 7},
    ],
)
def test_an_answer_that_makes_no_sense_is_none(shop: PayPalShop, change: dict[str, object]) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.merchant.capture_order(remote_id, f"by-hand-{remote_id}")
    shop.paypal.switch("alter", set=change)

    page = buyer.go(url)

    assert heading(page) in ("PayPal does not answer right now", "This payment needs a look")
    assert heading(buyer.go(url)) == "Paid, thank you!"


# Pages and their limits


def test_who_presses_the_button_too_often_is_asked_to_wait(shop: PayPalShop) -> None:
    buyer = shop.buyer(shop.customer("es"))
    buyer.browser.headers["Accept-Language"] = "es"
    answers = [buyer.click() for _ in range(21)]

    assert [answer.status_code for answer in answers] == [303] * 20 + [429]
    assert heading(answers[-1]) == "Demasiadas peticiones"


@pytest.mark.parametrize(("age", "status"), [(23, 200), (25, 410)])
def test_a_payment_link_lives_for_a_day(shop: PayPalShop, age: int, status: int) -> None:
    user_id = shop.customer()
    token = orders.pay_token(SECRET_KEY, user_id, "premium", int(time.time()) - age * 3600)

    page = Buyer(shop, user_id, f"{shop.web.url}/pay/{token}").page()

    assert page.status_code == status


def test_a_forged_payment_link_and_a_removed_plan_are_no_page(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    # Not its last letter, of which four bits decide: some others mean the same.
    forged = Buyer(shop, buyer.id, buyer.link[:-2] + ("A" if buyer.link[-2] != "A" else "B") + buyer.link[-1])
    gone = shop.buyer(plan="nosuchplan")

    assert (forged.page().status_code, forged.click().status_code) == (404, 404)
    assert (gone.page().status_code, gone.click().status_code) == (410, 410)


def test_without_a_proxy_nobody_says_who_they_are(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    with shop.second_web(BEHIND_PROXY="no") as web:
        link = buyer.link.replace(shop.web.url, web.url)
        answers = [
            requests.post(link, headers={"X-Real-IP": f"198.51.100.{n}"}, timeout=10, allow_redirects=False).status_code
            for n in range(21)
        ]

    assert answers == [303] * 20 + [429]


def test_a_link_of_somebody_who_had_himself_erased_is_gone(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    privacy.erase(buyer.id, ZoneInfo("UTC"), int(time.time()), secret_key="key")

    assert (buyer.page().status_code, buyer.click().status_code) == (410, 410)


def test_pages_speak_the_customers_language_and_escape_names(shop: PayPalShop) -> None:
    buyer = shop.buyer(shop.customer("es", first_name="<b>José</b> {0}"))

    page = buyer.page()

    assert '<html lang="es">' in page.text
    assert "Pagar con PayPal" in page.text
    assert "Para &lt;b&gt;José&lt;/b&gt; {0}" in page.text


def test_every_page_refuses_what_it_does_not_need(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    secure = {"X-Forwarded-Proto": "https"}
    page = buyer.browser.get(buyer.link, headers=secure, timeout=10)
    sent = buyer.browser.post(buyer.link, headers=secure, timeout=10, allow_redirects=False)

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert f"form-action 'self' {shop.paypal.endpoint}" in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Strict-Transport-Security"]
    assert "script" not in page.text
    cookie = sent.headers["Set-Cookie"]
    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/paypal"))


def test_anothers_page_cannot_press_the_button(shop: PayPalShop) -> None:
    buyer = shop.buyer()

    answer = buyer.browser.post(buyer.link, headers={"Sec-Fetch-Site": "cross-site"}, timeout=10, allow_redirects=False)

    assert answer.headers["Location"] == buyer.link.removeprefix(shop.web.url)
    assert "Set-Cookie" not in answer.headers


# Our webhook at PayPal


def test_webhooks_are_refused_without_a_webhook_id(
    shop: PayPalShop,
) -> None:
    with shop.second_web(BACKEND_URL="https://elsewhere.example.org", PAYPAL_CLIENT_ID="another") as unregistered:
        event = {"id": "WH-NONE", "event_type": "CATALOG.PRODUCT.CREATED", "resource": {"id": "PROD"}}
        answer = shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id), unregistered)

    assert answer == 503
    assert not WebhookEvent.get_or_none(WebhookEvent.event_id == "WH-NONE")


@pytest.mark.parametrize(
    "body",
    [b"no JSON", b"\xff", b"[]", b'{"id": 7, "resource": {}}', b'{"id": "WH-7"}', b'{"id": "WH-7", "resource": [1]}'],
)
def test_what_is_signed_and_no_event_is_refused(shop: PayPalShop, body: bytes) -> None:
    before = WebhookEvent.select().count()

    assert shop.send_webhook(shop.paypal.forgery.genuine(body, shop.webhook_id)) == 400

    assert WebhookEvent.select().count() == before


@pytest.mark.parametrize("path", ["/paypal/webhook", "/webhook/paypal"])
def test_of_an_event_only_what_leads_to_it_is_kept(shop: PayPalShop, path: str) -> None:
    kept = {"id": "PROD-1", "custom_id": "mine", "links": [{"rel": "self", "href": "https://api.paypal.com/x"}]}
    resource = {**kept, "payer": {"name": {"given_name": "Penelope"}}, "shipping": {"address": "Calle 1"}}
    name = f"WH-KEPT-{path.replace('/', '-')}"
    event = {"id": name, "event_type": "CATALOG.PRODUCT.CREATED", "create_time": "2026-01-02", "resource": resource}
    signed = shop.paypal.forgery.genuine(event, shop.webhook_id)

    answer = requests.post(f"{shop.web.url}{path}", data=signed.body, headers=signed.headers, timeout=20)

    row = WebhookEvent.get(WebhookEvent.event_id == name)
    assert (answer.status_code, row.state, row.resource_id) == (200, "done", "PROD-1")
    assert json.loads(row.body) == {"create_time": "2026-01-02", "resource": kept}


def test_telegrams_rule_about_stars_is_told_at_start(shop: PayPalShop) -> None:
    told = [line for line in shop.web.program.logged() if "tos/bot-developers" in line.get("note", "")]

    assert told and told[0]["level"] == "warning"


def test_alerts_reach_the_admins_not_the_customers(shop: PayPalShop) -> None:
    assert not Event.select().where((Event.kind == "admin_alert") & Event.user_id.is_null(False)).exists()
    assert ADMIN not in {row.user_id for row in Event.select().where(Event.kind == "payment_completed")}
