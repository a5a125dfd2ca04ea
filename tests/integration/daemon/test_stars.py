"""Buying with Telegram Stars, from the button to the receipt, and what happens when things go wrong in between."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrogram.errors import RPCError
from pyrogram.types import Message

from tests import daemon_process
from tests.daemon_process import Chat, Daemon, button, chat, labels
from tests.integration.daemon.test_codes import link_of, make_code
from tests.sandbox_process import REPOSITORY, Sandbox

PREMIUM = "Premium · 500 ⭐"
VIP = "VIP · 1000 ⭐"


async def buy(customer: Chat, label: str = PREMIUM) -> Message:
    """Ask for the plans and press a price; returns the invoice."""
    invoice = await customer.press(await customer.ask("/premium"), label)
    assert invoice.invoice is not None
    return invoice


def charges(sandbox: Sandbox, customer: Chat) -> list[dict]:
    """What Telegram has charged this customer."""
    known = sandbox.control("GET", "/payments")["charges"]
    return [charge for charge in known if charge["customer"] == customer.id]


def is_receipt(message: Message) -> bool:
    """The announcement of a payment."""
    return "Receipt:" in (message.text or "")


async def test_a_payment_gives_access_and_a_receipt(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        invoice = await buy(customer)
        assert (invoice.invoice.currency, invoice.invoice.total_amount) == ("XTR", 500)
        seen = len(shared_daemon.log())
        await customer.pay(invoice)
        receipt = await customer.until(is_receipt)
        assert "Premium" in receipt.text and "500 ⭐" in receipt.text
        assert charges(daemon_sandbox, customer)[0]["charge_id"] in receipt.text
        start = (await customer.ask("/start")).text
        assert "Time left: 29 days 23 hours" in start or "Time left: 30 days" in start
        history = await customer.ask("/history")
        assert "Premium, 500 ⭐, paid" in history.text
        answered = shared_daemon.until_logged("precheckout.answered", seen)
        assert answered["ok"] and answered["ms"] < 1000


async def test_a_receipt_stays_whatever_button_is_pressed_under_it(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.pay(await buy(customer))
        receipt = await customer.until(is_receipt)
        home = await customer.press(receipt, "Home")
        assert "Your plan: Premium" in home.text and home.id != receipt.id
        assert [message.id for message in await customer.history() if is_receipt(message)] == [receipt.id]


async def test_a_paid_invoice_cannot_be_paid_again(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        invoice = await buy(customer)
        await customer.pay(invoice)
        await customer.until(is_receipt)
        with pytest.raises(RPCError, match="BOT_PRECHECKOUT_FAILED"):
            await customer.pay(invoice)
        assert len(charges(daemon_sandbox, customer)) == 1


async def test_paid_twice_by_a_race_both_count(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await buy(customer)
        for _ in range(2):
            paid = {"action": "pay", "customer": customer.id, "skip_precheckout": True}
            daemon_sandbox.control("POST", "/payments", paid)
        await customer.until_text("Thank you")
        assert "second one for this invoice" in (await customer.until(is_receipt)).text
        start = (await customer.ask("/start")).text
        assert "Time left: 59 days 23 hours" in start or "Time left: 60 days" in start


async def test_a_long_line_of_messages_does_not_hold_up_a_payment(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox) as talker:
        await talker.ask("/start")
        invoice = await buy(customer)
        rule = daemon_sandbox.control(
            "POST",
            "/faults",
            {"fault": "delay", "method": "messages.sendMessage", "seconds": 3, "account": customer.bot},
        )
        try:
            for _ in range(40):
                await talker.say("/terms")
            began = asyncio.get_running_loop().time()
            await customer.pay(invoice)
            assert asyncio.get_running_loop().time() - began < 1
        finally:
            daemon_sandbox.control("DELETE", f"/faults/{rule['id']}")
        await customer.until(is_receipt)


async def test_a_lookup_finds_ones_own_payment_and_nobody_elses(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox) as other:
        await customer.pay(await buy(customer))
        await customer.until(is_receipt)
        number = charges(daemon_sandbox, customer)[0]["charge_id"]
        assert "I found your payment: 500 ⭐" in (await customer.ask(f"/paysupport {number}")).text
        assert "no payment of yours" in (await other.ask(f"/paysupport {number}")).text
        assert "no payment of yours" in (await other.ask("/paysupport stxNobodyPaidThis")).text
        assert "not a payment number" in (await other.ask("/paysupport what is this")).text


@pytest.mark.parametrize(
    "fault", [{"fault": "flood_wait", "seconds": 600}, {"fault": "error", "code": 500, "error": "RPC_CALL_FAIL"}]
)
async def test_a_failed_lookup_is_not_told_as_nothing_found(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, fault: dict[str, object]
) -> None:
    rule = {**fault, "method": "payments.getStarsTransactionsByID", "count": 4}
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        daemon_sandbox.control("POST", "/faults", rule)
        try:
            assert "Telegram cannot tell me" in (await customer.ask("/paysupport stxPaidAMomentAgo")).text
        finally:
            daemon_sandbox.control("DELETE", "/faults")
        assert "no payment of yours" in (await customer.ask("/paysupport stxPaidAMomentAgo")).text


async def test_an_admin_tries_a_payment_and_gets_it_back(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        invoice = await admin.ask("/testpay")
        assert invoice.invoice.title == "Test payment", "it is sold as what it is"
        await admin.pay(invoice)
        await admin.until_text("test payment of 1 ⭐ was refunded")
        await admin.until_text("is done")
        assert "Test payment, 1 ⭐, refunded" in (await admin.ask("/history")).text
        number = charges(daemon_sandbox, admin)[0]["charge_id"]
        assert "That was a test payment" in (await admin.ask(f"/paysupport {number}")).text
        assert charges(daemon_sandbox, admin)[0]["refunded"]
        assert "Your plan: Free" in (await admin.ask("/start")).text


async def test_a_refund_takes_the_time_back(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox, admin=True) as admin:
        await customer.pay(await buy(customer))
        await customer.until(is_receipt)
        number = charges(daemon_sandbox, customer)[0]["charge_id"]
        await admin.ask("/language en")
        assert "can only be refunded whole" in (await admin.ask(f"/refund {number} 5")).text
        assert "under way" in (await admin.ask(f"/refund {number}")).text
        assert "You got 500 ⭐ of your payment for Premium back" in (await customer.until_text("You got")).text
        await admin.until_text("is done")
        assert "already refunded" in (await admin.ask(f"/refund {number}")).text
        assert "Your plan: Free" in (await customer.ask("/start")).text


@pytest.fixture
def restarted(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> Iterator[Daemon]:
    """The shared daemon, stopped by the test and started again."""
    yield shared_daemon
    if not shared_daemon.is_alive:
        shared_daemon.start()


async def test_what_was_paid_while_it_was_down_is_settled_at_start(daemon_sandbox: Sandbox, restarted: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        await customer.press(await customer.ask("/premium"), PREMIUM)
        restarted.kill()
        paid = {"action": "pay", "customer": customer.id, "skip_precheckout": True, "silent": True}
        daemon_sandbox.control("POST", "/payments", paid)
        restarted.start()
        await customer.until_text("Recibo:")
        await customer.silence(1)
        assert "Tu plan: Premium" in (await customer.ask("/start")).text


async def test_what_telegram_refunds_while_it_is_down_is_taken_back(daemon_sandbox: Sandbox, restarted: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        await customer.pay(await customer.press(await customer.ask("/premium"), PREMIUM))
        await customer.until_text("Recibo:")
        number = charges(daemon_sandbox, customer)[0]["charge_id"]
        assert restarted.stop() == 0
        daemon_sandbox.control("POST", "/payments", {"action": "refund", "charge_id": number, "silent": True})
        restarted.start()
        await customer.until_text("Se te han devuelto 500 ⭐")
        assert "Tu plan: Gratis" in (await customer.ask("/start")).text


DOLLARS_ALONE = """
[plans.dollars]
level = 3
days = 30
prices = { USD = "15.00" }
max_mib = 100
title = { en = "Dollars alone" }
description = { en = "Nothing but money." }
limits = { photo = "unlimited", video = "unlimited", music = "unlimited", apk = "no", document = "no", text = "no" }
"""


@pytest.fixture
def renewing(daemon_sandbox: Sandbox, shared_daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose premium plan renews itself, and one of whose plans has no price in Stars, for the shared one."""
    plans = (REPOSITORY / "plans.toml").read_text().replace("[plans.premium]\n", "[plans.premium]\nrenews = true\n")
    file = tmp_path / "plans.toml"
    file.write_text(plans + DOLLARS_ALONE)
    with (
        daemon_process.at_rest(shared_daemon),
        daemon_process.daemon(daemon_sandbox, tmp_path / "data", PLANS_FILE=str(file)) as running,
    ):
        yield running


