"""Telegram Stars: an invoice from an order, the word before each payment, the charge into the ledger, refunds.

Money never depends on updates alone: the bot's own statement (``payments.GetStarsTransactions``) is read at start and
every ten minutes, and settles what is missing.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from pyrogram import Client, raw
from pyrogram.errors import BadRequest, ChargeAlreadyRefunded, RPCError
from pyrogram.types import SuccessfulPayment

from config.money import STARS
from config.plans import Plan, Plans
from config.texts import Texts, translator
from daemon.database import Database
from daemon.screens import checkout
from daemon.telegram.rpc import invoke
from daemon.wakeup import Wakeup
from models import notes, outbox, users
from models.event_kinds import AlertReason
from models.money import orders, payments, provider_requests, stars_cursor, subscriptions
from models.money.access import GRACE_S
from models.money.orders import OrderInfo, Verdict
from models.money.payments import Fact, PaymentInfo, RefundFact
from models.money.provider_requests import RequestInfo, RequestKind
from models.money.providers import Provider
from models.money.subscriptions import SubscriptionInfo

logger = logging.getLogger(__name__)

PROVIDER = Provider.STARS
PERIOD_S = 30 * 86_400
"""Telegram renews every 30 days exactly."""

RECONCILE_S = 600
OVERLAP_S = 86_400
PAGE = 100

ANSWER_TIMEOUT_S = 4.0
REQUESTS_EVERY_S = 5.0


@dataclass(frozen=True)
class Line:
    """A line of the bot's statement: Stars that came from a customer, or went back to him."""

    charge_id: str
    user_id: int
    amount: int
    at: int
    refund: bool
    payload: str
    period: int | None


