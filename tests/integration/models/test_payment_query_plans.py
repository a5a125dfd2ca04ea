"""What runs per message, per payment or in a loop never reads a whole table."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from models import database, outbox, users
from models.books import unexplained
from models.jobs import queue
from models.money import access, orders, payments, provider_requests, reminders, subscriptions, webhooks
from models.money.provider_requests import RequestKind
from models.money.rewards import news
from models.tables import Referral
from tests.purchases import DAY, MONTHLY, NOW, PREMIUM, customer, dispute_closed, dispute_opened, fact, order, refund

pytestmark = pytest.mark.usefixtures("database_file")


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that this thread's connection runs, with their values filled in."""
    connection: sqlite3.Connection = database.bound.connection()
    ran: list[str] = []
    connection.set_trace_callback(ran.append)
    try:
        yield ran
    finally:
        connection.set_trace_callback(None)


def scans(statement: str) -> list[str]:
    """Return the steps of a statement's plan that walk a whole table or index."""
    plan = database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    return [step[3] for step in plan if step[3].startswith("SCAN ") and "CONSTANT ROW" not in step[3]]


def _settle_and_undo() -> None:
    paid = fact(order(customer()), provider="stars")
    payments.settle(paid, NOW)
    dispute_opened("stars", paid.remote_id, "d", NOW, NOW)
    dispute_closed("stars", paid.remote_id, "d", True, NOW, NOW)
    refund("stars", paid.remote_id, "r", 500, NOW, NOW)
    payments.history_of(1)
    payments.find("stars", paid.remote_id)
    payments.find(None, paid.remote_id)


def _renew() -> None:
    paid = fact(order(customer(), MONTHLY), period_end=NOW + 5)
    payments.settle(paid, NOW)
    subscriptions.update(
        subscriptions.News("stars", paid.remote_id, subscriptions.SubscriptionState.CANCELLED, None, NOW + 1), NOW
    )
    subscriptions.to_poll("stars", NOW)


def _checkout() -> None:
    made = order(customer(), PREMIUM, "paypal")
    orders.by_public(made.public_id)
    orders.attach_remote(made.id, "O-1", NOW)
    orders.by_remote("paypal", "O-1")
    orders.claim_checkout(made.id, NOW)
    orders.to_poll("paypal", NOW)
    orders.expire_due(NOW)


def _outbox() -> None:
    access.give(customer(), 1, seconds=5, reason="", by=None, now=NOW)
    for event in outbox.claim(NOW):
        outbox.heard(event.id, NOW)
    outbox.due(NOW)
    outbox.oldest_unheard_ms()
    reminders.write(NOW)


def _requests() -> None:
    asked = provider_requests.ask(RequestKind.LOOKUP, "paypal", argument="x", user_id=1, asked_by=1, now=NOW)
    provider_requests.claim("paypal", NOW)
    provider_requests.finish(asked, "", NOW)
    webhooks.receive("paypal", "WH-1", "", "", "", NOW)
    webhooks.claim(NOW + 100)


def _line() -> None:
    queue.overview(NOW)


def _message() -> None:
    users.seen(1, "Ana", None, None, NOW)
    access.of(1, NOW)


def _reward() -> None:
    referrer, friend = customer(), customer()
    terms = {"referrer_days": 7, "friend_days": 7, "hold_days": 14, "share": 50, "minimum": {"XTR": 250}}
    Referral.create(referrer=referrer, friend=friend, referrer_hash="a", friend_hash="b", terms=terms, at=NOW)
    payments.settle(fact(order(friend)), NOW)
    assert news.write(NOW + 14 * DAY) == 1
    assert access.of(referrer, NOW + 14 * DAY).level == 1


@pytest.mark.parametrize(
    "operation", [_message, _line, _checkout, _settle_and_undo, _renew, _outbox, _requests, _reward]
)
def test_no_statement_walks_a_whole_table(operation: Callable[[], Any]) -> None:
    with statements() as ran:
        operation()
    read = [statement for statement in ran if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")]
    assert read
    assert {statement: scans(statement) for statement in read if scans(statement)} == {}


def test_what_waits_for_a_provider_is_found_by_an_index() -> None:
    with statements() as ran:
        unexplained.find(NOW)
    (asked,) = [statement for statement in ran if 'FROM "request"' in statement]
    plan = [step[3] for step in database.execute(f"EXPLAIN QUERY PLAN {asked}").fetchall()]
    assert "(provider=? AND state=?)" in plan[0]
