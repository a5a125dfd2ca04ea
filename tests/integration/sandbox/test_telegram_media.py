"""Files of the local Telegram, walked by the unmodified Pyrogram client."""

import asyncio
import hashlib
import io
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from pyrogram import Client, errors, raw, types
from pyrogram.file_id import FileId

from tests import clients
from tests.sandbox.telegram import picture
from tests.sandbox.telegram.content import MIB, Generated
from tests.sandbox_process import Sandbox

PART = 512 * 1024

pytestmark = pytest.mark.asyncio(loop_scope="module")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Cast:
    """The clients of a test: the operator's account, the bot, and a customer who has started it."""

    def __init__(self, sandbox: Sandbox) -> None:
        scenario = sandbox.scenario
        self.sandbox = sandbox
        self.customer_id = scenario["customers"][0]["id"]
        self.account = clients.client(scenario, session_string=sandbox.env["TELEGRAM_SESSION_STRING"])
        self.bot = clients.client(scenario, bot_token=sandbox.env["TELEGRAM_BOT_TOKEN"])
        self.customer = clients.client(scenario, session_string=scenario["customers"][0]["session_string"])

    async def start(self) -> None:
        for client in (self.account, self.bot, self.customer):
            await client.start()
        await self.customer.send_message(self.sandbox.scenario["bot"]["username"], "/start")

    async def stop(self) -> None:
        for client in (self.account, self.bot, self.customer):
            await client.stop()
            for session in list(client.sessions.values()):
                await session.stop()

    def link(self, name: str) -> dict[str, Any]:
        return self.sandbox.scenario["links"][name]

    async def post(self, name: str, client: Client | None = None) -> types.Message:
        """The post behind a link, as the account (or another client) sees it."""
        return await (client or self.account).get_messages(message_ids=self.link(name)["url"])

    async def newest(self) -> types.Message:
        """The newest message in the customer's chat with the bot."""
        return await anext(self.customer.get_chat_history(self.sandbox.scenario["bot"]["username"], limit=1))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cast(sandbox: Sandbox) -> AsyncIterator[Cast]:
    cast = Cast(sandbox)
    await cast.start()
    yield cast
    await cast.stop()


async def downloaded(client: Client, message: types.Message) -> bytes:
    file = await client.download_media(message, in_memory=True)
    assert isinstance(file, io.BytesIO)
    return file.getvalue()