class Stars:
    """Everything about Stars that needs Telegram."""

    def __init__(self, bot: Client, database: Database, wakeup: Wakeup, plans: Plans) -> None:
        self._bot = bot
        self._plans = plans
        self._database = database
        self._wakeup = wakeup
        self._heard: set[asyncio.Task[None]] = set()

    # ---- selling

    async def send_invoice(self, order: OrderInfo, plan: Plan, t: Texts) -> None:
        """Send the invoice of a purchase that does not renew."""
        await invoke(
            self._bot,
            raw.functions.messages.SendMedia(
                peer=await self._bot.resolve_peer(order.user_id),
                media=_invoice(order, plan, t),
                message="",
                random_id=secrets.randbits(63),
                reply_markup=None,
            ),
        )

    async def subscription_link(self, order: OrderInfo, plan: Plan, t: Texts) -> str:
        """Return the address that offers a renewing purchase; Telegram has no message for those."""
        exported = await invoke(self._bot, raw.functions.payments.ExportInvoice(invoice_media=_invoice(order, plan, t)))
        return str(exported.url)

    def hear(self, update: raw.types.UpdateBotPrecheckoutQuery | raw.types.UpdateBotStarsSubscription) -> None:
        """Take an update that must not wait: it is handled beside everything else that goes on."""
        is_question = isinstance(update, raw.types.UpdateBotPrecheckoutQuery)
        task = asyncio.create_task(self._answer(update) if is_question else self._renewal_changed(update))
        self._heard.add(task)
        task.add_done_callback(self._heard.discard)

    async def _answer(self, query: raw.types.UpdateBotPrecheckoutQuery) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):  # a full disk must not cost the answer
                verdict, language = await self._database(judge, query, int(time.time()))
        except Exception:
            logger.exception("pre-checkout failed", extra={"user": query.user_id})
            verdict, language = Verdict(False, "fault"), None
        answer = raw.functions.messages.SetBotPrecheckoutResults(
            query_id=query.query_id,
            success=verdict.ok or None,
            error=None if verdict.ok else checkout.refusal(translator(language), verdict.reason),
        )
        try:
            await invoke(self._bot, answer, timeout=ANSWER_TIMEOUT_S, longest_flood=0, failures=2)
        except (RPCError, OSError) as error:
            logger.warning("pre-checkout not answered", extra={"user": query.user_id, "reason": str(error)})
        milliseconds = round((time.monotonic() - started) * 1000)
        logger.info(
            "pre-checkout answered",
            extra={"user": query.user_id, "ok": verdict.ok, "reason": verdict.reason, "ms": milliseconds},
        )

    # ---- what arrives

    async def paid(self, user_id: int, payment: SuccessfulPayment, at: int, now: int) -> None:
        """Settle a payment that Telegram has just told of."""
        until = payment.subscription_expiration_date
        line = Line(
            charge_id=payment.telegram_payment_charge_id,
            user_id=user_id,
            amount=int(payment.total_amount),
            at=at,
            refund=False,
            payload=payment.invoice_payload if isinstance(payment.invoice_payload, str) else "",
            period=None,
        )
        await self._settle(fact_of(line, int(until.timestamp()) if until else None, "update"), now)

    async def refunded(self, charge_id: str, amount: int, at: int, now: int) -> None:
        """Record Stars that went back, whoever gave them."""
        await self._database(payments.apply, [refund_of(charge_id, amount, at)], now)
        self._wakeup.wake()

    async def _settle(self, fact: Fact, now: int) -> None:
        settled = await self._database(payments.settle, fact, now)
        self._wakeup.wake()
        logger.info("stars payment", extra={"user": fact.user_id, "charge": fact.remote_id, "outcome": settled.outcome})

    # ---- the statement

    async def reconcile(self, up: asyncio.Event) -> None:
        """Read the statement whenever the bot has come up, and every ten minutes, for ever."""
        while True:
            await up.wait()
            try:
                await self.read_statement(int(time.time()))
                await self._database(end_lapsed, int(time.time()))
            except (RPCError, OSError) as error:
                logger.warning("statement not read", extra={"reason": str(error)})
                await asyncio.sleep(RECONCILE_S / 20)
                continue
            await asyncio.sleep(RECONCILE_S)

    async def read_statement(self, now: int) -> None:
        """Settle everything since the last reading, with a day of overlap; known lines change nothing."""
        since = await self._database(notes.get, stars_cursor.NOTE)
        if since is None:
            since = stars_cursor.beginning(now)
            await self._database(notes.put, stars_cursor.NOTE, since, now)
        oldest = max(since["first"], since["last"] - OVERLAP_S)
        lines = [line async for line in self._statement(oldest)]
        for line in reversed(lines):
            await self._take(line, now)
        await self._database(report_missing, {line.charge_id for line in lines}, oldest, now)
        await self._database(notes.put, stars_cursor.NOTE, {"first": since["first"], "last": now}, now)

    async def look_up(self, charge_id: str, now: int) -> PaymentInfo | None:
        """Ask Telegram for one charge and settle it; None when there is no such charge.

        :raises RPCError: Telegram cannot tell now: a flood wait longer than somebody waits for an answer, a fault.
        :raises OSError: it does not answer.
        """
        asked = raw.types.InputStarsTransaction(id=charge_id)
        query = raw.functions.payments.GetStarsTransactionsByID(peer=raw.types.InputPeerSelf(), id=[asked])
        try:
            status = await invoke(self._bot, query, longest_flood=ANSWER_TIMEOUT_S)
        except BadRequest as error:
            logger.info("charge not found", extra={"charge": charge_id, "reason": str(error)})
            return None
        for transaction in status.history or ():
            line = line_of(transaction)
            if line is not None:
                await self._take(line, now)
        return await self._database(payments.find, PROVIDER, charge_id)

    async def _statement(self, oldest: int) -> AsyncIterator[Line]:
        offset = ""
        while True:
            query = raw.functions.payments.GetStarsTransactions(
                peer=raw.types.InputPeerSelf(), offset=offset, limit=PAGE
            )
            status = await invoke(self._bot, query)
            for transaction in status.history or ():
                if transaction.date < oldest:
                    return
                line = line_of(transaction)
                if line is not None:
                    yield line
            offset = status.next_offset or ""
            if not offset:
                return

    async def _take(self, line: Line, now: int) -> None:
        if line.refund:
            await self.refunded(line.charge_id, line.amount, line.at, now)
        else:
            # A restored database may be older than the order.
            await self._database(orders.recall, line.payload, PROVIDER, line.amount, STARS, self._plans, line.at, now)
            period_end = line.at + line.period if line.period else None
            await self._settle(fact_of(line, period_end, "statement"), now)

    # ---- what was asked for

    async def carry_out(self, up: asyncio.Event) -> None:
        """Do the remote work that chat or rules have asked for, for ever."""
        subscription = self._wakeup.subscribe()
        while True:
            await up.wait()
            request = await self._database(provider_requests.claim, PROVIDER, int(time.time()))
            if request is None:
                await subscription.wait(REQUESTS_EVERY_S)
                continue
            await self._carry_out(request, int(time.time()))
            self._wakeup.wake()

    async def _carry_out(self, request: RequestInfo, now: int) -> None:
        work = {
            RequestKind.REFUND: self._refund,
            RequestKind.CANCEL_SUBSCRIPTION: self._change_subscription,
            RequestKind.RESUME_SUBSCRIPTION: self._change_subscription,
        }[request.kind]
        try:
            result = await work(request, now)
        except RPCError as error:
            if (error.CODE or 0) in (420, 500, 503):
                await self._database(provider_requests.retry, request.id, now + retry_wait(request.attempts))
            else:
                logger.warning("request refused", extra={"request": request.id, "reason": str(error)})
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
            logger.info("refunded before", extra={"charge": payment.remote_id})
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
            # What is as it was asked to be is as good as done now.
            if error.ID != "SUBSCRIPTION_NOT_MODIFIED":
                raise
        if resume:
            return Verdict(True, "permitted")  # only its payer switches it on, and Telegram gives news of that
        await self._database(_subscription_changed, subscription, False, now)
        return Verdict(True, "cancelled")

    async def _renewal_changed(self, update: raw.types.UpdateBotStarsSubscription) -> None:
        """A customer cancelled or re-enabled his subscription in Telegram's settings, or it could not be paid."""
        try:
            await self._database(_subscription_news, update, int(time.time()))
        except Exception:
            logger.exception("news of a subscription lost", extra={"user": update.user_id})
        self._wakeup.wake()


