"""What may be news, and what becomes of one recipient, or of all, where Telegram does not take it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyrogram import raw
from pyrogram.errors import (
    ChatSendPhotosForbidden,
    FileReferenceExpired,
    FloodPremiumWait,
    FloodWait,
    InternalServerError,
    MediaEmpty,
)
from pyrogram.types import Message

from daemon.broadcasting import content, worker
from daemon.broadcasting.content import NotNews
from daemon.broadcasting.worker import GONE, Broadcaster
from daemon.telegram.errors import Unreachable
from daemon.transfer.media.captions import MAX_CAPTION, MAX_TEXT
from models.promotion import broadcasts, hours, recipients
from models.promotion.broadcasts import BroadcastState, Content
from models.promotion.recipients import RecipientState

# What an admin writes


def said(text: str = "", media: Any = None, **more: Any) -> Any:
    """A message as it comes from Telegram."""
    peer = raw.types.PeerUser(user_id=1)
    return SimpleNamespace(raw=raw.types.Message(id=7, peer_id=peer, date=0, message=text, media=media, **more))


def photo(**more: Any) -> Any:
    held = raw.types.Photo(id=1, access_hash=2, file_reference=b"x", date=0, sizes=[], dc_id=2)
    return raw.types.MessageMediaPhoto(photo=held, **more)


def file(mime_type: str, **more: Any) -> Any:
    held = raw.types.Document(
        id=1, access_hash=2, file_reference=b"x", date=0, mime_type=mime_type, size=1, dc_id=2, attributes=[]
    )
    return raw.types.MessageMediaDocument(document=held, **more)


PAGE = raw.types.MessageMediaWebPage(webpage=raw.types.WebPageEmpty(id=1))
LOCATION = raw.types.MessageMediaGeo(geo=raw.types.GeoPointEmpty())
BOLD, NAME = raw.types.MessageEntityBold(offset=0, length=2), raw.types.MessageEntityMention(offset=0, length=2)


@pytest.mark.parametrize(
    ("text", "media", "kept"),
    [
        ("hello", None, False),
        ("hello", PAGE, False),
        ("", photo(), True),
        ("hello", photo(), True),
        ("", file("video/mp4"), True),
        ("", file("image/gif"), True),
        ("x" * MAX_TEXT, None, False),
        ("x" * MAX_CAPTION, photo(), True),
    ],
)
def test_texts_pictures_and_videos_are_news(text: str, media: Any, kept: bool) -> None:
    found = content.read(said(text, media))
    assert (found.text, found.media is not None, found.message_id) == (text, kept, 7)


@pytest.mark.parametrize(
    ("text", "media", "too_long"),
    [
        ("", None, False),
        ("", PAGE, False),
        ("hello", LOCATION, False),
        ("hello", file("audio/ogg"), False),
        ("hello", photo(ttl_seconds=5), False),
        ("hello", file("video/mp4", ttl_seconds=5), False),
        ("x" * (MAX_TEXT + 1), None, True),
        ("x" * (MAX_CAPTION + 1), photo(), True),
        ("😀" * (MAX_TEXT // 2 + 1), None, True),
    ],
)
def test_anything_else_is_none(text: str, media: Any, too_long: bool) -> None:
    with pytest.raises(NotNews) as told:
        content.read(said(text, media))
    assert told.value.too_long is too_long


def test_a_picture_of_an_album_is_none() -> None:
    with pytest.raises(NotNews):
        content.read(said("hello", photo(), grouped_id=1))
    with pytest.raises(NotNews):
        content.read(Message(id=7))


def test_formatting_is_kept_and_names_are_found_anew() -> None:
    found = content.read(said("hello", entities=[BOLD, NAME]))
    assert found.entities == [{"_": "Bold", "offset": 0, "length": 2}]


def written(text: str, media: Any = None) -> Content:
    return Content(text, [], media, 7)


def test_a_picture_that_was_asked_for_keeps_the_drafts_text() -> None:
    draft: Any = SimpleNamespace(text="draft", entities=[{"_": "Bold", "offset": 0, "length": 2}])
    kept = content.with_text_of(draft, written("", {"kind": "photo"}))
    assert (kept.text, kept.entities, kept.media) == ("draft", draft.entities, {"kind": "photo"})
    own = written("its own", {"kind": "photo"})
    assert content.with_text_of(draft, own) is own
    with pytest.raises(NotNews):
        content.with_text_of(draft, written("no picture"))
    draft.text = "x" * (MAX_CAPTION + 1)
    assert content.with_text_of(draft, own) is own
    with pytest.raises(NotNews) as told:
        content.with_text_of(draft, written("", {"kind": "photo"}))
    assert told.value.too_long


@pytest.mark.parametrize(
    ("messages", "is_there"), [([photo()], True), ([LOCATION], False), ([None], False), ([], False)]
)
async def test_a_reference_is_renewed_from_the_admins_message(
    messages: list[Any], is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def invoke(_bot: object, query: Any) -> Any:
        assert [each.id for each in query.id] == [7]
        return SimpleNamespace(messages=[SimpleNamespace(media=media) for media in messages])

    monkeypatch.setattr(content, "invoke", invoke)
    nobody: Any = None
    draft: Any = SimpleNamespace(source_message_id=7)
    assert (await content.renewed(nobody, draft) is not None) is is_there


# Sending it


class Rows:
    """The recipients of a broadcast, and what was kept of it."""

    def __init__(self, *people: int) -> None:
        self.waiting = list(people)
        self.kept: list[tuple[str, Any]] = []

    async def __call__(self, function: Callable[..., Any], *values: Any, **named: Any) -> Any:
        if function is recipients.claim:
            return recipient(self.waiting.pop(0)) if self.waiting else None
        if function is recipients.release:
            self.kept.append(("again", named["failed"]))
        elif function is recipients.told:
            self.kept.append((str(values[1]), values[3]))
        elif function in (broadcasts.stop, broadcasts.renew_media, broadcasts.finish):
            self.kept.append((function.__name__, values[1] if function is not broadcasts.finish else values[0]))
        return None


def recipient(person: int) -> Any:
    return SimpleNamespace(id=person, user_id=person, random_id=person, language="en")


BROADCAST: Any = SimpleNamespace(id=1, status_message_id=None, buttons=(), text="hello", entities=[], media=None)


def broadcaster(rows: Any, answer: object) -> Broadcaster:
    """Sends news that Telegram answers so."""

    async def send_news(*_: object, **__: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def turn() -> None:
        """At once."""

    sender: Any = SimpleNamespace(send_news=send_news, turn_for_news=turn, bot_name="bot")
    wakeup: Any = SimpleNamespace(wake=lambda: None)
    other: Any = SimpleNamespace(plans=None)
    return Broadcaster(other, sender, rows, wakeup, catalogue=other, timezone=ZoneInfo("UTC"))


async def sent(rows: Rows, answer: object, monkeypatch: pytest.MonkeyPatch, media: object = None) -> None:
    async def at_once(_: float) -> None:
        """Nobody waits."""

    async def renewed(*_: object) -> object:
        return media

    monkeypatch.setattr(asyncio, "sleep", at_once)
    monkeypatch.setattr(hours, "is_night", lambda *_: False)
    monkeypatch.setattr(content, "renewed", renewed)
    up = asyncio.Event()
    up.set()
    await broadcaster(rows, answer)._send(BROADCAST, up)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (55, (RecipientState.SENT, 55)),
        (None, (RecipientState.SENT, None)),
        (Unreachable(7, "USER_IS_BLOCKED"), (RecipientState.BLOCKED, None)),
        (MediaEmpty(), (RecipientState.FAILED, None)),
        (ChatSendPhotosForbidden(), (RecipientState.FAILED, None)),
        (FloodWait(3), ("again", False)),
        (FloodPremiumWait(3), ("again", False)),
        (InternalServerError(), ("again", True)),
        (TimeoutError(), ("again", False)),
    ],
)
async def test_what_becomes_of_one_recipient(
    answer: object, kept: tuple[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(7)
    await sent(rows, answer, monkeypatch)
    assert rows.kept == [(str(kept[0]), kept[1]), ("finish", 1)]


@pytest.mark.parametrize(
    ("media", "then"), [({"kind": "photo"}, ("renew_media", {"kind": "photo"})), (None, ("stop", GONE))]
)
async def test_a_picture_whose_reference_expired(
    media: object, then: tuple[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(*range(1, 100))
    await sent(rows, FileReferenceExpired(), monkeypatch, media)
    assert rows.waiting, "nobody else is written to before it is renewed"
    assert set(rows.kept[:-1]) == {("again", True)} and rows.kept[-1] == then


async def test_nobody_is_written_to_at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(7)
    sending = broadcaster(rows, 55)
    monkeypatch.setattr(hours, "is_night", lambda *_: True)
    up = asyncio.Event()
    up.set()
    await sending._send(BROADCAST, up)
    assert rows.waiting == [7]
    up.clear()
    monkeypatch.setattr(hours, "is_night", lambda *_: False)
    await sending._send(BROADCAST, up)
    assert rows.waiting == [7], "nor while the bot is away"


@pytest.mark.parametrize(
    ("state", "is_night", "works"),
    [
        (BroadcastState.RUNNING, False, True),
        (BroadcastState.RUNNING, True, False),
        (BroadcastState.DELETING, True, True),
    ],
)
async def test_what_is_done_at_night(
    state: BroadcastState, is_night: bool, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    due: Any = SimpleNamespace(**vars(BROADCAST) | {"state": state})
    done: list[object] = []

    async def rows(function: Callable[..., Any], *_: object) -> Any:
        return {broadcasts.due: due, broadcasts.tell_sales: False}.get(function)

    async def step(*_: object, **__: object) -> None:
        done.append(state)

    working = broadcaster(rows, None)
    monkeypatch.setattr(hours, "is_night", lambda *_: is_night)
    monkeypatch.setattr(worker.Broadcaster, "_send", step)
    monkeypatch.setattr(worker.Broadcaster, "_delete", step)
    assert await working._turn(asyncio.Event()) is works
    assert done == [state] * works
