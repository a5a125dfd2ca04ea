"""Stars of the local Telegram, walked by the unmodified Pyrogram client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pyrogram import Client, StopPropagation, errors, filters, raw, types

from tests import clients
from tests.sandbox_process import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERIOD = 2_592_000
REFUNDED = filters.create(lambda _, __, message: message.refunded_payment is not None)


class Shop:
    """A bot that sells, and a customer who buys. ``refusal``: what the bot says before a payment, None for yes."""

    def __init__(self, sandbox: Sandbox) -> None:
        scenario = sandbox.scenario
        self.sandbox = sandbox
        self.customer_id: int = scenario["customers"][1]["id"]
        self.bot_name: str = scenario["bot"]["username"]
        self.bot_id: int = scenario["bot"]["id"]
        self.bot = clients.client(scenario, bot_token=sandbox.env["TELEGRAM_BOT_TOKEN"])
        self.customer = clients.client(scenario, session_string=scenario["customers"][1]["session_string"])
        self.refusal: str | None = None
        self.silent = False
        self.asked: list[types.PreCheckoutQuery] = []
        self.paid: asyncio.Queue[types.Message] = asyncio.Queue()
        self.refunded: asyncio.Queue[types.Message] = asyncio.Queue()
        self.updates: asyncio.Queue[Any] = asyncio.Queue()
        self.notices: asyncio.Queue[str] = asyncio.Queue()

    async def start(self) -> None:
        self.bot.on_pre_checkout_query()(self._answer)
        self.bot.on_message(filters.successful_payment)(self._took)
        self.bot.on_message(REFUNDED)(self._gave_back)
        self.bot.on_raw_update(group=-1)(self._saw)
        self.customer.on_raw_update()(self._noticed)
        await self.bot.start()
        await self.customer.start()
        await self.customer.send_message(self.bot_name, "/start")

    async def stop(self) -> None:
        await self.bot.stop()
        await self.customer.stop()

    async def _answer(self, _: Client, query: types.PreCheckoutQuery) -> None:
        self.asked.append(query)
        if not self.silent:
            await query.answer(self.refusal is None, error_message=self.refusal)

    async def _took(self, _: Client, message: types.Message) -> None:
        self.paid.put_nowait(message)

    async def _gave_back(self, _: Client, message: types.Message) -> None:
        self.refunded.put_nowait(message)

    async def _saw(self, _: Client, update: Any, *__: Any) -> None:
        if isinstance(update, raw.types.UpdateBotStarsSubscription):
            self.updates.put_nowait(update)
            raise StopPropagation

    async def _noticed(self, _: Client, update: Any, *__: Any) -> None:
        if isinstance(update, raw.types.UpdateServiceNotification):
            self.notices.put_nowait(update.message)

    async def offer(self, payload: str, amount: int = 50) -> raw.types.InputInvoiceMessage:
        """Send an invoice and return it as the customer names it."""
        price = [types.LabeledPrice("Premium", amount)]
        await self.bot.send_invoice(self.customer_id, "Premium", "30 days", payload, "XTR", price)
        newest = await anext(self.customer.get_chat_history(self.bot_name, limit=1))
        peer = await self.customer.resolve_peer(self.bot_name)
        return raw.types.InputInvoiceMessage(peer=peer, msg_id=newest.id)

    async def offer_subscription(self, payload: str, amount: int = 50, period: int = PERIOD) -> str:
        """Make an invoice link for a subscription and return its slug."""
        invoice = raw.types.Invoice(
            currency="XTR",
            prices=[raw.types.LabeledPrice(label="Month", amount=amount)],
            subscription_period=period,
        )
        exported = await self.bot.invoke(
            raw.functions.payments.ExportInvoice(invoice_media=input_invoice(invoice, payload.encode()))
        )
        return exported.url.rpartition("$")[2]

    async def pay(self, invoice: Any) -> Any:
        """Pay as a client does: ask for the form, send it in."""
        form = await self.customer.invoke(raw.functions.payments.GetPaymentForm(invoice=invoice))
        return await self.customer.invoke(raw.functions.payments.SendStarsForm(form_id=form.form_id, invoice=invoice))

    async def took(self) -> types.SuccessfulPayment:
        message = await asyncio.wait_for(self.paid.get(), 5)
        return message.successful_payment

    async def statement(self, client: Client | None = None, **options: Any) -> Any:
        query = {"peer": raw.types.InputPeerSelf(), "offset": "", "limit": 100, **options}
        return await (client or self.bot).invoke(raw.functions.payments.GetStarsTransactions(**query))

    async def balance(self, client: Client) -> int:
        status = await client.invoke(raw.functions.payments.GetStarsStatus(peer=raw.types.InputPeerSelf()))
        return status.balance.amount

    def control(self, action: str, **fields: Any) -> dict[str, Any]:
        return self.sandbox.control("POST", "/payments", {"action": action, **fields})


def input_invoice(invoice: raw.types.Invoice, payload: bytes, **options: Any) -> raw.types.InputMediaInvoice:
    return raw.types.InputMediaInvoice(
        title="Premium",
        description="30 days",
        invoice=invoice,
        payload=payload,
        provider_data=raw.types.DataJSON(data="{}"),
        **options,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_shop(sandbox: Sandbox) -> AsyncIterator[Shop]:
    shop = Shop(sandbox)
    await shop.start()
    yield shop
    await shop.stop()


@pytest.fixture
def shop(running_shop: Shop) -> Shop:
    running_shop.refusal, running_shop.silent = None, False
    running_shop.control("balance", account=running_shop.customer_id, stars=1000)
    return running_shop


async def test_an_invoice_is_asked_about_paid_and_told_to_both(shop: Shop) -> None:
    bot_had = await shop.balance(shop.bot)
    result = await shop.pay(await shop.offer("order-1", 50))
    query = shop.asked[-1]
    assert (query.invoice_payload, query.currency, query.total_amount) == ("order-1", "XTR", 50)
    assert query.from_user.id == shop.customer_id
    payment = await shop.took()
    assert (payment.invoice_payload, payment.currency, payment.total_amount) == ("order-1", "XTR", 50)
    sent = next(update.message for update in result.updates.updates if hasattr(update, "message"))
    assert isinstance(sent.action, raw.types.MessageActionPaymentSent)
    assert sent.action.total_amount == 50
    assert await shop.balance(shop.customer) == 950
    assert await shop.balance(shop.bot) == bot_had + 50


async def test_one_invoice_can_be_paid_twice(shop: Shop) -> None:
    invoice = await shop.offer("order-2")
    await shop.pay(invoice)
    await shop.pay(invoice)
    charges = {(await shop.took()).telegram_payment_charge_id for _ in range(2)}
    assert len(charges) == 2
    assert await shop.balance(shop.customer) == 900


async def test_one_form_is_taken_once(shop: Shop) -> None:
    invoice = await shop.offer("order-3")
    form = await shop.customer.invoke(raw.functions.payments.GetPaymentForm(invoice=invoice))
    submit = raw.functions.payments.SendStarsForm(form_id=form.form_id, invoice=invoice)
    await shop.customer.invoke(submit)
    await shop.took()
    with pytest.raises(errors.FormSubmitDuplicate):
        await shop.customer.invoke(submit)
    with pytest.raises(errors.FormExpired):
        await shop.customer.invoke(raw.functions.payments.SendStarsForm(form_id=1, invoice=invoice))


async def test_a_refusal_by_the_bot_reaches_the_payer_in_its_words(shop: Shop) -> None:
    shop.refusal = "This offer is over."
    with pytest.raises(errors.BotPrecheckoutFailed):
        await shop.pay(await shop.offer("order-4"))
    assert await asyncio.wait_for(shop.notices.get(), 5) == "This offer is over."
    assert await shop.balance(shop.customer) == 1000
    assert shop.paid.empty()


async def test_a_bot_that_does_not_answer_in_time_is_not_paid(shop: Shop) -> None:
    shop.control("precheckout", timeout_s=0.2)
    shop.silent = True
    with pytest.raises(errors.BotPrecheckoutFailed):
        await shop.pay(await shop.offer("order-5"))
    shop.control("precheckout", timeout_s=10)
    assert await shop.balance(shop.customer) == 1000
    with pytest.raises(errors.QueryIdInvalid):
        await shop.asked[-1].answer(True)


async def test_who_has_too_few_stars_cannot_pay(shop: Shop) -> None:
    shop.control("balance", account=shop.customer_id, stars=10)
    with pytest.raises(errors.BalanceTooLow):
        await shop.pay(await shop.offer("order-6"))


async def test_a_refund_gives_the_stars_back_once(shop: Shop) -> None:
    await shop.pay(await shop.offer("order-7"))
    charge_id = (await shop.took()).telegram_payment_charge_id
    assert await shop.bot.refund_star_payment(shop.customer_id, charge_id)
    assert await shop.balance(shop.customer) == 1000
    with pytest.raises(errors.ChargeAlreadyRefunded):
        await shop.bot.refund_star_payment(shop.customer_id, charge_id)
    with pytest.raises(errors.ChargeNotFound):
        await shop.bot.refund_star_payment(shop.customer_id, "stx-of-nobody")
    told = await anext(shop.customer.get_chat_history(shop.bot_name, limit=1))
    assert told.refunded_payment.telegram_payment_charge_id == charge_id


async def test_telegram_itself_can_refund(shop: Shop) -> None:
    await shop.pay(await shop.offer("order-8"))
    charge_id = (await shop.took()).telegram_payment_charge_id
    shop.control("refund", charge_id=charge_id)
    told = await asyncio.wait_for(shop.refunded.get(), 5)
    assert told.refunded_payment.telegram_payment_charge_id == charge_id


async def test_the_statement_is_paged_and_told_apart_by_direction(shop: Shop) -> None:
    for number in range(3):
        await shop.pay(await shop.offer(f"page-{number}", 10 + number))
    charges = [(await shop.took()).telegram_payment_charge_id for _ in range(3)]
    await shop.bot.refund_star_payment(shop.customer_id, charges[0])
    first = await shop.statement(limit=2)
    assert [line.amount.amount for line in first.history] == [-10, 12]
    assert first.history[0].refund and first.history[0].id == charges[0]
    assert first.history[1].id == charges[2]
    assert first.history[1].bot_payload == b"page-2"
    assert first.history[1].peer.peer.user_id == shop.customer_id
    second = await shop.statement(limit=2, offset=first.next_offset)
    assert [line.id for line in second.history] == [charges[1], charges[0]]
    inbound = await shop.statement(inbound=True)
    assert all(line.amount.amount > 0 for line in inbound.history)
    outbound = await shop.statement(outbound=True, limit=1)
    assert outbound.history[0].amount.amount == -10
    oldest = await shop.statement(ascending=True, limit=1)
    assert oldest.history[0].date <= first.history[0].date


async def test_a_stranger_pays_a_forwarded_invoice(shop: Shop) -> None:
    invoice = await shop.offer("forwarded-1")
    stranger = shop.sandbox.control("POST", "/users", {})["users"][0]
    async with clients.client(shop.sandbox.scenario, session_string=stranger["session_string"]) as client:
        await shop.customer.forward_messages(f"extra_{str(stranger['id'])[-6:]}", shop.bot_name, invoice.msg_id)
        forward = await anext(client.get_chat_history(shop.customer_id, limit=1))
        given = raw.types.InputInvoiceMessage(peer=await client.resolve_peer(shop.customer_id), msg_id=forward.id)
        form = await client.invoke(raw.functions.payments.GetPaymentForm(invoice=given))
        await client.invoke(raw.functions.payments.SendStarsForm(form_id=form.form_id, invoice=given))
    assert shop.asked[-1].from_user.id == stranger["id"]
    assert (await shop.took()).invoice_payload == "forwarded-1"


async def test_the_statement_may_not_name_the_payer(shop: Shop) -> None:
    await shop.offer("unnamed-1")
    shop.control("pay", customer=shop.customer_id, payload="unnamed-1", anonymous=True, skip_precheckout=True)
    await shop.took()
    line = (await shop.statement(limit=1)).history[0]
    assert isinstance(line.peer, raw.types.StarsTransactionPeerUnsupported)
    assert line.bot_payload == b"unnamed-1"


async def test_a_page_does_not_move_when_a_payment_comes_between(shop: Shop) -> None:
    for number in range(3):
        await shop.pay(await shop.offer(f"between-{number}"))
    charges = [(await shop.took()).telegram_payment_charge_id for _ in range(3)]
    first = await shop.statement(limit=1)
    await shop.pay(await shop.offer("between-3"))
    await shop.took()
    second = await shop.statement(limit=2, offset=first.next_offset)
    assert [line.id for line in first.history + second.history] == charges[::-1]


async def test_transactions_are_found_by_id(shop: Shop) -> None:
    await shop.pay(await shop.offer("by-id"))
    charge_id = (await shop.took()).telegram_payment_charge_id

    async def by_id(id_: str) -> Any:
        wanted = [raw.types.InputStarsTransaction(id=id_)]
        query = raw.functions.payments.GetStarsTransactionsByID(peer=raw.types.InputPeerSelf(), id=wanted)
        return await shop.bot.invoke(query)

    assert (await by_id(charge_id)).history[0].bot_payload == b"by-id"
    with pytest.raises(errors.TransactionIdInvalid):
        await by_id("nothing")


async def test_the_payer_sees_their_side_without_the_bots_payload(shop: Shop) -> None:
    await shop.pay(await shop.offer("secret-payload"))
    await shop.took()
    line = (await shop.statement(shop.customer, limit=1)).history[0]
    assert (line.amount.amount, line.title, line.bot_payload) == (-50, "Premium", None)
    assert line.peer.peer.user_id == shop.bot_id


async def test_a_payment_missed_while_away_is_on_the_statement(shop: Shop) -> None:
    await shop.offer("missed")
    done = shop.control("pay", customer=shop.customer_id, payload="missed", skip_precheckout=True, silent=True)
    newest = (await shop.statement(limit=1)).history[0]
    assert newest.id == done["charges"][0]["charge_id"]
    assert newest.bot_payload == b"missed"
    assert shop.paid.empty()


async def test_a_race_of_two_payments_gives_two_charges(shop: Shop) -> None:
    await shop.offer("race")
    done = await asyncio.to_thread(shop.control, "pay", customer=shop.customer_id, payload="race", count=2)
    assert len(done["charges"]) == 2 and not done["errors"]
    told = {(await shop.took()).telegram_payment_charge_id for _ in range(2)}
    assert told == {charge["charge_id"] for charge in done["charges"]}


async def test_only_bots_sell_and_only_people_pay(shop: Shop) -> None:
    invoice = raw.types.Invoice(currency="XTR", prices=[raw.types.LabeledPrice(label="x", amount=5)])
    peer = await shop.customer.resolve_peer(shop.bot_name)
    with pytest.raises(errors.UserBotRequired):
        await shop.customer.invoke(
            raw.functions.messages.SendMedia(
                peer=peer, media=input_invoice(invoice, b"p"), message="", random_id=shop.customer.rnd_id()
            )
        )
    with pytest.raises(errors.UserBotRequired):
        await shop.customer.invoke(
            raw.functions.payments.RefundStarsCharge(user_id=raw.types.InputUserSelf(), charge_id="x")
        )
    with pytest.raises(errors.BotMethodInvalid):
        slug = raw.types.InputInvoiceSlug(slug="x")
        await shop.bot.invoke(raw.functions.payments.GetPaymentForm(invoice=slug))


@pytest.mark.parametrize(
    ("changes", "payload", "error"),
    [
        ({"currency": "USD"}, b"p", errors.PaymentProviderInvalid),
        ({"prices": []}, b"p", errors.StarsInvoiceInvalid),
        ({"name_requested": True}, b"p", errors.StarsInvoiceInvalid),
        ({"prices": [raw.types.LabeledPrice(label="x", amount=0)]}, b"p", errors.CurrencyTotalAmountInvalid),
        ({"prices": [raw.types.LabeledPrice(label="x", amount=100_001)]}, b"p", errors.CurrencyTotalAmountInvalid),
        ({}, b"", errors.InvoicePayloadInvalid),
        ({}, b"p" * 129, errors.InvoicePayloadInvalid),
        ({"subscription_period": PERIOD}, b"p", errors.SubscriptionExportMissing),
    ],
)
async def test_invoices_outside_the_rules_are_refused(
    shop: Shop, changes: dict[str, Any], payload: bytes, error: type[Exception]
) -> None:
    fields = {"currency": "XTR", "prices": [raw.types.LabeledPrice(label="x", amount=5)], **changes}
    peer = await shop.bot.resolve_peer(shop.customer_id)
    media = input_invoice(raw.types.Invoice(**fields), payload)
    with pytest.raises(error):
        await shop.bot.invoke(
            raw.functions.messages.SendMedia(peer=peer, media=media, message="", random_id=shop.bot.rnd_id())
        )


# Subscriptions


async def subscribe(shop: Shop, payload: str, amount: int = 50) -> types.SuccessfulPayment:
    slug = await shop.offer_subscription(payload, amount)
    await shop.pay(raw.types.InputInvoiceSlug(slug=slug))
    return await shop.took()


async def subscriptions(shop: Shop) -> list[Any]:
    query = raw.functions.payments.GetStarsSubscriptions(peer=raw.types.InputPeerSelf(), offset="")
    return (await shop.customer.invoke(query)).subscriptions or []


async def test_a_subscription_renews_until_it_is_cancelled(shop: Shop) -> None:
    first = await subscribe(shop, "monthly")
    assert first.is_recurring and first.is_first_recurring
    renewed = shop.control("renew", charge_id=first.telegram_payment_charge_id)
    second = await shop.took()
    assert second.is_recurring and not second.is_first_recurring
    assert second.invoice_payload == "monthly"
    assert second.telegram_payment_charge_id == renewed["charges"][0]["charge_id"] != first.telegram_payment_charge_id
    until = renewed["subscription"]["until"]
    assert until - first.subscription_expiration_date.timestamp() == PERIOD
    shop.control("cancel", charge_id=first.telegram_payment_charge_id)
    assert (await asyncio.wait_for(shop.updates.get(), 5)).canceled
    assert shop.control("renew", charge_id=first.telegram_payment_charge_id)["charges"] == []
    subscription_id = renewed["subscription"]["subscription_id"]
    lines = (await shop.statement(subscription_id=subscription_id)).history
    assert len(lines) == 2 and all(line.subscription_period == PERIOD for line in lines)


async def test_the_customer_cancels_and_takes_up_again(shop: Shop) -> None:
    await subscribe(shop, "on-and-off")
    subscription = (await subscriptions(shop))[-1]
    for canceled in (True, False):
        await shop.customer.invoke(
            raw.functions.payments.ChangeStarsSubscription(
                peer=raw.types.InputPeerSelf(), subscription_id=subscription.id, canceled=canceled
            )
        )
        update = await asyncio.wait_for(shop.updates.get(), 5)
        assert bool(update.canceled) is canceled and bool(update.restored) is not canceled
    shop.control("cancel", subscription_id=subscription.id)
    await asyncio.wait_for(shop.updates.get(), 5)


async def test_the_bot_cancels_and_allows_again(shop: Shop) -> None:
    first = await subscribe(shop, "by-the-bot")
    user = await shop.bot.resolve_peer(shop.customer_id)
    user = raw.types.InputUser(user_id=user.user_id, access_hash=user.access_hash)

    def change(restore: bool) -> raw.functions.payments.BotCancelStarsSubscription:
        return raw.functions.payments.BotCancelStarsSubscription(
            user_id=user, charge_id=first.telegram_payment_charge_id, restore=restore or None
        )

    assert await shop.bot.invoke(change(False))
    assert shop.control("renew", charge_id=first.telegram_payment_charge_id)["charges"] == []
    (subscription,) = [each for each in await subscriptions(shop) if each.bot_canceled]
    take_up = raw.functions.payments.ChangeStarsSubscription(
        peer=raw.types.InputPeerSelf(), subscription_id=subscription.id, canceled=False
    )
    with pytest.raises(errors.RPCError, match="SUBSCRIPTION_ID_INVALID"):
        await shop.customer.invoke(take_up)
    assert await shop.bot.invoke(change(True))
    assert shop.control("renew", charge_id=first.telegram_payment_charge_id)["charges"] == [], "it is only permitted"
    assert await shop.customer.invoke(take_up)
    assert (await asyncio.wait_for(shop.updates.get(), 5)).restored
    assert len(shop.control("renew", charge_id=first.telegram_payment_charge_id)["charges"]) == 1
    await shop.took()


async def test_a_renewal_fails_when_the_stars_run_short(shop: Shop) -> None:
    first = await subscribe(shop, "short", 400)
    shop.control("balance", account=shop.customer_id, stars=399)
    assert shop.control("renew", charge_id=first.telegram_payment_charge_id)["charges"] == []
    assert (await asyncio.wait_for(shop.updates.get(), 5)).payment_failed
    query = raw.functions.payments.GetStarsSubscriptions(
        peer=raw.types.InputPeerSelf(), offset="", missing_balance=True
    )
    (missing,) = (await shop.customer.invoke(query)).subscriptions
    assert missing.missing_balance and missing.pricing.amount == 400


async def test_only_thirty_days_and_ten_thousand_stars(shop: Shop) -> None:
    with pytest.raises(errors.SubscriptionPeriodInvalid):
        await shop.offer_subscription("weekly", period=604_800)
    with pytest.raises(errors.CurrencyTotalAmountInvalid):
        await shop.offer_subscription("dear", amount=10_001)
