"""``/payments``: what customers, and Telegram itself, do with Stars."""

import asyncio
from typing import TYPE_CHECKING, Any

from ..control import ControlError, Request, route
from . import stars
from .errors import RpcError
from .ledger import Charge, Invoice, Subscription
from .server import Server
from .stars import Checkouts, InvoiceMedia

if TYPE_CHECKING:
    from ..__main__ import Sandbox


@route("POST", "/payments")
async def payments(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Carry out one ``action``; README.md describes each."""
    name = request.body.get("action", "pay")
    action = _ACTIONS.get(name)
    if action is None:
        raise ControlError(f"no action {name}; there are {', '.join(_ACTIONS)}")
    try:
        return await action(sandbox.telegram, request)
    except RpcError as error:
        return {"error": error.message}


@route("GET", "/payments")
def list_payments(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Every charge and subscription, and who owns how many Stars."""
    ledger = stars.ledger_of(sandbox.telegram)
    return {
        "charges": [_described(sandbox.telegram, charge) for charge in ledger.charges.values()],
        "subscriptions": [_subscription(subscription) for subscription in ledger.subscriptions.values()],
        "balances": {str(account): amount for account, amount in ledger.balances.items()},
    }


def _described(server: Server, charge: Charge) -> dict[str, Any]:
    return {
        "charge_id": charge.id,
        "customer": charge.payer_id,
        "amount": charge.invoice.amount,
        "payload": charge.invoice.payload.decode(errors="replace"),
        "date": charge.date,
        "refunded": charge.refunded,
        "subscription_id": charge.subscription_id,
        "paid_until": charge.paid_until,
    }


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscription_id": subscription.id,
        "customer": subscription.payer_id,
        "until": subscription.until,
        "canceled": subscription.canceled,
        "bot_canceled": subscription.bot_canceled,
        "charge_ids": subscription.charge_ids,
    }


async def _pay(server: Server, request: Request) -> dict[str, Any]:
    """Pay ``count`` times at once, as a customer does who presses the button twice before the first answer."""
    customer = int(request.need("customer"))
    invoice, message_id = _invoice(server, customer, request)
    stars.open_account(server, server.world.user(customer))
    count = int(request.body.get("count", 1))
    outcomes = await asyncio.gather(*(_pay_once(server, customer, invoice, message_id, request) for _ in range(count)))
    charges = [outcome for outcome in outcomes if isinstance(outcome, Charge)]
    errors = [str(outcome) for outcome in outcomes if isinstance(outcome, str)]
    return {"charges": [_described(server, charge) for charge in charges], "errors": errors}


async def _pay_once(
    server: Server, customer: int, invoice: Invoice, message_id: int | None, request: Request
) -> Charge | str:
    """The charge, or the name of the error that the customer saw."""
    try:
        if not request.body.get("skip_precheckout"):
            await stars.ask_bot(server, invoice, customer)
        await asyncio.sleep(float(request.body.get("delay_s", 0)))
        charge = stars.take_payment(server, invoice, customer)
    except RpcError as error:
        return error.message
    if request.body.get("anonymous"):
        stars.ledger_of(server).anonymous.add(charge.id)
    if not request.body.get("silent"):
        stars.announce_charge(server, charge, message_id)
    return charge


def _invoice(server: Server, customer: int, request: Request) -> tuple[Invoice, int | None]:
    """The invoice meant: by ``slug``, by ``message_id``, by ``payload``, else the newest one that the customer was
    sent."""
    ledger = stars.ledger_of(server)
    body = request.body
    if "slug" in body:
        invoice = ledger.by_slug(str(body["slug"]).rpartition("$")[2])
        if invoice is None:
            raise ControlError("no invoice has this slug")
        return invoice, None
    for message in reversed(server.world.user(customer).timeline.messages.values()):
        if not isinstance(message.media, InvoiceMedia):
            continue
        invoice = message.media.invoice
        fits_payload = body.get("payload", invoice.payload.decode(errors="replace")) == invoice.payload.decode(
            errors="replace"
        )
        if body.get("message_id", message.id) == message.id and fits_payload:
            return invoice, message.id
    raise ControlError(f"customer {customer} has no such invoice")


async def _renew(server: Server, request: Request) -> dict[str, Any]:
    """The next period of a subscription begins: it is charged, or not where it was cancelled or the Stars run short."""
    subscription = _named_subscription(server, request)
    charge = stars.renew(server, subscription, silent=bool(request.body.get("silent")))
    return {
        "charges": [_described(server, charge)] if charge else [],
        "subscription": _subscription(subscription),
    }


def _named_subscription(server: Server, request: Request) -> Subscription:
    ledger = stars.ledger_of(server)
    if "subscription_id" in request.body:
        subscription = ledger.subscriptions.get(request.body["subscription_id"])
    else:
        charge = _charge(server, request)
        subscription = ledger.subscriptions.get(charge.subscription_id or "")
    if subscription is None:
        raise ControlError("no such subscription")
    return subscription


def _charge(server: Server, request: Request) -> Charge:
    charge = stars.ledger_of(server).charges.get(request.need("charge_id"))
    if charge is None:
        raise ControlError("no such charge")
    return charge


async def _cancel(server: Server, request: Request) -> dict[str, Any]:
    """The customer cancels a subscription in his client, or takes it up again with ``canceled`` false."""
    subscription = _named_subscription(server, request)
    stars.set_canceled(server, subscription, bool(request.body.get("canceled", True)))
    return {"subscription": _subscription(subscription)}


async def _refund(server: Server, request: Request) -> dict[str, Any]:
    """Telegram itself gives a payment back; with ``silent`` no message tells the bot."""
    charge = _charge(server, request)
    stars.refund(server, charge, silent=bool(request.body.get("silent")))
    return {"charges": [_described(server, charge)]}


async def _balance(server: Server, request: Request) -> dict[str, Any]:
    """Set how many Stars an account has."""
    account = int(request.need("account"))
    stars.ledger_of(server).balances[account] = int(request.need("stars"))
    return {"account": account, "stars": request.body["stars"]}


async def _precheckout(server: Server, request: Request) -> dict[str, Any]:
    """Set how long a bot may take to answer a pre-checkout query (10 s is Telegram's own limit)."""
    server.world.part(Checkouts).timeout_s = float(request.need("timeout_s"))
    return {"timeout_s": request.body["timeout_s"]}


_ACTIONS = {
    "pay": _pay,
    "renew": _renew,
    "cancel": _cancel,
    "refund": _refund,
    "balance": _balance,
    "precheckout": _precheckout,
}
