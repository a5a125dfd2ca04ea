"""What a message counts as."""

from typing import Any

import pytest
from pyrogram import raw

from daemon.transfer.delivery import plan
from daemon.transfer.errors import PermanentFailure
from daemon.transfer.media import carried
from daemon.transfer.media.items import UNDELIVERABLE, attributes_of, items_of, kind_of, name_of, sendable, urls_of
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Channel, Post

T = raw.types
VIDEO = T.DocumentAttributeVideo(duration=1.0, w=1, h=1)
STICKER = T.DocumentAttributeSticker(alt="", stickerset=T.InputStickerSetEmpty())


def document(*attributes: Any, mime_type: str = "application/pdf") -> Any:
    return T.Document(
        id=1,
        access_hash=2,
        file_reference=b"ref",
        date=0,
        mime_type=mime_type,
        size=5,
        dc_id=2,
        attributes=list(attributes),
    )


def message(media: Any, number: int = 1) -> Any:
    return T.Message(id=number, peer_id=T.PeerChannel(channel_id=1), date=0, message="words", media=media)


@pytest.mark.parametrize(
    ("attributes", "mime_type", "kind", "name"),
    [
        ([VIDEO], "video/mp4", "video", "video"),
        ([T.DocumentAttributeAnimated(), VIDEO], "video/mp4", "video", "animation"),
        ([VIDEO, T.DocumentAttributeAnimated()], "video/mp4", "video", "animation"),
        ([T.DocumentAttributeVideo(duration=1.0, w=1, h=1, round_message=True)], "video/mp4", "video", "video_note"),
        ([T.DocumentAttributeAudio(duration=1)], "audio/mpeg", "music", "music"),
        ([T.DocumentAttributeAudio(duration=1, voice=True)], "audio/ogg", "music", "voice"),
        ([STICKER], "image/webp", "photo", "sticker"),
        ([STICKER, VIDEO], "video/webm", "photo", "sticker"),
        ([VIDEO, STICKER], "video/webm", "photo", "sticker"),
        ([], "application/vnd.android.package-archive", "apk", "apk"),
        ([T.DocumentAttributeFilename(file_name="Toll.APK")], "application/octet-stream", "apk", "apk"),
        ([T.DocumentAttributeFilename(file_name="toll.pdf")], "application/pdf", "document", "document"),
        ([], "application/pdf", "document", "document"),
        ([T.DocumentAttributeImageSize(w=1, h=1)], "image/png", "document", "document"),
    ],
)
def test_each_kind_and_its_name(attributes: list[Any], mime_type: str, kind: str, name: str) -> None:
    sent = document(*attributes, mime_type=mime_type)
    (item,) = items_of([message(T.MessageMediaDocument(document=sent))])
    assert (kind_of(sent), name_of(item)) == (kind, name)


def test_the_largest_size_of_a_photo_is_what_is_fetched() -> None:
    sizes = [
        T.PhotoStrippedSize(type="i", bytes=b"x"),
        T.PhotoSize(type="m", w=1, h=1, size=100),
        T.PhotoSizeProgressive(type="y", w=1, h=1, sizes=[10, 500, 900]),
    ]
    photo = T.Photo(id=1, access_hash=2, file_reference=b"ref", date=0, sizes=sizes, dc_id=4)
    (item,) = items_of([message(T.MessageMediaPhoto(photo=photo))])
    assert (item.kind, item.size, item.location.thumb_size, item.data_centre) == ("photo", 900, "y", 4)


