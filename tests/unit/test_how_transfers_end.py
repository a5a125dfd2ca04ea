"""How a transfer ends other than by delivery: each error that a part of it promises."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import (
    ChannelPrivate,
    FilePart0Missing,
    FileReferenceExpired,
    FloodWait,
    FrozenMethodInvalid,
    MediaEmpty,
    MessageEmpty,
    PeerFlood,
    RPCError,
    UserIsBlocked,
    UsernameInvalid,
    UsernameNotOccupied,
    VoiceMessagesForbidden,
)

from daemon.telegram import rpc
from daemon.transfer import streaming
from daemon.transfer.delivery import Delivery, MediaRefused, Message, ReferenceExpired
from daemon.transfer.errors import (
    Abandoned,
    AccountRestricted,
    FloodWaitTooLong,
    OutOfTurn,
    PartsMissing,
    PermanentFailure,
    RecipientRestricted,
    RecipientUnreachable,
    RetryLater,
)
from daemon.transfer.invitations import Invitations
from daemon.transfer.lookups import Lookups
from daemon.transfer.reader import Channel, Reader
from daemon.transfer.run import Run
from daemon.transfer.small_files import FINAL, SmallFile, first_that_works
from daemon.transfer.streaming import Download
from models.jobs.reasons import RefusalReason
from models.jobs.scheduling import LARGE_BYTES

ITEM: Any = SimpleNamespace(size=1, media=None)
FILE: Any = SimpleNamespace(input_media=lambda _settings: None)
ONE_FILE = Message((0,), (("", ()),), ({},))
QUERY = raw.functions.help.GetConfig()


class Answering:
    """A client each of whose calls has that answer, or raises it."""

    no_updates = False

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.asked = 0
        started = asyncio.Event()
        started.set()
        self.session = SimpleNamespace(is_started=started, send=self._send)

    async def resolve_peer(self, _: int) -> Any:
        return raw.types.InputPeerEmpty()

    async def call(self, _: Any) -> Any:
        return await self._send()

    async def fetch_peers(self, _: Any) -> None:
        """Nobody is known here."""

    async def _send(self, *_: object, **__: object) -> Any:
        self.asked += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def delivery(error: Exception) -> tuple[Delivery, Answering]:
    bot: Any = Answering(error)
    sender: Any = SimpleNamespace(answers=lambda: None, flooded=lambda _seconds: None)
    return Delivery(bot, sender), bot


def reader(answer: Any) -> Reader:
    client: Any = Answering(answer)
    return Reader(client)


OF_THE_FILE = [
    (MediaEmpty(), MediaRefused),
    (FileReferenceExpired(), ReferenceExpired),
    (VoiceMessagesForbidden(), RecipientRestricted),
    (MessageEmpty(), MessageEmpty),
]
OF_THE_CUSTOMER = [(UserIsBlocked(), RecipientUnreachable), (FloodWait(value=60), FloodWaitTooLong)]


@pytest.mark.parametrize(("refusal", "error"), [*OF_THE_FILE, *OF_THE_CUSTOMER])
async def test_a_message_that_is_refused(refusal: RPCError, error: type[Exception]) -> None:
    sending, _ = delivery(refusal)
    with pytest.raises(error):
        await sending.send(1, ONE_FILE, [FILE], [7])


async def test_a_message_that_is_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None:
        """Nobody waits."""

    monkeypatch.setattr(asyncio, "sleep", at_once)
    sending, bot = delivery(TimeoutError())
    with pytest.raises(TimeoutError):
        await sending.send(1, ONE_FILE, [FILE], [7])
    assert bot.asked == rpc.FAILURES


@pytest.mark.parametrize(
    ("refusal", "error"),
    [*OF_THE_FILE, *OF_THE_CUSTOMER, (FilePart0Missing(), PartsMissing), (TimeoutError(), TimeoutError)],
)
async def test_a_message_refused_with_its_file(refusal: Exception, error: type[Exception]) -> None:
    sending, bot = delivery(refusal)
    with pytest.raises(error):
        await sending.send_new(1, ONE_FILE, None, 7, bot.call)


@pytest.mark.parametrize(("refusal", "error"), [*OF_THE_FILE, *OF_THE_CUSTOMER, (FilePart0Missing(), PartsMissing)])
@pytest.mark.parametrize("at_once", [False, True])
async def test_an_upload_that_is_refused(refusal: RPCError, error: type[Exception], at_once: bool) -> None:
    sending, bot = delivery(refusal)
    with pytest.raises(error):
        await sending.upload(1, ITEM, None, bot.call if at_once else None)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (FloodWait(value=60), FloodWaitTooLong),
        (FrozenMethodInvalid(), AccountRestricted),
        (PeerFlood(), AccountRestricted),
    ],
)
async def test_a_look_up_that_is_refused(refusal: RPCError, error: type[Exception]) -> None:
    with pytest.raises(error):
        await reader(refusal).call(QUERY)


@pytest.mark.parametrize(
    ("chat", "reason"),
    [
        (
            raw.types.Chat(id=1, title="", photo=raw.types.ChatPhotoEmpty(), participants_count=1, date=0, version=0),
            RefusalReason.BASIC_GROUP,
        ),
        (raw.types.ChannelForbidden(id=1, access_hash=1, title=""), RefusalReason.NO_ACCESS),
        (raw.types.Channel(id=1, title="", photo=raw.types.ChatPhotoEmpty(), date=0), RefusalReason.NO_ACCESS),
    ],
)
def test_what_is_no_channel_is_not_remembered(chat: Any, reason: RefusalReason) -> None:
    with pytest.raises(PermanentFailure) as told:
        reader(OSError()).learn(chat)
    assert told.value.reason is reason


@pytest.mark.parametrize("refusal", [UsernameNotOccupied(), UsernameInvalid()])
async def test_a_name_that_nobody_has(refusal: RPCError) -> None:
    with pytest.raises(PermanentFailure) as told:
        await reader(refusal).by_name("nobody")
    assert told.value.reason is RefusalReason.NOT_FOUND


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ChannelPrivate(), RefusalReason.NO_ACCESS),
        (raw.types.messages.Messages(messages=[], topics=[], chats=[], users=[]), RefusalReason.NOT_FOUND),
    ],
)
async def test_a_post_that_a_comment_cannot_be_under(answer: Any, reason: RefusalReason) -> None:
    channel = Channel(1, 2, (), "", protected=False, administered=False)
    with pytest.raises(PermanentFailure) as told:
        await reader(answer).parent(channel, 7)
    assert told.value.reason is reason


async def test_a_flood_wait_is_remembered_for_everybody() -> None:
    # Given a look-up that Telegram has answered with a flood wait
    client: Any = Answering(FloodWait(value=60))
    looking_up = Lookups(Reader(client), None, is_bot=False)  # type: ignore[arg-type]
    with pytest.raises(FloodWaitTooLong):
        await looking_up.check(None, "one")
    # Then the next one does not ask at all
    with pytest.raises(FloodWaitTooLong):
        await looking_up.check(None, "other")
    assert client.asked == 1


async def test_a_turn_that_is_far_off_is_not_waited_for() -> None:
    asked = 0

    async def answer(_: Any) -> Any:
        nonlocal asked
        asked += 1

    answering: Any = SimpleNamespace(call=answer)
    looking_up = Lookups(answering, None, is_bot=False)  # type: ignore[arg-type]
    with pytest.raises(OutOfTurn):
        for number in range(100):
            await looking_up.check(None, str(number))
    assert 0 < asked < 100


@pytest.mark.parametrize("error", [OutOfTurn(9), FloodWaitTooLong(9)])
async def test_an_invitation_that_waits_is_not_forgotten(error: RetryLater) -> None:
    async def rows(function: Any, *_: object, **__: object) -> Any:
        raise AssertionError(f"{function} was called")

    async def remembered(_: str) -> Any:
        return SimpleNamespace(trusted=False, asks=False)

    async def check(*_: object) -> Any:
        raise error

    looking_up: Any = SimpleNamespace(reader=None, remembered=remembered, check=check)
    settings: Any = None
    with pytest.raises(type(error)):
        await Invitations(looking_up, rows, settings).check(1, "code", 0)  # type: ignore[arg-type]


def test_a_large_file_waits_while_others_are_under_way() -> None:
    job: Any = None
    run = Run(job, has_room_for_large=lambda: False)
    run.set_size(LARGE_BYTES)
    with pytest.raises(RetryLater):
        run.set_size(LARGE_BYTES + 1)
    assert not run.is_large


async def test_locations_that_are_stale_when_fresh() -> None:
    async def refresh() -> object:
        return object()

    download = Download(object(), 1, 2, refresh)
    for _ in range(streaming.MAX_REFRESHES):
        await download.refresh_location(download.location)
    with pytest.raises(RetryLater) as told:
        await download.refresh_location(download.location)
    assert told.value.counts
    # One that is read begins the count anew
    download.succeeded(download.location)
    await download.refresh_location(download.location)


async def test_a_small_file_that_is_dropped_is_nobodys() -> None:
    @contextlib.asynccontextmanager
    async def held(*_: object) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    endless: Any = SimpleNamespace(held=held)
    small = SmallFile(endless, ITEM, None, None)  # type: ignore[arg-type]
    await small.drop()
    with pytest.raises(Abandoned):
        await small.arrive()
    with pytest.raises(Abandoned):
        small.media()


@pytest.mark.parametrize("final", [Abandoned(), RecipientRestricted(RefusalReason.VOICE_FORBIDDEN), UserIsBlocked()])
async def test_what_no_other_way_changes_is_not_tried_again(final: Exception) -> None:
    tries = []

    async def flight() -> None:
        raise final

    async def one_by_one() -> str:
        tries.append(1)
        return "sent"

    job: Any = SimpleNamespace(id=1, user_id=2)
    if isinstance(final, FINAL):
        with pytest.raises(type(final)):
            await first_that_works(job, flight, one_by_one)
    else:
        assert await first_that_works(job, flight, one_by_one) == "sent"
    assert len(tries) == (not isinstance(final, FINAL))
