"""What becomes of what is asked of Telegram about Stars, and of what it asks, where the answer is an error."""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import (
    AuthKeyUnregistered,
    BadRequest,
    ChargeAlreadyRefunded,
    FloodWait,
    Forbidden,
    InternalServerError,
    NotAcceptable,
    RPCError,
    ServiceUnavailable,
    UserDeactivated,
    UserIdInvalid,
)

from config.texts import translator
from config.units import DAY_S
from daemon import stars
from daemon.screens import checkout
from daemon.stars import Stars
from models import notes
from models.errors import NotFound
from models.money import payments, provider_requests, stars_cursor, subscriptions
from models.money.orders import Verdict
from models.money.payments import Fact
from models.money.provider_requests import RequestKind

NOW = 1_800_000_000
PAYMENT = SimpleNamespace(user_id=7, remote_id="stx-1", amount=500)
SUBSCRIPTION = SimpleNamespace(user_id=7, remote_id="stx-2")


class Books:
    """The database: what was asked of it, and what it says."""

    def __init__(self, answers: dict[Any, Any]) -> None:
        self._answers = answers
        self.kept: list[tuple[Any, ...]] = []

    async def __call__(self, function: Callable[..., Any], *values: Any, **_: Any) -> Any:
        if function in self._answers:
            return self._answers[function]
        self.kept.append((function, *values))
        return None


class Bot:
    """Telegram: what it was asked, and what it answers."""

    def __init__(self, answer: Exception | None = None) -> None:
        self._answer = answer
        self.asked: list[Any] = []

    async def resolve_peer(self, user_id: int) -> int:
        return user_id

    async def invoke(self, _bot: object, query: Any, **_: Any) -> None:
        self.asked.append(query)
        if self._answer is not None:
            raise self._answer


def seller(bot: Bot, books: Any, monkeypatch: pytest.MonkeyPatch) -> Stars:
    monkeypatch.setattr(stars, "invoke", bot.invoke)
    telegram: Any = bot
    subscription = SimpleNamespace(wait=lambda _: asyncio.Event().wait())
    wakeup: Any = SimpleNamespace(wake=lambda: None, subscribe=lambda: subscription)
    catalogue: Any = None
    return Stars(telegram, books, wakeup, catalogue, secret="")


def request(kind: RequestKind, attempts: int = 3) -> Any:
    return SimpleNamespace(id=1, kind=kind, attempts=attempts, payment_id=2, subscription_id=3)


def known(payment: Any = PAYMENT, subscription: Any = SUBSCRIPTION) -> Books:
    return Books({payments.get: payment, subscriptions.get: subscription})


class Calls(Books):
    """Books whose functions are called; what is not here answers nothing."""

    async def __call__(self, function: Callable[..., Any], *values: Any, **_: Any) -> Any:
        if function in self._answers:
            return self._answers[function](*values)
        return await super().__call__(function, *values)


class NotModified(BadRequest):
    ID = "SUBSCRIPTION_NOT_MODIFIED"


REFUND, CANCEL, RESUME = RequestKind.REFUND, RequestKind.CANCEL_SUBSCRIPTION, RequestKind.RESUME_SUBSCRIPTION


