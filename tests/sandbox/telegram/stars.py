"""Payments in Stars: invoices, forms, the bot's word before each payment, refunds, statements and subscriptions."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import posting, qts
from .errors import RpcError
from .input_media import input_media
from .ledger import SUBSCRIPTION_LIMIT, SUBSCRIPTION_PERIOD, Charge, Invoice, Ledger, Subscription, Transaction
from .posting import Draft, Posted
from .registry import Call, method
from .session import Session
from .timeline import Message
from .view import View
from .world import User

if TYPE_CHECKING:
    from .server import Server

CURRENCY = "XTR"
OPENING_BALANCE = 25_000
MAX_AMOUNT = 100_000
MAX_PAYLOAD = 128
MAX_TITLE = 32
MAX_DESCRIPTION = 255
# Within this the bot has to answer a pre-checkout query.
PRECHECKOUT_TIMEOUT_S = 10.0
_PAGE = 100


def ledger_of(server: "Server") -> Ledger:
    return server.world.part(Ledger)


def open_account(server: "Server", user: User) -> None:
    """Customers begin with Stars to spend, bots with none."""
    ledger_of(server).open_account(user.id, 0 if user.bot else OPENING_BALANCE)


# Invoices


@dataclass(frozen=True)
class InvoiceMedia:
    """An invoice in a message."""

    invoice: Invoice

    def view(self, view: View, message: Message | None = None) -> TLObject:
        return raw.types.MessageMediaInvoice(
            title=self.invoice.title,
            description=self.invoice.description,
            currency=CURRENCY,
            total_amount=self.invoice.amount,
            start_param="",
        )

    def markup(self, given: TLObject | None) -> TLObject:
        """The keyboard: a button to pay comes first, Telegram adds it to an invoice sent without any keyboard.

        Raises RpcError REPLY_MARKUP_BUY_EMPTY.
        """
        if given is None:
            buy = raw.types.InlineButtonTypeBuy()
            button = raw.types.KeyboardInlineButton(text=f"Pay ⭐{self.invoice.amount}", type=buy)
            return raw.types.ReplyInlineMarkup(rows=[raw.types.KeyboardInlineButtonRow(buttons=[button])])
        rows = given.rows if isinstance(given, raw.types.ReplyInlineMarkup) else []
        if not rows or not isinstance(rows[0].buttons[0].type, raw.types.InlineButtonTypeBuy):
            raise RpcError(400, "REPLY_MARKUP_BUY_EMPTY")
        return given


def read_invoice(call: Call, given: raw.types.InputMediaInvoice, slug: str | None = None) -> Invoice:
    """Check what a bot asks for and issue the invoice.

    Raises RpcError USER_BOT_REQUIRED, PAYMENT_PROVIDER_INVALID, STARS_INVOICE_INVALID, CURRENCY_TOTAL_AMOUNT_INVALID,
    INVOICE_PAYLOAD_INVALID, SUBSCRIPTION_PERIOD_INVALID.
    """
    if not call.is_bot:
        raise RpcError(400, "USER_BOT_REQUIRED")
    asked = given.invoice
    # Other currencies need a payment provider, and no bot here has one.
    if asked.currency != CURRENCY or given.provider:
        raise RpcError(400, "PAYMENT_PROVIDER_INVALID")
    if len(asked.prices) != 1 or _asks_for_more_than_stars(asked):
        raise RpcError(400, "STARS_INVOICE_INVALID")
    if not 0 < len(given.title) <= MAX_TITLE or not 0 < len(given.description) <= MAX_DESCRIPTION:
        raise RpcError(400, "STARS_INVOICE_INVALID")
    if not 0 < len(given.payload) <= MAX_PAYLOAD:
        raise RpcError(400, "INVOICE_PAYLOAD_INVALID")
    price = asked.prices[0]
    limit = MAX_AMOUNT if asked.subscription_period is None else SUBSCRIPTION_LIMIT
    if not 0 < price.amount <= limit:
        raise RpcError(400, "CURRENCY_TOTAL_AMOUNT_INVALID")
    if asked.subscription_period not in (None, SUBSCRIPTION_PERIOD):
        raise RpcError(400, "SUBSCRIPTION_PERIOD_INVALID")
    open_account(call.server, call.user)
    return ledger_of(call.server).issue(
        Invoice(
            id=secrets.randbits(62),
            bot_id=call.user.id,
            title=given.title,
            description=given.description,
            label=price.label,
            amount=price.amount,
            payload=given.payload,
            subscription_period=asked.subscription_period,
            slug=slug,
        )
    )


def _asks_for_more_than_stars(asked: raw.types.Invoice) -> bool:
    return bool(
        asked.flexible
        or asked.name_requested
        or asked.phone_requested
        or asked.email_requested
        or asked.shipping_address_requested
        or asked.max_tip_amount
    )


@input_media(raw.types.InputMediaInvoice)
def _invoice_media(call: Call, given: raw.types.InputMediaInvoice) -> InvoiceMedia:
    if given.invoice.subscription_period is not None:
        raise RpcError(400, "SUBSCRIPTION_EXPORT_MISSING")
    return InvoiceMedia(read_invoice(call, given))


@method("payments.exportInvoice", users=False)
def export_invoice(call: Call, query: raw.functions.payments.ExportInvoice) -> TLObject:
    if not isinstance(query.invoice_media, raw.types.InputMediaInvoice):
        raise RpcError(400, "MEDIA_INVALID")
    slug = secrets.token_urlsafe(12)
    read_invoice(call, query.invoice_media, slug)
    call.server.changed()
    return raw.types.payments.ExportedInvoice(url=f"https://t.me/${slug}")


def _named_invoice(call: Call, given: TLObject) -> tuple[Invoice, Message | None]:
    """The invoice that an InputInvoice names and the message it stands in, as the caller sees it.

    Raises RpcError MESSAGE_ID_INVALID, SLUG_INVALID, INVOICE_INVALID.
    """
    if isinstance(given, raw.types.InputInvoiceSlug):
        invoice = ledger_of(call.server).by_slug(given.slug)
        if invoice is None:
            raise RpcError(400, "SLUG_INVALID")
        return invoice, None
    if not isinstance(given, raw.types.InputInvoiceMessage):
        raise RpcError(400, "INVOICE_INVALID")
    peer = call.peer(given.peer)
    message = call.world.timeline_of(call.user.id, peer).messages.get(given.msg_id)
    if message is None or message.peer != peer or not isinstance(message.media, InvoiceMedia):
        raise RpcError(400, "MESSAGE_ID_INVALID")
    return message.media.invoice, message


# Paying


@method("payments.getPaymentForm", bots=False)
def get_payment_form(call: Call, query: raw.functions.payments.GetPaymentForm) -> TLObject:
    invoice, _ = _named_invoice(call, query.invoice)
    form = ledger_of(call.server).show(invoice, call.user.id, call.world.now())
    view = call.view()
    view.mention(invoice.bot_id)
    return raw.types.payments.PaymentFormStars(
        form_id=form.id,
        bot_id=invoice.bot_id,
        title=invoice.title,
        description=invoice.description,
        invoice=raw.types.Invoice(
            currency=CURRENCY,
            prices=[raw.types.LabeledPrice(label=invoice.label, amount=invoice.amount)],
            subscription_period=invoice.subscription_period,
        ),
        users=view.users(),
    )


@method("payments.sendStarsForm", bots=False)
async def send_stars_form(call: Call, query: raw.functions.payments.SendStarsForm) -> TLObject:
    invoice, message = _named_invoice(call, query.invoice)
    payer = call.user
    open_account(call.server, payer)
    form = ledger_of(call.server).submit(query.form_id, payer.id, invoice, call.world.now())
    try:
        await ask_bot(call.server, invoice, payer.id)
        charge = take_payment(call.server, invoice, payer.id)
    except RpcError:
        form.submitted = False
        raise
    posted = announce_charge(call.server, charge, message.id if message else None, call.session)
    view = call.view()
    update = posted.update(view)
    return raw.types.payments.PaymentResult(updates=view.updates([update] if update else []))


@dataclass
class Checkouts:
    """Pre-checkout queries that wait for their bot. Lives as long as the process: so does the wait."""

    waiting: dict[int, tuple[int, asyncio.Future[str | None]]] = field(default_factory=dict)
    timeout_s: float = PRECHECKOUT_TIMEOUT_S

    def __getstate__(self) -> dict[str, object]:
        return {"waiting": {}, "timeout_s": PRECHECKOUT_TIMEOUT_S}


async def ask_bot(server: "Server", invoice: Invoice, payer_id: int) -> None:
    """Ask the bot whether the payment may go on.

    Raises RpcError BOT_PRECHECKOUT_FAILED when it says no, or nothing in time; the payer then gets the bot's own words
    as a service notification, which is how Telegram shows them.
    """
    checkouts = server.world.part(Checkouts)
    query_id = secrets.randbits(62)
    answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    checkouts.waiting[query_id] = (invoice.bot_id, answer)

    def query(view: View) -> list[TLObject]:
        view.mention(payer_id)
        return [
            raw.types.UpdateBotPrecheckoutQuery(
                query_id=query_id,
                user_id=payer_id,
                payload=invoice.payload,
                currency=CURRENCY,
                total_amount=invoice.amount,
            )
        ]

    server.push(invoice.bot_id, query)
    try:
        refusal = await asyncio.wait_for(answer, checkouts.timeout_s)
    except TimeoutError:
        refusal = "The bot did not answer in time."
    finally:
        del checkouts.waiting[query_id]
    if refusal is not None:
        _notify_refusal(server, payer_id, refusal)
        raise RpcError(406, "BOT_PRECHECKOUT_FAILED")


def _notify_refusal(server: "Server", payer_id: int, text: str) -> None:
    def notification(_: View) -> list[TLObject]:
        return [
            raw.types.UpdateServiceNotification(
                type="BOT_PRECHECKOUT_FAILED",
                message=text,
                media=raw.types.MessageMediaEmpty(),
                entities=[],
                popup=True,
                inbox_date=server.world.now(),
            )
        ]

    server.push(payer_id, notification)


@method("messages.setBotPrecheckoutResults", users=False)
def set_bot_precheckout_results(call: Call, query: raw.functions.messages.SetBotPrecheckoutResults) -> bool:
    if not query.success and not query.error:
        raise RpcError(400, "ERROR_TEXT_EMPTY")
    bot_id, answer = call.world.part(Checkouts).waiting.get(query.query_id, (None, None))
    if bot_id != call.user.id or answer is None or answer.done():
        raise RpcError(400, "QUERY_ID_INVALID")
    answer.set_result(None if query.success else query.error)
    return True


def take_payment(server: "Server", invoice: Invoice, payer_id: int) -> Charge:
    """Move the Stars. Raises RpcError BALANCE_TOO_LOW."""
    charge = ledger_of(server).charge(invoice, payer_id, server.world.now())
    server.changed()
    return charge


def announce_charge(
    server: "Server", charge: Charge, invoice_message_id: int | None = None, session: Session | None = None
) -> Posted:
    """Post the service message of a charge, in the copy of each side what that side may know."""
    action = PaymentAction(charge, _subscription_of(server, charge))
    draft = Draft(action=action, reply_to=invoice_message_id)
    posted = posting.send(server, charge.payer_id, charge.invoice.bot_id, draft, session=session)
    _push_balance(server, charge.payer_id)
    return posted


def _subscription_of(server: "Server", charge: Charge) -> Subscription | None:
    return ledger_of(server).subscriptions.get(charge.subscription_id) if charge.subscription_id else None


def _push_balance(server: "Server", account_id: int) -> None:
    balance = _stars(ledger_of(server).balance(account_id))
    server.push(account_id, lambda _: [raw.types.UpdateStarsBalance(balance=balance)])


@dataclass(frozen=True)
class PaymentAction:
    """The service message of a payment: the bot's copy carries the payload and the charge id."""

    charge: Charge
    subscription: Subscription | None

    def view(self, view: View, message: Message | None = None) -> TLObject:
        invoice = self.charge.invoice
        common = {"currency": CURRENCY, "total_amount": invoice.amount, **self._recurrence()}
        if view.viewer != invoice.bot_id:
            return raw.types.MessageActionPaymentSent(invoice_slug=invoice.slug, **common)
        return raw.types.MessageActionPaymentSentMe(payload=invoice.payload, charge=_tl_charge(self.charge), **common)

    def _recurrence(self) -> dict[str, object]:
        if self.subscription is None:
            return {}
        first = self.subscription.charge_ids[0] == self.charge.id
        return {
            "recurring_init": first or None,
            "recurring_used": True,
            "subscription_until_date": self.charge.paid_until,
        }


