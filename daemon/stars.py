"""Telegram Stars: invoices, answers to pre-checkout queries, charges into the ledger, refunds, renewals.

No payment depends on updates alone: the bot's transactions (``payments.getStarsTransactions``) are read at start and
every ten minutes, and settle what is missing. See https://core.telegram.org/api/stars and
https://core.telegram.org/api/payments.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace

from pyrogram import Client, raw
from pyrogram.errors import BadRequest, ChargeAlreadyRefunded, RPCError
from pyrogram.types import SuccessfulPayment

from config.money import STARS
from config.plans import Article, Plan
from config.texts import Texts, texts_for
from config.units import DAY_S
from daemon.database import Database
from daemon.screens import checkout
from daemon.telegram.rpc import invoke
from daemon.wakeup import Wakeup
from models import notes, outbox, users
from models.catalogue import Catalogue
from models.errors import ModelError
from models.event_kinds import AlertReason
from models.money import orders, payments, provider_requests, stars_cursor, subscriptions
from models.money.access import GRACE_S
from models.money.orders import OrderInfo, Verdict
from models.money.payments import Fact, PaymentInfo, RefundFact
from models.money.provider_requests import RequestInfo, RequestKind
from models.money.providers import SKEW_S, Provider
from models.money.subscriptions import SubscriptionInfo
from models.money.vouchers import admission

logger = logging.getLogger(__name__)

PROVIDER = Provider.STARS
PERIOD_S = 30 * DAY_S
"""Telegram renews every 30 days exactly."""

RECONCILE_S = 600
OVERLAP_S = DAY_S
PAGE = 100

UNRECORDABLE = (ModelError, ArithmeticError, LookupError, TypeError, ValueError)
"""Errors that one transaction causes, and that say nothing about the others."""

REFUSALS = (400, 403)
"""Codes of errors that refuse what was asked for. Others pass, or say that the bot itself is not let in."""

ANSWER_TIMEOUT_S = 4.0
REQUESTS_EVERY_S = 5.0


@dataclass(frozen=True)
class StarsTransaction:
    """A transaction of the bot: Stars that a customer paid, or that went back to them."""

    charge_id: str
    user_id: int
    amount: int
    at: int
    refund: bool
    payload: str
    period: int | None


class Stars:
    """Everything about Stars that needs Telegram."""

    def __init__(self, bot: Client, database: Database, wakeup: Wakeup, catalogue: Catalogue, *, secret: str) -> None:
        self._bot = bot
        self._secret = secret
        self._catalogue = catalogue
        self._database = database
        self._wakeup = wakeup
        self._urgent: set[asyncio.Task[None]] = set()

    # ---- selling

    async def send_invoice(self, order: OrderInfo, article: Article, t: Texts, link: str | None = None) -> None:
        """Send the invoice of a purchase that does not renew, for a held *link* where it brings one."""
        await invoke(
            self._bot,
            raw.functions.messages.SendMedia(
                peer=await self._bot.resolve_peer(order.user_id),
                media=_invoice(order, article, t, link),
                message="",
                random_id=secrets.randbits(63),
                reply_markup=None,
            ),
        )

    async def subscription_link(self, order: OrderInfo, plan: Plan, t: Texts) -> str:
        """Return the address that offers a renewing purchase; Telegram has no message for those."""
        exported = await invoke(self._bot, raw.functions.payments.ExportInvoice(invoice_media=_invoice(order, plan, t)))
        return str(exported.url)

    def handle_urgent(self, update: raw.types.UpdateBotPrecheckoutQuery | raw.types.UpdateBotStarsSubscription) -> None:
        """Handle an update that must not wait, in a task of its own."""
        is_question = isinstance(update, raw.types.UpdateBotPrecheckoutQuery)
        task = asyncio.create_task(
            self._answer_precheckout(update) if is_question else self._subscription_updated(update)
        )
        self._urgent.add(task)
        task.add_done_callback(self._urgent.discard)

    async def _answer_precheckout(self, query: raw.types.UpdateBotPrecheckoutQuery) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):  # Telegram waits ten seconds, also while the disk is full
                verdict, language = await self._database(check_precheckout, query, int(time.time()))
        except Exception:
            logger.exception("precheckout.failed", extra={"user": query.user_id})
            verdict, language = Verdict(False, "fault"), None
        answer = raw.functions.messages.SetBotPrecheckoutResults(
            query_id=query.query_id,
            success=verdict.ok or None,
            error=None if verdict.ok else checkout.refusal(texts_for(language), verdict.reason),
        )
        try:
            await invoke(self._bot, answer, timeout=ANSWER_TIMEOUT_S, longest_flood=0, failures=2)
        except (RPCError, OSError) as error:
            logger.warning("precheckout.unanswered", extra={"user": query.user_id, "reason": str(error)})
        milliseconds = round((time.monotonic() - started) * 1000)
        logger.info(
            "precheckout.answered",
            extra={"user": query.user_id, "ok": verdict.ok, "reason": verdict.reason, "ms": milliseconds},
        )

    # ---- charges and refunds

    async def paid(self, user_id: int, payment: SuccessfulPayment, at: int, now: int) -> None:
        """Settle a payment that an update reports."""
        until = payment.subscription_expiration_date
        transaction = StarsTransaction(
            charge_id=payment.telegram_payment_charge_id,
            user_id=user_id,
            amount=int(payment.total_amount),
            at=at,
            refund=False,
            payload=payment.invoice_payload if isinstance(payment.invoice_payload, str) else "",
            period=None,
        )
        fact = fact_of(transaction, int(until.timestamp()) if until else None, "update")
        await self._settle(replace(fact, currency=payment.currency), now)

    async def refunded(self, charge_id: str, amount: int, at: int, now: int) -> None:
        """Record Stars that went back to a customer, no matter who refunded them.

        Where our clock is behind Telegram's, they went back now.
        """
        await self._database(payments.apply, [refund_of(charge_id, amount, min(at, now))], now)
        self._wakeup.wake()

    async def _settle(self, fact: Fact, now: int) -> None:
        settled = await self._database(payments.settle, fact, now)
        self._wakeup.wake()
        logger.info(
            "payment.settled", extra={"user": fact.user_id, "charge": fact.remote_id, "outcome": settled.outcome}
        )

    # ---- transactions

    async def reconcile(self, up: asyncio.Event) -> None:
        """Read the transactions whenever the bot is *up*, every ten minutes, until cancelled."""
        while True:
            await up.wait()
            try:
                await self.read_transactions(int(time.time()))
                await self._database(end_lapsed, int(time.time()))
            except Exception as error:
                # What cannot be read or compared must not end the daemon, which serves everybody else.
                is_known = isinstance(error, RPCError | OSError)
                logger.warning("transactions.unread", extra={"reason": str(error)}, exc_info=not is_known)
                await asyncio.sleep(RECONCILE_S / 20)
                continue
            await asyncio.sleep(RECONCILE_S)

    async def read_transactions(self, now: int) -> None:
        """Settle all transactions since the last time, with a day of overlap. Known ones change nothing."""
        since = await self._database(notes.get, stars_cursor.NOTE)
        if since is None:
            since = stars_cursor.beginning(now)
            await self._database(notes.put, stars_cursor.NOTE, since, now)
        since = stars_cursor.as_of(since, now)
        oldest = max(since["first"], since["last"] - OVERLAP_S)
        transactions = [each async for each in self._transactions(oldest)]
        for transaction in reversed(transactions):
            await self._record_apart(transaction, now)
        await self._database(report_missing, {each.charge_id for each in transactions}, oldest, now)
        await self._database(notes.put, stars_cursor.NOTE, {"first": since["first"], "last": now}, now)

    async def look_up(self, charge_id: str, now: int) -> PaymentInfo | None:
        """Ask Telegram for one charge and settle it; None when there is no such charge.

        :raises RPCError: Telegram has a fault, or asks for a longer wait than a customer waits for an answer.
        :raises OSError: Telegram does not answer.
        """
        asked = raw.types.InputStarsTransaction(id=charge_id)
        query = raw.functions.payments.GetStarsTransactionsByID(peer=raw.types.InputPeerSelf(), id=[asked])
        try:
            status = await invoke(self._bot, query, longest_flood=ANSWER_TIMEOUT_S)
        except BadRequest as error:
            logger.info("charge.missing", extra={"charge": charge_id, "reason": str(error)})
            return None
        for listed in status.history or ():
            transaction = transaction_of(listed)
            if transaction is not None:
                await self._record(transaction, now)
        return await self._database(payments.find, PROVIDER, charge_id)

    async def _transactions(self, oldest: int) -> AsyncIterator[StarsTransaction]:
        offset = ""
        while True:
            query = raw.functions.payments.GetStarsTransactions(
                peer=raw.types.InputPeerSelf(), offset=offset, limit=PAGE
            )
            status = await invoke(self._bot, query)
            for listed in status.history or ():
                if listed.date < oldest:
                    return
                transaction = transaction_of(listed)
                if transaction is not None:
                    yield transaction
            offset = status.next_offset or ""
            if not offset:
                return

    async def _record_apart(self, transaction: StarsTransaction, now: int) -> None:
        """Record a transaction; one that cannot be recorded is told to the admins, once, and the others go on."""
        try:
            await self._record(transaction, now)
        except UNRECORDABLE as error:
            logger.exception("transaction.failed", extra={"charge": transaction.charge_id})
            detail = {"provider": PROVIDER, "transaction": transaction.charge_id, "why": str(error)}
            key = f"unreadable:{PROVIDER}:transaction:{transaction.charge_id}"
            await self._database(outbox.alert, AlertReason.TRANSACTION_UNREADABLE, detail, now, key)

    async def _record(self, transaction: StarsTransaction, now: int) -> None:
        if transaction.refund:
            # Telegram may leave the payload out; without it, a refund of what is not known here is nobody's.
            known = await self._database(payments.find, PROVIDER, transaction.charge_id)
            if transaction.payload or known is not None:
                await self.refunded(transaction.charge_id, transaction.amount, transaction.at, now)
        else:
            # A restored database may be older than the order.
            await self._database(
                orders.recall,
                transaction.payload,
                PROVIDER,
                transaction.amount,
                STARS,
                plans=self._catalogue.plans,
                secret=self._secret,
                at=transaction.at,
                now=now,
            )
            period_end = transaction.at + transaction.period if transaction.period else None
            await self._settle(fact_of(transaction, period_end, "statement"), now)

    # ---- provider requests

    async def carry_out(self, up: asyncio.Event) -> None:
        """Carry out provider requests (refunds, renewals ended or resumed) while the bot is *up*, until cancelled."""
        subscription = self._wakeup.subscribe()
        while True:
            await up.wait()
            request = await self._database(provider_requests.claim, PROVIDER, int(time.time()))
            if request is None:
                await subscription.wait(REQUESTS_EVERY_S)
                continue
            await self._carry_out_apart(request, int(time.time()))
            self._wakeup.wake()

    async def _carry_out_apart(self, request: RequestInfo, now: int) -> None:
        """Carry out a request; one that fails oddly is tried again later, and the others go on.

        It may have been carried out. Telegram refunds a charge once, however often it is asked.
        """
        try:
            await self._carry_out(request, now)
        except Exception:
            logger.exception("request.failed", extra={"request": request.id})
            await self._database(provider_requests.retry, request.id, now + retry_wait(request.attempts))

    async def _carry_out(self, request: RequestInfo, now: int) -> None:
        work = {
            RequestKind.REFUND: self._refund,
            RequestKind.CANCEL_SUBSCRIPTION: self._change_subscription,
            RequestKind.RESUME_SUBSCRIPTION: self._change_subscription,
        }[request.kind]
        try:
            result = await work(request, now)
        except RPCError as error:
            if error.CODE not in REFUSALS:
                await self._database(provider_requests.retry, request.id, now + retry_wait(request.attempts))
            else:
                logger.warning("request.refused", extra={"request": request.id, "reason": str(error)})
                await self._database(provider_requests.fail, request.id, str(error.ID or error), now)
        except OSError:
            await self._database(provider_requests.retry, request.id, now + retry_wait(request.attempts))
        else:
            await self._database(
                provider_requests.finish if result.ok else provider_requests.fail, request.id, result.reason, now
            )

    async def _refund(self, request: RequestInfo, now: int) -> Verdict:
        payment = await self._database(payments.get, request.payment_id or 0)
        if payment is None or payment.user_id is None:
            return Verdict(False, "unknown_payment")
        query = raw.functions.payments.RefundStarsCharge(
            user_id=await self._bot.resolve_peer(payment.user_id), charge_id=payment.remote_id
        )
        try:
            await invoke(self._bot, query)
        except ChargeAlreadyRefunded:
            logger.info("refund.repeated", extra={"charge": payment.remote_id})
        await self.refunded(payment.remote_id, payment.amount, now, now)
        return Verdict(True, "refunded")

    async def _change_subscription(self, request: RequestInfo, now: int) -> Verdict:
        subscription = await self._database(subscriptions.get, request.subscription_id or 0)
        if subscription is None:
            return Verdict(False, "unknown_subscription")
        resume = request.kind is RequestKind.RESUME_SUBSCRIPTION
        query = raw.functions.payments.BotCancelStarsSubscription(
            user_id=await self._bot.resolve_peer(subscription.user_id),
            charge_id=subscription.remote_id,
            restore=resume or None,
        )
        try:
            await invoke(self._bot, query)
        except RPCError as error:
            # The subscription is already as it was asked to be.
            if error.ID != "SUBSCRIPTION_NOT_MODIFIED":
                raise
        if resume:
            return Verdict(True, "permitted")  # the customer switches it on, and an update reports that
        await self._database(_record_renewal, subscription, False, now)
        return Verdict(True, "cancelled")

    async def _subscription_updated(self, update: raw.types.UpdateBotStarsSubscription) -> None:
        """A customer ended or resumed their subscription in Telegram's settings, or its renewal could not be paid."""
        try:
            await self._database(_record_subscription_update, update, int(time.time()))
        except Exception:
            logger.exception("subscription.unrecorded", extra={"user": update.user_id})
        self._wakeup.wake()


