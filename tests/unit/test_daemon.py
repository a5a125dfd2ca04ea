"""The daemon's decisions: pure, without a connection."""

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import AuthKeyDuplicated, AuthKeyUnregistered, FloodWait, UserDeactivatedBan
from pyrogram.session.session import AuthKeyNotFound

from config.texts import translator
from daemon import context, stars
from daemon.limiter import Limiter
from daemon.tasks import Tasks
from daemon.telegram import clients, rpc
from daemon.telegram.clients import ConnectionState
from daemon.telegram.sender import Pace, sent_id


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (AuthKeyUnregistered(), ConnectionState.REVOKED),
        (AuthKeyDuplicated(), ConnectionState.REVOKED),
        (AuthKeyNotFound(), ConnectionState.REVOKED),
        (UserDeactivatedBan(), ConnectionState.BANNED),
        (TimeoutError(), ConnectionState.LOST),
        (ConnectionError(), ConnectionState.LOST),
        (FloodWait(3), None),
        (None, None),
    ],
)
def test_what_an_error_says_about_a_login(error: Exception | None, state: ConnectionState | None) -> None:
    assert clients.state_after(error) is state


def test_refusals_are_retried_ever_more_slowly() -> None:
    assert [clients.refusal_wait(n) for n in range(1, 11)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


async def test_a_call_that_was_not_carried_out_is_no_success() -> None:
    started = asyncio.Event()
    started.set()

    async def send(query: object, timeout: float) -> object:
        return raw.types.BadMsgNotification(bad_msg_id=1, bad_msg_seqno=1, error_code=17)

    client: Any = SimpleNamespace(session=SimpleNamespace(is_started=started, send=send), no_updates=False)
    with pytest.raises(ConnectionError, match="17"):
        await rpc.invoke(client, raw.functions.updates.GetState(), failures=1)


def test_bursts_pass_and_floods_do_not() -> None:
    limiter = Limiter(burst=3, per_second=1)
    assert [limiter.wait(1, 0.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait(1, 0.0) == pytest.approx(1)
    assert limiter.wait(2, 0.0) == 0, "another customer is not concerned"
    assert limiter.wait(1, 1.5) == 0
    assert limiter.wait(1, 1.5) == pytest.approx(0.5)


async def test_turns_are_evenly_spaced() -> None:
    pace, loop = Pace(per_second=100), asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(pace.wait() for _ in range(11)))
    assert loop.time() - began >= 0.1


async def test_turns_take_no_longer_than_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    pace, waits = Pace(per_second=4), list[float]()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 100.0)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(3):
        await pace.wait()

    assert waits == [0.25, 0.5]


async def test_a_task_that_ends_by_itself_is_noticed() -> None:
    tasks = Tasks()
    tasks.start("patient", asyncio.sleep(60))

    async def fall() -> None:
        raise ValueError("fell")

    tasks.start("falls", fall())
    assert isinstance(await tasks.failure(), ValueError)
    await tasks.stop()


async def test_a_task_that_loses_its_cancellation_is_stopped() -> None:
    tasks = Tasks()
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.sleep(60)

    tasks.start("deaf", deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.stop(), 5)
    assert swallowed == 2


def test_a_derived_id_is_the_same_again_and_differs_by_key() -> None:
    ids = {context.derived_id(f"12345:{person}") for person in range(1000)}
    assert len(ids) == 1000
    assert all(0 < each < 2**63 for each in ids)
    assert context.derived_id("12345:7") in ids


def listed(**changes: object) -> raw.types.StarsTransaction:
    values = {
        "id": "stx1",
        "amount": raw.types.StarsAmount(amount=500, nanos=0),
        "date": 1000,
        "peer": raw.types.StarsTransactionPeer(peer=raw.types.PeerUser(user_id=42)),
        "bot_payload": b"public",
    }
    return raw.types.StarsTransaction(**{**values, **changes})


def test_a_stars_transaction_becomes_a_fact() -> None:
    transaction = stars.transaction_of(listed(subscription_period=2_592_000))
    assert transaction == stars.StarsTransaction("stx1", 42, 500, 1000, False, "public", 2_592_000)
    fact = stars.fact_of(transaction, transaction.at + transaction.period, "statement")
    assert (fact.provider, fact.remote_id, fact.order_public_id, fact.amount, fact.currency) == (
        "stars", "stx1", "public", 500, "XTR",
    )  # fmt: skip
    assert fact.period_end == 2_593_000


@pytest.mark.parametrize("payload", [b"public", None])
def test_a_refunding_stars_transaction_is_a_refund(payload: bytes | None) -> None:
    back = raw.types.StarsAmount(amount=-500, nanos=0)
    transaction = stars.transaction_of(listed(refund=True, amount=back, bot_payload=payload))
    assert transaction is not None and transaction.refund and transaction.amount == 500


@pytest.mark.parametrize(
    "changes",
    [
        {"pending": True},
        {"failed": True},
        {"bot_payload": None},
        {"peer": raw.types.StarsTransactionPeerFragment()},
        {"amount": raw.types.StarsAmount(amount=-500, nanos=0)},  # a withdrawal of ours
        {"refund": True},  # Stars that came back to the bot
    ],
)
def test_other_stars_transactions_are_ignored(changes: dict[str, object]) -> None:
    assert stars.transaction_of(listed(**changes)) is None


def test_the_id_of_a_sent_message_is_found() -> None:
    short = raw.types.UpdateShortSentMessage(id=5, pts=1, pts_count=1, date=1)
    assert sent_id(short, 9) == 5
    updates = raw.types.Updates(
        updates=[raw.types.UpdateMessageID(id=4, random_id=8), raw.types.UpdateMessageID(id=6, random_id=9)],
        users=[], chats=[], date=1, seq=0,
    )  # fmt: skip
    assert sent_id(updates, 9) == 6
    assert sent_id(updates, 10) is None


@pytest.mark.parametrize("forged", ["", "all", "0", "-1", "1.5", "٣", "9" * 19, " 7", "7\n"])
def test_forged_data_of_a_button_names_no_row(forged: str) -> None:
    nobody: Any = None
    pressed = context.Context(nobody, nobody, translator("en"), 1, 1, "key", forged)
    assert pressed.number is None
    assert dataclasses.replace(pressed, argument="7").number == 7


def test_who_was_silent_for_long_may_not_flood_either() -> None:
    limiter = Limiter(burst=3, per_second=1)
    assert limiter.wait(1, 0.0) == 0
    assert [limiter.wait(1, 3600.0) for _ in range(4)] == [0, 0, 0, 1]
