"""The calls that bring a post to a customer: which files go together, and which random id stands for which message."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import BadRequest

from daemon.telegram import rpc
from daemon.telegram.errors import AlreadySent
from daemon.transfer.delivery import Delivery, MediaRefused, Message, plan
from daemon.transfer.media import captions
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Channel, Post

CHAT = Channel(1, 2, (), "", protected=False, administered=False)


def item(kind: str, caption: str = "") -> Any:
    return SimpleNamespace(kind=kind, size=1, caption=caption, entities=(), media=raw.types.MessageMediaEmpty())


def post(*kinds: str, text: str = "", caption: str = "", inverted: bool = False) -> Any:
    items = tuple(item(kind, caption if not number else "") for number, kind in enumerate(kinds))
    return SimpleNamespace(spec=Post, items=items, text=text, entities=(), inverted=inverted, channel=CHAT)


@pytest.mark.parametrize(
    ("kinds", "groups"),
    [
        (["photo"], [[0]]),
        (["photo", "video", "photo"], [[0, 1, 2]]),
        (["music", "music"], [[0, 1]]),
        (["document", "apk"], [[0, 1]]),
        (["photo", "document", "photo"], [[0], [1], [2]]),
        (["photo", "music", "music", "document"], [[0], [1, 2], [3]]),
        (["photo"] * 11, [list(range(10)), [10]]),
        (["document"] * 20, [list(range(10)), list(range(10, 20))]),
    ],
)
def test_files_that_telegram_shows_together_go_together(kinds: list[str], groups: list[list[int]]) -> None:
    planned = plan(post(*kinds))
    assert [list(each.items) for each in planned] == groups
    assert [each.count for each in planned] == [len(group) for group in groups]


def test_each_file_keeps_the_words_under_it() -> None:
    kinds = ("photo", "photo", "document", "document")
    items = tuple(item(kind, f"words {number}") for number, kind in enumerate(kinds))
    planned = plan(SimpleNamespace(items=items, inverted=False))  # type: ignore[arg-type]
    assert [[text for text, _ in each.texts] for each in planned] == [["words 0", "words 1"], ["words 2", "words 3"]]


def test_what_does_not_fit_under_a_file_comes_after_it() -> None:
    long = "word " * captions.MAX_CAPTION
    planned = plan(post("photo", "photo", caption=long.strip(), inverted=True))
    first, *rest = planned
    assert first.items == (0, 1) and first.inverted and [each.items for each in rest] == [()] * len(rest)
    assert " ".join(each.texts[0][0].strip() for each in planned) == long.strip()
    assert captions.utf16_length(first.texts[0][0]) <= captions.MAX_CAPTION and first.texts[1] == ("", ())
    assert [each.count for each in rest] == [1] * len(rest) and not any(each.inverted for each in rest)


def test_a_long_text_is_several_messages() -> None:
    long = ("word " * captions.MAX_TEXT).strip()
    planned = plan(post(text=long))
    assert len(planned) > 1 and {each.items for each in planned} == {()}
    assert all(captions.utf16_length(each.texts[0][0]) <= captions.MAX_TEXT for each in planned)


class Telegram:
    """Takes calls, and answers with what was sent, or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.asked: list[Any] = []
        self.counted, self._error = 0, error
        monkeypatch.setattr(rpc, "invoke", self._invoke)
        bot: Any = SimpleNamespace(resolve_peer=self._peer)
        sender: Any = SimpleNamespace(answers=self._count, flooded=lambda _: None)
        self.delivery = Delivery(bot, sender)

    async def _invoke(self, _bot: object, query: Any, **_: object) -> Any:
        self.asked.append(query)
        if self._error is not None:
            raise self._error
        ids = [each.random_id for each in getattr(query, "multi_media", [query])]
        updates: list[Any] = [raw.types.UpdateMessageID(id=100 + each, random_id=each) for each in reversed(ids)]
        return raw.types.Updates(updates=updates, users=[], chats=[], date=1, seq=0)

    async def _peer(self, chat_id: int) -> Any:
        return raw.types.InputPeerUser(user_id=chat_id, access_hash=0)

    def _count(self) -> None:
        self.counted += 1


FILES = [StoredFile("photo", number, 2, b"x") for number in range(3)]
TEXTS = tuple((f"caption {number}", ()) for number in range(3))
ALBUM = Message((0, 2), (TEXTS[0], TEXTS[2]), ({}, {}), inverted=True)
ALONE = Message((1,), (TEXTS[1],), ({},))
TEXT = Message((), (("hello", ()),))


async def test_each_message_has_its_file_its_text_and_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    telegram = Telegram(monkeypatch)
    assert await telegram.delivery.send(7, ALBUM, FILES, [5, 6]) == {5: 105, 6: 106}
    (album,) = telegram.asked
    sent = [(each.media.id.id, each.message, each.random_id) for each in album.multi_media]
    assert sent == [(0, "caption 0", 5), (2, "caption 2", 6)] and album.invert_media and album.peer.user_id == 7
    assert await telegram.delivery.send(7, ALONE, FILES, [8]) == {8: 108}
    alone = telegram.asked[-1]
    assert (alone.media.id.id, alone.message, alone.random_id, alone.invert_media) == (1, "caption 1", 8, None)
    assert await telegram.delivery.send(7, TEXT, (), [9]) == {9: 109}
    assert (telegram.asked[-1].message, telegram.asked[-1].no_webpage) == ("hello", True)
    assert telegram.counted == 4, "news waits for each message"


@pytest.mark.parametrize(("message", "ids"), [(ALBUM, [5, 6]), (ALONE, [5]), (TEXT, [5])])
async def test_what_telegram_has_already_is_sent(
    message: Message, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = Telegram(monkeypatch, AlreadySent())
    assert await telegram.delivery.send(7, message, FILES, ids) == dict.fromkeys(ids, 0)


class Odd(BadRequest):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.ID = name


@pytest.mark.parametrize(
    ("name", "is_the_files"),
    [
        ("PHOTO_INVALID_DIMENSIONS", True),
        ("MEDIA_EMPTY", True),
        ("DOCUMENT_INVALID", True),
        ("CHAT_FORWARDS_RESTRICTED", True),
        ("ENTITY_BOUNDS_INVALID", False),
        ("MESSAGE_TOO_LONG", False),
    ],
)
async def test_another_way_is_tried_where_the_file_is_refused(
    name: str, is_the_files: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = Telegram(monkeypatch, Odd(name))
    with pytest.raises(MediaRefused if is_the_files else Odd):
        await telegram.delivery.send(7, ALONE, FILES, [5])
    with pytest.raises(Odd):
        await telegram.delivery.send(7, TEXT, (), [5])