# ---- run in the database's thread


def check_precheckout(query: raw.types.UpdateBotPrecheckoutQuery, now: int) -> tuple[Verdict, str | None]:
    """May this payment go on? Claims the order when it may. Also returns the customer's language."""
    order = orders.by_public(_text(query.payload))
    user = users.get(query.user_id)
    subscribed = order is not None and subscriptions.active(query.user_id, order.plan_code) is not None
    verdict = orders.judge_precheckout(
        order, user, amount=query.total_amount, currency=query.currency, now=now, subscribed=subscribed
    )
    if verdict.ok and order is not None:
        verdict = _claimed(order, now)
    return verdict, user.language if user else None


def _claimed(order: OrderInfo, now: int) -> Verdict:
    """Claim an order whose money is about to move, with the discount code that it was made with."""
    if not orders.claim_checkout(order.id, now):
        return Verdict(False, "under_way")
    refusal = admission.admit(order.id, now)
    return Verdict(refusal is None, refusal or "")


def end_lapsed(now: int) -> None:
    """End the subscriptions whose paid period is over without a renewal: Telegram sends no update about that.

    Those that a clock which was ahead has ended go on.
    """
    subscriptions.take_back_guesses(PROVIDER, now - GRACE_S, now)
    for subscription in subscriptions.to_poll(PROVIDER, now):
        over = (subscription.period_end or subscription.created_at + PERIOD_S) + GRACE_S
        if over <= now:
            expired = subscriptions.SubscriptionState.EXPIRED
            subscriptions.update(subscriptions.News(PROVIDER, subscription.remote_id, expired, None, at=now), now)
        else:
            subscriptions.polled(subscription.id, over)