@pytest.mark.parametrize(
    "odd",
    [
        T.PhotoSizeProgressive(type="y", w=1, h=1, sizes=[]),
        T.PhotoSizeProgressive(type="y", w=1, h=1, sizes=[0, 0]),
        T.PhotoSizeProgressive(type="y", w=1, h=1, sizes=[-5]),
        T.PhotoSize(type="y", w=0, h=0, size=0),
        T.PhotoSize(type="y", w=0, h=0, size=-1),
        T.PhotoSizeEmpty(type="y"),
        T.PhotoCachedSize(type="y", w=1, h=1, bytes=b""),
        T.PhotoStrippedSize(type="y", bytes=b""),
        T.PhotoPathSize(type="y", bytes=b""),
    ],
)
def test_odd_sizes_of_a_photo_are_passed_over(odd: Any) -> None:
    def photo(*sizes: Any) -> Any:
        known = T.Photo(id=1, access_hash=2, file_reference=b"ref", date=0, sizes=list(sizes), dc_id=4)
        return message(T.MessageMediaPhoto(photo=known))

    (item,) = items_of([photo(odd, T.PhotoSize(type="m", w=1, h=1, size=100))])
    assert (item.size, item.location.thumb_size) == (100, "m")
    for sizes in ((odd,), ()):
        with pytest.raises(PermanentFailure) as refusal:
            items_of([photo(*sizes)])
        assert refusal.value.reason == "nothing_to_deliver"
    thumbnailed = document()
    thumbnailed.thumbs = [odd]
    (item,) = items_of([message(T.MessageMediaDocument(document=thumbnailed))])
    assert item.thumbnail is None


@pytest.mark.parametrize(
    ("media", "reason"),
    [
        (T.MessageMediaDocument(document=document(), ttl_seconds=5), "self_destructing"),
        (T.MessageMediaPhoto(photo=T.PhotoEmpty(id=1), ttl_seconds=5), "self_destructing"),
        (T.MessageMediaPhoto(ttl_seconds=5), "self_destructing"),
        (T.MessageMediaPaidMedia(stars_amount=5, extended_media=[]), "paid_media"),
        (T.MessageMediaUnsupported(), "nothing_to_deliver"),
    ],
)
def test_what_is_never_delivered(media: Any, reason: str) -> None:
    with pytest.raises(PermanentFailure) as refusal:
        items_of([message(media)])
    assert refusal.value.reason == reason


def test_what_cannot_be_brought_is_named() -> None:
    with pytest.raises(PermanentFailure) as refusal:
        items_of([message(T.MessageMediaUnsupported())])
    assert refusal.value.detail == {"what": "unsupported"}


def test_what_holds_no_file_is_no_item() -> None:
    place = T.MessageMediaGeo(geo=T.GeoPoint(long=1.0, lat=1.0, access_hash=1))
    assert items_of([message(place), message(None)]) == ()


PHOTO = T.Photo(
    id=7, access_hash=8, file_reference=b"p", date=0, sizes=[T.PhotoSize(type="x", w=1, h=1, size=9)], dc_id=2
)


def test_the_files_of_a_poll_go_with_its_text() -> None:
    def words(text: str) -> Any:
        return T.TextWithEntities(text=text, entities=[])

    def answer(number: int, media: Any) -> Any:
        return T.PollAnswer(text=words(f"answer {number}"), option=bytes([number]), media=media)

    shown = [
        T.MessageMediaDocument(document=document(VIDEO, mime_type="video/mp4")),
        T.MessageMediaDocument(document=document(STICKER, mime_type="image/webp")),
        T.MessageMediaDocument(document=document(VIDEO, mime_type="video/mp4")),
        T.MessageMediaDocument(document=document(), ttl_seconds=5),
        T.MessageMediaGeo(geo=T.GeoPointEmpty()),
        None,
    ]
    poll = T.Poll(id=1, hash=0, question=words("Which?"), answers=[answer(*each) for each in enumerate(shown[1:], 1)])
    media = T.MessageMediaPoll(poll=poll, results=T.PollResults(), attached_media=shown[0])
    items = items_of([message(media)])
    asked = "\n".join(["words\n\nWhich?", *(f"• answer {number}" for number in range(1, 6))])
    assert [(name_of(item), item.caption) for item in items] == [("video", asked), ("sticker", ""), ("video", "")]
    # And what Telegram shows in no album goes alone
    channel = Channel(1, 2, (), "", protected=False, administered=False)
    planned = plan(Post(channel, 1, single=False, edit_date=0, items=items, text="", entities=(), protected=False))
    assert [each.items for each in planned] == [(0,), (1,), (2,)]


