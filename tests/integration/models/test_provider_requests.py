"""Remote work that was asked for, and notifications that came: each done once, found again when unfinished."""

import pytest

from models import database, outbox
from models.event_kinds import AdminAlert, RequestDone
from models.money import payments, provider_requests, webhooks
from models.money.provider_requests import RequestKind
from models.money.webhooks import Received
from tests import purchases
from tests.purchases import NOW

pytestmark = pytest.mark.usefixtures("database_file")


def ask(argument: str = "TX-1", provider: str = "paypal", now: int = NOW) -> int:
    return provider_requests.ask(RequestKind.LOOKUP, provider, argument=argument, user_id=7, asked_by=7, now=now)


def test_a_request_is_asked_once_while_it_waits() -> None:
    first = ask()
    assert ask() == first
    assert ask("TX-2") != first
    provider_requests.finish(first, "settled", NOW)
    assert ask() != first


def test_two_lookups_of_one_payment_are_both_answered() -> None:
    asked = [
        provider_requests.ask(RequestKind.LOOKUP, "paypal", argument="TX-1", user_id=who, asked_by=who, now=NOW)
        for who in (7, 8)
    ]
    for request_id in asked:
        provider_requests.finish(request_id, "paid", NOW)
    assert [event.user_id for event in outbox.claim(NOW)] == [7, 8]


def test_each_provider_claims_its_own_the_oldest_first() -> None:
    first, stars, second = ask("TX-1"), ask("C-1", "stars"), ask("TX-2")
    claimed = [provider_requests.claim("paypal", NOW) for _ in range(3)]
    assert [request and request.id for request in claimed] == [first, second, None]
    assert provider_requests.claim("stars", NOW).id == stars  # type: ignore[union-attr]


def test_refunds_and_renewals_come_before_every_look_up() -> None:
    looked_up = [ask(f"TX-{number}") for number in range(5)]
    user = purchases.customer()
    payments.settle(purchases.fact(purchases.order(user, purchases.PREMIUM, "paypal"), NOW), NOW)
    (paid,) = payments.history_of(user)
    refund = payments.ask_refund(paid.id, None, 1, NOW)

    claimed = [provider_requests.claim("paypal", NOW) for _ in range(2)]

    assert [request and request.id for request in claimed] == [refund, looked_up[0]]
    assert provider_requests.claim("paypal", NOW, lookups=False) is None


def test_who_has_much_looked_up_waits_for_the_others() -> None:
    many = [ask(f"TX-{number}") for number in range(5)]
    one = provider_requests.ask(RequestKind.LOOKUP, "paypal", argument="TX-9", user_id=8, asked_by=8, now=NOW)

    claimed = [provider_requests.claim("paypal", NOW) for _ in range(3)]

    assert [request and request.id for request in claimed] == [one, *many[:2]]


def test_an_unfinished_request_comes_again_with_the_same_key() -> None:
    ask()
    first = provider_requests.claim("paypal", NOW, lease_s=30)
    assert provider_requests.claim("paypal", NOW + 29) is None
    again = provider_requests.claim("paypal", NOW + 30)
    assert first is not None and again is not None
    assert (again.request_id, again.attempts) == (first.request_id, 2)
    provider_requests.retry(again.id, NOW + 99)
    assert provider_requests.claim("paypal", NOW + 98) is None
    assert provider_requests.claim("paypal", NOW + 99) is not None


@pytest.mark.parametrize(("end", "ok"), [(provider_requests.finish, True), (provider_requests.fail, False)])
def test_the_one_who_asked_hears_the_result_once(end, ok: bool) -> None:  # type: ignore[no-untyped-def]
    asked = ask()
    assert end(asked, "because", NOW)
    assert not end(asked, "again", NOW)
    provider_requests.retry(asked, NOW)
    assert provider_requests.claim("paypal", NOW + 10**6) is None
    [told] = outbox.claim(NOW)
    assert (told.kind, told.user_id) == ("request_done", 7)
    done = told.read(RequestDone)
    assert (done.kind, done.ok, done.result) == ("lookup", ok, "because")
    assert provider_requests.get(asked).argument == "TX-1"  # type: ignore[union-attr]


def test_what_may_have_been_sent_is_known_at_the_next_attempt() -> None:
    first, second = ask("TX-1"), ask("TX-2")
    provider_requests.sending(first)
    known = [provider_requests.get(each) for each in (first, second)]
    assert [each and each.sent for each in known] == [True, False]
    provider_requests.not_sent(first)
    assert not provider_requests.get(first).sent  # type: ignore[union-attr]
    provider_requests.finish(second, "paid", NOW)
    provider_requests.sending(second)
    assert not provider_requests.get(second).sent, "it has ended"  # type: ignore[union-attr]


# Notifications


def receive(event_id: str = "WH-1", now: int = NOW) -> tuple[Received, webhooks.WebhookInfo]:
    return webhooks.receive("paypal", event_id, "PAYMENT.CAPTURE.COMPLETED", "C-1", '{"id": 1}', now)


def conclude(webhook_id: int) -> bool:
    with database.transaction():
        return webhooks.conclude(webhook_id, NOW)


def test_a_notification_is_stored_first_and_done_once() -> None:
    received, webhook = receive()
    assert received is Received.NEW
    assert receive() == (Received.UNFINISHED, webhook)
    assert conclude(webhook.id)
    assert not conclude(webhook.id)
    assert receive()[0] is Received.DONE


def test_an_unfinished_notification_is_found_again() -> None:
    _, webhook = receive()
    assert webhooks.claim(NOW + webhooks.LEASE_S - 1) is None  # whoever received it is still at it
    again = webhooks.claim(NOW + webhooks.LEASE_S)
    assert again is not None
    assert (again.id, again.body, again.attempts) == (webhook.id, '{"id": 1}', 2)
    webhooks.retry(webhook.id, NOW + 500)
    assert webhooks.claim(NOW + 499) is None
    assert webhooks.claim(NOW + 500) is not None
    conclude(webhook.id)
    assert webhooks.claim(NOW + 10**6) is None


def test_a_notification_that_is_given_up_is_told_once() -> None:
    _, webhook = receive()
    for why in ("not shown", "later"):
        webhooks.give_up(webhook, why, NOW)
    (told,) = outbox.claim(NOW)
    detail = told.read(AdminAlert).detail
    assert (told.user_id, detail["event"], detail["about"], detail["why"]) == (
        *(None, "PAYMENT.CAPTURE.COMPLETED", "C-1", "not shown"),
    )
    assert receive()[0] is Received.DONE


def test_notifications_that_fail_again_and_again_are_counted() -> None:
    assert webhooks.newest("paypal") is None
    for number in range(3):
        receive(f"WH-{number}", NOW + number)
    for _ in range(2):
        assert webhooks.claim(NOW + 99, lease_s=0) is not None
    assert [webhooks.stuck("paypal", attempts) for attempts in (1, 2, 3, 4)] == [3, 1, 1, 0]
    conclude(webhooks.claim(NOW + 99, lease_s=0).id)  # type: ignore[union-attr]
    assert webhooks.stuck("paypal", 1) == 2
    assert (webhooks.newest("paypal"), webhooks.newest("stars"), webhooks.stuck("stars", 1)) == (NOW + 2, None, 0)


def test_a_notification_needs_the_transaction_of_its_effects() -> None:
    _, webhook = receive()
    with pytest.raises(RuntimeError, match="transaction"):
        webhooks.conclude(webhook.id, NOW)