def report_missing(listed: Collection[str], oldest: int, now: int) -> None:
    """Tell the admins, once each, of payments since *oldest* that Telegram does not list.

    An empty list proves nothing, and Telegram may not list a payment of the last minutes yet.
    """
    for payment in payments.since(PROVIDER, oldest) if listed else ():
        if payment.completed_at is None or payment.completed_at > now - SKEW_S or payment.remote_id in listed:
            continue
        logger.error("payment.unlisted", extra={"payment": payment.id})
        detail = {
            "provider": PROVIDER,
            "remote_id": payment.remote_id,
            "amount": payment.amount,
            "currency": payment.currency,
        }
        outbox.alert(AlertReason.MONEY_NOT_AT_PROVIDER, detail, now, key=f"unexplained:{PROVIDER}:{payment.remote_id}")


def _record_renewal(subscription: SubscriptionInfo, resumed: bool, now: int) -> None:
    state = subscriptions.SubscriptionState.ACTIVE if resumed else subscriptions.SubscriptionState.CANCELLED
    subscriptions.update_untimed(PROVIDER, subscription.remote_id, state, now)


def _record_subscription_update(update: raw.types.UpdateBotStarsSubscription, now: int) -> None:
    order = orders.by_public(_text(update.payload))
    if order is None:
        return
    own = [found for found in subscriptions.of(order.user_id) if found.order_id == order.id]
    for subscription in own:
        if update.payment_failed:
            subscriptions.payment_failed(PROVIDER, subscription.remote_id, now, now)
        else:
            _record_renewal(subscription, bool(update.restored), now)