@dataclass(frozen=True)
class RefundAction:
    """The service message of a refund."""

    charge: Charge

    def view(self, view: View, message: Message | None = None) -> TLObject:
        invoice = self.charge.invoice
        return raw.types.MessageActionPaymentRefunded(
            peer=view.mention(invoice.bot_id),
            currency=CURRENCY,
            total_amount=invoice.amount,
            charge=_tl_charge(self.charge),
            payload=invoice.payload if view.viewer == invoice.bot_id else None,
        )


def _tl_charge(charge: Charge) -> raw.types.PaymentCharge:
    return raw.types.PaymentCharge(id=charge.id, provider_charge_id=charge.provider_id)


# Refunds


@method("payments.refundStarsCharge", users=False)
def refund_stars_charge(call: Call, query: raw.functions.payments.RefundStarsCharge) -> TLObject:
    payer_id = call.user_id(query.user_id)
    charge = ledger_of(call.server).charges.get(query.charge_id)
    if charge is None or charge.payer_id != payer_id or charge.invoice.bot_id != call.user.id:
        raise RpcError(400, "CHARGE_NOT_FOUND")
    posted = refund(call.server, charge, session=call.session)
    view = call.view()
    update = posted.update(view) if posted else None
    return view.updates([update] if update else [])


def refund(server: "Server", charge: Charge, silent: bool = False, session: Session | None = None) -> Posted | None:
    """Give the Stars of a charge back and, unless ``silent``, tell both sides; ``session`` hears of it in its answer.

    Raises RpcError CHARGE_ALREADY_REFUNDED.
    """
    ledger_of(server).refund(charge, server.world.now())
    server.changed()
    if silent:
        return None
    draft = Draft(action=RefundAction(charge))
    posted = posting.send(server, charge.invoice.bot_id, charge.payer_id, draft, session=session)
    _push_balance(server, charge.payer_id)
    return posted


