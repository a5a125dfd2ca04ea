"""One call to Telegram: how often it is tried, and what its errors say of the person it was about."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import (
    BadRequest,
    ChatWriteForbidden,
    FloodPremiumWait,
    FloodWait,
    Forbidden,
    InputUserDeactivated,
    InternalServerError,
    MessageIdInvalid,
    MessageNotModified,
    PeerIdInvalid,
    RPCError,
    UserIdInvalid,
    UserIsBlocked,
)

from daemon.telegram import rpc, sender
from daemon.telegram.errors import AlreadySent, Unreachable
from daemon.telegram.rpc import FAILURES, FLOOD_MARGIN_S, FLOOD_WAITS
from daemon.telegram.screen import Screen
from daemon.telegram.sender import Sender
from models import users
from models.errors import NotFound

QUERY = raw.functions.help.GetConfig()
DONE = object()


class Telegram:
    """Answers each call with the next of these, or raises it."""

    no_updates = False

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.asked: list[Any] = []
        self.users: list[object] = []
        started = asyncio.Event()
        started.set()
        self.session: Any = SimpleNamespace(is_started=started, send=self._send)

    async def _send(self, query: Any, timeout: float) -> Any:
        self.asked.append(query)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def fetch_peers(self, found: list[object]) -> None:
        self.users += found


class DuplicateError(RPCError):
    ID = "RANDOM_ID_DUPLICATE"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in no time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return pauses


async def call(telegram: Any, **more: Any) -> Any:
    return await rpc.invoke(telegram, QUERY, **more)


@pytest.mark.parametrize("flood", [FloodWait(7), FloodPremiumWait(7)])
async def test_short_flood_waits_are_sat_out_so_often(flood: RPCError, slept: list[float]) -> None:
    heard: list[int] = []
    telegram = Telegram(*[flood] * FLOOD_WAITS, DONE)
    assert await call(telegram, longest_flood=7, on_flood=heard.append) is DONE
    assert slept == [7 + FLOOD_MARGIN_S] * FLOOD_WAITS and heard == [7] * FLOOD_WAITS
    assert telegram.asked == [QUERY] * (FLOOD_WAITS + 1), "the very same call"
    with pytest.raises(type(flood)):
        await call(Telegram(*[flood] * (FLOOD_WAITS + 1), DONE), longest_flood=7)


async def test_a_long_flood_wait_is_heard_of_and_not_sat_out(slept: list[float]) -> None:
    heard: list[int] = []
    with pytest.raises(FloodWait):
        await call(Telegram(FloodWait(8), DONE), longest_flood=7, on_flood=heard.append)
    assert slept == [] and heard == [8]


@pytest.mark.parametrize("error", [InternalServerError(), TimeoutError(), ConnectionError()])
async def test_what_passes_is_tried_so_often(error: Exception, slept: list[float]) -> None:
    telegram = Telegram(*[error] * (FAILURES - 1), DONE)
    assert await call(telegram) is DONE
    assert len(telegram.asked) == FAILURES and len(slept) == FAILURES - 1
    with pytest.raises(type(error)):
        await call(Telegram(*[error] * FAILURES, DONE))
    with pytest.raises(type(error)):
        await call(Telegram(error, DONE), failures=1)


@pytest.mark.parametrize("error", [BadRequest(), Forbidden()])
async def test_a_refusal_is_not_tried_again(error: Exception, slept: list[float]) -> None:
    with pytest.raises(type(error)):
        await call(Telegram(error, DONE))
    assert slept == []


@pytest.mark.parametrize("code", [400, 500])
async def test_what_telegram_has_already_is_sent(code: int, slept: list[float]) -> None:
    error: Any = DuplicateError()
    error.CODE = code
    for ask in (call(Telegram(error, DONE)), noted(Telegram(), error)):
        with pytest.raises(AlreadySent):
            await ask
    assert slept == []


async def noted(telegram: Any, answer: object, heard: list[int] | None = None) -> Any:
    async def asked() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return await rpc.noted(telegram, asked(), ([] if heard is None else heard).append)


async def test_a_call_on_another_session_is_noted_alike() -> None:
    heard: list[int] = []
    with pytest.raises(FloodWait):
        await noted(Telegram(), FloodWait(9), heard)
    assert heard == [9]
    with pytest.raises(BadRequest):
        await noted(Telegram(), BadRequest())
    telegram, answer = Telegram(), SimpleNamespace(users=["somebody"], chats=["somewhere"])
    assert await noted(telegram, answer) is answer
    assert telegram.users == ["somebody", "somewhere"]


async def test_a_client_that_is_stopped_makes_no_call(slept: list[float]) -> None:
    telegram = Telegram(DONE)
    telegram.session = None
    with pytest.raises(ConnectionError):
        await call(telegram)


# Messages to one person


class Rows:
    """Who is marked as away."""

    def __init__(self, *, is_known: bool = True) -> None:
        self.marked: list[tuple[Any, ...]] = []
        self._is_known = is_known

    async def __call__(self, function: Any, *values: Any) -> None:
        assert function is users.mark_blocked_bot
        if not self._is_known:
            raise NotFound("user", values[0])
        self.marked.append(values[:2])


def writing(rows: Any, answer: object, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """Sends messages that Telegram answers so."""

    async def invoke(*_: object, **__: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def resolve_peer(person: int) -> int:
        return person

    async def parse(text: str, _: object) -> dict[str, object]:
        return {"message": text, "entities": None}

    monkeypatch.setattr(sender, "invoke", invoke)
    bot: Any = SimpleNamespace(resolve_peer=resolve_peer, parser=SimpleNamespace(parse=parse), me=None)
    return Sender(bot, rows)


SCREEN = Screen("hello")
AWAY = [UserIsBlocked(), InputUserDeactivated(), PeerIdInvalid(), UserIdInvalid(), ChatWriteForbidden()]


@pytest.mark.parametrize("error", AWAY)
async def test_whoever_cannot_be_written_to_is_marked(error: RPCError, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    with pytest.raises(Unreachable) as told:
        await writing(rows, error, monkeypatch).send_screen(7, SCREEN)
    assert (told.value.user_id, told.value.reason) == (7, str(error.ID)) and rows.marked == [(7, True)]
    with pytest.raises(Unreachable):
        await writing(Rows(is_known=False), error, monkeypatch).send_screen(7, SCREEN)


@pytest.mark.parametrize("filling", ["x", "𝔘"])
async def test_a_text_is_as_long_as_telegram_takes_it(filling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def parse(text: str, _: object) -> dict[str, object]:
        return {"message": text, "entities": [bold(0, 5), bold(4000, 200), bold(4095, 1), bold(4099, 1)]}

    async def invoke(_bot: object, query: Any, **_: object) -> object:
        asked.append(query)
        return raw.types.UpdateShortSentMessage(id=5, pts=1, pts_count=1, date=1)

    writer = writing(Rows(), None, monkeypatch)
    writer._bot.parser.parse = parse  # type: ignore[method-assign]
    monkeypatch.setattr(sender, "invoke", invoke)
    await writer.send_screen(7, Screen(filling * 4100))
    await writer.edit_screen(7, 5, Screen(filling * 4100))
    for query in asked:
        length = len(query.message.encode("utf-16-le")) // 2
        assert 4095 <= length <= sender.LONGEST_TEXT and query.message.strip(filling) == "…"
        assert [(each.offset, each.length) for each in query.entities] == [(0, 5), (4000, length - 4001)]
    assert len(asked) == 2


def bold(offset: int, length: int) -> raw.types.MessageEntityBold:
    return raw.types.MessageEntityBold(offset=offset, length=length)


@pytest.mark.parametrize("error", [BadRequest(), FloodWait(9), TimeoutError()])
async def test_any_other_error_says_nothing_of_a_person(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    with pytest.raises(type(error)):
        await writing(rows, error, monkeypatch).send_screen(7, SCREEN)
    assert rows.marked == []


async def test_a_message_that_telegram_has_is_no_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await writing(Rows(), AlreadySent(), monkeypatch).send_screen(7, SCREEN) is None
    arrived = raw.types.UpdateShortSentMessage(id=5, pts=1, pts_count=1, date=1)
    assert await writing(Rows(), arrived, monkeypatch).send_screen(7, SCREEN) == 5


@pytest.mark.parametrize(
    ("answer", "is_there"),
    [(None, True), (MessageNotModified(), True), (MessageIdInvalid(), False), *((error, False) for error in AWAY)],
)
async def test_an_edit_says_whether_the_message_is_there(
    answer: object, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await writing(Rows(), answer, monkeypatch).edit_screen(7, 5, SCREEN) is is_there


async def test_an_edit_that_fails_is_no_message_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (BadRequest(), FloodWait(9), TimeoutError()):
        with pytest.raises(type(error)):
            await writing(Rows(), error, monkeypatch).edit_screen(7, 5, SCREEN)


async def test_what_cannot_be_deleted_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    await writing(Rows(), BadRequest(), monkeypatch).delete(7, [5])
    with pytest.raises(TimeoutError):
        await writing(Rows(), TimeoutError(), monkeypatch).delete(7, [5])
    with pytest.raises(BadRequest):
        await writing(Rows(), BadRequest(), monkeypatch).delete_for_all([5])