def named(data: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = name
    return file


def document_location(message: types.Message, thumb_size: str = "") -> raw.types.InputDocumentFileLocation:
    document = message.raw.media.document
    return raw.types.InputDocumentFileLocation(
        id=document.id,
        access_hash=document.access_hash,
        file_reference=document.file_reference,
        thumb_size=thumb_size,
    )


def get_file(location: Any, offset: int, limit: int, precise: bool = False) -> raw.functions.upload.GetFile:
    return raw.functions.upload.GetFile(location=location, offset=offset, limit=limit, precise=precise or None)


@pytest.mark.parametrize(
    "name", ["photo1", "video1", "video3", "music1", "apk1", "sticker1", "voice1", "video_note1", "document_small1"]
)
async def test_stock_download_brings_the_exact_bytes(cast: Cast, name: str) -> None:
    data = await downloaded(cast.account, await cast.post(name))
    assert len(data) == cast.link(name)["size"]
    assert sha256(data) == cast.link(name)["sha256"]


async def test_a_photo_is_a_picture_in_several_sizes(cast: Cast) -> None:
    message = await cast.post("photo1")
    sizes = message.raw.media.photo.sizes
    assert [type(size).__name__ for size in sizes[:1]] == ["PhotoStrippedSize"]
    for size in sizes[1:]:
        location = raw.types.InputPhotoFileLocation(
            id=message.raw.media.photo.id,
            access_hash=message.raw.media.photo.access_hash,
            file_reference=message.raw.media.photo.file_reference,
            thumb_size=size.type,
        )
        data = (await cast.account.invoke(get_file(location, 0, MIB))).bytes
        assert len(data) == size.size
        assert picture.dimensions(data) == (size.w, size.h)


async def test_a_file_elsewhere_names_its_data_centre(cast: Cast) -> None:
    message = await cast.post("video3")
    assert FileId.decode(message.video.file_id).dc_id == 4
    with pytest.raises(errors.FileMigrate) as refused:
        await cast.account.invoke(get_file(document_location(message), 0, MIB))
    assert refused.value.value == 4


@pytest.mark.parametrize(
    ("offset", "limit", "precise", "error"),
    [
        (1024, 4096, False, errors.OffsetInvalid),
        (0, 5000, False, errors.LimitInvalid),
        (0, 12288, False, errors.LimitInvalid),
        (4096, MIB, False, errors.LimitInvalid),
        (0, 2 * MIB, False, errors.LimitInvalid),
        (MIB - 4096, 8192, False, errors.LimitInvalid),
        (512, 1024, True, errors.OffsetInvalid),
        (0, 1000, True, errors.LimitInvalid),
        (0, 0, False, errors.LimitInvalid),
    ],
)
async def test_chunks_outside_the_rules_are_refused(
    cast: Cast, offset: int, limit: int, precise: bool, error: type[Exception]
) -> None:
    location = document_location(await cast.post("document1"))
    with pytest.raises(error):
        await cast.account.invoke(get_file(location, offset, limit, precise))


async def test_precise_reads_any_kibibyte_and_the_end_is_short(cast: Cast) -> None:
    location = document_location(await cast.post("document1"))
    first = (await cast.account.invoke(get_file(location, 0, MIB))).bytes
    part = (await cast.account.invoke(get_file(location, 3 * 1024, 5 * 1024, precise=True))).bytes
    assert part == first[3 * 1024 : 8 * 1024]
    size = cast.link("document1")["size"]
    assert (await cast.account.invoke(get_file(location, size, 4096))).bytes == b""


async def test_another_account_cannot_use_what_one_account_was_shown(cast: Cast) -> None:
    seen_by_account = await cast.post("document1")
    with pytest.raises(errors.LocationInvalid):
        await cast.customer.invoke(get_file(document_location(seen_by_account), 0, 4096))
    document = seen_by_account.raw.media.document
    own = (await cast.post("document1", cast.customer)).raw.media.document
    mixed = raw.types.InputDocumentFileLocation(
        id=own.id, access_hash=own.access_hash, file_reference=document.file_reference, thumb_size=""
    )
    with pytest.raises(errors.FileReferenceInvalid):
        await cast.customer.invoke(get_file(mixed, 0, 4096))
    with pytest.raises(errors.MediaEmpty):
        await cast.bot.send_document(cast.customer_id, seen_by_account.document.file_id)


async def test_an_expired_reference_is_renewed_by_reading_the_post(cast: Cast) -> None:
    message = await cast.post("document1")
    fault = {"fault": "expire_references", "url": cast.link("document1")["url"], "after_chunks": 2}
    cast.sandbox.control("POST", "/faults", fault)
    location = document_location(message)
    for offset in (0, MIB):
        await cast.account.invoke(get_file(location, offset, MIB))
    with pytest.raises(errors.FileReferenceExpired):
        await cast.account.invoke(get_file(location, 2 * MIB, MIB))
    fresh = document_location(await cast.post("document1"))
    assert len((await cast.account.invoke(get_file(fresh, 2 * MIB, MIB))).bytes) == MIB


async def test_a_file_that_moves_is_found_where_it_went(cast: Cast) -> None:
    posted = cast.sandbox.control("POST", "/posts", {"chat": "gallery", "kind": "document", "size": 5000})
    message = await cast.account.get_messages(message_ids=posted["url"])
    assert sha256(await downloaded(cast.account, message)) == posted["sha256"]
    cast.sandbox.control("POST", "/faults", {"fault": "migrate_file", "url": posted["url"], "dc": 4})
    with pytest.raises(errors.FileMigrate):
        await cast.account.invoke(get_file(document_location(message), 0, 4096))
    moved = await cast.account.get_messages(message_ids=posted["url"])
    assert sha256(await downloaded(cast.account, moved)) == posted["sha256"]


# Sending


async def test_stock_uploads_arrive_whole(cast: Cast) -> None:
    photo, video = picture.jpeg(1, 640, 480), random.Random(2).randbytes(300_000)
    music, document = random.Random(3).randbytes(200_000), random.Random(4).randbytes(12 * MIB + 17)
    thumbnail = picture.jpeg(5, 320, 180)
    sends: list[tuple[bytes, Awaitable[Any]]] = [
        (photo, cast.bot.send_photo(cast.customer_id, named(photo, "p.jpg"), caption="a **photo**")),
        (
            video,
            cast.bot.send_video(
                cast.customer_id,
                named(video, "v.mp4"),
                duration=7,
                width=64,
                height=36,
                thumb=named(thumbnail, "t.jpg"),
            ),
        ),
        (music, cast.bot.send_audio(cast.customer_id, named(music, "m.mp3"), title="Song", performer="Band")),
        (document, cast.bot.send_document(cast.customer_id, named(document, "d.bin"), caption="big")),
    ]
    for data, send in sends:
        sent = await send
        received = await cast.newest()
        assert received.caption == sent.caption
        assert sha256(await downloaded(cast.customer, received)) == sha256(data)


async def test_attributes_and_thumbnail_are_kept(cast: Cast) -> None:
    thumbnail = picture.jpeg(6, 320, 180)
    await cast.bot.send_video(
        cast.customer_id,
        named(b"film" * 5000, "vídeo.mp4"),
        duration=7,
        width=64,
        height=36,
        thumb=named(thumbnail, "t.jpg"),
    )
    received = await cast.newest()
    assert (received.video.duration, received.video.width, received.video.height) == (7, 64, 36)
    assert received.video.file_name == "vídeo.mp4"
    location = document_location(received, received.raw.media.document.thumbs[0].type)
    assert (await cast.customer.invoke(get_file(location, 0, MIB))).bytes == thumbnail


async def test_a_large_upload_of_generated_content_is_recognised(cast: Cast) -> None:
    """So that tests and benchmarks move gigabytes at the price of a few bytes a part."""
    size = 11 * MIB + 77
    posted = cast.sandbox.control("POST", "/posts", {"kind": "document", "size": size, "seed": 4711})
    spilled = list(cast.sandbox.state.glob("uploads/*"))
    await cast.bot.send_document(cast.customer_id, named(Generated(4711, size).read(0, size), "copy.pdf"))
    delivered = cast.sandbox.control("GET", f"/deliveries?customer={cast.customer_id}")[-1]
    assert delivered["sha256"] == posted["sha256"]
    assert list(cast.sandbox.state.glob("uploads/*")) == spilled


async def test_one_swapped_part_changes_the_digest(cast: Cast) -> None:
    data = bytearray(Generated(4712, 11 * MIB).read(0, 11 * MIB))
    posted = cast.sandbox.control("POST", "/posts", {"kind": "document", "size": len(data), "seed": 4712})
    data[0:PART], data[PART : 2 * PART] = data[PART : 2 * PART], data[0:PART]
    await cast.bot.send_document(cast.customer_id, named(bytes(data), "swapped.pdf"))
    delivered = cast.sandbox.control("GET", f"/deliveries?customer={cast.customer_id}")[-1]
    assert delivered["sha256"] == sha256(bytes(data)) != posted["sha256"]


async def test_an_album_is_one_group_with_an_id_for_each_item(cast: Cast) -> None:
    photos = [named(picture.jpeg(seed, 320, 240), f"{seed}.jpg") for seed in range(3)]
    sent = await cast.bot.send_media_group(
        cast.customer_id, [types.InputMediaPhoto(photo, caption=f"n{n}") for n, photo in enumerate(photos)]
    )
    assert len({message.media_group_id for message in sent}) == 1
    received = await cast.customer.get_media_group(cast.sandbox.scenario["bot"]["username"], (await cast.newest()).id)
    assert [message.caption for message in received] == ["n0", "n1", "n2"]
    for message, photo in zip(received, photos, strict=True):
        assert await downloaded(cast.customer, message) == photo.getvalue()


async def test_what_was_sent_once_is_sent_again_by_its_id(cast: Cast) -> None:
    first = await cast.bot.send_document(cast.customer_id, named(b"once" * 1000, "once.txt"))
    before = cast.sandbox.control("GET", "/stats")["media_bytes_in"]
    await cast.bot.send_document(cast.customer_id, first.document.file_id, caption="again")
    received = await cast.newest()
    assert received.caption == "again"
    assert await downloaded(cast.customer, received) == b"once" * 1000
    assert cast.sandbox.control("GET", "/stats")["media_bytes_in"] == before


async def test_a_bot_resends_a_public_but_not_a_protected_post(cast: Cast) -> None:
    public = await cast.post("video1", cast.bot)
    await cast.bot.send_video(cast.customer_id, public.video.file_id)
    assert sha256(await downloaded(cast.customer, await cast.newest())) == cast.link("video1")["sha256"]
    protected = await cast.post("protected1", cast.bot)
    with pytest.raises(errors.ChatForwardsRestricted):
        await cast.bot.send_photo(cast.customer_id, protected.photo.file_id)


async def test_protected_content_of_the_bot_stays_with_the_customer(cast: Cast) -> None:
    await cast.bot.send_photo(cast.customer_id, named(picture.jpeg(7, 64, 64), "p.jpg"), protect_content=True)
    received = await cast.newest()
    assert received.has_protected_content
    with pytest.raises(errors.ChatForwardsRestricted):
        await cast.customer.send_photo("me", received.photo.file_id)


async def test_captions_are_limited(cast: Cast) -> None:
    photo = picture.jpeg(8, 64, 64)
    await cast.bot.send_photo(cast.customer_id, named(photo, "p.jpg"), caption="c" * 1024)
    with pytest.raises(errors.MediaCaptionTooLong):
        await cast.bot.send_photo(cast.customer_id, named(photo, "p.jpg"), caption="c" * 1025)


async def test_no_picture_is_refused_as_a_photo(cast: Cast) -> None:
    with pytest.raises(errors.ImageProcessFailed):
        await cast.bot.send_photo(cast.customer_id, named(b"no picture at all", "p.jpg"))


# Albums by hand, and what destroys itself


def input_document(message: types.Message) -> raw.types.InputMediaDocument:
    document = message.raw.media.document
    return raw.types.InputMediaDocument(
        id=raw.types.InputDocument(
            id=document.id, access_hash=document.access_hash, file_reference=document.file_reference
        )
    )


async def send_album(cast: Cast, media: list[Any]) -> Any:
    items = [
        raw.types.InputSingleMedia(media=one, random_id=cast.bot.rnd_id(), message="", entities=None) for one in media
    ]
    peer = await cast.bot.resolve_peer(cast.customer_id)
    return await cast.bot.invoke(raw.functions.messages.SendMultiMedia(peer=peer, multi_media=items))


async def test_albums_outside_the_rules_are_refused(cast: Cast) -> None:
    document = input_document(await cast.bot.send_document(cast.customer_id, named(b"text", "a.txt")))
    video = input_document(await cast.post("video1", cast.bot))
    with pytest.raises(errors.MultiMediaTooLong):
        await send_album(cast, [document] * 11)
    with pytest.raises(errors.MediaGroupedInvalid):
        await send_album(cast, [document, video])
    uploaded = raw.types.InputMediaUploadedDocument(
        file=raw.types.InputFile(id=1, parts=1, name="x", md5_checksum=""), mime_type="text/plain", attributes=[]
    )
    with pytest.raises(errors.MediaInvalid):
        await send_album(cast, [document, uploaded])


async def test_an_album_tells_which_reference_has_expired(cast: Cast) -> None:
    posts = [cast.sandbox.control("POST", "/posts", {"kind": "document", "size": 100}) for _ in range(2)]
    media = [input_document(await cast.bot.get_messages(message_ids=post["url"])) for post in posts]
    cast.sandbox.control("POST", "/faults", {"fault": "expire_references", "url": posts[1]["url"]})
    with pytest.raises(errors.BadRequest, match="FILE_REFERENCE_X_EXPIRED") as refused:
        await send_album(cast, media)
    assert refused.value.value == 1


async def test_what_destroys_itself_is_marked_and_stays_where_it_is(cast: Cast) -> None:
    message = await cast.post("view_once1")
    assert message.raw.media.ttl_seconds == 2**31 - 1
    with pytest.raises(errors.ChatForwardsRestricted):
        await cast.account.send_photo("me", message.photo.file_id)


# Parts


def big_part(file_id: int, number: int, total: int, data: bytes) -> raw.functions.upload.SaveBigFilePart:
    return raw.functions.upload.SaveBigFilePart(file_id=file_id, file_part=number, file_total_parts=total, bytes=data)


@pytest.mark.parametrize(
    ("number", "total", "size", "error"),
    [
        (0, 4001, PART, errors.FilePartsInvalid),
        (0, 0, PART, errors.FilePartsInvalid),
        (2, 2, PART, errors.FilePartInvalid),
        (0, 2, PART - 1, errors.FilePartSizeInvalid),
        (0, 2, 3 * 1024, errors.FilePartSizeInvalid),
        (0, 2, PART + 1024, errors.FilePartTooBig),
        (0, 2, 0, errors.FilePartEmpty),
    ],
)
async def test_parts_outside_the_rules_are_refused(
    cast: Cast, number: int, total: int, size: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await cast.bot.invoke(big_part(77, number, total, bytes(size)))


def send(cast: Cast, peer: Any, file: Any) -> Callable[[], Awaitable[Any]]:
    media = raw.types.InputMediaUploadedDocument(file=file, mime_type="application/octet-stream", attributes=[])
    return lambda: cast.bot.invoke(
        raw.functions.messages.SendMedia(peer=peer, media=media, message="", random_id=cast.bot.rnd_id())
    )


async def test_a_premium_account_may_send_twice_as_many_parts(cast: Cast) -> None:
    await cast.account.invoke(big_part(76, 0, 8000, bytes(1024)))
    with pytest.raises(errors.FilePartsInvalid):
        await cast.account.invoke(big_part(76, 0, 8001, bytes(1024)))


async def test_a_missing_part_is_named(cast: Cast) -> None:
    peer = await cast.bot.resolve_peer(cast.customer_id)
    for number in (0, 2):
        await cast.bot.invoke(big_part(78, number, 3, bytes(PART)))
    with pytest.raises(errors.FilePartMissing) as missing:
        await send(cast, peer, raw.types.InputFileBig(id=78, parts=3, name="x"))()
    assert missing.value.value == 1
    await cast.bot.invoke(big_part(78, 1, 3, bytes(PART)))
    await send(cast, peer, raw.types.InputFileBig(id=78, parts=3, name="x"))()


async def test_parts_belong_to_the_account_that_saved_them(cast: Cast) -> None:
    await cast.account.invoke(big_part(79, 0, 1, bytes(PART)))
    peer = await cast.bot.resolve_peer(cast.customer_id)
    with pytest.raises(errors.FilePartMissing):
        await send(cast, peer, raw.types.InputFileBig(id=79, parts=1, name="x"))()


async def test_a_small_file_is_checked_against_its_md5(cast: Cast) -> None:
    part = raw.functions.upload.SaveFilePart(file_id=80, file_part=0, bytes=b"content")
    await cast.bot.invoke(part)
    peer = await cast.bot.resolve_peer(cast.customer_id)
    with pytest.raises(errors.Md5ChecksumInvalid):
        await send(cast, peer, raw.types.InputFile(id=80, parts=1, name="x", md5_checksum="0" * 32))()
    digest = hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    await send(cast, peer, raw.types.InputFile(id=80, parts=1, name="x", md5_checksum=digest))()


async def test_a_repeated_random_id_sends_no_second_copy(cast: Cast) -> None:
    peer = await cast.bot.resolve_peer(cast.customer_id)
    sent = await cast.bot.send_document(cast.customer_id, named(b"one", "one.txt"))
    document = sent.raw.media.document
    again = raw.functions.messages.SendMedia(
        peer=peer,
        media=raw.types.InputMediaDocument(
            id=raw.types.InputDocument(
                id=document.id, access_hash=document.access_hash, file_reference=document.file_reference
            )
        ),
        message="",
        random_id=4242424242,
    )
    await cast.bot.invoke(again)
    newest = (await cast.newest()).id
    with pytest.raises(errors.RandomIdDuplicate):
        await cast.bot.invoke(again)
    assert (await cast.newest()).id == newest
    assert cast.sandbox.control("GET", "/stats")["messages"]["4242424242"] == 1


async def test_many_chunks_may_be_outstanding_at_once(cast: Cast) -> None:
    location = document_location(await cast.post("document1"))
    session = await cast.account.get_session(2, is_media=True, temporary=True)
    try:
        chunks = await asyncio.gather(*(session.invoke(get_file(location, n * MIB, MIB)) for n in range(20)))
    finally:
        await session.stop()
    assert sha256(b"".join(chunk.bytes for chunk in chunks)) == cast.link("document1")["sha256"]