# Statements


def _stars(amount: int) -> raw.types.StarsAmount:
    return raw.types.StarsAmount(amount=amount, nanos=0)


def _own_account(call: Call, given: TLObject) -> int:
    """The account whose Stars are asked about: only one's own. Raises RpcError PEER_ID_INVALID."""
    if call.peer(given) != call.user.id:
        raise RpcError(400, "PEER_ID_INVALID")
    open_account(call.server, call.user)
    return call.user.id


def _tl_transaction(view: View, line: Transaction) -> raw.types.StarsTransaction:
    is_bot = line.invoice.bot_id == view.viewer
    if line.id in view.world.part(Ledger).anonymous:
        partner: TLObject = raw.types.StarsTransactionPeerUnsupported()
    else:
        partner = raw.types.StarsTransactionPeer(peer=view.mention(line.partner_id))
    return raw.types.StarsTransaction(
        id=line.id,
        amount=_stars(line.amount),
        date=line.date,
        peer=partner,
        refund=line.refund or None,
        title=line.invoice.title,
        description=line.invoice.description,
        bot_payload=line.invoice.payload if is_bot else None,
        subscription_period=line.invoice.subscription_period,
    )


def _status(call: Call, lines: list[Transaction], next_offset: str) -> raw.types.payments.StarsStatus:
    view = call.view()
    history = [_tl_transaction(view, line) for line in lines]
    return raw.types.payments.StarsStatus(
        balance=_stars(ledger_of(call.server).balance(call.user.id)),
        history=history or None,
        next_offset=next_offset or None,
        users=view.users(),
        chats=view.chats(),
    )