def test_all_is_carried_that_what_is_sent_can_hold() -> None:
    media = T.MessageMediaDocument(
        document=document(VIDEO),
        video=True,
        spoiler=True,
        video_cover=PHOTO,
        video_timestamp=12,
        alt_documents=[document(VIDEO)],
    )
    (item,) = items_of([message(media)])
    assert carried.settings_of(media) == {"spoiler": True, "video_timestamp": 12}
    assert [(name, other.media_id, other.size) for name, other in item.beside] == [("video_cover", 7, 9)]
    sent = StoredFile.of(media).input_media(carried.settings_of(media))
    assert (sent.id.id, sent.video_cover.id, sent.video_timestamp, sent.spoiler) == (1, 7, 12, True)
    assert sent.ttl_seconds is None


def test_a_field_that_is_new_on_both_sides_is_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    class Received:
        __slots__ = ("glow", "odd", "photo", "ttl_seconds")

        def __init__(self) -> None:
            self.glow, self.odd, self.photo, self.ttl_seconds = "warm", object(), PHOTO, 5

    class Sent:
        __slots__ = ("glow", "id", "odd", "ttl_seconds")

    monkeypatch.setattr(carried, "INPUTS", {Received: Sent})
    assert carried.settings_of(Received()) == {"glow": "warm"}


def test_a_live_photo_without_its_motion_is_a_photo() -> None:
    live = T.MessageMediaPhoto(photo=PHOTO, live_photo=True, video=document(VIDEO))
    stored = StoredFile.of(live)
    assert StoredFile.read(stored.row()) == stored
    sent = stored.input_media(carried.settings_of(live))
    assert (sent.live_photo, sent.video.id) == (True, 1)
    still = StoredFile.of(T.MessageMediaPhoto(photo=PHOTO)).input_media(carried.settings_of(live))
    assert (still.live_photo, still.video) == (None, None)
    assert b"".join([still.write()])


def test_an_empty_cover_is_left_out() -> None:
    empty = T.Photo(id=7, access_hash=8, file_reference=b"p", date=0, sizes=[], dc_id=2)
    (item,) = items_of([message(T.MessageMediaDocument(document=document(VIDEO), video_cover=empty))])
    assert item.beside == ()


def test_what_is_undeliverable_is_named_as_telegram_names_it() -> None:
    assert [name for name in UNDELIVERABLE if not hasattr(T, name)] == []


def test_only_entities_that_telegram_finds_itself_are_left_out() -> None:
    kept = [T.MessageEntityBold(offset=0, length=1), T.MessageEntityFormattedDate(offset=0, length=1, date=0)]
    assert sendable([*kept, T.MessageEntityUrl(offset=0, length=1)]) == tuple(kept)


def test_the_addresses_behind_buttons() -> None:
    def button(type_: Any) -> Any:
        return T.KeyboardInlineButtonRow(buttons=[T.KeyboardInlineButton(text="x", type=type_)])

    post = message(None)
    post.reply_markup = T.ReplyInlineMarkup(
        rows=[button(T.InlineButtonTypeUrl(url="t.me/x")), button(T.InlineButtonTypeCallback(data=b"x"))]
    )
    assert urls_of(post) == ("t.me/x",)
    assert urls_of(message(None)) == ()


def test_a_sticker_forgets_the_set_of_another_account() -> None:
    known = T.InputStickerSetID(id=1, access_hash=2)
    sticker = document(T.DocumentAttributeSticker(alt="🎫", stickerset=known), T.DocumentAttributeHasStickers())
    (kept,) = attributes_of(sticker)
    assert (kept.alt, type(kept.stickerset)) == ("🎫", T.InputStickerSetEmpty)
