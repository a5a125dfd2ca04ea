"""Stars: who owns how many, what was charged, refunded and subscribed. No protocol, no clock of its own."""

import secrets
from bisect import insort
from dataclasses import dataclass, field

from .errors import RpcError

SUBSCRIPTION_PERIOD = 2_592_000
SUBSCRIPTION_LIMIT = 10_000
FORM_LIFETIME = 600


@dataclass(frozen=True)
class Invoice:
    """What a bot asks for. It stays payable for as long as it exists, by anybody who sees it, again and again."""

    id: int
    bot_id: int
    title: str
    description: str
    label: str
    amount: int
    payload: bytes
    subscription_period: int | None = None
    slug: str | None = None


@dataclass
class Form:
    """An invoice shown to one payer. Telegram takes it once and within ten minutes."""

    id: int
    payer_id: int
    invoice: Invoice
    shown_at: int
    submitted: bool = False


@dataclass
class Charge:
    """One payment that happened. ``paid_until`` is the end of the period that a subscription's payment covers."""

    id: str
    provider_id: str
    invoice: Invoice
    payer_id: int
    date: int
    subscription_id: str | None = None
    paid_until: int | None = None
    refunded: bool = False


@dataclass(frozen=True, order=True)
class Transaction:
    """One line of one account's statement. A refund carries the id of the payment that it undoes."""

    date: int
    number: int
    id: str = field(compare=False)
    partner_id: int = field(compare=False)
    amount: int = field(compare=False)
    invoice: Invoice = field(compare=False)
    subscription_id: str | None = field(compare=False)
    refund: bool = field(compare=False, default=False)


@dataclass
class Subscription:
    """A renewing purchase. ``until`` is the Unix time at which the paid period ends."""

    id: str
    payer_id: int
    invoice: Invoice
    until: int
    charge_ids: list[str]
    canceled: bool = False
    bot_canceled: bool = False
    missing_balance: bool = False


@dataclass(frozen=True)
class Statement:
    """A page of transactions, and the offset of the next page ("" when this is the last)."""

    transactions: list[Transaction]
    next_offset: str