@method("payments.getStarsStatus")
def get_stars_status(call: Call, query: raw.functions.payments.GetStarsStatus) -> TLObject:
    statement = ledger_of(call.server).statement(_own_account(call, query.peer), "", _PAGE)
    return _status(call, statement.transactions, statement.next_offset)


@method("payments.getStarsTransactions")
def get_stars_transactions(call: Call, query: raw.functions.payments.GetStarsTransactions) -> TLObject:
    account_id = _own_account(call, query.peer)
    if query.limit <= 0:
        raise RpcError(400, "LIMIT_INVALID")
    if query.offset and not query.offset.isdecimal():
        raise RpcError(400, "OFFSET_INVALID")
    statement = ledger_of(call.server).statement(
        account_id,
        query.offset,
        min(query.limit, _PAGE),
        inbound=bool(query.inbound),
        outbound=bool(query.outbound),
        ascending=bool(query.ascending),
        subscription_id=query.subscription_id,
    )
    return _status(call, statement.transactions, statement.next_offset)


@method("payments.getStarsTransactionsByID")
def get_stars_transactions_by_id(call: Call, query: raw.functions.payments.GetStarsTransactionsByID) -> TLObject:
    account_id = _own_account(call, query.peer)
    lines = []
    for given in query.id:
        line = ledger_of(call.server).find(account_id, given.id, bool(given.refund))
        if line is None:
            raise RpcError(400, "TRANSACTION_ID_INVALID")
        lines.append(line)
    return _status(call, lines, "")