# ---- decided or written in the database's thread


def judge(query: raw.types.UpdateBotPrecheckoutQuery, now: int) -> tuple[Verdict, str | None]:
    """May this payment go on? Claims the order when it may. Returns the customer's language beside."""
    order = orders.by_public(_text(query.payload))
    user = users.get(query.user_id)
    subscribed = order is not None and subscriptions.active(query.user_id, order.plan_code) is not None
    verdict = orders.judge_precheckout(order, user, query.total_amount, query.currency, now, subscribed)
    if verdict.ok and order is not None and not orders.claim_checkout(order.id, now):
        verdict = Verdict(False, "under_way")
    return verdict, user.language if user else None


def end_lapsed(now: int) -> None:
    """End the subscriptions whose paid time is over without a renewal: Telegram gives no news of that."""
    for subscription in subscriptions.to_poll(PROVIDER, now):
        over = (subscription.period_end or subscription.created_at + PERIOD_S) + GRACE_S
        if over <= now:
            subscriptions.update(
                PROVIDER, subscription.remote_id, subscriptions.SubscriptionState.EXPIRED, None, now, now
            )
        else:
            subscriptions.polled(subscription.id, over)


def report_missing(listed: Collection[str], oldest: int, now: int) -> None:
    """Tell the admins, once each, of payments since *oldest* that Telegram's statement does not list.

    An empty statement says nothing at all, and a payment of the last minutes may not stand in it yet.
    """
    for payment in payments.since(PROVIDER, oldest) if listed else ():
        if (
            payment.completed_at is None
            or payment.completed_at > now - stars_cursor.SKEW_S
            or payment.remote_id in listed
        ):
            continue
        logger.error("payment that Telegram does not list", extra={"payment": payment.id})
        detail = {
            "provider": PROVIDER,
            "remote_id": payment.remote_id,
            "amount": payment.amount,
            "currency": payment.currency,
        }
        outbox.alert(AlertReason.MONEY_NOT_AT_PROVIDER, detail, now, key=f"unexplained:{PROVIDER}:{payment.remote_id}")


def _subscription_changed(subscription: SubscriptionInfo, resumed: bool, now: int) -> None:
    state = subscriptions.SubscriptionState.ACTIVE if resumed else subscriptions.SubscriptionState.CANCELLED
    subscriptions.update_untimed(PROVIDER, subscription.remote_id, state, now)


def _subscription_news(update: raw.types.UpdateBotStarsSubscription, now: int) -> None:
    order = orders.by_public(_text(update.payload))
    if order is None:
        return
    own = [found for found in subscriptions.of(order.user_id) if found.order_id == order.id]
    for subscription in own:
        if update.payment_failed:
            subscriptions.payment_failed(PROVIDER, subscription.remote_id, now, now)
        else:
            _subscription_changed(subscription, bool(update.restored), now)


# ---- pure


def line_of(transaction: raw.types.StarsTransaction) -> Line | None:
    """Read a line of the statement; None for what is neither a customer's payment nor its refund."""
    peer = transaction.peer.peer if isinstance(transaction.peer, raw.types.StarsTransactionPeer) else None
    amount = transaction.amount.amount if isinstance(transaction.amount, raw.types.StarsAmount) else 0
    moved = not (transaction.pending or transaction.failed)
    if not isinstance(peer, raw.types.PeerUser) or not moved or not transaction.bot_payload:
        return None
    refund = bool(transaction.refund)
    if (amount < 0) is not refund:
        return None
    return Line(
        charge_id=transaction.id,
        user_id=peer.user_id,
        amount=abs(amount),
        at=transaction.date,
        refund=refund,
        payload=_text(transaction.bot_payload),
        period=transaction.subscription_period,
    )


def fact_of(line: Line, period_end: int | None, source: str) -> Fact:
    """A payment of the statement, as the ledger takes it."""
    return Fact(
        provider=PROVIDER,
        remote_id=line.charge_id,
        order_public_id=line.payload or None,
        subscription_remote_id=None,
        user_id=line.user_id,
        amount=line.amount,
        currency=STARS,
        state=payments.PaymentState.COMPLETED,
        created_at=line.at,
        at=line.at,
        period_end=period_end,
        raw_ref=source,
    )


def refund_of(charge_id: str, amount: int, at: int) -> RefundFact:
    """Stars are refunded wholly and once: the refund is named after its charge."""
    return RefundFact(PROVIDER, charge_id, f"refund:{charge_id}", amount, at)


def retry_wait(attempts: int) -> int:
    """Seconds until remote work is tried again."""
    return int(min(5 * 2**attempts, 600))


def _invoice(order: OrderInfo, plan: Plan, t: Texts) -> raw.types.InputMediaInvoice:
    title = plan.title_in(t.language)
    return raw.types.InputMediaInvoice(
        title=title,
        description=checkout.invoice_description(t, order, plan),
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