@dataclass
class Ledger:
    """All Stars of the sandbox."""

    invoices: dict[int, Invoice] = field(default_factory=dict)
    forms: dict[int, Form] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    balances: dict[int, int] = field(default_factory=dict)
    # Ids of payments whose payer the statement does not name.
    anonymous: set[str] = field(default_factory=set)
    _transactions: dict[int, list[Transaction]] = field(default_factory=dict)
    _count: int = 0

    def open_account(self, account_id: int, stars: int) -> None:
        """Give an account its first Stars, once."""
        self.balances.setdefault(account_id, stars)

    def balance(self, account_id: int) -> int:
        return self.balances.get(account_id, 0)

    def issue(self, invoice: Invoice) -> Invoice:
        self.invoices[invoice.id] = invoice
        return invoice

    def by_slug(self, slug: str) -> Invoice | None:
        return next((invoice for invoice in self.invoices.values() if invoice.slug == slug), None)

    def show(self, invoice: Invoice, payer_id: int, now: int) -> Form:
        form = Form(secrets.randbits(62), payer_id, invoice, now)
        self.forms[form.id] = form
        return form

    def submit(self, form_id: int, payer_id: int, invoice: Invoice, now: int) -> Form:
        """Return the form that ``payer_id`` sends in.

        Raises RpcError FORM_EXPIRED, FORM_SUBMIT_DUPLICATE or BALANCE_TOO_LOW.
        """
        form = self.forms.get(form_id)
        if form is None or form.payer_id != payer_id or form.invoice != invoice or now - form.shown_at > FORM_LIFETIME:
            raise RpcError(400, "FORM_EXPIRED")
        if form.submitted:
            raise RpcError(400, "FORM_SUBMIT_DUPLICATE")
        if self.balance(payer_id) < invoice.amount:
            raise RpcError(400, "BALANCE_TOO_LOW")
        form.submitted = True
        return form

    def charge(self, invoice: Invoice, payer_id: int, now: int) -> Charge:
        """Move the money of a first payment, opening a subscription where the invoice asks for one.

        Raises RpcError BALANCE_TOO_LOW.
        """
        if self.balance(payer_id) < invoice.amount:
            raise RpcError(400, "BALANCE_TOO_LOW")
        charge = self._new_charge(invoice, payer_id, now)
        if invoice.subscription_period is not None:
            subscription = Subscription(
                secrets.token_hex(12),
                payer_id,
                invoice,
                now + invoice.subscription_period,
                [charge.id],
            )
            self.subscriptions[subscription.id] = subscription
            charge.subscription_id, charge.paid_until = subscription.id, subscription.until
        self._book(charge, now, refund=False)
        return charge

    def renew(self, subscription: Subscription, now: int) -> Charge | None:
        """Charge the next period. None when it was cancelled or the balance does not reach."""
        if subscription.canceled or subscription.bot_canceled:
            return None
        invoice = subscription.invoice
        subscription.missing_balance = self.balance(subscription.payer_id) < invoice.amount
        if subscription.missing_balance:
            return None
        subscription.until = max(subscription.until, now) + SUBSCRIPTION_PERIOD
        charge = self._new_charge(invoice, subscription.payer_id, now)
        charge.subscription_id, charge.paid_until = subscription.id, subscription.until
        subscription.charge_ids.append(charge.id)
        self._book(charge, now, refund=False)
        return charge

    def refund(self, charge: Charge, now: int) -> None:
        """Give the money back. Raises RpcError CHARGE_ALREADY_REFUNDED."""
        if charge.refunded:
            raise RpcError(400, "CHARGE_ALREADY_REFUNDED")
        charge.refunded = True
        self._book(charge, now, refund=True)

    def subscription_of(self, charge_id: str, payer_id: int) -> Subscription | None:
        for subscription in self.subscriptions.values():
            if subscription.payer_id == payer_id and charge_id in subscription.charge_ids:
                return subscription
        return None

    def _new_charge(self, invoice: Invoice, payer_id: int, now: int) -> Charge:
        charge = Charge(
            id="stx" + secrets.token_urlsafe(36),
            provider_id=f"{invoice.bot_id}_{len(self.charges)}",
            invoice=invoice,
            payer_id=payer_id,
            date=now,
        )
        self.charges[charge.id] = charge
        return charge

    def _book(self, charge: Charge, now: int, refund: bool) -> None:
        bot_id, payer_id = charge.invoice.bot_id, charge.payer_id
        inbound = -charge.invoice.amount if refund else charge.invoice.amount
        for owner, partner, amount in (
            (bot_id, payer_id, inbound),
            (payer_id, bot_id, -inbound),
        ):
            self._count += 1
            self.balances[owner] = self.balance(owner) + amount
            line = Transaction(
                now,
                self._count,
                charge.id,
                partner,
                amount,
                charge.invoice,
                charge.subscription_id,
                refund,
            )
            insort(self._transactions.setdefault(owner, []), line)

    def statement(
        self,
        owner_id: int,
        offset: str,
        limit: int,
        *,
        inbound: bool = False,
        outbound: bool = False,
        ascending: bool = False,
        subscription_id: str | None = None,
    ) -> Statement:
        """Return a page of the owner's transactions, the newest first unless ``ascending``.

        The offset names the last line seen, not a position, so lines booked between two pages move nothing.
        """
        lines = self._transactions.get(owner_id, [])
        if not ascending:
            lines = lines[::-1]
        if inbound != outbound:
            lines = [line for line in lines if (line.amount > 0) is inbound]
        if subscription_id is not None:
            lines = [line for line in lines if line.subscription_id == subscription_id]
        if offset:
            numbers = [line.number for line in lines]
            start = numbers.index(int(offset)) + 1 if int(offset) in numbers else len(lines)
            lines = lines[start:]
        page = lines[:limit]
        return Statement(page, str(page[-1].number) if len(lines) > len(page) else "")

    def find(self, owner_id: int, transaction_id: str, refund: bool) -> Transaction | None:
        lines = self._transactions.get(owner_id, [])
        return next(
            (line for line in lines if line.id == transaction_id and line.refund is refund),
            None,
        )
