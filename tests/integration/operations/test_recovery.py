"""The disk is lost, the backup is older than the last purchases: what was paid comes back by itself."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from models import database, notes, users
from models.money import orders, payments, subscriptions
from models.tables import Payment, User
from tests import daemon_process, machine, paypal_shop, preloaded
from tests.daemon_process import Daemon, chat
from tests.integration.paypal.test_paypal_subscriptions import subscribed
from tests.paypal_shop import Buyer, PayPalShop, until
from tests.purchases import BOT, SECRET
from tests.sandbox.paypal import start as start_paypal
from tests.sandbox_process import Sandbox
from tests.store import NOW, PLANS
from web.paypal import disputes, reconciliation

DAY = 86_400


def manage(environ: dict[str, str], *words: str) -> str:
    code, said = preloaded.outcome("manage", *words, cwd=Path(environ["DB_PATH"]), env={**os.environ, **environ})
    assert code == 0, said
    return said


def lose_disk(place: Path) -> None:
    for file in place.glob("peaje.db*"):
        file.unlink()


# ---- PayPal


@pytest.fixture
def lost_shop(migrated: Path, tmp_path: Path) -> Iterator[PayPalShop]:
    """A shop of its own, with a backup that knows nobody yet."""
    machine.need_npm_packages()
    (tmp_path / "peaje.db").write_bytes(migrated.read_bytes())
    paypal = start_paypal(tmp_path / "paypal")
    with paypal_shop.shop(paypal, tmp_path) as built:
        database.open_database(built.database_file)
        manage(built.settings(1), "backup")
        yield built
        paypal_shop.close(built)
    paypal.stop()


def lose_and_restore(shop: PayPalShop) -> None:
    database.close_database()
    shop.stop()
    lose_disk(shop.place)
    said = manage(shop.settings(1), "restore", "latest")
    assert "As soon as the programs run, what was paid since then comes back" in said
    database.open_database(shop.database_file)
    assert Payment.select().count() == User.select().count() == 0
    shop.web.start()
    shop.upkeep.start()


def has_access(shop: PayPalShop, buyer: Buyer) -> bool:
    return shop.access(buyer.id).level == 1


def test_what_was_bought_through_paypal_comes_back(lost_shop: PayPalShop) -> None:
    # Dated by a clock ahead of ours, a capture counts from the moment of our request at first, from its own date later.
    lost_shop.paypal.set_clock_offset(-5)
    buyer, given_back = lost_shop.buyer(), lost_shop.buyer()
    buyer.pay()
    given_back.pay()
    renewing, subscription = subscribed(lost_shop)
    (refunded,) = lost_shop.payments(given_back.id)
    lost_shop.merchant.refund_capture(refunded.remote_id, None, refunded.currency, "by-hand")
    assert lost_shop.paypal.wait_delivered()
    until(lambda: lost_shop.payments(given_back.id)[0].refunded, "the refund")
    before = {who.id: (lost_shop.payments(who.id)[0].remote_id, lost_shop.access(who.id)) for who in (buyer, renewing)}

    lose_and_restore(lost_shop)

    for who in (buyer, renewing):
        until(partial(has_access, lost_shop, who), "the access that was paid", 20)
        (payment,) = lost_shop.payments(who.id)
        assert (payment.remote_id, lost_shop.access(who.id)) == before[who.id]
        assert "payment_completed" in lost_shop.heard(who.id)
    known = subscriptions.by_remote("paypal", subscription.remote_id)
    assert known is not None and known.state == "active" and known.user_id == renewing.id
    until(lambda: lost_shop.payments(given_back.id) and lost_shop.payments(given_back.id)[0].refunded, "the refund", 20)
    assert lost_shop.access(given_back.id).level == 0
    assert lost_shop.alerts(reason="money_not_in_ledger") == []
    (told,) = lost_shop.alerts(reason="database_restored")
    assert told["backup"]


@pytest.mark.parametrize(("compared", "days"), [(None, 3), (NOW, 3), (NOW - 40 * DAY, 43), (NOW - 5000 * DAY, 1095)])
def test_the_comparison_covers_all_since_the_last_one(database_file: Path, compared: int | None, days: int) -> None:
    if compared is not None:
        notes.put(reconciliation.COMPARED_NOTE, compared, NOW)

    start = reconciliation._start(NOW)
    spans = reconciliation.spans(start, NOW)

    assert start == NOW - days * DAY
    assert (spans[0][0], spans[-1][1]) == (start, NOW)
    assert all(0 < end - begin <= 31 * DAY for begin, end in spans)
    assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]


@pytest.mark.parametrize(("compared", "days"), [(None, 4), (NOW, 4), (NOW - 40 * DAY, 44), (NOW - 5000 * DAY, 179)])
def test_disputes_are_looked_for_as_far_back(database_file: Path, compared: int | None, days: int) -> None:
    if compared is not None:
        notes.put(disputes.COMPARED_NOTE, compared, NOW)

    assert disputes._start(NOW) == NOW - days * DAY


# ---- an order that is known only by its id

ID = f"{'0' * 24}-77-premium"


def test_an_order_is_written_anew_from_its_id_and_todays_plan(database_file: Path) -> None:
    order = orders.recall(ID, "stars", 500, "XTR", plans=PLANS, secret=SECRET, at=1_000, now=2_000)
    assert order is not None
    assert (order.public_id, order.user_id, order.plan_code, order.level) == (ID, 77, "premium", 1)
    assert order.state is orders.OrderState.OPEN
    assert users.get(77) is not None
    assert orders.recall(ID, "stars", 500, "XTR", plans=PLANS, secret=SECRET, at=1_000, now=2_000) == order, "once"


@pytest.mark.parametrize(
    ("public_id", "amount", "currency"),
    [
        (ID, 499, "XTR"),
        (ID, 1, "XTR"),
        (ID, 500, "EUR"),
        (f"{'0' * 24}-77-gone", 500, "XTR"),
        (f"{'0' * 24}-77-free", 0, "XTR"),
        (f"{'0' * 24}", 500, "XTR"),
        ("WC-1234", 500, "XTR"),
        ("", 500, "XTR"),
    ],
)
def test_nothing_is_made_up(database_file: Path, public_id: str, amount: int, currency: str) -> None:
    assert orders.recall(public_id, "stars", amount, currency, plans=PLANS, secret=SECRET, at=1_000, now=2_000) is None
    assert users.get(77) is None


def test_an_id_tells_whose_order_it_is(database_file: Path) -> None:
    users.seen(5, "Ana", None, "es", 1_000)
    order = orders.create(5, PLANS.for_level(2), "stars", "XTR", now=1_000, seller=BOT, secret=SECRET)
    match = orders.PUBLIC_ID.fullmatch(order.public_id)
    assert match is not None
    assert (match["user"], match["plan"]) == ("5", "vip")
    assert len(order.public_id.encode()) <= 127
    # And which bot has sold it: two of them may share an account at PayPal
    assert orders.is_sold_by(BOT, order.public_id)
    assert not orders.is_sold_by(BOT + 1, order.public_id)
    assert not orders.is_sold_by(BOT, order.public_id.replace("-5-", "-6-"))
    assert not orders.is_sold_by(BOT, "WC-1234")


# ---- Stars


@pytest.fixture
def lost_daemon(daemon_sandbox: Sandbox, shared_daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of its own, with a backup that knows nobody yet. One bot, one daemon: the shared one pauses."""
    with (
        daemon_process.at_rest(shared_daemon),
        daemon_process.daemon(daemon_sandbox, tmp_path / "data") as running,
    ):
        until(lambda: statement_was_read(running), "the first statement")
        manage(environ(running), "backup")
        yield running


def environ(daemon: Daemon) -> dict[str, str]:
    return {**daemon.sandbox.env, "DB_PATH": str(daemon.db_path), **daemon.settings}


def statement_was_read(daemon: Daemon) -> bool:
    with daemon.opened():
        return bool(database.execute("SELECT 1 FROM note WHERE key = 'stars_seen'").fetchone())


async def test_what_was_bought_for_stars_comes_back(daemon_sandbox: Sandbox, lost_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        invoice = await customer.press(await customer.ask("/premium"), "Premium · 500 ⭐")
        await customer.pay(invoice)
        receipt = (await customer.until_text("Receipt:")).text
        assert lost_daemon.stop() == 0
        lose_disk(lost_daemon.db_path)

        manage(environ(lost_daemon), "restore", "latest")
        lost_daemon.start()

        assert (await customer.until_text("Receipt:", 20)).text == receipt
        start = (await customer.ask("/start")).text
        assert "Time left: 29 days 23 hours" in start or "Time left: 30 days" in start
    with lost_daemon.opened():
        (payment,) = payments.history_of(customer.id)
        assert (payment.user_id, payment.amount, payment.grants) == (customer.id, 500, True)
        assert payments.audit() == []