# Subscriptions


def _tl_subscription(view: View, subscription: Subscription) -> raw.types.StarsSubscription:
    invoice = subscription.invoice
    return raw.types.StarsSubscription(
        id=subscription.id,
        peer=view.mention(invoice.bot_id),
        until_date=subscription.until,
        pricing=raw.types.StarsSubscriptionPricing(period=SUBSCRIPTION_PERIOD, amount=invoice.amount),
        canceled=subscription.canceled or None,
        bot_canceled=subscription.bot_canceled or None,
        missing_balance=subscription.missing_balance or None,
        title=invoice.title,
        invoice_slug=invoice.slug,
    )


@method("payments.getStarsSubscriptions", bots=False)
def get_stars_subscriptions(call: Call, query: raw.functions.payments.GetStarsSubscriptions) -> TLObject:
    account_id = _own_account(call, query.peer)
    ledger = ledger_of(call.server)
    view = call.view()
    own = [
        subscription
        for subscription in ledger.subscriptions.values()
        if subscription.payer_id == account_id and (subscription.missing_balance or not query.missing_balance)
    ]
    return raw.types.payments.StarsStatus(
        balance=_stars(ledger.balance(account_id)),
        subscriptions=[_tl_subscription(view, subscription) for subscription in own] or None,
        users=view.users(),
        chats=view.chats(),
    )


@method("payments.changeStarsSubscription", bots=False)
def change_stars_subscription(call: Call, query: raw.functions.payments.ChangeStarsSubscription) -> bool:
    account_id = _own_account(call, query.peer)
    subscription = ledger_of(call.server).subscriptions.get(query.subscription_id)
    if subscription is None or subscription.payer_id != account_id:
        raise RpcError(400, "SUBSCRIPTION_ID_INVALID")
    if query.canceled is None:
        raise RpcError(400, "SUBSCRIPTION_NOT_MODIFIED")
    set_canceled(call.server, subscription, query.canceled)
    return True


def set_canceled(server: "Server", subscription: Subscription, canceled: bool) -> None:
    """The customer cancels, or takes up again what the bot has not cancelled, and the bot is told.

    Raises RpcError SUBSCRIPTION_NOT_MODIFIED or SUBSCRIPTION_ID_INVALID.
    """
    if canceled == subscription.canceled:
        raise RpcError(400, "SUBSCRIPTION_NOT_MODIFIED")
    if not canceled and subscription.bot_canceled:
        raise RpcError(400, "SUBSCRIPTION_ID_INVALID")
    subscription.canceled = canceled
    server.changed()
    _tell_of_subscription(server, subscription, canceled=canceled, restored=not canceled)


def renew(server: "Server", subscription: Subscription, silent: bool = False) -> Charge | None:
    """Charge the next period and, unless ``silent``, tell both sides; None where nothing was charged."""
    charge = ledger_of(server).renew(subscription, server.world.now())
    server.changed()
    if charge is None:
        if subscription.missing_balance:
            _tell_of_subscription(server, subscription, payment_failed=True)
    elif not silent:
        announce_charge(server, charge)
    return charge


@method("payments.botCancelStarsSubscription", users=False)
def bot_cancel_stars_subscription(call: Call, query: raw.functions.payments.BotCancelStarsSubscription) -> bool:
    payer_id = call.user_id(query.user_id)
    subscription = ledger_of(call.server).subscription_of(query.charge_id, payer_id)
    if subscription is None or subscription.invoice.bot_id != call.user.id:
        raise RpcError(400, "CHARGE_ID_INVALID")
    if subscription.bot_canceled is not bool(query.restore):
        raise RpcError(400, "SUBSCRIPTION_NOT_MODIFIED")
    subscription.bot_canceled = not query.restore
    if subscription.bot_canceled:
        subscription.canceled = True  # and stays so when the bot permits it again: only the customer takes it up
    call.server.changed()
    return True


def _tell_of_subscription(
    server: "Server",
    subscription: Subscription,
    *,
    canceled: bool = False,
    restored: bool = False,
    payment_failed: bool = False,
) -> None:
    """Tell the bot what became of a subscription."""
    update = raw.types.UpdateBotStarsSubscription(
        user_id=subscription.payer_id,
        payload=subscription.invoice.payload,
        qts=0,
        canceled=canceled or None,
        restored=restored or None,
        payment_failed=payment_failed or None,
    )
    qts.tell(server, subscription.invoice.bot_id, update, [subscription.payer_id])