@pytest.mark.parametrize("kind", [REFUND, CANCEL, RESUME])
@pytest.mark.parametrize(
    "error",
    [
        *(FloodWait(7200), InternalServerError(), ServiceUnavailable(), TimeoutError()),
        *(AuthKeyUnregistered(), UserDeactivated(), NotAcceptable()),  # they say nothing about what was asked for
    ],
)
async def test_what_passes_is_tried_again(kind: RequestKind, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    books = known()
    await seller(Bot(error), books, monkeypatch)._carry_out(request(kind), NOW)
    assert books.kept == [(provider_requests.retry, 1, NOW + stars.retry_wait(3))]


@pytest.mark.parametrize("kind", [REFUND, CANCEL, RESUME])
@pytest.mark.parametrize("error", [UserIdInvalid(), Forbidden()])
async def test_what_telegram_refuses_has_failed(
    kind: RequestKind, error: RPCError, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = known()
    await seller(Bot(error), books, monkeypatch)._carry_out(request(kind), NOW)
    ((function, request_id, reason, at),) = books.kept
    assert (function, request_id, at) == (provider_requests.fail, 1, NOW)
    assert reason == str(error.ID or error)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(REFUND, "unknown_payment"), (CANCEL, "unknown_subscription"), (RESUME, "unknown_subscription")],
)
async def test_what_is_not_known_is_not_asked(kind: RequestKind, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bot, books = Bot(), known(None, None)
    await seller(bot, books, monkeypatch)._carry_out(request(kind), NOW)
    assert bot.asked == [] and books.kept == [(provider_requests.fail, 1, reason, NOW)]


async def test_nobody_is_refunded_whom_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    bot, books = Bot(), known(SimpleNamespace(user_id=None, remote_id="stx-1", amount=500))
    await seller(bot, books, monkeypatch)._carry_out(request(REFUND), NOW)
    assert bot.asked == [] and books.kept == [(provider_requests.fail, 1, "unknown_payment", NOW)]


@pytest.mark.parametrize("answer", [None, ChargeAlreadyRefunded()])
async def test_a_refund_is_recorded_also_where_it_was_made(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, books = Bot(answer), known()
    await seller(bot, books, monkeypatch)._carry_out(request(REFUND), NOW)
    (asked,) = bot.asked
    assert (asked.user_id, asked.charge_id) == (7, "stx-1")
    assert books.kept == [
        (payments.apply, [stars.refund_of("stx-1", 500, NOW)], NOW),
        (provider_requests.finish, 1, "refunded", NOW),
    ]


@pytest.mark.parametrize("answer", [None, NotModified()])
async def test_a_renewal_that_has_ended_is_recorded(answer: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    bot, books = Bot(answer), known()
    await seller(bot, books, monkeypatch)._carry_out(request(CANCEL), NOW)
    (asked,) = bot.asked
    assert (asked.user_id, asked.charge_id, asked.restore) == (7, "stx-2", None)
    assert books.kept == [
        (stars._record_renewal, SUBSCRIPTION, False, NOW),
        (provider_requests.finish, 1, "cancelled", NOW),
    ]


@pytest.mark.parametrize("answer", [None, NotModified()])
async def test_a_renewal_that_may_go_on_is_not_said_to(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its customer switches it on, and an update tells so."""
    bot, books = Bot(answer), known()
    await seller(bot, books, monkeypatch)._carry_out(request(RESUME), NOW)
    (asked,) = bot.asked
    assert asked.restore is True
    assert books.kept == [(provider_requests.finish, 1, "permitted", NOW)]


@pytest.mark.parametrize("where", ["row", "peer", "ledger"])
async def test_a_request_that_fails_oddly_is_set_apart(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(facts: list[Any], _now: int) -> None:
        if where == "ledger" and facts[0].payment_remote_id == "bad":
            raise NotFound("payment", 2)

    async def resolve_peer(user_id: int) -> int:
        if where == "peer" and user_id == 1 << 60:
            raise ValueError(f"Peer id invalid: {user_id}")
        return user_id

    bad = request(RequestKind.LOOKUP if where == "row" else REFUND)
    good = SimpleNamespace(id=9, kind=REFUND, attempts=1, payment_id=4, subscription_id=None)
    due = [bad, good]
    rows = {2: SimpleNamespace(user_id=1 << 60, remote_id="bad", amount=500), 4: PAYMENT}
    answers = {
        provider_requests.claim: lambda *_: due.pop(0) if due else None,
        payments.get: rows.get,
        payments.apply: apply,
    }
    bot, books = Bot(), Calls(answers)
    monkeypatch.setattr(bot, "resolve_peer", resolve_peer)
    up = asyncio.Event()
    up.set()
    task = asyncio.create_task(seller(bot, books, monkeypatch).carry_out(up))
    try:
        async with asyncio.timeout(5):
            while len(books.kept) < 2 and not task.done():
                await asyncio.sleep(0)
        assert not task.done()
    finally:
        task.cancel()
    (again, failed, later), (done, finished, *_) = books.kept
    assert (again, failed) == (provider_requests.retry, bad.id) and later > time.time()
    assert (done, finished) == (provider_requests.finish, good.id)
    assert [asked.charge_id for asked in bot.asked] == (["bad"] if where == "ledger" else []) + ["stx-1"]


@pytest.mark.parametrize("error", [ValueError("odd"), NotFound("order", 1), TimeoutError(), InternalServerError()])
async def test_transactions_are_read_again_whatever_happens(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    async def read(now: int) -> None:
        reads.append(now)
        if len(reads) == 1:
            raise error

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise asyncio.CancelledError

    pauses: list[float] = []
    books = Books({})
    reader = seller(Bot(), books, monkeypatch)
    monkeypatch.setattr(reader, "read_transactions", read)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    up = asyncio.Event()
    up.set()
    with pytest.raises(asyncio.CancelledError):
        await reader.reconcile(up)
    assert pauses == [stars.RECONCILE_S / 20, stars.RECONCILE_S]
    assert [kept[0] for kept in books.kept] == [stars.end_lapsed]


@pytest.mark.parametrize("last", [NOW - 3600, NOW + 400 * DAY_S], ids=["right", "ahead"])
@pytest.mark.parametrize("first", [NOW - 9 * DAY_S, NOW + 399 * DAY_S], ids=["right", "ahead"])
async def test_what_a_clock_ahead_has_written_hides_no_charge(
    first: int, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that started with a clock a year ahead reads what came since it was set right, and goes on so."""
    charge = raw.types.StarsTransaction(
        id="stx-9",
        amount=raw.types.StarsAmount(amount=500, nanos=0),
        date=NOW - 60,
        peer=raw.types.StarsTransactionPeer(peer=raw.types.PeerUser(user_id=7)),
        bot_payload=b"order",
    )
    settled: list[Fact] = []

    def settle(fact: Fact, _now: int) -> SimpleNamespace:
        settled.append(fact)
        return SimpleNamespace(outcome="recorded")

    async def listed(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(history=[charge], next_offset="")

    books = Calls({notes.get: lambda _: {"first": first, "last": last}, payments.settle: settle})
    reader = seller(Bot(), books, monkeypatch)
    monkeypatch.setattr(stars, "invoke", listed)
    monkeypatch.setattr(reader, "_catalogue", SimpleNamespace(plans=None))
    await reader.read_transactions(NOW)
    assert [fact.remote_id for fact in settled] == ["stx-9"]
    (_, _, kept, _) = next(each for each in books.kept if each[0] is notes.put)
    assert kept == {"first": min(first, NOW - stars_cursor.SKEW_S), "last": NOW}


@pytest.mark.parametrize(("known", "booked"), [("stx-9", ["stx-9"]), ("another", [])])
async def test_a_listed_refund_needs_no_payload_of_what_is_known(
    known: str, booked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telegram may leave out what the invoice was for. Stars that went back for something else are none of ours."""
    back = raw.types.StarsTransaction(
        id="stx-9",
        amount=raw.types.StarsAmount(amount=-500, nanos=0),
        date=NOW - 60,
        peer=raw.types.StarsTransactionPeer(peer=raw.types.PeerUser(user_id=7)),
        refund=True,
    )

    async def listed(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(history=[back], next_offset="")

    books = Calls(
        {
            notes.get: lambda _: {"first": 0, "last": NOW},
            payments.find: lambda _, charge_id: PAYMENT if charge_id == known else None,
        }
    )
    reader = seller(Bot(), books, monkeypatch)
    monkeypatch.setattr(stars, "invoke", listed)
    await reader.read_transactions(NOW)
    applied = [each[1][0] for each in books.kept if each[0] is payments.apply]
    assert [refund.payment_remote_id for refund in applied] == booked


@pytest.mark.parametrize("currency", ["XTR", "USD"])
async def test_a_payment_is_of_the_currency_that_it_says(currency: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[Fact] = []

    def settle(fact: Fact, _now: int) -> SimpleNamespace:
        settled.append(fact)
        return SimpleNamespace(outcome="recorded")

    told: Any = SimpleNamespace(
        subscription_expiration_date=None,
        telegram_payment_charge_id="stx-9",
        total_amount=500,
        currency=currency,
        invoice_payload="order",
    )
    await seller(Bot(), Calls({payments.settle: settle}), monkeypatch).paid(7, told, NOW, NOW)
    assert [(fact.amount, fact.currency) for fact in settled] == [(500, currency)]


async def test_what_went_back_later_than_now_went_back_now(monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books({})
    await seller(Bot(), books, monkeypatch).refunded("stx-1", 500, NOW + 600, NOW)
    ((_, (refund,), _),) = books.kept
    assert refund.at == NOW, "our clock is behind Telegram's"


# The question before a payment


QUERY = raw.types.UpdateBotPrecheckoutQuery(query_id=9, user_id=7, payload=b"order", currency="XTR", total_amount=500)


async def answered(books: Any, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> Any:
    await seller(bot, books, monkeypatch)._answer_precheckout(QUERY)
    (answer,) = bot.asked
    assert answer.query_id == QUERY.query_id
    return answer


@pytest.mark.parametrize("reason", ["", "expired"])
async def test_a_payment_goes_on_only_where_the_rows_allow_it(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books({stars.check_precheckout: (Verdict(not reason, reason), "es")})
    answer = await answered(books, Bot(), monkeypatch)
    assert answer.success is (None if reason else True)
    assert answer.error == (checkout.refusal(translator("es"), reason) if reason else None)


async def test_a_payment_that_cannot_be_looked_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("no such table")

    answer = await answered(broken, Bot(), monkeypatch)
    assert answer.success is None and answer.error == checkout.refusal(translator("en"), "fault")


async def test_a_payment_is_refused_before_telegram_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(stars, "ANSWER_TIMEOUT_S", 0.01)
    answer = await answered(stuck, Bot(), monkeypatch)
    assert answer.success is None and answer.error == checkout.refusal(translator("en"), "fault")


@pytest.mark.parametrize("error", [TimeoutError(), UserIdInvalid()])
async def test_an_answer_that_is_lost_ends_nothing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books({stars.check_precheckout: (Verdict(True), "en")})
    await answered(books, Bot(error), monkeypatch)