async def test_a_subscription_renews_is_cancelled_and_taken_up_again(daemon_sandbox: Sandbox, renewing: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer, chat(daemon_sandbox, "es") as other:
        await other.ask("/start")
        await customer.ask("/language en")
        offered = await customer.ask("/premium")
        assert "VIP" in offered.text
        assert "Dollars alone" not in offered.text, "without PayPal nobody can pay for it"
        offer = await customer.press(offered, PREMIUM)
        address = button(offer, "Subscribe for 500 ⭐").url
        with pytest.raises(RPCError, match="BOT_PRECHECKOUT_FAILED"):
            await other.pay_link(address)
        await customer.pay_link(address)
        assert "Premium is yours" in (await customer.until(is_receipt)).text
        with pytest.raises(RPCError, match="BOT_PRECHECKOUT_FAILED"):
            await customer.pay_link(address)

        subscription = charges(daemon_sandbox, customer)[-1]["subscription_id"]
        daemon_sandbox.control("POST", "/payments", {"action": "renew", "subscription_id": subscription})
        receipt = (await customer.until(is_receipt)).text
        assert "has been renewed" in receipt

        plans = await customer.ask("/premium")
        renewal = next(line for line in plans.text.splitlines() if "Your plan renews on" in line)
        assert renewal in receipt.splitlines(), "both name the day of the next charge"
        confirm = await customer.press(plans, "Cancel the renewal")
        await customer.tap(confirm, "Yes, cancel")
        await customer.until_text("The renewal of Premium is cancelled")
        assert _subscription(daemon_sandbox, subscription)["bot_canceled"]

        for _ in range(2):  # whoever has lost the answer asks again
            await customer.say("/premium")
            await customer.tap(await customer.until_text("The renewal is cancelled"), "Renew again")
            await customer.until_text("only you can switch it on")
            assert not _subscription(daemon_sandbox, subscription)["bot_canceled"]
        await customer.say("/premium")
        await customer.until_text("The renewal is cancelled")
        take_up = {"action": "cancel", "subscription_id": subscription, "canceled": False}
        daemon_sandbox.control("POST", "/payments", take_up)
        await customer.until_text("renews again")

        daemon_sandbox.control("POST", "/payments", {"action": "cancel", "subscription_id": subscription})
        await customer.until_text("The renewal of Premium is cancelled")


async def _vip_code(sandbox: Sandbox, *choices: str) -> str:
    """The text of a code that an admin makes."""
    async with chat(sandbox, admin=True) as admin:
        await admin.ask("/language en")
        return link_of(await make_code(admin, *choices)).removeprefix("c_")


async def test_what_a_better_plan_costs_is_said_before_it_is_bought(daemon_sandbox: Sandbox, renewing: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/language en")
        offer = await customer.press(await customer.ask("/premium"), PREMIUM)
        await customer.pay_link(button(offer, "Subscribe for 500 ⭐").url)
        await customer.until(is_receipt)

        warning = await customer.press(await customer.ask("/premium"), VIP)
        assert "what is left of Premium waits until VIP ends" in warning.text
        assert (await customer.press(warning, "Buy VIP all the same")).invoice is not None
        codes = [await _vip_code(daemon_sandbox, *choices) for choices in (("VIP", "7 days"), ("Discount", "50 %"))]
        for code, anyway in zip(codes, ("Take it", "VIP · 500 ⭐"), strict=True):
            shown = await customer.ask(f"/code {code}")
            warning = shown if anyway == "Take it" else await customer.press(shown, anyway)
            assert "what is left of Premium waits until VIP ends" in warning.text, "a code warns as the shop does"
            assert "Cancel the renewal first" in labels(warning)
        assert (await customer.press(warning, "Buy VIP all the same")).invoice.total_amount == 500

        warning = await customer.press(await customer.ask("/premium"), VIP)
        await customer.tap(await customer.press(warning, "Cancel the renewal first"), "Yes, cancel")
        await customer.until_text("The renewal of Premium is cancelled")

        invoice = await customer.press(await customer.ask("/premium"), VIP)
        await customer.pay(invoice)
        await customer.until(is_receipt)
        plans = (await customer.ask("/premium")).text
        assert "Your plan: VIP until" in plans
        ends = {line.rpartition("until ")[2].rstrip(".") for line in plans.splitlines() if "Then: Premium" in line}
        ends |= {line.rpartition("ends on ")[2].rstrip(".") for line in plans.splitlines() if "ends on" in line}
        assert len(ends) == 1, "both lines name one end"


def _subscription(sandbox: Sandbox, subscription_id: str) -> dict:
    known = sandbox.control("GET", "/payments")["subscriptions"]
    return next(each for each in known if each["subscription_id"] == subscription_id)