# ---- pure functions


def transaction_of(listed: raw.types.StarsTransaction) -> StarsTransaction | None:
    """Read one of Telegram's transactions; None for what is neither a customer's payment nor its refund."""
    peer = listed.peer.peer if isinstance(listed.peer, raw.types.StarsTransactionPeer) else None
    amount = listed.amount.amount if isinstance(listed.amount, raw.types.StarsAmount) else 0
    moved = not (listed.pending or listed.failed)
    refund = bool(listed.refund)
    is_a_purchase = refund or bool(listed.bot_payload)
    if not isinstance(peer, raw.types.PeerUser) or not moved or not is_a_purchase or (amount < 0) is not refund:
        return None
    return StarsTransaction(
        charge_id=listed.id,
        user_id=peer.user_id,
        amount=abs(amount),
        at=listed.date,
        refund=refund,
        payload=_text(listed.bot_payload or b""),
        period=listed.subscription_period,
    )


def fact_of(transaction: StarsTransaction, period_end: int | None, source: str) -> Fact:
    """A payment as the ledger takes it."""
    return Fact(
        provider=PROVIDER,
        remote_id=transaction.charge_id,
        order_public_id=transaction.payload or None,
        subscription_remote_id=None,
        user_id=transaction.user_id,
        amount=transaction.amount,
        currency=STARS,
        state=payments.PaymentState.COMPLETED,
        created_at=transaction.at,
        at=transaction.at,
        period_end=period_end,
        raw_ref=source,
    )


def refund_of(charge_id: str, amount: int, at: int) -> RefundFact:
    """A refund as the ledger takes it. Stars are refunded whole and once, so its id is made of the charge's."""
    return RefundFact(PROVIDER, charge_id, f"refund:{charge_id}", amount=amount, at=at)


def retry_wait(attempts: int) -> int:
    """Seconds until a provider request is tried again."""
    return int(min(5 * 2**attempts, 600))


def _invoice(order: OrderInfo, article: Article, t: Texts, link: str | None = None) -> raw.types.InputMediaInvoice:
    title = checkout.invoice_title(t, order, article)
    return raw.types.InputMediaInvoice(
        title=title,
        description=checkout.invoice_description(t, order, article, link),
        invoice=raw.types.Invoice(
            currency=STARS,
            prices=[raw.types.LabeledPrice(label=title, amount=order.amount)],
            subscription_period=PERIOD_S if order.renews else None,
        ),
        payload=order.public_id.encode(),
        provider_data=raw.types.DataJSON(data="{}"),
    )


def _text(payload: bytes) -> str:
    return payload.decode(errors="replace")
